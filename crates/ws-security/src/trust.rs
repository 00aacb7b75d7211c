//! What a client reads of WS-Trust messages: the key of an issued security context (SC 4.2, 5.1).

use crate::binding::KeyEntropyMode;
use crate::error::Error;
use crate::token::{SecurityContextToken, from_base64};
use crate::version::Generation;
use handstamp_keys::{SymmetricKey, derivation::p_sha1};
use handstamp_xml::Element;
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

/// A security context that a service has issued or renewed, and its key.
#[derive(Debug, Clone)]
pub struct IssuedContext {
    /// The token.
    pub token: SecurityContextToken,
    /// Its key.
    pub key: SymmetricKey,
    /// What made the key.
    pub entropy: KeyEntropyMode,
}

/// What WCF accepts as length of a secret, in bytes.
const SECRET_LENGTHS: RangeInclusive<usize> = 8..=16_384;

impl IssuedContext {
    /// Reads the answer to a request for a security context. `response` is the content of the reply's verified body,
    /// `request` the `RequestSecurityToken` that it answers. `key_lengths` are those of the algorithm suite, in bytes; its
    /// first one is the length where neither message says one.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there is not exactly one response with one token, or proof and entropy do not fit together.
    pub fn read(
        request: Element<'_>,
        response: Element<'_>,
        key_lengths: RangeInclusive<usize>,
    ) -> Result<Self, Error> {
        let generation = [Generation::February2005, Generation::V13]
            .into_iter()
            .find(|generation| generation.trust() == response.namespace())
            .ok_or_else(|| malformed(RSTR, "it is in no namespace of WS-Trust"))?;
        let trust = generation.trust();
        if !request.is(trust, RST) {
            return Err(malformed(RST, "the request is no RequestSecurityToken of the same WS-Trust"));
        }
        let response = the_response(response, generation)?;
        let token_type = child(response, trust, "TokenType", RSTR)?;
        if token_type.is_some_and(|said| said.text().trim() != generation.context_token_type()) {
            return Err(malformed(RSTR, "its TokenType is not that of a security context token"));
        }
        let requested = child(response, trust, "RequestedSecurityToken", RSTR)?;
        let mut tokens = requested.into_iter().flat_map(Element::children);
        let (Some(token), None) = (tokens.next(), tokens.next()) else {
            return Err(malformed(RSTR, "it does not hold exactly one token"));
        };
        if token.namespace() != generation.conversation() {
            return Err(malformed(RSTR, "its token is not of the WS-SecureConversation that goes with its WS-Trust"));
        }
        let token = SecurityContextToken::parse(token)?;
        let said = key_size(response, trust)?.map_or_else(|| key_size(request, trust), |size| Ok(Some(size)))?;
        let length = said.unwrap_or(*key_lengths.start());
        if !key_lengths.contains(&length) {
            return Err(malformed(RSTR, "its KeySize is not one of the algorithm suite"));
        }
        let (key, entropy) = issued_key(request, response, trust, length)?;
        if !key_lengths.contains(&key.len()) {
            return Err(malformed(RSTR, "its key has a length that is not one of the algorithm suite"));
        }
        Ok(Self { token, key, entropy })
    }
}

/// The table of SC 4.2.
fn issued_key(
    request: Element<'_>,
    response: Element<'_>,
    trust: &str,
    length: usize,
) -> Result<(SymmetricKey, KeyEntropyMode), Error> {
    let client = entropy(request, trust, RST)?;
    let server = entropy(response, trust, RSTR)?;
    let proof = child(response, trust, "RequestedProofToken", RSTR)?;
    match (proof, client, server) {
        (None, Some(client), None) => Ok((SymmetricKey::from_bytes(&client), KeyEntropyMode::Client)),
        (Some(proof), client, server) => {
            let computed = child(proof, trust, "ComputedKey", "RequestedProofToken")?;
            match (computed, client, server) {
                (Some(algorithm), Some(client), Some(server)) => {
                    if algorithm.text().trim() != format!("{trust}/CK/PSHA1") {
                        return Err(malformed("ComputedKey", "its algorithm is not P_SHA1"));
                    }
                    let mut key = Zeroizing::new(vec![0; length]);
                    p_sha1(&client, &[&server], 0, &mut key);
                    Ok((SymmetricKey::from_bytes(&key), KeyEntropyMode::Combined))
                }
                (None, None, None) => {
                    let secret = secret(proof, trust, "RequestedProofToken")?;
                    let secret = secret.ok_or_else(|| malformed("RequestedProofToken", "it holds no BinarySecret"))?;
                    Ok((SymmetricKey::from_bytes(&secret), KeyEntropyMode::Server))
                }
                _ => Err(malformed("RequestedProofToken", "it does not go with the entropy of both messages")),
            }
        }
        _ => Err(malformed(RSTR, "it has no RequestedProofToken, and the entropy is not the client's alone")),
    }
}

const RST: &str = "RequestSecurityToken";
const RSTR: &str = "RequestSecurityTokenResponse";

/// A bare response in the dialect of 2005, a collection of exactly one in that of 1.3.
fn the_response(element: Element<'_>, generation: Generation) -> Result<Element<'_>, Error> {
    let trust = generation.trust();
    if generation == Generation::February2005 {
        return Some(element).filter(|it| it.is(trust, RSTR)).ok_or_else(|| malformed(RSTR, "it is another element"));
    }
    let mut members = element.children();
    match (members.next(), members.next()) {
        (Some(only), None) if element.local_name() == COLLECTION && only.is(trust, RSTR) => Ok(only),
        _ => Err(malformed(COLLECTION, "it does not hold exactly one response")),
    }
}

const COLLECTION: &str = "RequestSecurityTokenResponseCollection";

fn child<'d>(parent: Element<'d>, trust: &str, name: &str, what: &'static str) -> Result<Option<Element<'d>>, Error> {
    let mut found = parent.children().filter(|child| child.is(trust, name));
    let first = found.next();
    if found.next().is_some() {
        return Err(malformed(what, format!("it holds {name} twice")));
    }
    Ok(first)
}

fn key_size(parent: Element<'_>, trust: &str) -> Result<Option<usize>, Error> {
    let Some(size) = child(parent, trust, "KeySize", RSTR)? else { return Ok(None) };
    let bits: Option<usize> = size.text().trim().parse().ok();
    let bytes = bits.filter(|bits| bits % 8 == 0).map(|bits| bits / 8);
    bytes.map(Some).ok_or_else(|| malformed("KeySize", "it is no number of bits that makes whole bytes"))
}

fn entropy(parent: Element<'_>, trust: &str, what: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(entropy) = child(parent, trust, "Entropy", what)? else { return Ok(None) };
    let secret = secret(entropy, trust, "Entropy")?;
    secret.map(Some).ok_or_else(|| malformed("Entropy", "it holds no BinarySecret"))
}

fn secret(parent: Element<'_>, trust: &str, what: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(element) = child(parent, trust, "BinarySecret", what)? else { return Ok(None) };
    let octets = from_base64(&element.text()).map(Zeroizing::new);
    let octets = octets.filter(|octets| SECRET_LENGTHS.contains(&octets.len()));
    octets.map(Some).ok_or_else(|| malformed("BinarySecret", "it is not base64 of 8 bytes to 16 KiB"))
}

fn malformed(element: &'static str, problem: impl Into<String>) -> Error {
    Error::malformed("SC 4.2", element, problem)
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
        let request = parse(format!("<{RST} xmlns=\"{TRUST}\">{request}</{RST}>"));
        let response = parse(format!("<{RSTR} xmlns=\"{TRUST}\">{token}{response}</{RSTR}>"));
        IssuedContext::read(request.root(), response.root(), 16..=32)
    }

    #[test]
    fn sc_4_2_the_three_entropy_modes_make_three_keys() {
        let combined = read(CLIENT, &format!("{COMPUTED}{SERVER}<KeySize>256</KeySize>")).unwrap();
        let mut key = [0; 32];
        let (client, server): (Vec<u8>, Vec<u8>) = ((0..16).collect(), (16..32).collect());
        p_sha1(&client, &[&server], 0, &mut key);
        assert_eq!((combined.key.as_bytes(), combined.entropy), (&key[..], KeyEntropyMode::Combined));
        assert_eq!(combined.token.context.identifier, "urn:c");
        let of_client = read(CLIENT, "").unwrap();
        assert_eq!((of_client.key.as_bytes(), of_client.entropy), (&client[..], KeyEntropyMode::Client));
        let of_server = read("", SECRET).unwrap();
        assert_eq!((of_server.key.as_bytes(), of_server.entropy), (&server[..], KeyEntropyMode::Server));
    }

    #[test]
    fn sc_4_2_what_does_not_fit_together_is_refused() {
        for (request, response) in [
            ("", ""),
            (CLIENT, SERVER),
            (CLIENT, COMPUTED),
            ("", &format!("{COMPUTED}{SERVER}")),
            (CLIENT, SECRET),
            (CLIENT, &format!("{COMPUTED}{SERVER}<KeySize>12</KeySize>")),
            (CLIENT, &format!("{COMPUTED}{SERVER}<KeySize>512</KeySize>")),
            (CLIENT, &format!("{COMPUTED}{SERVER}{SERVER}")),
            (CLIENT, &format!("{}{SERVER}", COMPUTED.replace("PSHA1", "HASH"))),
            (CLIENT, "<TokenType>urn:other</TokenType>"),
        ] {
            assert!(read(request, response).is_err(), "{request} {response}");
        }
    }
}
