//! The words of the payload, which never travel (ST §2.2).

use handstamp_xml::binary::{Name, StaticDictionary};

/// Element and attribute names of the payload: string number `n` is `2 * n` on the wire.
///
/// Table, order and spelling are frozen (ST-10).
pub static SESSION_DICTIONARY: StaticDictionary = StaticDictionary::new(STRINGS);

macro_rules! names {
    ($($name:ident = $index:literal,)*) => {
        $(pub(super) const $name: Name<'static> = Name::Static($index);)*
    };
}

names! {
    CLAIM = 0,
    SECURITY_CONTEXT_TOKEN = 1,
    VERSION = 2,
    SECURE_CONVERSATION_VERSION = 3,
    ISSUER = 4,
    ORIGINAL_ISSUER = 5,
    CLAIM_COLLECTION = 7,
    ACTOR = 8,
    CLAIM_PROPERTY = 9,
    CLAIM_PROPERTIES = 10,
    VALUE = 11,
    VALUE_TYPE = 12,
    LABEL = 13,
    TYPE = 14,
    CLAIM_PROPERTY_NAME = 16,
    CLAIM_PROPERTY_VALUE = 17,
    AUTHENTICATION_TYPE = 18,
    NAME_CLAIM_TYPE = 19,
    ROLE_CLAIM_TYPE = 20,
    KEY = 23,
    EFFECTIVE_TIME = 24,
    EXPIRY_TIME = 25,
    KEY_GENERATION = 26,
    KEY_EFFECTIVE_TIME = 27,
    KEY_EXPIRY_TIME = 28,
    ID = 30,
    CONTEXT_ID = 33,
    SESSION_TOKEN = 34,
    BOOTSTRAP_TOKEN = 36,
    CONTEXT = 37,
    CLAIMS_PRINCIPAL = 38,
    IDENTITY = 41,
    IDENTITIES = 42,
    WINDOWS_LOGON_NAME = 43,
    PERSISTENT_TRUE = 44,
    SCT_AUTHORIZATION_POLICY = 45,
    ENDPOINT_ID = 47,
    REFERENCE_MODE_TRUE = 62,
}

const STRINGS: &[&str] = &[
    "Claim",
    "SecurityContextToken",
    "Version",
    "SecureConversationVersion",
    "Issuer",
    "OriginalIssuer",
    "IssuerRef",
    "ClaimCollection",
    "Actor",
    "ClaimProperty",
    "ClaimProperties",
    "Value",
    "ValueType",
    "Label",
    "Type",
    "subjectID",
    "ClaimPropertyName",
    "ClaimPropertyValue",
    "AuthenticationType",
    "NameClaimType",
    "RoleClaimType",
    "Null",
    "",
    "Key",
    "EffectiveTime",
    "ExpiryTime",
    "KeyGeneration",
    "KeyEffectiveTime",
    "KeyExpiryTime",
    "SessionId",
    "Id",
    "ValidFrom",
    "ValidTo",
    "ContextId",
    "SessionToken",
    "SessionTokenCookie",
    "BootStrapToken",
    "Context",
    "ClaimsPrincipal",
    "WindowsPrincipal",
    "WindowIdentity",
    "Identity",
    "Identities",
    "WindowsLogonName",
    "PersistentTrue",
    "SctAuthorizationPolicy",
    "Right",
    "EndpointId",
    "WindowsSidClaim",
    "DenyOnlySidClaim",
    "X500DistinguishedNameClaim",
    "X509ThumbprintClaim",
    "NameClaim",
    "DnsClaim",
    "RsaClaim",
    "MailAddressClaim",
    "SystemClaim",
    "HashClaim",
    "SpnClaim",
    "UpnClaim",
    "UrlClaim",
    "Sid",
    "ReferenceModeTrue",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_10_the_dictionary_is_the_golden_one() {
        let vectors = handstamp_testkit::vectors::load("session_token");
        let golden = vectors["sessionDictionary"].as_array().unwrap();
        assert_eq!(golden.len(), STRINGS.len());
        for (ours, golden) in STRINGS.iter().zip(golden) {
            assert_eq!(Some(*ours), golden.as_str());
        }
    }
}
