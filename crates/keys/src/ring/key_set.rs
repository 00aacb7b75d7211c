//! The keys of a ring as data: states, rotation and withdrawal as pure functions of the keys, the policy and the time.

use super::{KeyId, RotationPolicy};
use crate::{Error, SecureRandom, SymmetricKey};
use handstamp_time::Timestamp;
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

/// What a key of a ring does at a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Opens tokens, and will seal them later: the other nodes of a farm are still learning of it.
    Pending,
    /// Seals and opens. One key at a time.
    Current,
    /// Was current; opens what it sealed until those tokens have expired.
    Accepted,
    /// Opens nothing: its time is over, or an operator ended it.
    Retired,
    /// Opens nothing: an operator declared it unsafe.
    Revoked,
}

impl KeyState {
    /// Whether a key in this state opens tokens.
    pub const fn opens(self) -> bool {
        matches!(self, Self::Pending | Self::Current | Self::Accepted)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Current => "current",
            Self::Accepted => "accepted",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        })
    }
}

/// Keys in the order in which they become current.
#[derive(Clone, Default)]
pub(super) struct KeySet {
    pub(super) keys: Vec<KeyRecord>,
    /// Members of the JWK Set that are not ours; kept.
    pub(super) other: Map<String, Value>,
}

#[derive(Clone)]
pub(super) struct KeyRecord {
    pub(super) id: KeyId,
    pub(super) secret: SymmetricKey,
    pub(super) created: Timestamp,
    pub(super) current_from: Timestamp,
    pub(super) retired: Option<Timestamp>,
    pub(super) revoked: Option<Timestamp>,
    pub(super) seals: u64,
    /// Members of the JWK that are not ours; kept.
    pub(super) other: Map<String, Value>,
}

impl KeyRecord {
    fn withdrawn(&self) -> Option<Timestamp> {
        self.retired.into_iter().chain(self.revoked).min()
    }

    /// A key that was withdrawn while pending never replaces its predecessor.
    fn ever_current(&self) -> bool {
        self.withdrawn().is_none_or(|withdrawn| withdrawn > self.current_from)
    }
}

impl KeySet {
    /// Keys of one instant keep their order, which is that of their making.
    pub(super) fn sort(&mut self) {
        self.keys.sort_by_key(|key| key.current_from);
    }

    /// The index of the current key.
    pub(super) fn current(&self, now: Timestamp) -> Option<usize> {
        let (index, key) =
            self.keys.iter().enumerate().rev().find(|(_, key)| key.current_from <= now && key.ever_current())?;
        key.withdrawn().is_none().then_some(index)
    }

    /// When another key becomes, or became, current in place of the key at `index`.
    pub(super) fn current_until(&self, index: usize) -> Option<Timestamp> {
        self.keys.iter().skip(index + 1).find(|key| key.ever_current()).map(|key| key.current_from)
    }

    pub(super) fn state(&self, index: usize, policy: &RotationPolicy, now: Timestamp) -> KeyState {
        let Some(key) = self.keys.get(index) else { return KeyState::Retired };
        match (key.revoked, key.retired) {
            (Some(_), _) => KeyState::Revoked,
            (None, Some(_)) => KeyState::Retired,
            (None, None) if key.current_from > now => KeyState::Pending,
            (None, None) => match self.current_until(index) {
                None => KeyState::Current,
                Some(until) if now < until => KeyState::Current,
                Some(until) if now < until.saturating_add(policy.accept_for) => KeyState::Accepted,
                Some(_) => KeyState::Retired,
            },
        }
    }

    /// Adds a key that becomes current after `lead_time`. One that is pending already is taken instead, and brought forward.
    pub(super) fn rotate(
        &mut self,
        lead_time: Duration,
        policy: &RotationPolicy,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<KeyId, Error> {
        let current_from = now.saturating_add(lead_time);
        self.forget(policy, now);
        if let Some(index) = self.pending(now) {
            let key = &mut self.keys[index];
            key.current_from = key.current_from.min(current_from);
            let id = key.id;
            self.sort();
            return Ok(id);
        }
        if self.keys.len() >= Self::MAX_KEYS {
            return Err(Error::Misuse("the key ring is full (1000 keys): rotate less often, or forget keys sooner"));
        }
        let id = loop {
            let id = KeyId::generate(random)?;
            if self.keys.iter().all(|key| key.id != id) {
                break id;
            }
        };
        self.keys.push(KeyRecord {
            id,
            secret: SymmetricKey::generate(32, random)?,
            created: now,
            current_from,
            retired: None,
            revoked: None,
            seals: 0,
            other: Map::new(),
        });
        self.sort();
        Ok(id)
    }

    /// The lead time of the rotation that is due, if one is.
    pub(super) fn rotation_due(&self, policy: &RotationPolicy, now: Timestamp) -> Option<Duration> {
        let Some(current) = self.current(now).and_then(|index| self.keys.get(index)) else {
            return Some(Duration::ZERO);
        };
        if current.seals >= policy.max_seals {
            return Some(Duration::ZERO);
        }
        let age = now.saturating_duration_since(current.current_from);
        let due = age.saturating_add(policy.lead_time) >= policy.rotate_after || current.seals >= policy.max_seals / 2;
        (due && self.pending(now).is_none()).then_some(policy.lead_time)
    }

    /// Ends a key. The ring keeps a current key: when this was it, another one takes over at once.
    pub(super) fn withdraw(
        &mut self,
        id: KeyId,
        how: Withdrawal,
        policy: &RotationPolicy,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<(), Error> {
        let key = self.keys.iter_mut().find(|key| key.id == id).ok_or(Error::UnknownKey(id))?;
        let at = match how {
            Withdrawal::Retire => &mut key.retired,
            Withdrawal::Revoke => &mut key.revoked,
        };
        at.get_or_insert(now);
        if self.current(now).is_none() {
            self.rotate(Duration::ZERO, policy, now, random)?;
        }
        Ok(())
    }

    fn pending(&self, now: Timestamp) -> Option<usize> {
        self.keys.iter().position(|key| key.current_from > now && key.withdrawn().is_none())
    }

    /// Drops keys whose time has been over for long. Tokens that name them are refused as before, as made by an unknown key.
    fn forget(&mut self, policy: &RotationPolicy, now: Timestamp) {
        let over = |index: usize| {
            let expired = || Some(self.current_until(index)?.saturating_add(policy.accept_for));
            let end = self.keys.get(index).and_then(KeyRecord::withdrawn).or_else(expired);
            end.is_some_and(|end| now >= end.saturating_add(policy.forget_after))
        };
        let last = self.keys.len().saturating_sub(1);
        let keep: Vec<bool> = (0..self.keys.len()).map(|index| index == last || !over(index)).collect();
        let mut keep = keep.into_iter();
        self.keys.retain(|_| keep.next().unwrap_or(true));
    }

    /// The most keys that a ring holds.
    pub(super) const MAX_KEYS: usize = 1000;
}

#[derive(Clone, Copy)]
pub(super) enum Withdrawal {
    Retire,
    Revoke,
}
