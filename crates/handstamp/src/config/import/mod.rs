//! `web.config` to `handstamp.toml`: the settings of Windows Identity Foundation, each carried over or listed with the
//! reason why not.
//!
//! Read are `<system.identityModel>`, `<system.identityModel.services>` and `<machineKey>`. Defaults of the original that
//! differ from ours are written out, so that the result means what the old file meant. What is written is given to the
//! loader before it is returned: it is a configuration that [`Config::parse`] accepts. (docs/spec/session-management.md §6,
//! SM-44, SM-45.)

mod draft;
mod identity;
mod report;
mod services;
mod settings;

use std::collections::BTreeMap;
use std::path::Path;

use handstamp_xml::{Document, Element, ParseOptions};

use super::Config;
use draft::Draft;
pub use report::{Entry, Outcome, Report};
use settings::{attribute, line, named, settings};

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
#[derive(Debug, Clone)]
pub struct Import {
    toml: String,
    report: Report,
}

impl Import {
    /// Reads the text of a `web.config`.
    ///
    /// # Errors
    /// What is not XML, has a document type declaration, or breaks the original's own rules. Every wrong setting is
    /// listed, not only the first.
    pub fn read(text: impl Into<Vec<u8>>) -> Result<Self, ImportError> {
        let document = Document::parse(text, &ParseOptions::default().allow_processing_instructions())?;
        let mut draft = Draft::default();
        let sections = Sections::find(document.root(), &mut draft);
        if sections.identity_model.is_none() && sections.services.is_none() {
            let message = "there is no <system.identityModel> and no <system.identityModel.services> directly below \
                           <configuration>: give the web.config of the application that uses WIF";
            draft.problem(None, message);
            return Err(ImportError::Settings(draft.problems));
        }
        let federation = services::select(sections.services, &mut draft);
        let wanted = federation.and_then(|federation| attribute(federation, "identityConfigurationName"));
        let identity = identity::select(sections.identity_model, wanted, federation, &mut draft);
        services::read(federation, &mut draft);
        identity::read(identity, &mut draft);
        if let Some(machine_key) = sections.machine_key {
            read_machine_key(machine_key, &mut draft);
        }
        draft.add_defaults();
        if !draft.problems.is_empty() {
            return Err(ImportError::Settings(draft.problems));
        }
        let toml = draft.to_toml();
        if let Err(findings) = Config::parse(&toml, Path::new("handstamp.toml")) {
            let problems = findings.iter().map(|finding| draft.explain(finding)).collect();
            return Err(ImportError::Settings(problems));
        }
        draft.report.sort();
        Ok(Self { toml, report: draft.report })
    }

    /// The new configuration; the loader accepts it.
    pub fn toml(&self) -> &str {
        &self.toml
    }

    /// What became of each setting.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

fn problems(problems: &[Problem]) -> String {
    let lines = problems.iter().map(|problem| match problem.line {
        Some(line) => format!("line {line}: {}", problem.message),
        None => problem.message.clone(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The sections that matter.
#[derive(Default)]
struct Sections<'d> {
    identity_model: Option<Element<'d>>,
    services: Option<Element<'d>>,
    machine_key: Option<Element<'d>>,
}

impl<'d> Sections<'d> {
    fn find(root: Element<'d>, draft: &mut Draft) -> Self {
        let mut sections = Self::default();
        if !named(root, "configuration") {
            draft.problem(Some(line(root)), "the root element must be <configuration>");
            return sections;
        }
        let mut others = BTreeMap::new();
        for child in root.children() {
            let place = match child.local_name() {
                "system.identityModel" => &mut sections.identity_model,
                "system.identityModel.services" => &mut sections.services,
                "system.web" => {
                    for child in child.children() {
                        if named(child, "machineKey") {
                            once(&mut sections.machine_key, child, draft);
                        } else {
                            *others.entry(format!("system.web/{}", child.local_name())).or_insert(0) += 1;
                        }
                    }
                    continue;
                }
                "location" => {
                    report_location(child, draft);
                    continue;
                }
                "microsoft.identityModel" => {
                    let why = "is the section of WIF 3.5: translate it to <system.identityModel> first";
                    draft.unsupported(child, why);
                    continue;
                }
                other => {
                    *others.entry(other.to_owned()).or_insert(0) += 1;
                    continue;
                }
            };
            once(place, child, draft);
        }
        draft.report.other_sections = others;
        sections
    }
}

/// Takes a section that may stand once; one that is kept in another file or encrypted has nothing to read.
fn once<'d>(place: &mut Option<Element<'d>>, section: Element<'d>, draft: &mut Draft) {
    if place.is_some() {
        draft.problem(Some(line(section)), format!("<{}> stands here a second time", section.local_name()));
        return;
    }
    *place = Some(section);
    if attribute(section, "configSource").is_some() {
        draft.unsupported(section, "is kept in the file configSource names: put its content here and import again");
    } else if attribute(section, "configProtectionProvider").is_some() {
        draft
            .unsupported(section, "is encrypted: decrypt it with `aspnet_regiis -pdf` on its machine and import again");
    }
}

fn report_location(location: Element<'_>, draft: &mut Draft) {
    const OURS: [&str; 3] = ["system.identityModel", "system.identityModel.services", "machineKey"];
    let found: Vec<Element<'_>> =
        location.descendants().filter(|element| OURS.contains(&element.local_name())).collect();
    if found.is_empty() {
        *draft.report.other_sections.entry("location".to_owned()).or_insert(0) += 1;
    }
    for element in found {
        draft.unsupported(
            element,
            "stands in a <location>: settings for a part of the site are not imported; import that \
                                    part as a file of its own",
        );
    }
}

fn read_machine_key(machine_key: Element<'_>, draft: &mut Draft) {
    for setting in settings(machine_key) {
        let secret = matches!(setting.name.as_str(), "validationkey" | "decryptionkey");
        let value = if secret { "(not shown)" } else { setting.value.as_str() };
        let automatic = setting.value.trim().to_ascii_lowercase().starts_with("autogenerate");
        let why = match setting.name.as_str() {
            "validationkey" | "decryptionkey" if automatic => {
                "AutoGenerate: the key exists on its machine only. The gateway has a key ring: handstamp keys init"
            }
            "validationkey" | "decryptionkey" | "validation" | "decryption" => {
                "the gateway does not read WIF's cookies; it seals its own with a key ring: handstamp keys init. Users sign \
                 in once more. To read an old cookie: handstamp token decode --machine-key"
            }
            "compatibilitymode" => {
                let why = "has no influence on session cookies";
                draft.report.push(Some(setting.line), &setting.path, value, Outcome::Ignored(why.to_owned()));
                continue;
            }
            "configsource" | "configprotectionprovider" => continue,
            _ => "has no equivalent: the gateway's keys are in its key ring",
        };
        draft.report.push(Some(setting.line), &setting.path, value, Outcome::Unsupported(why.to_owned()));
    }
}
