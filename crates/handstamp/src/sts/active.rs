//! The active endpoints: WS-Trust for programs, where browsers have WS-Federation.

use super::service::Desk;
use super::sign_in::{Alert, Credentials, authentication_claims};
use super::{Error, PasswordText};
use crate::claim_rules::release_claims;
use handstamp_claims::ClaimsIdentity;
use handstamp_keys::SigningIdentity;
use handstamp_secure_conversation::{
    AddressUse, Answer, Event, Incoming, Requestor, TokenGrant, TokenHandled, TokenRefusal, TokenService, TokenTask,
};
use handstamp_web_session::Transport;
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{MessageSecurityVersion, ReplayCache, SecurityBinding};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use std::net::IpAddr;
use std::sync::Arc;

/// The token services below `trust/`, one for each version of WS-Trust and each way of protecting the password.
#[derive(Debug)]
pub(super) struct ActiveEndpoints {
    services: Vec<(&'static str, TokenService)>,
}

impl ActiveEndpoints {
    /// Under the names of AD FS: `mixed` is a password under TLS, the others encrypt the message for the signing certificate.
    /// They share a memory of messages, and what addresses have had.
    pub(super) fn new(
        issuer: &str,
        signing: &Arc<SigningIdentity>,
        replays: &Arc<dyn ReplayCache>,
        addresses: &Arc<AddressUse>,
    ) -> Result<Self, Error> {
        let (old, new) = (MessageSecurityVersion::WSS11_FEBRUARY2005, MessageSecurityVersion::WSS11_13);
        let by_message = |version| SecurityBinding::user_name_for_certificate(version);
        let bindings = [
            ("/trust/2005/usernamemixed", SecurityBinding::user_name_over_transport(old)),
            ("/trust/2005/username", by_message(old).map_err(handstamp_secure_conversation::Error::from)?),
            ("/trust/13/usernamemixed", SecurityBinding::user_name_over_transport(new)),
            ("/trust/13/username", by_message(new).map_err(handstamp_secure_conversation::Error::from)?),
        ];
        let services = bindings
            .into_iter()
            .map(|(path, binding)| {
                let service = TokenService::builder(binding, issuer, Arc::clone(signing));
                let service = service.replay_cache(Arc::clone(replays)).address_use(Arc::clone(addresses));
                Ok((path, service.build()?))
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self { services })
    }

    /// The service at a path.
    pub(super) fn at(&self, path: &str) -> Option<&TokenService> {
        self.services.iter().find(|(known, _)| *known == path).map(|(_, service)| service)
    }
}

impl Desk {
    /// Answers a request for a token.
    pub(super) async fn issue_token<B>(
        &self,
        service: &TokenService,
        request: &Parts,
        body: B,
        client: IpAddr,
    ) -> Response<String>
    where
        B: http_body::Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let media_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !["text/xml", "application/soap+xml"].iter().any(|known| media_type.eq_ignore_ascii_case(known)) {
            return empty(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let Ok(body) = Limited::new(body, service.max_message_size()).collect().await else {
            return empty(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let action = request.headers.get("SOAPAction").and_then(|value| value.to_str().ok());
        let content = body.to_bytes();
        let incoming = Incoming::borrowed(&content).with_soap_action(action).from_address(Some(client));
        let is_protected = request.extensions.get::<Transport>() == Some(&Transport::Tls);
        let incoming = if is_protected { incoming.over_protected_channel() } else { incoming };
        let handled = match service.receive(incoming, self.clock.now()) {
            TokenHandled::Request(task) => match self.decide(service, &task, client).await {
                Ok(handled) => handled,
                Err(error) => {
                    tracing::error!(code = error.code(), %error, "the token service failed");
                    return empty(StatusCode::INTERNAL_SERVER_ERROR);
                }
            },
            handled => handled,
        };
        match handled {
            TokenHandled::Answer(answer) => answered(answer),
            TokenHandled::Unreadable(error) => {
                tracing::info!(code = error.code(), %error, "not a SOAP message");
                empty(StatusCode::BAD_REQUEST)
            }
            TokenHandled::Dropped(error) => {
                tracing::warn!(code = error.code(), %error, "message dropped");
                let mut response = empty(StatusCode::INTERNAL_SERVER_ERROR);
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                response
            }
            _ => empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// A token for whoever shows the password of an account, for a relying party of this service.
    async fn decide(&self, service: &TokenService, task: &TokenTask, client: IpAddr) -> Result<TokenHandled, Error> {
        let refuse = |refusal, reason: &str| service.refuse(task, refusal, reason, self.clock.now(), &*self.random);
        let Some(Requestor::UserName { name, password }) = task.requestor() else {
            return Ok(refuse(TokenRefusal::FailedAuthentication, "there is no name and password"));
        };
        let credentials = Credentials { user_name: name.to_owned(), password: PasswordText::new(password), csrf: None };
        let account = match self.check(&credentials, client.into()).await? {
            Ok(account) => account,
            Err(Alert::TooMany(_) | Alert::Busy) => {
                return Ok(refuse(TokenRefusal::TooManyRequests, "the allowance of sign-in attempts is used up"));
            }
            Err(_) => return Ok(refuse(TokenRefusal::FailedAuthentication, "user name or password is wrong")),
        };
        let realm = task.request().applies_to.as_deref().unwrap_or_default();
        let trust = self.issuer.relying_parties().iter().find(|trust| trust.realm == realm);
        let (Some(trust), Some(party)) = (trust, self.party(realm)) else {
            return Ok(refuse(TokenRefusal::InvalidScope, "AppliesTo is the realm of no relying party"));
        };
        let now = self.clock.now();
        let claims: Vec<_> = account.all_claims(&self.issuer_name).collect();
        let identity = ClaimsIdentity::new("Federation")
            .with_claims(release_claims(&party.rules, &claims, &self.issuer_name))
            .with_claims(authentication_claims(now));
        let grant = TokenGrant {
            identity,
            audience: trust.realm.clone(),
            version: trust.token_version,
            lifetime: trust.token_lifetime.unwrap_or(self.issuer.settings().token_lifetime),
            encryption: trust.encryption.clone(),
        };
        Ok(service.grant(task, &grant, now, &*self.random))
    }
}

fn answered(answer: Answer) -> Response<String> {
    match &answer.event {
        Event::TokenIssued { token_id, audience, .. } => tracing::info!(token_id, audience, "token issued"),
        Event::Refused(error) => tracing::warn!(code = error.code(), %error, "request for a token refused"),
        _ => {}
    }
    let mut response = Response::new(answer.envelope);
    *response.status_mut() = if answer.fault.is_some() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    let media_type = match answer.soap {
        SoapVersion::Soap11 => "text/xml; charset=utf-8",
        SoapVersion::Soap12 => "application/soap+xml; charset=utf-8",
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn empty(status: StatusCode) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    response
}
