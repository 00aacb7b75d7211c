//! What the page shows, taken from where it is known.

use askama::Template;
use handstamp_keys::{KeyInfo, KeyState};
use handstamp_secure_conversation::SessionInfo;
use handstamp_session_store::StoredSession;
use handstamp_time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::plot::{HEIGHT, Plot, WIDTH};
use super::{AdminPage, END_SECURE_SESSION, END_SESSION, END_USER, LISTED, TerminateSessions, fingerprint, user_of};
use crate::admin::{FederationMetrics, Metrics, SoapMetrics};
use crate::config::{Config, SessionMode, SoapMode, StoreKind, format_duration};

/// Everything at a glance.
#[derive(Debug, Template)]
#[template(path = "admin/overview.html")]
pub(super) struct Overview<'a> {
    operator: &'a str,
    sign_out: &'a str,
    end_session: &'static str,
    end_user: &'static str,
    end_secure_session: &'static str,
    width: usize,
    height: u64,
    plots: Vec<Plot>,
    federations: Vec<FederationRow>,
    soap: Vec<SoapRow>,
    callers: Vec<CallerRow>,
    /// None when the store does not answer.
    sessions: Option<Vec<SessionRow>>,
    in_memory: bool,
    keys: Vec<KeyRow>,
    next_rotation: String,
    issuers: Vec<IssuerRow>,
    rejections: Vec<RejectionRow>,
    codes: Vec<(&'static str, u64)>,
}

#[derive(Debug)]
struct FederationRow {
    name: String,
    mode: &'static str,
    active: u64,
    sign_ins: u64,
    slides: u64,
    overflows: u64,
    sign_outs: u64,
    expirations: u64,
    /// Sizes of tokens: what is the upper bound, how many, and how long the bar is, in percent.
    sizes: Vec<(String, u64, u64)>,
}

/// A SOAP route.
#[derive(Debug)]
struct SoapRow {
    name: String,
    mode: &'static str,
    active: u64,
    issued: u64,
    renewed: u64,
    cancelled: u64,
    messages: u64,
    faults: Vec<(String, u64)>,
}

/// A secure session of a SOAP route.
#[derive(Debug)]
struct CallerRow {
    route: String,
    caller: String,
    /// Whole, and as it is shown.
    context_id: Arc<str>,
    name: String,
    issued: String,
    last_message: String,
    left: String,
}

#[derive(Debug)]
struct SessionRow {
    name: String,
    user: String,
    signed_in: String,
    left: String,
}

#[derive(Debug)]
struct KeyRow {
    id: String,
    state: &'static str,
    current: bool,
    age: String,
    seals: u64,
    until: String,
}

#[derive(Debug)]
struct IssuerRow {
    name: String,
    sign_in_url: String,
    trust: String,
}

#[derive(Debug)]
struct RejectionRow {
    ago: String,
    code: &'static str,
    client: String,
    request: String,
}

/// Asks before something is done.
#[derive(Debug, Template)]
#[template(path = "admin/confirmation.html")]
pub(super) struct Confirmation<'a> {
    pub(super) heading: String,
    pub(super) text: &'static str,
    pub(super) action: &'static str,
    pub(super) fields: Vec<(&'static str, &'a str)>,
    pub(super) button: &'static str,
}

impl<'a> Overview<'a> {
    pub(super) fn new(
        page: &'a AdminPage,
        operator: &'a str,
        sessions: Option<&[StoredSession]>,
        now: Timestamp,
    ) -> Self {
        let history = page.metrics.history(now);
        let mut federations = Vec::new();
        page.metrics.each_federation(|name, metrics| federations.push(FederationRow::of(name, metrics, &page.config)));
        let mut soap = Vec::new();
        page.metrics.each_soap(|name, metrics| soap.push(SoapRow::of(name, metrics, &page.config)));
        let (codes, latest) = page.metrics.rejections();
        let mut codes: Vec<(&'static str, u64)> = codes.into_iter().collect();
        codes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let keys = page.keys.list(now);
        Self {
            operator,
            sign_out: page.access.federation().sign_out_path(),
            end_session: END_SESSION,
            end_user: END_USER,
            end_secure_session: END_SECURE_SESSION,
            width: WIDTH,
            height: HEIGHT,
            plots: vec![
                Plot::new("Sessions in use", &history, |sample| sample.active),
                Plot::new("Sign-ins", &history, |sample| sample.sign_ins),
                Plot::new("Sessions ended", &history, |sample| sample.ends),
                Plot::new("Rejections", &history, |sample| sample.rejections),
            ],
            federations,
            soap,
            callers: CallerRow::all(page, now),
            sessions: sessions.map(|sessions| sessions.iter().map(|session| SessionRow::of(session, now)).collect()),
            in_memory: page.config.store.kind == StoreKind::Memory,
            next_rotation: next_rotation(&keys, page.keys.policy().rotate_after, now),
            keys: keys.iter().rev().map(|key| KeyRow::of(key, now)).collect(),
            issuers: page
                .config
                .issuer
                .keys()
                .map(|name| IssuerRow::of(name, &page.config, &page.metrics, now))
                .collect(),
            rejections: latest
                .iter()
                .map(|rejection| RejectionRow {
                    ago: ago(rejection.at, now),
                    code: rejection.code,
                    client: rejection.request.map_or_else(|| "–".to_owned(), |(client, _)| client.to_string()),
                    request: rejection.request.map_or_else(|| "–".to_owned(), |(_, id)| id.to_string()),
                })
                .collect(),
            codes,
        }
    }
}

impl FederationRow {
    fn of(name: &str, metrics: &FederationMetrics, config: &Config) -> Self {
        let mode = config.federation.get(name).map(|federation| match federation.session.mode {
            SessionMode::SelfContained => "in the cookie",
            SessionMode::Reference => "in the store",
            SessionMode::Automatic => "in the cookie while it fits",
        });
        let most = metrics.bytes.ranges().map(|(_, count)| count).max().unwrap_or(0).max(1);
        let sizes = metrics.bytes.ranges().filter(|(_, count)| *count > 0).map(|(bound, count)| {
            let bound = bound.map_or_else(|| "larger".to_owned(), |bound| format!("up to {bound} bytes"));
            (bound, count, (count * 100).div_ceil(most))
        });
        Self {
            name: name.to_owned(),
            mode: mode.unwrap_or("no longer configured"),
            active: metrics.active.load(Ordering::Relaxed).max(metrics.seen.count()),
            sign_ins: metrics.sign_ins.value(),
            slides: metrics.slides.value(),
            overflows: metrics.overflows.value(),
            sign_outs: metrics.sign_outs.value() + metrics.issuer_sign_outs.value(),
            expirations: metrics.expirations.value(),
            sizes: sizes.collect(),
        }
    }
}

impl SoapRow {
    fn of(name: &str, metrics: &SoapMetrics, config: &Config) -> Self {
        let mode = config.soap.get(name).map(|route| match route.mode {
            SoapMode::Terminate => "clients' sessions end here",
            SoapMode::Initiate => "sessions with the service begin here",
        });
        Self {
            name: name.to_owned(),
            mode: mode.unwrap_or("no longer configured"),
            active: metrics.active(),
            issued: metrics.issued.value(),
            renewed: metrics.renewed.value(),
            cancelled: metrics.cancelled.value(),
            messages: metrics.messages.value(),
            faults: metrics.faults().into_iter().collect(),
        }
    }
}

impl CallerRow {
    /// The last ones to send a message, of all routes.
    fn all(page: &AdminPage, now: Timestamp) -> Vec<Self> {
        let of_route = |(route, sessions): (&String, &Arc<TerminateSessions>)| {
            let route = route.clone();
            sessions.list(now).into_iter().map(move |session| (route.clone(), session)).collect::<Vec<_>>()
        };
        let mut all: Vec<(String, SessionInfo)> = page.soap.iter().flat_map(of_route).collect();
        all.sort_by_key(|(_, session)| std::cmp::Reverse(session.last_message.unwrap_or(session.issued)));
        let row = |(route, session): (String, SessionInfo)| Self {
            route,
            caller: session.caller.unwrap_or_else(|| "–".to_owned()),
            name: session.context_id.trim_start_matches("urn:uuid:").to_owned(),
            context_id: session.context_id,
            issued: ago(session.issued, now),
            last_message: session.last_message.map_or_else(|| "–".to_owned(), |at| ago(at, now)),
            left: rounded(session.expires.saturating_duration_since(now)),
        };
        all.into_iter().take(LISTED).map(row).collect()
    }
}

impl SessionRow {
    fn of(session: &StoredSession, now: Timestamp) -> Self {
        Self {
            name: fingerprint(session),
            user: user_of(session).unwrap_or("–").to_owned(),
            signed_in: ago(session.signed_in_at, now),
            left: rounded(session.expires.saturating_duration_since(now)),
        }
    }
}

impl KeyRow {
    fn of(key: &KeyInfo, now: Timestamp) -> Self {
        let state = match key.state {
            KeyState::Pending => "opens, seals later",
            KeyState::Current => "seals and opens",
            KeyState::Accepted => "opens",
            KeyState::Revoked => "revoked",
            _ => "retired",
        };
        Self {
            id: key.id.to_string(),
            state,
            current: key.state == KeyState::Current,
            age: rounded(now.saturating_duration_since(key.created)),
            seals: key.seals,
            until: key.accepted_until.map_or_else(
                || "–".to_owned(),
                |until| match until > now {
                    true => format!("in {}", rounded(until.saturating_duration_since(now))),
                    false => ago(until, now),
                },
            ),
        }
    }
}

impl IssuerRow {
    fn of(name: &str, config: &Config, metrics: &Metrics, now: Timestamp) -> Self {
        let issuer = &config.issuer[name];
        let kinds = [
            (issuer.certificates.len(), "certificate file(s)"),
            (issuer.authorities.len(), "authority file(s)"),
            (issuer.fingerprints.len(), "SHA-256 fingerprint(s)"),
            (issuer.thumbprints.len(), "SHA-1 thumbprint(s)"),
        ];
        let mut trust: Vec<String> =
            kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}")).collect();
        if issuer.metadata.is_some() {
            trust.push(match metrics.metadata(name).found_good() {
                Some(at) => format!("its metadata, found good {}", ago(at, now)),
                None => "its metadata, which was never found good".to_owned(),
            });
        }
        let url = issuer.sign_in_url.as_ref().or(issuer.metadata.as_ref());
        let sign_in_url = url.map_or_else(String::new, |url| url.as_str().to_owned());
        Self { name: name.to_owned(), sign_in_url, trust: trust.join(", ") }
    }
}

/// When a fresh key is added: none waits, and the current one is old enough.
fn next_rotation(keys: &[KeyInfo], rotate_after: Duration, now: Timestamp) -> String {
    if let Some(pending) = keys.iter().find(|key| key.state == KeyState::Pending) {
        return format!("in {}", rounded(pending.current_from.saturating_duration_since(now)));
    }
    match keys.iter().find(|key| key.state == KeyState::Current) {
        Some(current) => {
            let at = current.current_from.saturating_add(rotate_after);
            if at > now { format!("in {}", rounded(at.saturating_duration_since(now))) } else { "now".to_owned() }
        }
        None => "now".to_owned(),
    }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", rounded(now.saturating_duration_since(at)))
}

/// As exact as people need it.
fn rounded(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let step = match seconds {
        0..=119 => 1,
        120..=86_399 => 60,
        _ => 3600,
    };
    format_duration(Duration::from_secs(seconds / step * step))
}

#[cfg(test)]
mod tests {
    use super::rounded;
    use std::time::Duration;

    #[test]
    fn times_are_as_exact_as_people_need_them() {
        for (seconds, words) in [(7, "7s"), (119, "1m59s"), (7_265, "2h1m"), (90_061, "1d1h")] {
            assert_eq!(rounded(Duration::from_secs(seconds)), words);
        }
    }
}
