//! Both ends of an exchange in one process.

use handstamp_keys::{Certificate, DeterministicRandom, KeyPolicy, PrivateKey, SigningIdentity, SymmetricKey};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{
    AddressingVersion, Body, ContextKey, Error, Expectation, Generation, IssuedProof, IssuedToken,
    IssuedTokenValidator, MemoryReplayCache, Message, ProofKey, Protected, ProtectionLevel, Receiver, RequestContext,
    SecurityBinding, Sender, SessionKeyError, SessionKeys, Unprotected, UserNameCredential, UserNameError,
    UserNameValidator,
};
use handstamp_xml::{Document, Element, ParseOptions};
use std::sync::LazyLock;

/// What client and service of all exchanges have.
pub(crate) struct Ends {
    pub(crate) service: SigningIdentity,
    pub(crate) client: SigningIdentity,
    pub(crate) user_name: UserNameCredential,
    pub(crate) issued: IssuedToken,
    /// What the service thinks that proves possession of the issued token.
    pub(crate) proof: ProofKey,
    /// The session's context and the one of a TLS negotiation.
    pub(crate) contexts: [ContextKey; 2],
    pub(crate) random: DeterministicRandom,
    pub(crate) now: Timestamp,
}

/// How an exchange goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) soap: SoapVersion,
    pub(crate) addressing: AddressingVersion,
    pub(crate) level: ProtectionLevel,
}

impl Default for Way {
    fn default() -> Self {
        Self { soap: SoapVersion::Soap12, addressing: AddressingVersion::V10, level: ProtectionLevel::EncryptAndSign }
    }
}

/// What the service understands.
const HEADERS: [(&str, &str); 3] = [("urn:h", "Open"), ("urn:h", "Signed"), ("urn:h", "Secret")];
pub(crate) const ASSERTION: &str = "<saml:Assertion xmlns:saml='urn:oasis:names:tc:SAML:1.0:assertion' AssertionID='_a1' \
     Issuer='sts'><saml:Conditions/><saml:AttributeValue>carol</saml:AttributeValue></saml:Assertion>";
pub(crate) const REQUEST: &str = "<Echo xmlns=\"http://tempuri.org/\"><text>hello &amp; good day</text></Echo>";
pub(crate) const REPLY: &str = "<EchoResponse xmlns='http://tempuri.org/' ><EchoResult/></EchoResponse>";

static IDENTITIES: LazyLock<[SigningIdentity; 2]> = LazyLock::new(|| {
    let vectors = handstamp_testkit::vectors::load("wcf_messages");
    ["server", "client"].map(|who| {
        let keys = &vectors["keys"][who];
        let der = base64_simd::STANDARD.decode_to_vec(keys["certificateDer"].as_str().unwrap()).unwrap();
        let key = PrivateKey::from_pem(keys["pkcs8Pem"].as_str().unwrap().as_bytes(), &KeyPolicy::default()).unwrap();
        SigningIdentity::new(key, Certificate::from_der(&der).unwrap(), Vec::new()).unwrap()
    })
});

impl Ends {
    /// With context keys of so many bytes.
    pub(crate) fn new(generation: Generation, key_length: usize) -> Self {
        let random = DeterministicRandom::new(7);
        let [service, client] = IDENTITIES.clone();
        let context = |name: &str, cookie: Option<Vec<u8>>| {
            let context = ContextReference { generation, identifier: format!("urn:uuid:{name}"), instance: None };
            let token = SecurityContextToken { id: Some(format!("uuid-{name}-1")), context, cookie };
            ContextKey::new(token, SymmetricKey::generate(key_length, &random).unwrap()).unwrap()
        };
        let key = SymmetricKey::generate(key_length, &random).unwrap();
        Self {
            service,
            client,
            user_name: UserNameCredential::new("alice", "se<cret"),
            issued: IssuedToken::new(parse(ASSERTION).root(), IssuedProof::Symmetric(key.clone())).unwrap(),
            proof: ProofKey::Symmetric(key),
            contexts: [context("session", Some(vec![1, 2, 3])), context("negotiated", None)],
            random,
            now: "2026-11-21T17:23:13.397Z".parse().unwrap(),
        }
    }

    pub(crate) fn client<'a>(&'a self, binding: &'a SecurityBinding) -> Sender<'a> {
        Sender::client(binding)
            .with_identity(&self.client)
            .with_peer_certificate(self.service.certificate())
            .with_user_name(&self.user_name)
            .with_issued_token(&self.issued)
            .with_context(&self.contexts[0])
            .with_negotiated_context(&self.contexts[1])
            .over_protected_channel()
    }

    pub(crate) fn service<'a>(&'a self, binding: &'a SecurityBinding, request: &'a RequestContext) -> Sender<'a> {
        Sender::service(binding)
            .with_identity(&self.service)
            .with_context(&self.contexts[0])
            .with_negotiated_context(&self.contexts[1])
            .answering(request)
            .over_protected_channel()
    }

    /// The client's request.
    pub(crate) fn request(&self, binding: &SecurityBinding, way: Way) -> Result<Protected, Error> {
        let message = Message::request(way.soap, way.addressing, "urn:echo", "http://server.example/", "urn:uuid:1")
            .with_body(Body::canonical(REQUEST))
            .with_protection(way.level);
        self.client(binding).protect(&message, &self.random, self.now)
    }

    pub(crate) fn open_request(
        &self,
        binding: &SecurityBinding,
        envelope: &str,
        way: Way,
    ) -> Result<Unprotected, Error> {
        let replays = MemoryReplayCache::new(10);
        Receiver::service(binding)
            .with_identity(&self.service)
            .with_peer_certificate(self.client.certificate())
            .with_user_names(self)
            .with_sessions(self)
            .with_issued_tokens(self)
            .with_replay_cache(&replays)
            .over_protected_channel()
            .open(parsed(envelope)?, &Expectation::request().with_body(way.level).understanding(&HEADERS), self.now)
    }

    pub(crate) fn reply(&self, binding: &SecurityBinding, request: &Unprotected, way: Way) -> Result<Protected, Error> {
        let message =
            Message::reply_to(request, "urn:echoed").with_body(Body::from_xml(REPLY)?).with_protection(way.level);
        self.service(binding, request.request_context()).protect(&message, &self.random, self.now)
    }

    pub(crate) fn open_reply(
        &self,
        binding: &SecurityBinding,
        envelope: &str,
        request: &RequestContext,
        way: Way,
    ) -> Result<Unprotected, Error> {
        let replays = MemoryReplayCache::new(10);
        Receiver::client(binding)
            .with_identity(&self.client)
            .with_peer_certificate(self.service.certificate())
            .with_sessions(self)
            .with_replay_cache(&replays)
            .over_protected_channel()
            .open(parsed(envelope)?, &Expectation::reply(request).with_body(way.level), self.now)
    }

    /// There and back, with what each side reads.
    pub(crate) fn exchange(&self, binding: &SecurityBinding, way: Way) -> Result<(Protected, Protected), Error> {
        let request = self.request(binding, way)?;
        let opened = self.open_request(binding, &request.envelope, way)?;
        assert_eq!(opened.action().as_deref(), Some("urn:echo"));
        assert_eq!(opened.to().as_deref(), Some("http://server.example/"));
        assert_eq!((opened.soap_version(), opened.addressing_version()), (way.soap, Some(way.addressing)));
        let encrypted = way.level == ProtectionLevel::EncryptAndSign && !binding.is_transport();
        assert_eq!(opened.body_was_encrypted(), encrypted);
        match opened.body() {
            Some(body) => assert_eq!(body.text(), "hello & good day"),
            None => assert_eq!(way.level, ProtectionLevel::None),
        }
        let reply = self.reply(binding, &opened, way)?;
        let answered = self.open_reply(binding, &reply.envelope, &request.request, way)?;
        assert_eq!(answered.relates_to().as_deref(), Some("urn:uuid:1"));
        assert_eq!(answered.body().is_some(), way.level != ProtectionLevel::None || binding.is_transport());
        Ok((request, reply))
    }

    fn key(&self, context: &ContextReference) -> Result<SymmetricKey, SessionKeyError> {
        let found = self.contexts.iter().find(|known| known.context() == context);
        found.map(|known| known.key().clone()).ok_or(SessionKeyError::Unknown)
    }
}

impl SessionKeys for Ends {
    fn by_token(&self, token: &SecurityContextToken, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        self.key(&token.context)
    }

    fn by_reference(&self, context: &ContextReference, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        self.key(context)
    }
}

impl UserNameValidator for Ends {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        if (name, password) == ("alice", "se<cret") {
            Ok(())
        } else {
            Err(UserNameError::Refused("wrong password".to_owned()))
        }
    }
}

impl IssuedTokenValidator for Ends {
    fn validate(&self, _assertion: Element<'_>, _now: Timestamp) -> Result<ProofKey, String> {
        Ok(self.proof.clone())
    }
}

pub(crate) fn parse(text: &str) -> Document {
    parsed(text).unwrap()
}

fn parsed(text: &str) -> Result<Document, Error> {
    Ok(Document::parse(text, &ParseOptions::default())?)
}
