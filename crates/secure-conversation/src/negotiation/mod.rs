//! A security context through TLS inside of messages (SC §7): the modes `…ForSslNegotiated` and `MutualSslNegotiated`.
//!
//! The client asks for a context and hands over the first records of a handshake; request and answer go back and forth, all of
//! them without a security header, until TLS is established. The last answer holds the context, its key as data of the TLS
//! session, and a hash over the whole exchange under that key. The context then protects the request for the session proper.
//!
//! What is between the ends here is unauthenticated until the end: every limit comes before work (SC 7.4).

pub(crate) mod client;
pub(crate) mod pending;

use crate::error::Error;
use crate::trust::{RequestSecurityTokenResponse, canonical, prefix, written};
use handstamp_keys::derivation::p_sha1;
use handstamp_keys::{DigestAlgorithm, Hasher, SymmetricKey, constant_time_eq};
use handstamp_ws_security::Generation;
use handstamp_xml::{Document, Element, ParseOptions};
use std::fmt;

/// Which message of a negotiation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leg {
    /// The client's first: a request.
    First,
    /// All others but the service's last.
    Next,
}

impl Leg {
    /// The leg that a message to the service with this action is.
    pub(crate) fn of_action(action: &str, generation: Generation) -> Option<Self> {
        [Self::First, Self::Next].into_iter().find(|leg| leg.action(generation) == action)
    }

    pub(crate) const fn action(self, generation: Generation) -> &'static str {
        match (generation, self) {
            (Generation::February2005, Self::First) => "http://schemas.xmlsoap.org/ws/2005/02/trust/RST/Issue",
            (Generation::February2005, Self::Next) => "http://schemas.xmlsoap.org/ws/2005/02/trust/RSTR/Issue",
            (Generation::V13, Self::First) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue",
            (Generation::V13, Self::Next) => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTR/Issue",
        }
    }
}

/// The action of the service's last answer (SC 7.2).
pub(crate) const fn last_action(generation: Generation) -> &'static str {
    match generation {
        Generation::February2005 => "http://schemas.xmlsoap.org/ws/2005/02/trust/RSTR/Issue",
        Generation::V13 => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTRC/IssueFinal",
    }
}

/// All that both ends have said, for the hash that proves that both have heard the same (SC 7.2).
#[derive(Clone)]
pub(crate) struct Transcript(Hasher);

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transcript")
    }
}

impl Transcript {
    pub(crate) fn new() -> Self {
        Self(DigestAlgorithm::Sha1.hasher())
    }

    /// Adds a request or an answer, without the token and its key.
    pub(crate) fn add(&mut self, element: Element<'_>) -> Result<(), Error> {
        self.add_canonical(&canonical(element))
    }

    /// The same for one that is in canonical form, as everything is that this crate writes.
    pub(crate) fn add_canonical(&mut self, xml: &str) -> Result<(), Error> {
        let document = Document::parse(xml, &ParseOptions::default())?;
        let root = document.root();
        let left_out = root.children().filter(|child| {
            child.namespace() == root.namespace()
                && matches!(child.local_name(), "RequestedSecurityToken" | "RequestedProofToken")
        });
        let mut at = 0;
        for child in left_out {
            let range = child.source_range();
            self.0.update(xml.as_bytes().get(at..range.start).unwrap_or_default());
            at = range.end;
        }
        self.0.update(xml.as_bytes().get(at..).unwrap_or_default());
        Ok(())
    }

    /// `CombinedHash`.
    pub(crate) fn combined_hash(self, key: &SymmetricKey) -> [u8; 32] {
        let mut hash = [0; 32];
        p_sha1(key.as_bytes(), &[b"AUTH-HASH", self.0.finish().as_bytes()], 0, &mut hash);
        hash
    }
}

/// The body of the last answer: the response, and who made it.
pub(crate) fn last_body(
    generation: Generation,
    response: &str,
    context: &str,
    combined_hash: &[u8; 32],
) -> Result<String, Error> {
    let (t, trust) = (prefix(generation), generation.trust());
    written(|writer| {
        writer.start(t, trust, COLLECTION).canonical_fragment(response);
        writer.start(t, trust, RSTR).attribute("Context", context).start(t, trust, "Authenticator");
        writer.element(t, trust, "CombinedHash", &base64_simd::STANDARD.encode_to_string(combined_hash));
        writer.end().end().end();
    })
}

/// The last answer as a client reads it.
pub(crate) struct LastAnswer<'d> {
    pub(crate) element: Element<'d>,
    pub(crate) response: RequestSecurityTokenResponse,
    combined_hash: Vec<u8>,
}

impl<'d> LastAnswer<'d> {
    /// Reads a collection of a response and its authenticator, both of this negotiation.
    pub(crate) fn parse(collection: Element<'d>, generation: Generation, context: &str) -> Result<Self, Error> {
        let malformed = |problem| Error::trust("SC 7.2", COLLECTION, problem);
        let mut members = collection.children();
        let (Some(element), Some(authenticator), None) = (members.next(), members.next(), members.next()) else {
            return Err(malformed("it does not hold two responses"));
        };
        let response = RequestSecurityTokenResponse::parse_single(element, generation)?;
        let authenticates = RequestSecurityTokenResponse::parse_single(authenticator, generation)?;
        if [&response, &authenticates].iter().any(|member| member.context.as_deref() != Some(context)) {
            return Err(malformed("its Context is that of another negotiation"));
        }
        let hash = authenticator
            .child(generation.trust(), "Authenticator")
            .and_then(|authenticator| authenticator.child(generation.trust(), "CombinedHash"));
        let hash = hash.and_then(|hash| base64_simd::STANDARD.decode_to_vec(hash.text().trim()).ok());
        let combined_hash = hash.ok_or_else(|| malformed("it has no CombinedHash"))?;
        Ok(Self { element, response, combined_hash })
    }

    /// Whether both ends have heard the same, and the service knows the key.
    pub(crate) fn check(&self, transcript: Transcript, key: &SymmetricKey) -> Result<(), Error> {
        if constant_time_eq(&transcript.combined_hash(key), &self.combined_hash) {
            return Ok(());
        }
        Err(Error::trust("SC 7.2", "CombinedHash", "service and client have not heard the same"))
    }
}

/// Whether an element is the collection that ends a negotiation.
pub(crate) fn is_last(element: Element<'_>, generation: Generation) -> bool {
    element.is(generation.trust(), COLLECTION)
}

const RSTR: &str = "RequestSecurityTokenResponse";
const COLLECTION: &str = "RequestSecurityTokenResponseCollection";
/// The longest `Context` that is taken, in bytes: WCF's have some 50.
pub(crate) const MAX_CONTEXT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(text, &ParseOptions::default()).unwrap()
    }

    fn hash_of(texts: &[&str]) -> [u8; 32] {
        let mut transcript = Transcript::new();
        for text in texts {
            transcript.add(parse(text).root()).unwrap();
        }
        transcript.combined_hash(&SymmetricKey::from_bytes(&[7; 32]))
    }

    #[test]
    fn sc_75_the_hash_is_over_what_was_said_without_token_and_key() {
        let said = "<t:A xmlns:t='urn:t'   Context='c'><t:B/></t:A>";
        let whole = "<t:A Context=\"c\" xmlns:t=\"urn:t\"><t:RequestedSecurityToken><x/></t:RequestedSecurityToken>\
                     <t:B></t:B><t:RequestedProofToken/></t:A>";
        assert_eq!(hash_of(&[said]), hash_of(&[whole]));
        // By hand: SHA-1 over the canonical form, then P_SHA1 with the label.
        let digest = handstamp_keys::sha1(b"<t:A xmlns:t=\"urn:t\" Context=\"c\"><t:B></t:B></t:A>");
        let mut expected = [0; 32];
        p_sha1(&[7; 32], &[b"AUTH-HASH", &digest], 0, &mut expected);
        assert_eq!(hash_of(&[said]), expected);
        assert_ne!(hash_of(&[said]), hash_of(&[said, said]));
        assert_ne!(
            hash_of(&["<A xmlns='urn:t'><RequestedProofToken xmlns='urn:other'/></A>"]),
            hash_of(&["<A xmlns='urn:t'/>"]),
            "only that of the same namespace is left out"
        );
    }

    #[test]
    fn sc_75_the_last_answer_is_two_responses_of_one_negotiation() {
        let generation = Generation::V13;
        let response = |context: &str| {
            let response = RequestSecurityTokenResponse::new(generation);
            RequestSecurityTokenResponse { context: Some(context.to_owned()), ..response }.to_single_xml(false).unwrap()
        };
        let key = SymmetricKey::from_bytes(&[7; 32]);
        let mut transcript = Transcript::new();
        transcript.add_canonical(&response("c")).unwrap();
        let hash = transcript.clone().combined_hash(&key);
        let body = last_body(generation, &response("c"), "c", &hash).unwrap();
        let document = parse(&body);
        assert!(is_last(document.root(), generation) && !is_last(document.root(), Generation::February2005));
        let last = LastAnswer::parse(document.root(), generation, "c").unwrap();
        assert!(last.check(transcript.clone(), &key).is_ok());
        assert!(last.check(transcript.clone(), &SymmetricKey::from_bytes(&[8; 32])).is_err());
        assert!(last.check(Transcript::new(), &key).is_err());
        let cut = last_body(generation, &response("c"), "c", &hash).unwrap().replace("CombinedHash", "CombinedHush");
        let alone = format!("<t:{COLLECTION} xmlns:t='{}'>{}</t:{COLLECTION}>", generation.trust(), response("c"));
        let others = [
            last_body(generation, &response("d"), "c", &hash).unwrap(),
            last_body(generation, &response("c"), "d", &hash).unwrap(),
            cut,
            alone,
        ];
        for other in others {
            assert!(LastAnswer::parse(parse(&other).root(), generation, "c").is_err(), "{other}");
        }
    }

    #[test]
    fn sc_1_1_actions_of_negotiations_follow_from_the_generation() {
        for generation in [Generation::February2005, Generation::V13] {
            let trust = generation.trust();
            assert_eq!(Leg::First.action(generation), format!("{trust}/RST/Issue"));
            assert_eq!(Leg::Next.action(generation), format!("{trust}/RSTR/Issue"));
            assert_eq!(Leg::of_action(Leg::Next.action(generation), generation), Some(Leg::Next));
        }
        assert_eq!(last_action(Generation::February2005), Leg::Next.action(Generation::February2005));
        assert_eq!(last_action(Generation::V13), format!("{}/RSTRC/IssueFinal", Generation::V13.trust()));
    }
}
