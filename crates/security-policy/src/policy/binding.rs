//! Binding assertions: who protects messages with what, and how.

use crate::error::Error;
use crate::policy::tokens::{self, Holder};
use crate::policy::{Alternative, Sources, ns};
use handstamp_ws_security::{
    AlgorithmSuite, HeaderLayout, IssuedKeyType, MessageSecurityVersion, Protection, ProtectionOrder, SecurityBinding,
    TokenKind, TokenParameters,
};
use handstamp_xml::Element;

/// A binding assertion as read: a binding without supporting tokens, and what TLS asks of clients.
pub(crate) struct BindingAssertion {
    pub(crate) binding: SecurityBinding,
    pub(crate) require_client_certificate: bool,
}

const BINDINGS: [&str; 3] = ["SymmetricBinding", "AsymmetricBinding", "TransportBinding"];

/// Whether this is the name of a binding assertion.
pub(crate) fn is_binding(name: &str) -> bool {
    BINDINGS.contains(&name)
}

/// Reads a binding assertion. `version` comes from the assertions beside it.
pub(crate) fn read<'d>(
    sources: &Sources<'d>,
    assertion: Element<'d>,
    version: MessageSecurityVersion,
) -> Result<BindingAssertion, Error> {
    let alternatives = sources.nested(assertion)?;
    sources.first(assertion, &alternatives, |alternative| one(sources, assertion, alternative, version))
}

fn one<'d>(
    sources: &Sources<'d>,
    assertion: Element<'d>,
    alternative: &Alternative<'d>,
    version: MessageSecurityVersion,
) -> Result<BindingAssertion, Error> {
    let mut found = Children::default();
    for child in alternative {
        if !ns::is_security(child.namespace()) {
            return Err(tokens::unknown(sources, child.element, assertion));
        }
        let element = Some(child.element);
        match (assertion.local_name(), child.name()) {
            ("SymmetricBinding", "ProtectionToken") => found.protection = element,
            ("AsymmetricBinding", "InitiatorToken") => found.initiator = element,
            ("AsymmetricBinding", "RecipientToken") => found.recipient = element,
            ("TransportBinding", "TransportToken") => found.transport = element,
            ("SymmetricBinding", name @ ("SignatureToken" | "EncryptionToken"))
            | (
                "AsymmetricBinding",
                name @ ("InitiatorSignatureToken"
                | "InitiatorEncryptionToken"
                | "RecipientSignatureToken"
                | "RecipientEncryptionToken"),
            ) => {
                return Err(sources.error(
                    child.element,
                    format!(
                        "<{name}>: different tokens for signing and encryption are not available: name one for both"
                    ),
                ));
            }
            (_, "AlgorithmSuite") => found.suite = Some(suite(sources, child.element)?),
            (_, "Layout") => found.layout = layout(sources, child.element)?,
            (_, "IncludeTimestamp") => found.include_timestamp = true,
            (_, "EncryptBeforeSigning") => found.encrypt_first = element,
            (_, "EncryptSignature") => found.encrypt_signature = true,
            (_, "ProtectTokens") => found.protect_tokens = true,
            // Whole headers and the whole body are signed in any case.
            (_, "OnlySignEntireHeadersAndBody") => {}
            _ => return Err(tokens::unknown(sources, child.element, assertion)),
        }
    }
    let missing =
        |name: &str| sources.error(assertion, format!("<{}> has no <{name}>: write it", assertion.local_name()));
    let mut require_client_certificate = false;
    let protection = match assertion.local_name() {
        "SymmetricBinding" => {
            let owner = found.protection.ok_or_else(|| missing("ProtectionToken"))?;
            Protection::Symmetric { token: protection_token(sources, owner)? }
        }
        "AsymmetricBinding" => {
            let initiator = found.initiator.ok_or_else(|| missing("InitiatorToken"))?;
            let recipient = found.recipient.ok_or_else(|| missing("RecipientToken"))?;
            Protection::Asymmetric {
                initiator: certificate(sources, initiator, Holder::Client)?,
                recipient: certificate(sources, recipient, Holder::Service)?,
            }
        }
        _ => {
            let owner = found.transport.ok_or_else(|| missing("TransportToken"))?;
            require_client_certificate = https_token(sources, owner)?;
            Protection::Transport
        }
    };
    let mut binding = SecurityBinding::new(protection, version);
    binding.suite = found.suite.ok_or_else(|| missing("AlgorithmSuite"))?;
    binding.layout = found.layout;
    binding.include_timestamp = found.include_timestamp;
    binding.protect_tokens = found.protect_tokens;
    if !binding.is_transport() {
        binding.protection_order = match (found.encrypt_first, found.encrypt_signature) {
            (None, true) => ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
            (None, false) => ProtectionOrder::SignBeforeEncrypt,
            (Some(_), false) => ProtectionOrder::EncryptBeforeSign,
            (Some(element), true) => {
                return Err(sources.error(
                    element,
                    "<EncryptBeforeSigning> together with <EncryptSignature> is not available: keep one of them",
                ));
            }
        };
    }
    if !found.include_timestamp {
        // Replays are told by the timestamp (finding 29).
        binding.local_service.detect_replays = false;
        binding.local_client.detect_replays = false;
    }
    Ok(BindingAssertion { binding, require_client_certificate })
}

/// What a binding assertion holds.
struct Children<'d> {
    protection: Option<Element<'d>>,
    initiator: Option<Element<'d>>,
    recipient: Option<Element<'d>>,
    transport: Option<Element<'d>>,
    suite: Option<AlgorithmSuite>,
    layout: HeaderLayout,
    include_timestamp: bool,
    encrypt_first: Option<Element<'d>>,
    encrypt_signature: bool,
    protect_tokens: bool,
}

impl Default for Children<'_> {
    fn default() -> Self {
        Self {
            protection: None,
            initiator: None,
            recipient: None,
            transport: None,
            suite: None,
            // What a policy means that says nothing.
            layout: HeaderLayout::Lax,
            include_timestamp: false,
            encrypt_first: None,
            encrypt_signature: false,
            protect_tokens: false,
        }
    }
}

fn protection_token<'d>(sources: &Sources<'d>, owner: Element<'d>) -> Result<TokenParameters, Error> {
    let token = tokens::only_token(sources, owner, Holder::Client)?;
    match &token.kind {
        TokenKind::UserName => {
            Err(sources.error(owner, "<UsernameToken> cannot protect: make it a supporting token beside an X509Token"))
        }
        TokenKind::Issued(issued) if issued.key_type != IssuedKeyType::Symmetric => Err(sources.error(
            owner,
            "<IssuedToken> as protection token has to hold a symmetric key: say so with KeyType, or make it a supporting token",
        )),
        _ => Ok(token),
    }
}

fn certificate<'d>(sources: &Sources<'d>, owner: Element<'d>, holder: Holder) -> Result<TokenParameters, Error> {
    let token = tokens::only_token(sources, owner, holder)?;
    if token.kind != TokenKind::X509 {
        return Err(sources.error(owner, format!("<{}> has to name an X509Token", owner.local_name())));
    }
    Ok(token)
}

/// Whether TLS asks for a certificate.
fn https_token<'d>(sources: &Sources<'d>, owner: Element<'d>) -> Result<bool, Error> {
    sources.first(owner, &sources.nested(owner)?, |alternative| {
        let [token] = alternative.as_slice() else {
            return Err(sources.error(owner, "<TransportToken> has to name an HttpsToken, and nothing else"));
        };
        if !token.is_security("HttpsToken") {
            return Err(tokens::unknown(sources, token.element, owner));
        }
        let by_attribute = token.element.attribute("RequireClientCertificate");
        let by_attribute = by_attribute.is_some_and(|value| matches!(value.trim(), "true" | "1"));
        sources.first(token.element, &sources.nested(token.element)?, |alternative| {
            let mut required = by_attribute;
            for inner in alternative {
                match inner.name() {
                    "RequireClientCertificate" if ns::is_security(inner.namespace()) => required = true,
                    name @ ("HttpBasicAuthentication" | "HttpDigestAuthentication") => {
                        return Err(sources.error(
                            inner.element,
                            format!("<{name}> is not available: authenticate with a supporting token, or a certificate of TLS"),
                        ));
                    }
                    _ => return Err(tokens::unknown(sources, inner.element, token.element)),
                }
            }
            Ok(required)
        })
    })
}

/// The algorithm suite.
pub(crate) fn suite<'d>(sources: &Sources<'d>, owner: Element<'d>) -> Result<AlgorithmSuite, Error> {
    sources.first(owner, &sources.nested(owner)?, |alternative| {
        let mut suite = None;
        for assertion in alternative {
            let name = assertion.name();
            let known = match assertion.namespace() {
                // Apache CXF names its suites with GCM without the digest.
                ns::CXF => {
                    AlgorithmSuite::from_name(&format!("{name}Sha256")).or_else(|| AlgorithmSuite::from_name(name))
                }
                namespace if ns::is_security(namespace) && name != "Default" => AlgorithmSuite::from_name(name),
                _ => None,
            };
            match (known, name) {
                (Some(known), _) => {
                    if suite.replace(known).is_some() {
                        return Err(sources.error(assertion.element, format!("<{name}> is a second suite: keep one")));
                    }
                }
                // Transforms that a message may have, and that are understood in any case.
                (None, "STRTransform10") => {}
                (
                    None,
                    "InclusiveC14N"
                    | "InclusiveC14N11"
                    | "SOAPNormalization10"
                    | "XPath10"
                    | "XPathFilter20"
                    | "AbsXPath",
                ) => {
                    return Err(sources.error(
                        assertion.element,
                        format!("<{name}> is not available: signatures use exclusive canonicalization, and no XPath"),
                    ));
                }
                _ => {
                    return Err(sources.error(
                        assertion.element,
                        format!(
                            "<{}> is no algorithm suite that is known here: choose one like Basic256Sha256",
                            name.chars().take(80).collect::<String>()
                        ),
                    ));
                }
            }
        }
        suite.ok_or_else(|| sources.error(owner, "<AlgorithmSuite> names no suite: choose one like Basic256Sha256"))
    })
}

fn layout<'d>(sources: &Sources<'d>, owner: Element<'d>) -> Result<HeaderLayout, Error> {
    sources.first(owner, &sources.nested(owner)?, |alternative| match alternative.as_slice() {
        [] => Ok(HeaderLayout::Lax),
        [layout, ..] => match layout.name() {
            "Strict" => Ok(HeaderLayout::Strict),
            "Lax" => Ok(HeaderLayout::Lax),
            "LaxTimestampFirst" | "LaxTsFirst" => Ok(HeaderLayout::LaxTimestampFirst),
            "LaxTimestampLast" | "LaxTsLast" => Ok(HeaderLayout::LaxTimestampLast),
            _ => Err(tokens::unknown(sources, layout.element, owner)),
        },
    })
}
