//! How applications may read a path: many are more generous than to take it as it was sent.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Gateway and application could disagree about what a path names, so that a rule for one path is passed under the name of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// A path in its most generous reading: percent-encodings decoded, `\` taken for a slash, several slashes for one, and segments
/// without their parameters (`;…`). None where that is the path as it was sent, as nearly always.
///
/// What begins with `/admin/` does so in every reading. So a path that lies below the same prefix as it was sent and in this reading
/// lies there for every application, whichever part of this it does.
///
/// # Errors
/// It has dot segments, or NUL: some applications resolve them, others do not, and prefixes mean nothing.
pub(super) fn generous(path: &str) -> Result<Option<String>, Ambiguous> {
    let bytes = path.as_bytes();
    let is_encoded = bytes.iter().any(|byte| matches!(byte, b'%' | b'\\' | b';'));
    if !is_encoded && !bytes.windows(2).any(|pair| pair == b"//") {
        let has_dots = bytes.contains(&b'.') && path.split('/').any(|segment| matches!(segment, "." | ".."));
        return if has_dots { Err(Ambiguous) } else { Ok(None) };
    }
    let decoded = decoded(path.as_bytes());
    if decoded.contains(&0) {
        return Err(Ambiguous);
    }
    let mut reading = Vec::with_capacity(decoded.len());
    for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or(segment);
        if name == b"." || name == b".." {
            return Err(Ambiguous);
        }
        if !name.is_empty() {
            reading.push(b'/');
            reading.extend_from_slice(name);
        }
    }
    let reading = String::from_utf8_lossy(&reading).into_owned();
    Ok((reading != path).then_some(reading))
}

/// So often something is decoded at most: by one server, and by another one behind it.
const DECODERS: usize = 3;

fn decoded(path: &[u8]) -> Cow<'_, [u8]> {
    let mut decoded = Cow::Borrowed(path);
    for _ in 0..DECODERS {
        match Cow::from(percent_decode(&decoded)) {
            Cow::Owned(again) => decoded = Cow::Owned(again),
            Cow::Borrowed(_) => break,
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_dot_segments_have_no_reading() {
        for path in [
            "/public/../private",
            "/public/%2e%2E/private",
            "/public/%252e%252e/private",
            "/public/..%2fprivate",
            "/public//../private",
            "/a/./b",
            "/a/..;x/b",
            "/a/..%3bx/b",
            "/a\\..\\b",
            "/a%5c..%5cb",
            "/..",
            "/a%00",
            "/a;%00",
        ] {
            assert_eq!(generous(path), Err(Ambiguous), "{path}");
        }
    }

    #[test]
    fn most_paths_are_read_as_they_were_sent() {
        for path in ["/", "/a.b/c..d", "/...", "/a:b/.well-known/x", "/a/b-c_d~e", "*", "/100%"] {
            assert_eq!(generous(path), Ok(None), "{path}");
        }
    }

    #[test]
    fn others_are_read_as_a_generous_application_may() {
        for (path, reading) in [
            ("/%61dmin/x", "/admin/x"),
            ("/%2561dmin/x", "/admin/x"),
            ("//admin//x", "/admin/x"),
            ("/%2fadmin", "/admin"),
            ("/;/admin", "/admin"),
            ("/admin%2fy", "/admin/y"),
            ("/admin%252fy", "/admin/y"),
            ("/admin;x=1/y;z", "/admin/y"),
            ("/admin%3bx", "/admin"),
            ("\\admin%5cy", "/admin/y"),
            ("/100%25", "/100%"),
            ("/%ff", "/\u{fffd}"),
        ] {
            assert_eq!(generous(path), Ok(Some(reading.to_owned())), "{path}");
        }
        let deep = format!("/%{}61", "25".repeat(30_000));
        assert!(generous(&deep).is_ok_and(|reading| reading.is_some_and(|reading| reading.len() > 59_000)));
    }
}
