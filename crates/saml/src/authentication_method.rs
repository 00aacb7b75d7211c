//! Names of authentication methods: the URIs of each version of SAML and those of claims.

use crate::Version;
use handstamp_claims::{ArcStr, authentication_methods as claim};

/// The value of an authentication method claim for a URI of SAML; a URI that is not known passes through.
pub(crate) fn to_claim(version: Version, uri: &str) -> ArcStr {
    let found = TABLE.iter().find(|row| row.in_version(version) == Some(uri));
    found.map_or_else(|| uri.into(), |row| row.claim.clone())
}

/// The URI of SAML for the value of an authentication method claim; one that is not known passes through.
pub(crate) fn from_claim(version: Version, value: &str) -> String {
    let found = TABLE.iter().find(|row| row.claim == value).and_then(|row| row.in_version(version));
    found.unwrap_or(value).to_owned()
}

struct Row {
    claim: ArcStr,
    saml11: Option<&'static str>,
    saml20: Option<&'static str>,
}

impl Row {
    fn in_version(&self, version: Version) -> Option<&'static str> {
        match version {
            Version::Saml11 => self.saml11,
            Version::Saml20 => self.saml20,
        }
    }
}

macro_rules! row {
    ($claim:ident, $saml11:expr, $saml20:expr) => {
        Row { claim: claim::$claim, saml11: $saml11, saml20: $saml20 }
    };
}

const WINDOWS: &str = "urn:federation:authentication:windows";

static TABLE: [Row; 14] = [
    row!(
        PASSWORD,
        Some("urn:oasis:names:tc:SAML:1.0:am:password"),
        Some("urn:oasis:names:tc:SAML:2.0:ac:classes:Password")
    ),
    row!(WINDOWS, Some(WINDOWS), Some(WINDOWS)),
    row!(KERBEROS, Some("urn:ietf:rfc:1510"), Some("urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos")),
    row!(TLS_CLIENT, Some("urn:ietf:rfc:2246"), Some("urn:oasis:names:tc:SAML:2.0:ac:classes:TLSClient")),
    row!(X509, Some("urn:oasis:names:tc:SAML:1.0:am:X509-PKI"), Some("urn:oasis:names:tc:SAML:2.0:ac:classes:X509")),
    row!(
        UNSPECIFIED,
        Some("urn:oasis:names:tc:SAML:1.0:am:unspecified"),
        Some("urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified")
    ),
    row!(HARDWARE_TOKEN, Some("urn:oasis:names:tc:SAML:1.0:am:HardwareToken"), None),
    row!(PGP, Some("urn:oasis:names:tc:SAML:1.0:am:PGP"), Some("urn:oasis:names:tc:SAML:2.0:ac:classes:PGP")),
    row!(
        SECURE_REMOTE_PASSWORD,
        Some("urn:ietf:rfc:2945"),
        Some("urn:oasis:names:tc:SAML:2.0:ac:classes:SecureRemotePassword")
    ),
    row!(SIGNATURE, Some("urn:ietf:rfc:3075"), Some("urn:oasis:names:tc:SAML:2.0:ac:classes:XMLDSig")),
    row!(SMARTCARD, None, Some("urn:oasis:names:tc:SAML:2.0:ac:classes:Smartcard")),
    row!(SMARTCARD_PKI, None, Some("urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI")),
    row!(SPKI, Some("urn:oasis:names:tc:SAML:1.0:am:SPKI"), Some("urn:oasis:names:tc:SAML:2.0:ac:classes:SPKI")),
    row!(XKMS, Some("urn:oasis:names:tc:SAML:1.0:am:XKMS"), None),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm_29_methods_map_both_ways() {
        for row in &TABLE {
            for version in [Version::Saml11, Version::Saml20] {
                let uri = from_claim(version, &row.claim);
                assert_eq!(to_claim(version, &uri), row.claim);
                assert_eq!(uri == row.claim.as_str(), row.in_version(version).is_none());
            }
        }
        let own = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
        assert_eq!(to_claim(Version::Saml20, own), own);
        assert_eq!(from_claim(Version::Saml20, own), own);
        let foreign = "urn:oasis:names:tc:SAML:1.0:am:password";
        assert_eq!(to_claim(Version::Saml20, foreign), foreign, "each version has its own vocabulary");
    }
}
