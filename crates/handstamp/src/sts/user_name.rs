//! Names people sign in with.

use super::Error;
use std::fmt;

/// A user name as it was typed, and the key it is found by: surrounding space does not count, letter case neither.
#[derive(Debug, Clone)]
pub struct UserName {
    text: String,
    key: String,
}

impl UserName {
    /// The greatest length in characters.
    pub const MAX_CHARACTERS: usize = 128;

    /// Reads what was typed.
    ///
    /// # Errors
    /// [`Error::InvalidUserName`] for an empty or overlong name, and one with control characters.
    pub fn parse(typed: &str) -> Result<Self, Error> {
        let text = typed.trim();
        // Four bytes a character at most: long texts are refused before their characters are counted.
        let fits = !text.is_empty()
            && text.len() <= 4 * Self::MAX_CHARACTERS
            && text.chars().count() <= Self::MAX_CHARACTERS
            && !text.chars().any(char::is_control);
        if !fits {
            return Err(Error::InvalidUserName);
        }
        Ok(Self { text: text.to_owned(), key: text.to_lowercase() })
    }

    /// The name as typed, without surrounding space.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The key under which the account is kept.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl PartialEq for UserName {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for UserName {}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::UserName;

    #[test]
    fn case_and_surrounding_space_do_not_count() {
        let typed = UserName::parse("  Alice@Example.com ").unwrap();
        assert_eq!(typed, UserName::parse("alice@example.COM").unwrap());
        assert_eq!(typed.as_str(), "Alice@Example.com");
        assert_eq!(UserName::parse("ÉMILE").unwrap().key(), "émile");
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        for typed in ["", "   ", "a\nb", "a\0b", &"x".repeat(129), &"𝄞".repeat(129)] {
            assert!(UserName::parse(typed).is_err(), "{typed:?}");
        }
        assert!(UserName::parse(&"𝄞".repeat(128)).is_ok());
    }
}
