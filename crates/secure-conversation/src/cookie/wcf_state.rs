//! Cookies as WCF makes them: its state of a security context, protected by whatever encoder is plugged in (SC 10.3).

use super::{ContextCookies, check_size, check_token, cookie_of, version};
use crate::error::Error;
use crate::identity;
use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, authentication_types, claim_types, value_types};
use handstamp_keys::{Certificate, SecureRandom};
use handstamp_session_token::sct_state::{
    ClaimSet, DataContractClaim, DataType, PrimaryIdentity, SctClaim, SctState, SecurityStateEncoder,
};
use handstamp_session_token::wif::{IDENTITY, POSSESS_PROPERTY, Resource, SystemClaim, SystemClaimKind};
use handstamp_session_token::{ContextId, EndpointScope, SessionSecurityToken};
use handstamp_time::Timestamp;
use handstamp_ws_security::token::SecurityContextToken;
use std::sync::Arc;

/// Cookies that hold WCF's state. For services that share sessions with WCF through an encoder that both have.
///
/// The state knows names and claims, but not issuers, value types and properties of claims, and no service identifier: the
/// scope of sessions is not protected unless the encoder does it.
#[derive(Debug, Clone)]
pub struct WcfStateCookies {
    encoder: Arc<dyn SecurityStateEncoder>,
    scope: EndpointScope,
}

/// What WCF's services read.
const MAX_SIZE: usize = super::MAX_SIZE;

impl WcfStateCookies {
    /// Cookies that this encoder protects.
    pub fn new(encoder: Arc<dyn SecurityStateEncoder>) -> Self {
        Self { encoder, scope: EndpointScope::Unscoped }
    }
}

impl ContextCookies for WcfStateCookies {
    fn seal(
        &self,
        session: &SessionSecurityToken,
        _now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error> {
        let state = state_of(session).write().map_err(|error| Error::cookie(error.to_string()))?;
        let cookie = self.encoder.encode(state, random).map_err(|error| Error::cookie(error.to_string()))?;
        check_size(cookie, MAX_SIZE)
    }

    fn open(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SessionSecurityToken, Error> {
        let refused = |error: handstamp_session_token::wif::Error| Error::cookie(error.to_string());
        let state = self.encoder.decode(cookie_of(token)?).map_err(refused)?;
        let state = SctState::read(&state).map_err(refused)?;
        check_token(token, &self.scope, session_of(state, token, now)?)
    }

    fn scope(&self) -> &EndpointScope {
        &self.scope
    }
}

fn state_of(session: &SessionSecurityToken) -> SctState {
    let identities = session.principal().identities().iter().filter(|identity| identity.is_authenticated());
    SctState {
        id: Some(session.id().clone()),
        context_id: session.context_id().as_unique_id().clone(),
        key: session.key().clone(),
        key_generation: session.key_generation().map(|generation| generation.as_unique_id().clone()),
        effective_time: session.valid_from(),
        expiry_time: session.valid_to(),
        key_effective_time: session.key_effective_time(),
        key_expiry_time: session.key_expiration_time(),
        identities: identities.clone().map(primary_identity).collect(),
        claim_sets: identities.map(claim_set).collect(),
        is_cookie_mode: true,
    }
}

fn session_of(state: SctState, token: &SecurityContextToken, now: Timestamp) -> Result<SessionSecurityToken, Error> {
    let id = state.id.clone().ok_or_else(|| Error::cookie("it does not say the id of its token"))?;
    let mut builder = SessionSecurityToken::builder(principal(&state))
        .id(id)
        .context_id(ContextId::from(state.context_id))
        .key(state.key)
        .valid_from(state.effective_time)
        .valid_to(state.expiry_time)
        .key_validity(state.key_effective_time, state.key_expiry_time)
        .secure_conversation_version(version(token.context.generation));
    if let Some(generation) = state.key_generation {
        builder = builder.key_generation(generation.into());
    }
    // The builder refuses to make a token that has ended; whether this one has is decided later, with the clock skew.
    let built_at = now.min(state.expiry_time);
    builder.build(built_at, &NoRandomness).map_err(|error| Error::cookie(error.to_string()))
}

/// Everything random about a session that is read is read, too.
struct NoRandomness;

impl SecureRandom for NoRandomness {
    fn fill(&self, _out: &mut [u8]) -> Result<(), handstamp_keys::Error> {
        Err(handstamp_keys::Error::RandomUnavailable)
    }
}

fn primary_identity(identity: &ClaimsIdentity) -> PrimaryIdentity {
    PrimaryIdentity::Generic {
        name: identity.name().unwrap_or_default().into(),
        authentication_type: identity.authentication_type().cloned().unwrap_or_default(),
    }
}

/// The claims, issued by the system as WCF has it for what it validated itself. The name stands there twice, as what
/// identifies and as what is merely possessed.
fn claim_set(identity: &ClaimsIdentity) -> ClaimSet {
    let name = identity.find_first(identity.name_claim_type()).map(|claim| sct_claim(claim, IDENTITY));
    let claims = identity.claims().iter().map(|claim| sct_claim(claim, POSSESS_PROPERTY));
    ClaimSet::Default { issuer: Some(Box::new(ClaimSet::System)), claims: name.into_iter().chain(claims).collect() }
}

fn sct_claim(claim: &Claim, right: &'static str) -> SctClaim {
    let short = SystemClaimKind::from_claim_type(claim.claim_type()).and_then(|kind| {
        let resource = if kind.is_bytes() {
            let is_octets = *claim.value_type() == value_types::BASE64_BINARY;
            let octets = base64_simd::STANDARD.decode_to_vec(claim.value().as_bytes()).ok().filter(|_| is_octets);
            Resource::Bytes(octets?)
        } else {
            Resource::Text(claim.value().clone())
        };
        Some(SctClaim::Short(SystemClaim::Claim { kind, right: right.into(), resource }))
    });
    short.unwrap_or_else(|| {
        SctClaim::DataContract(DataContractClaim {
            claim_type: claim.claim_type().clone(),
            right: right.into(),
            data_type: DataType::String,
            value: claim.value().clone(),
        })
    })
}

/// Who the state says the caller is. Identities and claim sets stand side by side; a certificate speaks for itself.
fn principal(state: &SctState) -> ClaimsPrincipal {
    let count = state.identities.len().max(state.claim_sets.len());
    (0..count).filter_map(|at| claims_identity(state.identities.get(at), state.claim_sets.get(at))).collect()
}

fn claims_identity(primary: Option<&PrimaryIdentity>, claims: Option<&ClaimSet>) -> Option<ClaimsIdentity> {
    let (name, authentication_type) = match primary {
        Some(
            PrimaryIdentity::Generic { name, authentication_type }
            | PrimaryIdentity::WindowsSid { name, authentication_type, .. },
        ) => (Some(name), authentication_type.clone()),
        None => (None, authentication_types::FEDERATION),
    };
    let mut identity = match claims {
        Some(ClaimSet::X509Certificate(der)) => Certificate::from_der(der).map_or_else(
            |_| ClaimsIdentity::new(authentication_types::X509),
            |certificate| identity::of_certificate(&certificate),
        ),
        Some(ClaimSet::Default { claims, .. }) => {
            ClaimsIdentity::new(authentication_type).with_claims(claims.iter().filter_map(possessed))
        }
        Some(ClaimSet::System | ClaimSet::Windows | ClaimSet::Anonymous) | None => {
            primary.is_some().then(|| ClaimsIdentity::new(authentication_type))?
        }
    };
    if let Some(name) = name.filter(|name| !name.is_empty() && identity.name().is_none()) {
        identity.add_claim(Claim::new(claim_types::NAME, name.clone()));
    }
    if let Some(PrimaryIdentity::WindowsSid { name, sid, .. }) = primary {
        // A name and a number: nobody is logged on (SC 10.6).
        let sid = base64_simd::STANDARD.encode_to_string(sid);
        identity.add_claim(Claim::new(claim_types::PRIMARY_SID, sid).with_value_type(value_types::BASE64_BINARY));
        identity = identity.with_windows_logon_name(name.clone());
    }
    Some(identity)
}

/// A claim that the caller has; the ones that identify say again what another says.
fn possessed(claim: &SctClaim) -> Option<Claim> {
    match claim {
        SctClaim::Short(SystemClaim::Claim { right, .. }) if right == IDENTITY => None,
        SctClaim::Short(SystemClaim::Claim { kind, resource, .. }) => Some(match resource {
            Resource::Text(text) => Claim::new(kind.claim_type(), text.clone()),
            Resource::Bytes(octets) => Claim::new(kind.claim_type(), base64_simd::STANDARD.encode_to_string(octets))
                .with_value_type(value_types::BASE64_BINARY),
        }),
        SctClaim::Short(SystemClaim::System) => None,
        SctClaim::DataContract(claim) if claim.right == IDENTITY => None,
        SctClaim::DataContract(claim) => Some(Claim::new(claim.claim_type.clone(), claim.value.clone())),
    }
}
