//! What requests and answers have in common when they are read.

use crate::error::Error;
use crate::trust::secret::Entropy;
use handstamp_keys::SymmetricKey;
use handstamp_ws_security::Generation;
use handstamp_ws_security::token::{ContextReference, ReferenceTarget, SecurityTokenReference};
use handstamp_xml::{Element, names};

/// The longest secret that is read, in bytes.
const MAX_SECRET: usize = 16_384;

/// `KeySize`, in bits. Zero means what its absence means.
pub(super) fn key_size(element: Element<'_>) -> Result<Option<u32>, Error> {
    let text = element.text();
    let text = text.trim();
    let bits = text.parse::<u32>().ok().filter(|bits| text.bytes().all(|byte| byte.is_ascii_digit()) && bits % 8 == 0);
    let bits =
        bits.ok_or_else(|| Error::trust("SC 4.1", "KeySize", "it is no number of bits that makes whole bytes"))?;
    Ok(Some(bits).filter(|bits| *bits > 0))
}

/// `Entropy`, whose content is a `BinarySecret`.
pub(super) fn entropy(element: Element<'_>) -> Result<Entropy, Error> {
    let secret = element.children().filter(|child| is_binary_secret(*child)).last();
    binary_secret(secret.ok_or_else(|| Error::trust("SC 4.1", "Entropy", "it holds no BinarySecret"))?)
}

/// Whether this is a `BinarySecret` of either generation.
pub(super) fn is_binary_secret(element: Element<'_>) -> bool {
    generation_of_trust(element.namespace()).is_some() && element.local_name() == "BinarySecret"
}

/// `BinarySecret` in either trust namespace, with the type of a nonce, of a symmetric key, or none.
pub(super) fn binary_secret(element: Element<'_>) -> Result<Entropy, Error> {
    let malformed = |problem| Error::trust("SC 4.1", "BinarySecret", problem);
    if let Some(said) = element.attribute("Type") {
        let known = [names::WST_2005, names::WST_13]
            .iter()
            .any(|trust| said.strip_prefix(trust).is_some_and(|kind| matches!(kind, "/Nonce" | "/SymmetricKey")));
        if !known {
            return Err(malformed("its Type is neither that of a nonce nor that of a symmetric key"));
        }
    }
    let text = element.text();
    if text.len() > 2 * MAX_SECRET {
        return Err(malformed("it is longer than 16 KiB"));
    }
    let stripped =
        zeroize::Zeroizing::new(text.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect::<Vec<u8>>());
    let octets = base64_simd::STANDARD.decode_to_vec(stripped.as_slice()).ok();
    let octets = octets.filter(|octets| (1..=MAX_SECRET).contains(&octets.len()));
    Ok(Entropy {
        id: element.attribute_ns(names::WSU, "Id").map(str::to_owned),
        secret: SymmetricKey::from(octets.ok_or_else(|| malformed("it is empty, longer than 16 KiB, or not base64"))?),
    })
}

/// The context that a `RenewTarget` or `CancelTarget` names: by a reference, or by the token itself.
pub(super) fn target(element: Element<'_>) -> Result<ContextReference, Error> {
    let mut children = element.children();
    let (Some(child), None) = (children.next(), children.next()) else {
        return Err(Error::trust("SC 4.3", "RenewTarget or CancelTarget", "it does not hold one reference"));
    };
    if child.is(names::WSSE, "SecurityTokenReference") {
        return match SecurityTokenReference::parse(child)?.target {
            ReferenceTarget::SecurityContext { identifier, instance, generation } => {
                Ok(ContextReference { generation, identifier, instance })
            }
            _ => Err(Error::trust(
                "SC 4.3",
                "RenewTarget or CancelTarget",
                "it names no security context by its identifier",
            )),
        };
    }
    context_of_token(child)
}

/// The context of a `SecurityContextToken` as a client reads it: whatever else the token holds is the service's business.
pub(super) fn context_of_token(token: Element<'_>) -> Result<ContextReference, Error> {
    let malformed = |problem| Error::trust("SC 10.1", "SecurityContextToken", problem);
    let generation = Generation::of_conversation(token.namespace())
        .filter(|_| token.local_name() == "SecurityContextToken")
        .ok_or_else(|| malformed("it is another element"))?;
    let part = |name| token.child(generation.conversation(), name).map(|part| part.text().trim().to_owned());
    let identifier = part("Identifier").filter(|identifier| !identifier.is_empty());
    Ok(ContextReference {
        generation,
        identifier: identifier.ok_or_else(|| malformed("it has no Identifier"))?,
        instance: part("Instance"),
    })
}

/// The generation whose trust namespace this is.
pub(super) fn generation_of_trust(namespace: &str) -> Option<Generation> {
    [Generation::February2005, Generation::V13].into_iter().find(|generation| generation.trust() == namespace)
}

/// The attribute `Context`, in any namespace or none.
pub(super) fn context_attribute(element: Element<'_>) -> Option<String> {
    let context = element.attributes().find(|attribute| attribute.local_name() == "Context")?;
    Some(context.value().to_owned())
}
