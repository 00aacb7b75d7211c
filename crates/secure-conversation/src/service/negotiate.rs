//! Negotiating the context that protects a bootstrap, through TLS in messages without protection (SC §7).

use super::answer::{Answer, Event, Handled};
use super::faults::{Head, unsecured};
use super::issue::{Ids, Refusal, Told};
use super::{Credentials, SecureConversationService};
use crate::contexts::StatefulContexts;
use crate::cookie::version;
use crate::error::Error;
use crate::identity;
use crate::negotiation::pending::{Negotiation, NotBegun, PendingNegotiations};
use crate::negotiation::{Leg, MAX_CONTEXT, Transcript, last_action, last_body};
use crate::trust::{
    BinaryExchange, Lifetime, Proof, RequestSecurityToken, RequestSecurityTokenResponse, RequestType, RequestedToken,
    key_length,
};
use handstamp_claims::ClaimsPrincipal;
use handstamp_keys::tls::{TlsPeer, TlsRecords};
use handstamp_keys::{CertificateTrust, SecureRandom, SymmetricKey};
use handstamp_session_token::{ContextId, SessionSecurityToken};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::{Envelope, SecurityFault};
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{Body, Message, SecurityBinding};
use handstamp_xml::{Document, Element};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a service whose bootstrap is negotiated knows of negotiations and of the contexts that they made.
#[derive(Debug)]
pub(super) struct Negotiations {
    pending: PendingNegotiations,
    pub(super) contexts: Arc<StatefulContexts>,
    /// Whom to believe, when clients show certificates.
    clients: Option<TlsPeer>,
}

/// What a leg has led to.
struct Step {
    action: &'static str,
    body: String,
    event: Event,
}

/// What TLS may take for one handshake, in bytes of the client: two flights, one of them with a chain of certificates.
const MAX_RECEIVED: usize = 65_536;

impl Negotiations {
    pub(super) fn new(
        bootstrap: &SecurityBinding,
        contexts: Arc<StatefulContexts>,
        credentials: &Credentials,
        asks_clients: bool,
    ) -> Self {
        let trust = credentials.trust.clone().unwrap_or_default();
        let trust = credentials.client_certificate.iter().fold(trust, CertificateTrust::with_certificate);
        Self {
            pending: PendingNegotiations::new(&bootstrap.local_service),
            contexts,
            clients: asks_clients.then_some(TlsPeer { trust, key_policy: credentials.key_policy }),
        }
    }
}

impl SecureConversationService {
    /// One message of a negotiation. Nothing protects it, nor the answer.
    pub(super) fn negotiate(
        &self,
        negotiations: &Negotiations,
        (leg, document): (Leg, &Document),
        head: &Head,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        // Nobody stands behind the message, but SOAP wants to be heard first.
        if let Some(header) = Envelope::of(document).ok().and_then(|envelope| envelope.header_not_understood()) {
            let request = Box::default();
            let error = handstamp_ws_security::Error::NotUnderstood { header, request };
            return self.refuse(head, SecurityFault::MustUnderstand, error.into());
        }
        let step = match leg {
            Leg::First => self.begin_negotiation(negotiations, document, head.address, now, random),
            Leg::Next => self.go_on_negotiating(negotiations, document, now, random),
        };
        let step = step.and_then(|step| {
            let message = Message::reply(head.soap, head.addressing, step.action, head.message_id.clone());
            let envelope = message.with_body(Body::canonical(step.body)).to_unprotected().map_err(Refusal::invalid)?;
            Ok(Answer { envelope, soap: head.soap, fault: None, event: step.event })
        });
        match step {
            Ok(answer) => Handled::Answer(answer),
            Err(Refusal { told, error }) => unsecured(head, told.fault(head.addressing), *error).into(),
        }
    }

    fn begin_negotiation(
        &self,
        negotiations: &Negotiations,
        document: &Document,
        address: Option<IpAddr>,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Step, Refusal> {
        let refused = |element, problem| Refusal::invalid(Error::trust("SC 7.1", element, problem));
        if self.is_closing.load(Ordering::Relaxed) {
            return Err(Refusal::closing());
        }
        let element = only_child(document)?;
        let request = RequestSecurityToken::parse(element, self.generation).map_err(Refusal::invalid)?;
        if request.request_type.is_some_and(|said| said != RequestType::Issue) || !request.is_for_context() {
            return Err(refused("RequestSecurityToken", "it does not ask for a security context"));
        }
        if request.entropy.is_some() {
            return Err(refused("Entropy", "the service alone makes the key"));
        }
        let context = request.context.filter(|context| (1..=MAX_CONTEXT).contains(&context.len()));
        let context = context.ok_or_else(|| refused("Context", "it is missing, or longer than 256 bytes"))?;
        let exchange = self.records_of(request.binary_exchange)?;
        let key_length = key_length(request.key_size, &self.bootstrap.suite).map_err(Refusal::invalid)?;
        let identity = self.credentials.identity.as_ref();
        let identity = identity.ok_or_else(|| refused("BinaryExchange", "the service has no certificate"))?;
        negotiations.pending.begin(&context, address, now).map_err(|why| match why {
            NotBegun::Busy => Refusal::too_busy("SC 7.4", "too many negotiations are under way"),
            NotBegun::Repeated => refused("Context", "it is that of another negotiation"),
        })?;
        let step = TlsRecords::server(identity, negotiations.clients.clone(), now).map_err(Refusal::invalid).and_then(
            |records| {
                let negotiation = Box::new(Negotiation {
                    records,
                    transcript: Transcript::new(),
                    value_type: exchange.value_type.clone(),
                    applies_to: request.applies_to,
                    key_length,
                    received: 0,
                });
                self.advance(negotiations, (&context, negotiation), (element, &exchange), now, random)
            },
        );
        step.inspect_err(|_| negotiations.pending.end(&context))
    }

    fn go_on_negotiating(
        &self,
        negotiations: &Negotiations,
        document: &Document,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Step, Refusal> {
        let refused = |element, problem| Refusal::invalid(Error::trust("SC 7.1", element, problem));
        let element = only_child(document)?;
        let response =
            RequestSecurityTokenResponse::parse_single(element, self.generation).map_err(Refusal::invalid)?;
        let exchange = self.records_of(response.binary_exchange)?;
        let context = response.context.ok_or_else(|| refused("Context", "it is missing"))?;
        let negotiation = negotiations.pending.take(&context, now);
        let negotiation = negotiation.ok_or_else(|| refused("Context", "no negotiation with it is under way"))?;
        let step = self.advance(negotiations, (&context, negotiation), (element, &exchange), now, random);
        step.inspect_err(|_| negotiations.pending.end(&context))
    }

    /// Gives the client's records to TLS: there is more to say, or the end is reached.
    fn advance(
        &self,
        negotiations: &Negotiations,
        (context, mut negotiation): (&str, Box<Negotiation>),
        (element, exchange): (Element<'_>, &BinaryExchange),
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Step, Refusal> {
        let refused = |problem| Refusal::invalid(Error::trust("SC 7.1", "BinaryExchange", problem));
        negotiation.received += exchange.octets.len();
        if negotiation.received > MAX_RECEIVED {
            return Err(refused("the handshake is longer than 64 KiB"));
        }
        negotiation.transcript.add(element).map_err(Refusal::invalid)?;
        let records = negotiation.records.advance(&exchange.octets).map_err(|error| match error {
            handstamp_keys::Error::TlsPeer(_) => Refusal::new(Told::FailedAuthentication, error),
            error => Refusal::invalid(error),
        })?;
        let next = (!records.is_empty())
            .then(|| BinaryExchange { value_type: negotiation.value_type.clone(), octets: records });
        if negotiation.records.is_established() {
            let step = self.end_negotiation(negotiations, (context, negotiation), next, now, random)?;
            negotiations.pending.end(context);
            return Ok(step);
        }
        if next.is_none() {
            return Err(refused("its records lead nowhere"));
        }
        let response = RequestSecurityTokenResponse {
            context: Some(context.to_owned()),
            binary_exchange: next,
            ..RequestSecurityTokenResponse::new(self.generation)
        };
        let body = response.to_single_xml(false).map_err(Refusal::invalid)?;
        negotiation.transcript.add_canonical(&body).map_err(Refusal::invalid)?;
        negotiations.pending.keep(context, negotiation);
        Ok(Step { action: Leg::Next.action(self.generation), body, event: Event::Negotiating })
    }

    /// Makes the context, and sends its key as data of the TLS session (SC 7.2).
    fn end_negotiation(
        &self,
        negotiations: &Negotiations,
        (context, mut negotiation): (&str, Box<Negotiation>),
        last_records: Option<BinaryExchange>,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Step, Refusal> {
        let certificate = negotiation.records.peer_certificate();
        let identities = certificate.iter().map(identity::of_certificate).collect();
        let key = SymmetricKey::generate(negotiation.key_length, random).map_err(Refusal::invalid)?;
        let lifetime = self.bootstrap.local_service.issued_cookie_lifetime;
        let expires = lifetime.map_or(Timestamp::MAX, |lifetime| now.saturating_add(lifetime));
        let ids = Ids::draw(random).map_err(Refusal::invalid)?;
        let session = SessionSecurityToken::builder(ClaimsPrincipal::new(identities))
            .id(ids.token())
            .context_id(ContextId::generate(random).map_err(Refusal::invalid)?)
            .key(key.clone())
            .endpoint(negotiations.contexts.scope())
            .valid_from(now)
            .valid_to(expires)
            .secure_conversation_version(version(self.generation))
            .build(now, random)
            .map_err(Refusal::invalid)?;
        let identifier = session.context_id().as_unique_id().to_text().to_string();
        let cookie = negotiations.contexts.seal(&session, now, random).map_err(Refusal::invalid)?;
        let token = SecurityContextToken {
            id: Some(ids.token()),
            context: ContextReference { generation: self.generation, identifier: identifier.clone(), instance: None },
            cookie,
        };
        let record = negotiation.records.seal(&key).map_err(Refusal::invalid)?;
        let response = RequestSecurityTokenResponse {
            context: Some(context.to_owned()),
            token_type: Some(self.generation.context_token_type().to_owned()),
            token: Some(RequestedToken::issued(&token).map_err(Refusal::invalid)?),
            applies_to: negotiation.applies_to,
            proof: Some(Proof::TlsWrapped(record)),
            lifetime: Some(Lifetime { created: now, expires }),
            key_size: u32::try_from(key.len() * 8).ok(),
            binary_exchange: last_records,
            ..RequestSecurityTokenResponse::new(self.generation)
        };
        let profile = self.bootstrap.version.basic_security_profile;
        let response = response.to_single_xml(profile).map_err(Refusal::invalid)?;
        let mut transcript = negotiation.transcript;
        transcript.add_canonical(&response).map_err(Refusal::invalid)?;
        let hash = transcript.combined_hash(&key);
        let body = last_body(self.generation, &response, context, &hash).map_err(Refusal::invalid)?;
        negotiations.contexts.remember(&Arc::new(session), now);
        let event = Event::Negotiated {
            context_id: identifier,
            certificate: certificate.map(|certificate| certificate.subject().to_string()),
        };
        Ok(Step { action: last_action(self.generation), body, event })
    }

    fn records_of(&self, exchange: Option<BinaryExchange>) -> Result<BinaryExchange, Refusal> {
        let exchange = exchange.filter(|exchange| exchange.is_tls(self.generation));
        exchange.ok_or_else(|| {
            Refusal::invalid(Error::trust("SC 7.1", "BinaryExchange", "it is missing, or not one of TLS"))
        })
    }
}

fn only_child(document: &Document) -> Result<Element<'_>, Refusal> {
    let envelope = Envelope::of(document).map_err(Refusal::invalid)?;
    let mut children = envelope.body().children();
    match (children.next(), children.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Refusal::invalid(Error::trust("SC 7.1", "Body", "it does not hold one element"))),
    }
}
