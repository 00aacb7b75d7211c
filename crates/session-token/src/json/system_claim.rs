use super::base64;
use crate::wif::{Error, Resource, SystemClaim, SystemClaimKind, sid_from_text, sid_to_text};
use handstamp_claims::ArcStr;
use serde::{Deserialize, Serialize};

/// A claim of WCF's claims model. Which of the value fields is there depends on the claim type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SystemClaimDescription {
    /// `System` for the claim of the system itself, which has no other field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The claim type URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_type: Option<String>,
    /// The right URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<String>,
    /// A name, DNS name, SPN or UPN; or any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// An e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// A URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// An RSA public key as `<RSAKeyValue>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsa_public_xml: Option<String>,
    /// A distinguished name, DER in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x500_der: Option<String>,
    /// A SID as `S-1-…`, for people; `bytes` counts when both are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// A hash, thumbprint, binary SID or any bytes, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// The .NET type of a value of another type (state of WCF's token only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// The value of another type, as .NET prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// A remark; ignored when reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl SystemClaimDescription {
    pub(super) fn of(claim: &SystemClaim) -> Self {
        let SystemClaim::Claim { kind, right, resource } = claim else {
            return Self { kind: Some("System".into()), ..Self::default() };
        };
        let mut description =
            Self { claim_type: Some(kind.claim_type()), right: Some(right.to_string()), ..Self::default() };
        match resource {
            Resource::Text(text) => {
                let field = match kind {
                    SystemClaimKind::MailAddress => &mut description.mail,
                    SystemClaimKind::Url => &mut description.uri,
                    SystemClaimKind::Rsa => &mut description.rsa_public_xml,
                    _ => &mut description.text,
                };
                *field = Some(text.to_string());
            }
            Resource::Bytes(bytes) => {
                let encoded = base64_simd::STANDARD.encode_to_string(bytes);
                match kind {
                    SystemClaimKind::X500DistinguishedName => description.x500_der = Some(encoded),
                    SystemClaimKind::WindowsSid | SystemClaimKind::DenyOnlySid => {
                        description.sid = sid_to_text(bytes);
                        description.bytes = Some(encoded);
                    }
                    _ => description.bytes = Some(encoded),
                }
            }
        }
        description
    }

    /// The claim, when its type has a short form; none when it has not.
    pub(super) fn to_claim(&self) -> Result<Option<SystemClaim>, Error> {
        if self.is_system() {
            return Ok(Some(SystemClaim::System));
        }
        let claim_type = self.claim_type.as_deref();
        let claim_type = claim_type.ok_or_else(|| Error::Description("a claim needs a claimType".into()))?;
        let Some(kind) = SystemClaimKind::from_claim_type(claim_type) else { return Ok(None) };
        let missing = || Error::Description(format!("a claim of type {claim_type} needs its value"));
        let resource = if kind.is_bytes() {
            let encoded = match kind {
                SystemClaimKind::X500DistinguishedName => self.x500_der.as_ref(),
                _ => self.bytes.as_ref(),
            };
            Resource::Bytes(match (encoded, &self.sid) {
                (Some(encoded), _) => base64("the value of a claim", encoded)?,
                (None, Some(sid)) => {
                    sid_from_text(sid).ok_or_else(|| Error::Description(format!("{sid:?} is not a SID")))?
                }
                (None, None) => return Err(missing()),
            })
        } else {
            let text = match kind {
                SystemClaimKind::MailAddress => &self.mail,
                SystemClaimKind::Url => &self.uri,
                SystemClaimKind::Rsa => &self.rsa_public_xml,
                _ => &self.text,
            };
            Resource::Text(text.as_deref().map(ArcStr::from).ok_or_else(missing)?)
        };
        Ok(Some(SystemClaim::Claim { kind, right: self.right(), resource }))
    }

    pub(super) fn is_system(&self) -> bool {
        self.kind.as_deref() == Some("System")
    }

    pub(super) fn right(&self) -> ArcStr {
        self.right.as_deref().unwrap_or(crate::wif::POSSESS_PROPERTY).into()
    }
}
