//! What can go wrong.

/// Why there is no session, or why one could not be kept. Variants are ordered by who is at fault.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The browser sent cookies from which no bytes can be had: damaged, cut off, or not ours.
    #[error("the session cookie cannot be read: {0}")]
    UnreadableCookie(#[from] Unreadable),

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

    /// The settings are inconsistent.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl Error {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnreadableCookie(_) => "HST-COOKIE-UNREADABLE",
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
            Self::ChunkCount { .. } => "HST-COOKIE-CHUNK-COUNT",
        }
    }
}
