//! What protected the old cookies, and how the gateway goes on with it.
//!
//! Cookies behind explicit machine keys or an RSA certificate are carried over: the gateway reads and writes them as the old
//! site does, so that both can run side by side.

use handstamp_session_token::wif::transforms::MachineKey;
use handstamp_xml::Element;

use super::draft::{Draft, Version, quote_list};
use super::machine_key::{self, Use};
use super::report::Outcome;
use super::settings::{attribute, line};
use crate::config::RsaOrder;

/// The file that the new configuration names for the machine key.
pub(super) const MACHINE_KEY_FILE: &str = "machine-key.xml";
/// The file that the new configuration names for the private key of the service certificate.
pub(super) const RSA_KEY_FILE: &str = "service-certificate.pem";

/// What protects WIF's cookies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum CookieProtection {
    /// DPAPI: the default, which no other machine can read.
    #[default]
    DataProtection,
    /// The machine key of the web.config.
    MachineKey,
    /// RSA signature and encryption.
    Rsa(RsaOrder),
    /// Code that nobody knows here.
    Unknown,
}

/// Where the settings of the cookie go that both sides have to agree on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum CookieTable {
    /// `federation.app.cookie`: nobody else reads the cookie.
    #[default]
    Own,
    /// `federation.app.wif`.
    Wif,
}

impl CookieTable {
    /// The key for `name`, `path` or `domain`.
    pub(super) fn key(self, name: &str) -> String {
        match self {
            Self::Own => format!("federation.app.cookie.{name}"),
            Self::Wif => format!("federation.app.wif.cookie_{name}"),
        }
    }
}

const OWN_COOKIE: &str = "the gateway writes its own cookie, sealed with its key ring, and users sign in once more";

/// Decides what becomes of the cookies, once the handlers are read.
pub(super) fn carry(machine_key: Option<Element<'_>>, version: Version, draft: &mut Draft) {
    let handler = draft.session_handler.clone();
    let said = |why: &str| format!("{why}; {OWN_COOKIE}");
    let mut keys = Use::Nothing("does not protect the cookies; the gateway's own keys are in its key ring");
    let outcome = match (version, draft.protection) {
        (Version::Wif35, _) => Outcome::Unsupported(said(
            "WIF 3.5 writes cookies that only WIF 3.5 reads: choose another cookie.name while the old site runs",
        )),
        (_, CookieProtection::DataProtection) => Outcome::Unsupported(said(
            "protects cookies with DPAPI, whose keys never leave Windows. To share sessions, set up \
             MachineKeySessionSecurityTokenHandler with explicit keys there and import again",
        )),
        (_, CookieProtection::MachineKey) => match usable(machine_key) {
            Ok(element) => {
                keys = Use::Cookies;
                let files = quote_list(&[MACHINE_KEY_FILE.to_owned()]);
                draft.set("federation.app.wif.machine_keys", files, line(element));
                draft.machine_key = Some(element.source().to_owned());
                share(handler.line, draft)
            }
            Err(why) => Outcome::Unsupported(said(&why)),
        },
        (_, CookieProtection::Rsa(order)) => {
            let files = quote_list(&[RSA_KEY_FILE.to_owned()]);
            let at = handler.line.unwrap_or_default();
            draft.set("federation.app.wif.rsa_keys", files, at);
            if order == RsaOrder::EncryptFirst {
                draft.set("federation.app.wif.rsa_order", "\"encrypt-first\"", at);
            }
            draft.step(format!(
                "export the service certificate with its private key, and put the key as PEM into {RSA_KEY_FILE}, readable \
                 by its owner only"
            ));
            share(handler.line, draft)
        }
        (_, CookieProtection::Unknown) => Outcome::Unsupported(said(
            "names code of yours, which cannot run here. If it does no more than set RSA transforms, add [federation.app.wif] \
             with rsa_keys, and session.format = \"wif\"",
        )),
    };
    draft.report.push(handler.line, &handler.setting, &handler.value, outcome);
    if let Some(element) = machine_key {
        machine_key::read(element, &keys, "federation.app.wif.machine_keys", draft);
    }
}

/// Both sides write and read the same cookie, until the last page has moved.
fn share(line: Option<usize>, draft: &mut Draft) -> Outcome {
    draft.set("federation.app.session.format", "\"wif\"", line.unwrap_or_default());
    if draft.uncompressed {
        draft.set("federation.app.wif.deflate", "false", line.unwrap_or_default());
    }
    draft.cookie_table = CookieTable::Wif;
    Outcome::Carried("federation.app.session.format".to_owned())
}

/// The machine key, when its keys are spelled out.
fn usable(machine_key: Option<Element<'_>>) -> Result<Element<'_>, String> {
    let element = machine_key.ok_or_else(|| {
        "protects cookies with the machine key, which is not in this file: copy the <machineKey> of the machine.config, or of \
         the site above, into it and import again"
            .to_owned()
    })?;
    if attribute(element, "configSource").is_some() || attribute(element, "configProtectionProvider").is_some() {
        return Err("protects cookies with the machine key, which is not readable here".to_owned());
    }
    match MachineKey::from_xml(element.source()) {
        Ok(_) => Ok(element),
        Err(why) => Err(format!("protects cookies with the machine key of line {}, but: {why}", line(element))),
    }
}
