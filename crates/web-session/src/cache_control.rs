//! Keeping responses with session cookies out of shared caches.

use http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};

/// Makes a response that sets a session cookie safe: a shared cache must not hand one user's cookie to another.
///
/// A response that already is `private` or `no-store` stays as it is; one without `Cache-Control` becomes `no-store`;
/// any other becomes `private, no-cache`.
pub(crate) fn protect(headers: &mut HeaderMap) {
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return;
    }
    let safe = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|directive| directive.eq_ignore_ascii_case(b"private") || directive.eq_ignore_ascii_case(b"no-store"));
    if !safe {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_caches_never_keep_a_session_cookie() {
        for (before, after) in [
            (&[][..], "no-store"),
            (&["public, max-age=60"], "private, no-cache"),
            (&["max-age=60, s-maxage=600"], "private, no-cache"),
            (&["private=\"X-Secret\""], "private, no-cache"),
            (&["no-cache"], "private, no-cache"),
            (&["max-age=60,Private"], "max-age=60,Private"),
            (&["NO-STORE"], "NO-STORE"),
        ] {
            let mut headers: HeaderMap =
                before.iter().map(|value| (CACHE_CONTROL, HeaderValue::from_static(value))).collect();
            protect(&mut headers);
            let values: Vec<_> = headers.get_all(CACHE_CONTROL).iter().collect();
            assert_eq!(values, [after], "{before:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(CACHE_CONTROL, HeaderValue::from_static("max-age=1"));
        headers.append(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        protect(&mut headers);
        assert_eq!(headers.get_all(CACHE_CONTROL).iter().count(), 2);
    }
}
