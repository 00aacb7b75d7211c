//! Reading the payload (ST §2.4): strict order, bounded in every direction.

use super::Error;
use super::cursor::Cursor;
use super::nrbf;
use super::payload::{Bootstrap, Identity, Payload};
use super::system_claim::{SystemClaim, Vocabulary};
use super::vocabulary::SESSION_DICTIONARY;
use crate::{Quoted, SecureConversationVersion, UniqueId};
use handstamp_claims::{ArcStr, Claim, ClaimsIdentity, DEFAULT_ISSUER, claim_types, value_types};
use handstamp_keys::SymmetricKey;
use handstamp_time::Timestamp;

/// What a reader of payloads accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PayloadPolicy {
    /// Bytes of the payload. Default 1 MiB.
    pub max_bytes: usize,
    /// Open elements; each actor costs two. Default 68: enough for as many actors as an identity can have.
    pub max_depth: usize,
    /// Claims of all identities together. Default 10,000.
    pub max_claims: usize,
    /// Properties of one claim. Default 1,000.
    pub max_properties: usize,
    /// What to do with a bootstrap context of no known kind. Default: drop it.
    pub unknown_bootstrap_context: UnknownBootstrapContext,
    /// Whether Windows identities are refused; else they are read as what was carried (ST-13). Default: no.
    pub refuse_windows_identities: bool,
}

/// What to do with a bootstrap context of no known kind (ST-17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownBootstrapContext {
    /// Read the token without it.
    Drop,
    /// Refuse the token.
    Refuse,
    /// Keep the text of a plain string object, which the original writes and cannot read; read the token without anything
    /// else. For tools that show what is there.
    KeepText,
}

impl Default for PayloadPolicy {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 20,
            // Above the outermost identity and below the innermost one stand four each.
            max_depth: 2 * ClaimsIdentity::MAX_ACTOR_DEPTH + 8,
            max_claims: 10_000,
            max_properties: 1_000,
            unknown_bootstrap_context: UnknownBootstrapContext::Drop,
            refuse_windows_identities: false,
        }
    }
}

impl Payload {
    /// Reads a payload.
    ///
    /// # Errors
    /// When it is not the payload of a session token, or passes a limit.
    pub fn read(bytes: &[u8], policy: &PayloadPolicy) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Err(Error::EmptyPayload);
        }
        if bytes.len() > policy.max_bytes {
            return Err(Error::Limit { what: "bytes of payload", limit: policy.max_bytes });
        }
        let cursor = Cursor::new(bytes, &SESSION_DICTIONARY, policy.max_depth);
        PayloadReader { cursor, policy, claims: 0, recent: Recent::default() }.read()
    }
}

struct PayloadReader<'i> {
    cursor: Cursor<'i>,
    policy: &'i PayloadPolicy,
    claims: usize,
    recent: Recent,
}

/// The strings of the claim before, which the next one mostly repeats.
struct Recent {
    issuer: ArcStr,
    original_issuer: ArcStr,
    claim_type: ArcStr,
    value_type: ArcStr,
}

/// The text of an attribute, which is often that of the claim before.
fn repeated(recent: &mut ArcStr, text: &str) -> ArcStr {
    if *text != **recent {
        *recent = ArcStr::from(text);
    }
    recent.clone()
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            issuer: DEFAULT_ISSUER,
            original_issuer: DEFAULT_ISSUER,
            claim_type: claim_types::ROLE,
            value_type: value_types::STRING,
        }
    }
}

impl PayloadReader<'_> {
    fn read(mut self) -> Result<Payload, Error> {
        let (is_sct_wrapper, is_persistent, is_reference_mode);
        if self.cursor.enter_if("SessionToken")? {
            is_sct_wrapper = false;
            is_persistent = self.cursor.attribute("PersistentTrue").is_some();
            is_reference_mode = self.cursor.attribute("ReferenceModeTrue").is_some();
        } else {
            // The original reports these as persistent, for want of an attribute that says otherwise.
            self.cursor.enter_if("SecurityContextToken")?.then_some(()).ok_or(Error::MissingElement("SessionToken"))?;
            (is_sct_wrapper, is_persistent, is_reference_mode) = (true, false, false);
        }
        let context = if !is_sct_wrapper && self.cursor.enter_if("Context")? {
            Some(self.arc_text()?).filter(|context| !context.is_empty())
        } else {
            None
        };
        let version = self.text_of("Version")?;
        if version != "1" {
            return Err(Error::Version(Quoted::new(&version)));
        }
        let version = self.text_of("SecureConversationVersion")?;
        let secure_conversation_version =
            SecureConversationVersion::from_namespace(&version).ok_or_else(|| Error::Version(Quoted::new(&version)))?;
        let id = if self.cursor.enter_if("Id")? { self.arc_text()? } else { ArcStr::default() };
        if id.is_empty() {
            return Err(Error::MissingId);
        }
        self.cursor.enter("ContextId")?;
        let context_id = self.unique_id()?;
        self.cursor.enter("Key")?;
        let key = SymmetricKey::from(self.cursor.bytes()?);
        let key_generation = if self.cursor.enter_if("KeyGeneration")? { Some(self.unique_id()?) } else { None };
        let valid_from = self.time("EffectiveTime")?;
        let valid_to = self.time("ExpiryTime")?;
        let key_effective_time = self.time("KeyEffectiveTime")?;
        let key_expiration_time = self.time("KeyExpiryTime")?;
        let identities = if self.cursor.enter_if("ClaimsPrincipal")? { self.principal()? } else { Vec::new() };
        let mut sct_authorization_policy = None;
        if self.cursor.enter_if("SctAuthorizationPolicy")? {
            sct_authorization_policy = SystemClaim::read(&mut self.cursor, Vocabulary::SessionToken)?;
            self.cursor.leave()?;
        }
        let endpoint_id = if self.cursor.enter_if("EndpointId")? { Some(self.arc_text()?) } else { None };
        self.cursor.leave()?;
        self.cursor.finish()?;
        Ok(Payload {
            is_sct_wrapper,
            secure_conversation_version,
            is_persistent,
            is_reference_mode,
            context,
            id,
            context_id,
            key,
            key_generation,
            valid_from,
            valid_to,
            key_effective_time,
            key_expiration_time,
            identities,
            sct_authorization_policy,
            endpoint_id,
        })
    }

    fn principal(&mut self) -> Result<Vec<Identity>, Error> {
        let mut identities = Vec::new();
        if self.cursor.enter_if("Identities")? {
            while self.cursor.enter_if("Identity")? {
                identities.push(self.identity()?);
            }
            self.cursor.leave()?;
        }
        self.cursor.leave()?;
        Ok(identities)
    }

    /// Reads the identity just entered. Actors nest; the limit on depth bounds the recursion.
    fn identity(&mut self) -> Result<Identity, Error> {
        let cursor = &mut self.cursor;
        let mut attribute =
            |name| cursor.attribute(name).filter(|value| !value.is_empty()).map(|value| ArcStr::from(&*value));
        let windows_logon_name = attribute("WindowsLogonName");
        let mut identity = Identity {
            authentication_type: attribute("AuthenticationType"),
            label: attribute("Label"),
            name_claim_type: attribute("NameClaimType").unwrap_or(claim_types::NAME),
            role_claim_type: attribute("RoleClaimType").unwrap_or(claim_types::ROLE),
            windows_logon_name,
            claims: Vec::new(),
            actor: None,
            bootstrap_context: None,
        };
        if identity.windows_logon_name.is_some() && self.policy.refuse_windows_identities {
            return Err(Error::WindowsIdentityRefused);
        }
        if self.cursor.enter_if("ClaimCollection")? {
            while self.cursor.enter_if("Claim")? {
                let claim = self.claim()?;
                identity.claims.push(claim);
            }
            self.cursor.leave()?;
        }
        if self.cursor.enter_if("Actor")? {
            match self.cursor.peek()? {
                Some(element) if element.name == "Identity" => {}
                Some(element) => return Err(Error::NotAnIdentity(Quoted::new(element.name))),
                None => return Err(Error::NotAnIdentity(Quoted::new(""))),
            }
            self.cursor.enter("Identity")?;
            identity.actor = Some(Box::new(self.identity()?));
            self.cursor.leave()?;
        }
        if self.cursor.enter_if("BootStrapToken")? {
            identity.bootstrap_context = self.bootstrap_context()?;
        }
        self.cursor.leave()?;
        Ok(identity)
    }

    fn bootstrap_context(&mut self) -> Result<Option<Bootstrap>, Error> {
        let bytes = self.cursor.bytes()?;
        let context = nrbf::read_bootstrap_context(&bytes).ok();
        match (context, self.policy.unknown_bootstrap_context) {
            (None | Some(Bootstrap::StringObject(_)), UnknownBootstrapContext::Refuse) => {
                Err(Error::UnknownBootstrapContext)
            }
            (Some(Bootstrap::StringObject(_)), UnknownBootstrapContext::Drop) => Ok(None),
            (context, _) => Ok(context),
        }
    }

    fn claim(&mut self) -> Result<Claim, Error> {
        self.claims += 1;
        if self.claims > self.policy.max_claims {
            return Err(Error::Limit { what: "claims", limit: self.policy.max_claims });
        }
        let Self { cursor, recent, .. } = self;
        let (mut issuer, mut original_issuer, mut claim_type, mut value, mut value_type) =
            (None, None, None, None, None);
        for (name, text) in cursor.attributes() {
            match name {
                "Issuer" => issuer = Some(repeated(&mut recent.issuer, &text)),
                "OriginalIssuer" => original_issuer = Some(repeated(&mut recent.original_issuer, &text)),
                "Type" => claim_type = Some(repeated(&mut recent.claim_type, &text)),
                "Value" => value = Some(ArcStr::from(&*text)),
                "ValueType" => value_type = Some(repeated(&mut recent.value_type, &text)),
                _ => {}
            }
        }
        let claim_type = claim_type.ok_or(Error::Structure("a claim has no type"))?;
        let mut claim = Claim::new(claim_type, value.ok_or(Error::Structure("a claim has no value"))?);
        if let Some(value_type) = value_type.filter(|value_type| !value_type.is_empty()) {
            claim = claim.with_value_type(value_type);
        }
        if let Some(issuer) = issuer {
            claim = claim.with_issuer(issuer);
        }
        if let Some(original_issuer) = original_issuer {
            claim = claim.with_original_issuer(original_issuer);
        }
        if self.cursor.enter_if("ClaimProperties")? {
            self.properties(&mut claim)?;
        }
        self.cursor.leave()?;
        Ok(claim)
    }

    fn properties(&mut self, claim: &mut Claim) -> Result<(), Error> {
        while self.cursor.enter_if("ClaimProperty")? {
            if claim.properties().len() >= self.policy.max_properties {
                return Err(Error::Limit { what: "claim properties", limit: self.policy.max_properties });
            }
            let name = self.cursor.attribute("ClaimPropertyName").filter(|name| !name.is_empty());
            let name = name.ok_or(Error::EmptyPropertyName)?;
            let value = self.cursor.attribute("ClaimPropertyValue").filter(|value| !value.is_empty());
            let value = value.ok_or(Error::EmptyPropertyValue)?;
            if claim.properties_mut().insert(&*name, &*value).is_some() {
                return Err(Error::Structure("a claim has a property twice"));
            }
            self.cursor.leave()?;
        }
        self.cursor.leave()
    }

    fn arc_text(&mut self) -> Result<ArcStr, Error> {
        Ok(ArcStr::from(&*self.cursor.text()?))
    }

    fn text_of(&mut self, name: &'static str) -> Result<String, Error> {
        self.cursor.enter(name)?;
        Ok(self.cursor.text()?.into_owned())
    }

    fn unique_id(&mut self) -> Result<UniqueId, Error> {
        self.cursor.text()?.parse().map_err(|_| Error::EmptyUniqueId)
    }

    fn time(&mut self, name: &'static str) -> Result<Timestamp, Error> {
        self.cursor.enter(name)?;
        Timestamp::from_ticks(self.cursor.integer()?).ok_or(Error::Structure("a time lies outside the calendar"))
    }
}
