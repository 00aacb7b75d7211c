//! Where to go after sign-in, and how to keep that from becoming an open redirect.

use crate::Error;
use std::fmt;

/// A path and query on the relying party's own origin (SM-34).
///
/// Absolute from the root; never starting `//` or `/\`, which browsers take for another host; no control
/// characters, which browsers drop before they look; ASCII, so that it is a header value as it stands.
///
/// ```
/// use handstamp_ws_federation::ReturnUrl;
///
/// assert_eq!(ReturnUrl::new("/orders/7?page=2")?.as_str(), "/orders/7?page=2");
/// assert!(ReturnUrl::new("//evil.example/").is_err());
/// assert_eq!(ReturnUrl::or_root("https://evil.example/").as_str(), "/");
/// # Ok::<(), handstamp_ws_federation::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnUrl(String);

impl ReturnUrl {
    /// The greatest length, in bytes: what comfortably fits a cookie and a header.
    pub const MAX_LEN: usize = 1536;

    /// The application's root, `/`.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Accepts `url`, percent-encoding what is not ASCII.
    ///
    /// # Errors
    /// `url` breaks a rule of the type, or is longer than [`Self::MAX_LEN`] once encoded.
    pub fn new(url: &str) -> Result<Self, Error> {
        let refused = |expected| Error::InvalidParameter { parameter: "return URL", expected, value: url.into() };
        match url.as_bytes() {
            [b'/', b'/' | b'\\', ..] => return Err(refused("a path on this host")),
            [b'/', ..] => {}
            _ => return Err(refused("a path from the root")),
        }
        if url.chars().any(char::is_control) {
            return Err(refused("free of control characters"));
        }
        let mut encoded = String::with_capacity(url.len());
        for byte in url.bytes() {
            match byte {
                b'!'..=b'~' => encoded.push(char::from(byte)),
                _ => encoded.push_str(&format!("%{byte:02X}")),
            }
        }
        if encoded.len() > Self::MAX_LEN {
            return Err(refused("at most 1536 bytes long"));
        }
        Ok(Self(encoded))
    }

    /// Accepts `url`, or returns to the root.
    pub fn or_root(url: &str) -> Self {
        Self::new(url).unwrap_or_else(|_| Self::root())
    }

    /// The path and query.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReturnUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sm_34_only_paths_on_this_origin() {
        for good in ["/", "/a", "/a/b?c=d&e=%2f#f", "/a//b", "/a\\b"] {
            assert_eq!(ReturnUrl::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "a",
            "?a",
            "//evil",
            "/\\evil",
            "\\\\evil",
            "https://evil/",
            "javascript:alert(1)",
            " /a",
            "/\t/evil",
            "/\n/evil",
            "/a\r\nSet-Cookie: x",
            "/\u{85}",
            "/\0",
        ] {
            assert!(ReturnUrl::new(bad).is_err(), "{bad:?}");
            assert_eq!(ReturnUrl::or_root(bad), ReturnUrl::root());
        }
        assert!(ReturnUrl::new(&format!("/{}", "a".repeat(ReturnUrl::MAX_LEN))).is_err());
        assert_eq!(ReturnUrl::new("/ü x").unwrap().as_str(), "/%C3%BC%20x");
    }

    proptest! {
        #[test]
        fn sm_34_a_browser_stays_on_the_origin(text in "[/\\\\a-z:@.?#\t\r\n%0-9 ü]{0,16}") {
            let base = url::Url::parse("https://rp.example/").unwrap();
            for candidate in [text.clone(), format!("/{text}")] {
                let target = base.join(ReturnUrl::or_root(&candidate).as_str()).unwrap();
                prop_assert_eq!(target.origin(), base.origin());
            }
        }
    }
}
