//! The protected content: a token, or a reference to one.

use super::cbor::{Kind, Reader, Writer};
use super::identities::{read_identities, write_identities};
use super::value::{Form, Read, Written};
use crate::builder::{derived_context_id, derived_id};
use crate::format::Opened;
use crate::{
    ContextId, EndpointScope, Error, IssuerSession, KeyGeneration, Malformed, SecureConversationVersion,
    SessionSecurityToken, SessionTokenCacheKey, UniqueId,
};
use handstamp_claims::{ArcStr, ClaimsIdentity, ClaimsPrincipal};
use handstamp_keys::SymmetricKey;
use handstamp_time::Timestamp;
use std::time::Duration;
use zeroize::Zeroizing;

/// Writes a token as a map. Fields that have their default are left out.
pub(super) fn write_token(token: &SessionSecurityToken) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut writer = Writer::with_capacity(1024);
    let mut written = Written::default();
    let w = &mut writer;
    let map = w.map();
    let from = token.valid_from;
    if token.context_id != derived_context_id(&token.key) {
        w.entry(&map, field::CONTEXT_ID);
        write_unique_id(w, token.context_id.as_unique_id());
    }
    w.entry(&map, field::KEY);
    w.bytes(token.key.as_bytes());
    w.entry(&map, field::VALID_FROM);
    write_time(w, from);
    w.entry(&map, field::VALID_TO);
    write_later(w, from, token.valid_to);
    if token.id != derived_id(&token.context_id, &token.key) {
        w.entry(&map, field::ID);
        w.text(&token.id);
    }
    if let Some(context) = &token.context {
        w.entry(&map, field::CONTEXT);
        w.text(context);
    }
    if let Some(generation) = &token.key_generation {
        w.entry(&map, field::KEY_GENERATION);
        write_unique_id(w, generation.as_unique_id());
    }
    if token.key_effective_time != from {
        w.entry(&map, field::KEY_EFFECTIVE_TIME);
        write_later(w, from, token.key_effective_time);
    }
    if token.key_expiration_time != token.valid_to {
        w.entry(&map, field::KEY_EXPIRATION_TIME);
        write_later(w, from, token.key_expiration_time);
    }
    let flags = flags_of(token);
    if flags != 0 {
        w.entry(&map, field::FLAGS);
        w.unsigned(flags);
    }
    if token.signed_in_at != from {
        w.entry(&map, field::SIGNED_IN_AT);
        write_distance(w, token.signed_in_at, from, token.signed_in_at);
    }
    if token.absolute_expiry != token.valid_to {
        w.entry(&map, field::ABSOLUTE_EXPIRY);
        write_later(w, from, token.absolute_expiry);
    }
    if let Some(timeout) = token.idle_timeout {
        w.entry(&map, field::IDLE_TIMEOUT);
        write_duration(w, timeout);
    }
    if let Some(session) = &token.issuer_session {
        w.entry(&map, field::ISSUER_SESSION);
        write_issuer_session(w, &mut written, session);
    }
    w.entry(&map, field::IDENTITIES);
    write_identities(w, &mut written, token.principal.identities())?;
    Ok(writer.into_bytes())
}

/// Writes a reference as an array.
pub(super) fn write_reference(token: &SessionSecurityToken) -> Zeroizing<Vec<u8>> {
    let mut writer = Writer::with_capacity(64);
    writer.array(1 + usize::from(token.key_generation.is_some()));
    write_unique_id(&mut writer, token.context_id.as_unique_id());
    if let Some(generation) = &token.key_generation {
        write_unique_id(&mut writer, generation.as_unique_id());
    }
    writer.into_bytes()
}

/// Reads what [`write_token`] or [`write_reference`] wrote for a token of this scope.
pub(super) fn read(bytes: &[u8], scope: &EndpointScope) -> Result<Opened, Error> {
    let mut reader = Reader::new(bytes);
    let opened = match reader.kind()? {
        Kind::Array => Opened::Reference(read_reference(&mut reader, scope)?),
        _ => Opened::Token(Box::new(read_token(&mut reader, scope)?)),
    };
    reader.finish()?;
    Ok(opened)
}

fn read_reference(r: &mut Reader<'_>, scope: &EndpointScope) -> Result<SessionTokenCacheKey, Malformed> {
    let len = r.array()?;
    if !(1..=2).contains(&len) {
        return Err(Malformed::Structure("a reference of an unknown form"));
    }
    let context_id = ContextId::from(read_unique_id(r)?);
    let generation = (len == 2).then(|| read_unique_id(r)).transpose()?.map(KeyGeneration::from);
    Ok(SessionTokenCacheKey::new(scope.clone(), context_id, generation))
}

fn read_token(r: &mut Reader<'_>, scope: &EndpointScope) -> Result<SessionSecurityToken, Malformed> {
    let mut fields = Fields::default();
    let mut read = Read::default();
    let mut entries = r.map()?;
    while let Some(key) = entries.next(r)? {
        let from = fields.valid_from;
        match u8::try_from(key).unwrap_or(u8::MAX) {
            field::CONTEXT_ID => fields.context_id = Some(read_unique_id(r)?.into()),
            field::KEY => fields.key = Some(SymmetricKey::from_bytes(r.bytes()?)),
            field::VALID_FROM => fields.valid_from = Some(read_time(r)?),
            field::VALID_TO => fields.valid_to = Some(read_later(r, from)?),
            field::ID => fields.id = Some(ArcStr::from(r.text()?)),
            field::CONTEXT => fields.context = Some(ArcStr::from(r.text()?)).filter(|context| !context.is_empty()),
            field::KEY_GENERATION => fields.key_generation = Some(read_unique_id(r)?.into()),
            field::KEY_EFFECTIVE_TIME => fields.key_effective_time = Some(read_later(r, from)?),
            field::KEY_EXPIRATION_TIME => fields.key_expiration_time = Some(read_later(r, from)?),
            field::FLAGS => fields.flags = r.unsigned()?,
            field::SIGNED_IN_AT => fields.signed_in_at = Some(read_earlier(r, from)?),
            field::ABSOLUTE_EXPIRY => fields.absolute_expiry = Some(read_later(r, from)?),
            field::IDLE_TIMEOUT => fields.idle_timeout = Some(read_duration(r)?),
            field::ISSUER_SESSION => fields.issuer_session = Some(read_issuer_session(r, &mut read)?),
            field::IDENTITIES => fields.identities = Some(read_identities(r, &mut read)?),
            _ => return Err(Malformed::Structure("an unknown field of the token")),
        }
    }
    fields.into_token(scope)
}

#[derive(Default)]
struct Fields {
    context_id: Option<ContextId>,
    key: Option<SymmetricKey>,
    valid_from: Option<Timestamp>,
    valid_to: Option<Timestamp>,
    id: Option<ArcStr>,
    context: Option<ArcStr>,
    key_generation: Option<KeyGeneration>,
    key_effective_time: Option<Timestamp>,
    key_expiration_time: Option<Timestamp>,
    flags: u64,
    signed_in_at: Option<Timestamp>,
    absolute_expiry: Option<Timestamp>,
    idle_timeout: Option<Duration>,
    issuer_session: Option<IssuerSession>,
    identities: Option<Vec<ClaimsIdentity>>,
}

impl Fields {
    fn into_token(self, scope: &EndpointScope) -> Result<SessionSecurityToken, Malformed> {
        let key = self.key.filter(|key| !key.as_bytes().is_empty()).ok_or(Malformed::MissingElement("the key"))?;
        let valid_from = self.valid_from.ok_or(Malformed::MissingElement("the start of the session"))?;
        let valid_to = self.valid_to.ok_or(Malformed::MissingElement("the end of the session"))?;
        let identities = self.identities.ok_or(Malformed::MissingElement("the list of identities"))?;
        if self.flags & !flag::ALL != 0 {
            return Err(Malformed::Structure("an unknown flag"));
        }
        let context_id = self.context_id.unwrap_or_else(|| derived_context_id(&key));
        Ok(SessionSecurityToken {
            id: self.id.unwrap_or_else(|| derived_id(&context_id, &key)),
            context_id,
            context: self.context,
            endpoint: scope.clone(),
            key_generation: self.key_generation,
            key,
            key_effective_time: self.key_effective_time.unwrap_or(valid_from),
            key_expiration_time: self.key_expiration_time.unwrap_or(valid_to),
            valid_from,
            valid_to,
            secure_conversation_version: if self.flags & flag::FEBRUARY_2005 == 0 {
                SecureConversationVersion::V1_3
            } else {
                SecureConversationVersion::February2005
            },
            principal: ClaimsPrincipal::new(identities),
            persistent: self.flags & flag::PERSISTENT != 0,
            reference_mode: self.flags & flag::REFERENCE_MODE != 0,
            signed_in_at: self.signed_in_at.unwrap_or(valid_from),
            absolute_expiry: self.absolute_expiry.unwrap_or(valid_to),
            idle_timeout: self.idle_timeout,
            issuer_session: self.issuer_session,
        })
    }
}

fn flags_of(token: &SessionSecurityToken) -> u64 {
    let february = token.secure_conversation_version == SecureConversationVersion::February2005;
    [
        (token.persistent, flag::PERSISTENT),
        (token.reference_mode, flag::REFERENCE_MODE),
        (february, flag::FEBRUARY_2005),
    ]
    .into_iter()
    .filter(|(set, _)| *set)
    .map(|(_, flag)| flag)
    .sum()
}

/// A GUID as 16 bytes, anything else as text.
fn write_unique_id(w: &mut Writer, id: &UniqueId) {
    match id.guid() {
        Some(guid) => w.bytes(&guid),
        None => id.with_text(|text| w.text(text)),
    }
}

fn read_unique_id(r: &mut Reader<'_>) -> Result<UniqueId, Malformed> {
    match r.kind()? {
        Kind::Bytes => Ok(UniqueId::from_guid(r.byte_array()?)),
        _ => r.text()?.parse().map_err(|_| Malformed::UniqueId),
    }
}

/// Whole seconds since 1970 as an integer, anything finer as the ticks in eight bytes.
fn write_time(w: &mut Writer, time: Timestamp) {
    if time == time.whole_seconds() {
        w.integer(time.unix_seconds());
    } else {
        w.bytes(&time.ticks().to_be_bytes());
    }
}

fn read_time(r: &mut Reader<'_>) -> Result<Timestamp, Malformed> {
    let time = match r.kind()? {
        Kind::Bytes => Timestamp::from_ticks(i64::from_be_bytes(r.byte_array()?)),
        _ => Timestamp::from_unix_seconds(r.integer()?),
    };
    time.ok_or(BAD_TIME)
}

/// Writes `time`, which is mostly some whole seconds after `from`.
fn write_later(w: &mut Writer, from: Timestamp, time: Timestamp) {
    write_distance(w, from, time, time);
}

fn read_later(r: &mut Reader<'_>, from: Option<Timestamp>) -> Result<Timestamp, Malformed> {
    read_distance(r, from, i64::checked_add)
}

fn read_earlier(r: &mut Reader<'_>, from: Option<Timestamp>) -> Result<Timestamp, Malformed> {
    read_distance(r, from, i64::checked_sub)
}

/// Writes the whole seconds from `early` to `late`, or `time` itself when there is no such number.
fn write_distance(w: &mut Writer, early: Timestamp, late: Timestamp, time: Timestamp) {
    let distance = late.saturating_duration_since(early);
    if late >= early && distance.subsec_nanos() == 0 {
        w.unsigned(distance.as_secs());
    } else {
        w.bytes(&time.ticks().to_be_bytes());
    }
}

fn read_distance(
    r: &mut Reader<'_>,
    from: Option<Timestamp>,
    apply: impl FnOnce(i64, i64) -> Option<i64>,
) -> Result<Timestamp, Malformed> {
    if r.kind()? == Kind::Bytes {
        return read_time(r);
    }
    let from = from.ok_or(Malformed::MissingElement("the start of the session"))?;
    let ticks = i64::try_from(r.unsigned()?).ok().and_then(|seconds| seconds.checked_mul(10_000_000));
    ticks.and_then(|ticks| apply(from.ticks(), ticks)).and_then(Timestamp::from_ticks).ok_or(BAD_TIME)
}

/// Whole seconds as an integer, anything finer as seconds in eight bytes and nanoseconds in four.
fn write_duration(w: &mut Writer, duration: Duration) {
    if duration.subsec_nanos() == 0 {
        return w.unsigned(duration.as_secs());
    }
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&duration.as_secs().to_be_bytes());
    bytes[8..].copy_from_slice(&duration.subsec_nanos().to_be_bytes());
    w.bytes(&bytes);
}

fn read_duration(r: &mut Reader<'_>) -> Result<Duration, Malformed> {
    if r.kind()? != Kind::Bytes {
        return Ok(Duration::from_secs(r.unsigned()?));
    }
    let bytes: [u8; 12] = r.byte_array()?;
    let (seconds, nanos) = bytes.split_at(8);
    let seconds = seconds.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let nanos = nanos.iter().fold(0, |n, byte| n << 8 | u32::from(*byte));
    if nanos >= 1_000_000_000 {
        return Err(BAD_TIME);
    }
    Ok(Duration::new(seconds, nanos))
}

fn write_issuer_session<'a>(w: &mut Writer, written: &mut Written<'a>, session: &'a IssuerSession) {
    let len = match session {
        IssuerSession { sign_out_url: Some(_), .. } => 3,
        IssuerSession { session_index: Some(_), .. } => 2,
        _ => 1,
    };
    w.array(len);
    written.text(w, &session.issuer);
    if len >= 2 {
        match &session.session_index {
            Some(index) => written.value(w, index, &Form::of(index)),
            None => w.null(),
        }
    }
    if let Some(url) = &session.sign_out_url {
        written.text(w, url);
    }
}

fn read_issuer_session(r: &mut Reader<'_>, read: &mut Read) -> Result<IssuerSession, Malformed> {
    let len = r.array()?;
    if !(1..=3).contains(&len) {
        return Err(Malformed::Structure("an issuer session of an unknown form"));
    }
    let issuer = read.text(r)?;
    let session_index = match len {
        1 => None,
        _ if r.kind()? == Kind::Null => r.null().map(|()| None)?,
        _ => Some(read.value(r)?.0),
    };
    let sign_out_url = if len == 3 { Some(read.text(r)?) } else { None };
    Ok(IssuerSession { issuer, session_index, sign_out_url })
}

/// Fields of a token. Frozen.
mod field {
    pub(super) const CONTEXT_ID: u8 = 1;
    pub(super) const KEY: u8 = 2;
    pub(super) const VALID_FROM: u8 = 3;
    pub(super) const VALID_TO: u8 = 4;
    pub(super) const ID: u8 = 5;
    pub(super) const CONTEXT: u8 = 6;
    pub(super) const KEY_GENERATION: u8 = 7;
    pub(super) const KEY_EFFECTIVE_TIME: u8 = 8;
    pub(super) const KEY_EXPIRATION_TIME: u8 = 9;
    pub(super) const FLAGS: u8 = 10;
    pub(super) const SIGNED_IN_AT: u8 = 11;
    pub(super) const ABSOLUTE_EXPIRY: u8 = 12;
    pub(super) const IDLE_TIMEOUT: u8 = 13;
    pub(super) const ISSUER_SESSION: u8 = 14;
    pub(super) const IDENTITIES: u8 = 15;
}

/// Bits of [`field::FLAGS`]. Frozen.
mod flag {
    pub(super) const PERSISTENT: u64 = 1;
    pub(super) const REFERENCE_MODE: u64 = 2;
    pub(super) const FEBRUARY_2005: u64 = 4;
    pub(super) const ALL: u64 = PERSISTENT | REFERENCE_MODE | FEBRUARY_2005;
}

const BAD_TIME: Malformed = Malformed::Structure("a time out of range");
