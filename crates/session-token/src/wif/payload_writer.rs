//! Writing the payload (ST §2.4), byte for byte as the original does.

use super::payload::{Identity, Payload};
use super::system_claim::Vocabulary;
use super::vocabulary::*;
use super::{Error, nrbf};
use handstamp_claims::{ArcStr, Claim, ClaimsIdentity, DEFAULT_ISSUER, claim_types, value_types};
use handstamp_time::Timestamp;
use handstamp_xml::binary::{Name, Value, Writer};

impl Payload {
    /// Writes the payload.
    ///
    /// # Errors
    /// When the id or the key is empty, the actors are too many, or a claim of the security context has no short form.
    pub fn write(&self) -> Result<Vec<u8>, Error> {
        if self.id.is_empty() {
            return Err(Error::MissingId);
        }
        let mut writer = Writer::new(Some(&SESSION_DICTIONARY));
        if self.is_sct_wrapper {
            start(&mut writer, SECURITY_CONTEXT_TOKEN)?;
        } else {
            start(&mut writer, SESSION_TOKEN)?;
            if self.is_persistent {
                attribute(&mut writer, PERSISTENT_TRUE, "")?;
            }
            if self.is_reference_mode {
                attribute(&mut writer, REFERENCE_MODE_TRUE, "")?;
            }
            if let Some(context) = self.context.as_ref().filter(|context| !context.is_empty()) {
                text(&mut writer, CONTEXT, context)?;
            }
        }
        start(&mut writer, VERSION)?;
        writer.value(&Value::Int32(1))?;
        writer.end_element()?;
        text(&mut writer, SECURE_CONVERSATION_VERSION, self.secure_conversation_version.namespace())?;
        text(&mut writer, ID, &self.id)?;
        text(&mut writer, CONTEXT_ID, &self.context_id.to_text())?;
        start(&mut writer, KEY)?;
        writer.bytes(self.key.as_bytes())?;
        writer.end_element()?;
        if let Some(generation) = &self.key_generation {
            text(&mut writer, KEY_GENERATION, &generation.to_text())?;
        }
        time(&mut writer, EFFECTIVE_TIME, self.valid_from)?;
        time(&mut writer, EXPIRY_TIME, self.valid_to)?;
        time(&mut writer, KEY_EFFECTIVE_TIME, self.key_effective_time)?;
        time(&mut writer, KEY_EXPIRY_TIME, self.key_expiration_time)?;
        start(&mut writer, CLAIMS_PRINCIPAL)?;
        start(&mut writer, IDENTITIES)?;
        for identity in &self.identities {
            write_identity(&mut writer, identity, ClaimsIdentity::MAX_ACTOR_DEPTH)?;
        }
        writer.end_element()?;
        writer.end_element()?;
        if let Some(claim) = &self.sct_authorization_policy {
            start(&mut writer, SCT_AUTHORIZATION_POLICY)?;
            claim.write(&mut writer, Vocabulary::SessionToken)?;
            writer.end_element()?;
        }
        text(&mut writer, ENDPOINT_ID, self.endpoint_id.as_deref().unwrap_or_default())?;
        writer.end_element()?;
        Ok(writer.finish()?)
    }
}

/// Writes an identity and at most `actors` actors behind it.
fn write_identity(writer: &mut Writer<'_>, identity: &Identity, actors: usize) -> Result<(), Error> {
    start(writer, IDENTITY)?;
    let optional = [
        (WINDOWS_LOGON_NAME, identity.windows_logon_name.as_ref()),
        (AUTHENTICATION_TYPE, identity.authentication_type.as_ref()),
        (LABEL, identity.label.as_ref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            attribute(writer, name, value)?;
        }
    }
    attribute(writer, NAME_CLAIM_TYPE, &identity.name_claim_type)?;
    attribute(writer, ROLE_CLAIM_TYPE, &identity.role_claim_type)?;
    start(writer, CLAIM_COLLECTION)?;
    let is_windows = identity.windows_logon_name.is_some();
    for claim in identity.claims.iter().filter(|claim| !(is_windows && is_supplied_by_windows(claim))) {
        write_claim(writer, claim)?;
    }
    writer.end_element()?;
    if let Some(actor) = &identity.actor {
        let actors = actors.checked_sub(1);
        let actors = actors.ok_or(Error::Limit { what: "actors", limit: ClaimsIdentity::MAX_ACTOR_DEPTH })?;
        start(writer, ACTOR)?;
        write_identity(writer, actor, actors)?;
        writer.end_element()?;
    }
    if let Some(context) = &identity.bootstrap_context {
        start(writer, BOOTSTRAP_TOKEN)?;
        writer.bytes(&nrbf::write_bootstrap_context(context)?)?;
        writer.end_element()?;
    }
    writer.end_element()?;
    Ok(())
}

fn write_claim(writer: &mut Writer<'_>, claim: &Claim) -> Result<(), Error> {
    start(writer, CLAIM)?;
    attribute(writer, ISSUER, claim.issuer())?;
    attribute(writer, ORIGINAL_ISSUER, claim.original_issuer())?;
    attribute(writer, TYPE, claim.claim_type())?;
    attribute(writer, VALUE, claim.value())?;
    attribute(writer, VALUE_TYPE, claim.value_type())?;
    if !claim.properties().is_empty() {
        start(writer, CLAIM_PROPERTIES)?;
        for (name, value) in claim.properties().iter().filter(|(name, value)| !name.is_empty() && !value.is_empty()) {
            start(writer, CLAIM_PROPERTY)?;
            attribute(writer, CLAIM_PROPERTY_NAME, name)?;
            attribute(writer, CLAIM_PROPERTY_VALUE, value)?;
            writer.end_element()?;
        }
        writer.end_element()?;
    }
    writer.end_element()?;
    Ok(())
}

/// Whether Windows makes this claim anew at every logon, so that it is not written (ST §2.4.3).
fn is_supplied_by_windows(claim: &Claim) -> bool {
    const GROUP_SIDS: [ArcStr; 5] = [
        claim_types::GROUP_SID,
        claim_types::PRIMARY_GROUP_SID,
        claim_types::PRIMARY_SID,
        claim_types::DENY_ONLY_PRIMARY_GROUP_SID,
        claim_types::DENY_ONLY_PRIMARY_SID,
    ];
    GROUP_SIDS.contains(claim.claim_type())
        || (*claim.claim_type() == claim_types::NAME
            && *claim.issuer() == DEFAULT_ISSUER
            && *claim.value_type() == value_types::STRING)
}

fn start(writer: &mut Writer<'_>, name: Name<'_>) -> Result<(), Error> {
    Ok(writer.start_element("", name, Name::NONE)?)
}

fn attribute(writer: &mut Writer<'_>, name: Name<'_>, value: &str) -> Result<(), Error> {
    writer.start_attribute("", name, Name::NONE)?;
    writer.text(value)?;
    Ok(writer.end_attribute()?)
}

fn text(writer: &mut Writer<'_>, name: Name<'_>, value: &str) -> Result<(), Error> {
    start(writer, name)?;
    writer.text(value)?;
    Ok(writer.end_element()?)
}

fn time(writer: &mut Writer<'_>, name: Name<'_>, value: Timestamp) -> Result<(), Error> {
    start(writer, name)?;
    writer.value(&Value::Int64(value.ticks()))?;
    Ok(writer.end_element()?)
}
