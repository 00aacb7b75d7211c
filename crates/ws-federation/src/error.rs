//! What can go wrong, by who is at fault.

use handstamp_saml as saml;
use handstamp_saml::Untrusted;
use handstamp_time::Timestamp;
use handstamp_xml as xml;

/// Why a message was not understood, not accepted, or not made.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer sent more than the limits allow. Typically a wrong endpoint or an attack.
    #[error("the {what} has more than {limit} {unit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit that was passed.
        limit: usize,
        /// The unit of the limit.
        unit: &'static str,
    },
    /// The peer sent bytes that are not UTF-8 once percent-decoded.
    #[error("a parameter is not UTF-8 text")]
    NotUtf8,
    /// The peer sent a parameter twice; which one counts would be a guess.
    #[error("the parameter {0} is repeated")]
    RepeatedParameter(Untrusted),
    /// The peer left out a parameter that the message needs.
    #[error("the {message} lacks the parameter {parameter}")]
    MissingParameter {
        /// The kind of message.
        message: &'static str,
        /// What is missing.
        parameter: &'static str,
    },
    /// The peer sent a parameter whose value has the wrong form.
    #[error("the parameter {parameter} is not {expected}: {value}")]
    InvalidParameter {
        /// The parameter's name.
        parameter: &'static str,
        /// The form it should have.
        expected: &'static str,
        /// What was sent.
        value: Untrusted,
    },
    /// `wa` names no message of WS-Federation. Typically a request that was not meant for this endpoint.
    #[error("wa={0} is not a WS-Federation action")]
    UnknownAction(Untrusted),
    /// The message carries both of two parameters that exclude each other (`wreq` and `wreqptr`, SM-25).
    #[error("{0} and {1} exclude each other")]
    ExclusiveParameters(&'static str, &'static str),
    /// The message asks us to fetch a URL of the sender's choice, which is never done (SM-26).
    #[error("{0} is not supported: the message must carry its content, not a pointer to it")]
    PointerRefused(&'static str),
    /// The peer sent a `wresult` that is not acceptable XML; or, at the issuer, a setting cannot be written as such.
    #[error("wresult: {0}")]
    Xml(#[source] xml::Error),
    /// The peer sent a `wresult` that is no response of WS-Trust.
    #[error("wresult is a {0}, not a RequestSecurityTokenResponse of WS-Trust February 2005 or 1.3")]
    NotATokenResponse(Untrusted),
    /// The peer sent a response that does not hold exactly one token.
    #[error("wresult: {0}")]
    MalformedTokenResponse(String),
    /// The token was not accepted; or, at the issuer, not made.
    #[error("token: {0}")]
    Token(#[from] saml::Error),
    /// The document is no federation metadata of an issuer.
    #[error("federation metadata: {0}")]
    MalformedMetadata(&'static str),
    /// The metadata is well formed and not to be believed. Typically somebody else's, an old copy, or an attack.
    #[error("federation metadata is not believed: {0}")]
    UntrustedMetadata(String),
    /// A sign-in response came by another method than POST (SM-26).
    #[error("a sign-in response comes by POST, not by {0}")]
    MethodNotAllowed(Untrusted),
    /// The response names no sign-in that this browser began within the last minutes (SM-33, SM-35). Typical causes: a
    /// sign-in page left open too long, a bookmark of it, cookies that the browser does not keep, or an attack.
    #[error(
        "this browser did not begin the sign-in that the response ends, or began it too long ago: start again at the \
         application; if that never helps, check that the browser keeps the sign-in cookie (https, SameSite=None)"
    )]
    UnknownState,
    /// The user authenticated longer ago than [`freshness`](crate::RelyingPartySettings::freshness) allows, or the token does not say
    /// when. Typically an issuer that does not know `wfresh`, or a browser that left it out.
    #[error(
        "{}, and what counts begins at {oldest}: the issuer has to ask again (wfresh), and to say when in an authentication statement",
        authenticated_at.map_or_else(|| "the token does not say when the user authenticated".to_owned(), |at| format!("the user authenticated at {at}"))
    )]
    NotFresh {
        /// When that was, by the issuer's clock; none when the token does not say.
        authenticated_at: Option<Timestamp>,
        /// The earliest that is accepted, the difference of clocks included.
        oldest: Timestamp,
    },
    /// The request comes from an application that the issuer does not serve.
    #[error("the realm {0} is not registered: add the relying party, with the realm to the letter")]
    UnknownRealm(Untrusted),
    /// The request wants the response at a URL that is not registered.
    #[error("the reply URL {reply} is not registered for {realm}: add it, to the letter")]
    UnregisteredReply {
        /// What was asked.
        reply: Untrusted,
        /// Who asked.
        realm: String,
    },
    /// This browser comes back for sign-in again and again (SM-31). Typical causes: the session cookie is `Secure` on a site that is
    /// reached by http, its path or domain does not cover the page, clocks differ, or the browser refuses cookies.
    #[error(
        "this browser was sent to sign in {challenges} times within {seconds} s, and its session never arrives: \
         check that it accepts the session cookie (https, path, domain) and that both clocks agree"
    )]
    SignInLoop {
        /// How often.
        challenges: usize,
        /// Within what time.
        seconds: u64,
    },
    /// The caller wants the browser to end up on another origin after sign-out (SM-39).
    #[error("the sign-out reply {0} is not on an origin of this application: give a path, or add it as sign_out_reply")]
    ForeignReply(Untrusted),
    /// A key or the source of randomness failed.
    #[error(transparent)]
    Keys(#[from] handstamp_keys::Error),
    /// The configuration cannot work. Found when the settings are built, so a program can refuse to start.
    #[error("{setting}: {problem}")]
    Configuration {
        /// The setting, in the vocabulary of SM §3.1.
        setting: &'static str,
        /// What is wrong with it, and what to do.
        problem: String,
    },
}

impl Error {
    /// A stable code for logs and scripts: the original's number where it has one.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "HST-WSFED-SIZE",
            Self::NotUtf8 => "HST-WSFED-UTF8",
            Self::RepeatedParameter(_) => "HST-WSFED-REPEATED",
            Self::MissingParameter { .. } => "HST-WSFED-MISSING",
            Self::InvalidParameter { .. } => "HST-WSFED-VALUE",
            Self::UnknownAction(_) => "HST-WSFED-ACTION",
            Self::ExclusiveParameters(..) => "HST-WSFED-EXCLUSIVE",
            Self::PointerRefused(_) => "HST-WSFED-POINTER",
            Self::Xml(error) => error.code(),
            Self::NotATokenResponse(_) => "ID3032",
            Self::MalformedTokenResponse(_) => "HST-WSFED-RSTR",
            Self::MalformedMetadata(_) => "HST-WSFED-METADATA",
            Self::UntrustedMetadata(_) => "HST-WSFED-METADATA-TRUST",
            Self::Token(error) => error.code(),
            Self::MethodNotAllowed(_) => "HST-WSFED-METHOD",
            Self::UnknownState => "HST-WSFED-STATE",
            Self::NotFresh { .. } => "HST-WSFED-FRESHNESS",
            Self::UnknownRealm(_) => "HST-WSFED-REALM",
            Self::UnregisteredReply { .. } => "HST-WSFED-REPLY",
            Self::SignInLoop { .. } => "HST-WSFED-LOOP",
            Self::ForeignReply(_) => "HST-WSFED-FOREIGN-REPLY",
            Self::Keys(error) => error.code(),
            Self::Configuration { .. } => "HST-WSFED-CONFIG",
        }
    }
}
