//! Messages in sessions: those of the application, Cancel, and what does not belong there (SC §8, 4.4).

use super::answer::{Answer, ApplicationRequest, Event, Handled, ReplyKey};
use super::faults::{Head, access_denied, fault_message};
use super::{Contexts, SecureConversationService, unknown_context};
use crate::contexts::{Admission, StatefulContexts, StatelessContexts};
use crate::contract::Operation;
use crate::error::{Error, is_about_protection};
use crate::trust::{RequestSecurityToken, RequestSecurityTokenResponse, RequestType, TrustAction};
use handstamp_keys::SecureRandom;
use handstamp_session_token::SessionSecurityToken;
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::{Fault, SecurityFault};
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{Body, Caller, ContextKey, Expectation, Message, ProtectionLevel, Sender, Unprotected};
use handstamp_xml::{Document, names};
use std::sync::Arc;

/// The action of faults by which the service speaks about the session (SC 1.2).
pub(crate) const SECURE_CONVERSATION_FAULT: &str =
    "http://schemas.microsoft.com/ws/2006/05/security/SecureConversationFault";

impl SecureConversationService {
    /// A message whose session is in its cookie.
    pub(super) fn serve_stateful(
        &self,
        contexts: &StatefulContexts,
        document: Document,
        head: &Head,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        let keys = contexts.keys();
        let receiver = self.receiver(&self.outer, head).with_sessions(&keys);
        let receiver = receiver.with_replay_cache(self.session_replays.as_ref());
        let operation = self.operation(head);
        let understood = self.contract.understood_headers();
        let expected =
            Expectation::request().with_body(operation.unwrap_or_default().request).understanding(&understood);
        let opened = match receiver.open(document, &expected, now) {
            Ok(opened) => opened,
            Err(error) => {
                let key = keys.into_session(now).and_then(|session| self.context_key(&session).ok());
                return self.refuse_in_session(head, error, key.as_ref(), now, random);
            }
        };
        let opened = match self.check_route(opened, head, now) {
            Ok(opened) => opened,
            Err(error) => return self.refuse(head, SecurityFault::InvalidSecurity, error),
        };
        let Some(session) = keys.into_session(now) else {
            return self.refuse(head, SecurityFault::InvalidSecurity, not_in_a_session());
        };
        let Some(operation) = operation else {
            return self.refuse(head, SecurityFault::InvalidSecurity, unknown_action());
        };
        let key = match self.context_key(&session) {
            Ok(key) => ReplyKey::Stateful(Box::new(key)),
            Err(error) => return Handled::Dropped(error),
        };
        let request = ApplicationRequest::new(opened, session, key, operation, head);
        self.hand_over(request, head, now, random)
    }

    /// A message whose session the service remembers.
    pub(super) fn serve_stateless(
        &self,
        contexts: &StatelessContexts,
        document: Document,
        head: &Head,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        let known = head.first_context.as_deref().and_then(|identifier| contexts.keys(identifier, now));
        let Some(keys) = known else {
            return self.refuse(head, self.bad_context(), unknown_context(head.first_context.as_deref()));
        };
        let cancels = head.action.as_deref() == Some(TrustAction::Cancel.request(self.generation));
        let operation = self.operation(head);
        let understood = self.contract.understood_headers();
        let expected = Expectation::request().understanding(&understood);
        let expected =
            if cancels { expected.cancel() } else { expected.with_body(operation.unwrap_or_default().request) };
        let receiver = self.receiver(&self.outer, head).with_sessions(&keys);
        let receiver = receiver.with_replay_cache(self.session_replays.as_ref());
        let opened = match receiver.open(document, &expected, now) {
            Ok(opened) => opened,
            Err(error) => {
                if let Some(identifier) = head.first_context.as_ref().filter(|_| is_about_protection(&error)) {
                    contexts.failed(identifier);
                }
                let current = head.first_context.as_deref().and_then(|identifier| contexts.current_key(identifier));
                let key = current.as_ref().map(|key| &key.context);
                return self.refuse_in_session(head, error, key, now, random);
            }
        };
        let opened = match self.check_route(opened, head, now) {
            Ok(opened) => opened,
            Err(error) => return self.refuse(head, SecurityFault::InvalidSecurity, error),
        };
        let Some(context) = context_of(&opened).cloned() else {
            return self.refuse(head, SecurityFault::InvalidSecurity, not_in_a_session());
        };
        let Some(admission) = contexts.admit(&context, now) else {
            // Another message was quicker: with a younger key, after which the session goes on (finding 17), or with a Cancel.
            let goes_on = contexts.current_key(&context.identifier).is_some();
            let fault = match goes_on {
                true => SecurityFault::BadContextToken { namespace: names::WSC_2005 },
                false => self.bad_context(),
            };
            return self.refuse(head, fault, unknown_context(Some(&context.identifier)));
        };
        if cancels {
            return self.cancel(contexts, &opened, &context, &admission, head, now, random);
        }
        let Some(operation) = operation else {
            return self.refuse(head, SecurityFault::InvalidSecurity, unknown_action());
        };
        if admission.is_expired {
            return self.refuse_expired_key(&opened, &admission, head, now, random);
        }
        let key = ReplyKey::Stateless(Arc::clone(&admission.key));
        let request = ApplicationRequest::new(opened, admission.token, key, operation, head);
        self.hand_over(request, head, now, random)
    }

    /// Protects the application's reply. Make the message with [`ApplicationRequest::reply`].
    ///
    /// # Errors
    /// [`Error::KeyExpired`] when the session's key has ended meanwhile; [`Error::Security`] for a message that cannot be
    /// protected.
    pub fn protect(
        &self,
        request: &ApplicationRequest,
        reply: &Message,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<String, Error> {
        let sender = self.sender(&self.outer, request.protected_channel).answering(request.message.request_context());
        let protected = match (&request.key, &self.contexts) {
            (ReplyKey::Stateful(key), _) => in_context(sender, key).protect(reply, random, now)?,
            (ReplyKey::Stateless(key), Contexts::Stateless(contexts)) => {
                let current = contexts.current_key(&key.context.context().identifier);
                let current = current.unwrap_or_else(|| Arc::clone(key));
                if current.expires < now {
                    return Err(Error::KeyExpired);
                }
                sender.with_context(&current.context).protect(reply, random, now)?
            }
            (ReplyKey::Stateless(key), Contexts::Stateful(_) | Contexts::Negotiated) => {
                sender.with_context(&key.context).protect(reply, random, now)?
            }
        };
        Ok(protected.envelope)
    }

    /// A fault of the application as a reply, ready to be [protected](Self::protect): secured like any reply, body encrypted.
    /// Without an action it has that of faults.
    ///
    /// # Errors
    /// [`Error::Xml`] when the reason holds characters that XML does not allow.
    pub fn fault(&self, request: &ApplicationRequest, fault: &Fault, action: Option<&str>) -> Result<Message, Error> {
        let (message, relates_to) = (&request.message, request.message.message_id());
        let addressing = message.addressing_version().unwrap_or_default();
        fault_message(message.soap_version(), addressing, relates_to.map(std::borrow::Cow::into_owned), fault, action)
    }

    /// The verified action is the one that chose how to verify, and the message is not from before a restart.
    pub(super) fn check_route(&self, opened: Unprotected, head: &Head, now: Timestamp) -> Result<Unprotected, Error> {
        if opened.action().as_deref() != head.action.as_deref() {
            return Err(Error::trust(
                "SC 4.5",
                "Action",
                "the verified one is not the one that the message was routed by",
            ));
        }
        if let (Some(earliest), Some(timestamp)) = (self.earliest, opened.timestamp())
            && timestamp.created < earliest.start
            && now < earliest.start.saturating_add(earliest.window)
        {
            return Err(Error::trust("SC 13.2", "Timestamp", "the message was made before this service started"));
        }
        Ok(opened)
    }

    /// The application's operation; none for actions of the protocol and for those that the contract does not have.
    pub(super) fn operation(&self, head: &Head) -> Option<Operation> {
        let action = head.action.as_deref()?;
        let of_trust = |namespace: &&str| action.strip_prefix(*namespace).is_some_and(|rest| rest.starts_with("/RST"));
        if [names::WST_2005, names::WST_13].iter().any(of_trust) {
            return None;
        }
        self.contract.operation(action)
    }

    /// Gives a request to the application, when the caller may do what it asks.
    pub(super) fn hand_over(
        &self,
        request: ApplicationRequest,
        head: &Head,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        let denied = self.authorization.as_ref().and_then(|authorization| {
            let (action, to) = (request.action(), request.message.to());
            authorization.authorize(request.principal(), &action, to.as_deref(), now).err()
        });
        let Some(reason) = denied else { return Handled::Request(Box::new(request)) };
        let error = handstamp_ws_security::Error::TokenRejected { token: "caller", reason };
        self.deny(&request, error.into(), head, now, random)
    }

    /// Tells an authentic caller that access is denied, and nothing else.
    pub(super) fn deny(
        &self,
        request: &ApplicationRequest,
        error: Error,
        head: &Head,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        let fault = access_denied();
        let envelope =
            self.fault(request, &fault, None).and_then(|message| self.protect(request, &message, now, random));
        match envelope {
            Ok(envelope) => {
                Handled::Answer(Answer { envelope, soap: head.soap, fault: Some(fault), event: Event::Refused(error) })
            }
            Err(error) => Handled::Dropped(error),
        }
    }

    /// SC 4.4: the reply is signed with the session's key, and the session is over.
    #[expect(clippy::too_many_arguments, reason = "the pieces of one message, used once")]
    fn cancel(
        &self,
        contexts: &StatelessContexts,
        opened: &Unprotected,
        context: &ContextReference,
        admission: &Admission,
        head: &Head,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        let request = match self.check_cancel(opened, context) {
            Ok(request) => request,
            // WCF answers nothing (finding 12).
            Err(error) => return Handled::Dropped(error),
        };
        let cancelled = RequestSecurityTokenResponse::cancelled(self.generation);
        let response = RequestSecurityTokenResponse { context: request.context, ..cancelled };
        let envelope = response.to_xml(self.outer.version.basic_security_profile).and_then(|body| {
            let message = Message::reply_to(opened, TrustAction::Cancel.response(self.generation))
                .with_body(Body::canonical(body))
                .with_protection(ProtectionLevel::Sign);
            let sender = self.sender(&self.outer, head.protected_channel).answering(opened.request_context());
            Ok(sender.with_context(&admission.key.context).protect(&message, random, now)?.envelope)
        });
        contexts.end(&context.identifier);
        let event = Event::Cancelled { context_id: context.identifier.clone() };
        match envelope {
            Ok(envelope) => Handled::Answer(Answer { envelope, soap: head.soap, fault: None, event }),
            Err(error) => Handled::Dropped(error),
        }
    }

    /// The request in a Cancel. What it asks for is said by its action; its `RequestType` may not say anything else.
    fn check_cancel(&self, opened: &Unprotected, context: &ContextReference) -> Result<RequestSecurityToken, Error> {
        let refused = |element, problem| Error::trust("SC 4.4", element, problem);
        let body = opened.body().ok_or_else(|| refused("Body", "it was not verified"))?;
        let content = body.children().next().ok_or_else(|| refused("Body", "it is empty"))?;
        let request = RequestSecurityToken::parse(content.element(), self.generation)?;
        if request.request_type.is_some_and(|said| said != RequestType::Cancel) {
            return Err(refused("RequestType", "it is not that of the action"));
        }
        if request.cancel_target.as_ref() != Some(context) {
            return Err(refused("CancelTarget", "it is not the context that signed the request"));
        }
        Ok(request)
    }

    /// SC 11.2, finding 18: told under the current key, which mostly is the expired one, when it may be renewed, else not at all.
    fn refuse_expired_key(
        &self,
        opened: &Unprotected,
        admission: &Admission,
        head: &Head,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        if !self.can_renew {
            return self.refuse(head, SecurityFault::InvalidSecurity, Error::KeyExpired);
        }
        let fault = SecurityFault::RenewNeeded { namespace: self.generation.conversation() }.to_fault();
        let sender = self.sender(&self.outer, head.protected_channel).with_context(&admission.key.context);
        let action = Some(SECURE_CONVERSATION_FAULT);
        let request = (head, opened.request_context());
        self.refuse_secured(&sender, request, (fault, action), Error::KeyExpired, (now, random))
    }

    /// A message that was not let in. When it was authentic the answer is protected with `key`, of the session.
    ///
    /// When the session is there but not the key, the namespace is that of February 2005 in either generation (finding 17).
    pub(super) fn refuse_in_session(
        &self,
        head: &Head,
        error: handstamp_ws_security::Error,
        key: Option<&ContextKey>,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        let sender = self.sender(&self.outer, head.protected_channel);
        let sender = key.map_or(sender, |key| in_context(sender, key));
        let answer = self.refuse_not_understood(&sender, head, error, (now, random));
        answer.unwrap_or_else(|error| self.refuse_unverified(head, error, names::WSC_2005))
    }

    /// The key of a session that is a cookie, with its token as far as replies name it.
    pub(super) fn context_key(&self, session: &SessionSecurityToken) -> Result<ContextKey, Error> {
        let token = SecurityContextToken {
            id: Some(session.id().to_string()),
            context: ContextReference {
                generation: self.generation,
                identifier: session.context_id().as_unique_id().to_string(),
                instance: session.key_generation().map(|generation| generation.as_unique_id().to_string()),
            },
            cookie: None,
        };
        Ok(ContextKey::new(token, session.key().clone())?)
    }
}

/// The context whose key protects the message, or under a transport binding endorses it.
fn context_of(opened: &Unprotected) -> Option<&ContextReference> {
    opened.context().or_else(|| {
        opened.callers().iter().find_map(|caller| match caller {
            Caller::Context(context) => Some(context),
            _ => None,
        })
    })
}

/// Whichever of the two the binding's messages are protected with.
fn in_context<'a>(sender: Sender<'a>, key: &'a ContextKey) -> Sender<'a> {
    sender.with_context(key).with_negotiated_context(key)
}

pub(super) fn not_in_a_session() -> Error {
    Error::trust("SC 8.1", "SecurityContextToken", "no security context protects the message")
}

pub(super) fn unknown_action() -> Error {
    Error::trust("SC 4.5", "Action", "the contract has no such operation, and sessions know no such exchange")
}
