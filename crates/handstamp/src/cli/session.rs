//! `handstamp session`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use handstamp_keys::{Certificate, KeyRing};
use handstamp_session_store::{SessionDirectory, SessionFilter, SqliteOptions, SqliteStore, StoredSession};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{Error as TokenError, Revocation, RevocationStore, RevocationTarget, SubjectId};
use handstamp_time::{Clock, SystemClock, Timestamp};

use super::{block_on, print};
use crate::Error;
use crate::config::{Config, StoreKind};

/// List and end sessions.
///
/// Works on the store of a running gateway, which takes revocations over within a second. The store must be SQLite.
#[derive(Debug, Subcommand)]
pub(super) enum Session {
    List(List),
    Revoke(Revoke),
}

/// List the sessions in the store, the youngest first.
///
/// Only sessions in reference mode are there: the others are in their browsers' cookies and nowhere else.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp session list --config /etc/handstamp/handstamp.toml\n  \
    handstamp session list --user alice --json")]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
    /// Only sessions of this user: the name identifier, or else UPN, name or email address.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    issuer: IssuerArgument,
    /// The most sessions to list.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// One JSON array instead of a table.
    #[arg(long)]
    json: bool,
}

/// End sessions, also copies of their cookies.
///
/// With --user it ends every session of a user who signed in until now, in cookies too; the user may sign in again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp session revoke 5f3a9c01\n  handstamp session revoke --user alice\n\n\
    Exit codes: 0 done, 1 there is no such session")]
pub(super) struct Revoke {
    /// Sessions in the store, as `handstamp session list` and the log show them.
    #[arg(required_unless_present = "user", conflicts_with = "user")]
    sessions: Vec<String>,
    /// Every session of this user: the name identifier, or else UPN, name or email address.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    issuer: IssuerArgument,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Place {
    /// The configuration file of the gateway.
    #[arg(long, value_name = "FILE", default_value = "handstamp.toml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct IssuerArgument {
    /// The issuer that knows the user by this name [default: the only one in the configuration].
    #[arg(long, value_name = "NAME", requires = "user")]
    issuer: Option<String>,
}

impl Session {
    pub(super) fn run(self) -> Result<(), Error> {
        block_on(async move {
            match self {
                Self::List(command) => command.run().await,
                Self::Revoke(command) => command.run().await,
            }
        })
    }
}

impl List {
    async fn run(self) -> Result<(), Error> {
        let desk = Desk::open(&self.place)?;
        let filter = match &self.user {
            Some(user) => SessionFilter::Subject(desk.subject(user, self.issuer.issuer.as_deref())?),
            None => SessionFilter::All,
        };
        let sessions = desk.store.sessions(&filter, self.limit, desk.now).await.map_err(refused)?;
        if self.json { print(as_json(&sessions)) } else { print(as_table(&sessions).trim_end()) }
    }
}

impl Revoke {
    async fn run(self) -> Result<(), Error> {
        let desk = Desk::open(&self.place)?;
        if let Some(user) = &self.user {
            let subject = desk.subject(user, self.issuer.issuer.as_deref())?;
            let ended = desk.revoke_user(subject).await.map_err(refused)?;
            return print(format_args!("{user} is signed out everywhere; {ended} session(s) left the store"));
        }
        let known = desk.store.sessions(&SessionFilter::All, usize::MAX, desk.now).await.map_err(refused)?;
        for id in &self.sessions {
            let session = known.iter().find(|session| fingerprint(session) == *id).ok_or_else(|| Error::Refused {
                code: "HST-SESSION-UNKNOWN",
                message: format!("{id}: no such session in the store: `handstamp session list` shows them"),
            })?;
            desk.revoke(session).await.map_err(refused)?;
            print(format_args!("{id} is revoked"))?;
        }
        Ok(())
    }
}

/// The store of a gateway, opened beside it.
struct Desk {
    config: Config,
    store: SqliteStore,
    now: Timestamp,
}

impl Desk {
    fn open(place: &Place) -> Result<Self, Error> {
        let config = Config::load(&place.config)?;
        let (StoreKind::Sqlite, Some(path)) = (config.store.kind, &config.store.path) else {
            return Err(Error::Refused {
                code: "HST-SESSION-STORE",
                message: "sessions of a store in memory can only be seen by the gateway itself: set [store] kind = \"sqlite\""
                    .to_owned(),
            });
        };
        let keys = Arc::new(KeyRing::open(&config.keys.path, config.rotation_policy())?);
        let store = SqliteStore::open(path, NativeFormat::new(keys), SqliteOptions::default()).map_err(refused)?;
        Ok(Self { config, store, now: SystemClock.now() })
    }

    /// The user of this name at an issuer.
    fn subject(&self, user: &str, issuer: Option<&str>) -> Result<SubjectId, Error> {
        let unclear = |message: String| Error::Refused { code: "HST-SESSION-ISSUER", message };
        let (name, settings) = match (issuer, self.config.issuer.len()) {
            (Some(issuer), _) => match self.config.issuer.get_key_value(issuer) {
                Some(found) => found,
                // Not a table of the configuration, so the name that claims carry.
                None => return Ok(SubjectId::new(issuer, user)),
            },
            (None, 1) => self.config.issuer.iter().next().ok_or_else(|| unclear("there is no issuer".to_owned()))?,
            (None, _) => return Err(unclear("there are several issuers, or none: say which with --issuer".to_owned())),
        };
        if let Some(name) = &settings.name {
            return Ok(SubjectId::new(name, user));
        }
        let certificate = settings.certificates.first().and_then(|file| std::fs::read(file).ok());
        let certificate = certificate.and_then(|content| Certificate::read_all(&content).ok()?.into_iter().next());
        match certificate {
            Some(certificate) => Ok(SubjectId::new(certificate.subject().as_str(), user)),
            None => Err(unclear(format!("issuer.{name} has neither name nor certificate: say its name with --issuer"))),
        }
    }

    async fn revoke(&self, session: &StoredSession) -> Result<(), TokenError> {
        let revocations = match &session.token {
            Some(token) => Revocation::of_sign_out(token, SKEW),
            None => vec![Revocation {
                target: RevocationTarget::Session(session.context_digest),
                expires: session.expires.saturating_add(SKEW),
            }],
        };
        for revocation in revocations {
            self.store.publish(&revocation, self.now).await?;
        }
        if let Some(token) = &session.token {
            self.store.end_sessions(&SessionFilter::Context(token.context_id().clone()), self.now).await?;
        }
        Ok(())
    }

    async fn revoke_user(&self, subject: SubjectId) -> Result<usize, TokenError> {
        let lifetimes = self.config.federation.values().map(|federation| federation.session.absolute_timeout);
        let longest = lifetimes.max().unwrap_or_default();
        let expires = self.now.saturating_add(longest).saturating_add(SKEW);
        self.store.publish(&Revocation::subject(subject, self.now, expires), self.now).await?;
        self.store.end_sessions(&SessionFilter::Subject(subject), self.now).await
    }
}

/// How far the clocks of two nodes may differ: the most that `session.clock_skew` allows.
const SKEW: Duration = Duration::from_secs(60);

fn refused(error: TokenError) -> Error {
    Error::Refused { code: error.code(), message: error.to_string() }
}

/// By what the log names a session.
fn fingerprint(session: &StoredSession) -> String {
    session.context_digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn name_of(session: &StoredSession) -> &str {
    session.token.as_ref().and_then(|token| token.principal().identity()?.name()).unwrap_or("-")
}

fn as_table(sessions: &[StoredSession]) -> String {
    let mut text = format!("{:<9} {:<25} {:<25} {}\n", "SESSION", "SIGNED IN", "EXPIRES", "USER");
    for session in sessions {
        text.push_str(&format!(
            "{:<9} {:<25} {:<25} {}\n",
            fingerprint(session),
            session.signed_in_at.whole_seconds().to_string(),
            session.expires.whole_seconds().to_string(),
            name_of(session).escape_default(),
        ));
    }
    text
}

fn as_json(sessions: &[StoredSession]) -> serde_json::Value {
    sessions
        .iter()
        .map(|session| {
            serde_json::json!({
                "session": fingerprint(session),
                "user": session.token.as_ref().and_then(|token| token.principal().identity()?.name()),
                "endpoint": session.endpoint.as_str(),
                "signed_in": session.signed_in_at.to_string(),
                "expires": session.expires.to_string(),
            })
        })
        .collect()
}
