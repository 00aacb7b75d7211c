//! Any text as a configuration of the gateway: every finding is one line and stands inside of the text; what is accepted can be
//! explained, and its cookies can be made. A comment in front changes nothing but the lines.
#![no_main]

use handstamp_fuzz::config::{self, Config, Federation, Finding, Findings};
use handstamp_web_session::cookie::{ChunkedCookieHandler, CookieSettings, SameSite};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

const FILE: &str = "/nowhere/handstamp.toml";

fuzz_target!(|text: &str| {
    let parsed = Config::parse(text, Path::new(FILE));
    match &parsed {
        Ok(config) => {
            let explanation = config.explain().to_string();
            assert!(explanation.chars().all(|letter| letter == '\n' || !letter.is_control()), "{explanation:?}");
            // What a session may last, a key must.
            let policy = config.rotation_policy();
            let sessions = config.federation.values().map(|federation| federation.session.absolute_timeout);
            assert!(sessions.max().is_none_or(|longest| longest <= policy.accept_for));
            config.federation.values().for_each(make_cookies);
        }
        Err(findings) => {
            assert!(findings.iter().next().is_some());
            findings.iter().for_each(|finding| check(finding, text));
        }
    }
    // A byte order mark is one at the beginning only.
    if !text.starts_with('\u{feff}') {
        assert_eq!(outline(&Config::parse(&format!("#\n{text}"), Path::new(FILE)), 1), outline(&parsed, 0));
    }
});

fn make_cookies(federation: &Federation) {
    let cookie = &federation.cookie;
    let own = (&cookie.name, &cookie.path, &cookie.domain);
    let wif = federation.wif.as_ref().map(|wif| (&wif.cookie_name, &wif.cookie_path, &wif.cookie_domain));
    for (name, path, domain) in wif.into_iter().chain([own]) {
        let named = CookieSettings::builder(name).path(path.as_str()).domain(domain.as_deref().unwrap_or_default());
        let same_site = match cookie.same_site {
            config::SameSite::Strict => SameSite::Strict,
            config::SameSite::Lax => SameSite::Lax,
            config::SameSite::None => SameSite::None,
        };
        let settings = named.secure(cookie.secure).same_site(same_site).build().expect("what serve will build");
        let cut = ChunkedCookieHandler::native(settings).with_chunk_size(cookie.chunk_size as usize);
        cut.and_then(|cookies| cookies.with_limits(cookie.max_chunks as usize, 4096)).expect("what serve will build");
    }
}

fn check(finding: &Finding, text: &str) {
    let said = finding.to_string();
    assert!(!said.chars().any(char::is_control), "{said:?}");
    let Some(line) = finding.line() else { return };
    let column = said.strip_prefix(&format!("{FILE}:{line}:")).and_then(|rest| rest.split(':').next()?.parse().ok());
    let column: usize = column.expect("behind a line stands a column");
    let found = text.split('\n').nth(line - 1).expect("the text has that line");
    assert!((1..=found.chars().count() + 1).contains(&column), "{said}");
}

/// What was read or found, with lines as they were before `added` ones were put in front.
fn outline(parsed: &Result<Config, Findings>, added: usize) -> Result<&Config, Vec<(Option<usize>, &str, &str)>> {
    parsed.as_ref().map_err(|findings| {
        let outlined =
            findings.iter().map(|finding| (finding.line().map(|line| line - added), finding.key(), finding.message()));
        outlined.collect()
    })
}
