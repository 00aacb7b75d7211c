//! Telling relying parties, from server to server, that a user signed out here (OpenID Connect Back-Channel Logout 1.0).

use super::service::{Desk, Party};
use super::{Account, Error};
use crate::claim_rules::release_claims;
use handstamp_claims::claim_types;
use handstamp_keys::SigningIdentity;
use handstamp_keys::jose::{JwkSet, JwsSigner};
use handstamp_keys::sha256;
use handstamp_saml::Version;
use handstamp_time::Timestamp;
use handstamp_web_session::ActiveSession;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Brings logout tokens to relying parties.
pub trait LogoutChannel: Send + Sync {
    /// Delivers a token to the relying party of this name in the configuration. Returns at once, and tries for as long as the token
    /// is good.
    fn deliver(&self, relying_party: &str, token: String);
}

/// What logout tokens are signed with, and how they get to where they are for.
pub(super) struct BackChannel {
    signer: JwsSigner,
    key_set: String,
    channel: Option<Arc<dyn LogoutChannel>>,
}

impl BackChannel {
    /// Without a channel nobody is told.
    pub(super) fn new(signing: &SigningIdentity, channel: Option<Arc<dyn LogoutChannel>>) -> Self {
        let signer = JwsSigner::new(signing.key().clone());
        Self { key_set: JwkSet::new([signer.public_key()]).to_json(), signer, channel }
    }

    /// The public key, for relying parties.
    pub(super) fn key_set(&self) -> Response<String> {
        let mut response = Response::new(self.key_set.clone());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        response
    }
}

/// What a relying party is told of a session here: the same for all of its tokens, another one for each relying party, and nobody
/// else can tell what it is.
pub(super) fn session_index(active: &ActiveSession, realm: &str) -> String {
    let mut input = b"handstamp sts session v1".to_vec();
    input.extend_from_slice(&active.token().context_id().digest());
    input.extend_from_slice(realm.as_bytes());
    sha256(&input).iter().fold("_".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

impl Desk {
    /// Logout tokens for those of the relying parties that want to be told, each with the name of whom it is for. Made while the
    /// session is still there.
    pub(super) async fn logout_tokens(&self, realms: &[&str], active: &ActiveSession) -> Vec<(String, String)> {
        let told = |party: &&Party| party.is_told && realms.contains(&party.realm.as_str());
        let parties: Vec<&Party> = self.parties.iter().filter(told).collect();
        if parties.is_empty() {
            return Vec::new();
        }
        let account = self.account_of(active).await.unwrap_or_else(|error| {
            tracing::error!(code = error.code(), %error, "relying parties are not told who signed out");
            None
        });
        let mut tokens = Vec::with_capacity(parties.len());
        for party in parties {
            match self.logout_token(party, active, account.as_ref(), self.clock.now()) {
                Ok(Some(token)) => tokens.push((party.name.clone(), token)),
                Ok(None) => tracing::warn!(party = party.name, "nothing that it knows says who signed out"),
                Err(error) => tracing::error!(code = error.code(), %error, "a logout token could not be made"),
            }
        }
        tokens
    }

    /// Sends them off.
    pub(super) fn deliver(&self, tokens: Vec<(String, String)>) {
        let Some(channel) = &self.back_channel.channel else { return };
        for (party, token) in tokens {
            channel.deliver(&party, token);
        }
    }

    /// What a relying party can understand: the session, if its tokens name it, and the user, if its claims do.
    fn logout_token(
        &self,
        party: &Party,
        active: &ActiveSession,
        account: Option<&Account>,
        now: Timestamp,
    ) -> Result<Option<String>, Error> {
        let trust = self.issuer.relying_parties().iter().find(|trust| trust.realm == party.realm);
        let session = trust.filter(|trust| trust.token_version == Version::Saml20);
        let session = session.map(|_| session_index(active, &party.realm));
        let user = account.and_then(|account| self.user_at(party, account));
        if session.is_none() && user.is_none() {
            return Ok(None);
        }
        let mut jti = [0; 16];
        self.random.fill(&mut jti)?;
        let issued = now.unix_seconds();
        let mut token = Map::from_iter([
            ("iss".to_owned(), json!(self.issuer_name.as_str())),
            ("aud".to_owned(), json!(party.realm)),
            ("iat".to_owned(), json!(issued)),
            ("exp".to_owned(), json!(issued + LIFETIME_SECONDS)),
            ("jti".to_owned(), json!(format!("{:032x}", u128::from_be_bytes(jti)))),
            ("events".to_owned(), json!({ LOGOUT_EVENT: {} })),
        ]);
        token.extend(user.map(|user| ("sub".to_owned(), json!(user))));
        token.extend(session.map(|session| ("sid".to_owned(), json!(session))));
        let text = Value::Object(token).to_string();
        Ok(Some(self.back_channel.signer.sign("logout+jwt", text.as_bytes())?))
    }

    /// The claim by which a relying party knows a user, among those that it gets.
    fn user_at(&self, party: &Party, account: &Account) -> Option<String> {
        let claims: Vec<_> = account.all_claims(&self.issuer_name).collect();
        let released = release_claims(&party.rules, &claims, &self.issuer_name);
        let types = [claim_types::NAME_IDENTIFIER, claim_types::UPN, claim_types::NAME, claim_types::EMAIL];
        let found = types.iter().find_map(|claim_type| released.iter().find(|claim| claim.is(claim_type)))?;
        Some(found.value().to_string())
    }
}

const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// As the standard recommends (2.4).
const LIFETIME_SECONDS: i64 = 120;
