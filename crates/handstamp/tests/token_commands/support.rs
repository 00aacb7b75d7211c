//! The program in a folder of its own, and what every answer must look like.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

/// A folder with files for the program, removed at the end.
pub(crate) struct Folder(tempfile::TempDir);

/// What the program answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(name: &str, content: &str) -> Self {
        let folder = Self::new();
        folder.put(name, content);
        folder
    }

    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the program. `arguments` are words; an option's value has no spaces in these tests.
    pub(crate) fn run(&self, arguments: &str, input: &[u8]) -> Answer {
        let mut child = Command::new(env!("CARGO_BIN_EXE_handstamp"))
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // The program may refuse its arguments without reading.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Answer {
            code: output.status.code().unwrap(),
            out: output.stdout,
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output of a run that must succeed and say nothing else.
    pub(crate) fn ok(&self, arguments: &str, input: &[u8]) -> Vec<u8> {
        let answer = self.run(arguments, input);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{arguments}");
        answer.out
    }

    /// The JSON that a run prints.
    pub(crate) fn json(&self, arguments: &str, input: &[u8]) -> Json {
        serde_json::from_slice(&self.ok(arguments, input)).unwrap()
    }

    /// The code of a refusal: exit 1, nothing on standard output, one line on standard error.
    pub(crate) fn refusal(&self, arguments: &str, input: &[u8]) -> String {
        let answer = self.run(arguments, input);
        assert_eq!((answer.code, answer.out.len(), answer.err.lines().count()), (1, 0, 1), "{arguments}: {answer:?}");
        let (code, why) = answer.err.split_once(": ").unwrap_or_else(|| panic!("{arguments}: {}", answer.err));
        assert!(code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-'), "{code}");
        assert!(why.trim().len() > 10, "{arguments}: {why}");
        code.to_owned()
    }
}

/// Runs `work` for every item, on as many threads as there are processors.
pub(crate) fn for_all<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let chunk = items.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        for items in items.chunks(chunk) {
            scope.spawn(|| items.iter().for_each(&work));
        }
    });
}

pub(crate) fn cases<'v>(vectors: &'v Json, list: &str) -> &'v [Json] {
    vectors[list].as_array().unwrap()
}

pub(crate) fn text<'v>(case: &'v Json, field: &str) -> &'v str {
    case[field].as_str().unwrap_or_else(|| panic!("{}: no {field}", case["name"]))
}

pub(crate) fn base64(text: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text).unwrap()
}

/// The value of the cookie that holds a token's XML.
pub(crate) fn cookie(xml: &str) -> String {
    base64_simd::STANDARD.encode_to_string([b"\xEF\xBB\xBF", xml.as_bytes()].concat())
}

pub(crate) fn json_bytes(json: &Json) -> Vec<u8> {
    serde_json::to_vec(json).unwrap()
}

/// The `<machineKey>` element of a golden case.
pub(crate) fn machine_key(case: &Json) -> String {
    let attribute = |name: &str| format!("{name}=\"{}\"", text(case, name));
    let attributes = ["validation", "decryption", "validationKey", "decryptionKey"].map(attribute).join(" ");
    format!("<machineKey {attributes} />")
}
