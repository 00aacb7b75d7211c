//! Taking the protection off one captured message, with the engine that receives messages, and nothing relaxed.
//!
//! What is not known here is what a service or client knows besides its binding and keys: its contract, its users, its trust in
//! certificates and token services. So bodies may have any protection unless one is demanded, and names, certificates and
//! assertions are accepted as they come, if their keys hold. Who did sign and what was signed is part of the answer.

mod assertions;
mod exchange;
mod keys;
mod request;

use handstamp_keys::{Certificate, KeyPolicy, SigningIdentity, SymmetricKey};
use handstamp_secure_conversation::trust::IssuedContext;
use handstamp_security_policy::{CustomBinding, MessageVersion, Transport};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::Envelope;
use handstamp_ws_security::token::{BinarySecurityToken, SecurityTokenReference};
use handstamp_ws_security::{
    AddressingVersion, Caller, Error, Expectation, MemoryReplayCache, ProtectionLevel, Receiver, SecurityBinding,
    Unprotected, UserNameError, UserNameValidator,
};
use handstamp_xml::{Document, Element, Fragment, ParseOptions, names};
use handstamp_xml_security::encryption::EncryptedKey;
use handstamp_xml_security::key_info::KeyInfoClause;

use assertions::Assertions;
use exchange::Exchange;
use keys::Contexts;
use request::OwnRequest;

pub use keys::GivenKeys;

/// One side of a conversation: its binding, what it has of keys, and its clock.
#[derive(Debug)]
pub struct Opener {
    /// What protects messages.
    pub binding: CustomBinding,
    /// The own certificate and private key.
    pub identity: Option<SigningIdentity>,
    /// The certificate of the other side. Without it, certificates that messages include are accepted.
    pub peer: Option<Certificate>,
    /// The same with its private key, which lets a client read keys out of its own requests.
    pub peer_identity: Option<SigningIdentity>,
    /// Keys of contexts, of encrypted keys and of assertions.
    pub given: GivenKeys,
    /// How the body has to be protected; none for whichever way it is.
    pub body: Option<ProtectionLevel>,
    /// The receiver's clock.
    pub now: Timestamp,
}

/// A message with its protection off.
#[derive(Debug)]
pub struct Opened {
    /// `Action`, verified.
    pub action: Option<String>,
    /// The message as it came, with each plaintext in the place of its ciphertext.
    pub envelope: String,
    /// Who speaks: the name of a user, the subject and thumbprint of a certificate (as WCF names it), or the subject of an
    /// assertion. Nobody in messages whose security context alone protects them: who established it, they do not say.
    pub caller: Option<String>,
    /// The ids of all that is signed.
    pub verified: Vec<String>,
    /// The security context that the message establishes or renews.
    pub issued: Option<(String, SymmetricKey)>,
    /// What could not be said, and why.
    pub remarks: Vec<String>,
}

/// Why a message was not opened.
#[derive(Debug)]
pub struct Refusal {
    /// A stable code.
    pub code: &'static str,
    /// The requirement, the element, the key and the clock, in one line.
    pub message: String,
    cause: Option<Error>,
}

/// Who receives, and when.
struct Ends<'a> {
    identity: Option<&'a SigningIdentity>,
    peer: Option<Certificate>,
    now: Timestamp,
    /// Whether this is the sender, who looks at its own message as the receiver did.
    is_sender: bool,
}

/// How many of the given keys an error names.
const MAX_NAMES: usize = 4;
/// Of replies that `enableUnsecuredResponse` lets pass, faults too.
const UNSECURED: &str =
    "nothing protects this reply (enableUnsecuredResponse, SC 12.4): anybody on the way may have made it";
/// SC 5.4: the keys that algorithm suites allow.
const RSA_KEYS: KeyPolicy = KeyPolicy::with_min_rsa_bits(1024);

impl Opener {
    /// Opens a request, as its service.
    ///
    /// # Errors
    /// [`Refusal`] with the requirement that does not hold.
    pub fn open_request(&self, message: &Document) -> Result<Opened, Refusal> {
        self.check_version(message)?;
        let action = action_of(message);
        let wrapped = self.given.wrapped(message);
        let expected = self.expect(Expectation::request(), self.exchange(&action));
        let expected = match &wrapped {
            Some(wrapped) => expected.with_wrapped_key(wrapped),
            None => expected,
        };
        if self.exchange(&action) == Exchange::Negotiate {
            return self.open_negotiation(message, action);
        }
        let opened =
            self.check_served(&action).and_then(|()| self.open_as_service(message, &self.receiving(), expected));
        Ok(Opened::of(&opened.map_err(|refusal| self.explain(refusal, None))?))
    }

    /// Opens a reply, as its client. `request` is the client's own one that it answers.
    ///
    /// # Errors
    /// [`Refusal`] with the requirement that does not hold.
    pub fn open_reply(&self, message: &Document, request: Option<&Document>) -> Result<Opened, Refusal> {
        self.check_version(message)?;
        let action = action_of(message);
        if self.exchange(&action) == Exchange::Negotiate {
            return self.open_negotiation(message, action);
        }
        let asked = request.map(|request| OwnRequest::read(self, request));
        let guessed = self.given.request_of(message);
        let context = asked.as_ref().map_or(&guessed, |asked| &asked.context);
        let binding = self.binding_of_reply(message, &action, asked.as_ref().map(|asked| asked.action.as_str()));
        let expected = self.expect(Expectation::reply(context), self.exchange(&action));
        let ends = self.receiving();
        let opened = match self.open(Receiver::client(&binding), message, &ends, &expected) {
            Ok(opened) => opened,
            Err(Refusal { cause: Some(Error::UnsecuredFault(_)), .. }) if binding.enable_unsecured_response => {
                return Ok(Opened::in_clear(message, action, UNSECURED));
            }
            Err(refusal) => return Err(self.explain(refusal, asked.as_ref())),
        };
        let mut described = Opened::of(&opened);
        if !binding.is_transport() && matches!(Envelope::of(message).map(|it| it.security_header()), Ok(Ok(None))) {
            described.remarks.push(UNSECURED.to_owned());
        }
        if matches!(self.exchange(&action), Exchange::Issue | Exchange::Renew) {
            match self.issued(asked.as_ref(), &opened) {
                Ok(issued) => described.issued = Some((issued.token.context.identifier, issued.key)),
                Err(refusal) => match asked.as_ref() {
                    // What is missing is the client's own part.
                    Some(OwnRequest { plain: Some(_), .. }) => return Err(self.explain(refusal, None)),
                    asked => described.remarks.push(format!("the issued key is not known: {}", missing(asked))),
                },
            }
        }
        Ok(described)
    }

    /// The encoding takes messages of its version and no others (SC 14.5).
    fn check_version(&self, message: &Document) -> Result<(), Refusal> {
        let version = self.binding.message_version();
        let envelope = Envelope::of(message).map_err(|error| self.explain(Refusal::of(error), None))?;
        let addressing = envelope.header().and_then(AddressingVersion::of_header);
        let found = MessageVersion { soap: Some(envelope.version()), addressing };
        // Messages without addressing are known by other means than their headers.
        if version.soap == found.soap && (addressing.is_none() || version.addressing == addressing) {
            return Ok(());
        }
        let problem =
            format!("the message is {}, and messageVersion of the binding is {}", found.name(), version.name());
        let error = Error::Refused { requirement: "SC 14.5", element: "Envelope".to_owned(), problem };
        Err(self.explain(Refusal::of(error), None))
    }

    fn receiving(&self) -> Ends<'_> {
        Ends { identity: self.identity.as_ref(), peer: self.peer.clone(), now: self.now, is_sender: false }
    }

    fn exchange(&self, action: &str) -> Exchange {
        Exchange::of(action, self.binding.security())
    }

    /// The contract of the operation is not known here; that of the messages of a session is.
    fn expect<'e>(&self, expectation: Expectation<'e>, exchange: Exchange) -> Expectation<'e> {
        let by_default = match exchange {
            Exchange::Cancel => return expectation.cancel(),
            Exchange::Issue | Exchange::Renew | Exchange::SessionFault => ProtectionLevel::EncryptAndSign,
            _ => ProtectionLevel::None,
        };
        expectation.with_body(self.body.unwrap_or(by_default))
    }

    fn open_as_service(
        &self,
        message: &Document,
        ends: &Ends<'_>,
        expected: Expectation<'_>,
    ) -> Result<Unprotected, Refusal> {
        let outer = self.binding.security();
        let mut binding = match (self.exchange(&action_of(message)), outer.session()) {
            (Exchange::Issue, Some(session)) => session.bootstrap.clone(),
            (Exchange::Renew, Some(_)) => outer.renewal().unwrap_or_else(|| outer.clone()),
            _ => outer.clone(),
        };
        // A demand of services: what a client makes of its own binding does not meet it (finding 23).
        binding.protect_tokens &= !ends.is_sender;
        self.open(Receiver::service(&binding), message, ends, &expected)
    }

    /// The exchanges that this service knows. Whoever asks for another one is refused before anything else is looked at.
    fn check_served(&self, action: &str) -> Result<(), Refusal> {
        let outer = self.binding.security();
        let can_renew = outer.session().is_none_or(|session| session.can_renew) && exchange::can_cancel(outer);
        let unserved = match self.exchange(action) {
            Exchange::Cancel if !exchange::can_cancel(outer) => "contexts that are cookies cannot be cancelled",
            Exchange::Renew if !can_renew => "the binding does not let clients renew keys",
            Exchange::Unserved => "the binding has no such exchange",
            _ => "",
        };
        if unserved.is_empty() {
            return Ok(());
        }
        Err(Refusal::of(Error::Refused {
            requirement: "SC 9 step 2",
            element: format!("Action {action:.128?}"),
            problem: unserved.to_owned(),
        }))
    }

    /// The binding that protects a reply. A fault is protected as the answer to its request; if that is not at hand, its own
    /// keys tell.
    fn binding_of_reply(&self, message: &Document, action: &str, request: Option<&str>) -> SecurityBinding {
        let outer = self.binding.security();
        let Some(session) = outer.session() else { return outer.clone() };
        let bootstraps = match (self.exchange(action), request.map(|request| self.exchange(request))) {
            (Exchange::Issue | Exchange::Renew, _) => true,
            (Exchange::Cancel | Exchange::SessionFault, _) => false,
            (_, Some(asked)) if exchange::is_fault(action) => matches!(asked, Exchange::Issue | Exchange::Renew),
            (_, None) if exchange::is_fault(action) => !names_a_context(message),
            _ => false,
        };
        if bootstraps { session.bootstrap.clone() } else { outer.clone() }
    }

    /// Opens a message, with each of the keys in turn that one context may have.
    fn open(
        &self,
        receiver: Receiver<'_>,
        message: &Document,
        ends: &Ends<'_>,
        expected: &Expectation<'_>,
    ) -> Result<Unprotected, Refusal> {
        let outer = self.binding.security();
        let included = included_certificate(message);
        let peer = ends.peer.as_ref().or(included.as_ref());
        let cookies = !ends.is_sender && !exchange::can_cancel(outer);
        let assertions = Assertions {
            given: &self.given,
            identity: ends.identity,
            certificates: [self.peer.as_ref(), self.identity.as_ref().map(SigningIdentity::certificate)]
                .into_iter()
                .flatten()
                .collect(),
            suite: outer.suite,
            keys: RSA_KEYS,
            skew: outer.local_service.freshness.max_clock_skew,
        };
        let expected = expected.leaving_headers_to_application();
        let mut choice = 0;
        loop {
            let contexts = Contexts {
                given: &self.given,
                choice,
                cookies: cookies.then_some(outer.local_service.freshness.max_clock_skew),
            };
            let replays = MemoryReplayCache::new(16);
            let mut receiver = receiver
                .with_user_names(&AnyPassword)
                .with_sessions(&contexts)
                .with_issued_tokens(&assertions)
                .with_replay_cache(&replays)
                .with_key_policy(RSA_KEYS);
            if let Some(identity) = ends.identity {
                receiver = receiver.with_identity(identity);
            }
            if let Some(peer) = peer {
                receiver = receiver.with_peer_certificate(peer);
            }
            if matches!(self.binding.transport(), Transport::Https { .. }) {
                receiver = receiver.over_protected_channel();
            }
            choice += 1;
            match receiver.open(message.clone(), &expected, ends.now) {
                Ok(opened) => return Ok(opened),
                Err(_) if choice < self.given.choices() => {}
                Err(error) => return Err(Refusal::of(error)),
            }
        }
    }

    /// A message that negotiates a context has no security header (SC 7.1): its key is what is negotiated.
    fn open_negotiation(&self, message: &Document, action: String) -> Result<Opened, Refusal> {
        let protected = Envelope::of(message).and_then(|envelope| Ok(envelope.security_header()?.is_some()));
        if protected.map_err(|error| self.explain(Refusal::of(error), None))? {
            let problem = "a message that negotiates a security context has none".to_owned();
            let element = "Security".to_owned();
            let error = Error::Refused { requirement: "SC 7.1", element, problem };
            return Err(self.explain(Refusal::of(error), None));
        }
        Ok(Opened::in_clear(message, action, "nothing protects the messages of a negotiation (SC 7.1)"))
    }

    /// Whoever of the two the message carries a key for.
    fn identity_for(&self, message: &Document) -> Option<&SigningIdentity> {
        let at_hand = || self.peer_identity.iter().chain(&self.identity);
        let keys = message.root().descendants().filter(|element| element.is(names::XENC, "EncryptedKey"));
        let named = keys.into_iter().find_map(|element| {
            let key_info = EncryptedKey::parse(element).ok()?.key_info().ok()??;
            let KeyInfoClause::SecurityTokenReference(reference) = key_info.clauses().first()? else { return None };
            let target = SecurityTokenReference::parse(*reference).ok()?.target;
            at_hand().find(|identity| target.names_certificate(identity.certificate()))
        });
        named.or(self.peer_identity.as_ref())
    }

    fn issued(&self, asked: Option<&OwnRequest>, opened: &Unprotected) -> Result<IssuedContext, Refusal> {
        let outer = self.binding.security();
        let unverified = || {
            let (requirement, element) = ("SC 4.2", "Body".to_owned());
            Refusal::of(Error::Refused { requirement, element, problem: "it is empty or not verified".to_owned() })
        };
        opened.body().ok_or_else(unverified)?;
        let reply = self.with_proof_in_clear(opened.document().clone())?;
        let response = content(&reply).ok_or_else(unverified)?;
        // Where the client adds nothing to the key, the request need not be known.
        let empty = format!("<RequestSecurityToken xmlns=\"{}\"/>", response.namespace());
        let empty = Document::parse(empty, &ParseOptions::default()).map_err(|error| Refusal::of(error.into()))?;
        let own = asked.and_then(|asked| asked.plain.as_ref()).and_then(content);
        let issued = IssuedContext::read(own.unwrap_or_else(|| empty.root()), response, &outer.suite)
            .map_err(|error| Refusal { code: error.code(), message: error.to_string(), cause: None })?;
        // WCF takes the mode from the outer element, but it can be written on both.
        let bootstrap = outer.session().map(|session| session.bootstrap.key_entropy);
        if issued.entropy != outer.key_entropy && Some(issued.entropy) != bootstrap {
            return Err(Refusal::of(Error::Refused {
                requirement: "SC 4.2",
                element: "RequestedProofToken".to_owned(),
                problem: format!("the key is made as {:?}, and keyEntropyMode is another", issued.entropy),
            }));
        }
        Ok(issued)
    }

    /// A service that makes the key alone may encrypt it for the client's certificate (SC 4.2).
    fn with_proof_in_clear(&self, mut reply: Document) -> Result<Document, Refusal> {
        let wrapped = content(&reply).into_iter().flat_map(Element::descendants).find(|element| {
            let is_proof = |parent: Element<'_>| parent.local_name() == "RequestedProofToken";
            element.is(names::XENC, "EncryptedKey") && element.parent().is_some_and(is_proof)
        });
        let Some(wrapped) = wrapped else { return Ok(reply) };
        let identity = self.identity.as_ref().ok_or_else(|| {
            let problem = "RequestedProofToken (SC 4.2): its key is encrypted for the client";
            Refusal::of(Error::Configuration(problem.to_owned()))
        })?;
        let failed = |source| {
            let (requirement, element) = ("SC 4.2", "RequestedProofToken");
            let key = format!("the private key of {}", identity.certificate().subject());
            Refusal::of(Error::Cryptography { requirement, element, key, source: Box::new(source) })
        };
        let suite = self.binding.security().suite;
        let key = EncryptedKey::parse(wrapped).map_err(failed)?;
        let key = key.unwrap_with_private_key(identity.key(), suite.default_key_length(), &suite.decrypt_policy());
        let key = base64_simd::STANDARD.encode_to_string(key.map_err(failed)?.as_bytes());
        let trust = self.binding.security().version.generation.trust();
        let secret = format!("<BinarySecret xmlns=\"{trust}\">{key}</BinarySecret>");
        let place = wrapped.id();
        let replaced = reply.replace_with_fragment(place, secret.as_bytes(), Fragment::Element);
        replaced.map_err(|error| Refusal::of(error.into()))?;
        Ok(reply)
    }

    /// Adds the keys that were at hand, the clock, and what would help.
    fn explain(&self, refusal: Refusal, asked: Option<&OwnRequest>) -> Refusal {
        let mut message = refusal.message;
        let request_is_closed = asked.is_some_and(|asked| asked.closed.is_some());
        let help = match &refusal.cause {
            Some(Error::UnknownContext { identifier }) => format!("give its key with --session {identifier}=KEY"),
            Some(Error::UnsecuredFault(_)) => "nothing in it is authenticated".to_owned(),
            Some(Error::Refused { requirement: "SC 8.8", .. }) if asked.is_none() => {
                "give the request that this reply answers with --request".to_owned()
            }
            Some(Error::Configuration(_)) if asked.is_none() && self.identity.is_none() => {
                "give --identity, or --request with the request that this message answers".to_owned()
            }
            _ if request_is_closed => missing(asked),
            _ => String::new(),
        };
        if !help.is_empty() {
            message.push_str(&format!("; {help}"));
        }
        let subject = |certificate: &Certificate| certificate.subject().as_str().chars().take(128).collect::<String>();
        let mut keys = Vec::new();
        keys.extend(self.identity.as_ref().map(|own| format!("identity {}", subject(own.certificate()))));
        keys.extend(self.peer.as_ref().map(|peer| {
            let private = if self.peer_identity.is_some() { " with its private key" } else { "" };
            format!("peer {}{private}", subject(peer))
        }));
        let names = self.given.names();
        keys.extend(names.iter().take(MAX_NAMES).map(|name| match self.given.named(name).len() {
            1 => format!("session {name}"),
            count => format!("session {name} ({count} keys, each tried)"),
        }));
        if names.len() > MAX_NAMES {
            keys.push(format!("{} more", names.len() - MAX_NAMES));
        }
        let keys = if keys.is_empty() { "no keys".to_owned() } else { keys.join(", ") };
        message.push_str(&format!("; at hand: {keys}; clock {}", self.now));
        Refusal { message: message.replace(['\r', '\n'], " "), ..refusal }
    }
}

/// What a client lacks that cannot read its own request.
fn missing(asked: Option<&OwnRequest>) -> String {
    let Some(asked) = asked else { return "give the request that this reply answers with --request".to_owned() };
    let why = asked.closed.as_deref().unwrap_or("it holds no RequestSecurityToken in clear");
    format!(
        "the request cannot be read ({why}): give the service's certificate with its private key as --peer, or what the client \
         kept: --session ID=KEY, with the Id of the request's EncryptedKey, its assertion or its context"
    )
}

impl Refusal {
    fn of(error: Error) -> Self {
        Self { code: error.code(), message: error.to_string(), cause: Some(error) }
    }
}

impl Opened {
    /// A message that nothing protects.
    fn in_clear(message: &Document, action: String, remark: &str) -> Self {
        Self {
            action: Some(action),
            envelope: message.root().markup(),
            caller: None,
            verified: Vec::new(),
            issued: None,
            remarks: vec![remark.to_owned()],
        }
    }

    fn of(opened: &Unprotected) -> Self {
        Self {
            action: opened.action().map(std::borrow::Cow::into_owned),
            envelope: opened.document().root().markup(),
            caller: caller(opened),
            verified: opened.verified_ids().map(str::to_owned).collect(),
            issued: None,
            remarks: Vec::new(),
        }
    }
}

/// A user before a certificate, a certificate before an assertion.
fn caller(opened: &Unprotected) -> Option<String> {
    let user = opened.callers().iter().find_map(|caller| match caller {
        Caller::UserName(name) => Some(name.clone()),
        _ => None,
    });
    let certificate = || {
        opened.callers().iter().find_map(|caller| match caller {
            Caller::Certificate(certificate) => Some(identity_name(certificate)),
            _ => None,
        })
    };
    let assertion = || {
        opened.callers().iter().find_map(|caller| match caller {
            Caller::Assertion(node) => assertions::subject(opened.document().element(*node)?),
            _ => None,
        })
    };
    user.or_else(certificate).or_else(assertion)
}

/// The name that WCF gives to the holder of a certificate (SC 10.3).
fn identity_name(certificate: &Certificate) -> String {
    let thumbprint = certificate.sha1_thumbprint().iter().map(|octet| format!("{octet:02X}")).collect::<String>();
    format!("{}; {thumbprint}", certificate.subject().spaced())
}

/// The action as the message says it, verified or not: it only chooses the binding, which then verifies it.
fn action_of(message: &Document) -> String {
    let header = Envelope::of(message).ok().and_then(|envelope| envelope.header());
    let action = header
        .into_iter()
        .flat_map(Element::children)
        .find(|block| block.local_name() == "Action" && AddressingVersion::from_namespace(block.namespace()).is_some());
    action.map(|action| action.text().trim().to_owned()).unwrap_or_default()
}

/// What stands in the body.
fn content(message: &Document) -> Option<Element<'_>> {
    Envelope::of(message).ok()?.body().children().next()
}

/// Whether the security header names a security context outside of the message.
fn names_a_context(message: &Document) -> bool {
    let security = Envelope::of(message).ok().and_then(|envelope| envelope.security_header().ok().flatten());
    let mut references = security.into_iter().flat_map(Element::descendants);
    references.any(|element| {
        let value_type = element.attribute("ValueType").filter(|_| element.is(names::WSSE, "Reference"));
        value_type.is_some_and(|value_type| value_type.ends_with("/sct"))
    })
}

/// The certificate that a message brings along.
fn included_certificate(message: &Document) -> Option<Certificate> {
    let security = Envelope::of(message).ok()?.security_header().ok()??;
    let token = security.child(names::WSSE, "BinarySecurityToken")?;
    BinarySecurityToken::parse(token).ok().map(|token| token.certificate)
}

struct AnyPassword;

impl UserNameValidator for AnyPassword {
    fn validate(&self, _name: &str, _password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        Ok(())
    }
}
