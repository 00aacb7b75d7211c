//! A binding in words: for people who have to know what the other side must do.

use handstamp_ws_security::{
    AlgorithmSuite, Generation, IssuedKeyType, Protection, ProtectionOrder, SecurityBinding, TokenKind, TokenRole,
    WssVersion,
};
use std::fmt;

/// What a binding comes to, in sentences.
///
/// ```
/// use handstamp_security_policy::Explanation;
/// use handstamp_ws_security::{MessageSecurityVersion, SecurityBinding};
///
/// let version = MessageSecurityVersion::WSS11_13;
/// let bootstrap = SecurityBinding::user_name_for_certificate(version)?;
/// let explanation = Explanation::of(&SecurityBinding::secure_conversation(bootstrap, version));
/// assert!(explanation.client.contains("a user name and a password"));
/// assert!(explanation.restart.contains("ends all sessions"));
/// # Ok::<(), handstamp_ws_security::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What a client has to send.
    pub client: String,
    /// What is signed.
    pub signed: String,
    /// What is encrypted.
    pub encrypted: String,
    /// Which algorithms and specifications.
    pub algorithms: String,
    /// What a restart of the service does.
    pub restart: String,
}

impl Explanation {
    /// Explains a binding.
    pub fn of(binding: &SecurityBinding) -> Self {
        Self {
            client: client(binding),
            signed: signed(binding),
            encrypted: encrypted(binding),
            algorithms: algorithms(binding),
            restart: restart(binding),
        }
    }
}

/// One line for each.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "A client sends: {}", self.client)?;
        writeln!(f, "Signed: {}", self.signed)?;
        writeln!(f, "Encrypted: {}", self.encrypted)?;
        writeln!(f, "Algorithms: {}", self.algorithms)?;
        write!(f, "Restart: {}", self.restart)
    }
}

fn client(binding: &SecurityBinding) -> String {
    match binding.session() {
        Some(session) => {
            format!("{}, once; then the session's security context in every request.", credentials(&session.bootstrap))
        }
        None => format!("{}, in every request.", credentials(binding)),
    }
}

fn credentials(binding: &SecurityBinding) -> String {
    let mut proofs: Vec<String> = Vec::new();
    match &binding.protection {
        Protection::Symmetric { token } => match &token.kind {
            TokenKind::X509 => proofs.push("a key encrypted for the service's certificate".to_owned()),
            TokenKind::SslNegotiated { client_certificate, .. } => proofs.push(format!(
                "a context that TLS inside of SOAP messages agrees on{}",
                if *client_certificate { ", with the client's certificate" } else { "" }
            )),
            kind => proofs.push(token_in_words(kind)),
        },
        Protection::Asymmetric { .. } => {
            proofs.push("a signature by the client's certificate, and a key encrypted for the service's".to_owned());
        }
        Protection::Transport if binding.allow_insecure_transport => {
            proofs.push(
                "messages without protection of their own, over TLS or over a network that is trusted instead"
                    .to_owned(),
            );
        }
        Protection::Transport => proofs.push("messages over TLS (HTTPS)".to_owned()),
    }
    for supporting in &binding.supporting_tokens {
        let how = match supporting.role {
            TokenRole::Signed | TokenRole::SignedEncrypted => "",
            TokenRole::Endorsing | TokenRole::EndorsingEncrypted => ", whose key signs too",
            TokenRole::SignedEndorsing | TokenRole::SignedEndorsingEncrypted => {
                ", whose key signs too and which is signed"
            }
        };
        proofs.push(format!("{}{how}", token_in_words(&supporting.parameters.kind)));
    }
    join(&proofs)
}

fn token_in_words(kind: &TokenKind) -> String {
    match kind {
        TokenKind::X509 => "the client's certificate".to_owned(),
        TokenKind::UserName => "a user name and a password".to_owned(),
        TokenKind::RsaKey => "a key of the client's own".to_owned(),
        TokenKind::SecureConversation(_) => "the session's security context".to_owned(),
        TokenKind::SslNegotiated { .. } => "a negotiated security context".to_owned(),
        TokenKind::Issued(issued) => {
            let key = match issued.key_type {
                IssuedKeyType::Symmetric => "with a shared key",
                IssuedKeyType::Asymmetric => "for the client's private key",
                IssuedKeyType::Bearer => "without a key (bearer)",
            };
            let issuer = issued.issuer.as_ref().map(|issuer| format!(" at {issuer}")).unwrap_or_default();
            format!("a SAML token of a token service{issuer}, {key}")
        }
    }
}

fn signed(binding: &SecurityBinding) -> String {
    if binding.is_transport() {
        return match binding.supporting_tokens.iter().any(|supporting| supporting.role.endorses()) {
            true => "by TLS everything; the timestamp also by the token's key, in requests.".to_owned(),
            false => "by TLS everything; messages carry no signature.".to_owned(),
        };
    }
    let mut parts = vec!["the body", "the addressing headers"];
    if binding.include_timestamp {
        parts.push("the timestamp");
    }
    if binding.supporting_tokens.iter().any(|supporting| supporting.role.is_signed()) {
        parts.push("the caller's tokens");
    }
    if binding.protect_tokens {
        parts.push("the protecting token itself");
    }
    if binding.require_signature_confirmation {
        parts.push("in replies a confirmation of the request's signature");
    }
    format!("{}.", join(&parts))
}

fn encrypted(binding: &SecurityBinding) -> String {
    if binding.is_transport() {
        return "by TLS everything; nothing in the message itself.".to_owned();
    }
    let mut parts = vec!["the body"];
    if binding.supporting_tokens.iter().any(|supporting| supporting.role.is_encrypted()) {
        parts.push("the caller's tokens");
    }
    let order = match binding.protection_order {
        ProtectionOrder::SignBeforeEncryptAndEncryptSignature => {
            parts.push("the signature");
            "messages are signed first"
        }
        ProtectionOrder::SignBeforeEncrypt => "messages are signed first, and the signature is visible",
        ProtectionOrder::EncryptBeforeSign => "messages are encrypted first, and the signature is visible",
    };
    format!("{}; {order}.", join(&parts))
}

fn algorithms(binding: &SecurityBinding) -> String {
    let wss = match binding.version.wss {
        WssVersion::V10 => "WS-Security 1.0",
        WssVersion::V11 => "WS-Security 1.1",
    };
    let generation = match binding.version.generation {
        Generation::February2005 => "WS-Trust and WS-SecureConversation of February 2005",
        Generation::V13 => "WS-Trust and WS-SecureConversation 1.3",
    };
    let mut text = suite_in_words(&binding.suite);
    if let Some(session) = binding.session()
        && session.bootstrap.suite != binding.suite
    {
        text = format!("{text}; to establish sessions {}", suite_in_words(&session.bootstrap.suite));
    }
    format!("{text}; {wss}, {generation}.")
}

fn suite_in_words(suite: &AlgorithmSuite) -> String {
    let fragment = |uri: &str| uri.rsplit('#').next().unwrap_or(uri).to_owned();
    format!(
        "{} ({}, {}, {}, {})",
        suite.name(),
        fragment(suite.encryption().uri()),
        fragment(suite.symmetric_signature().uri()),
        fragment(suite.asymmetric_signature().uri()),
        fragment(suite.key_transport().uri())
    )
}

fn restart(binding: &SecurityBinding) -> String {
    match binding.session() {
        None => "no message depends on another, so a restart is not noticed.".to_owned(),
        Some(session) if session.require_cancellation => {
            "a restart ends all sessions: the service alone remembers them, and clients get BadContextToken and begin anew."
                .to_owned()
        }
        Some(_) => "sessions survive a restart, and any node with the same keys serves them: the context travels in a cookie \
                    that only the service can open."
            .to_owned(),
    }
}

fn join(parts: &[impl AsRef<str>]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_ws_security::{AuthenticationMode, MessageSecurityVersion};

    #[test]
    fn sc_6_every_mode_has_words() {
        let version = MessageSecurityVersion::WSS11_13;
        for mode in AuthenticationMode::ALL {
            let Ok(binding) = SecurityBinding::for_mode(*mode, version) else { continue };
            let text = Explanation::of(&binding).to_string();
            assert_eq!(text.lines().count(), 5, "{text}");
            for (part, words) in [
                ("UserName", "a user name and a password"),
                ("Mutual", "the client's certificate"),
                ("Certificate", "certificate"),
                ("IssuedToken", "a SAML token"),
                ("OverTransport", "over TLS (HTTPS)"),
                ("SslNegotiated", "TLS inside of SOAP messages"),
            ] {
                assert!(!mode.name().contains(part) || text.contains(words), "{}: {text}", mode.name());
            }
            assert!(!mode.name().contains("Anonymous") || !text.contains("the client's"), "{}: {text}", mode.name());
        }
    }

    #[test]
    fn sc_3_a_restart_means_what_the_engine_means() {
        let version = MessageSecurityVersion::default();
        let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
        let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
        assert!(Explanation::of(&binding).restart.contains("BadContextToken"));
        binding.session_mut().unwrap().require_cancellation = false;
        assert!(Explanation::of(&binding).restart.contains("survive"));
        assert_eq!(
            Explanation::of(&binding).algorithms,
            "Basic256 (aes256-cbc, hmac-sha1, rsa-sha1, rsa-oaep-mgf1p); WS-Security 1.1, WS-Trust and WS-SecureConversation of \
             February 2005."
        );
    }

    #[test]
    fn what_is_not_protected_is_not_claimed() {
        let version = MessageSecurityVersion::default();
        let mut binding = SecurityBinding::user_name_over_transport(version);
        assert!(Explanation::of(&binding).signed.contains("no signature"));
        binding.allow_insecure_transport = true;
        assert!(Explanation::of(&binding).client.contains("without protection of their own"));
        let mut binding = SecurityBinding::mutual_certificate(version);
        binding.protection_order = ProtectionOrder::SignBeforeEncrypt;
        let explanation = Explanation::of(&binding);
        assert!(explanation.encrypted.contains("the signature is visible") && !explanation.signed.contains("tokens"));
    }
}
