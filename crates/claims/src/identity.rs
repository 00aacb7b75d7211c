//! The claims of one subject.

use crate::{ArcStr, Claim, DEFAULT_ISSUER, Error, claim_types, value_types};
use std::fmt;

/// A subject as its claims describe it (ST §1.4): an ordered list, duplicates allowed.
///
/// Finding by type disregards ASCII case; values are compared exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimsIdentity {
    authentication_type: Option<ArcStr>,
    label: Option<ArcStr>,
    name_claim_type: ArcStr,
    role_claim_type: ArcStr,
    claims: Vec<Claim>,
    actor: Option<Box<ClaimsIdentity>>,
    bootstrap_context: Option<BootstrapContext>,
    windows_logon_name: Option<ArcStr>,
}

impl ClaimsIdentity {
    /// The most identities that may follow one another as actors, 30: what fits the nesting limit of a token (ST-12).
    pub const MAX_ACTOR_DEPTH: usize = 30;

    /// An identity without claims. An empty `authentication_type` (`""`) makes an unauthenticated one.
    pub fn new(authentication_type: impl Into<ArcStr>) -> Self {
        Self { authentication_type: non_empty(authentication_type), ..Self::anonymous() }
    }

    /// An unauthenticated identity without claims.
    pub fn anonymous() -> Self {
        Self {
            authentication_type: None,
            label: None,
            name_claim_type: claim_types::NAME,
            role_claim_type: claim_types::ROLE,
            claims: Vec::new(),
            actor: None,
            bootstrap_context: None,
            windows_logon_name: None,
        }
    }

    /// Sets the authentication type; an empty one makes the identity unauthenticated.
    #[must_use]
    pub fn with_authentication_type(mut self, authentication_type: impl Into<ArcStr>) -> Self {
        self.authentication_type = non_empty(authentication_type);
        self
    }

    /// Adds a claim at the end.
    #[must_use]
    pub fn with_claim(mut self, claim: Claim) -> Self {
        self.claims.push(claim);
        self
    }

    /// Adds claims at the end.
    #[must_use]
    pub fn with_claims(mut self, claims: impl IntoIterator<Item = Claim>) -> Self {
        self.claims.extend(claims);
        self
    }

    /// Sets free text that tells identities of one principal apart; empty text clears it (ST-6).
    #[must_use]
    pub fn with_label(mut self, label: impl Into<ArcStr>) -> Self {
        self.label = non_empty(label);
        self
    }

    /// Sets which claim type is the name; an empty one means [`claim_types::NAME`].
    #[must_use]
    pub fn with_name_claim_type(mut self, claim_type: impl Into<ArcStr>) -> Self {
        self.name_claim_type = non_empty(claim_type).unwrap_or(claim_types::NAME);
        self
    }

    /// Sets which claim type is a role; an empty one means [`claim_types::ROLE`].
    #[must_use]
    pub fn with_role_claim_type(mut self, claim_type: impl Into<ArcStr>) -> Self {
        self.role_claim_type = non_empty(claim_type).unwrap_or(claim_types::ROLE);
        self
    }

    /// Sets who acts for this subject.
    ///
    /// # Errors
    /// [`Error::ActorChainTooDeep`] when the chain would pass [`Self::MAX_ACTOR_DEPTH`].
    pub fn with_actor(mut self, actor: ClaimsIdentity) -> Result<Self, Error> {
        self.set_actor(Some(actor))?;
        Ok(self)
    }

    /// Attaches the token that the identity was made from, to call further services with.
    #[must_use]
    pub fn with_bootstrap_context(mut self, context: BootstrapContext) -> Self {
        self.bootstrap_context = Some(context);
        self
    }

    /// Marks the identity as one that Windows vouched for under this account name, such as `CONTOSO\alice` (ST-13).
    #[must_use]
    pub fn with_windows_logon_name(mut self, account: impl Into<ArcStr>) -> Self {
        self.windows_logon_name = non_empty(account);
        self
    }

    /// Adds a claim at the end.
    pub fn add_claim(&mut self, claim: Claim) {
        self.claims.push(claim);
    }

    /// Makes room for claims that are about to be added.
    pub fn reserve_claims(&mut self, additional: usize) {
        self.claims.reserve(additional);
    }

    /// Adds claims at the end.
    pub fn add_claims(&mut self, claims: impl IntoIterator<Item = Claim>) {
        self.claims.extend(claims);
    }

    /// Removes and returns the claim at `index`; none when there is no such claim.
    pub fn remove_claim(&mut self, index: usize) -> Option<Claim> {
        (index < self.claims.len()).then(|| self.claims.remove(index))
    }

    /// Keeps only the claims that `keep` accepts.
    pub fn retain_claims(&mut self, keep: impl FnMut(&Claim) -> bool) {
        self.claims.retain(keep);
    }

    /// The claims, to change their properties.
    pub fn claims_mut(&mut self) -> &mut [Claim] {
        &mut self.claims
    }

    /// Sets or clears who acts for this subject.
    ///
    /// # Errors
    /// [`Error::ActorChainTooDeep`] when the chain would pass [`Self::MAX_ACTOR_DEPTH`]; the old actor stays.
    pub fn set_actor(&mut self, actor: Option<ClaimsIdentity>) -> Result<(), Error> {
        if let Some(actor) = &actor
            && actor.actor_depth() >= Self::MAX_ACTOR_DEPTH
        {
            return Err(Error::ActorChainTooDeep);
        }
        self.actor = actor.map(Box::new);
        Ok(())
    }

    /// Detaches and returns the bootstrap context.
    pub fn take_bootstrap_context(&mut self) -> Option<BootstrapContext> {
        self.bootstrap_context.take()
    }

    /// How the subject was authenticated, for instance `Federation`; never empty.
    pub fn authentication_type(&self) -> Option<&ArcStr> {
        self.authentication_type.as_ref()
    }

    /// Whether the subject was authenticated at all: there is an authentication type.
    pub fn is_authenticated(&self) -> bool {
        self.authentication_type.is_some()
    }

    /// Free text; never empty.
    pub fn label(&self) -> Option<&ArcStr> {
        self.label.as_ref()
    }

    /// The claim type that [`Self::name`] reads. Default: [`claim_types::NAME`].
    pub fn name_claim_type(&self) -> &ArcStr {
        &self.name_claim_type
    }

    /// The claim type that [`Self::roles`] and [`Self::is_in_role`] read. Default: [`claim_types::ROLE`].
    pub fn role_claim_type(&self) -> &ArcStr {
        &self.role_claim_type
    }

    /// The claims, in order.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Who acts for this subject.
    pub fn actor(&self) -> Option<&ClaimsIdentity> {
        self.actor.as_deref()
    }

    /// This identity's actor, that one's actor, and so on.
    pub fn actors(&self) -> impl Iterator<Item = &ClaimsIdentity> {
        std::iter::successors(self.actor(), |identity| identity.actor())
    }

    /// How many actors follow.
    pub fn actor_depth(&self) -> usize {
        self.actors().count()
    }

    /// The token that the identity was made from.
    pub fn bootstrap_context(&self) -> Option<&BootstrapContext> {
        self.bootstrap_context.as_ref()
    }

    /// The account name, when Windows vouched for the identity. It is a name only, never a logon (ST-13).
    pub fn windows_logon_name(&self) -> Option<&ArcStr> {
        self.windows_logon_name.as_ref()
    }

    /// The value of the first claim of the name claim type.
    pub fn name(&self) -> Option<&str> {
        self.find_first(&self.name_claim_type).map(|claim| claim.value().as_str())
    }

    /// The values of all claims of the role claim type, in order.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.find_all(&self.role_claim_type).map(|claim| claim.value().as_str())
    }

    /// Whether there is a role claim with exactly this value.
    pub fn is_in_role(&self, role: &str) -> bool {
        self.has_claim(&self.role_claim_type, role)
    }

    /// The first claim of a type.
    pub fn find_first(&self, claim_type: &str) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.is(claim_type))
    }

    /// The claims of a type, in order.
    pub fn find_all(&self, claim_type: &str) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(move |claim| claim.is(claim_type))
    }

    /// Whether there is a claim of this type, without case, with this value, exactly.
    pub fn has_claim(&self, claim_type: &str, value: &str) -> bool {
        self.claims.iter().any(|claim| claim.value() == value && claim.is(claim_type))
    }

    /// The name claim that stands for the logon name: what a reader adds to a Windows identity whose name claim was
    /// left out because the operating system would supply it (ST-13).
    pub fn windows_name_claim(&self) -> Option<Claim> {
        let account = self.windows_logon_name.clone()?;
        Some(Claim::new(claim_types::NAME, account).with_value_type(value_types::STRING).with_issuer(DEFAULT_ISSUER))
    }
}

impl Default for ClaimsIdentity {
    fn default() -> Self {
        Self::anonymous()
    }
}

/// The issuer's token that an identity was made from, kept to call further services as the user (ST §2.6).
///
/// It is a reusable credential, and 60 to 90 % of an oversized cookie: attach it in reference mode only.
/// `Debug` shows its length and nothing else.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BootstrapContext {
    /// The token's text, usually a SAML assertion.
    Text(ArcStr),
    /// The token's bytes.
    Bytes(Vec<u8>),
}

impl fmt::Debug for BootstrapContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes, redacted)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes, redacted)", bytes.len()),
        }
    }
}

fn non_empty(text: impl Into<ArcStr>) -> Option<ArcStr> {
    Some(text.into()).filter(|text| !text.is_empty())
}
