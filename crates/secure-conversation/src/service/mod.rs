//! The service end of secure conversations: what comes in is opened, what belongs to the protocol is answered here, what
//! belongs to the application is handed to it with the caller's principal.

mod answer;
mod builder;
pub(crate) mod faults;
mod issue;
pub(crate) mod limits;
mod negotiate;
mod negotiated;
mod session;

pub use answer::{Answer, ApplicationRequest, Event, Handled, Incoming};
pub use builder::SecureConversationServiceBuilder;
pub use limits::{AddressLimits, AddressUse, Allowance};

use crate::contexts::{SessionInfo, StatefulContexts, StatelessContexts};
use crate::contract::Contract;
use crate::error::Error;
use crate::hooks::{Authorization, ClaimsTransformation, IssuedTokens};
use crate::negotiation::Leg;
use crate::trust::TrustAction;
use faults::Head;
use handstamp_keys::{Certificate, CertificateTrust, KeyPolicy, SecureRandom, SigningIdentity};
use handstamp_session_token::ContextId;
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::{Envelope, SecurityFault};
use handstamp_ws_security::{Generation, Receiver, ReplayCache, SecurityBinding, Sender, UserNameValidator};
use handstamp_xml::ParseOptions;
use negotiate::Negotiations;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A service that issues security contexts and serves messages in them.
///
/// It is a state machine without I/O: whoever drives it hands in what arrives, the time and a source of randomness, and sends
/// what comes out. All methods take `&self` and may run at once on many threads.
///
/// Under one of the `…SslNegotiated` modes without `SecureConversation` the context that is negotiated protects the messages of the
/// application itself, and each of them shows the caller's credentials: wsHttpBinding with `establishSecurityContext="false"`.
///
/// * With `requireSecurityContextCancellation="true"` it remembers each session and is the only one who can serve it.
/// * With `"false"` a session is sealed into its token ([`ContextCookies`](crate::ContextCookies)): it can be served by any
///   service with the same keys, this one after a restart included, and costs no memory that would grow.
///
/// ```
/// use handstamp_keys::{KeyKind, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
/// use handstamp_secure_conversation::{NativeCookies, SecureConversationService};
/// use handstamp_ws_security::{MessageSecurityVersion, SecurityBinding};
/// use std::sync::Arc;
///
/// # let now = "2030-01-01T00:00:00Z".parse()?;
/// # let random = SystemRandom;
/// # let end = "2031-01-01T00:00:00Z".parse()?;
/// # let identity = SigningIdentity::self_signed("ledger.example", KeyKind::Rsa { bits: 2048 }, now, end, &random)?;
/// let version = MessageSecurityVersion::default();
/// let bootstrap = SecurityBinding::anonymous_for_certificate(version)?;
/// let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
/// binding.session_mut().expect("a session").require_cancellation = false;
///
/// let ring = Arc::new(KeyRing::in_memory(RotationPolicy::default(), now, &random)?);
/// let service = SecureConversationService::builder(binding)
///     .identity(identity)
///     .cookies(Arc::new(NativeCookies::new(ring, "https://ledger.example/")))
///     .build()?;
/// assert!(service.is_stateful());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SecureConversationService {
    outer: SecurityBinding,
    bootstrap: SecurityBinding,
    renewal: SecurityBinding,
    generation: Generation,
    can_renew: bool,
    contexts: Contexts,
    /// None when the bootstrap stands on its own.
    negotiations: Option<Negotiations>,
    credentials: Credentials,
    bootstrap_replays: Arc<dyn ReplayCache>,
    session_replays: Arc<dyn ReplayCache>,
    transformation: Option<Arc<dyn ClaimsTransformation>>,
    authorization: Option<Arc<dyn Authorization>>,
    contract: Contract,
    parse_options: ParseOptions,
    max_message_size: usize,
    addresses: Arc<AddressUse>,
    /// See [`SecureConversationServiceBuilder::refuse_messages_from_before`].
    earliest: Option<Earliest>,
    is_closing: AtomicBool,
}

/// The two engines (SC §3), or none, where a negotiated context protects the messages of the application itself (SC §7).
#[derive(Debug)]
enum Contexts {
    Stateful(Arc<StatefulContexts>),
    /// Shared with the service that goes on with them.
    Stateless(Arc<StatelessContexts>),
    Negotiated,
}

/// What the service is and whom it believes.
#[derive(Default)]
struct Credentials {
    identity: Option<SigningIdentity>,
    client_certificate: Option<Certificate>,
    trust: Option<CertificateTrust>,
    key_policy: KeyPolicy,
    user_names: Option<Arc<dyn UserNameValidator>>,
    issued_tokens: Option<Arc<dyn IssuedTokens>>,
}

/// Messages that were made before `start` are refused until `start` plus `window`.
#[derive(Debug, Clone, Copy)]
struct Earliest {
    start: Timestamp,
    window: Duration,
}

impl SecureConversationService {
    /// Starts a service for this binding, whose session is described in it.
    pub fn builder(binding: SecurityBinding) -> SecureConversationServiceBuilder {
        SecureConversationServiceBuilder::new(binding)
    }

    /// Takes in one message.
    ///
    /// Verifying credentials can take long (a password hash, say): run it where that does not hold up others.
    pub fn handle(&self, incoming: Incoming<'_>, now: Timestamp, random: &dyn SecureRandom) -> Handled {
        let address = incoming.address;
        if !self.addresses.refusals.has_some(address, now) {
            return Handled::Dropped(Error::TooManyRefusals);
        }
        let handled = self.handle_counted(incoming, now, random);
        if let Handled::Answer(Answer { event: Event::Refused(error), .. }) = &handled
            && error.is_about_protection()
        {
            self.addresses.refusals.take(address, now);
        }
        handled
    }

    fn handle_counted(&self, incoming: Incoming<'_>, now: Timestamp, random: &dyn SecureRandom) -> Handled {
        if incoming.bytes.len() > self.max_message_size {
            return Handled::Unreadable(Error::TooLarge { bytes: incoming.bytes.len(), limit: self.max_message_size });
        }
        let document = match Receiver::parse(&incoming.bytes, &self.parse_options) {
            Ok(document) => document,
            Err(error @ handstamp_xml::Error::DuplicateId { .. }) => {
                let head = Head::of_text(&String::from_utf8_lossy(&incoming.bytes), incoming.protected_channel);
                return self.refuse(&head, SecurityFault::InvalidSecurity, error.into());
            }
            Err(error) => return Handled::Unreadable(error.into()),
        };
        let head = match Envelope::of(&document) {
            Ok(envelope) => Head::of(&envelope, incoming.protected_channel),
            Err(error) => return Handled::Unreadable(error.into()),
        };
        if let Some(said) =
            incoming.soap_action.map(|said| said.trim().trim_matches('"')).filter(|said| !said.is_empty())
            && head.action.as_deref().is_some_and(|action| action != said)
        {
            return self.refuse_action_mismatch(&head);
        }
        let head = Head { address: incoming.address, ..head };
        // SC 7.1: with a security header it is no negotiation, whatever its action says.
        if let Some(negotiations) = self.negotiations.as_ref().filter(|_| !head.has_security)
            && let Some(leg) = head.action.as_deref().and_then(|action| Leg::of_action(action, self.generation))
        {
            if leg == Leg::First && !self.addresses.token_requests.take(head.address, now) {
                return self.refuse(&head, SecurityFault::ServerTooBusy, Error::TooManyTokenRequests);
            }
            return self.negotiate(negotiations, (leg, &document), &head, now, random);
        }
        let exchange = head.action.as_deref().and_then(|action| TrustAction::of_request(action, self.generation));
        let is_token_request = matches!(exchange, Some(TrustAction::Issue | TrustAction::Renew));
        if is_token_request && head.has_security && !self.addresses.token_requests.take(head.address, now) {
            return self.refuse(&head, SecurityFault::ServerTooBusy, Error::TooManyTokenRequests);
        }
        match (&self.contexts, exchange) {
            (Contexts::Negotiated, _) => self.serve_negotiated(document, &head, now, random),
            (Contexts::Stateful(_), Some(TrustAction::Cancel)) => {
                self.refuse(&head, SecurityFault::CancellationNotAllowed, cancellation_not_allowed())
            }
            // Finding 13: without a security header there is no context, whatever is asked.
            (Contexts::Stateless(_), _) if !head.has_security => {
                self.refuse(&head, self.bad_context(), unknown_context(head.first_context.as_deref()))
            }
            (_, Some(TrustAction::Issue)) => self.issue(document, &head, now, random),
            (Contexts::Stateless(contexts), Some(TrustAction::Renew)) if self.can_renew => {
                self.renew(contexts, document, &head, now, random)
            }
            (Contexts::Stateful(contexts), _) => self.serve_stateful(contexts, document, &head, now, random),
            (Contexts::Stateless(contexts), _) => self.serve_stateless(contexts, document, &head, now, random),
        }
    }

    /// Stops issuing contexts. The sessions that there are go on.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    /// Ends a session or negotiated context that this service remembers, as if it had timed out. Contexts that are cookies are revoked through the
    /// [revocation list](SecureConversationServiceBuilder::revocations). False when there is no such session here.
    pub fn end(&self, context_id: &ContextId) -> bool {
        context_id.as_unique_id().with_text(|identifier| match &self.contexts {
            Contexts::Stateless(contexts) => contexts.end(identifier),
            Contexts::Stateful(_) => false,
            Contexts::Negotiated => {
                let remembered = self.negotiated_contexts().filter(|contexts| !contexts.has_cookies());
                remembered.is_some_and(|contexts| contexts.forget(identifier))
            }
        })
    }

    /// The sessions that the service knows of: all when it remembers them, else those whose cookies it has lately opened.
    pub fn sessions(&self, now: Timestamp) -> Vec<SessionInfo> {
        match &self.contexts {
            Contexts::Stateful(contexts) => contexts.list(),
            Contexts::Stateless(contexts) => contexts.list(now),
            Contexts::Negotiated => self.negotiated_contexts().map(StatefulContexts::list).unwrap_or_default(),
        }
    }

    /// Whether sessions survive this service.
    pub fn is_stateful(&self) -> bool {
        match self.contexts {
            Contexts::Stateful(_) => true,
            Contexts::Stateless(_) => false,
            Contexts::Negotiated => self.negotiated_contexts().is_some_and(StatefulContexts::has_cookies),
        }
    }

    fn negotiated_contexts(&self) -> Option<&StatefulContexts> {
        self.negotiations.as_ref().map(|negotiations| negotiations.contexts.as_ref())
    }

    /// The size of a message in bytes that is read.
    pub fn max_message_size(&self) -> usize {
        self.max_message_size
    }

    /// The binding of messages in sessions.
    pub fn binding(&self) -> &SecurityBinding {
        &self.outer
    }

    /// What opens requests under one of the bindings.
    fn receiver<'a>(&'a self, binding: &'a SecurityBinding, head: &Head) -> Receiver<'a> {
        let credentials = &self.credentials;
        let mut receiver = Receiver::service(binding).with_key_policy(credentials.key_policy);
        if let Some(identity) = &credentials.identity {
            receiver = receiver.with_identity(identity);
        }
        if let Some(certificate) = &credentials.client_certificate {
            receiver = receiver.with_peer_certificate(certificate);
        }
        if let Some(trust) = &credentials.trust {
            receiver = receiver.with_trust(trust);
        }
        if let Some(user_names) = &credentials.user_names {
            receiver = receiver.with_user_names(user_names.as_ref());
        }
        if let Some(issued_tokens) = &credentials.issued_tokens {
            receiver = receiver.with_issued_tokens(issued_tokens.as_ref());
        }
        if head.protected_channel {
            receiver = receiver.over_protected_channel();
        }
        receiver
    }

    /// What protects replies under one of the bindings.
    fn sender<'a>(&'a self, binding: &'a SecurityBinding, protected_channel: bool) -> Sender<'a> {
        let credentials = &self.credentials;
        let mut sender = Sender::service(binding).with_key_policy(credentials.key_policy);
        if let Some(identity) = &credentials.identity {
            sender = sender.with_identity(identity);
        }
        if let Some(certificate) = &credentials.client_certificate {
            sender = sender.with_peer_certificate(certificate);
        }
        if protected_channel { sender.over_protected_channel() } else { sender }
    }

    /// `BadContextToken` of the endpoint's generation: no session was found.
    fn bad_context(&self) -> SecurityFault {
        SecurityFault::BadContextToken { namespace: self.generation.conversation() }
    }
}

/// Settings; nothing that is a secret.
impl fmt::Debug for SecureConversationService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureConversationService")
            .field("binding", &self.outer)
            .field("contract", &self.contract)
            .field("is_stateful", &self.is_stateful())
            .finish_non_exhaustive()
    }
}

fn cancellation_not_allowed() -> Error {
    Error::trust("SC 12.2", "Action", "the contexts of this service are cookies, and cannot be cancelled")
}

fn unknown_context(identifier: Option<&str>) -> Error {
    let identifier = identifier.unwrap_or_default().chars().take(128).collect();
    handstamp_ws_security::Error::UnknownContext { identifier }.into()
}
