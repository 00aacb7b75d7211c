//! Many documents per call of `xmllint`, so that its start does not dominate.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::{Command, Output};

pub(crate) struct Xmllint {
    directory: PathBuf,
}

const BATCH: usize = 400;

impl Xmllint {
    /// Nothing, and a plain word about it, if the tool is not installed.
    #[allow(clippy::print_stdout)]
    pub(crate) fn find(purpose: &str) -> Option<Self> {
        if Command::new("xmllint").arg("--version").output().is_err() {
            println!("NOT RUN: xmllint is missing; install libxml2-utils to compare with libxml2");
            return None;
        }
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("libxml2-{purpose}"));
        std::fs::create_dir_all(&directory).expect("a directory for the corpus");
        Some(Self { directory })
    }

    pub(crate) fn accepted(&self, documents: &[Vec<u8>]) -> Vec<bool> {
        let mut accepted = Vec::new();
        for batch in documents.chunks(BATCH) {
            let names: Vec<String> = (0..batch.len()).map(|i| format!("{i}.xml")).collect();
            for (name, document) in names.iter().zip(batch) {
                self.write(name, document);
            }
            let output = self.run("--noout", &names);
            let messages = String::from_utf8_lossy(&output.stderr);
            // "12.xml:3: parser error : ...", "12.xml:1: namespace error : ..."; warnings do not count, nor
            // opinions on what a namespace name should look like.
            let failed: HashSet<&str> = messages
                .lines()
                .filter(|line| line.contains(" error : ") && !line.ends_with("is not a valid URI"))
                .filter_map(|line| line.split_once(':').map(|(name, _)| name))
                .collect();
            accepted.extend(names.iter().map(|name| !failed.contains(name.as_str())));
        }
        accepted
    }

    pub(crate) fn canonical_forms(&self, flag: &str, documents: &[String]) -> Vec<String> {
        let mut forms = Vec::new();
        for batch in documents.chunks(BATCH) {
            let mut names = Vec::new();
            for (i, document) in batch.iter().enumerate() {
                let (marker, name) = (format!("m{i}.xml"), format!("{i}.xml"));
                self.write(&marker, format!("<handstamp-marker n='{i}'/>").as_bytes());
                self.write(&name, document.as_bytes());
                names.extend([marker, name]);
            }
            let output = self.run(flag, &names);
            let text = String::from_utf8(output.stdout).expect("canonical forms are UTF-8");
            let mut rest = text.as_str();
            for (i, document) in batch.iter().enumerate() {
                let marker = format!("<handstamp-marker n=\"{i}\"></handstamp-marker>");
                rest = rest.strip_prefix(&marker).unwrap_or_else(|| panic!("no form before {document}"));
                let next = format!("<handstamp-marker n=\"{}\"></handstamp-marker>", i + 1);
                let end = rest.find(&next).unwrap_or(rest.len());
                forms.push(rest[..end].to_owned());
                rest = &rest[end..];
            }
        }
        forms
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.directory.join(name), bytes).expect("the corpus can be written");
    }

    fn run(&self, flag: &str, names: &[String]) -> Output {
        Command::new("xmllint")
            .args(["--nonet", flag])
            .args(names)
            .current_dir(&self.directory)
            .output()
            .expect("xmllint runs")
    }
}
