//! From configuration to a running service.

use super::active::ActiveEndpoints;
use super::back_channel::{BackChannel, LogoutChannel};
use super::form_guard::FormGuard;
use super::service::{Desk, Party, SecurityTokenService};
use super::sign_in::origin_of;
use super::visited::VisitedParties;
use super::{AccountStore, Error, PasswordCost, PasswordHasher, SignInLimiter, load_or_create_signing_identity};
use crate::claim_rules::ClaimRule;
use crate::config::{EncryptionForm, HttpUrl, Sts, StsRelyingParty, TokenForm};
use handstamp_claims::{ArcStr, claim_types};
use handstamp_keys::{Certificate, KeyPolicy, KeyRing, SecureRandom};
use handstamp_saml::{TokenEncryption, Version};
use handstamp_secure_conversation::AddressUse;
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{Carrier, ReplicatedRevocations, SessionSecurityTokenHandler};
use handstamp_time::Clock;
use handstamp_web_session::cookie::{ChunkedCookieHandler, CookieSettings};
use handstamp_web_session::{SessionModule, SessionSettings};
use handstamp_ws_federation::{ClaimTypeDescription, Issuer, IssuerSettings, RelyingPartyTrust};
use handstamp_ws_security::ReplayCache;
use handstamp_xml_security::algorithm::DataEncryption;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the service shares with the rest of the program.
#[derive(Clone)]
pub struct Surroundings {
    /// The key ring that seals sessions.
    pub keys: Arc<KeyRing>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub random: Arc<dyn SecureRandom>,
    /// Where sign-outs are noted, so that copies of a cookie end too; on this node only when absent.
    pub revocations: Option<Arc<ReplicatedRevocations>>,
    /// What one guess at a password costs.
    pub password_cost: PasswordCost,
    /// Who counts the guesses: one for as long as the program runs.
    pub limiter: Arc<SignInLimiter>,
    /// The messages that the active endpoints accepted, as each counts once: one memory for as long as the program runs.
    pub replays: Arc<dyn ReplayCache>,
    /// What addresses have had of the active endpoints: one memory for as long as the program runs.
    pub addresses: Arc<AddressUse>,
    /// How relying parties are told that somebody signed out; only by browsers when absent.
    pub logout_channel: Option<Arc<dyn LogoutChannel>>,
}

impl SecurityTokenService {
    /// Opens the accounts and the signing key, making what is not there yet, and sets the service up.
    ///
    /// # Errors
    /// A file that cannot be used, or settings that fit nothing.
    pub fn open(settings: &Sts, surroundings: &Surroundings) -> Result<Self, Error> {
        let Surroundings {
            keys,
            clock,
            random,
            revocations,
            password_cost,
            limiter,
            replays,
            addresses,
            logout_channel,
        } = surroundings;
        let signing =
            load_or_create_signing_identity(&settings.signing_key, &settings.display_name, clock.now(), &**random)?;
        let base = settings.path.as_str().trim_end_matches('/').to_owned();
        let origin = origin_of(settings.public_url.as_str());
        let endpoint = format!("{origin}{base}{}", Desk::ENDPOINT);
        let trusts = settings.relying_party.iter().map(|(name, party)| trust(name, party)).collect::<Result<_, _>>()?;
        let cookie = |suffix: &str| format!("{}{suffix}", settings.cookie_name);
        let signing = Arc::new(signing);
        let active = match settings.active {
            true => Some(ActiveEndpoints::new(&settings.entity_id, &signing, replays, addresses)?),
            false => None,
        };
        let back_channel = BackChannel::new(&signing, logout_channel.clone());
        let issuer = Issuer::new(IssuerSettings::new(&settings.entity_id, endpoint), signing, trusts)?;
        let desk = Desk {
            display_name: settings.display_name.clone(),
            base,
            metadata: issuer.metadata(&offered_claims(settings), &[])?,
            issuer,
            issuer_name: settings.entity_id.as_str().into(),
            parties: settings.relying_party.iter().map(|(name, party)| Party::of(name, party)).collect(),
            accounts: AccountStore::open(&settings.accounts)?,
            passwords: PasswordHasher::new(*password_cost, &**random)?,
            limiter: Arc::clone(limiter),
            active,
            back_channel,
            form: FormGuard::new(&cookie("-form"), settings.cookie_secure, &origin)?,
            visited: VisitedParties::new(&cookie("-parties"), settings.cookie_secure)?,
            clock: Arc::clone(clock),
            random: Arc::clone(random),
        };

        let mut tokens = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(Arc::clone(keys))))
            // Apart from every application's, although the key ring is shared.
            .audience(settings.entity_id.as_str())
            .require_endpoint_scope(true)
            // Written and read by the same clock.
            .clock_skew(Duration::ZERO)
            .carrier(Carrier::Cookie(settings.cookie_name.as_str().into()));
        if let Some(revocations) = revocations {
            tokens = tokens.revocations(Arc::clone(revocations.list()));
        }
        let tokens = tokens.build().map_err(handstamp_web_session::Error::from)?;
        let cookie = CookieSettings::builder(&settings.cookie_name).secure(settings.cookie_secure).build()?;
        let mut sessions = SessionModule::builder(tokens)
            .settings(SessionSettings::builder().absolute_timeout(settings.session_lifetime).build()?)
            .cookies(ChunkedCookieHandler::native(cookie))
            .clock(Arc::clone(clock))
            .random(Arc::clone(random));
        if let Some(revocations) = revocations {
            sessions = sessions.revocations(Arc::clone(revocations));
        }
        Ok(Self::new(sessions.build()?, desk))
    }
}

impl Party {
    fn of(name: &str, party: &StsRelyingParty) -> Self {
        Self {
            name: name.to_owned(),
            realm: party.realm.clone(),
            display_name: party.display_name.clone().unwrap_or_else(|| name.to_owned()),
            rules: party.claims.0.clone(),
            is_told: party.back_channel_logout.is_some(),
        }
    }
}

/// The claim types that rules name, for the metadata; whoever gets everything may see more.
fn offered_claims(settings: &Sts) -> Vec<ClaimTypeDescription> {
    let rules = settings.relying_party.values().flat_map(|party| &party.claims.0);
    let named = rules.filter_map(|rule| match rule {
        ClaimRule::Release { claim_type, issued_as, .. } => Some(issued_as.as_ref().unwrap_or(claim_type)),
        ClaimRule::Constant { claim_type, .. } => Some(claim_type),
        ClaimRule::ReleaseAll => None,
    });
    let mut types: Vec<ArcStr> = vec![claim_types::NAME_IDENTIFIER, claim_types::NAME];
    for claim_type in named {
        if !types.contains(claim_type) {
            types.push(claim_type.clone());
        }
    }
    types.into_iter().map(description).collect()
}

fn description(claim_type: ArcStr) -> ClaimTypeDescription {
    let display_name = claim_type.rsplit(['/', ':']).next().unwrap_or_default().to_owned();
    ClaimTypeDescription { uri: claim_type.to_string(), display_name, optional: true }
}

fn trust(name: &str, party: &StsRelyingParty) -> Result<RelyingPartyTrust, Error> {
    let mut trust = RelyingPartyTrust::new(&party.realm, party.reply_urls.iter().map(HttpUrl::as_str));
    trust.token_version = match party.token {
        TokenForm::Saml11 => Version::Saml11,
        TokenForm::Saml20 => Version::Saml20,
    };
    trust.token_lifetime = Some(party.token_lifetime);
    trust.cleanup_url = party.sign_out_url.as_ref().map(|url| url.as_str().to_owned());
    trust.encryption = party.encryption_certificate.as_deref().map(|file| encryption(name, party, file)).transpose()?;
    Ok(trust)
}

fn encryption(name: &str, party: &StsRelyingParty, file: &Path) -> Result<TokenEncryption, Error> {
    let unusable =
        |problem: String| Error::EncryptionCertificate { party: name.to_owned(), path: file.to_owned(), problem };
    let content = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let certificates = Certificate::read_all(&content).map_err(|error| unusable(error.to_string()))?;
    let certificate = certificates.into_iter().next().ok_or_else(|| unusable("it holds no certificate".to_owned()))?;
    let encryption =
        TokenEncryption::new(certificate, &KeyPolicy::default()).map_err(|error| unusable(error.to_string()))?;
    Ok(encryption.with_algorithm(match party.encryption {
        EncryptionForm::Aes256Gcm => DataEncryption::Aes256Gcm,
        EncryptionForm::Aes128Gcm => DataEncryption::Aes128Gcm,
        EncryptionForm::Aes256Cbc => DataEncryption::Aes256Cbc,
        EncryptionForm::Aes128Cbc => DataEncryption::Aes128Cbc,
    }))
}
