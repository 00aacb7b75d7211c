//! `handstamp session`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use handstamp_keys::KeyRing;
use handstamp_session_store::{SessionDirectory, SessionFilter, StoredSession};
use handstamp_session_token::{Error as TokenError, RevocationStore};
use handstamp_time::{Clock, SystemClock, Timestamp};

use super::{block_on, print};
use crate::audit::AuditLog;
use crate::config::{Config, StoreKind};
use crate::session_desk::{SessionDesk, fingerprint, subject, user_of};
use crate::{Error, store};

/// List and end sessions.
///
/// Works on the store of running gateways, which take revocations over within a second. A store in memory cannot be reached.
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
        let desk = Desk::open(&self.place).await?;
        let filter = match &self.user {
            Some(user) => SessionFilter::Subject(subject(&desk.config, user, self.issuer.issuer.as_deref())?),
            None => SessionFilter::All,
        };
        let sessions = desk.sessions.sessions(&filter, self.limit, desk.now).await.map_err(refused)?;
        if self.json { print(as_json(&sessions)) } else { print(as_table(&sessions).trim_end()) }
    }
}

impl Revoke {
    async fn run(self) -> Result<(), Error> {
        let desk = Desk::open(&self.place).await?;
        if let Some(user) = &self.user {
            let subject = subject(&desk.config, user, self.issuer.issuer.as_deref())?;
            let ended = desk.sessions.revoke_user(user, subject, OPERATOR, desk.now).await.map_err(refused)?;
            return print(format_args!("{user} is signed out everywhere; {ended} session(s) left the store"));
        }
        let known = desk.sessions.sessions(&SessionFilter::All, usize::MAX, desk.now).await.map_err(refused)?;
        for id in &self.sessions {
            let session = known.iter().find(|session| fingerprint(session) == *id).ok_or_else(|| Error::Refused {
                code: "HST-SESSION-UNKNOWN",
                message: format!("{id}: no such session in the store: `handstamp session list` shows them"),
            })?;
            desk.sessions.revoke(session, OPERATOR, desk.now).await.map_err(refused)?;
            print(format_args!("{id} is revoked"))?;
        }
        Ok(())
    }
}

/// The store of a gateway, opened beside it.
struct Desk {
    config: Config,
    sessions: SessionDesk,
    audit: AuditLog,
    now: Timestamp,
}

/// Who ends sessions from here, as the audit log says it.
const OPERATOR: &str = "handstamp session revoke";

impl Drop for Desk {
    fn drop(&mut self) {
        self.audit.flush();
    }
}

impl Desk {
    async fn open(place: &Place) -> Result<Self, Error> {
        let config = Config::load(&place.config)?;
        if config.store.kind == StoreKind::Memory {
            return Err(Error::Refused {
                code: "HST-SESSION-STORE",
                message: "sessions of a store in memory can only be seen by the gateway itself: set [store] kind to \"sqlite\", \
                          \"redis\" or \"postgresql\""
                    .to_owned(),
            });
        }
        let keys = Arc::new(KeyRing::open(&config.keys.path, config.rotation_policy())?);
        let store = store::open(&config.store, &keys).await?;
        let audit = AuditLog::configured(config.audit.as_ref(), &Arc::default())?;
        let sessions = SessionDesk::new(
            &config,
            Arc::clone(&store) as Arc<dyn SessionDirectory>,
            store as Arc<dyn RevocationStore>,
            audit.clone(),
        );
        Ok(Self { config, sessions, audit, now: SystemClock.now() })
    }
}

fn refused(error: TokenError) -> Error {
    Error::Refused { code: error.code(), message: error.to_string() }
}

fn as_table(sessions: &[StoredSession]) -> String {
    let mut text = format!("{:<9} {:<25} {:<25} {}\n", "SESSION", "SIGNED IN", "EXPIRES", "USER");
    for session in sessions {
        text.push_str(&format!(
            "{:<9} {:<25} {:<25} {}\n",
            fingerprint(session),
            session.signed_in_at.whole_seconds().to_string(),
            session.expires.whole_seconds().to_string(),
            user_of(session).unwrap_or("-").escape_default(),
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
                "user": user_of(session),
                "endpoint": session.endpoint.as_str(),
                "signed_in": session.signed_in_at.to_string(),
                "expires": session.expires.to_string(),
            })
        })
        .collect()
}
