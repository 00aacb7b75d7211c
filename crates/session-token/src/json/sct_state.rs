use super::{SystemClaimDescription, TimeDescription, base64};
use crate::UniqueId;
use crate::sct_state::{ClaimSet, DataContractClaim, DataType, PrimaryIdentity, SctClaim, SctState};
use crate::wif::{Error, sid_from_text, sid_to_text};
use handstamp_claims::ArcStr;
use handstamp_keys::SymmetricKey;
use handstamp_time::Timestamp;
use serde::{Deserialize, Serialize};

/// The state of WCF's security context token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SctStateDescription {
    /// Identifies the conversation.
    pub context_id: String,
    /// The token's id.
    #[serde(default)]
    pub id: Option<String>,
    /// The key, base64.
    pub key: String,
    /// The generation of the key.
    #[serde(default)]
    pub key_generation: Option<String>,
    /// First instant of the conversation.
    pub effective_time: TimeDescription,
    /// Last instant of the conversation.
    pub expiry_time: TimeDescription,
    /// First instant of the key. Default: that of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_effective_time: Option<TimeDescription>,
    /// Last instant of the key. Default: that of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_expiry_time: Option<TimeDescription>,
    /// The identities of the platform.
    #[serde(default)]
    pub identities: Vec<PrimaryIdentityDescription>,
    /// The claim sets.
    #[serde(default)]
    pub claim_sets: Vec<ClaimSetDescription>,
}

/// An identity of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum PrimaryIdentityDescription {
    /// A name, and how it was proven.
    GenericIdentity {
        /// The name.
        name: String,
        /// How it was proven.
        #[serde(default)]
        authentication_type: String,
    },
    /// A Windows account.
    WindowsSidIdentity {
        /// The account.
        name: String,
        /// How it was proven.
        #[serde(default)]
        authentication_type: String,
        /// The SID as text; `sidBytes` counts when both are there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sid: Option<String>,
        /// The binary SID, base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sid_bytes: Option<String>,
    },
}

/// A claim set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
pub enum ClaimSetDescription {
    /// Claims in full.
    Default {
        /// Who issued them.
        #[serde(default)]
        issuer: Option<Box<ClaimSetDescription>>,
        /// The claims.
        #[serde(default)]
        claims: Vec<SystemClaimDescription>,
    },
    /// The claims of a certificate.
    X509Certificate {
        /// The certificate, DER in base64.
        certificate: String,
    },
    /// The system itself.
    System,
    /// Windows.
    Windows,
    /// Anybody.
    Anonymous,
}

impl SctStateDescription {
    /// The state that is described.
    ///
    /// # Errors
    /// [`Error::Description`] naming the field that is wrong.
    pub fn to_state(&self) -> Result<SctState, Error> {
        let unique_id = |name: &str, text: &str| -> Result<UniqueId, Error> {
            text.parse().map_err(|_| Error::Description(format!("{name} is empty")))
        };
        let effective_time = self.effective_time.to_timestamp("effectiveTime")?;
        let expiry_time = self.expiry_time.to_timestamp("expiryTime")?;
        let time = |time: &Option<TimeDescription>, name, default: Timestamp| {
            time.as_ref().map_or(Ok(default), |time| time.to_timestamp(name))
        };
        Ok(SctState {
            id: self.id.as_deref().map(ArcStr::from),
            context_id: unique_id("contextId", &self.context_id)?,
            key: SymmetricKey::from(base64("key", &self.key)?),
            key_generation: self.key_generation.as_deref().map(|id| unique_id("keyGeneration", id)).transpose()?,
            effective_time,
            expiry_time,
            key_effective_time: time(&self.key_effective_time, "keyEffectiveTime", effective_time)?,
            key_expiry_time: time(&self.key_expiry_time, "keyExpiryTime", expiry_time)?,
            identities: self.identities.iter().map(to_identity).collect::<Result<_, _>>()?,
            claim_sets: self.claim_sets.iter().map(to_claim_set).collect::<Result<_, _>>()?,
            is_cookie_mode: true,
        })
    }
}

impl From<&SctState> for SctStateDescription {
    fn from(state: &SctState) -> Self {
        Self {
            context_id: state.context_id.to_string(),
            id: state.id.as_ref().map(ArcStr::to_string),
            key: base64_simd::STANDARD.encode_to_string(state.key.as_bytes()),
            key_generation: state.key_generation.as_ref().map(UniqueId::to_string),
            effective_time: state.effective_time.into(),
            expiry_time: state.expiry_time.into(),
            key_effective_time: Some(state.key_effective_time.into()),
            key_expiry_time: Some(state.key_expiry_time.into()),
            identities: state.identities.iter().map(describe_identity).collect(),
            claim_sets: state.claim_sets.iter().map(describe_claim_set).collect(),
        }
    }
}

fn to_identity(description: &PrimaryIdentityDescription) -> Result<PrimaryIdentity, Error> {
    match description {
        PrimaryIdentityDescription::GenericIdentity { name, authentication_type } => Ok(PrimaryIdentity::Generic {
            name: name.as_str().into(),
            authentication_type: authentication_type.as_str().into(),
        }),
        PrimaryIdentityDescription::WindowsSidIdentity { name, authentication_type, sid, sid_bytes } => {
            let sid = match (sid_bytes, sid) {
                (Some(bytes), _) => base64("sidBytes", bytes)?,
                (None, Some(sid)) => {
                    sid_from_text(sid).ok_or_else(|| Error::Description(format!("{sid:?} is not a SID")))?
                }
                (None, None) => return Err(Error::Description("a Windows identity needs its sid".into())),
            };
            let (name, authentication_type) = (name.as_str().into(), authentication_type.as_str().into());
            Ok(PrimaryIdentity::WindowsSid { name, authentication_type, sid })
        }
    }
}

fn describe_identity(identity: &PrimaryIdentity) -> PrimaryIdentityDescription {
    match identity {
        PrimaryIdentity::Generic { name, authentication_type } => PrimaryIdentityDescription::GenericIdentity {
            name: name.to_string(),
            authentication_type: authentication_type.to_string(),
        },
        PrimaryIdentity::WindowsSid { name, authentication_type, sid } => {
            PrimaryIdentityDescription::WindowsSidIdentity {
                name: name.to_string(),
                authentication_type: authentication_type.to_string(),
                sid: sid_to_text(sid),
                sid_bytes: Some(base64_simd::STANDARD.encode_to_string(sid)),
            }
        }
    }
}

/// JSON is bounded in depth by its parser, so the issuers are.
fn to_claim_set(description: &ClaimSetDescription) -> Result<ClaimSet, Error> {
    Ok(match description {
        ClaimSetDescription::Default { issuer, claims } => ClaimSet::Default {
            issuer: issuer.as_ref().map(|issuer| to_claim_set(issuer).map(Box::new)).transpose()?,
            claims: claims.iter().map(to_claim).collect::<Result<_, _>>()?,
        },
        ClaimSetDescription::X509Certificate { certificate } => {
            ClaimSet::X509Certificate(base64("certificate", certificate)?)
        }
        ClaimSetDescription::System => ClaimSet::System,
        ClaimSetDescription::Windows => ClaimSet::Windows,
        ClaimSetDescription::Anonymous => ClaimSet::Anonymous,
    })
}

fn describe_claim_set(claim_set: &ClaimSet) -> ClaimSetDescription {
    match claim_set {
        ClaimSet::Default { issuer, claims } => ClaimSetDescription::Default {
            issuer: issuer.as_ref().map(|issuer| Box::new(describe_claim_set(issuer))),
            claims: claims.iter().map(describe_claim).collect(),
        },
        ClaimSet::X509Certificate(certificate) => {
            ClaimSetDescription::X509Certificate { certificate: base64_simd::STANDARD.encode_to_string(certificate) }
        }
        ClaimSet::System => ClaimSetDescription::System,
        ClaimSet::Windows => ClaimSetDescription::Windows,
        ClaimSet::Anonymous => ClaimSetDescription::Anonymous,
    }
}

fn to_claim(description: &SystemClaimDescription) -> Result<SctClaim, Error> {
    if let Some(claim) = description.to_claim()? {
        return Ok(SctClaim::Short(claim));
    }
    let claim_type = description.claim_type.as_deref().unwrap_or_default();
    let missing = || Error::Description(format!("a claim of type {claim_type} needs its value"));
    let (data_type, value) = if let Some(text) = &description.text {
        (DataType::String, text.as_str())
    } else if let Some(bytes) = &description.bytes {
        (DataType::Base64Binary, bytes.as_str())
    } else if let Some(uri) = &description.uri {
        (DataType::AnyUri, uri.as_str())
    } else {
        let name = description.resource_type.as_deref().ok_or_else(missing)?;
        let data_type = DataType::from_dotnet_name(name);
        let data_type = data_type.ok_or_else(|| Error::Description(format!("resourceType: unknown: {name:?}")))?;
        (data_type, description.resource.as_deref().ok_or_else(missing)?)
    };
    let value = match (data_type, value) {
        (DataType::Boolean, "True") => "true",
        (DataType::Boolean, "False") => "false",
        (_, value) => value,
    };
    Ok(SctClaim::DataContract(DataContractClaim {
        claim_type: claim_type.into(),
        right: description.right(),
        data_type,
        value: value.into(),
    }))
}

fn describe_claim(claim: &SctClaim) -> SystemClaimDescription {
    let claim = match claim {
        SctClaim::Short(claim) => return SystemClaimDescription::of(claim),
        SctClaim::DataContract(claim) => claim,
    };
    let mut description = SystemClaimDescription {
        claim_type: Some(claim.claim_type.to_string()),
        right: Some(claim.right.to_string()),
        ..SystemClaimDescription::default()
    };
    let value = claim.value.to_string();
    match claim.data_type {
        DataType::String => description.text = Some(value),
        DataType::Base64Binary => description.bytes = Some(value),
        DataType::AnyUri => description.uri = Some(value),
        data_type => {
            description.resource_type = Some(data_type.dotnet_name().to_owned());
            description.resource = Some(match (data_type, value.as_str()) {
                (DataType::Boolean, "true" | "1") => "True".to_owned(),
                (DataType::Boolean, _) => "False".to_owned(),
                _ => value,
            });
            description.note = Some("written with the data contract serializer".to_owned());
        }
    }
    description
}
