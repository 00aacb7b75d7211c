//! The identities of one caller.

use crate::{Claim, ClaimsIdentity};
use std::fmt;

/// Chooses the primary identity: an index into the list, or none.
pub type PrimaryIdentitySelector = fn(&[ClaimsIdentity]) -> Option<usize>;

/// Who is calling: an ordered list of identities, usually one (ST §1.4).
///
/// Searches go through all identities in order. Equality looks at the identities, not at the selector.
#[derive(Clone)]
pub struct ClaimsPrincipal {
    identities: Vec<ClaimsIdentity>,
    primary: PrimaryIdentitySelector,
}

impl ClaimsPrincipal {
    /// A principal of these identities.
    pub fn new(identities: Vec<ClaimsIdentity>) -> Self {
        Self { identities, primary: first_windows_or_first }
    }

    /// A principal without identities: nobody.
    pub fn anonymous() -> Self {
        Self::new(Vec::new())
    }

    /// Replaces the rule that chooses the primary identity. An index beyond the list chooses none.
    #[must_use]
    pub fn with_primary_selector(mut self, select: PrimaryIdentitySelector) -> Self {
        self.primary = select;
        self
    }

    /// Adds an identity at the end.
    pub fn add_identity(&mut self, identity: ClaimsIdentity) {
        self.identities.push(identity);
    }

    /// The identities, to change them.
    pub fn identities_mut(&mut self) -> &mut [ClaimsIdentity] {
        &mut self.identities
    }

    /// The identities, in order.
    pub fn identities(&self) -> &[ClaimsIdentity] {
        &self.identities
    }

    /// The identities, taken out.
    pub fn into_identities(self) -> Vec<ClaimsIdentity> {
        self.identities
    }

    /// The primary identity: by default the first that Windows vouched for, otherwise the first.
    pub fn identity(&self) -> Option<&ClaimsIdentity> {
        self.identities.get((self.primary)(&self.identities)?)
    }

    /// The name of the primary identity.
    pub fn name(&self) -> Option<&str> {
        self.identity()?.name()
    }

    /// Whether the primary identity was authenticated.
    pub fn is_authenticated(&self) -> bool {
        self.identity().is_some_and(ClaimsIdentity::is_authenticated)
    }

    /// The claims of all identities, in order.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.identities.iter().flat_map(ClaimsIdentity::claims)
    }

    /// Whether any identity has this role by its own role claim type.
    pub fn is_in_role(&self, role: &str) -> bool {
        self.identities.iter().any(|identity| identity.is_in_role(role))
    }

    /// The first claim of a type, compared without case.
    pub fn find_first(&self, claim_type: &str) -> Option<&Claim> {
        self.claims().find(|claim| claim.is(claim_type))
    }

    /// The claims of a type, compared without case.
    pub fn find_all(&self, claim_type: &str) -> impl Iterator<Item = &Claim> {
        self.claims().filter(move |claim| claim.is(claim_type))
    }

    /// Whether there is a claim of this type, without case, with this value, exactly.
    pub fn has_claim(&self, claim_type: &str, value: &str) -> bool {
        self.identities.iter().any(|identity| identity.has_claim(claim_type, value))
    }
}

impl Default for ClaimsPrincipal {
    fn default() -> Self {
        Self::anonymous()
    }
}

impl From<ClaimsIdentity> for ClaimsPrincipal {
    fn from(identity: ClaimsIdentity) -> Self {
        Self::new(vec![identity])
    }
}

impl FromIterator<ClaimsIdentity> for ClaimsPrincipal {
    fn from_iter<I: IntoIterator<Item = ClaimsIdentity>>(identities: I) -> Self {
        Self::new(identities.into_iter().collect())
    }
}

impl PartialEq for ClaimsPrincipal {
    fn eq(&self, other: &Self) -> bool {
        self.identities == other.identities
    }
}

impl Eq for ClaimsPrincipal {}

impl fmt::Debug for ClaimsPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimsPrincipal").field("identities", &self.identities).finish_non_exhaustive()
    }
}

fn first_windows_or_first(identities: &[ClaimsIdentity]) -> Option<usize> {
    let windows = identities.iter().position(|identity| identity.windows_logon_name().is_some());
    windows.or((!identities.is_empty()).then_some(0))
}
