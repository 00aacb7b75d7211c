//! Reads the attributes and children of one element, typed, and leaves none unread.

use crate::error::{Error, line_of};
use handstamp_xml::Element;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The largest `TimeSpan` of .NET, which `Infinite` stands for.
const LARGEST_SPAN: &str = "10675199.02:48:05.4775807";

/// What `Infinite` is where a number is needed: the largest span, cut to seconds. Adding it to an instant saturates.
pub(crate) const FOREVER: Duration = Duration::from_secs(922_337_203_685);

/// `int.MaxValue` milliseconds (finding 59).
const LONGEST_TIMER: Duration = Duration::from_millis(2_147_483_647);

/// What every element of a configuration may have: which of its content other files may not change.
const LOCKS: [&str; 5] =
    ["lockAllAttributesExcept", "lockAllElementsExcept", "lockAttributes", "lockElements", "lockItem"];

/// One element of a configuration. [`finish`](Self::finish) refuses what was not asked for.
pub(crate) struct Reader<'d> {
    element: Element<'d>,
    asked: Vec<&'static str>,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(element: Element<'d>) -> Self {
        Self { element, asked: Vec::new() }
    }

    pub(crate) fn error(&self, problem: impl Into<String>) -> Error {
        error_at(self.element, problem)
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Option<&'d str> {
        self.asked.push(name);
        self.element.attribute(name)
    }

    /// A word out of a list.
    pub(crate) fn word<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
        allowed: &str,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.text(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.wrong(name, value, allowed))
    }

    /// `true` or `false`, in any letter case.
    pub(crate) fn bool(&mut self, name: &'static str) -> Result<Option<bool>, Error> {
        let read = |value: &str| match value.trim() {
            value if value.eq_ignore_ascii_case("true") => Some(true),
            value if value.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        self.word(name, read, "true or false")
    }

    pub(crate) fn number(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Result<Option<u64>, Error> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.word(name, |value| value.trim().parse().ok().filter(|number| range.contains(number)), &allowed)
    }

    /// A number that fits into an `int` of .NET.
    pub(crate) fn count(&mut self, name: &'static str, least: u64) -> Result<Option<usize>, Error> {
        let number = self.number(name, least..=i32::MAX as u64)?;
        Ok(number.and_then(|number| usize::try_from(number).ok()))
    }

    /// A span, or `Infinite`, which is [`FOREVER`].
    pub(crate) fn span(&mut self, name: &'static str) -> Result<Option<Duration>, Error> {
        Ok(self.span_or_infinite(name)?.map(|span| span.unwrap_or(FOREVER)))
    }

    /// A span that a timer of .NET can measure, or `Infinite`.
    pub(crate) fn timer(&mut self, name: &'static str) -> Result<Option<Duration>, Error> {
        let read = |value: &str| match span_or_infinite(value)? {
            None => Some(FOREVER),
            Some(span) => (span <= LONGEST_TIMER).then_some(span),
        };
        self.word(name, read, "a time span up to 24.20:31:23.6470000, or Infinite")
    }

    /// A span, or `Infinite`, which is `Some(None)`.
    pub(crate) fn span_or_infinite(&mut self, name: &'static str) -> Result<Option<Option<Duration>>, Error> {
        self.word(name, span_or_infinite, "a time span like 00:05:00, or Infinite")
    }

    /// The children, each at most once and each of one of these names.
    pub(crate) fn children(&self, names: &[&str]) -> Result<Vec<Element<'d>>, Error> {
        let mut found: Vec<Element<'d>> = Vec::new();
        for child in self.element.children() {
            let name = child.local_name();
            if !names.contains(&name) {
                return Err(error_at(
                    child,
                    format!("<{}> is not known in <{}>", cut(name), self.element.local_name()),
                ));
            }
            if found.iter().any(|other| other.local_name() == name) {
                return Err(error_at(child, format!("<{name}> stands twice: keep one")));
            }
            found.push(child);
        }
        Ok(found)
    }

    /// Refuses attributes that nobody asked for.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let is_known = |name: &str| self.asked.contains(&name) || LOCKS.contains(&name);
        let unknown = self
            .element
            .attributes()
            .find(|attribute| !attribute.namespace().is_empty() || !is_known(attribute.local_name()));
        match unknown {
            None => Ok(()),
            Some(attribute) => Err(self.error(format!(
                "attribute {} is not known on <{}>: names are case-sensitive",
                cut(attribute.local_name()),
                self.element.local_name()
            ))),
        }
    }

    fn wrong(&self, name: &str, value: &str, allowed: &str) -> Error {
        self.error(format!("{name}={:?} is not possible: write {allowed}", cut(value)))
    }
}

/// An error that names the line on which the element starts.
pub(crate) fn error_at(element: Element<'_>, problem: impl Into<String>) -> Error {
    Error::Configuration { line: line_of(element), problem: problem.into() }
}

/// A span; none inside is `Infinite`, in any letter case.
fn span_or_infinite(value: &str) -> Option<Option<Duration>> {
    match value.trim() {
        LARGEST_SPAN => Some(None),
        value if value.eq_ignore_ascii_case("Infinite") => Some(None),
        value => span(value).map(Some),
    }
}

/// `[d.]hh:mm:ss[.fffffff]`, or a number of days.
fn span(value: &str) -> Option<Duration> {
    let value = value.trim();
    match value.parse::<u32>() {
        Ok(days) if days <= 10_675_199 => Some(Duration::from_secs(u64::from(days) * 86_400)),
        _ => handstamp_time::parse_time_span(value).ok(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}
