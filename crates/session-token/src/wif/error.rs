use crate::Quoted;
use handstamp_xml::binary;

/// What is wrong with a token of the original's formats, in the detail that logs and command lines need.
///
/// The peer learns none of it: [`crate::Error`] is what the handler returns, and there every cryptographic failure is
/// [`crate::Error::Unauthentic`] (ST-24).
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is empty.
    #[error("the payload is empty")]
    EmptyPayload,
    /// More bytes, claims, properties or depth than the limit (ST-12).
    #[error("the token has more {what} than the limit of {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The binary XML of the payload is not legal.
    #[error(transparent)]
    BinaryXml(#[from] binary::Error),
    /// The text XML around the cookie is not well formed, or not the XML of a token.
    #[error("the XML of the token is damaged: {0}")]
    Xml(String),
    /// An element that must come here does not; the order of elements is fixed.
    #[error("the element {0} is missing, or not in its place")]
    MissingElement(&'static str),
    /// An element that may not stand here.
    #[error("the element {0} may not stand there")]
    UnexpectedElement(Quoted),
    /// A value or a shape that no writer makes.
    #[error("the token is damaged: {0}")]
    Structure(&'static str),
    /// Text that should be base64 is not.
    #[error("the text is not base64")]
    NotBase64,
    /// A version of the payload or of WS-SecureConversation that nobody defined.
    #[error("{0} is not a version of the payload or of WS-SecureConversation")]
    Version(Quoted),
    /// The token has no id.
    #[error("the token has no id")]
    MissingId,
    /// An identifier without text.
    #[error("an identifier is empty")]
    EmptyUniqueId,
    /// Something other than an identity where an actor must be.
    #[error("an actor is an identity, not {0}")]
    NotAnIdentity(Quoted),
    /// A claim property without a name.
    #[error("a claim property has no name")]
    EmptyPropertyName,
    /// A claim property without a value.
    #[error("a claim property has no value")]
    EmptyPropertyValue,
    /// A claim of the security context of a kind that nobody defined.
    #[error("{0} is no claim of a security context")]
    UnknownSystemClaim(Quoted),
    /// A claim that cannot be written as claim of a security context.
    #[error("{0} cannot be written as claim of a security context")]
    UnwritableSystemClaim(Quoted),
    /// The object around the payload is not the one object that may be there (ST-15). It was not deserialized.
    #[error("byte {offset} of the object envelope: {problem}")]
    Envelope {
        /// Where.
        offset: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// A bootstrap context that is none of the three kinds (ST-17).
    #[error("the bootstrap context is of an unknown kind")]
    UnknownBootstrapContext,
    /// A Windows identity, which the configuration refuses (ST-13).
    #[error("the token holds a Windows identity, and those are refused by configuration")]
    WindowsIdentityRefused,
    /// The id outside differs from the one inside the protected payload, or is missing.
    #[error("the ids outside and inside the protected payload differ")]
    IdMismatch,
    /// The context id outside differs from the one inside the protected payload.
    #[error("the context ids outside and inside the protected payload differ")]
    ContextIdMismatch,
    /// The key generation outside differs from the one inside the protected payload (ST-30).
    #[error("the key generations outside and inside the protected payload differ")]
    KeyGenerationMismatch,
    /// A token in reference mode, which is not here but in a cache.
    #[error("the token is a reference: it lies in the cache of the issuing site")]
    Reference,
    /// A cookie transform failed.
    #[error(transparent)]
    Transform(#[from] super::transforms::TransformError),
    /// Times that contradict each other.
    #[error("the times of the token contradict each other: {0}")]
    Times(&'static str),
    /// A description of a token, in JSON, that describes none.
    #[error("the description of the token: {0}")]
    Description(String),
    /// A key could not be used for a reason that lies on this side.
    #[error(transparent)]
    Keys(#[from] handstamp_keys::Error),
}

impl Error {
    /// A stable code for logs and scripts: the original's number where it has one (ST §8).
    pub fn code(&self) -> &'static str {
        match self {
            Self::EmptyPayload => "ID4272",
            Self::Limit { .. } => "HST-TOKEN-LIMIT",
            Self::BinaryXml(error) => error.code(),
            Self::Xml(_) => "HST-TOKEN-XML",
            Self::MissingElement(_) => "ID4230",
            Self::UnexpectedElement(_) => "HST-TOKEN-ELEMENT",
            Self::Structure(_) => "HST-TOKEN-STRUCTURE",
            Self::NotBase64 => "HST-TOKEN-BASE64",
            Self::Version(_) => "ID4232",
            Self::MissingId => "ID4239",
            Self::EmptyUniqueId => "ID4242",
            Self::NotAnIdentity(_) => "ID3007",
            Self::EmptyPropertyName => "ID4249",
            Self::EmptyPropertyValue => "ID4250",
            Self::UnknownSystemClaim(_) => "ID4289",
            Self::UnwritableSystemClaim(_) => "ID4290",
            Self::Envelope { .. } => "HST-TOKEN-ENVELOPE",
            Self::UnknownBootstrapContext => "HST-TOKEN-BOOTSTRAP",
            Self::WindowsIdentityRefused => "ID4248",
            Self::IdMismatch => "ID4227",
            Self::ContextIdMismatch => "ID4229",
            Self::KeyGenerationMismatch => "HST-TOKEN-GENERATION",
            Self::Reference => "ID4243",
            Self::Transform(error) => error.code(),
            Self::Times(_) => "HST-TOKEN-TIMES",
            Self::Description(_) => "HST-TOKEN-DESCRIPTION",
            Self::Keys(error) => error.code(),
        }
    }

    pub(crate) fn unexpected(name: &str) -> Self {
        Self::UnexpectedElement(Quoted::new(name))
    }
}
