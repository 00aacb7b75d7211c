//! `handstamp doctor`: why a cookie, a sign-in or a message fails, in words.
//!
//! It looks with the parts that serve ([`examination`](crate::gateway::examination)), so that it says what the gateway would say, and
//! adds what the gateway tells nobody: which key, which check, both clocks, and what to do.

pub(crate) mod evidence;
mod remedy;

use std::fmt::Write;

use handstamp_keys::{KeyInfo, KeyState};
use handstamp_saml::AcceptedToken;
use handstamp_session_token::SessionSecurityToken;
use handstamp_time::Timestamp;
use handstamp_web_session::module::Decision;
use handstamp_ws_federation::Error as FederationError;

use crate::config::format_duration;
use crate::gateway::examination::{Examiner, SealedCookie, SessionExamination, SignInExamination};
use evidence::Evidence;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    text: String,
    /// Whether everything that was looked at is good.
    failed: bool,
}

impl Report {
    /// The findings, one a line.
    pub(crate) fn text(&self) -> &str {
        self.text.trim_end()
    }

    /// Whether something is wrong.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    fn say(&mut self, text: impl std::fmt::Display) {
        let _ = writeln!(self.text, "{text}");
    }

    fn fail(&mut self, code: &str, problem: impl std::fmt::Display) {
        self.failed = true;
        self.say(format_args!("  FAILS {code}: {problem}"));
        if let Some(remedy) = remedy::of(code) {
            self.say(format_args!("  TO DO {remedy}"));
        }
    }
}

/// Looks at everything that was captured.
pub(crate) async fn examine(examiner: &Examiner, evidence: &[Evidence], now: Timestamp) -> Report {
    let mut report = Report::default();
    report.say(format_args!("The clock here says {now}."));
    for piece in evidence {
        report.say(format_args!("\n{}", capitalized(&piece.source)));
        let sessions = examiner.sessions(&piece.head, now).await;
        if sessions.is_empty() && piece.form.is_none() {
            let names: Vec<String> = cookie_names(piece);
            report.failed = true;
            report.say(if names.is_empty() {
                "  FAILS no cookie was sent: the browser has none for this address. Look at domain, path, Secure and \
                 SameSite of the cookie that sign-in sets"
                    .to_owned()
            } else {
                format!("  FAILS no session cookie is among the cookies sent: {}", names.join(", "))
            });
        }
        for session in &sessions {
            examine_session(&mut report, examiner, session, now);
        }
        if let Some(form) = &piece.form {
            examine_sign_in(&mut report, examiner, form, now);
        }
    }
    report
}

fn cookie_names(piece: &Evidence) -> Vec<String> {
    handstamp_web_session::cookie::RequestCookies::new(&piece.head.headers)
        .iter()
        .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
        .collect()
}

fn examine_session(report: &mut Report, examiner: &Examiner, session: &SessionExamination, now: Timestamp) {
    report.say(format_args!("  Session of federation {}", session.federation));
    for cookie in &session.cookies {
        describe_cookie(report, examiner, cookie, now);
    }
    match &session.decision {
        Decision::Active(active) => describe_token(report, active.token(), now, "is good"),
        Decision::Renew(_) => report.say("  GOOD and due for renewal: the next answer sets a younger cookie"),
        Decision::Expired(token) => {
            describe_token(report, token, now, "is over");
            let ago = now.saturating_duration_since(token.valid_to());
            let problem =
                format!("the session ended at {}, {} before the clock here", token.valid_to(), format_duration(ago));
            report.fail("ID4255", problem);
        }
        Decision::Drop(error) | Decision::Reject(error) => report.fail(error.code(), error),
        Decision::Anonymous | Decision::Fetch(_) => {
            report.fail("HST-DOCTOR-NOTHING", "nothing in these cookies is a session");
        }
        _ => report.fail("HST-DOCTOR-NOTHING", "nothing can be said of this session"),
    }
}

fn describe_cookie(report: &mut Report, examiner: &Examiner, cookie: &SealedCookie, now: Timestamp) {
    if let Some(problem) = &cookie.problem {
        return report.say(format_args!("  Cookie {}: its pieces do not join: {problem}", cookie.name));
    }
    let mut line = format!("  Cookie {}, a token of {} bytes", cookie.name, cookie.bytes);
    match &cookie.key {
        Some((id, Some(key))) => {
            let _ = write!(line, ", sealed with key {id}: {}", state(key));
        }
        Some((id, None)) => {
            let known: Vec<String> = examiner.keys(now).iter().map(|key| key.id.to_string()).collect();
            let _ = write!(line, ", sealed with key {id}, which is not in the key ring here ({})", known.join(", "));
        }
        None => line.push_str(", not in the native format"),
    }
    report.say(line);
}

fn state(key: &KeyInfo) -> String {
    let word = match key.state {
        KeyState::Pending => "about to take over",
        KeyState::Current => "the current key",
        KeyState::Accepted => "a previous key that still opens",
        KeyState::Retired => "retired",
        KeyState::Revoked => "revoked",
    };
    format!("{word}, made {}", key.created)
}

fn describe_token(report: &mut Report, token: &SessionSecurityToken, now: Timestamp, verdict: &str) {
    let good = if verdict == "is good" { "GOOD" } else { "READ" };
    report.say(format_args!(
        "  {good} session {} {verdict}: signed in {}, valid from {} to {}",
        token.context_id().fingerprint(),
        token.signed_in_at(),
        token.valid_from(),
        token.valid_to()
    ));
    if token.valid_from() > now {
        report.say("       its time begins after the clock here: a clock is wrong, here or at the node that made it");
    }
}

fn examine_sign_in(report: &mut Report, examiner: &Examiner, form: &str, now: Timestamp) {
    let answers = match examiner.sign_ins(form, now) {
        Ok(answers) => answers,
        Err(error) => return report.fail(error.code(), error),
    };
    for SignInExamination { federation, issuer, verdict } in answers {
        report.say(format_args!("  Answer of an issuer, as federation {federation} takes it from {issuer}"));
        match verdict {
            Ok(token) => describe_assertion(report, &token, now),
            Err(error) => report.fail(error.code(), explained(&error)),
        }
    }
}

fn describe_assertion(report: &mut Report, token: &AcceptedToken, now: Timestamp) {
    report.say(format_args!(
        "  GOOD assertion {} of {}, signed with the certificate {} (SHA-256 {})",
        token.assertion.id,
        token.issuer,
        token.certificate.subject(),
        hex(token.certificate.sha256_thumbprint())
    ));
    if let Some(end) = token.expires_at {
        report.say(format_args!(
            "       valid until {end}, {} from now",
            format_duration(end.saturating_duration_since(now))
        ));
    }
    report.say("       in the gateway it counts once, and only in the browser that asked for it (wctx and its cookie)");
}

fn explained(error: &FederationError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        let more = error.to_string();
        if !text.contains(&more) {
            let _ = write!(text, ": {more}");
        }
        next = error.source();
    }
    text
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
