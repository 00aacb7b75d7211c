//! Writing the state, byte for byte as the original does.

use super::{ClaimSet, PrimaryIdentity, SCT_STATE_DICTIONARY, SctClaim, SctState};
use crate::UniqueId;
use crate::wif::{Error, Vocabulary};
use handstamp_time::Timestamp;
use handstamp_xml::binary::{Name, Value, Writer};

impl SctState {
    /// Writes the state, unprotected.
    ///
    /// # Errors
    /// When the key is empty, the times contradict each other, or a claim has no form.
    pub fn write(&self) -> Result<Vec<u8>, Error> {
        if self.key.len() == 0 {
            return Err(Error::MissingElement("Key"));
        }
        self.check_times()?;
        let mut writer = Writer::new(Some(&SCT_STATE_DICTIONARY));
        start(&mut writer, "SecurityContextSecurityToken")?;
        start(&mut writer, "Version")?;
        writer.value(&Value::Int32(1))?;
        writer.end_element()?;
        if let Some(id) = &self.id {
            text(&mut writer, "Id", id)?;
        }
        unique_id(&mut writer, "ContextId", &self.context_id)?;
        start(&mut writer, "Key")?;
        writer.bytes(self.key.as_bytes())?;
        writer.end_element()?;
        if let Some(generation) = &self.key_generation {
            unique_id(&mut writer, "KeyGeneration", generation)?;
        }
        time(&mut writer, "EffectiveTime", self.effective_time)?;
        time(&mut writer, "ExpiryTime", self.expiry_time)?;
        time(&mut writer, "KeyEffectiveTime", self.key_effective_time)?;
        time(&mut writer, "KeyExpiryTime", self.key_expiry_time)?;
        if !self.claim_sets.is_empty() {
            if !self.identities.is_empty() {
                start(&mut writer, "Identities")?;
                self.identities.iter().try_for_each(|identity| write_identity(&mut writer, identity))?;
                writer.end_element()?;
            }
            start(&mut writer, "ClaimSets")?;
            self.claim_sets.iter().try_for_each(|claim_set| write_claim_set(&mut writer, claim_set, MAX_ISSUERS))?;
            writer.end_element()?;
        }
        writer.end_element()?;
        Ok(writer.finish()?)
    }
}

/// What fits the reader's limit on depth.
const MAX_ISSUERS: usize = 28;

fn write_identity(writer: &mut Writer<'_>, identity: &PrimaryIdentity) -> Result<(), Error> {
    start(writer, "PrimaryIdentity")?;
    let (name, authentication_type) = match identity {
        PrimaryIdentity::Generic { name, authentication_type } => {
            start(writer, "GenericIdentity")?;
            (name, authentication_type)
        }
        PrimaryIdentity::WindowsSid { name, authentication_type, sid } => {
            start(writer, "WindowsSidIdentity")?;
            attribute(writer, "Sid", &base64_simd::STANDARD.encode_to_string(sid))?;
            (name, authentication_type)
        }
    };
    if !authentication_type.is_empty() {
        attribute(writer, "AuthenticationType", authentication_type)?;
    }
    writer.text(name)?;
    writer.end_element()?;
    Ok(writer.end_element()?)
}

/// Writes a claim set with at most `issuers` issuers behind it.
fn write_claim_set(writer: &mut Writer<'_>, claim_set: &ClaimSet, issuers: usize) -> Result<(), Error> {
    match claim_set {
        ClaimSet::Default { issuer, claims } => {
            start(writer, "ClaimSet")?;
            start(writer, "PrimaryIssuer")?;
            match issuer {
                None => {
                    start(writer, "Null")?;
                    writer.end_element()?;
                }
                Some(issuer) => {
                    let issuers = issuers.checked_sub(1);
                    let issuers = issuers.ok_or(Error::Limit { what: "issuers", limit: MAX_ISSUERS })?;
                    write_claim_set(writer, issuer, issuers)?;
                }
            }
            writer.end_element()?;
            for claim in claims {
                start(writer, "Claim")?;
                match claim {
                    SctClaim::Short(claim) => claim.write(writer, Vocabulary::SctState)?,
                    SctClaim::DataContract(claim) => claim.write(writer)?,
                }
                writer.end_element()?;
            }
        }
        ClaimSet::X509Certificate(certificate) => {
            start(writer, "X509CertificateClaimSet")?;
            writer.bytes(certificate)?;
        }
        ClaimSet::System => start(writer, "SystemClaimSet")?,
        ClaimSet::Windows => start(writer, "WindowsClaimSet")?,
        ClaimSet::Anonymous => start(writer, "AnonymousClaimSet")?,
    }
    Ok(writer.end_element()?)
}

fn start(writer: &mut Writer<'_>, name: &'static str) -> Result<(), Error> {
    Ok(writer.start_element("", Name::Dictionary(name), Name::NONE)?)
}

fn attribute(writer: &mut Writer<'_>, name: &'static str, value: &str) -> Result<(), Error> {
    writer.start_attribute("", Name::Dictionary(name), Name::NONE)?;
    writer.text(value)?;
    Ok(writer.end_attribute()?)
}

fn text(writer: &mut Writer<'_>, name: &'static str, value: &str) -> Result<(), Error> {
    start(writer, name)?;
    writer.text(value)?;
    Ok(writer.end_element()?)
}

fn unique_id(writer: &mut Writer<'_>, name: &'static str, id: &UniqueId) -> Result<(), Error> {
    start(writer, name)?;
    id.with_text(|text| writer.unique_id(text))?;
    Ok(writer.end_element()?)
}

fn time(writer: &mut Writer<'_>, name: &'static str, value: Timestamp) -> Result<(), Error> {
    start(writer, name)?;
    writer.value(&Value::Int64(value.ticks()))?;
    Ok(writer.end_element()?)
}
