//! .NET's text form of a duration, as it stands in configuration files.

use crate::Error;
use std::time::Duration;

/// Reads `[d.]hh:mm:ss[.fffffff]` (ST §4.2). A sign is not accepted: no setting takes a negative span.
pub fn parse_time_span(text: &str) -> Result<Duration, Error> {
    parse(text.trim()).ok_or_else(|| Error::NotATimeSpan(text.to_owned()))
}

/// Writes the form that [`parse_time_span`] reads, without needless parts.
pub fn format_time_span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut text = if days > 0 { format!("{days}.") } else { String::new() };
    text += &format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    let ticks = span.subsec_nanos() / 100;
    if ticks > 0 {
        text += &format!(".{ticks:07}");
    }
    text
}

fn parse(text: &str) -> Option<Duration> {
    let (whole, fraction) = match text.rsplit_once('.') {
        Some((whole, fraction)) if whole.contains(':') => (whole, Some(fraction)),
        _ => (text, None),
    };
    let mut parts = whole.rsplit(':');
    let (seconds, minutes, hours) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let bounded = |digits: &str, width: usize, limit: u64| {
        (!digits.is_empty() && digits.len() <= width && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse::<u64>().ok())
            .flatten()
            .filter(|n| *n < limit)
    };
    let days = bounded(days, 8, 10_675_200)?;
    let total =
        days * 86_400 + bounded(hours, 2, 24)? * 3600 + bounded(minutes, 2, 60)? * 60 + bounded(seconds, 2, 60)?;
    let nanos = match fraction {
        None => 0,
        Some(digits) => bounded(digits, 7, 10_000_000)? * 10u64.pow(9 - digits.len() as u32),
    };
    Some(Duration::new(total, nanos as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_configuration_files_hold() {
        for (text, seconds, nanos) in [
            ("10:00:00", 36_000, 0),
            ("00:05:00", 300, 0),
            ("1.02:03:04.5000000", 93_784, 500_000_000),
            ("10675199.02:48:05.4775807", 922_337_203_685, 477_580_700),
        ] {
            let span = parse_time_span(text).unwrap();
            assert_eq!(span, Duration::new(seconds, nanos), "{text}");
            assert_eq!(format_time_span(span), text);
        }
        assert_eq!(parse_time_span("0:0:0").unwrap(), Duration::ZERO);
        assert_eq!(parse_time_span(" 0:1:0.25 ").unwrap(), Duration::from_millis(60_250));
    }

    #[test]
    fn refuses_everything_else() {
        for text in
            ["", "10", "1:2", "24:00:00", "-01:00:00", "00:60:00", "00:00:00.", "1.2.3:00:00", "1:2:3:4", "a:00:00"]
        {
            assert_eq!(parse_time_span(text), Err(Error::NotATimeSpan(text.to_owned())), "{text}");
        }
    }
}
