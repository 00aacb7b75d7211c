//! What a client has after a context was issued or renewed: the token and its key (SC 4.2).

use crate::error::Error;
use crate::trust::read::generation_of_trust;
use crate::trust::request::RequestSecurityToken;
use crate::trust::response::{Lifetime, Proof, RequestSecurityTokenResponse, RequestedToken};
use crate::trust::secret::{check_key, combined_key, key_length};
use handstamp_keys::SymmetricKey;
use handstamp_ws_security::{AlgorithmSuite, KeyEntropyMode};
use handstamp_xml::Element;

/// A security context that a service has issued or renewed, and its key.
#[derive(Debug, Clone)]
pub struct IssuedContext {
    /// The token, to be repeated in messages.
    pub token: RequestedToken,
    /// Its key.
    pub key: SymmetricKey,
    /// From when to when it is good, by the service's clock.
    pub lifetime: Option<Lifetime>,
    /// What made the key.
    pub entropy: KeyEntropyMode,
}

impl IssuedContext {
    /// Checks an answer against what was asked, and computes the key.
    ///
    /// # Errors
    /// [`Error::Trust`] when the answer is not a security context token of the generation, or proof and entropy do not fit
    /// together or do not make a key of the suite.
    pub fn new(
        request: &RequestSecurityToken,
        response: RequestSecurityTokenResponse,
        suite: &AlgorithmSuite,
    ) -> Result<Self, Error> {
        let refused = |problem| Error::trust("SC 4.2", "RequestSecurityTokenResponse", problem);
        let generation = request.generation;
        if response.token_type.as_deref().is_some_and(|said| said != generation.context_token_type()) {
            return Err(refused("its TokenType is not that of a security context token"));
        }
        let token = response.token.ok_or_else(|| refused("it holds no token"))?;
        if token.context.generation != generation {
            return Err(refused("its token is not of the WS-SecureConversation that goes with its WS-Trust"));
        }
        let length = key_length(response.key_size.or(request.key_size), suite)?;
        let (key, entropy) = match (&request.entropy, response.proof, response.entropy) {
            (Some(client), Some(Proof::ComputedKey), Some(service)) => {
                (combined_key(&client.secret, &service.secret, length), KeyEntropyMode::Combined)
            }
            (Some(client), None, None) => (client.secret.clone(), KeyEntropyMode::Client),
            (None, Some(Proof::Secret(secret)), None) => (secret.secret, KeyEntropyMode::Server),
            _ => return Err(refused("its RequestedProofToken does not go with the entropy of both messages")),
        };
        check_key(&key, suite)?;
        Ok(Self { token, key, lifetime: response.lifetime, entropy })
    }

    /// The same from the verified contents of both bodies.
    ///
    /// # Errors
    /// [`Error::Trust`]: also when they are not a request and an answer of one generation.
    pub fn read(request: Element<'_>, response: Element<'_>, suite: &AlgorithmSuite) -> Result<Self, Error> {
        let generation = generation_of_trust(response.namespace()).ok_or_else(|| {
            Error::trust("SC 4.2", "RequestSecurityTokenResponse", "it is in no namespace of WS-Trust")
        })?;
        let request = RequestSecurityToken::parse(request, generation)?;
        Self::new(&request, RequestSecurityTokenResponse::parse(response, generation)?, suite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_xml::{Document, ParseOptions};

    const TRUST: &str = "http://schemas.xmlsoap.org/ws/2005/02/trust";
    const CLIENT: &str = "<Entropy><BinarySecret>AAECAwQFBgcICQoLDA0ODw==</BinarySecret></Entropy>";
    const SERVER: &str = "<Entropy><BinarySecret>EBESExQVFhcYGRobHB0eHw==</BinarySecret></Entropy>";
    const COMPUTED: &str = "<RequestedProofToken><ComputedKey>http://schemas.xmlsoap.org/ws/2005/02/trust/CK/PSHA1</ComputedKey></RequestedProofToken>";
    const SECRET: &str =
        "<RequestedProofToken><BinarySecret>EBESExQVFhcYGRobHB0eHw==</BinarySecret></RequestedProofToken>";

    fn read(request: &str, response: &str) -> Result<IssuedContext, Error> {
        let token = "<RequestedSecurityToken><SecurityContextToken xmlns=\"http://schemas.xmlsoap.org/ws/2005/02/sc\">\
                     <Identifier>urn:c</Identifier></SecurityContextToken></RequestedSecurityToken>";
        let parse = |text: String| Document::parse(text, &ParseOptions::default()).unwrap();
        let request = parse(format!("<RequestSecurityToken xmlns=\"{TRUST}\">{request}</RequestSecurityToken>"));
        let response = parse(format!(
            "<RequestSecurityTokenResponse xmlns=\"{TRUST}\">{token}{response}</RequestSecurityTokenResponse>"
        ));
        IssuedContext::read(request.root(), response.root(), &AlgorithmSuite::BASIC128)
    }

    #[test]
    fn sc_16_the_three_entropy_modes_make_three_keys() {
        let combined = read(CLIENT, &format!("{COMPUTED}{SERVER}<KeySize>256</KeySize>")).unwrap();
        let octets = |range: std::ops::Range<u8>| SymmetricKey::from_bytes(&range.collect::<Vec<u8>>());
        assert_eq!(
            (combined.key, combined.entropy),
            (combined_key(&octets(0..16), &octets(16..32), 32), KeyEntropyMode::Combined)
        );
        assert_eq!(combined.token.context.identifier, "urn:c");
        let of_client = read(CLIENT, "").unwrap();
        assert_eq!((of_client.key, of_client.entropy), (octets(0..16), KeyEntropyMode::Client));
        let of_server = read("", SECRET).unwrap();
        assert_eq!((of_server.key, of_server.entropy), (octets(16..32), KeyEntropyMode::Server));
    }

    #[test]
    fn sc_15_what_does_not_fit_together_is_refused() {
        for (request, response) in [
            ("", ""),
            (CLIENT, SERVER),
            (CLIENT, COMPUTED),
            ("", &format!("{COMPUTED}{SERVER}")),
            (CLIENT, SECRET),
            (CLIENT, &format!("{COMPUTED}{SERVER}<KeySize>12</KeySize>")),
            (CLIENT, &format!("{COMPUTED}{SERVER}<KeySize>512</KeySize>")),
            (CLIENT, &format!("{}{SERVER}", COMPUTED.replace("PSHA1", "HASH"))),
            (CLIENT, "<TokenType>urn:other</TokenType>"),
            ("", "<RequestedProofToken><BinarySecret>EBES</BinarySecret></RequestedProofToken>"),
        ] {
            assert!(read(request, response).is_err(), "{request} {response}");
        }
    }
}
