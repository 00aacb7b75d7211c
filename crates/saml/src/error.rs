//! What can go wrong, by who is at fault.

use crate::quote::{Untrusted, UntrustedList};
use crate::{Validity, Version};
use handstamp_xml_security as xml_security;

/// Why an assertion was not read, not accepted, or not made.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer sent an element that is no assertion. Typically the wrong token type at the issuer.
    #[error("{0} is not a SAML 1.1 or 2.0 assertion: let the issuer send one of these token types")]
    NotAnAssertion(Untrusted),
    /// The peer sent an assertion that does not follow its schema.
    #[error("malformed {element}: {problem}")]
    Malformed {
        /// The element at fault, by its local name.
        element: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The peer sent an attribute that cannot become claims.
    #[error("the attribute {name}: {fault}")]
    Attribute {
        /// The attribute's name.
        name: Untrusted,
        /// What is wrong with it.
        fault: AttributeFault,
    },
    /// The peer encrypted this element, and nothing here decrypts it: no key is configured, or it is a part of an assertion.
    #[error(
        "{0} is encrypted, and nothing here decrypts it: configure a decryption key for whole assertions, and let the issuer send \
         names and attributes inside them in clear"
    )]
    Encrypted(&'static str),
    /// The peer encrypted a token for keys that are not ours (ID4022, ID4036). Typically an old certificate at the issuer.
    #[error(
        "none of the decryption keys is the one that the {element} is encrypted for ({recipients}): give the issuer our current \
         certificate, or keep the previous key"
    )]
    NoDecryptionKey {
        /// The element.
        element: &'static str,
        /// How the message names the keys that it is encrypted for.
        recipients: UntrustedList,
    },
    /// The peer's encryption is malformed, or uses an algorithm that is not allowed.
    #[error("encryption: {0}")]
    Encryption(#[source] xml_security::Error),
    /// The peer's encrypted token cannot be used. Everything that can be wrong between the ciphertext and a verified signature has
    /// this one code, or the answers would tell what manipulated ciphertexts decrypt to. The text has the cause: it is for logs only.
    #[error("the encrypted token cannot be used: {0}")]
    Undecryptable(#[source] Box<Self>),
    /// The peer describes the authentication by a reference to a declaration, which is never fetched.
    #[error("AuthnContextDeclRef is not supported: let the issuer send a context class")]
    DeclarationReference,
    /// The peer's signature is missing, malformed, uses an algorithm that is not allowed, or does not hold.
    #[error("signature: {0}")]
    Signature(#[source] SignatureFault),
    /// The peer's assertion is authentic, and not for us or not for now.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The caller's claims cannot be said in this version of SAML.
    #[error("cannot write the claim {claim_type}: {problem}")]
    Unrepresentable {
        /// The claim's type.
        claim_type: Untrusted,
        /// Why.
        problem: ClaimFault,
    },
    /// The configuration cannot work: no audience is accepted (ID1032).
    #[error("no audience URI is configured: list the realm of this application, or turn the audience check off")]
    NoAudienceConfigured,
    /// The caller's texts cannot be written as XML, or what was written cannot be read.
    #[error(transparent)]
    Xml(#[from] handstamp_xml::Error),
    /// Signing failed.
    #[error("making an assertion: {0}")]
    Signing(#[source] xml_security::Error),
    /// The source of randomness failed.
    #[error("making an assertion: {0}")]
    Keys(#[from] handstamp_keys::Error),
}

impl Error {
    /// A stable code for logs and scripts: the original's number where it has one.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnAssertion(_) => "ID4014",
            Self::Malformed { .. } => "HST-SAML-MALFORMED",
            Self::Attribute { fault, .. } => fault.code(),
            Self::Encrypted(_) => "HST-SAML-ENCRYPTED",
            Self::NoDecryptionKey { element: "EncryptedAssertion", .. } => "ID4022",
            Self::NoDecryptionKey { .. } => "ID4036",
            Self::Encryption(error) => error.code(),
            Self::Undecryptable(_) => "HST-SAML-DECRYPTION",
            Self::DeclarationReference => "ID4180",
            Self::Signature(fault) => fault.code(),
            Self::Rejected(rejection) => rejection.code(),
            Self::Unrepresentable { problem, .. } => problem.code(),
            Self::NoAudienceConfigured => "ID1032",
            Self::Xml(error) => error.code(),
            Self::Signing(error) => error.code(),
            Self::Keys(error) => error.code(),
        }
    }

    /// Hides what is wrong behind one code.
    pub(crate) fn undecryptable(self) -> Self {
        Self::Undecryptable(Box::new(self))
    }

    pub(crate) fn malformed(element: &'static str, problem: impl Into<String>) -> Self {
        Self::Malformed { element, problem: problem.into() }
    }
}

/// What is wrong with a signature.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum SignatureFault {
    /// There is none.
    #[error("the {0} assertion is not signed: let the issuer sign assertions, not only the message around them")]
    Missing(Version),
    /// It covers something else: a wrapping attack, or an issuer that signs only a part.
    #[error("the signature in the assertion does not cover the assertion")]
    CoversSomethingElse,
    /// It does not hold, or is not acceptable.
    #[error(transparent)]
    Invalid(#[from] xml_security::Error),
}

impl SignatureFault {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(Version::Saml11) => "ID4220",
            Self::Missing(Version::Saml20) => "ID4152",
            Self::CoversSomethingElse => "HST-SAML-WRAPPED",
            Self::Invalid(error) => error.code(),
        }
    }
}

impl From<SignatureFault> for Error {
    fn from(fault: SignatureFault) -> Self {
        Self::Signature(fault)
    }
}

/// Why an authentic assertion is not accepted (SM §3.7). Each reason has the original's own number.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// No trusted issuer has the signing certificate. Typically a new certificate at the issuer.
    #[error(
        "the signing certificate is not that of a trusted issuer (issuer in the token {issuer}, certificate {subject}, SHA-256 {thumbprint}): \
         if it is genuine, add it to the trusted issuers"
    )]
    IssuerNotTrusted {
        /// The text of `Issuer`, unproven.
        issuer: Untrusted,
        /// The certificate's subject, or why there is none.
        subject: Untrusted,
        /// Its SHA-256 thumbprint.
        thumbprint: String,
    },
    /// The certificate is trusted for an issuer of another name. Typically a hub or an authority that signs for several.
    #[error(
        "the assertion calls its issuer {found}, and the certificate is trusted for {expected} only: if both are the same,          correct the configured entity id, to the letter"
    )]
    OtherIssuer {
        /// The text of `Issuer`.
        found: Untrusted,
        /// The configured one.
        expected: String,
    },
    /// The certificate of a known issuer does not validate.
    #[error("the certificate of the issuer {issuer} is not valid: {problem}")]
    CertificateInvalid {
        /// The configured name of the issuer.
        issuer: String,
        /// What is wrong.
        problem: String,
    },
    /// The assertion's time has not begun. Typically a clock that is off.
    #[error("the {version} assertion is not yet valid: {validity}")]
    NotYetValid {
        /// The version.
        version: Version,
        /// Both clocks.
        validity: Validity,
    },
    /// The assertion's time is over. Typically a clock that is off, or an old message sent again.
    #[error("the {version} assertion has expired: {validity}")]
    Expired {
        /// The version.
        version: Version,
        /// Both clocks.
        validity: Validity,
    },
    /// `OneTimeUse`: an assertion that must not become a session.
    #[error("the assertion has the condition OneTimeUse, which is not supported")]
    OneTimeUse,
    /// `ProxyRestriction`.
    #[error("the assertion has the condition ProxyRestriction, which is not supported")]
    ProxyRestriction,
    /// A condition that is not understood: SAML says that the assertion then does not hold.
    #[error("the assertion has the condition {0}, which is not understood")]
    UnknownCondition(Untrusted),
    /// The assertion names no audience.
    #[error("the assertion has no audience restriction: let the issuer name this application's realm")]
    NoAudienceRestriction,
    /// The assertion has an empty list of audiences.
    #[error("the assertion has an audience restriction without any audience")]
    EmptyAudienceRestriction,
    /// The assertion is for somebody else. Typically a trailing slash or another scheme.
    #[error("the assertion is for {sent}; accepted are {accepted}: one of both must change, to the letter")]
    AudienceNotAccepted {
        /// How many audiences the token names.
        count: usize,
        /// The token's audiences.
        sent: UntrustedList,
        /// The configured ones.
        accepted: UntrustedList,
    },
    /// There is no subject.
    #[error("the assertion has no subject")]
    NoSubject,
    /// The subject has no confirmation.
    #[error("the subject has no confirmation: bearer is expected")]
    NoConfirmation,
    /// The subject has several confirmations.
    #[error("the subject has {0} confirmations; exactly one is expected")]
    SeveralConfirmations(usize),
    /// A bearer assertion names a key.
    #[error("the bearer confirmation has key information")]
    BearerWithKey,
    /// A holder-of-key assertion names none.
    #[error("the holder-of-key confirmation has no key information")]
    HolderOfKeyWithoutKey,
    /// The method of confirmation is not known.
    #[error("the confirmation method {0} is not supported: bearer is expected")]
    ConfirmationMethod(Untrusted),
    /// A browser cannot prove possession of a key.
    #[error("the assertion asks for proof of a key, which a browser cannot give: let the issuer send a bearer token")]
    NotBearer,
    /// The confirmation is bound to a network address.
    #[error("the confirmation is bound to the address {0}, which is not supported")]
    Address(Untrusted),
    /// The confirmation answers another request.
    #[error("the confirmation answers the request {0}, which this sign-in did not make")]
    InResponseTo(Untrusted),
    /// The confirmation is for another URL.
    #[error("the confirmation is for the recipient {sent}; accepted are {accepted}")]
    Recipient {
        /// The token's recipient.
        sent: Untrusted,
        /// The configured ones.
        accepted: UntrustedList,
    },
    /// The confirmation's time has not begun.
    #[error("the confirmation is not yet valid: {0}")]
    ConfirmationNotYetValid(Validity),
    /// The confirmation's time is over.
    #[error("the confirmation has expired: {0}")]
    ConfirmationExpired(Validity),
    /// The assertion has no id to detect a replay by.
    #[error("the assertion has no id, so a replay could not be detected")]
    NoReplayId,
    /// The assertion was used before.
    #[error("the assertion was used before: it signs in once")]
    Replayed,
    /// The assertion holds longer than replays are remembered.
    #[error("the assertion holds for longer than replays are remembered: {0}")]
    LivesTooLong(Validity),
}

impl Rejection {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::IssuerNotTrusted { .. } => "ID4175",
            Self::OtherIssuer { .. } => "HST-SAML-ISSUER",
            Self::CertificateInvalid { .. } => "ID4257",
            Self::NotYetValid { version: Version::Saml11, .. } => "ID4222",
            Self::NotYetValid { version: Version::Saml20, .. } => "ID4147",
            Self::Expired { version: Version::Saml11, .. } => "ID4223",
            Self::Expired { version: Version::Saml20, .. } => "ID4148",
            Self::OneTimeUse => "ID4149",
            Self::ProxyRestriction => "ID4150",
            Self::UnknownCondition(_) => "HST-SAML-CONDITION",
            Self::NoAudienceRestriction => "ID1035",
            Self::EmptyAudienceRestriction => "ID1036",
            Self::AudienceNotAccepted { count: 1, .. } => "ID1038",
            Self::AudienceNotAccepted { .. } => "ID1043",
            Self::NoSubject => "ID4130",
            Self::NoConfirmation => "ID4131",
            Self::SeveralConfirmations(_) => "ID4132",
            Self::BearerWithKey => "ID4133",
            Self::HolderOfKeyWithoutKey => "ID4134",
            Self::ConfirmationMethod(_) => "ID4136",
            Self::NotBearer => "HST-SAML-NOT-BEARER",
            Self::Address(_) => "ID4153",
            Self::InResponseTo(_) => "ID4154",
            Self::Recipient { .. } => "ID4157",
            Self::ConfirmationNotYetValid(_) => "ID4176",
            Self::ConfirmationExpired(_) => "ID4177",
            Self::NoReplayId => "ID1065",
            Self::Replayed => "ID1066",
            Self::LivesTooLong(_) => "ID1069",
        }
    }
}

/// Why an attribute cannot become claims (SM §3.7.1).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeFault {
    /// It has no name.
    #[error("it has no name")]
    NoName,
    /// It has no namespace (1.1).
    #[error("it has no AttributeNamespace")]
    NoNamespace,
    /// It has no values (1.1).
    #[error("it has no values")]
    NoValues,
    /// It pretends to be the subject's name (1.1).
    #[error("an attribute may not be a name identifier: that is the subject's")]
    NameIdentifier,
    /// `OriginalIssuer` is empty.
    #[error("its OriginalIssuer is empty")]
    EmptyOriginalIssuer,
    /// There are two actors at one level.
    #[error("an identity has at most one actor")]
    SeveralActors(Version),
    /// The nested attributes of an actor are malformed.
    #[error("its value is not the attributes of an actor")]
    MalformedActor,
    /// The chain of actors is too long.
    #[error("the chain of actors is too long")]
    ActorsTooDeep,
    /// The prefix of `xsi:type` is not declared.
    #[error("the prefix of its xsi:type is not declared")]
    UnknownValueType,
    /// The namespace of `xsi:type` is neither well known nor covered by the signature.
    #[error(
        "the signature does not cover the namespace of its xsi:type: let the issuer sign with an InclusiveNamespaces \
         PrefixList that names the prefix, or use a type of XML Schema"
    )]
    UnsignedValueType,
}

impl AttributeFault {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoName => "ID4094",
            Self::NoNamespace => "ID4095",
            Self::NoValues => "ID4212",
            Self::NameIdentifier => "HST-SAML-NAME-ATTRIBUTE",
            Self::EmptyOriginalIssuer => "ID4252",
            Self::SeveralActors(Version::Saml11) => "ID4034",
            Self::SeveralActors(Version::Saml20) => "ID4218",
            Self::MalformedActor => "HST-SAML-ACTOR",
            Self::ActorsTooDeep => "HST-SAML-ACTOR-DEPTH",
            Self::UnknownValueType => "HST-SAML-VALUE-TYPE",
            Self::UnsignedValueType => "HST-SAML-VALUE-TYPE-UNSIGNED",
        }
    }
}

/// Why a claim cannot be written.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimFault {
    /// SAML 1.1 splits a claim type at its last slash.
    #[error("SAML 1.1 needs a claim type of the form namespace/name; use SAML 2.0, or another type")]
    NotNamespaceAndName,
    /// A value type that `xsi:type` cannot say.
    #[error("its value type has no form namespace#name")]
    ValueType,
    /// The identity has two name identifiers; an assertion has one subject.
    #[error("an identity has at most one name identifier")]
    SeveralNames,
    /// The value is not a time.
    #[error("its value is not a time")]
    NotATime,
    /// A character that XML cannot carry.
    #[error("it has a character that XML does not allow")]
    Character,
}

impl ClaimFault {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotNamespaceAndName => "ID4216",
            Self::ValueType => "ID4254",
            Self::SeveralNames => "ID4139",
            Self::NotATime => "HST-SAML-CLAIM-TIME",
            Self::Character => "HST-SAML-CLAIM-CHARACTER",
        }
    }
}
