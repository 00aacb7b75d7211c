//! Claims of a security context in their short form (ST §2.4.4).

use crate::Quoted;
use crate::wif::Error;
use crate::wif::cursor::Cursor;
use handstamp_claims::ArcStr;
use handstamp_xml::binary::{Name, Writer};

/// A claim of WCF's own claims model: a type, a right, and a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemClaim {
    /// The singleton claim of the system itself.
    System,
    /// A claim that has a short form.
    Claim {
        /// What is claimed.
        kind: SystemClaimKind,
        /// In what way: [`POSSESS_PROPERTY`] or [`IDENTITY`], as a rule.
        right: ArcStr,
        /// The value.
        resource: Resource,
    },
}

/// The kinds of claim that have a short form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemClaimKind {
    /// A Windows account or group.
    WindowsSid,
    /// A Windows group that only takes rights away.
    DenyOnlySid,
    /// The name of a certificate's subject, DER.
    X500DistinguishedName,
    /// The SHA-1 of a certificate.
    X509Thumbprint,
    /// A user name.
    Name,
    /// A DNS name.
    Dns,
    /// An RSA public key, as `<RSAKeyValue>`.
    Rsa,
    /// An e-mail address.
    MailAddress,
    /// A hash of something.
    Hash,
    /// A service principal name.
    Spn,
    /// A user principal name.
    Upn,
    /// A URI.
    Url,
}

/// The value of a claim: text, or bytes where the kind says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// Text.
    Text(ArcStr),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The right of the one whom the claim identifies.
pub const IDENTITY: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/right/identity";
/// The right of one who merely has the property.
pub const POSSESS_PROPERTY: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/right/possessproperty";

const CLAIM_TYPES: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";

impl SystemClaimKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::WindowsSid,
        Self::DenyOnlySid,
        Self::X500DistinguishedName,
        Self::X509Thumbprint,
        Self::Name,
        Self::Dns,
        Self::Rsa,
        Self::MailAddress,
        Self::Hash,
        Self::Spn,
        Self::Upn,
        Self::Url,
    ];

    /// The claim type URI.
    pub fn claim_type(self) -> String {
        let suffix = match self {
            Self::WindowsSid => "sid",
            Self::DenyOnlySid => "denyonlysid",
            Self::X500DistinguishedName => "x500distinguishedname",
            Self::X509Thumbprint => "thumbprint",
            Self::Name => "name",
            Self::Dns => "dns",
            Self::Rsa => "rsa",
            Self::MailAddress => "emailaddress",
            Self::Hash => "hash",
            Self::Spn => "spn",
            Self::Upn => "upn",
            Self::Url => "uri",
        };
        format!("{CLAIM_TYPES}{suffix}")
    }

    /// The kind of a claim type URI.
    pub fn from_claim_type(claim_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.claim_type() == claim_type)
    }

    /// Whether the value is bytes; else it is text.
    pub fn is_bytes(self) -> bool {
        matches!(
            self,
            Self::WindowsSid | Self::DenyOnlySid | Self::X500DistinguishedName | Self::X509Thumbprint | Self::Hash
        )
    }

    /// The element's name; the two formats differ in one.
    fn element(self, vocabulary: Vocabulary) -> &'static str {
        match self {
            Self::WindowsSid => "WindowsSidClaim",
            Self::DenyOnlySid => "DenyOnlySidClaim",
            Self::X500DistinguishedName => match vocabulary {
                Vocabulary::SessionToken => "X500DistinguishedNameClaim",
                Vocabulary::SctState => "X500DistinguishedClaim",
            },
            Self::X509Thumbprint => "X509ThumbprintClaim",
            Self::Name => "NameClaim",
            Self::Dns => "DnsClaim",
            Self::Rsa => "RsaClaim",
            Self::MailAddress => "MailAddressClaim",
            Self::Hash => "HashClaim",
            Self::Spn => "SpnClaim",
            Self::Upn => "UpnClaim",
            Self::Url => "UrlClaim",
        }
    }
}

/// Which of the two formats a claim is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    SessionToken,
    SctState,
}

impl SystemClaim {
    /// Reads the claim element that comes; none when it is `Null`.
    pub(crate) fn read(cursor: &mut Cursor<'_>, vocabulary: Vocabulary) -> Result<Option<Self>, Error> {
        let element = cursor.enter_any()?.ok_or(Error::MissingElement("a claim"))?;
        if !element.namespace.is_empty() {
            return Err(Error::UnknownSystemClaim(Quoted::new(element.name)));
        }
        match element.name {
            "Null" => {
                cursor.leave()?;
                return Ok(None);
            }
            "SystemClaim" => {
                cursor.leave()?;
                return Ok(Some(Self::System));
            }
            _ => {}
        }
        let kind = SystemClaimKind::ALL.into_iter().find(|kind| kind.element(vocabulary) == element.name);
        let kind = kind.ok_or_else(|| Error::UnknownSystemClaim(Quoted::new(element.name)))?;
        let right = cursor.attribute("Right").map_or(ArcStr::from(POSSESS_PROPERTY), |right| ArcStr::from(&*right));
        let resource = if kind.is_bytes() {
            Resource::Bytes(cursor.bytes()?)
        } else {
            Resource::Text(ArcStr::from(&*cursor.text()?))
        };
        Ok(Some(Self::Claim { kind, right, resource }))
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>, vocabulary: Vocabulary) -> Result<(), Error> {
        match self {
            Self::System => writer.start_element("", Name::Dictionary("SystemClaim"), Name::NONE)?,
            Self::Claim { kind, right, resource } => {
                writer.start_element("", Name::Dictionary(kind.element(vocabulary)), Name::NONE)?;
                if right != POSSESS_PROPERTY {
                    writer.start_attribute("", Name::Dictionary("Right"), Name::NONE)?;
                    writer.text(right)?;
                    writer.end_attribute()?;
                }
                match resource {
                    Resource::Bytes(bytes) if kind.is_bytes() => writer.bytes(bytes)?,
                    Resource::Text(text) if !kind.is_bytes() => writer.text(text)?,
                    _ => return Err(Error::UnwritableSystemClaim(Quoted::new(&kind.claim_type()))),
                }
            }
        }
        writer.end_element()?;
        Ok(())
    }
}

/// The text form `S-1-…` of a binary SID; none when the bytes are not one.
pub fn sid_to_text(bytes: &[u8]) -> Option<String> {
    let [revision @ 1, count, authority @ ..] = bytes else { return None };
    let (authority, sub_authorities) = authority.split_at_checked(6)?;
    let (sub_authorities, []) = sub_authorities.as_chunks::<4>() else { return None };
    if sub_authorities.len() != usize::from(*count) || *count > 15 {
        return None;
    }
    let authority = authority.iter().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
    let mut text = format!("S-{revision}-{authority}");
    for sub_authority in sub_authorities {
        text.push_str(&format!("-{}", u32::from_le_bytes(*sub_authority)));
    }
    Some(text)
}

/// The binary form of a SID given as `S-1-…`; none when it is not one.
pub fn sid_from_text(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.strip_prefix("S-1-")?.split('-');
    let authority: u64 = parts.next()?.parse().ok()?;
    let sub_authorities = parts.map(str::parse::<u32>).collect::<Result<Vec<_>, _>>().ok()?;
    if authority >> 48 != 0 || sub_authorities.len() > 15 {
        return None;
    }
    let mut bytes = vec![1, sub_authorities.len() as u8];
    bytes.extend_from_slice(&authority.to_be_bytes()[2..]);
    bytes.extend(sub_authorities.iter().flat_map(|part| part.to_le_bytes()));
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sids_have_two_forms() {
        for text in ["S-1-5-32-544", "S-1-1-0", "S-1-5-18", "S-1-5-21-1004336348-1177238915-682003330-512"] {
            assert_eq!(sid_to_text(&sid_from_text(text).unwrap()).as_deref(), Some(text));
        }
        assert_eq!(sid_from_text("S-1-5-32-544").unwrap(), [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]);
        for bad in [&[][..], &[1, 1, 0, 0, 0, 0, 0, 5], &[2, 0, 0, 0, 0, 0, 0, 5], &[1, 0, 0, 0, 0, 0, 0, 5, 1]] {
            assert_eq!(sid_to_text(bad), None);
        }
        for bad in ["", "S-1", "S-1-x", "S-2-5", "S-1-5-4294967296"] {
            assert_eq!(sid_from_text(bad), None, "{bad}");
        }
    }
}
