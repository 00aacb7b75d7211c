//! `web.config` to `handstamp.toml`: the settings of Windows Identity Foundation and of Windows Communication Foundation, each
//! carried over or listed with the reason why not.
//!
//! Read are `<system.identityModel>`, `<system.identityModel.services>` and `<machineKey>`, or `<microsoft.identityModel>` of
//! WIF 3.5; and `<system.serviceModel>`, whose services and clients become SOAP routes. Defaults of the original that
//! differ from ours are written out, so that the result means what the old file meant. What is written is given to the
//! loader before it is returned: it is a configuration that [`Config::parse`] accepts. (docs/spec/session-management.md §6,
//! SM-44, SM-45; docs/spec/secure-conversation.md §14, §15.)

mod authorization;
mod draft;
mod handlers;
mod identity;
mod issuers;
mod machine_key;
mod protection;
mod report;
mod sections;
mod selection;
mod service_model;
mod services;
mod settings;
mod wif35;

use std::fmt;
use std::path::Path;

use handstamp_xml::{Document, ParseOptions};
use zeroize::Zeroizing;

use super::Config;
use draft::{Draft, Version};
pub use report::{Entry, Outcome, Report};
use sections::Sections;

const NO_SECTION: &str = "there is no <system.identityModel>, <system.identityModel.services>, <microsoft.identityModel> or \
    <system.serviceModel>: give the web.config of the application that uses WIF or WCF";
const FOR_SERVICES: &str = "says which tokens services take, and no route of this file takes any; there is no \
    <system.identityModel.services> for browsers";
const NOTHING: &str = "nothing in <system.serviceModel> can become a SOAP route: the other lines say why";
const BESIDE: &str = "is the section of WIF 3.5 and stands beside those of 4.5, which were read: if the application still uses \
    Microsoft.IdentityModel.dll, remove the others and import again";

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file is not XML that is accepted: also one with a document type declaration.
    #[error("{0}")]
    Xml(#[from] handstamp_xml::Error),
    /// The old configuration is wrong, or says something that cannot be a configuration here.
    #[error("{}", problems(.0))]
    Settings(Vec<Problem>),
}

impl ImportError {
    /// A stable code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Xml(error) => error.code(),
            Self::Settings(_) => "HST-IMPORT-SETTING",
        }
    }
}

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its line, from 1; none when the whole file is meant.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

/// A configuration made from another.
#[derive(Clone)]
pub struct Import {
    toml: String,
    report: Report,
    machine_key: Option<Zeroizing<String>>,
    files: Vec<(String, String)>,
}

impl Import {
    /// The name of the file for [`machine_key`](Self::machine_key), beside the configuration.
    pub const MACHINE_KEY_FILE: &'static str = protection::MACHINE_KEY_FILE;

    /// Reads the text of a `web.config`: the `federationConfiguration` without a name, or the only one.
    ///
    /// # Errors
    /// What is not XML, has a document type declaration, or breaks the original's own rules. Every wrong setting is
    /// listed, not only the first.
    pub fn read(text: impl Into<Vec<u8>>) -> Result<Self, ImportError> {
        Self::read_named(text, None)
    }

    /// Reads the text of a `web.config`: the `federationConfiguration` (in WIF 3.5, the `service`) of that name.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when there is none of that name.
    pub fn read_named(text: impl Into<Vec<u8>>, federation: Option<&str>) -> Result<Self, ImportError> {
        let document = Document::parse(text, &ParseOptions::default().allow_processing_instructions().without_ids())?;
        let mut draft = Draft::default();
        let sections = Sections::find(document.root(), &mut draft);
        let is_for_browsers = sections.identity_model.is_some() && sections.service_model.is_none();
        let is_wif45 = sections.services.is_some() || is_for_browsers;
        draft.federated = is_wif45 || sections.wif35.is_some();
        if let Some(section) = sections.service_model {
            service_model::read(section, &mut draft);
        }
        if is_wif45 {
            read_wif(&sections, federation, &mut draft);
        } else if let Some(section) = sections.wif35 {
            wif35::read(section, federation, &mut draft);
            protection::carry(sections.machine_key, Version::Wif35, &mut draft);
            draft.add_defaults(Version::Wif35);
        } else if sections.service_model.is_none() {
            draft.problem(None, NO_SECTION);
            return Err(ImportError::Settings(draft.problems));
        } else if let Some(identity) = sections.identity_model {
            if draft.token_routes.is_empty() {
                draft.element(identity, Outcome::Ignored(FOR_SERVICES.to_owned()));
            } else {
                service_model::read_identity(identity, &mut draft);
            }
        }
        service_model::complete_issuer(&mut draft);
        issuers::complete(&mut draft);
        if !draft.federated && draft.soap.is_empty() && draft.problems.is_empty() {
            draft.nothing_is_left(NOTHING);
        }
        if !draft.problems.is_empty() {
            draft.problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
            return Err(ImportError::Settings(draft.problems));
        }
        let toml = draft.to_toml();
        if let Err(findings) = Config::parse(&toml, Path::new("handstamp.toml")) {
            let problems = findings.iter().map(|finding| draft.explain(finding)).collect();
            return Err(ImportError::Settings(problems));
        }
        draft.report.sort();
        let machine_key = draft.machine_key.map(Zeroizing::new);
        Ok(Self { toml, report: draft.report, machine_key, files: draft.files })
    }

    /// The new configuration; the loader accepts it.
    pub fn toml(&self) -> &str {
        &self.toml
    }

    /// The `<machineKey>` element, when the new configuration names [`MACHINE_KEY_FILE`](Self::MACHINE_KEY_FILE): the
    /// content of that file. It holds secrets.
    pub fn machine_key(&self) -> Option<&str> {
        self.machine_key.as_ref().map(|element| element.as_str())
    }

    /// Files that the new configuration names, beside it, with their content: bindings of WCF, and certificates that the old
    /// file holds. There are no secrets in them.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, content)| (name.as_str(), content.as_str()))
    }

    /// What became of each setting.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// Reads the sections of WIF 4.5.
fn read_wif(sections: &Sections<'_>, asked: Option<&str>, draft: &mut Draft) {
    let federation = services::select(sections.services, asked, draft);
    let identity = identity::select(sections.identity_model, federation, draft);
    if let Some(identity) = identity {
        identity::read(identity, draft, |child, draft| draft.unknown_element(child));
    }
    // Where the cookie's settings go depends on what protects it.
    protection::carry(sections.machine_key, Version::Wif45, draft);
    services::read(federation, draft);
    if let Some(older) = sections.wif35 {
        draft.unsupported(older, BESIDE);
    }
    draft.add_defaults(Version::Wif45);
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine_key = self.machine_key.as_ref().map(|_| "(secret)");
        f.debug_struct("Import").field("toml", &self.toml).field("machine_key", &machine_key).finish_non_exhaustive()
    }
}

fn problems(problems: &[Problem]) -> String {
    let lines = problems.iter().map(|problem| match problem.line {
        Some(line) => format!("line {line}: {}", problem.message),
        None => problem.message.clone(),
    });
    lines.collect::<Vec<_>>().join("\n")
}
