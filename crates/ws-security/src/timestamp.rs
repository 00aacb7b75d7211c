//! `wsu:Timestamp`: read strictly, checked against a clock (SC 8.4, 13.1).

use crate::error::Error;
use handstamp_time::Timestamp;
use handstamp_xml::{Element, names};
use std::time::Duration;

/// The two times of a `wsu:Timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageTimestamp {
    /// When the message was made.
    pub created: Timestamp,
    /// Until when it is good.
    pub expires: Option<Timestamp>,
}

/// How far clocks may differ, and how old a message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// `maxClockSkew`. Default 5 minutes.
    pub max_clock_skew: Duration,
    /// `replayWindow`: how old a message may be by its `Created`, besides the skew. Default 5 minutes.
    pub replay_window: Duration,
}

/// Five minutes each.
impl Default for Freshness {
    fn default() -> Self {
        Self { max_clock_skew: Duration::from_secs(300), replay_window: Duration::from_secs(300) }
    }
}

impl MessageTimestamp {
    /// Reads a `wsu:Timestamp`: `Created`, then at most one `Expires`, both with a time zone, and nothing else.
    pub fn parse(element: Element<'_>) -> Result<Self, Error> {
        let mut children = element.children().peekable();
        let created = children.next().filter(|child| child.is(names::WSU, "Created"));
        let created = created.ok_or_else(|| malformed("it does not start with Created"))?;
        let expires = children.next_if(|child| child.is(names::WSU, "Expires"));
        if children.next().is_some() {
            return Err(malformed("it holds something besides Created and Expires"));
        }
        Ok(Self { created: date_time(created)?, expires: expires.map(date_time).transpose()? })
    }

    /// The five rules of SC 13.1. `Created` and `Expires` are compared with `now`, each widened by the skew.
    ///
    /// # Errors
    /// [`Error::Stale`], which names the rule.
    pub fn check(&self, now: Timestamp, freshness: &Freshness) -> Result<(), Error> {
        let Freshness { max_clock_skew: skew, replay_window } = *freshness;
        let problem = if self.expires.is_some_and(|expires| expires <= self.created) {
            "malformed, it expires before it was created,"
        } else if self.expires.is_some_and(|expires| expires <= now.saturating_sub(skew)) {
            "expired"
        } else if self.created >= now.saturating_add(skew) {
            "of the future"
        } else if self.created <= now.saturating_sub(replay_window.saturating_add(skew)) {
            "older than the replay window"
        } else {
            return Ok(());
        };
        Err(Error::Stale { created: self.created, expires: self.expires, now, skew_seconds: skew.as_secs(), problem })
    }
}

fn date_time(element: Element<'_>) -> Result<Timestamp, Error> {
    let text = element.text();
    let text = text.trim();
    // A time without a zone means another instant on every receiver.
    let time = text.split_once('T').map(|(_, time)| time).unwrap_or_default();
    if !time.ends_with('Z') && !time.contains(['+', '-']) {
        return Err(malformed("a time has no time zone"));
    }
    text.parse().map_err(|_| malformed("a time is not an xs:dateTime"))
}

fn malformed(problem: &str) -> Error {
    Error::malformed("SC 13.1", "Timestamp", problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_xml::{Document, ParseOptions};

    fn read(content: &str) -> Result<MessageTimestamp, Error> {
        let text = format!("<u:Timestamp xmlns:u='{}'>{content}</u:Timestamp>", names::WSU);
        MessageTimestamp::parse(Document::parse(text, &ParseOptions::default()).unwrap().root())
    }

    fn seconds(base: Timestamp, offset: i64) -> Timestamp {
        let span = Duration::from_secs(offset.unsigned_abs());
        if offset < 0 { base.saturating_sub(span) } else { base.saturating_add(span) }
    }

    /// SC-80.
    #[test]
    fn sc_13_1_boundaries_are_those_that_wcf_was_seen_to_have() {
        let now: Timestamp = "2026-11-21T17:23:13.397Z".parse().unwrap();
        let holds = |created: i64, expires: Option<i64>| {
            let stamp = MessageTimestamp { created: seconds(now, created), expires: expires.map(|e| seconds(now, e)) };
            stamp.check(now, &Freshness::default()).is_ok()
        };
        assert!(holds(-599, Some(9000)) && !holds(-601, Some(9000)));
        assert!(holds(299, Some(9000)) && !holds(301, Some(9000)));
        assert!(holds(-400, Some(-299)) && !holds(-400, Some(-301)));
        assert!(holds(0, None) && !holds(0, Some(-1)) && !holds(0, Some(0)));
    }

    #[test]
    fn sc_13_1_forms() {
        for good in ["2026-11-21T17:23:13Z", "2026-11-21T17:23:13.123456Z", "2026-11-21T19:23:13.123456789+02:00"] {
            assert!(read(&format!("<u:Created>{good}</u:Created>")).is_ok(), "{good}");
        }
        for bad in ["2026-11-21T17:23:13", "2026-11-21", "2026-11-21Z", ""] {
            assert!(read(&format!("<u:Created>{bad}</u:Created>")).is_err(), "{bad}");
        }
        let created = "<u:Created>2026-11-21T17:23:13Z</u:Created>";
        let expires = "<u:Expires>2026-11-21T17:28:13Z</u:Expires>";
        assert!(read(&format!("{created}{expires}")).is_ok());
        for bad in
            [expires.to_owned(), format!("{expires}{created}"), format!("{created}<x/>"), format!("{created}{created}")]
        {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}
