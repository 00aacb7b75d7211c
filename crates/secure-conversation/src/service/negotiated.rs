//! Messages of the application under a negotiated context, without a session: `authenticationMode` is one of the `…SslNegotiated`
//! modes itself (SC §7).

use super::SecureConversationService;
use super::answer::{ApplicationRequest, Handled, ReplyKey};
use super::faults::Head;
use super::session::{not_in_a_session, unknown_action};
use crate::error::Error;
use handstamp_keys::SecureRandom;
use handstamp_time::Timestamp;
use handstamp_ws_security::Expectation;
use handstamp_ws_security::soap::SecurityFault;
use handstamp_xml::Document;
use std::sync::Arc;

impl SecureConversationService {
    /// A message that the context protects and that shows the credentials of its sender, as the binding says.
    pub(super) fn serve_negotiated(
        &self,
        document: Document,
        head: &Head,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        let Some(contexts) = self.negotiated_contexts() else {
            return self.refuse(head, SecurityFault::InvalidSecurity, not_in_a_session());
        };
        let keys = contexts.keys();
        let operation = self.operation(head);
        let understood = self.contract.understood_headers();
        let expected =
            Expectation::request().with_body(operation.unwrap_or_default().request).understanding(&understood);
        let receiver = self.receiver(&self.outer, head).with_sessions(&keys);
        let opened = receiver.with_replay_cache(self.session_replays.as_ref()).open(document, &expected, now);
        let bootstrap = self.bootstrap_of(Some(keys), now);
        let checked = opened.map_err(Error::from).and_then(|opened| self.check_route(opened, head, now));
        let opened = match checked.and_then(|opened| bootstrap.check(opened)) {
            Ok(opened) => opened,
            Err(Error::Security(error)) => {
                let key = bootstrap.negotiated.as_ref().map(|(_, key)| key);
                return self.refuse_in_session(head, error, key, now, random);
            }
            Err(error) => return self.refuse(head, SecurityFault::InvalidSecurity, error),
        };
        let Some((session, key)) = &bootstrap.negotiated else {
            return self.refuse(head, SecurityFault::InvalidSecurity, not_in_a_session());
        };
        let Some(operation) = operation else {
            return self.refuse(head, SecurityFault::InvalidSecurity, unknown_action());
        };
        let identities = self.identities(&opened, &bootstrap, now);
        let principal = identities.and_then(|identities| self.principal(identities.to_vec(), now));
        let key = ReplyKey::Stateful(Box::new(key.clone()));
        let mut request = ApplicationRequest::new(opened, Arc::clone(session), key, operation, head);
        match principal {
            Ok(principal) => request.principal = Some(principal),
            Err(refusal) => return self.deny(&request, *refusal.error, head, now, random),
        }
        self.hand_over(request, head, now, random)
    }
}
