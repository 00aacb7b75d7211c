//! The token service's pages.

use askama::Template;

/// Posts the only form of the page.
pub(crate) use handstamp_ws_federation::FormPost;

/// User name and password.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage<'a> {
    /// The name of this service.
    pub(crate) service: &'a str,
    /// The application the user comes from.
    pub(crate) application: Option<&'a str>,
    /// What went wrong the last time.
    pub(crate) alert: Option<&'a str>,
    /// Where the form goes.
    pub(crate) action: &'a str,
    /// The other half of the browser's form cookie.
    pub(crate) csrf: &'a str,
    /// What was typed before.
    pub(crate) username: &'a str,
}

/// The token on its way back to the relying party.
#[derive(Debug, Template)]
#[template(path = "form_post.html")]
pub(crate) struct FormPostPage<'a> {
    pub(crate) service: &'a str,
    pub(crate) application: &'a str,
    pub(crate) action: &'a str,
    pub(crate) fields: Vec<(&'a str, &'a str)>,
}

/// The end of the session, with an image per relying party whose fetching tells it, and the way on.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub(crate) struct SignedOutPage<'a> {
    pub(crate) service: &'a str,
    pub(crate) cleanups: &'a [String],
    pub(crate) return_url: Option<&'a str>,
}

impl SignedOutPage<'_> {
    /// Goes on when every image has come or failed. The back button then skips this page.
    pub(crate) const SCRIPT: &'static str =
        "addEventListener('load',function(){location.replace(document.getElementById('on').href)})";
}

/// The front page, for people who come without being sent.
#[derive(Debug, Template)]
#[template(path = "sts_home.html")]
pub(crate) struct HomePage<'a> {
    pub(crate) service: &'a str,
    pub(crate) username: Option<&'a str>,
    pub(crate) sign_out: &'a str,
}
