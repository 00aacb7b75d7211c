//! What the recorded services and clients knew: passwords, session keys, the token service's key.

use crate::recorded::{Parties, base64, text};
use handstamp_keys::{KeyPolicy, SymmetricKey};
use handstamp_time::Timestamp;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{
    IssuedTokenValidator, ProofKey, SessionKeyError, SessionKeys, UserNameError, UserNameValidator,
};
use handstamp_xml::{Element, names};
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedKey};
use handstamp_xml_security::signature::{Signature, VerificationKey, VerifyPolicy};
use serde_json::Value;
use std::collections::HashMap;

/// The keys of all security contexts of a conversation, by context id and instance, and the cookies that the service made.
pub(crate) struct RecordedKeys {
    keys: HashMap<(String, Option<String>), Vec<u8>>,
    /// None where the recorded service encoded its state in a way of its own.
    cookies: Option<Vec<Vec<u8>>>,
}

impl RecordedKeys {
    pub(crate) fn of(case: &Value) -> Self {
        let mut keys = HashMap::new();
        for message in case["messages"].as_array().unwrap() {
            let issued = &message["issued"];
            if issued.is_object() {
                let instance = issued["instance"].as_str().map(str::to_owned);
                keys.insert((text(issued, "identifier").to_owned(), instance), base64(text(issued, "key")));
            }
        }
        let states = case["sctStates"].as_array().unwrap();
        let cookies = states.iter().map(|state| base64(state.as_str().unwrap())).collect();
        Self { keys, cookies: case["settings"]["stateEncoder"].is_null().then_some(cookies) }
    }
}

impl SessionKeys for RecordedKeys {
    /// The state encoder of the recordings is the identity: a cookie that nobody made is seen by comparing, and the `Id` of
    /// its token stands in it.
    fn by_token(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        let refused = |problem: &str| Err(SessionKeyError::Refused(problem.to_owned()));
        if let (Some(cookie), Some(made)) = (&token.cookie, &self.cookies) {
            let id = token.id.as_deref().unwrap_or_default().as_bytes();
            if !made.contains(cookie) {
                return refused("the cookie is not one of this service");
            }
            if id.is_empty() || !cookie.windows(id.len()).any(|octets| octets == id) {
                return refused("the cookie is that of another token");
            }
        }
        self.by_reference(&token.context, now)
    }

    fn by_reference(&self, context: &ContextReference, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        let key = self.keys.get(&(context.identifier.clone(), context.instance.clone()));
        key.map(|key| SymmetricKey::from_bytes(key)).ok_or(SessionKeyError::Unknown)
    }
}

pub(crate) struct Alice;

impl UserNameValidator for Alice {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        if (name, password) == ("alice", "secret") {
            Ok(())
        } else {
            Err(UserNameError::Refused(format!("wrong password for {name:?}")))
        }
    }
}

/// The recorded token service signed with the client's key and encrypted the proof key for the service.
pub(crate) struct RecordedAssertions<'a> {
    pub(crate) parties: &'a Parties,
}

impl IssuedTokenValidator for RecordedAssertions<'_> {
    fn validate(&self, assertion: Element<'_>, _now: Timestamp) -> Result<ProofKey, String> {
        let signature = Signature::of_child(assertion).map_err(|error| error.to_string())?.ok_or("not signed")?;
        let issuer = self.parties.client.certificate().public_key(&KeyPolicy::default()).map_err(|e| e.to_string())?;
        let policy = VerifyPolicy::asymmetric().allow_rsa_sha1();
        let verified = signature.verify(VerificationKey::Public(issuer), &policy).map_err(|error| error.to_string())?;
        verified.element(assertion).ok_or("something else was signed")?;
        let wrapped = assertion.descendants().find(|element| element.is(names::XENC, "EncryptedKey"));
        let wrapped = EncryptedKey::parse(wrapped.ok_or("no proof key")?).map_err(|error| error.to_string())?;
        let key = wrapped.unwrap_with_private_key(self.parties.service.key(), 32, &DecryptPolicy::modern());
        key.map(ProofKey::Symmetric).map_err(|error| error.to_string())
    }
}
