//! The context that protects the bootstrap, when TLS negotiates it (SC §7).

use super::exchange::{Exchange, Kind, Outcome};
use super::session::{ClientKey, ClientSession};
use super::{MAX_UNSECURED_FAULT, SecureConversationClient};
use crate::error::Error;
use crate::negotiation::client::ClientNegotiation;
use handstamp_keys::tls::{TlsPeer, TlsRecords};
use handstamp_keys::{CertificateTrust, SecureRandom};
use handstamp_session_token::UniqueId;
use handstamp_time::Timestamp;
use handstamp_ws_security::addressing::unverified_header;
use handstamp_ws_security::soap::{Envelope, Fault};
use handstamp_ws_security::{Body, RequestContext};
use handstamp_xml::Document;

impl SecureConversationClient {
    /// Whether a context has to be negotiated before a session can be asked for. A WCF service forgets it with the request that it
    /// has protected, whatever became of that, so each is for one (SC §7).
    pub(super) fn has_to_negotiate(&self, now: Timestamp) -> bool {
        let settings = &self.settings.bootstrap.local_client;
        let is_good = |negotiated: &ClientSession| {
            let is_old = negotiated.is_replaced(settings, now) || negotiated.current.has_expired(now);
            negotiated.uses == 0 && !is_old
        };
        self.settings.negotiates.is_some() && !self.negotiated.as_ref().is_some_and(is_good)
    }

    /// The first message of a negotiation, or the next one of that under way.
    pub(super) fn negotiate(&mut self, now: Timestamp, random: &dyn SecureRandom) -> Result<Exchange, Error> {
        let mut negotiation = match self.negotiation.take() {
            Some(under_way) => under_way,
            None => self.begin_negotiation(now, random)?,
        };
        let (action, body) = negotiation.message()?;
        let message = self.message(action, random)?.with_body(Body::canonical(body));
        let envelope = message.to_unprotected()?;
        Ok(Exchange {
            request: RequestContext { message_id: message.message_id, ..RequestContext::default() },
            negotiation: Some(negotiation),
            ..Exchange::new(message.action, envelope, Kind::Negotiation)
        })
    }

    /// Takes in an answer without protection: that of TLS is inside.
    pub(super) fn negotiated(&mut self, exchange: Exchange, answer: Vec<u8>, now: Timestamp) -> Result<Outcome, Error> {
        let refused = |element, problem| Error::trust("SC 7.1", element, problem);
        let size = answer.len();
        let document = Document::parse(answer, &self.settings.parse_options)?;
        let envelope = Envelope::of(&document)?;
        let mut children = envelope.body().children();
        let (Some(content), None) = (children.next(), children.next()) else {
            return Err(refused("Body", "it does not hold one element"));
        };
        if content.is(envelope.version().namespace(), "Fault") {
            if size > MAX_UNSECURED_FAULT {
                return Err(Error::TooLarge { bytes: size, limit: MAX_UNSECURED_FAULT });
            }
            return Err(Error::Fault { fault: Fault::parse(content)?, is_authenticated: false });
        }
        if let Some(header) = envelope.header_not_understood() {
            return Err(handstamp_ws_security::Error::NotUnderstood { header, request: Box::default() }.into());
        }
        let relates_to = envelope.header().and_then(|header| unverified_header(header, "RelatesTo"));
        if relates_to.as_deref() != exchange.request.message_id.as_deref() {
            return Err(refused("RelatesTo", "the message is not the answer to this request"));
        }
        let mut negotiation = exchange.negotiation.ok_or_else(|| refused("Context", "nothing was asked"))?;
        match negotiation.receive(content, &self.settings.bootstrap.suite)? {
            Some(issued) => {
                let context = ClientSession::new(ClientKey::new(&issued)?, now);
                if self.settings.is_negotiated {
                    self.session = Some(context);
                    return Ok(Outcome::Established);
                }
                self.negotiated = Some(context);
            }
            None => self.negotiation = Some(negotiation),
        }
        Ok(Outcome::Negotiating)
    }

    fn begin_negotiation(&self, now: Timestamp, random: &dyn SecureRandom) -> Result<Box<ClientNegotiation>, Error> {
        let credentials = &self.credentials;
        let trust = credentials.trust.clone().unwrap_or_default();
        let trust = credentials.service_certificate.iter().fold(trust, CertificateTrust::with_certificate);
        let service = TlsPeer { trust, key_policy: credentials.key_policy };
        let shows_certificate = self.settings.negotiates.is_some_and(|negotiates| negotiates.client_certificate);
        let identity = credentials.identity.as_ref().filter(|_| shows_certificate);
        let records = TlsRecords::client(host(&self.settings.address), service, identity, now)?;
        let context = UniqueId::generate(random)?.to_string();
        let context = format!("uuid-{}-1", context.trim_start_matches("urn:uuid:"));
        let key_size = u32::try_from(self.settings.bootstrap.suite.default_key_length() * 8).unwrap_or_default();
        ClientNegotiation::begin(self.settings.generation, records, context, key_size).map(Box::new)
    }
}

/// The host of a URL; all of it when it is none.
fn host(address: &str) -> &str {
    let authority = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Handled, Incoming, NativeCookies, SecureConversationService};
    use handstamp_keys::{DeterministicRandom, KeyKind, KeyRing, RotationPolicy, SigningIdentity};
    use handstamp_ws_security::{
        AuthenticationMode, MessageSecurityVersion, Protection, SecurityBinding, TokenKind, UserNameCredential,
        UserNameError, UserNameValidator,
    };
    use std::sync::Arc;

    struct Nobody;

    impl UserNameValidator for Nobody {
        fn validate(&self, _name: &str, _password: &str, _now: Timestamp) -> Result<(), UserNameError> {
            Err(UserNameError::Refused("nobody is known".to_owned()))
        }
    }

    fn binding(negotiated_is_remembered: bool, session_is_remembered: bool) -> SecurityBinding {
        let version = MessageSecurityVersion::default();
        let mode = AuthenticationMode::UserNameForSslNegotiated;
        let mut bootstrap = SecurityBinding::for_mode(mode, version).unwrap();
        if let Protection::Symmetric { token } = &mut bootstrap.protection
            && let TokenKind::SslNegotiated { require_cancellation, .. } = &mut token.kind
        {
            *require_cancellation = negotiated_is_remembered;
        }
        let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
        binding.session_mut().unwrap().require_cancellation = session_is_remembered;
        binding
    }

    /// Whoever has negotiated a context has not said yet who it is.
    #[test]
    fn sc_7_a_negotiated_context_does_not_pass_for_a_session() {
        let now = "2030-01-01T00:00:00Z".parse().unwrap();
        let end = "2031-01-01T00:00:00Z".parse().unwrap();
        let random = DeterministicRandom::new(1);
        let identity = SigningIdentity::self_signed("svc", KeyKind::Rsa { bits: 2048 }, now, end, &random).unwrap();
        let ring = Arc::new(KeyRing::in_memory(RotationPolicy::default(), now, &random).unwrap());
        for (negotiated, session) in [(true, true), (true, false), (false, true), (false, false)] {
            let binding = binding(negotiated, session);
            let service = SecureConversationService::builder(binding.clone())
                .identity(identity.clone())
                .user_names(Arc::new(Nobody))
                .cookies(Arc::new(NativeCookies::new(Arc::clone(&ring), "http://svc/")))
                .build()
                .unwrap();
            let mut client = SecureConversationClient::builder(binding, "http://svc/")
                .service_certificate(identity.certificate().clone())
                .user_name(UserNameCredential::new("mallory", "guess"))
                .build()
                .unwrap();
            let handle = |exchange: &Exchange| match service.handle(Incoming::new(exchange.envelope()), now, &random) {
                Handled::Answer(answer) => answer,
                other => panic!("{other:?}"),
            };
            while client.negotiated.is_none() {
                let exchange = client.establish(now, &random).unwrap();
                let answer = handle(&exchange);
                client.receive(exchange, answer.envelope, now).unwrap();
            }
            client.session = client.negotiated.take();
            let request = client.request("urn:x", Body::from_xml("<x/>").unwrap(), now, &random).unwrap();
            let fault = handle(&request).fault.expect("refused");
            let told = fault.subcode.expect("a subcode").local_name;
            assert!(["BadContextToken", "InvalidSecurity"].contains(&told.as_str()), "{told}");
        }
    }

    #[test]
    fn the_host_is_what_stands_between_scheme_and_port() {
        assert_eq!(host("http://svc.example.org/ping"), "svc.example.org");
        assert_eq!(host("https://user@svc.example.org:8080"), "svc.example.org");
        assert_eq!(host("http://[::1]:80/x"), "::1");
        assert_eq!(host("http://127.0.0.1?x"), "127.0.0.1");
    }
}
