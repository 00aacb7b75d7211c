//! `RequestSecurityTokenResponse` with a token of a token service, and the key that comes of it.

use crate::error::Error;
use crate::trust::request::canonical;
use crate::trust::response::{
    COLLECTION, Lifetime, Proof, RSTR, lifetime, proof, the_response, write_lifetime, write_proof,
};
use crate::trust::secret::{Entropy, check_key, combined_key, key_length};
use crate::trust::token_request::{TokenRequest, key_type_uri, write_applies_to};
use crate::trust::{prefix, read, written};
use handstamp_keys::{PrivateKey, SymmetricKey};
use handstamp_ws_security::token::{ReferenceTarget, SecurityTokenReference, value_types};
use handstamp_ws_security::{AlgorithmSuite, Generation, IssuedKeyType, IssuedProof};
use handstamp_xml::{Document, Element, ParseOptions, names};

/// Answers a [`TokenRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenResponse {
    /// The namespace.
    pub generation: Generation,
    /// The attribute `Context` of the request.
    pub context: Option<String>,
    /// `TokenType`, a URI.
    pub token_type: Option<String>,
    /// The assertion as canonical XML.
    pub assertion: String,
    /// What the answer says about the key.
    pub proof: Option<Proof>,
    /// What the service contributes to the key.
    pub entropy: Option<Entropy>,
    /// From when to when.
    pub lifetime: Option<Lifetime>,
    /// The length of the key in bits.
    pub key_size: Option<u32>,
}

impl TokenResponse {
    /// Reads the content of a body: in February 2005 one response, in 1.3 a collection of exactly one.
    ///
    /// # Errors
    /// [`Error::Trust`] for anything else, for a token that is no assertion, and for children that are known and malformed.
    pub fn parse(element: Element<'_>, generation: Generation) -> Result<Self, Error> {
        let response = the_response(element, generation)?;
        let mut assertion = None;
        let mut read = Self {
            generation,
            context: read::context_attribute(response),
            token_type: None,
            assertion: String::new(),
            proof: None,
            entropy: None,
            lifetime: None,
            key_size: None,
        };
        for child in response.children().filter(|child| child.namespace() == generation.trust()) {
            match child.local_name() {
                "TokenType" => read.token_type = Some(child.text().trim().to_owned()),
                "RequestedSecurityToken" => assertion = Some(requested_assertion(child)?),
                "RequestedProofToken" => read.proof = Some(proof(child, generation)?),
                "Entropy" => read.entropy = Some(read::entropy(child)?),
                "Lifetime" => read.lifetime = Some(lifetime(child)?),
                "KeySize" => read.key_size = read::key_size(child)?,
                _ => {}
            }
        }
        read.assertion = assertion.ok_or_else(|| refused("RequestedSecurityToken", "it is missing"))?;
        Ok(read)
    }

    /// The content of a body that answers `request`.
    ///
    /// # Errors
    /// [`Error::Xml`] when a value holds characters that XML does not allow.
    pub fn to_xml(&self, request: &TokenRequest, basic_security_profile: bool) -> Result<String, Error> {
        let (trust, t) = (self.generation.trust(), prefix(self.generation));
        let document = Document::parse(self.assertion.as_str(), &ParseOptions::default())?;
        let reference = assertion_reference(document.root());
        written(|writer| {
            if self.generation == Generation::V13 {
                writer.start(t, trust, COLLECTION);
            }
            writer.start(t, trust, RSTR);
            if let Some(context) = &self.context {
                writer.attribute("Context", context);
            }
            if let Some(token_type) = &self.token_type {
                writer.element(t, trust, "TokenType", token_type);
            }
            writer.start(t, trust, "RequestedSecurityToken").canonical_fragment(&self.assertion).end();
            if let Some(address) = &request.applies_to {
                write_applies_to(writer, address, request.addressing);
            }
            if let Some(reference) = &reference {
                for name in ["RequestedAttachedReference", "RequestedUnattachedReference"] {
                    writer.start(t, trust, name);
                    reference.write(writer, basic_security_profile);
                    writer.end();
                }
            }
            if let Some(proof) = &self.proof {
                write_proof(writer, proof, self.generation);
            }
            if let Some(entropy) = &self.entropy {
                entropy.write(writer, self.generation);
            }
            if let Some(lifetime) = &self.lifetime {
                write_lifetime(writer, lifetime, self.generation);
            }
            writer.element(t, trust, "KeyType", &key_type_uri(request.key_type, self.generation));
            if let Some(key_size) = self.key_size {
                writer.element(t, trust, "KeySize", &key_size.to_string());
            }
            writer.end();
            if self.generation == Generation::V13 {
                writer.end();
            }
        })
    }

    /// What proves possession of the token, for the client that sent `request` and has `own`, the key that it asked a token for.
    ///
    /// # Errors
    /// [`Error::Trust`] when proof and entropy do not fit together, do not make a key of the suite, or are not of the kind that was
    /// asked for.
    pub fn issued_proof(
        &self,
        request: &TokenRequest,
        own: Option<&PrivateKey>,
        suite: &AlgorithmSuite,
    ) -> Result<IssuedProof, Error> {
        let unfit =
            || refused("RequestedProofToken", "it does not go with the key type and the entropy that were sent");
        if let (IssuedKeyType::Asymmetric, Some(own)) = (request.key_type, own) {
            return match (&self.proof, &self.entropy) {
                (None, None) => Ok(IssuedProof::Private(own.clone())),
                _ => Err(unfit()),
            };
        }
        let key: SymmetricKey = match (request.key_type, &request.entropy, &self.proof, &self.entropy) {
            (IssuedKeyType::Bearer, None, None, None) => return Ok(IssuedProof::Bearer),
            (IssuedKeyType::Symmetric, Some(client), Some(Proof::ComputedKey), Some(service)) => {
                let length = key_length(self.key_size.or(request.key_size), suite)?;
                combined_key(&client.secret, &service.secret, length)
            }
            (IssuedKeyType::Symmetric, Some(client), None, None) => client.secret.clone(),
            // The service may decide to make the key alone.
            (IssuedKeyType::Symmetric, _, Some(Proof::Secret(secret)), None) => secret.secret.clone(),
            _ => return Err(unfit()),
        };
        check_key(&key, suite)?;
        Ok(IssuedProof::Symmetric(key))
    }
}

fn requested_assertion(requested: Element<'_>) -> Result<String, Error> {
    let mut tokens = requested.children();
    match (tokens.next(), tokens.next()) {
        (Some(token), None) if assertion_reference(token).is_some() => Ok(canonical(token)),
        _ => Err(refused("RequestedSecurityToken", "it does not hold one assertion of SAML 1.1 or 2.0 in clear")),
    }
}

/// The reference to an assertion by its identifier; none for another element.
fn assertion_reference(assertion: Element<'_>) -> Option<SecurityTokenReference> {
    let (id, token_type, value_type) = match (assertion.namespace(), assertion.local_name()) {
        (names::SAML11, "Assertion") => ("AssertionID", value_types::SAML11, value_types::SAML11_ASSERTION_ID),
        (names::SAML20, "Assertion") => ("ID", value_types::SAML20, value_types::SAML20_ASSERTION_ID),
        _ => return None,
    };
    let id = assertion.attribute(id)?.to_owned();
    Some(SecurityTokenReference {
        token_type: Some(token_type.to_owned()),
        target: ReferenceTarget::SamlAssertion { id, value_type: value_type.to_owned() },
    })
}

fn refused(element: &'static str, problem: &'static str) -> Error {
    Error::trust("WS-Trust 1.3 §4.4", element, problem)
}
