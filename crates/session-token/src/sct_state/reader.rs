//! Reading the state: by name, in any order; of a repeated element the last one counts.

use super::{ClaimSet, DataContractClaim, PrimaryIdentity, SCT_STATE_DICTIONARY, SctClaim, SctState};
use crate::wif::{Cursor, Error, SystemClaim, Vocabulary};
use crate::{Quoted, UniqueId};
use handstamp_claims::ArcStr;
use handstamp_keys::SymmetricKey;
use handstamp_time::Timestamp;

const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 64;
const MAX_CLAIMS: usize = 10_000;

impl SctState {
    /// Reads a state that no encoder protects, or that one has opened.
    ///
    /// # Errors
    /// When it is not the state of a security context token, contradicts itself, or passes the limits of ST-12.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Err(Error::EmptyPayload);
        }
        if bytes.len() > MAX_BYTES {
            return Err(Error::Limit { what: "bytes of state", limit: MAX_BYTES });
        }
        let cursor = Cursor::new(bytes, &SCT_STATE_DICTIONARY, MAX_DEPTH);
        let state = StateReader { cursor, claims: 0 }.read()?;
        state.check_times()?;
        Ok(state)
    }
}

struct StateReader<'i> {
    cursor: Cursor<'i>,
    claims: usize,
}

impl StateReader<'_> {
    fn read(mut self) -> Result<SctState, Error> {
        let (mut version, mut id, mut context_id, mut key, mut key_generation) = (None, None, None, None, None);
        let default_effective = Timestamp::from_ticks(SctState::DEFAULT_EFFECTIVE_TICKS).unwrap_or(Timestamp::MIN);
        let default_expiry = Timestamp::from_ticks(SctState::DEFAULT_EXPIRY_TICKS).unwrap_or(Timestamp::MAX);
        let (mut effective_time, mut expiry_time) = (default_effective, default_expiry);
        let (mut key_effective_time, mut key_expiry_time) = (default_effective, default_expiry);
        let (mut identities, mut claim_sets, mut is_cookie_mode) = (Vec::new(), Vec::new(), true);

        self.cursor.enter("SecurityContextSecurityToken")?;
        while let Some(element) = self.cursor.enter_any()? {
            if !element.namespace.is_empty() {
                return Err(Error::unexpected(element.name));
            }
            match element.name {
                "Version" => version = Some(self.cursor.integer()?),
                "Id" => id = Some(ArcStr::from(&*self.cursor.text()?)),
                "ContextId" => context_id = Some(self.unique_id()?),
                "Key" => key = Some(self.cursor.bytes()?),
                "KeyGeneration" => key_generation = Some(self.unique_id()?),
                "EffectiveTime" => effective_time = self.time()?,
                "ExpiryTime" => expiry_time = self.time()?,
                "KeyEffectiveTime" => key_effective_time = self.time()?,
                "KeyExpiryTime" => key_expiry_time = self.time()?,
                "IsCookieMode" => is_cookie_mode = self.cursor.text()? == "1",
                "Identities" => identities = self.identities()?,
                "ClaimSets" => claim_sets = self.claim_sets()?,
                other => return Err(Error::unexpected(other)),
            }
        }
        self.cursor.leave()?;
        self.cursor.finish()?;
        match version {
            Some(1) => {}
            Some(other) => return Err(Error::Version(Quoted::new(&other.to_string()))),
            None => return Err(Error::Version(Quoted::new(""))),
        }
        let context_id = context_id.ok_or(Error::MissingElement("ContextId"))?;
        let key = key.filter(|key| !key.is_empty()).ok_or(Error::MissingElement("Key"))?;
        Ok(SctState {
            id,
            context_id,
            key: SymmetricKey::from(key),
            key_generation,
            effective_time,
            expiry_time,
            key_effective_time,
            key_expiry_time,
            identities,
            claim_sets,
            is_cookie_mode,
        })
    }

    fn identities(&mut self) -> Result<Vec<PrimaryIdentity>, Error> {
        let mut identities = Vec::new();
        while self.cursor.enter_if("PrimaryIdentity")? {
            let element = self.cursor.enter_any()?.ok_or(Error::MissingElement("GenericIdentity"))?;
            let authentication_type = ArcStr::from(&*self.cursor.attribute("AuthenticationType").unwrap_or_default());
            identities.push(match element.name {
                "GenericIdentity" => {
                    PrimaryIdentity::Generic { name: ArcStr::from(&*self.cursor.text()?), authentication_type }
                }
                "WindowsSidIdentity" => {
                    let sid = self.cursor.attribute("Sid").ok_or(Error::Structure("a Windows identity has no SID"))?;
                    let sid = base64_simd::STANDARD.decode_to_vec(sid.as_bytes()).map_err(|_| Error::NotBase64)?;
                    PrimaryIdentity::WindowsSid { name: ArcStr::from(&*self.cursor.text()?), authentication_type, sid }
                }
                other => return Err(Error::unexpected(other)),
            });
            self.cursor.leave()?;
        }
        self.cursor.leave()?;
        Ok(identities)
    }

    fn claim_sets(&mut self) -> Result<Vec<ClaimSet>, Error> {
        let mut claim_sets = Vec::new();
        while self.cursor.peek()?.is_some() {
            claim_sets.extend(self.claim_set()?);
        }
        self.cursor.leave()?;
        Ok(claim_sets)
    }

    /// Reads the claim set that comes; none when it is `Null`. Issuers nest; the limit on depth bounds the recursion.
    fn claim_set(&mut self) -> Result<Option<ClaimSet>, Error> {
        let element = self.cursor.enter_any()?.ok_or(Error::MissingElement("ClaimSet"))?;
        if !element.namespace.is_empty() {
            return Err(Error::unexpected(element.name));
        }
        match element.name {
            "ClaimSet" => {}
            "X509CertificateClaimSet" => return Ok(Some(ClaimSet::X509Certificate(self.cursor.bytes()?))),
            name => {
                self.cursor.leave()?;
                return match name {
                    "SystemClaimSet" => Ok(Some(ClaimSet::System)),
                    "WindowsClaimSet" => Ok(Some(ClaimSet::Windows)),
                    "AnonymousClaimSet" => Ok(Some(ClaimSet::Anonymous)),
                    "Null" => Ok(None),
                    other => Err(Error::unexpected(other)),
                };
            }
        }
        let mut issuer = None;
        if self.cursor.enter_if("PrimaryIssuer")? {
            issuer = self.claim_set()?.map(Box::new);
            self.cursor.leave()?;
        }
        let mut claims = Vec::new();
        while self.cursor.enter_if("Claim")? {
            self.claims += 1;
            if self.claims > MAX_CLAIMS {
                return Err(Error::Limit { what: "claims", limit: MAX_CLAIMS });
            }
            if DataContractClaim::is_at(&mut self.cursor)? {
                claims.push(SctClaim::DataContract(DataContractClaim::read(&mut self.cursor)?));
            } else {
                claims.extend(SystemClaim::read(&mut self.cursor, Vocabulary::SctState)?.map(SctClaim::Short));
            }
            self.cursor.leave()?;
        }
        self.cursor.leave()?;
        Ok(Some(ClaimSet::Default { issuer, claims }))
    }

    fn unique_id(&mut self) -> Result<UniqueId, Error> {
        self.cursor.text()?.trim_ascii().parse().map_err(|_| Error::EmptyUniqueId)
    }

    fn time(&mut self) -> Result<Timestamp, Error> {
        Timestamp::from_ticks(self.cursor.integer()?).ok_or(Error::Structure("a time lies outside the calendar"))
    }
}
