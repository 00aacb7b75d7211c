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

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What is encoded inside a value: whatever is not printable ASCII, the comma between values, and the percent sign itself.
const ENCODED: &AsciiSet = &CONTROLS.add(b',').add(b'%');

/// The text that stands for `values`; none when there is no value.
pub fn join<'v>(values: impl IntoIterator<Item = &'v str>) -> Option<String> {
    let mut values = values.into_iter();
    let mut text = String::new();
    push(&mut text, values.next()?);
    for value in values {
        text.push(',');
        push(&mut text, value);
    }
    Some(text)
}

/// Spaces at the ends are encoded too, because HTTP takes them off there.
fn push(text: &mut String, value: &str) {
    let core = value.trim_start_matches(' ');
    text.extend((core.len()..value.len()).map(|_| "%20"));
    let value = core;
    let core = value.trim_end_matches(' ');
    text.extend(utf8_percent_encode(core, ENCODED));
    text.extend((core.len()..value.len()).map(|_| "%20"));
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
