//! The data model of both versions.

use handstamp_time::Timestamp;
use handstamp_xml::names;
use std::fmt;

/// The version of SAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// SAML 1.1: what WIF and AD FS send over WS-Federation by default.
    Saml11,
    /// SAML 2.0.
    Saml20,
}

impl Version {
    /// The namespace of the assertion.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Saml11 => names::SAML11,
            Self::Saml20 => names::SAML20,
        }
    }

    /// The token type URI of the WS-Security token profile, as WIF writes it into a response.
    pub const fn token_type(self) -> &'static str {
        match self {
            Self::Saml11 => "urn:oasis:names:tc:SAML:1.0:assertion",
            Self::Saml20 => "urn:oasis:names:tc:SAML:2.0:assertion",
        }
    }

    /// The version that a token type URI means, in any of its spellings (SM §3.6).
    pub fn from_token_type(uri: &str) -> Option<Self> {
        const PROFILE: &str = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#";
        match uri.strip_prefix(PROFILE).unwrap_or(uri) {
            "SAMLV1.1" | "urn:oasis:names:tc:SAML:1.0:assertion" => Some(Self::Saml11),
            "SAMLV2.0" | "urn:oasis:names:tc:SAML:2.0:assertion" => Some(Self::Saml20),
            _ => None,
        }
    }

    pub(crate) const fn bearer(self) -> &'static str {
        match self {
            Self::Saml11 => "urn:oasis:names:tc:SAML:1.0:cm:bearer",
            Self::Saml20 => "urn:oasis:names:tc:SAML:2.0:cm:bearer",
        }
    }

    pub(crate) const fn holder_of_key(self) -> &'static str {
        match self {
            Self::Saml11 => "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key",
            Self::Saml20 => "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Saml11 => "SAML 1.1",
            Self::Saml20 => "SAML 2.0",
        })
    }
}

/// What an issuer states about a subject, in either version.
///
/// An assertion is data: one that was read is worth something only together with the signature it was read under, which is what
/// [`SignedAssertion`](crate::SignedAssertion) stands for. Where the versions differ, the model takes the shape of
/// 2.0: one subject for all statements (a 1.1 assertion whose statements name different subjects is refused).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// The version it was read from or is written in.
    pub version: Version,
    /// `ID` or `AssertionID`: an XML name, unique.
    pub id: String,
    /// Who says so. Only text: whom to believe is decided by the signing certificate.
    pub issuer: NameId,
    /// When it was made.
    pub issue_instant: Timestamp,
    /// About whom.
    pub subject: Option<Subject>,
    /// When and for whom it holds.
    pub conditions: Option<Conditions>,
    /// The attributes of all attribute statements, in order.
    pub attributes: Vec<Attribute>,
    /// How and when the subject was authenticated.
    pub authentications: Vec<AuthenticationStatement>,
}

/// A name with its format and scope (`NameID`, `NameIdentifier`, `Issuer`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameId {
    /// The name itself.
    pub value: String,
    /// URI of its format.
    pub format: Option<String>,
    /// The domain that qualifies it.
    pub name_qualifier: Option<String>,
    /// The relying party that qualifies it (2.0).
    pub sp_name_qualifier: Option<String>,
    /// The name that the relying party gave the subject (2.0).
    pub sp_provided_id: Option<String>,
}

impl NameId {
    /// A name without format or qualifiers.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }
}

/// About whom an assertion speaks, and who may present it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The subject's name; none when the attributes alone identify it.
    pub name_id: Option<NameId>,
    /// How the presenter proves to be entitled.
    pub confirmations: Vec<SubjectConfirmation>,
}

/// One way of proving to be entitled to present an assertion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectConfirmation {
    /// URI of the method: bearer, holder of key, or another.
    pub method: String,
    /// Who may confirm, when not the subject (2.0).
    pub name_id: Option<NameId>,
    /// Bounds on the confirmation (2.0).
    pub data: SubjectConfirmationData,
    /// The key that the presenter proves to hold, for holder of key: a `ds:KeyInfo` as canonical XML.
    pub key_info: Option<String>,
}

/// Bounds on a confirmation; absent ones do not bind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectConfirmationData {
    /// Not before this instant.
    pub not_before: Option<Timestamp>,
    /// Not at or after this instant.
    pub not_on_or_after: Option<Timestamp>,
    /// URL that the assertion must be presented at.
    pub recipient: Option<String>,
    /// Id of the request that the assertion answers.
    pub in_response_to: Option<String>,
    /// Network address of the presenter.
    pub address: Option<String>,
}

/// When and for whom an assertion holds; absent conditions do not bind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Not before this instant.
    pub not_before: Option<Timestamp>,
    /// Not at or after this instant.
    pub not_on_or_after: Option<Timestamp>,
    /// `AudienceRestriction(Condition)`: of each restriction, one audience must be us.
    pub audience_restrictions: Vec<Vec<String>>,
    /// `OneTimeUse` (2.0).
    pub one_time_use: bool,
    /// `ProxyRestriction` (2.0).
    pub proxy_restriction: Option<ProxyRestriction>,
    /// `DoNotCacheCondition` (1.1): holds for whoever never keeps an assertion, as we do not.
    pub do_not_cache: bool,
}

/// Limits on issuing further assertions from one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyRestriction {
    /// How many more steps are allowed.
    pub count: Option<u32>,
    /// For whom.
    pub audiences: Vec<String>,
}

/// How and when the subject was authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationStatement {
    /// `AuthenticationMethod`, or the context class of 2.0: a URI of that version's vocabulary.
    pub method: Option<String>,
    /// When.
    pub instant: Timestamp,
    /// The issuer's session, for sign-out (2.0).
    pub session_index: Option<String>,
    /// The session should end by then (2.0).
    pub session_not_on_or_after: Option<Timestamp>,
    /// The subject's network address.
    pub address: Option<String>,
    /// The subject's host name.
    pub dns_name: Option<String>,
}

/// One attribute with all its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attribute {
    /// `Name` or `AttributeName`.
    pub name: String,
    /// `AttributeNamespace` (1.1).
    pub namespace: Option<String>,
    /// `NameFormat` (2.0).
    pub name_format: Option<String>,
    /// `FriendlyName` (2.0).
    pub friendly_name: Option<String>,
    /// `OriginalIssuer`, an extension of WIF: who stated it first.
    pub original_issuer: Option<String>,
    /// The values, in order; a nil value is none.
    pub values: Vec<Option<AttributeValue>>,
}

/// One value of an attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeValue {
    /// The text; for element content, the elements as canonical XML.
    pub text: String,
    /// `xsi:type` as namespace, `#`, local name. None means `xs:string`.
    pub value_type: Option<String>,
}

impl AttributeValue {
    /// A value of type `xs:string`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), value_type: None }
    }
}
