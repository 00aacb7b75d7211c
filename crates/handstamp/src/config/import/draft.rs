//! The new configuration while it is being made: each key with the line it comes from.

use std::collections::BTreeMap;
use std::fmt::Write;

use handstamp_xml::Element;

use super::Problem;
use super::protection::{CookieProtection, CookieTable, MACHINE_KEY_FILE};
use super::report::{Outcome, Report, one_line};
use super::settings::{LOCKS, Setting, attribute, line};
use crate::config::Finding;

/// The new tables, in the order in which they are written.
const TABLES: [&str; 6] = [
    "issuer.sts",
    "federation.app",
    "federation.app.challenge",
    "federation.app.session",
    "federation.app.cookie",
    "federation.app.wif",
];

/// The original's defaults where leaving a key out would mean something else, or where a reader should see the value.
const DEFAULTS: [(&str, &str, &str); 8] = [
    ("identityConfiguration/@maximumClockSkew", "federation.app.clock_skew", "\"5m\""),
    ("tokenReplayDetection/@enabled", "federation.app.detect_replay", "false"),
    ("wsFederation/@requireHttps", "federation.app.require_https", "true"),
    ("wsFederation/@passiveRedirectEnabled", "federation.app.challenge.mode", "\"auto\""),
    ("sessionTokenRequirement/@lifetime", "federation.app.session.absolute_timeout", "\"10h\""),
    ("cookieHandler/@name", "federation.app.cookie.name", "\"FedAuth\""),
    ("cookieHandler/@requireSsl", "federation.app.cookie.secure", "true"),
    ("chunkedCookieHandler/@chunkSize", "federation.app.cookie.chunk_size", "2000"),
];

/// The session handler of the old configuration.
#[derive(Debug, Clone)]
pub(super) struct SessionHandler {
    /// Its line; none when it is WIF's default.
    pub(super) line: Option<usize>,
    pub(super) setting: String,
    pub(super) value: String,
}

impl SessionHandler {
    pub(super) fn of(handler: Element<'_>) -> Self {
        let value = attribute(handler, "type").unwrap_or("").to_owned();
        Self { line: Some(line(handler)), setting: "securityTokenHandlers/add".to_owned(), value }
    }
}

impl Default for SessionHandler {
    fn default() -> Self {
        let value = "SessionSecurityTokenHandler".to_owned();
        Self { line: None, setting: "securityTokenHandlers/add".to_owned(), value }
    }
}

/// The two products that have such sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// `<microsoft.identityModel>`.
    Wif35,
    /// `<system.identityModel>`, of .NET Framework 4.5.
    Wif45,
}

#[derive(Debug, Clone)]
struct Assignment {
    literal: String,
    line: Option<usize>,
    /// What a reader should know where there is no line.
    note: &'static str,
}

const DEFAULT: &str = "WIF's default";

#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) report: Report,
    pub(super) problems: Vec<Problem>,
    /// Why the relying party cannot be complete; it is then written as a comment.
    pub(super) missing: Vec<String>,
    /// What protected the old cookies.
    pub(super) protection: CookieProtection,
    /// The old cookies are not compressed.
    pub(super) uncompressed: bool,
    /// What says so.
    pub(super) session_handler: SessionHandler,
    /// Where the cookie's name, path and domain go.
    pub(super) cookie_table: CookieTable,
    /// The `<machineKey>` element, when the new configuration needs it as a file.
    pub(super) machine_key: Option<String>,
    /// Whether there is a relying party.
    pub(super) federated: bool,
    /// The tables of the issuers that a registry of the file trusts.
    pub(super) issuers: Vec<String>,
    /// The names of the SOAP routes, in the order of the file.
    pub(super) soap: Vec<String>,
    /// The listeners of those.
    pub(super) soap_listeners: Vec<&'static str>,
    /// The routes among them whose clients show tokens of a token service.
    pub(super) token_routes: Vec<String>,
    /// The token service that a binding names.
    pub(super) token_service: Option<String>,
    /// Files that the configuration names, and that can be written.
    pub(super) files: Vec<(String, String)>,
    keys: BTreeMap<String, Assignment>,
}

impl Draft {
    pub(super) fn problem(&mut self, line: Option<usize>, message: impl Into<String>) {
        self.problems.push(Problem { line, message: one_line(&message.into()) });
    }

    /// Writes `key` and says so. `literal` is TOML.
    pub(super) fn carry(&mut self, setting: &Setting, key: &str, literal: impl Into<String>) {
        self.set(key, literal, setting.line);
        self.report.push(Some(setting.line), &setting.path, &setting.value, Outcome::Carried(key.to_owned()));
    }

    /// Writes `key` when the value could be read; otherwise it is a problem of its line.
    pub(super) fn carry_checked(&mut self, setting: &Setting, key: &str, literal: Result<String, String>) {
        match literal {
            Ok(literal) => self.carry(setting, key, literal),
            Err(why) => self.wrong(setting, &why),
        }
    }

    /// Nothing came of the file: what could not be carried over is then what stands in the way.
    pub(super) fn nothing_is_left(&mut self, summary: &str) {
        let unsupported = self.report.unsupported().map(|entry| {
            let why = match &entry.outcome {
                Outcome::Unsupported(why) => why.as_str(),
                _ => "",
            };
            let what = format!("{} {}", entry.setting, entry.value);
            Problem { line: entry.line, message: format!("{}: {why}", what.trim_end()) }
        });
        self.problems = unsupported.collect();
        self.problem(None, summary);
    }

    pub(super) fn wrong(&mut self, setting: &Setting, why: &str) {
        let value: String = setting.value.chars().take(80).collect();
        self.problem(Some(setting.line), format!("{}: {value:?} {why}", setting.path));
    }

    pub(super) fn ignore(&mut self, setting: &Setting, why: &str) {
        self.report.push(Some(setting.line), &setting.path, &setting.value, Outcome::Ignored(why.to_owned()));
    }

    pub(super) fn refuse(&mut self, setting: &Setting, why: &str) {
        self.report.push(Some(setting.line), &setting.path, &setting.value, Outcome::Unsupported(why.to_owned()));
    }

    /// A setting that WIF does not know.
    pub(super) fn unknown(&mut self, setting: &Setting) {
        if LOCKS.contains(&setting.name.as_str()) {
            self.ignore(setting, "keeps files further down from changing a setting; there are none here");
        } else {
            self.refuse(setting, "is not a setting of this element: is it a slip?");
        }
    }

    /// An element that WIF does not know.
    pub(super) fn unknown_element(&mut self, element: Element<'_>) {
        self.unsupported(element, "is not an element of this section: is it a slip?");
    }

    /// Refuses elements that may stand once, as .NET does.
    pub(super) fn refuse_repeated(&mut self, parent: Element<'_>, names: &[&str]) {
        for name in names {
            let mut same = parent.children().filter(|child| child.local_name() == *name);
            if let Some(first) = same.next() {
                for again in same {
                    let message = format!("<{name}> stands here a second time; the first is in line {}", line(first));
                    self.problem(Some(line(again)), message);
                }
            }
        }
    }

    /// A whole element that is not carried over; its type or name is its value.
    pub(super) fn unsupported(&mut self, element: Element<'_>, why: &str) {
        self.element(element, Outcome::Unsupported(why.to_owned()));
    }

    pub(super) fn element(&mut self, element: Element<'_>, outcome: Outcome) {
        let value = ["type", "name", "value"].iter().find_map(|name| attribute(element, name)).unwrap_or("");
        let setting = match element.parent() {
            Some(parent) => format!("{}/{}", parent.local_name(), element.local_name()),
            None => element.local_name().to_owned(),
        };
        self.report.push(Some(line(element)), &setting, value, outcome);
    }

    /// Writes `key` without a line in the report. What was carried over to it before holds no longer, and the report says so.
    pub(super) fn set(&mut self, key: &str, literal: impl Into<String>, line: usize) {
        for entry in &mut self.report.entries {
            if matches!(&entry.outcome, Outcome::Carried(carried) if carried.split(", ").any(|carried| carried == key))
            {
                entry.outcome = Outcome::Ignored(format!("line {line} holds instead"));
            }
        }
        self.keys.insert(key.to_owned(), Assignment { literal: literal.into(), line: Some(line), note: "" });
    }

    /// Writes `key`, of which the old file says nothing; the note stands behind it.
    pub(super) fn add(&mut self, key: &str, literal: impl Into<String>, note: &'static str) {
        self.keys.insert(key.to_owned(), Assignment { literal: literal.into(), line: None, note });
    }

    /// Adds a value to the list that `key` is.
    pub(super) fn extend(&mut self, key: &str, value: &str, line: usize) {
        match self.keys.get_mut(key) {
            Some(Assignment { literal, .. }) if literal.contains(&quote(value)) => {}
            Some(Assignment { literal, .. }) => {
                *literal = format!("{}, {}]", literal.trim_end_matches(']'), quote(value));
            }
            None => self.set(key, quote_list(&[value.to_owned()]), line),
        }
    }

    /// What a person has to do, once.
    pub(super) fn step(&mut self, step: impl Into<String>) {
        let step = one_line(&step.into());
        if !self.report.steps.contains(&step) {
            self.report.steps.push(step);
        }
    }

    /// Takes back what an earlier setting wrote to `key`.
    pub(super) fn unset(&mut self, key: &str, line: usize) {
        if self.keys.contains_key(key) {
            self.set(key, "", line);
            self.keys.remove(key);
        }
    }

    /// Writes what `from` says to `key`, too.
    pub(super) fn repeat(&mut self, from: &str, key: &str) {
        if let Some(assignment) = self.keys.get(from).cloned() {
            self.keys.insert(key.to_owned(), assignment);
        }
    }

    /// Writes what `from` says to `key` instead.
    pub(super) fn rename(&mut self, from: &str, key: &str) {
        self.repeat(from, key);
        self.keys.remove(from);
        for entry in &mut self.report.entries {
            if matches!(&entry.outcome, Outcome::Carried(carried) if carried == from) {
                entry.outcome = Outcome::Carried(key.to_owned());
            }
        }
    }

    pub(super) fn literal(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(|assignment| assignment.literal.as_str())
    }

    /// Writes what the file does not say where WIF's default is not ours, or should be seen.
    pub(super) fn add_defaults(&mut self, version: Version) {
        for (setting, key, literal) in DEFAULTS {
            let literal = match (version, key) {
                (Version::Wif35, "federation.app.cookie.secure") => "false",
                _ => literal,
            };
            let key = match key {
                "federation.app.cookie.name" => self.cookie_table.key("name"),
                key => key.to_owned(),
            };
            if !self.keys.contains_key(&key) {
                self.keys.insert(key.clone(), Assignment { literal: literal.to_owned(), line: None, note: DEFAULT });
                self.report.push(None, setting, literal.trim_matches('"'), Outcome::Carried(key));
            }
        }
        if self.literal(&self.cookie_table.key("path")).is_none() {
            let (setting, value) = ("cookieHandler/@path", "(the path of the application in IIS)");
            let outcome = match self.cookie_table {
                CookieTable::Own => Outcome::Ignored("here \"/\"".to_owned()),
                CookieTable::Wif => Outcome::Unsupported(
                    "a web.config does not say it: unless the application is at the root of its site, set \
                     federation.app.wif.cookie_path, or there are two cookies of one name"
                        .to_owned(),
                ),
            };
            self.report.push(None, setting, value, outcome);
        }
        if self.literal("federation.app.audiences").is_none() {
            let why = "WIF refuses every token then (ID1032); here the realm is the audience";
            self.report.push(None, "audienceUris", "none", Outcome::Ignored(why.to_owned()));
        }
        let insecure = self.literal("federation.app.cookie.secure") == Some("false");
        if insecure && self.cookie_table == CookieTable::Wif {
            // The native cookie's default name demands https.
            let name = Assignment { literal: "\"handstamp-session\"".to_owned(), line: None, note: DEFAULT };
            self.keys.insert("federation.app.cookie.name".to_owned(), name);
        }
        if self.literal("issuer.sts.thumbprints").is_none() {
            let why = "no thumbprint of the issuer's signing certificate was found in an issuerNameRegistry";
            self.missing.push(format!("{why}: set issuer.sts.certificates"));
        }
    }

    pub(super) fn to_toml(&self) -> String {
        let mut text =
            String::from("# Made from a web.config by `handstamp config import`. Before `handstamp serve`:\n");
        let web = if self.federated { ", and a [web.NAME] table as below" } else { "" };
        let ends_sessions = self.has_mode("terminate");
        let first = match (self.federated || ends_sessions, self.report.steps.is_empty()) {
            (true, _) => format!("#   handstamp keys init --config FILE{web}.\n"),
            (false, true) => "#   nothing.\n".to_owned(),
            (false, false) => "#   what is written below.\n".to_owned(),
        };
        text.push_str(&first);
        if self.federated || self.soap_listeners.contains(&"public") {
            text.push_str("\n[listener.public]\naddress = \"127.0.0.1:8080\"\n");
            if self.federated && self.literal("federation.app.cookie.secure") != Some("false") {
                text.push_str(
                    "# trusted_proxies = [\"127.0.0.1\"]  # what ends TLS in front; if nothing does, add [listener.public.tls]\n",
                );
            }
        }
        if self.soap_listeners.contains(&"tls") {
            text.push_str("\n# For clients that come over TLS.\n[listener.tls]\naddress = \"127.0.0.1:8443\"\n");
        }
        if self.soap_listeners.contains(&"local") {
            text.push_str("\n# For programs of this machine: whoever reaches it acts as the routes say.\n");
            text.push_str("[listener.local]\naddress = \"127.0.0.1:8090\"\n");
        }
        if self.machine_key.is_some() {
            let _ = write!(
                text,
                "\n# Put the <machineKey> element into {MACHINE_KEY_FILE} beside this file, readable by its owner only\n\
                 # (`config import --output` has done it).\n"
            );
        }
        for step in &self.report.steps {
            let _ = writeln!(text, "\n# Before `handstamp serve`: {step}.");
        }
        if self.cookie_table == CookieTable::Wif {
            text.push_str(
                "\n# Sessions are written as WIF writes them, so that the old site and the gateway share them. When the last page\n\
                 # has moved: session.format = \"native\" and session.accept = [\"wif\"]; nobody signs in again. After the longest\n\
                 # session remove accept and the table wif.\n",
            );
        }
        for why in &self.missing {
            let _ = write!(text, "\n# INCOMPLETE: {}", one_line(why));
        }
        let comment = if self.missing.is_empty() { "" } else { "# " };
        if !comment.is_empty() {
            text.push_str("\n# The tables below are comments until that is settled.\n");
        }
        for table in TABLES {
            self.write_table(table, comment, &mut text);
            if table == "issuer.sts" {
                let others = self.issuers.iter().skip(1);
                others.for_each(|issuer| self.write_table(&format!("issuer.{issuer}"), comment, &mut text));
            }
        }
        if self.federated {
            text.push_str(
                "\n# A web.config does not say where the application listens. Name it here:\n\
                 # [web.app]\n# upstream = \"http://127.0.0.1:3000\"\n# sign_in = \"required\"\n",
            );
        }
        for name in &self.soap {
            // Whom such a route believes is among the comments then.
            let comment = if self.token_routes.contains(name) { comment } else { "" };
            self.write_table(&format!("soap.{name}"), comment, &mut text);
        }
        text
    }

    fn has_mode(&self, mode: &str) -> bool {
        let is_it = |name: &String| self.literal(&format!("soap.{name}.mode")) == Some(&quote(mode));
        self.soap.iter().any(is_it)
    }

    fn write_table(&self, table: &str, comment: &str, text: &mut String) {
        let prefix = format!("{table}.");
        let keys: Vec<_> = self
            .keys
            .iter()
            .filter_map(|(key, value)| key.strip_prefix(&prefix).map(|key| (key, value)))
            .filter(|(key, _)| !key.contains('.'))
            .collect();
        if keys.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n{comment}[{table}]");
        for (key, assignment) in keys {
            let Assignment { literal, line, note } = assignment;
            let origin = line.map_or_else(|| (*note).to_owned(), |line| format!("line {line}"));
            let mark = if origin.is_empty() { "" } else { "  # " };
            let _ = writeln!(text, "{comment}{key} = {literal}{mark}{origin}");
        }
    }

    /// A finding of the loader, with the line of the old file that caused it.
    pub(super) fn explain(&self, finding: &Finding) -> Problem {
        let key = finding.key();
        let line = self
            .keys
            .iter()
            .find(|(name, _)| {
                key.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
            })
            .and_then(|(_, assignment)| assignment.line);
        Problem { line, message: format!("{key} {}", finding.message()) }
    }
}

/// Text as TOML writes it. Its basic strings have JSON's escapes, and no raw U+007F.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A list of texts as TOML writes it.
pub(super) fn quote_list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", "))
}
