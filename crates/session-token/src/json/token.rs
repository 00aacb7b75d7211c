use super::{SystemClaimDescription, TimeDescription, base64};
use crate::wif::{Bootstrap, Error, Identity, Payload};
use crate::{SecureConversationVersion, UniqueId};
use handstamp_claims::{ArcStr, Claim, claim_types};
use handstamp_keys::SymmetricKey;
use serde::{Deserialize, Serialize};

/// A session token.
///
/// ```
/// use handstamp_session_token::json::TokenDescription;
///
/// let description: TokenDescription = serde_json::from_str(r#"{
///     "id": "_1", "contextId": "urn:uuid:01020304-0506-0708-090a-0b0c0d0e0f10", "key": "AAAAAAAAAAAAAAAAAAAAAA==",
///     "validFrom": { "iso": "2030-01-01T00:00:00Z" }, "validTo": { "iso": "2030-01-01T10:00:00Z" },
///     "identities": [ { "authenticationType": "Federation", "claims": [] } ]
/// }"#)?;
/// let payload = description.to_payload()?;
/// assert_eq!(payload.identities.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenDescription {
    /// Whether it wraps a WCF security context token.
    #[serde(default)]
    pub is_sct_wrapper: bool,
    /// The namespace of the WS-SecureConversation version. Default: that of 1.3.
    #[serde(default = "default_version")]
    pub secure_conversation_version: String,
    /// Whether the session outlives the browser.
    #[serde(default)]
    pub is_persistent: bool,
    /// Whether only a reference travels.
    #[serde(default)]
    pub is_reference_mode: bool,
    /// Text of the application.
    #[serde(default)]
    pub context: Option<String>,
    /// The token's id.
    pub id: String,
    /// The session's id.
    pub context_id: String,
    /// The session's key, base64.
    pub key: String,
    /// The generation of the key.
    #[serde(default)]
    pub key_generation: Option<String>,
    /// First instant of the session.
    pub valid_from: TimeDescription,
    /// Last instant of the session.
    pub valid_to: TimeDescription,
    /// First instant of the key. Default: that of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_effective_time: Option<TimeDescription>,
    /// Last instant of the key. Default: that of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_expiration_time: Option<TimeDescription>,
    /// The identities of the principal.
    pub identities: Vec<IdentityDescription>,
    /// The claim of a wrapped security context.
    #[serde(default)]
    pub sct_authorization_policy_claim: Option<SystemClaimDescription>,
    /// The scope; empty means everywhere.
    #[serde(default)]
    pub endpoint_id: Option<String>,
}

/// An identity of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityDescription {
    /// The account of a Windows identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows_logon_name: Option<String>,
    /// How the subject was authenticated.
    #[serde(default)]
    pub authentication_type: Option<String>,
    /// Free text.
    #[serde(default)]
    pub label: Option<String>,
    /// The type of the claim with the name. Default: the name claim type.
    #[serde(default)]
    pub name_claim_type: Option<String>,
    /// The type of the claims with roles. Default: the role claim type.
    #[serde(default)]
    pub role_claim_type: Option<String>,
    /// The claims.
    #[serde(default)]
    pub claims: Vec<ClaimDescription>,
    /// Who acts for this identity.
    #[serde(default)]
    pub actor: Option<Box<IdentityDescription>>,
    /// The token that the identity was made from.
    #[serde(default)]
    pub bootstrap_context: Option<BootstrapDescription>,
}

/// A claim of an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimDescription {
    /// The type.
    #[serde(rename = "type")]
    pub claim_type: String,
    /// The value.
    pub value: String,
    /// The value type. Default: `xs:string`.
    #[serde(default)]
    pub value_type: String,
    /// The issuer. Default: `LOCAL AUTHORITY`.
    #[serde(default)]
    pub issuer: String,
    /// The original issuer. Default: the issuer.
    #[serde(default)]
    pub original_issuer: String,
    /// Name and value of each property.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<(String, String)>,
}

/// A bootstrap context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum BootstrapDescription {
    /// The token's text.
    String {
        /// The text.
        text: String,
    },
    /// The token's bytes.
    Bytes {
        /// The bytes, base64.
        bytes: String,
    },
    /// The XML of a token that the original's token handler wrote.
    SecurityToken {
        /// The XML.
        text: String,
    },
    /// A plain string object, which the original writes and cannot read.
    RawStringObject {
        /// The text.
        text: String,
    },
}

impl TokenDescription {
    /// The payload that is described.
    ///
    /// # Errors
    /// [`Error::Description`] naming the field that is wrong.
    pub fn to_payload(&self) -> Result<Payload, Error> {
        let version = SecureConversationVersion::from_namespace(&self.secure_conversation_version);
        let version = version.ok_or_else(|| {
            Error::Description(format!("secureConversationVersion: unknown: {:?}", self.secure_conversation_version))
        })?;
        let valid_from = self.valid_from.to_timestamp("validFrom")?;
        let valid_to = self.valid_to.to_timestamp("validTo")?;
        let time = |time: &Option<TimeDescription>, name, default| {
            time.as_ref().map_or(Ok(default), |time| time.to_timestamp(name))
        };
        let policy = match &self.sct_authorization_policy_claim {
            None => None,
            Some(claim) => Some(claim.to_claim()?.ok_or_else(|| {
                Error::UnwritableSystemClaim(crate::Quoted::new(claim.claim_type.as_deref().unwrap_or_default()))
            })?),
        };
        Ok(Payload {
            is_sct_wrapper: self.is_sct_wrapper,
            secure_conversation_version: version,
            is_persistent: self.is_persistent,
            is_reference_mode: self.is_reference_mode,
            context: self.context.as_deref().filter(|context| !context.is_empty()).map(ArcStr::from),
            id: self.id.as_str().into(),
            context_id: unique_id("contextId", &self.context_id)?,
            key: SymmetricKey::from(base64("key", &self.key)?),
            key_generation: self.key_generation.as_deref().map(|id| unique_id("keyGeneration", id)).transpose()?,
            valid_from,
            valid_to,
            key_effective_time: time(&self.key_effective_time, "keyEffectiveTime", valid_from)?,
            key_expiration_time: time(&self.key_expiration_time, "keyExpirationTime", valid_to)?,
            identities: self.identities.iter().map(IdentityDescription::to_identity).collect::<Result<_, _>>()?,
            sct_authorization_policy: policy,
            endpoint_id: self.endpoint_id.as_deref().map(ArcStr::from),
        })
    }
}

impl From<&Payload> for TokenDescription {
    fn from(payload: &Payload) -> Self {
        Self {
            is_sct_wrapper: payload.is_sct_wrapper,
            secure_conversation_version: payload.secure_conversation_version.namespace().to_owned(),
            is_persistent: payload.is_persistent,
            is_reference_mode: payload.is_reference_mode,
            context: payload.context.as_ref().map(ArcStr::to_string),
            id: payload.id.to_string(),
            context_id: payload.context_id.to_string(),
            key: base64_simd::STANDARD.encode_to_string(payload.key.as_bytes()),
            key_generation: payload.key_generation.as_ref().map(UniqueId::to_string),
            valid_from: payload.valid_from.into(),
            valid_to: payload.valid_to.into(),
            key_effective_time: Some(payload.key_effective_time.into()),
            key_expiration_time: Some(payload.key_expiration_time.into()),
            identities: payload.identities.iter().map(IdentityDescription::from).collect(),
            sct_authorization_policy_claim: payload.sct_authorization_policy.as_ref().map(SystemClaimDescription::of),
            endpoint_id: payload.endpoint_id.as_ref().map(ArcStr::to_string),
        }
    }
}

impl IdentityDescription {
    fn to_identity(&self) -> Result<Identity, Error> {
        let non_empty = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(ArcStr::from);
        Ok(Identity {
            windows_logon_name: non_empty(&self.windows_logon_name),
            authentication_type: non_empty(&self.authentication_type),
            label: non_empty(&self.label),
            name_claim_type: non_empty(&self.name_claim_type).unwrap_or(claim_types::NAME),
            role_claim_type: non_empty(&self.role_claim_type).unwrap_or(claim_types::ROLE),
            claims: self.claims.iter().map(ClaimDescription::to_claim).collect(),
            actor: self.actor.as_ref().map(|actor| actor.to_identity().map(Box::new)).transpose()?,
            bootstrap_context: match &self.bootstrap_context {
                None => None,
                Some(BootstrapDescription::String { text }) => Some(Bootstrap::Text(text.as_str().into())),
                Some(BootstrapDescription::Bytes { bytes }) => {
                    Some(Bootstrap::Bytes(base64("bootstrapContext", bytes)?))
                }
                Some(BootstrapDescription::SecurityToken { text }) => {
                    Some(Bootstrap::SecurityToken(text.as_str().into()))
                }
                Some(BootstrapDescription::RawStringObject { text }) => {
                    Some(Bootstrap::StringObject(text.as_str().into()))
                }
            },
        })
    }
}

impl From<&Identity> for IdentityDescription {
    fn from(identity: &Identity) -> Self {
        let text = |text: &Option<ArcStr>| text.as_ref().map(ArcStr::to_string);
        Self {
            windows_logon_name: text(&identity.windows_logon_name),
            authentication_type: text(&identity.authentication_type),
            label: text(&identity.label),
            name_claim_type: Some(identity.name_claim_type.to_string()),
            role_claim_type: Some(identity.role_claim_type.to_string()),
            claims: identity.claims.iter().map(ClaimDescription::from).collect(),
            actor: identity.actor.as_ref().map(|actor| Box::new(Self::from(&**actor))),
            bootstrap_context: identity.bootstrap_context.as_ref().map(|context| match context {
                Bootstrap::Text(text) => BootstrapDescription::String { text: text.to_string() },
                Bootstrap::Bytes(bytes) => {
                    BootstrapDescription::Bytes { bytes: base64_simd::STANDARD.encode_to_string(bytes) }
                }
                Bootstrap::SecurityToken(text) => BootstrapDescription::SecurityToken { text: text.to_string() },
                Bootstrap::StringObject(text) => BootstrapDescription::RawStringObject { text: text.to_string() },
            }),
        }
    }
}

impl ClaimDescription {
    fn to_claim(&self) -> Claim {
        let mut claim = Claim::new(self.claim_type.as_str(), self.value.as_str())
            .with_issuer(self.issuer.as_str())
            .with_original_issuer(self.original_issuer.as_str());
        if !self.value_type.is_empty() {
            claim = claim.with_value_type(self.value_type.as_str());
        }
        for (name, value) in &self.properties {
            claim = claim.with_property(name.as_str(), value.as_str());
        }
        claim
    }
}

impl From<&Claim> for ClaimDescription {
    fn from(claim: &Claim) -> Self {
        Self {
            claim_type: claim.claim_type().to_string(),
            value: claim.value().to_string(),
            value_type: claim.value_type().to_string(),
            issuer: claim.issuer().to_string(),
            original_issuer: claim.original_issuer().to_string(),
            properties: claim.properties().iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        }
    }
}

fn unique_id(name: &str, text: &str) -> Result<UniqueId, Error> {
    text.parse().map_err(|_| Error::Description(format!("{name} is empty")))
}

fn default_version() -> String {
    SecureConversationVersion::default().namespace().to_owned()
}
