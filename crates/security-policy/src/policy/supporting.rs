//! Supporting-token assertions: which tokens requests carry besides the protecting ones, and what for.

use crate::error::Error;
use crate::policy::tokens::{self, Holder};
use crate::policy::{Alternative, Assertion, Parts, Sources, ns};
use handstamp_ws_security::{
    AlgorithmSuite, IssuedKeyType, MessageParts, SupportingToken, TokenKind, TokenParameters, TokenRole,
};

/// What the name of a supporting-token assertion says.
#[derive(Debug, Clone, Copy)]
struct Supporting {
    signed: bool,
    endorsing: bool,
    encrypted: bool,
}

impl Supporting {
    fn of(name: &str) -> Option<Self> {
        let (signed, endorsing, encrypted) = match name {
            "SupportingTokens" => (false, false, false),
            "SignedSupportingTokens" => (true, false, false),
            "EndorsingSupportingTokens" => (false, true, false),
            "SignedEndorsingSupportingTokens" => (true, true, false),
            "EncryptedSupportingTokens" => (false, false, true),
            "SignedEncryptedSupportingTokens" => (true, false, true),
            "EndorsingEncryptedSupportingTokens" => (false, true, true),
            "SignedEndorsingEncryptedSupportingTokens" => (true, true, true),
            _ => return None,
        };
        Some(Self { signed, endorsing, encrypted })
    }

    fn role<'d>(
        self,
        sources: &Sources<'d>,
        assertion: &Assertion<'d>,
        token: &TokenParameters,
        is_transport: bool,
    ) -> Result<TokenRole, Error> {
        if is_transport {
            // TLS signs and encrypts everything.
            return Ok(match (self.endorsing, &token.kind) {
                (true, _) => TokenRole::Endorsing,
                (false, TokenKind::UserName) => TokenRole::SignedEncrypted,
                (false, _) => TokenRole::Signed,
            });
        }
        // WS-SecurityPolicy 1.1 has no word for tokens that are signed and encrypted, and passwords are never sent in clear.
        let is_secret = matches!(&token.kind, TokenKind::UserName)
            || matches!(&token.kind, TokenKind::Issued(issued) if issued.key_type == IssuedKeyType::Bearer
                && assertion.namespace() == ns::SP_11);
        Ok(match (self.signed, self.endorsing, self.encrypted || (is_secret && !self.endorsing)) {
            (true, false, false) => TokenRole::Signed,
            (true, false, true) => TokenRole::SignedEncrypted,
            (false, true, false) => TokenRole::Endorsing,
            (true, true, false) => TokenRole::SignedEndorsing,
            (false, true, true) => TokenRole::EndorsingEncrypted,
            (true, true, true) => TokenRole::SignedEndorsingEncrypted,
            (false, false, _) => {
                return Err(sources.error(
                    assertion.element,
                    format!(
                        "<{}> holds tokens that nothing ties to the message: use SignedSupportingTokens or \
                         SignedEncryptedSupportingTokens",
                        assertion.name()
                    ),
                ));
            }
        })
    }
}

/// Whether it is one of the supporting-token assertions.
pub(crate) fn is_supporting(assertion: &Assertion<'_>) -> bool {
    ns::is_security(assertion.namespace()) && Supporting::of(assertion.name()).is_some()
}

/// Reads the tokens of one supporting-token assertion.
pub(crate) fn read<'d>(
    sources: &Sources<'d>,
    assertion: &Assertion<'d>,
    suite: AlgorithmSuite,
    is_transport: bool,
) -> Result<Vec<SupportingToken>, Error> {
    let owner = assertion.element;
    let alternatives = sources.nested(owner)?;
    sources.first(owner, &alternatives, |alternative| tokens_of(sources, assertion, alternative, suite, is_transport))
}

fn tokens_of<'d>(
    sources: &Sources<'d>,
    assertion: &Assertion<'d>,
    alternative: &Alternative<'d>,
    suite: AlgorithmSuite,
    is_transport: bool,
) -> Result<Vec<SupportingToken>, Error> {
    let owner = assertion.element;
    let Some(supporting) = Supporting::of(assertion.name()) else {
        return Err(tokens::unknown(sources, owner, owner));
    };
    let mut found = Vec::new();
    let mut parts = Parts::default();
    for inner in alternative {
        if tokens::is_token(inner) {
            let parameters = tokens::read(sources, inner.element, Holder::Client)?;
            let role = supporting.role(sources, assertion, &parameters, is_transport)?;
            if role.endorses() {
                check_key(sources, inner, &parameters)?;
            }
            found.push((parameters, role));
        } else if inner.is_security("AlgorithmSuite") {
            let own = super::binding::suite(sources, inner.element)?;
            if own != suite {
                return Err(sources.error(
                    inner.element,
                    format!(
                        "<AlgorithmSuite> of <{}> is {}, and that of the binding {}: they have to be the same",
                        assertion.name(),
                        own.name(),
                        suite.name()
                    ),
                ));
            }
        } else if inner.is_security("SignedParts") && supporting.endorsing {
            parts.add(sources, inner)?;
        } else if Parts::is_about(inner) {
            return Err(sources.error(
                inner.element,
                format!("<{}> in <{}> is not available: remove it", inner.name(), assertion.name()),
            ));
        } else {
            return Err(tokens::unknown(sources, inner.element, owner));
        }
    }
    if found.is_empty() {
        return Err(sources.error(owner, format!("<{}> names no token", assertion.name())));
    }
    let tokens = found.into_iter().map(|(parameters, role)| {
        let signed_parts = if role.endorses() {
            additional(&parts.signed, &parameters, is_transport)
        } else {
            MessageParts::default()
        };
        let parameters = in_role(parameters, role);
        SupportingToken { parameters, role, is_optional: false, signed_parts }
    });
    Ok(tokens.collect())
}

/// Only what WCF would not sign of its own accord: a private key signs `To` over TLS in any case (SC 8.11).
fn additional(parts: &MessageParts, token: &TokenParameters, is_transport: bool) -> MessageParts {
    let mut parts = parts.clone();
    if is_transport && !has_shared_key(&token.kind) {
        parts
            .headers
            .retain(|header| header.local_name.as_deref() != Some("To") || !super::parts::is_addressing(header));
    }
    parts
}

/// Derived keys have a meaning for shared keys only (SC 17), and none where nothing is signed.
fn in_role(mut parameters: TokenParameters, role: TokenRole) -> TokenParameters {
    parameters.require_derived_keys &= role.endorses() && has_shared_key(&parameters.kind);
    parameters
}

fn check_key<'d>(sources: &Sources<'d>, token: &Assertion<'d>, parameters: &TokenParameters) -> Result<(), Error> {
    let bearer = matches!(&parameters.kind, TokenKind::Issued(issued) if issued.key_type == IssuedKeyType::Bearer);
    if parameters.kind == TokenKind::UserName || bearer {
        return Err(sources.error(
            token.element,
            format!("<{}> has no key that could endorse: use SignedEncryptedSupportingTokens", token.name()),
        ));
    }
    Ok(())
}

pub(crate) fn has_shared_key(kind: &TokenKind) -> bool {
    match kind {
        TokenKind::Issued(issued) => issued.key_type == IssuedKeyType::Symmetric,
        TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. } => true,
        TokenKind::X509 | TokenKind::UserName | TokenKind::RsaKey => false,
    }
}
