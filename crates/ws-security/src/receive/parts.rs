//! What has to be signed and encrypted, and which tokens have to be there (SC §9 steps 10, 12 and 14).

use crate::addressing::is_addressing_header;
use crate::binding::{Protection, ProtectionLevel, ProtectionOrder, TokenKind};
use crate::error::Error;
use crate::receive::header::{EntryKind, quoted};
use crate::receive::keys::Key;
use crate::receive::opening::Opening;
use crate::receive::unprotected::{Caller, Unprotected, header_blocks};
use crate::receive::{Expectation, Role, Understood};
use crate::soap::{Envelope, QualifiedName};
use crate::token::from_base64;
use handstamp_xml::{Element, NodeId, names};

impl Expectation<'_> {
    /// Step 15: the first header that has to be understood and is not, signed or not.
    pub(super) fn header_not_understood(&self, message: &Unprotected) -> Option<QualifiedName> {
        let Understood::These(understood) = self.understood else { return None };
        let envelope = Envelope::of(message.document()).ok()?;
        let blocks = envelope.header().into_iter().flat_map(header_blocks);
        envelope.not_understood_among(blocks, message.addressing_version(), understood)
    }
}

impl Opening<'_, '_> {
    /// Step 10.
    pub(super) fn require_parts(&self) -> Result<(), Error> {
        self.require_headers()?;
        self.require_body()?;
        self.require_timestamp()?;
        self.require_signed_tokens()?;
        self.require_protected_token()?;
        self.require_encrypted_signatures()
    }

    fn require_headers(&self) -> Result<(), Error> {
        let Some(header) = self.frame.header else { return Ok(()) };
        let header = self.element(header)?;
        for (block, content) in header.children().zip(header_blocks(header)) {
            let was_encrypted = block != content || block.is(names::WSSE11, "EncryptedHeader");
            let signed = self.is_verified(content) || (was_encrypted && self.is_verified(block));
            if (was_encrypted || is_addressing_header(content)) && !signed {
                return Err(Error::refused("SC 8.5", quoted(content), "the header block is not signed"));
            }
        }
        Ok(())
    }

    fn require_body(&self) -> Result<(), Error> {
        let signed = self.is_verified(self.element(self.frame.body)?);
        if !signed && (self.demands(ProtectionLevel::Sign) || self.body_was_encrypted) {
            return Err(Error::refused("SC 8.5", "Body", "it is not signed"));
        }
        if !self.body_was_encrypted && self.demands(ProtectionLevel::EncryptAndSign) {
            return Err(Error::refused("SC 8.6", "Body", "it is not encrypted"));
        }
        Ok(())
    }

    fn require_timestamp(&self) -> Result<(), Error> {
        match self.header.timestamp_node() {
            Some(node) if !self.is_verified(self.element(node)?) => {
                Err(Error::refused("SC 8.5", "Timestamp", "it is not signed"))
            }
            None if self.receiver.binding.include_timestamp || self.receiver.detects_replays() => Err(Error::refused(
                "SC 13.1",
                "Timestamp",
                "there is none, and the binding or replay detection needs one",
            )),
            _ => Ok(()),
        }
    }

    fn require_signed_tokens(&self) -> Result<(), Error> {
        for (_, entry) in self.header.of_kind(EntryKind::Confirmation) {
            if !self.is_verified(self.element(entry.node)?) {
                return Err(Error::refused("SC 8.8", "SignatureConfirmation", "it is not signed"));
            }
        }
        for token in self.supporting().iter().filter(|token| token.role.is_signed() || token.role.is_encrypted()) {
            let (kind, name) = match token.parameters.kind {
                TokenKind::UserName => (EntryKind::UserName, "UsernameToken"),
                TokenKind::X509 => (EntryKind::Certificate, "BinarySecurityToken"),
                TokenKind::Issued(_) => (EntryKind::Assertion, "Assertion"),
                TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. } => {
                    (EntryKind::Context, "SecurityContextToken")
                }
                TokenKind::RsaKey => continue,
            };
            for (_, entry) in self.header.of_kind(kind) {
                if token.role.is_signed() && !self.is_verified(self.element(entry.node)?) {
                    return Err(Error::refused("SC 9 step 10", name, "it is not signed"));
                }
                if token.role.is_encrypted() && !entry.encrypted {
                    return Err(Error::refused("SC 9 step 10", name, "it is not encrypted"));
                }
            }
        }
        Ok(())
    }

    /// `protectTokens`: the service demands that the primary token is signed too.
    fn require_protected_token(&self) -> Result<(), Error> {
        if !self.receiver.binding.protect_tokens || self.receiver.role == Role::Client {
            return Ok(());
        }
        let primary: Vec<usize> = match &self.receiver.binding.protection {
            Protection::Symmetric { .. } => {
                let is_primary = |key: &Key| !key.derived && self.protecting.as_ref() == Some(&key.origin);
                let tokens = self.keys.tokens.iter().filter(|token| is_primary(&token.key));
                tokens.filter_map(|token| token.key.position).collect()
            }
            Protection::Asymmetric { .. } => {
                self.header.of_kind(EntryKind::Certificate).map(|(position, _)| position).collect()
            }
            Protection::Transport => return Ok(()),
        };
        for entry in primary.into_iter().filter_map(|position| self.header.entries.get(position)) {
            let element = self.element(entry.node)?;
            if !self.is_verified(element) {
                return Err(Error::refused("SC 8.9", quoted(element), "protectTokens demands that it is signed"));
            }
        }
        Ok(())
    }

    /// The signatures are encrypted when anything that they cover is (SC 8.7).
    fn require_encrypted_signatures(&self) -> Result<(), Error> {
        let tokens = self.header.entries.iter().any(|entry| entry.encrypted && entry.kind != EntryKind::Signature);
        let confidential = tokens || self.body_was_encrypted || self.header_block_was_encrypted;
        let required = self.receiver.binding.protection_order == ProtectionOrder::SignBeforeEncryptAndEncryptSignature
            && confidential;
        if required && self.header.of_kind(EntryKind::Signature).any(|(_, entry)| !entry.encrypted) {
            return Err(Error::refused("SC 8.7", "Signature", "it is not encrypted, but what it covers is"));
        }
        Ok(())
    }

    /// Tokens are there exactly as configured, and each serves for something.
    pub(super) fn check_tokens(&mut self) -> Result<(), Error> {
        if self.header.user_names.len() != self.expected_count(|kind| *kind == TokenKind::UserName) {
            return Err(Error::refused("SC 9 step 12", "UsernameToken", "it is missing, or not configured"));
        }
        let assertions: Vec<NodeId> = self.header.of_kind(EntryKind::Assertion).map(|(_, entry)| entry.node).collect();
        if assertions.len() != self.expected_count(|kind| matches!(kind, TokenKind::Issued(_))) {
            return Err(Error::refused("SC 9 step 12", "Assertion", "it is missing, or not configured"));
        }
        self.callers.extend(assertions.into_iter().map(Caller::Assertion));
        if self.keys.unused() {
            return Err(Error::refused("SC 9 step 12", "Security", "it holds a token that protects nothing"));
        }
        Ok(())
    }

    /// Step 14: a reply confirms each signature of its request, in their order.
    pub(super) fn check_confirmations(&self) -> Result<(), Error> {
        let mut confirmed = Vec::new();
        for (_, entry) in self.header.of_kind(EntryKind::Confirmation) {
            let value = self.element(entry.node)?.attribute("Value").and_then(from_base64);
            let value =
                value.ok_or_else(|| Error::malformed("SC 8.8", "SignatureConfirmation", "its Value is not base64"))?;
            confirmed.push(value);
        }
        let required = self.receiver.binding.require_signature_confirmation && self.receiver.role == Role::Client;
        if !required {
            return if confirmed.is_empty() {
                Ok(())
            } else {
                Err(Error::refused("SC 8.8", "SignatureConfirmation", "it is not expected: the binding has none"))
            };
        }
        let request = self.expected.request.ok_or_else(|| {
            Error::Configuration(
                "a reply that confirms signatures can be opened with the context of its request only".to_owned(),
            )
        })?;
        if confirmed != request.signature_values {
            return Err(Error::refused(
                "SC 8.8",
                "SignatureConfirmation",
                "it does not confirm the signatures of the request",
            ));
        }
        Ok(())
    }

    fn is_verified(&self, element: Element<'_>) -> bool {
        self.verified.element(element).is_some()
    }
}
