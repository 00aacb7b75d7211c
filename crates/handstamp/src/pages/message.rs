//! The page that says one thing: an error, a refusal, an end.

use askama::Template;
use http::StatusCode;
use std::borrow::Cow;

/// A heading, a few sentences, and what to do next.
///
/// ```
/// use handstamp::pages::{ContentPolicy, MessagePage, respond};
/// use http::StatusCode;
///
/// let page = MessagePage::new("You may not see this")
///     .status(StatusCode::FORBIDDEN)
///     .paragraph("You are signed in as alice, who has none of the roles this page asks for.")
///     .action("Sign in as somebody else", "/signout");
/// let response = respond(StatusCode::FORBIDDEN, &page, &ContentPolicy::default());
/// assert!(response.body().contains("You may not see this"));
/// ```
#[derive(Debug, Clone, Template)]
#[template(path = "message.html")]
pub struct MessagePage<'a> {
    brand: Cow<'a, str>,
    status: Option<StatusCode>,
    heading: Cow<'a, str>,
    paragraphs: Vec<Cow<'a, str>>,
    details: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    actions: Vec<Action<'a>>,
}

/// A link that looks like a button. The first of a page stands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action<'a> {
    /// What it says.
    pub label: Cow<'a, str>,
    /// Where it leads.
    pub href: Cow<'a, str>,
}

impl<'a> MessagePage<'a> {
    /// A page with only a heading.
    pub fn new(heading: impl Into<Cow<'a, str>>) -> Self {
        Self {
            brand: Cow::Borrowed("Handstamp"),
            status: None,
            heading: heading.into(),
            paragraphs: Vec::new(),
            details: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// Whose page it is, beside the mark. "Handstamp" unless told.
    pub fn brand(mut self, brand: impl Into<Cow<'a, str>>) -> Self {
        self.brand = brand.into();
        self
    }

    /// Shows an HTTP status above the heading.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds a sentence or two.
    pub fn paragraph(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.paragraphs.push(text.into());
        self
    }

    /// Adds a fact for whoever has to find the cause, such as a request id.
    pub fn detail(mut self, label: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.details.push((label.into(), value.into()));
        self
    }

    /// Adds something to do next.
    pub fn action(mut self, label: impl Into<Cow<'a, str>>, href: impl Into<Cow<'a, str>>) -> Self {
        self.actions.push(Action { label: label.into(), href: href.into() });
        self
    }
}
