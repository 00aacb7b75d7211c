//! Parameters of a message, as they stand in a query string or a form body.

use crate::Error;
use percent_encoding::percent_decode;
use std::borrow::Cow;
use std::fmt::Write as _;

/// An ordered list of parameters, each name at most once.
///
/// Equality of names is exact. A message that repeats a name is refused: two programs on the way could
/// otherwise act on different values (SM §3.3).
///
/// ```
/// use handstamp_ws_federation::{Limits, Parameters};
///
/// let query = Parameters::parse("wa=wsignin1.0&wtrealm=https%3a%2f%2frp.example%2f", &Limits::default())?;
/// assert_eq!(query.get("wtrealm"), Some("https://rp.example/"));
/// assert_eq!(query.to_query_string(), "wa=wsignin1.0&wtrealm=https%3a%2f%2frp.example%2f");
/// # Ok::<(), handstamp_ws_federation::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `a=b&c=d`: a query without its `?`, or an `application/x-www-form-urlencoded` body.
    ///
    /// A parameter without `=` has an empty value; empty pieces (`a=b&&c=d`) are skipped.
    ///
    /// # Errors
    /// Input beyond `limits`, a repeated name, or text that is not UTF-8 once decoded.
    pub fn parse(encoded: impl AsRef<[u8]>, limits: &Limits) -> Result<Self, Error> {
        let encoded = encoded.as_ref();
        if encoded.len() > limits.bytes {
            return Err(Error::TooLarge { what: "message", limit: limits.bytes, unit: "bytes" });
        }
        let mut parameters = Self::new();
        for piece in encoded.split(|b| *b == b'&').filter(|piece| !piece.is_empty()) {
            if parameters.0.len() == limits.parameters {
                return Err(Error::TooLarge { what: "message", limit: limits.parameters, unit: "parameters" });
            }
            let (name, value) = match piece.iter().position(|b| *b == b'=') {
                Some(at) => (&piece[..at], &piece[at + 1..]),
                None => (piece, &[][..]),
            };
            parameters.push_new(decode(name)?, decode(value)?)?;
        }
        Ok(parameters)
    }

    /// Takes pairs that are decoded already.
    ///
    /// # Errors
    /// A repeated name.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        let mut parameters = Self::new();
        for (name, value) in pairs {
            parameters.push_new(name.into(), value.into())?;
        }
        Ok(parameters)
    }

    /// Sets a parameter: replaces its value where it stands, or appends it.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `a=b&c=d`, encoded as .NET's `HttpUtility.UrlEncode` does: lower-case hex, `+` for a space.
    pub fn to_query_string(&self) -> String {
        let mut out = String::new();
        for (name, value) in self.iter() {
            if !out.is_empty() {
                out.push('&');
            }
            encode_into(name, &mut out);
            out.push('=');
            encode_into(value, &mut out);
        }
        out
    }

    /// `url` with these parameters appended to its query, before a fragment if it has one.
    pub fn append_to(&self, url: &str) -> String {
        let (base, fragment) = match url.split_once('#') {
            Some((base, fragment)) => (base, Some(fragment)),
            None => (url, None),
        };
        let separator = match base.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        let mut out = format!("{base}{separator}{}", self.to_query_string());
        if let Some(fragment) = fragment {
            let _ = write!(out, "#{fragment}");
        }
        out
    }

    fn push_new(&mut self, name: String, value: String) -> Result<(), Error> {
        if self.get(&name).is_some() {
            return Err(Error::RepeatedParameter(name.as_str().into()));
        }
        self.0.push((name, value));
        Ok(())
    }
}

/// Bounds on what a peer may send, checked before any work is done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a query or form body before decoding. Default 1 MiB (SM §3.5).
    pub bytes: usize,
    /// Parameters in a message. Default 64.
    pub parameters: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 20, parameters: 64 }
    }
}

fn decode(part: &[u8]) -> Result<String, Error> {
    let spaced: Cow<'_, [u8]> = match part.contains(&b'+') {
        true => part.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect(),
        false => part.into(),
    };
    match percent_decode(&spaced).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Error::NotUtf8),
    }
}

fn encode_into(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'*' | b'(' | b')' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Parameters, Error> {
        Parameters::parse(text, &Limits::default())
    }

    #[test]
    fn sm_24_encoding_is_lower_case_hex_and_plus() {
        let mut parameters = Parameters::new();
        parameters.set("wctx", "rm=0&id=passive&ru=%2forders 7");
        parameters.set("u", "ü~'");
        assert_eq!(parameters.to_query_string(), "wctx=rm%3d0%26id%3dpassive%26ru%3d%252forders+7&u=%c3%bc%7e%27");
    }

    #[test]
    fn decoding_takes_what_peers_send() {
        let parameters = parse("a=1+2&b=%2B&&c&d=%41%zz&=empty").unwrap();
        let pairs: Vec<_> = parameters.iter().collect();
        assert_eq!(pairs, [("a", "1 2"), ("b", "+"), ("c", ""), ("d", "A%zz"), ("", "empty")]);
    }

    #[test]
    fn repeated_parameters_are_refused() {
        for text in ["wa=1&wa=2", "wa=1&w%61=1", "c&c="] {
            assert_eq!(parse(text).unwrap_err().code(), "HST-WSFED-REPEATED", "{text}");
        }
        assert!(Parameters::from_pairs([("a", "1"), ("a", "1")]).is_err());
        assert!(parse("wa=1&WA=2").is_ok());
    }

    #[test]
    fn limits_hold() {
        let limits = Limits { bytes: 8, parameters: 2 };
        assert!(Parameters::parse("a=1&b=22", &limits).is_ok());
        assert_eq!(Parameters::parse("a=1&b=222", &limits).unwrap_err().code(), "HST-WSFED-SIZE");
        assert_eq!(Parameters::parse("a&b&c", &limits).unwrap_err().code(), "HST-WSFED-SIZE");
        assert_eq!(parse("a=%ff").unwrap_err().code(), "HST-WSFED-UTF8");
    }

    #[test]
    fn appending_keeps_a_query_and_a_fragment() {
        let parameters = Parameters::from_pairs([("a", "1")]).unwrap();
        for (url, expected) in [
            ("https://sts/", "https://sts/?a=1"),
            ("https://sts/?", "https://sts/?a=1"),
            ("https://sts/?x=y", "https://sts/?x=y&a=1"),
            ("https://sts/?x=y&", "https://sts/?x=y&a=1"),
            ("https://sts/#top", "https://sts/?a=1#top"),
        ] {
            assert_eq!(parameters.append_to(url), expected);
        }
    }

    proptest! {
        #[test]
        fn query_strings_round_trip(pairs in proptest::collection::btree_map(".{0,12}", ".{0,40}", 0..8)) {
            let parameters = Parameters::from_pairs(pairs).unwrap();
            prop_assert_eq!(parse(&parameters.to_query_string()).unwrap(), parameters);
        }

        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Parameters::parse(bytes, &Limits::default());
        }
    }
}
