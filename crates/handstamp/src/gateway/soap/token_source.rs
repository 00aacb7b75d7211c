//! Tokens of a token service, for a service that lets nobody in without one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use handstamp_keys::{Certificate, SystemRandom};
use handstamp_secure_conversation::{Error as SessionError, TokenClient};
use handstamp_time::{Clock as _, SystemClock, Timestamp};
use handstamp_ws_security::{
    Generation, IssuedToken, IssuedTokenParameters, MessageSecurityVersion, SecurityBinding, UserNameCredential,
};

use super::sessions::{Call, CallError, Caller};
use super::terms::{Terms, read_certificates, setup};
use super::wire;
use crate::Error;
use crate::config::SoapRoute;
use crate::gateway::telemetry::Errand;

/// What tokens a route asks for, and where.
pub(super) struct TokenTerms {
    wanted: IssuedTokenParameters,
    applies_to: String,
    address: String,
    version: MessageSecurityVersion,
    certificate: Option<Certificate>,
}

/// The tokens of one caller.
pub(super) struct TokenSource {
    client: TokenClient,
    wanted: IssuedTokenParameters,
    applies_to: String,
    /// Until when the last token can be shown.
    good_until: Mutex<Option<Timestamp>>,
}

/// How long before its end a token is not shown any more.
const MARGIN: Duration = Duration::from_secs(60);

impl TokenTerms {
    /// What the binding of a route asks for; none when it asks for no token. `address` is the service's.
    ///
    /// # Errors
    /// There is no token service although the binding asks for tokens, or the other way round; a certificate that cannot be used.
    pub(super) fn open(name: &str, route: &SoapRoute, terms: &Terms, address: &str) -> Result<Option<Self>, Error> {
        let wanted = terms.security.issued_token_parameters();
        let problem = |problem: &str| Err(setup("HST-SOAP-ISSUER", format!("soap.{name}.token_service: {problem}")));
        let (wanted, service) = match (wanted, &route.token_service) {
            (None, None) => return Ok(None),
            (Some(wanted), Some(service)) => (wanted.clone(), service),
            (Some(_), None) => return problem("the service lets nobody in without a token: name the token service"),
            (None, Some(_)) => return problem("the service asks for no token: leave it out, or correct the binding"),
        };
        let first = service.url.servers().first().map(|server| server.url.to_string());
        let version = match terms.security.version.generation {
            Generation::February2005 => MessageSecurityVersion::WSS11_FEBRUARY2005,
            Generation::V13 => MessageSecurityVersion::WSS11_13,
        };
        let certificate = service.certificate.as_slice();
        Ok(Some(Self {
            wanted,
            applies_to: service.applies_to.clone().unwrap_or_else(|| address.to_owned()),
            address: first.unwrap_or_default(),
            version,
            certificate: read_certificates(certificate)?.into_iter().next(),
        }))
    }

    /// The tokens of a caller.
    ///
    /// # Errors
    /// Settings that do not go together; a caller is missing.
    pub(super) fn source(&self, caller: Option<&Caller>) -> Result<TokenSource, SessionError> {
        let missing = || SessionError::Configuration("the token service asks for a name and a password".to_owned());
        let caller = caller.ok_or_else(missing)?;
        let client = match &self.certificate {
            None => TokenClient::builder(SecurityBinding::user_name_over_transport(self.version), &*self.address),
            Some(certificate) => {
                let binding = SecurityBinding::user_name_for_certificate(self.version)?;
                TokenClient::builder(binding, &*self.address).service_certificate(certificate.clone())
            }
        };
        let credential = UserNameCredential::new(caller.name.clone(), caller.password.as_str());
        Ok(TokenSource {
            client: client.user_name(credential).build()?,
            wanted: self.wanted.clone(),
            applies_to: self.applies_to.clone(),
            good_until: Mutex::default(),
        })
    }
}

impl TokenSource {
    /// A token, when the one that was obtained last has ended; none while it is good.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) async fn fresh(&self, call: Call<'_>) -> Result<Option<IssuedToken>, CallError> {
        let now = SystemClock.now();
        if self.good_until().is_some_and(|end| now < end) {
            return Ok(None);
        }
        let way = call.way.token_service().ok_or(SessionError::NoSession)?;
        let refused = CallError::Refused;
        let exchange = self.client.request(&self.wanted, &self.applies_to, now, &SystemRandom).map_err(refused)?;
        let soap = self.client.soap_version();
        let envelope = exchange.envelope().to_owned();
        let (headers, message) = wire::request(wire::Format::Text, soap, exchange.action(), envelope)?;
        let answer = way.post(headers, message, call.behalf(Errand::Token)).await.map_err(CallError::Way)?;
        let text = answer.message(way.limit())?;
        let obtained = self.client.receive(&exchange, text, SystemClock.now()).map_err(refused)?;
        let end = obtained.lifetime.map(|lifetime| lifetime.expires.saturating_sub(MARGIN));
        *self.good_until.lock().unwrap_or_else(PoisonError::into_inner) = end;
        Ok(Some(obtained.token))
    }

    /// The service did not take the last token: the next one is a new one.
    pub(super) fn forget(&self) {
        *self.good_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn good_until(&self) -> Option<Timestamp> {
        *self.good_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
