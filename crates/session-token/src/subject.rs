//! Whose session it is, without saying so.

use handstamp_claims::{ClaimsPrincipal, claim_types};
use handstamp_keys::sha256;
use std::fmt;

/// A digest of issuer and name of a user: what stores index sessions by for "sign out everywhere".
///
/// It is SHA-256, so a store that holds it does not hold the name. Somebody who reads the store *and* can guess the name
/// can check the guess.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId([u8; 32]);

impl SubjectId {
    /// The subject that `issuer` calls `name`.
    pub fn new(issuer: &str, name: &str) -> Self {
        let mut input = Vec::with_capacity(40 + issuer.len() + name.len());
        input.extend_from_slice(b"handstamp subject v1");
        input.extend_from_slice(&(issuer.len() as u64).to_be_bytes());
        input.extend_from_slice(issuer.as_bytes());
        input.extend_from_slice(name.as_bytes());
        Self(sha256(&input))
    }

    /// The subject of a principal: the value and issuer of the first name identifier claim, else of the first UPN, name
    /// or email address of its primary identity.
    pub fn of(principal: &ClaimsPrincipal) -> Option<Self> {
        let identity = principal.identity()?;
        let claim = [claim_types::NAME_IDENTIFIER, claim_types::UPN, claim_types::NAME, claim_types::EMAIL]
            .iter()
            .find_map(|claim_type| identity.find_first(claim_type))?;
        Some(Self::new(claim.issuer(), claim.value()))
    }

    /// The subject of this digest, read back from a store.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectId(")?;
        for byte in self.0.iter().take(4) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_claims::{Claim, ClaimsIdentity};

    #[test]
    fn the_name_identifier_wins_and_the_issuer_counts() {
        let identity = ClaimsIdentity::new("Federation")
            .with_claim(Claim::new(claim_types::NAME, "alice").with_issuer("sts"))
            .with_claim(Claim::new(claim_types::NAME_IDENTIFIER, "4711").with_issuer("sts"));
        assert_eq!(SubjectId::of(&identity.into()), Some(SubjectId::new("sts", "4711")));
        assert_ne!(SubjectId::new("sts", "4711"), SubjectId::new("other", "4711"));
        assert_ne!(SubjectId::new("sts4", "711"), SubjectId::new("sts", "4711"));
        assert_eq!(SubjectId::of(&ClaimsPrincipal::anonymous()), None);
        assert_eq!(SubjectId::of(&ClaimsIdentity::new("x").into()), None);
    }
}
