//! Parameters of media types (RFC 9110, 5.6.6).

use std::borrow::Cow;

/// The value of a parameter, without the quotes and escapes of a quoted string. The name is without case.
///
/// Unquoted values may hold what a token may not, since clients write actions so.
pub(super) fn of<'m>(media_type: &'m str, name: &str) -> Option<Cow<'m, str>> {
    let (_, mut rest) = media_type.split_once(';')?;
    loop {
        let end = rest.find(['=', ';'])?;
        let is_wanted = rest[..end].trim().eq_ignore_ascii_case(name);
        let (value, behind) = match rest[end..].strip_prefix('=') {
            Some(value) => split_value(value.trim_start()),
            None => (Cow::Borrowed(""), &rest[end..]),
        };
        if is_wanted {
            return Some(value);
        }
        (_, rest) = behind.split_once(';')?;
    }
}

/// The value at the start of a text, and what stands behind it.
fn split_value(text: &str) -> (Cow<'_, str>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, behind) = text.split_at(text.find(';').unwrap_or(text.len()));
        return (Cow::Borrowed(value.trim_end()), behind);
    };
    let mut unescaped = String::new();
    let mut rest = quoted;
    loop {
        let (plain, behind) = rest.split_at(rest.find(['"', '\\']).unwrap_or(rest.len()));
        let mut behind = behind.chars();
        match behind.next() {
            Some('\\') => {
                unescaped.push_str(plain);
                unescaped.extend(behind.next());
                rest = behind.as_str();
            }
            // Nothing was escaped.
            _ if unescaped.is_empty() => return (Cow::Borrowed(plain), behind.as_str()),
            _ => return (Cow::Owned(unescaped + plain), behind.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sc_04_a_parameter_is_a_token_or_a_quoted_string() {
        for (media_type, expected) in [
            ("application/soap+xml", None),
            ("application/soap+xml;", None),
            ("application/soap+xml; charset=utf-8", None),
            ("application/soap+xml; action", None),
            ("application/soap+xml; action=\"\"", Some("")),
            ("application/soap+xml;ACTION=urn:a/b?c=d ; charset=utf-8", Some("urn:a/b?c=d")),
            ("application/soap+xml; charset=utf-8; action=\"urn:a;b=c\"", Some("urn:a;b=c")),
            ("multipart/related; start-info=\"x; action=\\\"urn:no\\\"\"; action=\"urn:a\"", Some("urn:a")),
            ("application/soap+xml; note=\"; action=urn:no\" ; action = \"urn:a\"", Some("urn:a")),
            ("application/soap+xml; note; action=\"urn:a\"", Some("urn:a")),
            ("application/soap+xml; action=\"urn:\\\"a\\\\b\\\"\"", Some("urn:\"a\\b\"")),
            ("application/soap+xml; action=\"\\urn:a\"", Some("urn:a")),
            ("application/soap+xml; action=\"urn:open", Some("urn:open")),
            ("application/soap+xml; action=\"urn:open\\", Some("urn:open")),
        ] {
            assert_eq!(of(media_type, "action").as_deref(), expected, "{media_type}");
        }
    }
}
