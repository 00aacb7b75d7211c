//! Identities and their claims.

use super::cbor::{Kind, Map, Reader, Writer};
use super::value::{Form, Read, Written};
use crate::{Error, Malformed};
use handstamp_claims::{ArcStr, BootstrapContext, Claim, ClaimsIdentity, DEFAULT_ISSUER, claim_types, value_types};

/// Writes an array of identities.
pub(super) fn write_identities<'a>(
    w: &mut Writer,
    written: &mut Written<'a>,
    identities: &'a [ClaimsIdentity],
) -> Result<(), Error> {
    let actors = identities.iter().flat_map(ClaimsIdentity::actors);
    let claims: usize = identities.iter().chain(actors).map(|identity| identity.claims().len()).sum();
    if claims > limit::CLAIMS {
        return Err(Error::NotWritable("it has more than 10,000 claims"));
    }
    if identities.len() > limit::IDENTITIES {
        return Err(Error::NotWritable("it has more than 1,000 identities"));
    }
    w.array(identities.len());
    for identity in identities {
        // Each actor is the last field of its identity, so the chain is written without recursion.
        write_identity(w, written, identity)?;
        for actor in identity.actors() {
            write_identity(w, written, actor)?;
        }
    }
    Ok(())
}

/// Writes an identity up to the key of its actor, whose map has to follow.
fn write_identity<'a>(w: &mut Writer, written: &mut Written<'a>, identity: &'a ClaimsIdentity) -> Result<(), Error> {
    let map = w.map();
    let mut optional = |w: &mut Writer, key: u8, text: Option<&'a ArcStr>| {
        if let Some(text) = text {
            w.entry(&map, key);
            written.text(w, text);
        }
    };
    optional(w, identity_field::AUTHENTICATION_TYPE, identity.authentication_type());
    optional(w, identity_field::LABEL, identity.label());
    let unless = |text: &'a ArcStr, default: ArcStr| Some(text).filter(|text| **text != default);
    optional(w, identity_field::NAME_CLAIM_TYPE, unless(identity.name_claim_type(), claim_types::NAME));
    optional(w, identity_field::ROLE_CLAIM_TYPE, unless(identity.role_claim_type(), claim_types::ROLE));
    let issuer = identity.claims().first().map(Claim::issuer).filter(|issuer| **issuer != DEFAULT_ISSUER);
    optional(w, identity_field::ISSUER, issuer);
    optional(w, identity_field::WINDOWS_LOGON_NAME, identity.windows_logon_name());
    write_claims(w, &map, written, identity.claims(), issuer.unwrap_or(&DEFAULT_ISSUER))?;
    match identity.bootstrap_context() {
        None => {}
        Some(BootstrapContext::Text(text)) => {
            w.entry(&map, identity_field::BOOTSTRAP_CONTEXT);
            w.text(text);
        }
        Some(BootstrapContext::Bytes(bytes)) => {
            w.entry(&map, identity_field::BOOTSTRAP_CONTEXT);
            w.bytes(bytes);
        }
        Some(_) => return Err(Error::NotWritable("its bootstrap context is of an unknown kind")),
    }
    if identity.actor().is_some() {
        w.entry(&map, identity_field::ACTOR);
    }
    Ok(())
}

fn write_claims<'a>(
    w: &mut Writer,
    map: &Map,
    written: &mut Written<'a>,
    claims: &'a [Claim],
    default_issuer: &str,
) -> Result<(), Error> {
    if claims.is_empty() {
        return Ok(());
    }
    w.entry(map, identity_field::CLAIMS);
    w.array(2 * claims.len());
    for claim in claims {
        let form = Form::of(claim.value());
        let value_type = Some(claim.value_type()).filter(|value_type| **value_type != default_value_type(&form));
        let issuer = Some(claim.issuer()).filter(|issuer| *issuer != default_issuer);
        let original_issuer = Some(claim.original_issuer()).filter(|original| *original != claim.issuer());
        let properties = claim.properties();
        if properties.len() > limit::PROPERTIES {
            return Err(Error::NotWritable("a claim has more than 1,000 properties"));
        }
        let texts = [value_type, issuer, original_issuer];
        let last = texts.iter().rposition(Option::is_some).map_or(0, |at| at + 1);
        match (last, properties.is_empty()) {
            (0, true) => written.text(w, claim.claim_type()),
            (last, no_properties) => {
                w.array(if no_properties { 1 + last } else { 5 });
                written.text(w, claim.claim_type());
                for text in texts.into_iter().take(if no_properties { last } else { 3 }) {
                    match text {
                        Some(text) => written.text(w, text),
                        None => w.null(),
                    }
                }
                if !no_properties {
                    w.array(2 * properties.len());
                    for (name, value) in properties.iter() {
                        written.text(w, name);
                        written.value(w, value, &Form::of(value));
                    }
                }
            }
        }
        written.value(w, claim.value(), &form);
    }
    Ok(())
}

/// Reads what [`write_identities`] wrote.
pub(super) fn read_identities(r: &mut Reader<'_>, read: &mut Read) -> Result<Vec<ClaimsIdentity>, Malformed> {
    let len = r.array()?;
    if len > limit::IDENTITIES {
        return Err(Malformed::Limit("identities"));
    }
    let mut claims_left = limit::CLAIMS;
    (0..len).map(|_| read_identity(r, read, &mut claims_left, 0)).collect()
}

/// Recursion ends at the depth that actors may have.
fn read_identity(
    r: &mut Reader<'_>,
    read: &mut Read,
    claims_left: &mut usize,
    depth: usize,
) -> Result<ClaimsIdentity, Malformed> {
    if depth > ClaimsIdentity::MAX_ACTOR_DEPTH {
        return Err(Malformed::Limit("actors"));
    }
    let mut identity = ClaimsIdentity::anonymous();
    let mut issuer = DEFAULT_ISSUER;
    let mut entries = r.map()?;
    while let Some(key) = entries.next(r)? {
        identity = match u8::try_from(key).unwrap_or(u8::MAX) {
            identity_field::AUTHENTICATION_TYPE => identity.with_authentication_type(read.text(r)?),
            identity_field::LABEL => identity.with_label(read.text(r)?),
            identity_field::NAME_CLAIM_TYPE => identity.with_name_claim_type(read.text(r)?),
            identity_field::ROLE_CLAIM_TYPE => identity.with_role_claim_type(read.text(r)?),
            identity_field::ISSUER => {
                issuer = read.text(r)?;
                identity
            }
            identity_field::WINDOWS_LOGON_NAME => identity.with_windows_logon_name(read.text(r)?),
            identity_field::CLAIMS => read_claims(r, read, claims_left, &issuer, identity)?,
            identity_field::BOOTSTRAP_CONTEXT => identity.with_bootstrap_context(match r.kind()? {
                Kind::Bytes => BootstrapContext::Bytes(r.bytes()?.to_vec()),
                _ => BootstrapContext::Text(ArcStr::from(r.text()?)),
            }),
            identity_field::ACTOR => {
                let actor = read_identity(r, read, claims_left, depth + 1)?;
                identity.with_actor(actor).map_err(|_| Malformed::Limit("actors"))?
            }
            _ => return Err(Malformed::Structure("an unknown field of an identity")),
        };
    }
    Ok(identity)
}

fn read_claims(
    r: &mut Reader<'_>,
    read: &mut Read,
    claims_left: &mut usize,
    issuer: &ArcStr,
    mut identity: ClaimsIdentity,
) -> Result<ClaimsIdentity, Malformed> {
    let items = r.array()?;
    if items % 2 != 0 {
        return Err(Malformed::Structure("a claim without a value"));
    }
    *claims_left = claims_left.checked_sub(items / 2).ok_or(Malformed::Limit("claims"))?;
    identity.reserve_claims(items / 2);
    for _ in 0..items / 2 {
        identity.add_claim(read_claim(r, read, issuer)?);
    }
    Ok(identity)
}

fn read_claim(r: &mut Reader<'_>, read: &mut Read, default_issuer: &ArcStr) -> Result<Claim, Malformed> {
    let len = if r.kind()? == Kind::Array { r.array()? } else { 1 };
    if !(1..=5).contains(&len) {
        return Err(Malformed::Structure("a claim of an unknown form"));
    }
    let claim_type = read.text(r)?;
    let mut texts = [None, None, None];
    for text in texts.iter_mut().take(len - 1) {
        if r.kind()? == Kind::Null {
            r.null()?;
        } else {
            *text = Some(read.text(r)?);
        }
    }
    let properties = if len == 5 { read_properties(r, read)? } else { Vec::new() };
    let (value, is_time) = read.value(r)?;
    let [value_type, issuer, original_issuer] = texts;
    let default = if is_time { value_types::DATE_TIME } else { value_types::STRING };
    let mut claim = Claim::new(claim_type, value)
        .with_value_type(value_type.unwrap_or(default))
        .with_issuer(issuer.unwrap_or_else(|| default_issuer.clone()));
    if let Some(original_issuer) = original_issuer {
        claim = claim.with_original_issuer(original_issuer);
    }
    for (name, value) in properties {
        if claim.properties_mut().insert(name, value).is_some() {
            return Err(Malformed::Structure("a property that occurs twice"));
        }
    }
    Ok(claim)
}

fn read_properties(r: &mut Reader<'_>, read: &mut Read) -> Result<Vec<(ArcStr, ArcStr)>, Malformed> {
    let items = r.array()?;
    if items % 2 != 0 {
        return Err(Malformed::Structure("a property without a value"));
    }
    if items / 2 > limit::PROPERTIES {
        return Err(Malformed::Limit("properties"));
    }
    (0..items / 2).map(|_| Ok((read.text(r)?, read.value(r)?.0))).collect()
}

fn default_value_type(form: &Form) -> ArcStr {
    if form.is_time() { value_types::DATE_TIME } else { value_types::STRING }
}

/// Fields of an identity. Frozen; the actor comes last.
mod identity_field {
    pub(super) const AUTHENTICATION_TYPE: u8 = 1;
    pub(super) const LABEL: u8 = 2;
    pub(super) const NAME_CLAIM_TYPE: u8 = 3;
    pub(super) const ROLE_CLAIM_TYPE: u8 = 4;
    pub(super) const ISSUER: u8 = 5;
    pub(super) const WINDOWS_LOGON_NAME: u8 = 6;
    pub(super) const CLAIMS: u8 = 7;
    pub(super) const BOOTSTRAP_CONTEXT: u8 = 8;
    pub(super) const ACTOR: u8 = 9;
}

/// ST-12.
mod limit {
    pub(super) const CLAIMS: usize = 10_000;
    pub(super) const PROPERTIES: usize = 1000;
    pub(super) const IDENTITIES: usize = 1000;
}
