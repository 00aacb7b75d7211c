//! Text of a stranger in our messages.

use std::fmt;

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

/// Several texts, the first few of them.
#[derive(Clone, PartialEq, Eq)]
pub struct UntrustedList(Vec<Untrusted>);

impl<'t> FromIterator<&'t str> for UntrustedList {
    fn from_iter<I: IntoIterator<Item = &'t str>>(texts: I) -> Self {
        Self(texts.into_iter().take(4).map(Untrusted::from).collect())
    }
}

impl fmt::Display for UntrustedList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, text) in self.0.iter().enumerate() {
            write!(f, "{}{text}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for UntrustedList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_is_quoted_and_cut() {
        assert_eq!(Untrusted::from("a\n\"\u{1b}b").to_string(), r#""a\n\"\u{1b}b""#);
        assert_eq!(Untrusted::from("é".repeat(500).as_str()).to_string().chars().count(), 83);
        assert_eq!(["a", "b"].into_iter().collect::<UntrustedList>().to_string(), r#""a", "b""#);
    }
}
