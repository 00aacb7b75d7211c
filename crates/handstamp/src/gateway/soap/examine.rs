//! One captured message, looked at as the gateway would: for `handstamp doctor`.

use std::fmt::Write as _;
use std::sync::Arc;

use handstamp_keys::{KeyRing, SystemRandom};
use handstamp_secure_conversation::{Error as SessionError, Event, Handled, Incoming};
use handstamp_session_token::RevocationList;
use handstamp_time::Timestamp;
use handstamp_ws_security::{UserNameError, UserNameValidator};

use super::caller_tokens::CallerTokens;
use super::terminate::{Seals, TerminateSessions};
use super::terms::Terms;
use crate::Error;
use crate::config::{Config, SoapMode, SoapRoute};

/// What there is to say about a message, for each route that ends sessions.
#[derive(Debug, Default)]
pub(crate) struct Examination {
    pub(crate) text: String,
    /// Whether a route would take the message.
    pub(crate) is_taken: bool,
}

/// Looks at a message with the keys and the binding of each route, by the clock `now`. Passwords are taken as they come, and
/// what the gateway remembers is not known here: messages that it saw before, sessions that it keeps in memory, revocations.
///
/// # Errors
/// A file that cannot be used, settings that do not go together.
pub(crate) fn examine(config: &Config, message: &[u8], now: Timestamp) -> Result<Examination, Error> {
    let mut found = Examination::default();
    for (name, route) in config.soap.iter().filter(|(_, route)| route.mode == SoapMode::Terminate) {
        let handled = look(config, name, route, message, now)?;
        let (verdict, is_taken) = verdict(&handled);
        found.is_taken |= is_taken;
        let mark = if is_taken { "good" } else { "FAILS" };
        // Writing into a string cannot fail.
        let _ = writeln!(found.text, "SOAP {name}: {mark}: {verdict}");
    }
    let _ = writeln!(found.text, "Clock: {now}.");
    Ok(found)
}

fn look(config: &Config, name: &str, route: &SoapRoute, message: &[u8], now: Timestamp) -> Result<Handled, Error> {
    let terms = Terms::read(route)?;
    let ring = KeyRing::open(&config.keys.path, config.rotation_policy())?;
    let seals = Seals { keys: Arc::new(ring), revocations: Arc::new(RevocationList::new()) };
    let builder = TerminateSessions::builder(name, route, &terms, &seals)?.user_names(Arc::new(Anybody));
    // What issuers publish is not fetched for this.
    let builder = match CallerTokens::open(name, route, &terms, config, |_, _| Ok(None))? {
        Some(tokens) => builder.issued_tokens(Arc::new(tokens)),
        None => builder,
    };
    let service = TerminateSessions::build(name, builder)?;
    let incoming = Incoming::new(message);
    // How it came is not in the capture.
    let incoming = if terms.security.is_transport() { incoming.over_protected_channel() } else { incoming };
    Ok(service.handle(incoming, now, &SystemRandom))
}

/// Whoever it is: only the gateway checks passwords, and it limits how often.
struct Anybody;

impl UserNameValidator for Anybody {
    fn validate(&self, _: &str, _: &str, _: Timestamp) -> Result<(), UserNameError> {
        Ok(())
    }
}

fn verdict(handled: &Handled) -> (String, bool) {
    let caller = |name: Option<&str>| name.unwrap_or("somebody without a name").to_owned();
    match handled {
        Handled::Request(request) => {
            let session = request.session();
            let who = caller(request.principal().name());
            let (from, to, action) = (session.valid_from(), session.valid_to(), request.action());
            (format!("a request of {who} for {action}, in a session from {from} to {to}."), true)
        }
        Handled::Answer(answer) => match &answer.event {
            Event::Issued { caller: who, .. } => {
                let who = caller(who.as_deref());
                (format!("a request for a session, of {who}; the password was not looked at."), true)
            }
            Event::Renewed { .. } => ("a request for a younger key of a session.".to_owned(), true),
            Event::Cancelled { .. } => ("the end of a session, by its client.".to_owned(), true),
            Event::Refused(error) => {
                let fault =
                    answer.fault.as_ref().map(|fault| format!(" The client is told: {fault}.")).unwrap_or_default();
                (format!("{}{fault}", refusal(error)), false)
            }
            _ => ("answered by the session layer.".to_owned(), true),
        },
        Handled::Unreadable(error) | Handled::Dropped(error) => (refusal(error), false),
        _ => ("not known.".to_owned(), false),
    }
}

/// The error, which names the requirement, the element and the key.
fn refusal(error: &SessionError) -> String {
    let hint = match error {
        SessionError::Security(handstamp_ws_security::Error::UnknownContext { .. }) => {
            " Sessions that are remembered (requireSecurityContextCancellation=\"true\") are known to the running gateway alone."
        }
        _ => "",
    };
    format!("{}: {error}.{hint}", error.code())
}
