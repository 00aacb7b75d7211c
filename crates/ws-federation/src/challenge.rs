//! Whether an unauthenticated request is worth a redirect to the issuer.

/// What a request says about itself; headers as they came, none when absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestKind<'r> {
    /// The HTTP method.
    pub method: &'r str,
    /// `Accept`.
    pub accept: Option<&'r str>,
    /// `Sec-Fetch-Mode`.
    pub sec_fetch_mode: Option<&'r str>,
    /// `Sec-Fetch-Dest`.
    pub sec_fetch_dest: Option<&'r str>,
    /// `X-Requested-With`.
    pub x_requested_with: Option<&'r str>,
}

impl RequestKind<'_> {
    /// Whether a person waits for this page at the top of a tab (SM-32), so that a redirect makes sense.
    ///
    /// A GET that accepts `text/html`, was not made by a script, and, where the browser says so, navigates the
    /// top-level document. Everything else gets 401: a script cannot sign in, and a POST would lose its body.
    ///
    /// ```
    /// use handstamp_ws_federation::RequestKind;
    ///
    /// let page = RequestKind { method: "GET", accept: Some("text/html,*/*;q=0.8"), ..RequestKind::default() };
    /// assert!(page.is_navigation());
    /// assert!(!RequestKind { sec_fetch_mode: Some("cors"), ..page }.is_navigation());
    /// ```
    pub fn is_navigation(&self) -> bool {
        self.method == "GET"
            && self.accept.is_some_and(accepts_html)
            && self.sec_fetch_mode.is_none_or(|mode| mode.eq_ignore_ascii_case("navigate"))
            && self.sec_fetch_dest.is_none_or(|dest| dest.eq_ignore_ascii_case("document"))
            && !self.x_requested_with.is_some_and(|with| with.eq_ignore_ascii_case("XMLHttpRequest"))
    }
}

fn accepts_html(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("text/html"));
        named && !parts.any(|p| p.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm_32_only_top_level_navigations_are_redirected() {
        let page = RequestKind {
            method: "GET",
            accept: Some("text/html,application/xhtml+xml"),
            sec_fetch_mode: Some("navigate"),
            sec_fetch_dest: Some("document"),
            x_requested_with: None,
        };
        assert!(page.is_navigation());
        for other in [
            RequestKind { method: "POST", ..page },
            RequestKind { method: "HEAD", ..page },
            RequestKind { accept: None, ..page },
            RequestKind { accept: Some("*/*"), ..page },
            RequestKind { accept: Some("application/json"), ..page },
            RequestKind { accept: Some("text/html;q=0, application/json"), ..page },
            RequestKind { sec_fetch_mode: Some("no-cors"), ..page },
            RequestKind { sec_fetch_dest: Some("iframe"), ..page },
            RequestKind { x_requested_with: Some("XMLHttpRequest"), ..page },
        ] {
            assert!(!other.is_navigation(), "{other:?}");
        }
        assert!(RequestKind { accept: Some("text/HTML ; q=0.9"), ..page }.is_navigation());
    }
}
