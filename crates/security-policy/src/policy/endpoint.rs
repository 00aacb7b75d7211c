//! What the assertions of an endpoint, or of a bootstrap policy, come to.

use crate::Encoding;
use crate::error::Error;
use crate::policy::{Alternative, Assertion, Parts, Sources, binding, ns, supporting, tokens};
use handstamp_ws_security::{
    AddressingVersion, Generation, KeyEntropyMode, MessageSecurityVersion, SecurityBinding, WssVersion,
};
use handstamp_xml::Element;

/// One alternative of an endpoint's policy.
#[derive(Debug, Default)]
pub(crate) struct EndpointPolicy {
    /// None when nothing protects messages.
    pub(crate) security: Option<SecurityBinding>,
    pub(crate) require_client_certificate: bool,
    pub(crate) addressing: Option<AddressingVersion>,
    pub(crate) encoding: Encoding,
    /// What every message of the endpoint signs and encrypts.
    pub(crate) parts: Parts,
}

impl EndpointPolicy {
    pub(crate) fn read<'d>(
        sources: &Sources<'d>,
        owner: Element<'d>,
        alternative: &Alternative<'d>,
    ) -> Result<Self, Error> {
        let mut read = Self { parts: Parts::read(sources, alternative)?, ..Self::default() };
        let mut protocol = Protocol::default();
        let (mut bindings, mut supportings) = (Vec::new(), Vec::new());
        for assertion in alternative {
            let name = assertion.name();
            match assertion.namespace() {
                namespace if ns::is_security(namespace) => {
                    if binding::is_binding(name) {
                        bindings.push(assertion);
                    } else if supporting::is_supporting(assertion) {
                        supportings.push(assertion);
                    } else if !Parts::is_about(assertion) && !protocol.take(sources, assertion)? {
                        return Err(tokens::unknown(sources, assertion.element, owner));
                    }
                }
                _ => read.messaging(sources, owner, assertion)?,
            }
        }
        let Some((assertion, others)) = bindings.split_first() else {
            return match supportings.first() {
                None => Ok(read),
                Some(lonely) => Err(sources.error(
                    lonely.element,
                    format!(
                        "<{}> stands without SymmetricBinding, AsymmetricBinding or TransportBinding: nothing would protect \
                         the tokens",
                        lonely.name()
                    ),
                )),
            };
        };
        if let Some(other) = others.first() {
            return Err(sources.error(
                other.element,
                format!("<{}> stands beside <{}>: an endpoint has one binding", other.name(), assertion.name()),
            ));
        }
        let found = binding::read(sources, assertion.element, protocol.version(assertion))?;
        let mut security = found.binding;
        security.require_signature_confirmation = protocol.signature_confirmation;
        security.key_entropy = protocol.entropy();
        for supporting in supportings {
            let tokens = supporting::read(sources, supporting, security.suite, security.is_transport())?;
            security.supporting_tokens.extend(tokens);
        }
        check(sources, assertion, &security)?;
        read.addressing = read.addressing.or_else(|| read.parts.addressing());
        read.require_client_certificate = found.require_client_certificate;
        read.security = Some(security);
        Ok(read)
    }

    /// Assertions about messages that are not about security.
    fn messaging<'d>(
        &mut self,
        sources: &Sources<'d>,
        owner: Element<'d>,
        assertion: &Assertion<'d>,
    ) -> Result<(), Error> {
        let refuse = |why: &str| Err(sources.error(assertion.element, format!("<{}> {why}", assertion.name())));
        match (assertion.namespace(), assertion.name()) {
            (ns::WSAW, "UsingAddressing") => self.addressing = Some(AddressingVersion::V10),
            (ns::WSAM, "Addressing") => {
                self.addressing = Some(AddressingVersion::V10);
                let alternatives = sources.nested(assertion.element)?;
                sources.first(assertion.element, &alternatives, |alternative| {
                    match alternative.iter().find(|inner| inner.name() != "AnonymousResponses") {
                        None => Ok(()),
                        Some(inner) => Err(sources.error(
                            inner.element,
                            format!("<{}>: replies come back on the same connection only", inner.name()),
                        )),
                    }
                })?;
            }
            (ns::WSAP, "UsingAddressing") => self.addressing = Some(AddressingVersion::August2004),
            (ns::WSOMA, "OptimizedMimeSerialization") | (ns::MTOM, "MTOM") => self.encoding = Encoding::Mtom,
            (ns::BINARY, "BinaryEncoding") => self.encoding = Encoding::Binary,
            (
                ns::HTTP,
                "BasicAuthentication" | "DigestAuthentication" | "NtlmAuthentication" | "NegotiateAuthentication",
            ) => {
                return refuse(
                    "is authentication of HTTP, which is not available: authenticate with a token in the message",
                );
            }
            (_, "RMAssertion") => {
                return refuse(
                    "is reliable messaging, which is not available: turn it off on the service (<reliableSession>)",
                );
            }
            (_, "ATAssertion" | "OleTxAssertion") => {
                return refuse(
                    "is a distributed transaction, which is not available: turn transaction flow off on the service",
                );
            }
            _ => return Err(tokens::unknown(sources, assertion.element, owner)),
        }
        Ok(())
    }
}

/// `Wss10`, `Wss11`, `Trust10`, `Trust13`.
#[derive(Default)]
struct Protocol {
    wss: Option<WssVersion>,
    signature_confirmation: bool,
    client_entropy: bool,
    server_entropy: bool,
}

impl Protocol {
    fn take<'d>(&mut self, sources: &Sources<'d>, assertion: &Assertion<'d>) -> Result<bool, Error> {
        let allowed: &[&str] = match assertion.name() {
            "Wss10" | "Wss11" => &[
                "MustSupportRefKeyIdentifier",
                "MustSupportRefIssuerSerial",
                "MustSupportRefExternalURI",
                "MustSupportRefEmbeddedToken",
                "MustSupportRefThumbprint",
                "MustSupportRefEncryptedKey",
                "RequireSignatureConfirmation",
            ],
            "Trust10" | "Trust13" => &[
                "MustSupportIssuedTokens",
                "RequireClientEntropy",
                "RequireServerEntropy",
                "RequireRequestSecurityTokenCollection",
                "RequireAppliesTo",
                "ScopePolicy15",
            ],
            _ => return Ok(false),
        };
        match assertion.name() {
            // WSS 1.1 includes 1.0.
            "Wss10" => self.wss = self.wss.or(Some(WssVersion::V10)),
            "Wss11" => self.wss = Some(WssVersion::V11),
            _ => {}
        }
        let alternatives = sources.nested(assertion.element)?;
        let names = sources.first(assertion.element, &alternatives, |alternative| {
            for inner in alternative {
                if !ns::is_security(inner.namespace()) || !allowed.contains(&inner.name()) {
                    return Err(tokens::unknown(sources, inner.element, assertion.element));
                }
            }
            Ok(alternative.iter().map(Assertion::name).collect::<Vec<_>>())
        })?;
        self.signature_confirmation |= names.contains(&"RequireSignatureConfirmation");
        self.client_entropy |= names.contains(&"RequireClientEntropy");
        self.server_entropy |= names.contains(&"RequireServerEntropy");
        Ok(true)
    }

    fn version(&self, binding: &Assertion<'_>) -> MessageSecurityVersion {
        let generation = ns::generation(binding.namespace()).unwrap_or_default();
        match (self.wss.unwrap_or_default(), generation) {
            (WssVersion::V10, Generation::February2005) => MessageSecurityVersion::WSS10_FEBRUARY2005_BSP,
            (WssVersion::V10, Generation::V13) => MessageSecurityVersion::WSS10_13_BSP,
            (WssVersion::V11, Generation::February2005) => MessageSecurityVersion::WSS11_FEBRUARY2005,
            (WssVersion::V11, Generation::V13) => MessageSecurityVersion::WSS11_13,
        }
    }

    fn entropy(&self) -> KeyEntropyMode {
        match (self.client_entropy, self.server_entropy) {
            (true, false) => KeyEntropyMode::Client,
            (false, true) => KeyEntropyMode::Server,
            _ => KeyEntropyMode::Combined,
        }
    }
}

/// Combinations that cannot work (SC 14.9).
fn check<'d>(sources: &Sources<'d>, assertion: &Assertion<'d>, binding: &SecurityBinding) -> Result<(), Error> {
    let refuse = |why: &str| Err(sources.error(assertion.element, format!("<{}> {why}", assertion.name())));
    if binding.require_signature_confirmation && binding.version.wss == WssVersion::V10 {
        return refuse(
            "has RequireSignatureConfirmation, which only Wss11 has: replace Wss10, or remove the confirmation",
        );
    }
    let Some(session) = binding.session() else { return Ok(()) };
    if binding.is_transport() != session.bootstrap.is_transport() {
        return refuse("and the binding of its BootstrapPolicy differ: both have to be TransportBinding, or neither");
    }
    Ok(())
}
