//! The values of one claim type in one header: percent-encoded where they are not printable ASCII, joined with commas.
//!
//! ```
//! use handstamp_claims_headers::values;
//!
//! let text = values::join(["Müller, Hans", "100%"]).expect("two values");
//! assert_eq!(text, "M%C3%BCller%2C Hans,100%25");
//! assert_eq!(values::split(&text).expect("well formed"), ["Müller, Hans", "100%"]);
//! ```

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What is encoded inside a value: whatever is not printable ASCII, the comma between values, and the percent sign itself.
const ENCODED: &AsciiSet = &CONTROLS.add(b',').add(b'%');

/// The text that stands for `values`; none when there is no value.
pub fn join<'v>(values: impl IntoIterator<Item = &'v str>) -> Option<String> {
    let mut text = String::new();
    // Nothing fails to be written into a string.
    write(&mut text, values).unwrap_or(false).then_some(text)
}

/// Appends the text that stands for `values`, and says whether there was any value.
///
/// # Errors
/// Those of `text`.
pub fn write<'v>(text: &mut impl fmt::Write, values: impl IntoIterator<Item = &'v str>) -> Result<bool, fmt::Error> {
    let mut any = false;
    for value in values {
        if any {
            text.write_char(',')?;
        }
        any = true;
        if is_plain(value.as_bytes()) {
            text.write_str(value)?;
        } else {
            write_encoded(text, value)?;
        }
    }
    Ok(any)
}

/// Whether a value stands for itself, as nearly all do.
fn is_plain(value: &[u8]) -> bool {
    let spaced = value.first() == Some(&b' ') || value.last() == Some(&b' ');
    !spaced && value.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'%'))
}

/// Spaces at the ends are encoded too, because HTTP takes them off there.
fn write_encoded(text: &mut impl fmt::Write, value: &str) -> fmt::Result {
    let inner = value.trim_start_matches(' ');
    (inner.len()..value.len()).try_for_each(|_| text.write_str("%20"))?;
    let core = inner.trim_end_matches(' ');
    utf8_percent_encode(core, ENCODED).try_for_each(|part| text.write_str(part))?;
    (core.len()..inner.len()).try_for_each(|_| text.write_str("%20"))
}

/// The values that a text stands for; none when no [`join`] wrote it.
pub fn split(text: &str) -> Option<Vec<String>> {
    text.split(',').map(|part| percent_decode_str(part).decode_utf8().ok().map(Cow::into_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_joined_is_printable_and_splits_again(values in proptest::collection::vec(any::<String>(), 1..5)) {
            let text = join(values.iter().map(String::as_str)).expect("at least one");
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim() == text);
            prop_assert_eq!(split(&text).expect("well formed"), values);
        }
    }

    #[test]
    fn no_value_is_no_text() {
        assert_eq!(join([]), None);
        assert_eq!(split("%FF"), None);
        assert_eq!(join(["  a ", " "]).as_deref(), Some("%20%20a%20,%20"));
        assert_eq!(join(["", "a b", "c,d"]).as_deref(), Some(",a b,c%2Cd"));
    }
}
