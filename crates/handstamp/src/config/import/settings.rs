//! Elements and attributes of the old configuration, with their lines, read as the original reads them.

use std::time::Duration;

use handstamp_xml::Element;

/// One attribute of an element.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// `element/@attribute`, as written in the file.
    pub(super) path: String,
    /// The attribute's name in lower case: names are compared without case.
    pub(super) name: String,
    pub(super) value: String,
    pub(super) line: usize,
}

impl Setting {
    pub(super) fn boolean(&self) -> Result<bool, String> {
        match self.value.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be true or false".to_owned()),
        }
    }

    pub(super) fn duration(&self) -> Result<Duration, String> {
        if self.value.trim().starts_with('-') {
            return Err("must not be negative".to_owned());
        }
        time_span(self.value.trim()).ok_or_else(|| "must be a time span such as 10:00:00 or 1.00:00:00".to_owned())
    }
}

/// The attributes of `element`, without namespace declarations.
pub(super) fn settings(element: Element<'_>) -> Vec<Setting> {
    element
        .attributes()
        .map(|attribute| Setting {
            path: format!("{}/@{}", element.local_name(), attribute.local_name()),
            name: attribute.local_name().to_ascii_lowercase(),
            value: attribute.value().to_owned(),
            line: attribute_line(element, attribute.local_name()),
        })
        .collect()
}

/// The value of one attribute, its name compared without case.
pub(super) fn attribute<'d>(element: Element<'d>, name: &str) -> Option<&'d str> {
    element
        .attributes()
        .find(|attribute| attribute.local_name().eq_ignore_ascii_case(name))
        .map(handstamp_xml::Attribute::value)
}

/// The namespace of instructions that change a web.config when a site is published.
pub(super) const TRANSFORM: &str = "http://schemas.microsoft.com/XML-Document-Transform";

/// Attributes that every element may have and that set nothing.
pub(super) const LOCKS: [&str; 5] =
    ["lockattributes", "lockallattributesexcept", "lockelements", "lockallelementsexcept", "lockitem"];

/// `Handler` of `Some.Namespace.Handler, Assembly, Version=…`.
pub(super) fn simple_type_name(full: &str) -> &str {
    let class = full.split(',').next().unwrap_or(full).trim();
    class.rsplit('.').next().unwrap_or(class)
}

/// The simple name of an element's `type`; empty when there is none.
pub(super) fn type_of(element: Element<'_>) -> &str {
    attribute(element, "type").map(simple_type_name).unwrap_or_default()
}

/// Whether `element` has this name; element names have case in the original.
pub(super) fn named(element: Element<'_>, name: &str) -> bool {
    element.local_name() == name
}

/// The line on which `element` starts.
pub(super) fn line(element: Element<'_>) -> usize {
    line_at(element, 0)
}

fn line_at(element: Element<'_>, inside: usize) -> usize {
    let offset = element.source_range().start + inside;
    let before = element.document().source().as_bytes().get(..offset).unwrap_or_default();
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// The line of an attribute: its name stands outside of quotes, after white space.
fn attribute_line(element: Element<'_>, name: &str) -> usize {
    let source = element.source();
    let mut quote = None;
    for (at, byte) in source.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => break,
            (None, byte) if byte.is_ascii_whitespace() => {
                let rest = source.get(at + 1..).and_then(|rest| rest.strip_prefix(name));
                if rest.is_some_and(|rest| rest.trim_start().starts_with('=')) {
                    return line_at(element, at + 1);
                }
            }
            _ => {}
        }
    }
    line(element)
}

/// Reads `d` or `[d.]hh:mm[:ss[.fffffff]]`; less than a millisecond is dropped.
fn time_span(text: &str) -> Option<Duration> {
    let number = |text: &str, below: u64| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten().filter(|number| *number < below)
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (days, hours, minutes, seconds) = match parts.as_slice() {
        [days] => (number(days, 10_675_200)?, 0, 0, "0"),
        [hours, minutes, rest @ ..] if rest.len() < 2 => {
            let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
            let seconds = rest.first().copied().unwrap_or("0");
            (number(days, 10_675_200)?, number(hours, 24)?, number(minutes, 60)?, seconds)
        }
        _ => return None,
    };
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let seconds = number(seconds, 60)?;
    if fraction.len() > 7 {
        return None;
    }
    let ticks = number(&format!("{fraction:0<7}"), 10_000_000)?;
    let whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    Some(Duration::from_millis(whole * 1000 + ticks / 10_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read_as_dotnet_writes_them() {
        for (text, seconds) in
            [("10:00:00", 36_000), ("1.02:00:00", 93_600), ("0:0:0", 0), ("00:30", 1800), ("2", 172_800)]
        {
            assert_eq!(time_span(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(time_span("00:00:01.5"), Some(Duration::from_millis(1500)));
        assert!(time_span("10675199.02:48:05.4775807").is_some());
        for text in ["", "24:00:00", "1:60:00", "1:2:3:4", "x", "1:00:00.12345678", "+1:00:00", "1..2:00"] {
            assert_eq!(time_span(text), None, "{text}");
        }
    }

    #[test]
    fn an_attribute_is_found_on_its_own_line() {
        let document =
            handstamp_xml::Document::parse("<a\n x='\n y=1'\n y = \"2\"/>", &handstamp_xml::ParseOptions::default());
        let lines: Vec<usize> =
            document.iter().flat_map(|document| settings(document.root())).map(|setting| setting.line).collect();
        assert_eq!(lines, [2, 4]);
    }
}
