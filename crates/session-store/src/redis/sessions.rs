//! Tokens and who they belong to.

use super::RedisStore;
use super::scripts::PURGE_STEP;
use super::text::{digits, hexadecimal, milliseconds, ticks};
use crate::sealing::{EntryKey, StoredToken, failed, time};
use crate::{SessionDirectory, SessionFilter, StoredSession};
use async_trait::async_trait;
use handstamp_session_token::{
    CachedToken, ContextId, EndpointScope, Error, NewEntry, Revision, SessionTokenCache, SessionTokenCacheKey,
    SubjectId, WriteCondition,
};
use handstamp_time::Timestamp;
use redis::Script;
use std::cmp::Reverse;

#[async_trait]
impl SessionTokenCache for RedisStore {
    async fn write(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Option<Revision>, Error> {
        let entry = self.sealing.seal(key, &entry, now)?;
        let (condition, expected) = match condition {
            WriteCondition::Absent => ("absent", String::new()),
            WriteCondition::Present => ("present", String::new()),
            WriteCondition::Anything => ("anything", String::new()),
            WriteCondition::Revision(revision) => ("revision", revision.0.to_string()),
        };
        let subject = entry.subject.map_or_else(String::new, |subject| hexadecimal(&subject));
        let (expires, signed_in) = (time(entry.expires), time(entry.signed_in_at));
        let arguments = [
            id_of(&entry.key),
            condition.to_owned(),
            expected,
            digits(now),
            digits(expires),
            milliseconds(expires),
            digits(signed_in),
            milliseconds(signed_in),
            hexadecimal(&entry.key.context),
            subject,
            entry.key.endpoint.clone(),
        ];
        let mut arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        arguments.push(&entry.sealed);
        let revision: Option<u64> = self.connection.run("write a token", &self.scripts.write, &arguments).await?;
        Ok(revision.map(Revision))
    }

    async fn get(&self, key: &SessionTokenCacheKey, now: Timestamp) -> Result<Option<CachedToken>, Error> {
        let tokens = self.read(&EntryKey::of(key), now).await?;
        Ok(tokens.into_iter().next().and_then(|found| self.sealing.open(found.token, now)))
    }

    async fn get_all(
        &self,
        endpoint: &EndpointScope,
        context_id: &ContextId,
        now: Timestamp,
    ) -> Result<Vec<CachedToken>, Error> {
        let tokens = self.read(&EntryKey::all_of(endpoint, context_id), now).await?;
        Ok(tokens.into_iter().filter_map(|found| self.sealing.open(found.token, now)).collect())
    }

    async fn remove(&self, key: &SessionTokenCacheKey) -> Result<(), Error> {
        let key = EntryKey::of(key);
        self.end("remove a token", &Chosen::of(&key), &format!("={}", key.endpoint), EVERYTHING).await.map(|_| ())
    }

    async fn remove_endpoint(&self, endpoint: &EndpointScope) -> Result<(), Error> {
        let chosen = Chosen { kind: "endpoint", value: endpoint.as_str().to_owned() };
        self.end("remove the tokens of an endpoint", &chosen, ANY_ENDPOINT, EVERYTHING).await.map(|_| ())
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, Error> {
        self.purge_by("purge tokens", &self.scripts.purge, now).await
    }
}

impl RedisStore {
    /// The tokens at a place, the one that was written last first.
    async fn read(&self, key: &EntryKey, now: Timestamp) -> Result<Vec<Found>, Error> {
        let mut found = self.find("read a token", &Chosen::of(key), now, usize::MAX).await?;
        found.retain(|found| found.token.endpoint == key.endpoint);
        found.sort_by_key(|found| Reverse(found.token.revision.0));
        Ok(found)
    }

    async fn find(
        &self,
        action: &'static str,
        chosen: &Chosen,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Found>, Error> {
        let (now, limit) = (digits(now), limit.to_string());
        let arguments = [chosen.kind.as_bytes(), chosen.value.as_bytes(), now.as_bytes(), limit.as_bytes()];
        let tokens: Vec<Fields> = self.connection.run(action, &self.scripts.find, &arguments).await?;
        tokens.into_iter().map(|fields| Found::of(fields, action)).collect()
    }

    async fn end(
        &self,
        action: &'static str,
        chosen: &Chosen,
        endpoint: &str,
        living_at: Timestamp,
    ) -> Result<usize, Error> {
        let living_at = digits(living_at);
        let arguments = [chosen.kind.as_bytes(), chosen.value.as_bytes(), living_at.as_bytes(), endpoint.as_bytes()];
        self.connection.run(action, &self.scripts.remove, &arguments).await
    }

    /// Runs a script that purges until nothing is left to do, and lets others go between.
    pub(super) async fn purge_by(&self, action: &'static str, script: &Script, now: Timestamp) -> Result<usize, Error> {
        let (ticks, milliseconds, step) = (digits(now), milliseconds(now), PURGE_STEP.to_string());
        let mut all = 0;
        loop {
            let arguments = [ticks.as_bytes(), milliseconds.as_bytes(), step.as_bytes()];
            let removed: usize = self.connection.run(action, script, &arguments).await?;
            all += removed;
            if removed < PURGE_STEP {
                return Ok(all);
            }
        }
    }
}

#[async_trait]
impl SessionDirectory for RedisStore {
    async fn sessions(
        &self,
        filter: &SessionFilter,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, Error> {
        // Only the list of all of them is in order already.
        let most = if *filter == SessionFilter::All { limit } else { usize::MAX };
        let mut found = self.find("list sessions", &Chosen::by(filter), now, most).await?;
        found.sort_by_key(|found| Reverse(found.signed_in_at));
        found.truncate(limit);
        let session = |found: Found| StoredSession {
            context_digest: found.context,
            subject: found.subject.map(SubjectId::from_bytes),
            endpoint: EndpointScope::from(found.token.endpoint.as_str()),
            signed_in_at: time(found.signed_in_at),
            expires: time(found.token.expires),
            token: self.sealing.open(found.token, now).map(|entry| entry.token),
        };
        Ok(found.into_iter().map(session).collect())
    }

    async fn end_sessions(&self, filter: &SessionFilter, now: Timestamp) -> Result<usize, Error> {
        self.end("end sessions", &Chosen::by(filter), ANY_ENDPOINT, now).await
    }
}

/// Which tokens a script works on.
struct Chosen {
    kind: &'static str,
    value: String,
}

impl Chosen {
    fn of(key: &EntryKey) -> Self {
        match key.generation {
            Some(_) => Self { kind: "id", value: id_of(key) },
            None => Self { kind: "context", value: hexadecimal(&key.context) },
        }
    }

    fn by(filter: &SessionFilter) -> Self {
        match filter {
            SessionFilter::All => Self { kind: "all", value: String::new() },
            SessionFilter::Subject(subject) => Self { kind: "subject", value: hexadecimal(subject.as_bytes()) },
            SessionFilter::Context(context_id) => Self { kind: "context", value: hexadecimal(&context_id.digest()) },
            SessionFilter::Endpoint(endpoint) => Self { kind: "endpoint", value: endpoint.as_str().to_owned() },
        }
    }
}

/// What the script gives of a token, in the order in which it asks for it.
type Fields = (String, u64, String, String, String, String, Vec<u8>);

/// A token that was found.
struct Found {
    token: StoredToken,
    signed_in_at: i64,
    context: [u8; 32],
    subject: Option<[u8; 32]>,
}

impl Found {
    fn of(fields: Fields, action: &'static str) -> Result<Self, Error> {
        let (expires, revision, signed_in_at, context, subject, endpoint, sealed) = fields;
        let digest = |text: &str| super::text::digest(text).ok_or_else(|| failed(action, DAMAGED));
        Ok(Self {
            signed_in_at: ticks(&signed_in_at).ok_or_else(|| failed(action, DAMAGED))?,
            context: digest(&context)?,
            subject: if subject.is_empty() { None } else { Some(digest(&subject)?) },
            token: StoredToken {
                endpoint,
                revision: Revision(revision),
                expires: ticks(&expires).ok_or_else(|| failed(action, DAMAGED))?,
                sealed,
            },
        })
    }
}

fn id_of(key: &EntryKey) -> String {
    let generation = key.generation.as_deref().unwrap_or_default();
    format!("{}:{}:{}", hexadecimal(&key.context), hexadecimal(generation), key.endpoint)
}

const ANY_ENDPOINT: &str = "*";
/// What has expired is removed, too.
const EVERYTHING: Timestamp = Timestamp::MIN;
const DAMAGED: &str = "an entry is not as this program writes it";
