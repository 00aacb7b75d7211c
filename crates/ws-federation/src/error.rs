//! What can go wrong, by who is at fault.

use std::fmt;

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
            Self::SignInLoop { .. } => "HST-WSFED-LOOP",
            Self::ForeignReply(_) => "HST-WSFED-FOREIGN-REPLY",
            Self::Keys(error) => error.code(),
            Self::Configuration { .. } => "HST-WSFED-CONFIG",
        }
    }
}

/// Text that a peer chose: shown quoted, escaped and cut to 80 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Untrusted(String);

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(match text.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        })
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_is_quoted_and_cut() {
        assert_eq!(Untrusted::from("a\n\"b").to_string(), r#""a\n\"b""#);
        let long = Untrusted::from("é".repeat(500).as_str()).to_string();
        assert_eq!(long.chars().count(), 83);
        let error = Error::RepeatedParameter("w\u{1b}[2J".into());
        assert_eq!(error.to_string(), r#"the parameter "w\u{1b}[2J" is repeated"#);
    }
}
