//! WS-Trust as far as security contexts and tokens of token services need it: requests for them and the answers, as values, in both
//! generations (SC §4).
//!
//! Reading takes what other peers write: children in any order, unknown ones, absent ones; of a repeated child the last
//! one counts. Writing makes what WCF writes, in its order. What a *service* grants and what a *client* accepts is not
//! decided here, except for keys: [`ServiceEntropy`] and [`IssuedContext`] make the same key on both ends.

mod binary_exchange;
mod issued;
mod read;
mod request;
mod response;
mod secret;
mod token_request;
mod token_response;
mod use_key;

pub use binary_exchange::BinaryExchange;
pub use issued::IssuedContext;
pub use request::{AppliesTo, RequestSecurityToken, RequestType};
pub use response::{Lifetime, Proof, RequestSecurityTokenResponse, RequestedToken};
pub use secret::{Entropy, ServiceEntropy};
pub use token_request::{AskedLifetime, TokenRequest};
pub use token_response::TokenResponse;
pub use use_key::UseKey;

pub(crate) use request::canonical;
pub(crate) use secret::key_length;

use handstamp_ws_security::Generation;
use handstamp_ws_security::token::{ContextReference, ReferenceTarget, SecurityTokenReference};
use handstamp_xml::Writer;

/// The actions of the exchange (SC 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrustAction {
    /// Asks for a context.
    Issue,
    /// Asks for a new key of a context.
    Renew,
    /// Ends a context.
    Cancel,
}

impl TrustAction {
    /// The `Action` of a request.
    pub const fn request(self, generation: Generation) -> &'static str {
        match (generation, self) {
            (Generation::February2005, Self::Issue) => "http://schemas.xmlsoap.org/ws/2005/02/trust/RST/SCT",
            (Generation::February2005, Self::Renew) => "http://schemas.xmlsoap.org/ws/2005/02/trust/RST/SCT/Renew",
            (Generation::February2005, Self::Cancel) => "http://schemas.xmlsoap.org/ws/2005/02/trust/RST/SCT/Cancel",
            (Generation::V13, Self::Issue) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/SCT",
            (Generation::V13, Self::Renew) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/SCT/Renew",
            (Generation::V13, Self::Cancel) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/SCT/Cancel",
        }
    }

    /// The `Action` of the answer; in 1.3 too, where the body is a collection.
    pub const fn response(self, generation: Generation) -> &'static str {
        match (generation, self) {
            (Generation::February2005, Self::Issue) => "http://schemas.xmlsoap.org/ws/2005/02/trust/RSTR/SCT",
            (Generation::February2005, Self::Renew) => "http://schemas.xmlsoap.org/ws/2005/02/trust/RSTR/SCT/Renew",
            (Generation::February2005, Self::Cancel) => "http://schemas.xmlsoap.org/ws/2005/02/trust/RSTR/SCT/Cancel",
            (Generation::V13, Self::Issue) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTR/SCT",
            (Generation::V13, Self::Renew) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTR/SCT/Renew",
            (Generation::V13, Self::Cancel) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTR/SCT/Cancel",
        }
    }

    /// The exchange that this `Action` of a request asks for.
    pub fn of_request(action: &str, generation: Generation) -> Option<Self> {
        [Self::Issue, Self::Renew, Self::Cancel].into_iter().find(|known| known.request(generation) == action)
    }

    /// The request type that goes with it.
    pub const fn request_type(self) -> RequestType {
        match self {
            Self::Issue => RequestType::Issue,
            Self::Renew => RequestType::Renew,
            Self::Cancel => RequestType::Cancel,
        }
    }
}

/// The prefix that WCF writes for the namespace of WS-Trust.
pub(crate) const fn prefix(generation: Generation) -> &'static str {
    match generation {
        Generation::February2005 => "t",
        Generation::V13 => "trust",
    }
}

const fn computed_key_algorithm(generation: Generation) -> &'static str {
    match generation {
        Generation::February2005 => "http://schemas.xmlsoap.org/ws/2005/02/trust/CK/PSHA1",
        Generation::V13 => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/CK/PSHA1",
    }
}

/// A reference to a context from outside of the message that holds its token: the "unattached" form.
fn unattached_reference(context: &ContextReference) -> SecurityTokenReference {
    SecurityTokenReference::new(ReferenceTarget::SecurityContext {
        identifier: context.identifier.clone(),
        instance: context.instance.clone(),
        generation: context.generation,
    })
}

/// Runs `write` on a new writer. What is written here is well formed by construction, so a failure is a value that XML cannot
/// hold: it came from the caller.
pub(crate) fn written(write: impl FnOnce(&mut Writer)) -> Result<String, crate::Error> {
    let mut writer = Writer::new();
    write(&mut writer);
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SC-03.
    #[test]
    fn sc_1_1_actions_follow_from_the_generation() {
        for generation in [Generation::February2005, Generation::V13] {
            for (action, end) in
                [(TrustAction::Issue, ""), (TrustAction::Renew, "/Renew"), (TrustAction::Cancel, "/Cancel")]
            {
                let trust = generation.trust();
                assert_eq!(action.request(generation), format!("{trust}/RST/SCT{end}"));
                assert_eq!(action.response(generation), format!("{trust}/RSTR/SCT{end}"));
                assert_eq!(TrustAction::of_request(action.request(generation), generation), Some(action));
            }
            assert_eq!(computed_key_algorithm(generation), format!("{}/CK/PSHA1", generation.trust()));
        }
        let of_13 = TrustAction::Issue.request(Generation::V13);
        assert_eq!(TrustAction::of_request(of_13, Generation::February2005), None);
        assert_eq!(TrustAction::of_request(TrustAction::Issue.response(Generation::V13), Generation::V13), None);
    }
}
