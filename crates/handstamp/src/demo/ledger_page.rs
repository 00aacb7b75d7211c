//! The page that draws the ledger's live sessions.

use super::ledger::{LiveSession, LiveSessions};
use crate::config::format_duration;
use crate::pages::{ContentPolicy, respond};
use askama::Template;
use handstamp_time::Timestamp;
use http::{Response, StatusCode};
use std::time::Duration;

/// Where the page is.
pub(super) const LEDGER_PATH: &str = "/ledger";

/// What the page says about the ledger besides its sessions.
#[derive(Debug, Clone)]
pub(super) struct LedgerPage {
    pub(super) address: String,
    pub(super) command: String,
}

#[derive(Debug, Template)]
#[template(path = "demo/ledger.html")]
struct Drawing<'a> {
    home: &'a str,
    here: &'a str,
    address: &'a str,
    command: &'a str,
    width: u32,
    height: usize,
    started: u32,
    now: u32,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    caller: String,
    context: String,
    count: u64,
    left: String,
    survived: bool,
    remembered: bool,
    from: u32,
    length: u32,
    dots: Vec<u32>,
    text_y: usize,
    bar_y: usize,
    dot_y: usize,
}

/// The drawing's width, and where its time begins, in its own units.
const WIDTH: u32 = 800;
const MARGIN: u32 = 120;
const ROW: usize = 34;

impl LedgerPage {
    pub(super) fn show(&self, sessions: &LiveSessions, now: Timestamp) -> Response<String> {
        let live = sessions.live(now);
        let first = live.iter().map(|session| session.issued).chain([sessions.started()]).min().unwrap_or(now);
        // Time to come takes a fifth of the width, for an end may be far away.
        let past = now.saturating_duration_since(first).max(Duration::from_secs(60));
        let scale = Scale { first, past };
        let rows = live.iter().enumerate().map(|(index, session)| scale.row(index, session, now)).collect();
        let page = Drawing {
            home: "/",
            here: LEDGER_PATH,
            address: &self.address,
            command: &self.command,
            width: WIDTH,
            height: live.len() * ROW,
            started: scale.x(sessions.started()),
            now: scale.x(now),
            rows,
        };
        respond(StatusCode::OK, &page, &ContentPolicy::default())
    }
}

struct Scale {
    first: Timestamp,
    past: Duration,
}

impl Scale {
    /// Linear up to now; what is later stands at the right edge.
    fn x(&self, at: Timestamp) -> u32 {
        let room = f64::from(WIDTH - MARGIN);
        let share = at.saturating_duration_since(self.first).as_secs_f64() / self.past.as_secs_f64() * 0.8;
        MARGIN + (share.min(1.0) * room) as u32
    }

    fn row(&self, index: usize, session: &LiveSession, now: Timestamp) -> Row {
        let top = index * ROW;
        let (from, to) = (self.x(session.issued), self.x(session.expires));
        let left = session.expires.saturating_duration_since(now);
        Row {
            caller: session.caller.chars().take(14).collect(),
            context: session.context.clone(),
            count: session.count,
            left: format_duration(Duration::from_secs(left.as_secs().next_multiple_of(60))),
            survived: session.survived,
            remembered: session.is_remembered,
            from,
            length: to.saturating_sub(from).max(14),
            dots: session.messages.iter().map(|at| self.x(*at)).collect(),
            text_y: top + 22,
            bar_y: top + 10,
            dot_y: top + 17,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_page_draws_each_session_and_says_which_survived() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (started, now) = (at("2030-01-01T08:10:00Z"), at("2030-01-01T08:20:00Z"));
        let sessions = LiveSessions::new(started, |_| HashMap::new());
        let page = LedgerPage { address: "http://localhost:1/ledger".into(), command: "call <it>".into() };
        let empty = page.show(&sessions, now);
        assert!(empty.body().contains("call &#60;it&#62;") && !empty.body().contains("<svg id"));
        sessions.note_for_test("urn:old", at("2030-01-01T08:00:00Z"), at("2030-01-01T18:00:00Z"), now);
        sessions.note_for_test("urn:new", at("2030-01-01T08:15:00Z"), at("2030-01-01T18:15:00Z"), now);
        let drawn = page.show(&sessions, now);
        for text in ["urn:old", "urn:new", "<circle", "ada &#60;b&#62;", "9h40m"] {
            assert!(drawn.body().contains(text), "{text} is missing in {}", drawn.body());
        }
        assert_eq!(drawn.body().matches("older than this process").count(), 1);
    }
}
