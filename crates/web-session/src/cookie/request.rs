//! The cookies of a request.

use http::header::{COOKIE, HeaderMap, HeaderValue};

/// A view of the cookies in a request's headers. Copying it is free and no look-up allocates.
///
/// Reads every `Cookie` header (HTTP/2 may split them), in the order in which they were sent. Anything is
/// accepted and nothing fails: pairs without `=` or without a name are skipped, white space around names and
/// values is dropped, and so is one pair of double quotes around a value.
///
/// A browser that holds several cookies of one name, set for different paths or domains, sends them all. The
/// one with the longest path comes first (RFC 6265 §5.4).
#[derive(Clone, Copy)]
pub struct RequestCookies<'h>(Source<'h>);

#[derive(Clone, Copy)]
enum Source<'h> {
    Headers(&'h HeaderMap),
    Values(&'h [HeaderValue]),
}

impl<'h> RequestCookies<'h> {
    /// The cookies in `headers`.
    pub fn new(headers: &'h HeaderMap) -> Self {
        Self(Source::Headers(headers))
    }

    /// The cookies in the values of `Cookie` headers that were kept aside.
    pub fn from_values(values: &'h [HeaderValue]) -> Self {
        Self(Source::Values(values))
    }

    /// Names and values as sent.
    pub fn iter(self) -> impl Iterator<Item = (&'h [u8], &'h [u8])> {
        self.lines().flat_map(|header| Pairs(header.as_bytes()))
    }

    fn lines(self) -> impl Iterator<Item = &'h HeaderValue> {
        let (headers, values) = match self.0 {
            Source::Headers(headers) => (Some(headers), &[][..]),
            Source::Values(values) => (None, values),
        };
        headers.into_iter().flat_map(|headers| headers.get_all(COOKIE)).chain(values)
    }

    /// The values of all cookies with this name; names compare exactly.
    pub fn values(self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.iter().filter(move |(sent, _)| *sent == name.as_bytes()).map(|(_, value)| value)
    }

    /// What there is besides the cookies with these names, as it was sent: what an application behind a proxy gets. Several
    /// headers become one (RFC 9113 §8.2.3); empty when nothing is left.
    pub fn without(self, is_own: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut rest = Vec::new();
        for line in self.lines() {
            let foreign = |pair: &&[u8]| !split_at_byte(b'=', pair).is_some_and(|(name, _)| is_own(name.trim_ascii()));
            let mut separator: &[u8] = if rest.is_empty() { b"" } else { b"; " };
            for pair in line.as_bytes().split(|byte| *byte == b';').filter(foreign) {
                let is_first = separator != b";";
                let pair = if is_first { pair.trim_ascii_start() } else { pair };
                if is_first && pair.is_empty() {
                    continue;
                }
                rest.extend_from_slice(separator);
                rest.extend_from_slice(pair);
                separator = b";";
            }
        }
        rest
    }

    /// The value that was sent first under this name.
    pub fn first(self, name: &str) -> Option<&'h [u8]> {
        self.values(name).next()
    }
}

impl std::fmt::Debug for RequestCookies<'_> {
    /// Names only: a session cookie is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

/// The pairs of one header.
struct Pairs<'h>(&'h [u8]);

impl<'h> Iterator for Pairs<'h> {
    type Item = (&'h [u8], &'h [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let (pair, rest) = split_at_byte(b';', self.0).unwrap_or((self.0, &[]));
            self.0 = rest;
            if let Some((name, value)) = split_at_byte(b'=', pair) {
                let name = name.trim_ascii();
                if !name.is_empty() {
                    return Some((name, unquoted(value.trim_ascii())));
                }
            }
        }
        None
    }
}

fn split_at_byte(byte: u8, text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, after) = text.split_at_checked(memchr::memchr(byte, text)?)?;
    Some((before, after.get(1..)?))
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (COOKIE, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn several_headers_are_one_list_in_order() {
        let headers = headers(&["a=1; b=2", "a=3;c=4"]);
        let cookies = RequestCookies::new(&headers);
        assert_eq!(cookies.values("a").collect::<Vec<_>>(), [b"1", b"3"]);
        assert_eq!(cookies.first("c"), Some(&b"4"[..]));
        assert_eq!(cookies.first("d"), None);
    }

    #[test]
    fn values_kept_aside_read_like_headers() {
        let values = [HeaderValue::from_static("a=1"), HeaderValue::from_static("b=2; a=3")];
        assert_eq!(RequestCookies::from_values(&values).values("a").collect::<Vec<_>>(), [b"1", b"3"]);
    }

    #[test]
    fn odd_pairs_are_skipped_or_trimmed() {
        let headers = headers(&["; ;=x;naked; spaced = v ;q=\"v\";e=;eq=a=b;;last=\"", " a = 1"]);
        let pairs: Vec<_> = RequestCookies::new(&headers)
            .iter()
            .map(|(name, value)| (std::str::from_utf8(name).unwrap(), std::str::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(pairs, [("spaced", "v"), ("q", "v"), ("e", ""), ("eq", "a=b"), ("last", "\""), ("a", "1")]);
    }

    #[test]
    fn names_compare_exactly() {
        let headers = headers(&["FedAuth1=x; fedauth=y; XFedAuth=z"]);
        assert_eq!(RequestCookies::new(&headers).first("FedAuth"), None);
    }

    #[test]
    fn what_is_left_without_some_is_as_it_was_sent() {
        let rest = |lines: &[&str]| {
            let rest = RequestCookies::new(&headers(lines)).without(|name| name == b"own" || name == b"own1");
            String::from_utf8(rest).unwrap()
        };
        for (sent, left) in [
            (
                "messages=\"[\\\"a\\054 b\\\"]\"; own=x; naked; own1=y;b = 2 ;;c=\"\"",
                "messages=\"[\\\"a\\054 b\\\"]\"; naked;b = 2 ;;c=\"\"",
            ),
            ("own=x; a=1", "a=1"),
            ("a=1; own=x", "a=1"),
            (" own = x ;a=1", "a=1"),
            ("own=x; own1=y", ""),
            ("own=x; ", ""),
            ("a=1;", "a=1;"),
            ("Own=x; own; xown=1; own2=2", "Own=x; own; xown=1; own2=2"),
        ] {
            assert_eq!(rest(&[sent]), left, "{sent}");
        }
        assert_eq!(rest(&["a=1; own=x", "own1=y", "b=\"2\";own=", "c"]), "a=1; b=\"2\"; c");
    }

    #[test]
    fn debug_shows_no_values() {
        let headers = headers(&["session=secret"]);
        assert_eq!(format!("{:?}", RequestCookies::new(&headers)), "[\"session\"]");
    }

    proptest! {
        #[test]
        fn cookies_that_go_leave_all_others_as_they_are(sent in "[ab=;\" ]{0,40}") {
            let all = headers(&[&sent]);
            let rest = RequestCookies::new(&all).without(|name| name == b"a");
            let left = HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(&rest).unwrap())]);
            let others: Vec<_> = RequestCookies::new(&all).iter().filter(|(name, _)| *name != b"a").collect();
            prop_assert_eq!(RequestCookies::new(&left).iter().collect::<Vec<_>>(), others);
        }

        #[test]
        fn any_header_parses(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let headers = HeaderMap::from_iter([(COOKIE, value)]);
                for (name, value) in RequestCookies::new(&headers).iter() {
                    prop_assert!(!name.is_empty() && !name.contains(&b';') && !value.contains(&b';'));
                }
            }
        }

        #[test]
        fn what_was_sent_is_found(pairs in proptest::collection::vec(("[a-zA-Z0-9_-]{1,8}", "[!#-+.-:<-\\[\\]-~]{0,20}"), 0..10)) {
            let header = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let headers = headers(&[&header]);
            let read: Vec<_> = RequestCookies::new(&headers).iter().collect();
            let sent: Vec<_> = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            prop_assert_eq!(read, sent);
        }
    }
}
