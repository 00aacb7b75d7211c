//! Revocations in the order in which they were published, and replays.

use super::RedisStore;
use super::text::{digest, digits, hexadecimal, milliseconds, ticks};
use crate::sealing::{failed, time};
use async_trait::async_trait;
use handstamp_session_token::{
    Error, ReplayCache, Revocation, RevocationCursor, RevocationStore, RevocationTarget, SubjectId,
};
use handstamp_time::Timestamp;

#[async_trait]
impl RevocationStore for RedisStore {
    async fn publish(&self, revocation: &Revocation, _now: Timestamp) -> Result<(), Error> {
        const ACTION: &str = "publish a revocation";
        let (kind, digest, signed_in_until) = match revocation.target {
            RevocationTarget::Session(digest) => (SESSION, digest, Timestamp::MIN),
            RevocationTarget::SignIn(digest) => (SIGN_IN, digest, Timestamp::MIN),
            RevocationTarget::IssuerSession(digest) => (ISSUER_SESSION, digest, Timestamp::MIN),
            RevocationTarget::Subject { subject, signed_in_until } => (SUBJECT, *subject.as_bytes(), signed_in_until),
            _ => return Err(failed(ACTION, "this version does not know its kind")),
        };
        let expires = revocation.expires;
        let entry = format!("{kind} {} {} {}", hexadecimal(&digest), digits(signed_in_until), digits(expires));
        let arguments = [entry.as_bytes(), &milliseconds(expires).into_bytes()];
        self.connection.run::<()>(ACTION, &self.scripts.publish, &arguments).await
    }

    async fn changes_since(
        &self,
        cursor: RevocationCursor,
        now: Timestamp,
    ) -> Result<(Vec<Revocation>, RevocationCursor), Error> {
        const ACTION: &str = "read revocations";
        let after = cursor.0.to_string();
        let entries: Vec<String> = self.connection.run(ACTION, &self.scripts.changes, &[after.as_bytes()]).await?;
        let (mut living, mut last) = (Vec::with_capacity(entries.len()), cursor);
        for entry in &entries {
            let damaged = || failed(ACTION, "a revocation is not as this program writes it");
            let (position, rest) = entry.split_once(' ').ok_or_else(damaged)?;
            last = RevocationCursor(position.parse().map_err(|_| damaged())?);
            living.extend(parse(rest).ok_or_else(damaged)?.filter(|revocation| revocation.expires >= now));
        }
        Ok((living, last))
    }

    async fn purge_revocations(&self, now: Timestamp) -> Result<usize, Error> {
        self.purge_by("purge revocations", &self.scripts.purge_revocations, now).await
    }
}

#[async_trait]
impl ReplayCache for RedisStore {
    async fn add_if_absent(&self, key: [u8; 32], expires: Timestamp, now: Timestamp) -> Result<bool, Error> {
        let arguments = [hexadecimal(&key), digits(now), digits(expires), milliseconds(expires)];
        let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        self.connection.run("remember a token against replay", &self.scripts.remember, &arguments).await
    }

    async fn purge_replays(&self, now: Timestamp) -> Result<usize, Error> {
        self.purge_by("purge replays", &self.scripts.purge_replays, now).await
    }
}

/// The inner none stands for a kind that a newer version of this program has written.
fn parse(entry: &str) -> Option<Option<Revocation>> {
    let mut words = entry.split(' ');
    let kind = words.next()?;
    let digest = digest(words.next()?)?;
    let signed_in_until = time(ticks(words.next()?)?);
    let expires = time(ticks(words.next()?)?);
    let target = match kind {
        SESSION => RevocationTarget::Session(digest),
        SIGN_IN => RevocationTarget::SignIn(digest),
        ISSUER_SESSION => RevocationTarget::IssuerSession(digest),
        SUBJECT => RevocationTarget::Subject { subject: SubjectId::from_bytes(digest), signed_in_until },
        _ => return Some(None),
    };
    Some(words.next().is_none().then_some(Revocation { target, expires }))
}

const SESSION: &str = "session";
const SIGN_IN: &str = "sign-in";
const SUBJECT: &str = "subject";
const ISSUER_SESSION: &str = "issuer-session";
