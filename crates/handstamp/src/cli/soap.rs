//! `handstamp soap`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use handstamp_keys::{Certificate, KeyPolicy, SigningIdentity, SymmetricKey};
use handstamp_secure_conversation::trust::IssuedContext;
use handstamp_security_policy::{CustomBinding, Transport};
use handstamp_time::{Clock, SystemClock, Timestamp};
use handstamp_ws_security::soap::Envelope;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{
    AddressingVersion, Caller, Expectation, MemoryReplayCache, Receiver, RequestContext, SecurityBinding,
    SessionKeyError, SessionKeys, Unprotected, UserNameValidator,
};
use handstamp_xml::{Document, ParseOptions, names};
use serde_json::{Value, json};

use super::{input, print};
use crate::Error;

/// Look at protected SOAP messages.
#[derive(Debug, Subcommand)]
pub(super) enum Soap {
    Open(Open),
}

/// Take the protection off one captured message, and print what is in it as one JSON document.
///
/// The checks are those of a service or client. Only passwords are accepted as they come: whose they are is not the question
/// here. The JSON may hold the key of a session. Treat it like the message's plaintext.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  handstamp soap open request.xml --binding binding.xml --as service \
    --identity service.pem --at 2026-11-21T17:23:13Z\n\n\
    Exit codes: 0 opened; 1 refused; 2 wrong arguments; 3 binding or keys cannot be used; 4 file not readable.")]
pub(super) struct Open {
    /// The message. Default: standard input.
    file: Option<PathBuf>,
    /// The <customBinding> or <binding> element of WCF.
    #[arg(long, value_name = "FILE")]
    binding: PathBuf,
    /// Who received the message.
    #[arg(long = "as", value_enum, value_name = "ROLE")]
    role: Role,
    /// Certificate and private key of the receiver, PEM.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Certificate of the sender, PEM. With its private key, a client can read the key out of its own request.
    #[arg(long, value_name = "FILE")]
    peer: Option<PathBuf>,
    /// The key of a security context, in base64.
    #[arg(long = "session", value_name = "IDENTIFIER=KEY", value_parser = session)]
    sessions: Vec<(String, SymmetricKey)>,
    /// The request that a reply answers.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// The receiver's clock. Default: now.
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    Service,
    Client,
}

impl Soap {
    pub(super) fn run(self) -> Result<(), Error> {
        match self {
            Self::Open(command) => command.run(),
        }
    }
}

impl Open {
    fn run(self) -> Result<(), Error> {
        let knowledge = Knowledge::load(&self)?;
        let message = parse(input::read(self.file.as_ref())?)?;
        let request = self.request.as_deref().map(|file| parse(input::read_option(file)?)).transpose()?;
        let opened = match self.role {
            Role::Service => knowledge.open_request(message)?,
            Role::Client => return knowledge.open_reply(message, request),
        };
        print(described(&opened, None))
    }
}

/// What the receiver knows.
struct Knowledge {
    binding: CustomBinding,
    identity: Option<SigningIdentity>,
    peer: Option<Certificate>,
    peer_identity: Option<SigningIdentity>,
    sessions: Sessions,
    now: Timestamp,
}

impl Knowledge {
    fn load(options: &Open) -> Result<Self, Error> {
        let setup = |code, file: &Path, problem: &dyn std::fmt::Display| Error::Setup {
            code,
            message: format!("{}: {problem}", file.display()),
        };
        let binding = CustomBinding::parse(input::read_option(&options.binding)?)
            .map_err(|error| setup(error.code(), &options.binding, &error))?;
        let policy = KeyPolicy::default();
        let identity = match &options.identity {
            None => None,
            Some(file) => {
                let identity = SigningIdentity::from_pem(&input::read_option(file)?, &policy);
                Some(identity.map_err(|error| setup(error.code(), file, &error))?)
            }
        };
        let (mut peer, mut peer_identity) = (None, None);
        if let Some(file) = &options.peer {
            let pem = input::read_option(file)?;
            let found = Certificate::read_all(&pem).map_err(|error| setup(error.code(), file, &error))?;
            peer = found.into_iter().next();
            peer_identity = SigningIdentity::from_pem(&pem, &policy).ok();
        }
        let mut sessions = HashMap::new();
        for (identifier, key) in &options.sessions {
            sessions.insert(identifier.clone(), key.clone());
        }
        let now = options.at.unwrap_or_else(|| SystemClock.now());
        Ok(Self { binding, identity, peer, peer_identity, sessions: Sessions(sessions), now })
    }

    fn open_request(&self, message: Document) -> Result<Unprotected, Error> {
        self.open_as_service(message, self.identity.as_ref(), self.peer.as_ref())
    }

    fn open_as_service(
        &self,
        message: Document,
        identity: Option<&SigningIdentity>,
        peer: Option<&Certificate>,
    ) -> Result<Unprotected, Error> {
        let action = action(&message);
        let binding = self.binding_for(&action);
        let receiver = Receiver::service(&binding);
        self.open(receiver, identity, peer, message, Expectation::request(), &action)
    }

    fn open_reply(&self, message: Document, request: Option<Document>) -> Result<(), Error> {
        let mut asked = None;
        let mut request_action = String::new();
        if let Some(request) = request {
            request_action = action(&request);
            let own = self.identity.as_ref().map(SigningIdentity::certificate);
            // The request was encrypted for the service: who has the service's key, or that of the session, can read it.
            let service = self.peer_identity.as_ref().or(self.identity.as_ref());
            asked = Some(self.open_as_service(request, service, own)?);
        }
        let none = RequestContext::default();
        let context = asked.as_ref().map_or(&none, Unprotected::request_context);
        // A fault is protected as the answer to its request would be.
        let own_action = action(&message);
        let is_fault = AddressingVersion::V10.fault_action() == own_action
            || AddressingVersion::August2004.fault_action() == own_action
            || own_action.ends_with("/fault");
        let deciding = if is_fault && !request_action.is_empty() { request_action } else { own_action.clone() };
        let binding = self.binding_for(&deciding.replace("/RST/SCT/Renew", "/RSTR/SCT/Renew"));
        let receiver = Receiver::client(&binding);
        let expected = Expectation::reply(context);
        let opened = self.open(receiver, self.identity.as_ref(), self.peer.as_ref(), message, expected, &own_action)?;
        let issues = own_action.ends_with("/RSTR/SCT") || own_action.ends_with("/RSTR/SCT/Renew");
        let issued = match &asked {
            Some(asked) if issues => Some(self.issued(asked, &opened)?),
            _ => None,
        };
        print(described(&opened, issued.as_ref()))
    }

    fn open(
        &self,
        receiver: Receiver<'_>,
        identity: Option<&SigningIdentity>,
        peer: Option<&Certificate>,
        message: Document,
        expected: Expectation<'_>,
        action: &str,
    ) -> Result<Unprotected, Error> {
        let replays = MemoryReplayCache::new(16);
        let mut receiver =
            receiver.with_user_names(&AnyPassword).with_sessions(&self.sessions).with_replay_cache(&replays);
        if let Some(identity) = identity {
            receiver = receiver.with_identity(identity);
        }
        if let Some(peer) = peer {
            receiver = receiver.with_peer_certificate(peer);
        }
        if matches!(self.binding.transport(), Transport::Https { .. }) {
            receiver = receiver.over_protected_channel();
        }
        let expected = if action.ends_with("/SCT/Cancel") { expected.cancel() } else { expected };
        // Which of its headers the application understands is not known here.
        let expected = expected.leaving_headers_to_application();
        let opened = receiver.open(message, &expected, self.now);
        opened.map_err(|error| {
            let clock = format!("{error} (clock {})", self.now);
            input::refused(error.code(), clock.replace(['\r', '\n'], " "))
        })
    }

    /// Which of its bindings a session uses for this action (SC 4.1, 4.3).
    fn binding_for(&self, action: &str) -> SecurityBinding {
        let outer = self.binding.security();
        let Some(session) = outer.session() else { return outer.clone() };
        if action.ends_with("/RST/SCT/Renew") {
            return outer.renewal().unwrap_or_else(|| outer.clone());
        }
        let bootstraps = ["/RST/SCT", "/RSTR/SCT", "/RSTR/SCT/Renew"];
        if bootstraps.iter().any(|end| action.ends_with(end)) { session.bootstrap.clone() } else { outer.clone() }
    }

    fn issued(&self, asked: &Unprotected, opened: &Unprotected) -> Result<IssuedContext, Error> {
        let wrong = || input::refused("HST-WSS-MALFORMED", "the request or its reply has no verified body (SC 4.2)");
        let content = |message: &Unprotected| message.body().is_some();
        if !content(asked) || !content(opened) {
            return Err(wrong());
        }
        let refused = |error: handstamp_ws_security::Error| input::refused(error.code(), error);
        let request = Envelope::of(asked.document()).map_err(refused)?.body().children().next().ok_or_else(wrong)?;
        let response = Envelope::of(opened.document()).map_err(refused)?.body().children().next().ok_or_else(wrong)?;
        let issued = IssuedContext::read(request, response, &self.binding.security().suite)
            .map_err(|error| input::refused(error.code(), error))?;
        if issued.entropy != self.binding.security().key_entropy {
            return Err(input::refused(
                "HST-WSS-REFUSED",
                "the entropy of the issued key is not that of keyEntropyMode (SC 4.2)",
            ));
        }
        Ok(issued)
    }
}

fn described(opened: &Unprotected, issued: Option<&IssuedContext>) -> Value {
    let document = opened.document();
    let verified: Vec<&str> = opened
        .verified()
        .ids()
        .filter_map(|node| document.element(node))
        .filter_map(|element| element.attribute_ns(names::WSU, "Id").or_else(|| element.attribute("Id")))
        .collect();
    let name = |caller: &Caller| match caller {
        Caller::UserName(name) => Some(name.clone()),
        Caller::Certificate(certificate) => Some(certificate.subject().to_string()),
        Caller::Context(context) => Some(context.identifier.clone()),
        _ => None,
    };
    json!({
        "action": opened.action(),
        "envelope": String::from_utf8_lossy(&opened.to_xml()),
        "caller": opened.callers().iter().find_map(name),
        "verified": verified,
        "issued": issued.map(|issued| json!({
            "identifier": issued.token.context.identifier,
            "key": base64_simd::STANDARD.encode_to_string(issued.key.as_bytes()),
        })),
    })
}

/// The action as the message says it, verified or not: it only chooses the binding, which then verifies it.
fn action(message: &Document) -> String {
    let header = Envelope::of(message).ok().and_then(|envelope| envelope.header());
    let action = header
        .into_iter()
        .flat_map(handstamp_xml::Element::children)
        .find(|block| block.local_name() == "Action" && AddressingVersion::from_namespace(block.namespace()).is_some());
    action.map(|action| action.text().trim().to_owned()).unwrap_or_default()
}

fn parse(bytes: Vec<u8>) -> Result<Document, Error> {
    Document::parse(bytes, &ParseOptions::default()).map_err(|error| input::refused(error.code(), error))
}

fn session(text: &str) -> Result<(String, SymmetricKey), String> {
    let wrong = || "write IDENTIFIER=BASE64KEY".to_owned();
    let padding = text.len() - text.trim_end_matches('=').len();
    let split = text.get(..text.len() - padding).and_then(|text| text.rfind('=')).ok_or_else(wrong)?;
    let (identifier, key) = text.split_at(split);
    let key = key.strip_prefix('=').and_then(|key| base64_simd::STANDARD.decode_to_vec(key).ok()).ok_or_else(wrong)?;
    Ok((identifier.to_owned(), SymmetricKey::from_bytes(&key)))
}

struct AnyPassword;

impl UserNameValidator for AnyPassword {
    fn validate(&self, _name: &str, _password: &str, _now: Timestamp) -> Result<(), String> {
        Ok(())
    }
}

/// Keys by context id.
struct Sessions(HashMap<String, SymmetricKey>);

impl SessionKeys for Sessions {
    fn by_token(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        self.by_reference(&token.context, now)
    }

    fn by_reference(&self, context: &ContextReference, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        self.0.get(&context.identifier).cloned().ok_or(SessionKeyError::Unknown)
    }
}
