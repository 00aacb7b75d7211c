//! What can go wrong.

use handstamp_session_token::ErrorKind;

/// Why there is no session, or why one could not be kept. Variants are ordered by who is at fault.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The browser sent cookies from which no bytes can be had: damaged, cut off, or not ours.
    #[error("the session cookie cannot be read: {0}")]
    UnreadableCookie(#[from] Unreadable),

    /// The session token was refused, or could not be made, stored or sealed. Its
    /// [`kind`](handstamp_session_token::Error::kind) tells whose fault that is.
    #[error(transparent)]
    Token(#[from] handstamp_session_token::Error),

    /// The application's claims make a token that browsers and servers would not carry (SM-22).
    #[error(
        "the session needs {chunks} cookies and {bytes} bytes, but only {max_chunks} cookies and {max_bytes} bytes are \
         allowed: keep the session in reference mode, or issue fewer claims"
    )]
    SessionTooLarge {
        /// Cookies needed.
        chunks: usize,
        /// Cookies allowed.
        max_chunks: usize,
        /// Characters needed, in all values together.
        bytes: usize,
        /// Characters allowed.
        max_bytes: usize,
    },
    /// A token of no bytes was to be written.
    #[error("a session token of no bytes cannot be written: delete the cookie instead")]
    EmptyToken,
    /// A value that cannot stand in a cookie was to be written into one.
    #[error(
        "the value for cookie {name:?} holds characters that no cookie may hold: encode it, for example as base64url"
    )]
    CookieValue {
        /// Name of the cookie.
        name: String,
    },

    /// A callback of the application took the session away while it was being made.
    #[error("no session came of the sign-in")]
    NotSignedIn,

    /// The browser would drop the `Secure` cookie without a word, and the user would be sent to sign in for ever (SM-23).
    #[error(
        "the request came over plain HTTP, where browsers drop the Secure cookie {name:?}: serve the site over TLS; behind a \
         proxy that ends TLS, configure how it says so"
    )]
    SecureCookieOverPlainHttp {
        /// Name of the cookie.
        name: String,
    },
    /// The settings are inconsistent.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl Error {
    /// Whether the fault lies on this side, so that nothing is known about the session.
    pub(crate) fn is_ours(&self) -> bool {
        match self {
            Self::UnreadableCookie(_) => false,
            Self::Token(error) => {
                matches!(error.kind(), ErrorKind::Misconfigured | ErrorKind::Misuse | ErrorKind::StoreUnavailable)
            }
            _ => true,
        }
    }

    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnreadableCookie(_) => "HST-COOKIE-UNREADABLE",
            Self::Token(token) => token.code(),
            Self::NotSignedIn => "HST-SESSION-NONE",
            Self::SecureCookieOverPlainHttp { .. } => "HST-COOKIE-PLAIN-HTTP",
            Self::SessionTooLarge { .. } => "HST-SESSION-TOO-LARGE",
            Self::EmptyToken => "HST-COOKIE-EMPTY",
            Self::CookieValue { .. } => "HST-COOKIE-VALUE",
            Self::Settings(settings) => settings.code(),
        }
    }
}

/// Why cookies hold no token. For the log; the outside learns nothing of it.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Typically a cookie of another program, or one cut off on the way.
    #[error("it is not base64")]
    NotBase64,
    /// The cookie is there, without a value.
    #[error("it is empty")]
    Empty,
    /// Browsers drop cookies when a site has too many.
    #[error("piece {index} of {count} is missing")]
    MissingPiece {
        /// Which piece, counted from 0.
        index: usize,
        /// How many there should be.
        count: usize,
    },
    /// Two responses that crossed on the way each left a part.
    #[error("piece {index} of {count} belongs to another value")]
    StalePiece {
        /// Which piece, counted from 0.
        index: usize,
        /// How many there should be.
        count: usize,
    },
    /// No handler with these settings writes so many pieces.
    #[error("it claims to have {count} pieces")]
    PieceCount {
        /// The claimed number.
        count: usize,
    },
}

/// Which setting is wrong.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Empty, or with a character that is not allowed in a cookie's name.
    #[error("{name:?} is no name for a cookie: use letters, digits, '-', '_' and '.'")]
    CookieName {
        /// The name.
        name: String,
    },
    /// The name makes a promise that the attributes break.
    #[error(
        "browsers drop the cookie {name:?}: a name that begins with __Host- needs Secure, the path / and no domain; \
         one that begins with __Secure- needs Secure; with __Http- or __Host-Http- also HttpOnly"
    )]
    CookieNamePrefix {
        /// The name.
        name: String,
    },
    /// Empty, relative, or with a character that is not allowed.
    #[error(
        "{path:?} is no path for a cookie: it must begin with '/' and hold no spaces, semicolons or non-ASCII characters"
    )]
    CookiePath {
        /// The path.
        path: String,
    },
    /// No host name.
    #[error("{domain:?} is no domain for a cookie: give a host name such as example.com, or none for this host only")]
    CookieDomain {
        /// The domain.
        domain: String,
    },
    /// Browsers drop such a cookie.
    #[error("SameSite=None and Partitioned need Secure: require TLS for this cookie")]
    CookieNeedsSecure,
    /// Too small a piece.
    #[error("a cookie piece of {size} characters is too small: the least is 1000")]
    ChunkSize {
        /// The size, in characters.
        size: usize,
    },
    /// A session cannot last no time.
    #[error("session.{setting} is zero: give a duration, or leave it out")]
    ZeroTimeout {
        /// Which setting.
        setting: &'static str,
    },
    /// Sliding starts only after the session has ended, or without an idle timeout.
    #[error("session.slide_after needs a session.idle_timeout that is longer")]
    SlideAfterIdle,
    /// Reference mode without a place for the sessions.
    #[error("sessions in reference mode need a cache: configure a store, or keep sessions self-contained")]
    NoCache,
    /// The token handler binds tokens to another cookie than the one they would travel in.
    #[error(
        "the token handler seals tokens for {carrier}, but they travel in the cookie {cookie:?}: give both one name"
    )]
    CarrierMismatch {
        /// Name of the cookie; empty when none is configured.
        cookie: String,
        /// What the token handler says.
        carrier: String,
    },
    /// Two kinds of cookies could not be told apart.
    #[error("the cookie {name:?} would be read in two ways: give each format a cookie name of its own")]
    CookieTwice {
        /// Name of the cookie.
        name: String,
    },
    /// Sign-outs would go to a list that nobody asks.
    #[error("the replicated revocations and the token handlers have different lists: give all the same one")]
    RevocationsMismatch,
    /// Too many pieces, or none.
    #[error("{count} cookie pieces are not possible: allow 1 to 16")]
    ChunkCount {
        /// The number.
        count: usize,
    },
}

impl SettingsError {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CookieName { .. } => "HST-COOKIE-NAME",
            Self::CookieNamePrefix { .. } => "HST-COOKIE-PREFIX",
            Self::CookiePath { .. } => "HST-COOKIE-PATH",
            Self::CookieDomain { .. } => "HST-COOKIE-DOMAIN",
            Self::CookieNeedsSecure => "HST-COOKIE-NEEDS-SECURE",
            Self::ChunkSize { .. } => "HST-COOKIE-CHUNK-SIZE",
            Self::ZeroTimeout { .. } => "HST-SESSION-TIMEOUT",
            Self::SlideAfterIdle => "HST-SESSION-SLIDE",
            Self::NoCache => "HST-SESSION-NO-CACHE",
            Self::CarrierMismatch { .. } => "HST-SESSION-CARRIER",
            Self::CookieTwice { .. } => "HST-SESSION-COOKIE-TWICE",
            Self::RevocationsMismatch => "HST-SESSION-REVOCATIONS",
            Self::ChunkCount { .. } => "HST-COOKIE-CHUNK-COUNT",
        }
    }
}
