//! `handstamp keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use handstamp_keys::{KeyId, KeyRing, RotationPolicy, SystemRandom};
use handstamp_time::{Clock, SystemClock, Timestamp};

use super::print;
use crate::Error;
use crate::config::Config;

/// Make, list and rotate the keys that protect sessions.
///
/// A key is pending (opens, does not yet seal), current (seals), accepted (opens what it sealed), then retired by
/// itself. A running gateway reads the file again within a minute; no restart is needed.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    Init(Init),
    List(List),
    Rotate(Rotate),
    Retire(Retire),
    Revoke(Revoke),
}

/// Make a new key ring with one key, readable by its owner only.
///
/// A file that is there already is never overwritten.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp keys init --config /etc/handstamp/handstamp.toml")]
pub(super) struct Init {
    #[command(flatten)]
    ring: Ring,
}

/// List the keys with their states and ages. Secrets are not shown.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp keys list --config /etc/handstamp/handstamp.toml\n  \
    handstamp keys list --json --ring keys.json | jq '.[] | select(.state == \"current\")'")]
pub(super) struct List {
    #[command(flatten)]
    ring: Ring,
    /// One JSON array instead of a table.
    #[arg(long)]
    json: bool,
}

/// Add a key; it takes over after two minutes, when every node has read it.
///
/// The gateway does this by itself when the current key is old enough.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp keys rotate --config /etc/handstamp/handstamp.toml")]
pub(super) struct Rotate {
    #[command(flatten)]
    ring: Ring,
    /// Take over at once. Nodes that share the file refuse the new key's tokens until they have read it.
    #[arg(long)]
    now: bool,
}

/// End a key before its time: sessions it sealed are over.
///
/// If it is the current one, another takes over at once.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp keys retire 0a1b2c3d --config /etc/handstamp/handstamp.toml")]
pub(super) struct Retire {
    /// The key, as `handstamp keys list` shows it.
    key: KeyId,
    #[command(flatten)]
    ring: Ring,
}

/// Declare a key unsafe, because somebody else may have it: whoever holds a session of it signs in again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp keys revoke 0a1b2c3d --config /etc/handstamp/handstamp.toml")]
pub(super) struct Revoke {
    /// The key, as `handstamp keys list` shows it.
    key: KeyId,
    #[command(flatten)]
    ring: Ring,
}

#[derive(Debug, Args)]
struct Ring {
    /// The configuration file that names the key ring.
    #[arg(long, value_name = "FILE", default_value = "handstamp.toml", conflicts_with = "ring")]
    config: PathBuf,
    /// The key ring itself, without a configuration.
    #[arg(long, value_name = "FILE")]
    ring: Option<PathBuf>,
}

impl Ring {
    fn locate(self) -> Result<(PathBuf, RotationPolicy), Error> {
        match self.ring {
            Some(path) => Ok((path, RotationPolicy::default())),
            None => {
                let config = Config::load(&self.config)?;
                let policy = config.rotation_policy();
                Ok((config.keys.path, policy))
            }
        }
    }

    fn open(self) -> Result<KeyRing, Error> {
        let (path, policy) = self.locate()?;
        Ok(KeyRing::open(&path, policy)?)
    }
}

impl Keys {
    pub(super) fn run(self) -> Result<(), Error> {
        let now = SystemClock.now();
        match self {
            Self::Init(Init { ring }) => {
                let (path, policy) = ring.locate()?;
                KeyRing::init(&path, policy, now, &SystemRandom)?;
                print(format_args!("{}: a key ring with one key", path.display()))
            }
            Self::List(List { ring, json }) => {
                let ring = ring.open()?;
                if json { print(as_json(&ring, now)) } else { print(as_table(&ring, now).trim_end()) }
            }
            Self::Rotate(Rotate { ring, now: at_once }) => {
                let ring = ring.open()?;
                if at_once {
                    let id = ring.rotate_now(now, &SystemRandom)?;
                    print(format_args!("{id} is current"))
                } else {
                    let id = ring.rotate(now, &SystemRandom)?;
                    let from = ring.list(now).into_iter().find(|key| key.id == id).map(|key| key.current_from);
                    print(format_args!("{id} becomes current at {}", or_dash(from)))
                }
            }
            Self::Retire(Retire { key, ring }) => {
                ring.open()?.retire(key, now, &SystemRandom)?;
                print(format_args!("{key} is retired"))
            }
            Self::Revoke(Revoke { key, ring }) => {
                ring.open()?.revoke(key, now, &SystemRandom)?;
                print(format_args!("{key} is revoked"))
            }
        }
    }
}

fn as_table(ring: &KeyRing, now: Timestamp) -> String {
    let mut text =
        format!("{:<9} {:<9} {:<25} {:<25} {:>12}\n", "KEY", "STATE", "CURRENT FROM", "OPENS UNTIL", "SEALED");
    for key in ring.list(now) {
        text.push_str(&format!(
            "{:<9} {:<9} {:<25} {:<25} {:>12}\n",
            key.id.to_string(),
            key.state,
            key.current_from.whole_seconds().to_string(),
            or_dash(key.withdrawn.or(key.accepted_until).map(Timestamp::whole_seconds)),
            key.seals,
        ));
    }
    text
}

fn as_json(ring: &KeyRing, now: Timestamp) -> serde_json::Value {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    ring.list(now)
        .into_iter()
        .map(|key| {
            serde_json::json!({
                "id": key.id.to_string(),
                "state": key.state.to_string(),
                "created": key.created.to_string(),
                "current_from": key.current_from.to_string(),
                "current_until": text(key.current_until),
                "accepted_until": text(key.accepted_until),
                "withdrawn": text(key.withdrawn),
                "seals": key.seals,
            })
        })
        .collect()
}

fn or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}
