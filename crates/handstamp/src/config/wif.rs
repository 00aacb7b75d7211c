//! Options of WIF's session cookies.

use std::path::PathBuf;

use super::cookie::NamedCookie;
use super::federation::{Federation, SessionFormat, SessionMode};
use super::findings::{FindingKind, Reader};
use super::schema::{choice, section};
use super::values::PathPrefix;

section! {
    /// Session cookies of Windows Identity Foundation, as .NET Framework applications write and read them. What is not
    /// said here is as in `cookie`.
    pub struct Wif {
        /// Name of the cookie; further pieces add a number.
        cookie_name: String = "FedAuth",
        /// Path of the cookie: that of the .NET application, unless its `cookieHandler` names another.
        cookie_path: PathPrefix = "/",
        /// Domain of the cookie; only the host that set it when absent.
        cookie_domain: Option<String>,
        /// Files that hold a `<machineKey …/>` element of a web.config, its keys spelled out. The first one protects, all
        /// are tried. Either these or `rsa_keys`.
        machine_keys: Vec<PathBuf> = [],
        /// Purposes of the machine key; WIF's own when empty.
        machine_key_purposes: Vec<String> = [],
        /// Files with private RSA keys, PEM: those of the service certificate. The first one signs and encrypts, all are
        /// tried.
        rsa_keys: Vec<PathBuf> = [],
        /// Hash of the RSA signatures.
        rsa_hash: RsaHash = "sha256",
        /// Which of the two RSA transforms comes first when a cookie is written. It leaves no trace in the cookie: both sides
        /// must say the same.
        rsa_order: RsaOrder = "sign-first",
        /// Whether cookies are compressed before they are protected.
        deflate: bool = true,
        /// Scopes (endpoint ids) of sessions that are accepted besides unscoped ones; the first one is written. Sessions are
        /// written unscoped when empty.
        scopes: Vec<String> = [],
        /// Accept and write references as WIF does. They are not authenticated: whoever learns the id of a session has it.
        references: bool = false,
    }
}

choice! {
    /// Hash of RSA signatures.
    pub enum RsaHash {
        /// SHA-256, the default of .NET Framework 4.5.
        Sha256 = "sha256",
        /// SHA-1, for old sites.
        Sha1 = "sha1",
        /// SHA-384.
        Sha384 = "sha384",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

choice! {
    /// The order of the RSA transforms.
    pub enum RsaOrder {
        /// Sign, then encrypt what was signed.
        SignFirst = "sign-first",
        /// Encrypt, then sign what was encrypted: what WIF's documentation gives for farms.
        EncryptFirst = "encrypt-first",
    }
}

impl Federation {
    /// Whether sessions are written or read in a format.
    pub fn uses(&self, format: SessionFormat) -> bool {
        self.session.format == format || self.session.accept.contains(&format)
    }

    /// Reports what does not fit together about the formats of sessions.
    pub(super) fn check_formats(&self, path: &str, reader: &mut Reader) {
        let session = &self.session;
        for (index, format) in session.accept.iter().enumerate() {
            let key = format!("{path}.session.accept[{index}]");
            if *format == session.format {
                reader.report(FindingKind::Conflict, &key, "is the format that is written: name only others");
            } else if session.accept.iter().take(index).any(|other| other == format) {
                reader.report(FindingKind::Conflict, &key, "is there twice");
            }
        }
        let at = |key: &str| format!("{path}.wif.{key}");
        match &self.wif {
            None if self.uses(SessionFormat::Wif) => {
                let message = format!(
                    "is required for sessions in the format \"wif\": add [{path}.wif] with machine_keys or rsa_keys"
                );
                reader.report(FindingKind::Missing, &format!("{path}.wif"), message);
            }
            Some(_) if !self.uses(SessionFormat::Wif) => {
                let message = "means nothing unless session.format or session.accept names \"wif\"";
                reader.report(FindingKind::Conflict, &format!("{path}.wif"), message);
            }
            Some(wif) => {
                wif.check(&at, (format!("{path}.cookie.secure"), self.cookie.secure), reader);
                if wif.cookie_name == self.cookie.name && self.uses(SessionFormat::Native) {
                    let message = "is also the name of the native format's cookie: choose another cookie.name";
                    reader.report(FindingKind::Conflict, &at("cookie_name"), message);
                }
                let writes_references =
                    session.format == SessionFormat::Wif && session.mode != SessionMode::SelfContained;
                if writes_references && !wif.references {
                    let message = "must be true for session.mode = \"reference\" or \"automatic\" in the format \"wif\"; the native format \
                                   authenticates its references";
                    reader.report(FindingKind::Conflict, &at("references"), message);
                }
            }
            None => {}
        }
    }
}

impl Wif {
    fn check(&self, at: &dyn Fn(&str) -> String, secure: (String, bool), reader: &mut Reader) {
        match (self.machine_keys.is_empty(), self.rsa_keys.is_empty()) {
            (true, true) => {
                let message = "is empty, and so is rsa_keys: name the file of a <machineKey> element. Without one, WIF protects \
                               cookies by DPAPI, which exists on Windows only: set MachineKeySessionSecurityTokenHandler there";
                reader.report(FindingKind::Missing, &at("machine_keys"), message);
            }
            (false, false) => {
                let message = "cannot be combined with machine_keys: a cookie is protected by one of them";
                reader.report(FindingKind::Conflict, &at("rsa_keys"), message);
            }
            _ => {}
        }
        let cookie = NamedCookie {
            name: (at("cookie_name"), &self.cookie_name),
            path: Some((at("cookie_path"), &self.cookie_path)),
            domain: self.cookie_domain.as_deref().map(|domain| (at("cookie_domain"), domain)),
            secure,
        };
        cookie.check(reader);
        for (key, texts) in [("machine_key_purposes", &self.machine_key_purposes), ("scopes", &self.scopes)] {
            for (index, text) in texts.iter().enumerate() {
                if text.trim().is_empty() {
                    reader.report(FindingKind::Value, &at(&format!("{key}[{index}]")), "must not be empty");
                }
            }
        }
    }
}
