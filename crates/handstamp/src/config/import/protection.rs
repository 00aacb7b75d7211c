//! What protected the old cookies, and whether the gateway can go on with it.

use handstamp_xml::Element;

use super::draft::{Draft, Version};
use super::machine_key::{self, Use};

/// What protects WIF's cookies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum CookieProtection {
    /// DPAPI: the default, which no other machine can read.
    #[default]
    DataProtection,
    /// The machine key of the web.config.
    MachineKey,
    /// RSA signature and encryption.
    Rsa {
        /// Whether the signature covers what was encrypted.
        signature_last: bool,
    },
    /// Code that nobody knows here.
    Unknown,
}

const OWN_COOKIE: &str =
    "the gateway writes its own cookie, sealed with its key ring, and does not read WIF's: users sign in once more";

/// Lists a session handler.
pub(super) fn read_handler(handler: Element<'_>, draft: &mut Draft) {
    let why = match draft.protection {
        CookieProtection::DataProtection => {
            format!("protects cookies with DPAPI, whose keys never leave Windows; {OWN_COOKIE}")
        }
        CookieProtection::MachineKey => {
            format!("{OWN_COOKIE}. `handstamp token decode --machine-key` reads the old ones")
        }
        CookieProtection::Rsa { signature_last } => {
            let order = if signature_last { "rsa-encrypt,rsa-sign" } else { "rsa-sign,rsa-encrypt" };
            format!("{OWN_COOKIE}. `handstamp token decode --transforms deflate,{order} --rsa-key` reads the old ones")
        }
        CookieProtection::Unknown => format!("names code of yours, which cannot run here; {OWN_COOKIE}"),
    };
    draft.unsupported(handler, &why);
}

/// Says what becomes of the cookies, once everything is read.
pub(super) fn carry(machine_key: Option<Element<'_>>, _version: Version, draft: &mut Draft) {
    if let Some(element) = machine_key {
        machine_key::read(
            element,
            &Use::Nothing("the gateway's keys are in its key ring: handstamp keys init"),
            "",
            draft,
        );
    }
}
