//! A service with an echo behind it, a client, and the clock of both.

use handstamp_claims::{Claim, ClaimsPrincipal, claim_types};
use handstamp_keys::{
    Certificate, DeterministicRandom, KeyPolicy, KeyRing, PrivateKey, RotationPolicy, SigningIdentity,
};
use handstamp_secure_conversation::{
    Answer, Error, Event, Exchange, Handled, Incoming, NativeCookies, Outcome, SecureConversationClient,
    SecureConversationClientBuilder, SecureConversationService, SecureConversationServiceBuilder,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::{Fault, FaultCode, QualifiedName};
use handstamp_ws_security::{
    Body, MessageSecurityVersion, SecurityBinding, UserNameCredential, UserNameError, UserNameValidator,
};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

pub(crate) const ADDRESS: &str = "https://echo.example/";
pub(crate) const ECHO: &str = "urn:echo/Echo";

pub(crate) const VERSIONS: [MessageSecurityVersion; 2] =
    [MessageSecurityVersion::WSS11_FEBRUARY2005, MessageSecurityVersion::WSS11_13_BSP];

/// The certificates of the recordings.
pub(crate) struct Parties {
    pub(crate) service: SigningIdentity,
    pub(crate) client: SigningIdentity,
}

pub(crate) static PARTIES: LazyLock<Parties> = LazyLock::new(|| {
    let vectors = handstamp_testkit::vectors::load("wcf_messages");
    let identity = |who: &str| {
        let text = |name: &str| vectors["keys"][who][name].as_str().unwrap().to_owned();
        let der = base64_simd::STANDARD.decode_to_vec(text("certificateDer")).unwrap();
        let key = PrivateKey::from_pem(text("pkcs8Pem").as_bytes(), &KeyPolicy::default()).unwrap();
        SigningIdentity::new(key, Certificate::from_der(&der).unwrap(), Vec::new()).unwrap()
    };
    Parties { service: identity("server"), client: identity("client") }
});

/// alice and bob with one password.
pub(crate) struct Accounts;

impl UserNameValidator for Accounts {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        if ["alice", "bob"].contains(&name) && password == "secret" {
            Ok(())
        } else {
            Err(UserNameError::Refused("no such account".to_owned()))
        }
    }
}

pub(crate) fn start() -> Timestamp {
    "2026-11-21T12:00:00.123Z".parse().unwrap()
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

pub(crate) fn hours(hours: u64) -> Duration {
    minutes(hours * 60)
}

/// A user name under the service's certificate.
pub(crate) fn user_name(version: MessageSecurityVersion) -> SecurityBinding {
    SecurityBinding::user_name_for_certificate(version).unwrap()
}

pub(crate) fn stateless(bootstrap: SecurityBinding) -> SecurityBinding {
    let version = bootstrap.version;
    SecurityBinding::secure_conversation(bootstrap, version)
}

pub(crate) fn stateful(bootstrap: SecurityBinding) -> SecurityBinding {
    let mut binding = stateless(bootstrap);
    binding.session_mut().unwrap().require_cancellation = false;
    binding
}

/// The keys that survive restarts, and that nodes share.
pub(crate) fn ring() -> Arc<KeyRing> {
    Arc::new(KeyRing::in_memory(RotationPolicy::default(), start(), &DeterministicRandom::new(1)).unwrap())
}

pub(crate) fn service_builder(binding: &SecurityBinding) -> SecureConversationServiceBuilder {
    SecureConversationService::builder(binding.clone())
        .identity(PARTIES.service.clone())
        .client_certificate(PARTIES.client.certificate().clone())
        .user_names(Arc::new(Accounts))
        .cookies(Arc::new(NativeCookies::new(ring(), ADDRESS)))
}

pub(crate) fn service(binding: &SecurityBinding) -> SecureConversationService {
    service_builder(binding).build().unwrap()
}

pub(crate) fn client_builder(binding: &SecurityBinding) -> SecureConversationClientBuilder {
    SecureConversationClient::builder(binding.clone(), ADDRESS)
        .identity(PARTIES.client.clone())
        .service_certificate(PARTIES.service.certificate().clone())
        .user_name(UserNameCredential::new("alice", "secret"))
}

pub(crate) fn client(binding: &SecurityBinding) -> SecureConversationClient {
    client_builder(binding).build().unwrap()
}

/// What came back over the wire: nothing when the connection was closed.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) envelope: Option<String>,
    pub(crate) fault: Option<Fault>,
    pub(crate) event: Option<Event>,
}

impl Wire {
    /// Sender or Receiver, namespace and name of the subcode.
    pub(crate) fn code(&self) -> (FaultCode, String, String) {
        let fault = self.fault.as_ref().unwrap_or_else(|| panic!("no fault: {self:?}"));
        let QualifiedName { namespace, local_name } = fault.subcode.clone().unwrap();
        (fault.code, namespace, local_name)
    }

    pub(crate) fn is_secured(&self) -> bool {
        self.envelope.as_ref().is_some_and(|envelope| envelope.contains("Security"))
            && self.envelope.as_ref().is_some_and(|envelope| envelope.contains("Timestamp"))
    }

    pub(crate) fn refusal(&self) -> String {
        match &self.event {
            Some(Event::Refused(error)) => error.to_string(),
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// Both ends and the clock.
pub(crate) struct Pair {
    pub(crate) service: SecureConversationService,
    pub(crate) client: SecureConversationClient,
    pub(crate) random: DeterministicRandom,
    pub(crate) now: Timestamp,
}

impl Pair {
    pub(crate) fn new(binding: &SecurityBinding) -> Self {
        Self::of(service(binding), client(binding))
    }

    pub(crate) fn of(service: SecureConversationService, client: SecureConversationClient) -> Self {
        Self { service, client, random: DeterministicRandom::new(42), now: start() }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
    }

    /// What the service and the echo behind it make of a message.
    pub(crate) fn deliver(&self, envelope: &str) -> Wire {
        deliver(&self.service, envelope, self.now, &self.random)
    }

    /// One message out and one back.
    pub(crate) fn exchange(&mut self, exchange: Exchange) -> Result<Outcome, Error> {
        let wire = self.deliver(exchange.envelope());
        let answer = wire.envelope.unwrap_or_else(|| panic!("no answer: {:?}", wire.event));
        self.client.receive(exchange, answer, self.now)
    }

    /// Whatever is due: a session, or a younger key.
    pub(crate) fn establish(&mut self) -> Result<(), Error> {
        loop {
            let exchange = self.client.establish(self.now, &self.random)?;
            match self.exchange(exchange)? {
                Outcome::Established => return Ok(()),
                Outcome::Negotiating => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// A request that says `text`, made now.
    pub(crate) fn request(&mut self, text: &str) -> Exchange {
        self.client.request(ECHO, echo(text), self.now, &self.random).unwrap()
    }

    /// What a client does for a call, and what the application answers: the text and who it thinks is calling.
    pub(crate) fn call(&mut self, text: &str) -> Result<String, Error> {
        if self.client.due(self.now).is_some() {
            self.establish()?;
        }
        let exchange = self.client.request(ECHO, echo(text), self.now, &self.random)?;
        match self.exchange(exchange)? {
            Outcome::Reply(reply) => Ok(reply.body().unwrap().text().into_owned()),
            other => panic!("{other:?}"),
        }
    }

    /// Whether a call works.
    pub(crate) fn works(&mut self) {
        assert_eq!(self.call("hello").unwrap(), "hello as alice");
    }

    pub(crate) fn close(&mut self) -> Result<Outcome, Error> {
        match self.client.close(self.now, &self.random)? {
            Some(exchange) => self.exchange(exchange),
            None => Ok(Outcome::Closed { was_cancelled: false }),
        }
    }

    /// A new process with the same binding and keys, and empty memory.
    pub(crate) fn restart(&mut self) {
        self.service = service(&self.service.binding().clone());
    }
}

pub(crate) fn echo(text: &str) -> Body {
    Body::from_xml(format!("<Echo xmlns='urn:echo'><text>{text}</text></Echo>")).unwrap()
}

pub(crate) fn deliver(
    service: &SecureConversationService,
    envelope: &str,
    now: Timestamp,
    random: &DeterministicRandom,
) -> Wire {
    match service.handle(Incoming::new(envelope).over_protected_channel(), now, random) {
        Handled::Request(request) => {
            let text = request.body().map(|body| body.text().into_owned()).unwrap_or_default();
            let reply = if text == "fail" {
                let subcode = Some(QualifiedName::new("urn:echo", "Failed"));
                let fault = Fault { code: FaultCode::Sender, subcode, reason: "as asked".to_owned() };
                service.fault(&request, &fault, Some("urn:echo/Fault")).unwrap()
            } else {
                let caller = request.principal().name().unwrap_or("nobody");
                let body = format!("<EchoResponse xmlns='urn:echo'>{text} as {caller}</EchoResponse>");
                request.reply("urn:echo/EchoResponse", Body::from_xml(body).unwrap())
            };
            let envelope = service.protect(&request, &reply, now, random).unwrap();
            Wire { envelope: Some(envelope), fault: None, event: None }
        }
        Handled::Answer(Answer { envelope, fault, event, .. }) => {
            Wire { envelope: Some(envelope), fault, event: Some(event) }
        }
        Handled::Unreadable(error) | Handled::Dropped(error) => {
            Wire { envelope: None, fault: None, event: Some(Event::Refused(error)) }
        }
        other => panic!("{other:?}"),
    }
}

/// A principal that knows more than the password said.
pub(crate) fn with_role(principal: ClaimsPrincipal, role: &str) -> ClaimsPrincipal {
    let mut identities = principal.into_identities();
    for identity in &mut identities {
        identity.add_claim(Claim::new(claim_types::ROLE, role.to_owned()));
    }
    ClaimsPrincipal::new(identities)
}

pub(crate) const WSSE: &str = handstamp_xml::names::WSSE;
pub(crate) const S05: &str = handstamp_xml::names::WSC_2005;
pub(crate) const T05: &str = handstamp_xml::names::WST_2005;
pub(crate) const DNSE: &str = handstamp_xml::names::WCF_SECURITY;

/// The code of a fault of the sender.
pub(crate) fn sender(namespace: &str, name: &str) -> (FaultCode, String, String) {
    (FaultCode::Sender, namespace.to_owned(), name.to_owned())
}

pub(crate) fn invalid_security() -> (FaultCode, String, String) {
    sender(WSSE, "InvalidSecurity")
}
