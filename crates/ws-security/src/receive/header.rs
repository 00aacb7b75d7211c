//! One pass over the children of the security header (SC §9 step 5): what is there, in which order, with which keys.

use crate::binding::{HeaderLayout, ProtectionOrder, TokenKind};
use crate::error::Error;
use crate::receive::encrypted_token::is_encrypted_token;
use crate::receive::keys::{Key, KeyTable, Material, Origin, named, session_error, single_reference};
use crate::receive::knowledge::{IssuedTokenValidator, ProofKey};
use crate::receive::opening::Opening;
use crate::timestamp::MessageTimestamp;
use crate::token::{BinarySecurityToken, DerivedKeyToken, SecurityContextToken, UserNameToken, token_id};
use handstamp_keys::SymmetricKey;
use handstamp_xml::{Element, NodeId, names};
use handstamp_xml_security::encryption::EncryptedKey;

/// A child of the security header.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) node: NodeId,
    pub(super) kind: EntryKind,
    pub(super) encrypted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    Timestamp,
    ReferenceList,
    EncryptedKey,
    DerivedKey,
    Context,
    Certificate,
    Assertion,
    UserName,
    Confirmation,
    /// A reference to a token, so that a signature can cover that token through it.
    Reference,
    Signature,
    /// Not decrypted yet.
    Encrypted,
    /// An issued token that came encrypted, before it is read.
    EncryptedToken,
}

/// What the pass found.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) entries: Vec<Entry>,
    pub(super) timestamp: Option<MessageTimestamp>,
    /// The ids that the reference list names, and the place of the list; an encrypted key may hold it.
    pub(super) references: Vec<String>,
    pub(super) list_position: Option<usize>,
    pub(super) list_is_in_key: bool,
    pub(super) user_names: Vec<UserNameToken>,
}

/// How many children a security header may have. The largest recorded one has 11.
const MAX_ENTRIES: usize = 64;
/// How many parts of a message may be encrypted.
const MAX_DATA_REFERENCES: usize = 64;

impl Header {
    pub(super) fn of_kind(&self, kind: EntryKind) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().filter(move |(_, entry)| entry.kind == kind)
    }

    pub(super) fn position_of(&self, node: NodeId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.node == node)
    }

    pub(super) fn timestamp_node(&self) -> Option<NodeId> {
        self.of_kind(EntryKind::Timestamp).next().map(|(_, entry)| entry.node)
    }
}

impl<'a> Opening<'_, 'a> {
    /// Reads every child. Tokens are resolved where they stand, derived keys when all their sources are known.
    pub(super) fn read_header(&mut self, security: NodeId) -> Result<(), Error> {
        let children: Vec<NodeId> = self.element(security)?.children().map(Element::id).collect();
        if children.len() > MAX_ENTRIES {
            return Err(Error::refused("SC 9 step 5", "Security", format!("it has more than {MAX_ENTRIES} children")));
        }
        self.header.entries.reserve(children.len());
        for node in children {
            let mut kind = self.with_element(node, Self::read_element)?;
            if kind == EntryKind::EncryptedToken {
                kind = self.read_encrypted_token(node, self.header.entries.len())?;
            }
            self.header.entries.push(Entry { node, kind, encrypted: false });
        }
        self.derive_keys()?;
        self.check_timestamp_position()
    }

    fn read_element(&mut self, element: Element<'_>) -> Result<EntryKind, Error> {
        let position = self.header.entries.len();
        match (element.namespace(), element.local_name()) {
            _ if is_encrypted_token(element) => Ok(EntryKind::EncryptedToken),
            (names::WSU, "Timestamp") => self.read_timestamp(element),
            (names::XENC, "ReferenceList") => {
                self.read_list(element, false)?;
                Ok(EntryKind::ReferenceList)
            }
            (names::XENC, "EncryptedKey") => self.read_encrypted_key(element, position),
            (names::XENC, "EncryptedData") => Ok(EntryKind::Encrypted),
            (names::WSC_2005 | names::WSC_13, "SecurityContextToken") => self.read_context(element, position),
            (names::WSC_2005 | names::WSC_13, "DerivedKeyToken") => Ok(EntryKind::DerivedKey),
            (names::WSSE, "BinarySecurityToken") => self.read_certificate(element, position),
            (names::WSSE, "UsernameToken") => self.read_user_name(element),
            (names::SAML11 | names::SAML20, "Assertion") => self.read_assertion(element, position),
            (names::WSSE11, "SignatureConfirmation") => Ok(EntryKind::Confirmation),
            (names::WSSE, "SecurityTokenReference") => Ok(EntryKind::Reference),
            (names::DSIG, "Signature") => Ok(EntryKind::Signature),
            _ => Err(Error::refused("SC 9 step 5", quoted(element), "it is not understood here")),
        }
    }

    /// What came out of an `EncryptedData` of the header: nothing else may.
    pub(super) fn read_decrypted(&mut self, position: usize, node: NodeId) -> Result<(), Error> {
        let mut kind = self.with_element(node, |this, element| match (element.namespace(), element.local_name()) {
            _ if is_encrypted_token(element) => Ok(EntryKind::EncryptedToken),
            (names::DSIG, "Signature") => Ok(EntryKind::Signature),
            (names::WSSE11, "SignatureConfirmation") => Ok(EntryKind::Confirmation),
            (names::WSSE, "UsernameToken") => this.read_user_name(element),
            (names::SAML11 | names::SAML20, "Assertion") => this.read_assertion(element, position),
            _ => Err(Error::refused("SC 9 step 5", "EncryptedData", "what it holds does not belong into the header")),
        })?;
        if kind == EntryKind::EncryptedToken {
            kind = self.read_encrypted_token(node, position)?;
        }
        if let Some(entry) = self.header.entries.get_mut(position) {
            *entry = Entry { node, kind, encrypted: true };
        }
        Ok(())
    }

    fn read_timestamp(&mut self, element: Element<'_>) -> Result<EntryKind, Error> {
        if self.header.timestamp.is_some() {
            return Err(Error::malformed("SC 9 step 5", "Timestamp", "there are two"));
        }
        let timestamp = MessageTimestamp::parse(element)?;
        timestamp.check(self.now, &self.receiver.freshness())?;
        self.header.timestamp = Some(timestamp);
        Ok(EntryKind::Timestamp)
    }

    fn read_list(&mut self, list: Element<'_>, in_key: bool) -> Result<(), Error> {
        if self.header.list_position.is_some() {
            return Err(Error::malformed("SC 8.3", "ReferenceList", "there are two"));
        }
        for item in list.children() {
            let id = item.attribute("URI").and_then(|uri| uri.strip_prefix('#'));
            let id = id.filter(|_| item.is(names::XENC, "DataReference"));
            let id =
                id.ok_or_else(|| Error::malformed("SC 8.6", "ReferenceList", "it holds no DataReference by id"))?;
            if self.header.references.len() == MAX_DATA_REFERENCES {
                return Err(Error::refused("SC 8.6", "ReferenceList", "it is too long"));
            }
            self.header.references.push(id.to_owned());
        }
        self.header.list_position = Some(self.header.entries.len());
        self.header.list_is_in_key = in_key;
        Ok(())
    }

    fn read_encrypted_key(&mut self, element: Element<'_>, position: usize) -> Result<EntryKind, Error> {
        if !self.expects_encrypted_key() {
            return Err(Error::refused("SC 9 step 5", "EncryptedKey", "the binding has none in this direction"));
        }
        if self.header.of_kind(EntryKind::EncryptedKey).next().is_some() {
            return Err(Error::malformed("SC 8.3", "EncryptedKey", "there are two"));
        }
        let failed = |source| Error::Cryptography {
            requirement: "SC 6.1",
            element: "EncryptedKey",
            key: "no key yet".to_owned(),
            source: Box::new(source),
        };
        let wrapped = EncryptedKey::parse(element).map_err(failed)?;
        let sha1 = wrapped.sha1();
        let key = match self.expected.wrapped_key.filter(|known| known.sha1 == sha1) {
            Some(known) => known.key.clone(),
            None => self.unwrap(&wrapped)?,
        };
        if let Some(list) = element.child(names::XENC, "ReferenceList") {
            self.read_list(list, true)?;
        }
        let origin = Origin::EncryptedKey(sha1);
        self.add_token(
            element,
            Key { origin, material: Material::Symmetric(key), derived: false, position: Some(position) },
        );
        Ok(EntryKind::EncryptedKey)
    }

    fn unwrap(&self, wrapped: &EncryptedKey<'_>) -> Result<SymmetricKey, Error> {
        let identity = self.receiver.identity.ok_or_else(|| {
            Error::Configuration(
                "EncryptedKey (SC 6.1): the binding needs an identity (certificate and private key) to open this message"
                    .to_owned(),
            )
        })?;
        let failed = |source| Error::Cryptography {
            requirement: "SC 6.1",
            element: "EncryptedKey",
            key: format!("the private key of {}", identity.certificate().subject()),
            source: Box::new(source),
        };
        let key_info = wrapped.key_info().map_err(failed)?;
        let reference = single_reference(&key_info.ok_or_else(|| {
            Error::malformed("SC 6.1", "EncryptedKey", "it does not say which certificate it is encrypted for")
        })?)?;
        if !reference.target.names_certificate(identity.certificate()) {
            return Err(Error::refused(
                "SC 6.1",
                "EncryptedKey",
                format!("it is for the {reference}, and ours is {}", named(identity.certificate())),
            ));
        }
        let suite = &self.receiver.binding.suite;
        let unwrapped =
            wrapped.unwrap_with_private_key(identity.key(), suite.default_key_length(), &suite.decrypt_policy());
        unwrapped.map_err(failed)
    }

    fn read_context(&mut self, element: Element<'_>, position: usize) -> Result<EntryKind, Error> {
        let is_context =
            |kind: &TokenKind| matches!(kind, TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. });
        let sessions = self.receiver.sessions.filter(|_| self.expects(is_context)).ok_or_else(|| {
            Error::refused("SC 9 step 5", "SecurityContextToken", "the binding has none in this direction")
        })?;
        // A session that was established under a negotiated context has both in the request that renews it.
        if self.header.of_kind(EntryKind::Context).count() == self.expected_count(is_context) {
            return Err(Error::malformed("SC 9 step 5", "SecurityContextToken", "there are too many"));
        }
        let token = SecurityContextToken::parse(element)?;
        let key = sessions.by_token(&token, self.now).map_err(|error| session_error(error, &token.context))?;
        let origin = Origin::Context(token.context);
        self.add_token(
            element,
            Key { origin, material: Material::Symmetric(key), derived: false, position: Some(position) },
        );
        Ok(EntryKind::Context)
    }

    fn read_certificate(&mut self, element: Element<'_>, position: usize) -> Result<EntryKind, Error> {
        let read = |der: &[u8]| self.receiver.read_certificate(der);
        let BinarySecurityToken { certificate, .. } = BinarySecurityToken::parse_with(element, read)?;
        if !self.may_include_certificate() {
            return Err(Error::refused(
                "SC 9 step 12",
                "BinarySecurityToken",
                "the binding has none in this direction",
            ));
        }
        if self.header.of_kind(EntryKind::Certificate).count() == MAX_CERTIFICATES {
            return Err(Error::refused("SC 9 step 12", "BinarySecurityToken", "there are too many"));
        }
        self.receiver.check_trust(&certificate, self.now)?;
        let origin = Origin::Certificate(certificate.clone());
        let material = Material::Public(certificate);
        self.add_token(element, Key { origin, material, derived: false, position: Some(position) });
        Ok(EntryKind::Certificate)
    }

    /// The password is validated when the message is verified; see [`Opening::check_user_names`].
    fn read_user_name(&mut self, element: Element<'_>) -> Result<EntryKind, Error> {
        if !self.expects(|kind| *kind == TokenKind::UserName) || !self.header.user_names.is_empty() {
            return Err(Error::refused("SC 9 step 12", "UsernameToken", "the binding has none here, or only one"));
        }
        self.header.user_names.push(UserNameToken::parse(element)?);
        Ok(EntryKind::UserName)
    }

    pub(super) fn read_assertion(&mut self, element: Element<'_>, position: usize) -> Result<EntryKind, Error> {
        let validator = self.assertion_validator()?;
        let id = token_id(element).ok_or_else(|| Error::malformed("SC 9 step 12", "Assertion", "it has no id"))?;
        let proof = validator
            .validate(element, self.now)
            .map_err(|reason| Error::TokenRejected { token: "assertion", reason })?;
        let material = match proof {
            ProofKey::Symmetric(key) => Material::Symmetric(key),
            ProofKey::Certificate(certificate) => Material::Public(certificate),
            ProofKey::Public(key) => Material::Bare(key),
            ProofKey::Bearer => Material::None,
        };
        let origin = Origin::Issued(id.to_owned());
        self.add_token(element, Key { origin, material, derived: false, position: Some(position) });
        Ok(EntryKind::Assertion)
    }

    /// Who decides about the assertion of this message, if it may have one, and one more.
    pub(super) fn assertion_validator(&self) -> Result<&'a dyn IssuedTokenValidator, Error> {
        let expected = self.expects(|kind| matches!(kind, TokenKind::Issued(_)));
        let validator = self.receiver.issued_tokens.filter(|_| expected);
        let validator = validator
            .ok_or_else(|| Error::refused("SC 9 step 12", "Assertion", "the binding has none in this direction"))?;
        match self.header.of_kind(EntryKind::Assertion).next() {
            Some(_) => Err(Error::malformed("SC 9 step 12", "Assertion", "there are two")),
            None => Ok(validator),
        }
    }

    fn add_token(&mut self, element: Element<'_>, key: Key) {
        self.keys.add(token_id(element), key);
    }

    fn derive_keys(&mut self) -> Result<(), Error> {
        let tokens: Vec<(usize, NodeId)> =
            self.header.of_kind(EntryKind::DerivedKey).map(|(position, entry)| (position, entry.node)).collect();
        let endorsing =
            self.supporting().iter().filter(|token| token.role.endorses() && token.parameters.require_derived_keys);
        if tokens.len() > 2 * (2 + endorsing.count()) {
            return Err(Error::refused("SC 5.2", "DerivedKeyToken", "there are too many"));
        }
        let suite = &self.receiver.binding.suite;
        let max_length = suite.encryption_key_length().max(suite.signature_key_length());
        for (position, node) in tokens {
            let token = DerivedKeyToken::parse(self.element(node)?, max_length)?;
            let source = self.resolve(&token.source)?;
            self.check_precedes(&source, position, "DerivedKeyToken")?;
            let Material::Symmetric(secret) = &source.material else {
                return Err(Error::refused("SC 5.2", "DerivedKeyToken", format!("the {} has no secret", token.source)));
            };
            if source.derived || !suite.key_lengths().contains(&secret.len()) {
                return Err(Error::refused(
                    "SC 5.4",
                    "DerivedKeyToken",
                    "its source is derived, or not of the suite's length",
                ));
            }
            let material = Material::Symmetric(token.derive(secret));
            let key = Key { origin: source.origin.clone(), material, derived: true, position: Some(position) };
            self.keys.add(token.id.as_deref(), key);
        }
        Ok(())
    }

    fn check_timestamp_position(&self) -> Result<(), Error> {
        let Some((position, _)) = self.header.of_kind(EntryKind::Timestamp).next() else { return Ok(()) };
        let holds = match self.receiver.binding.layout {
            HeaderLayout::Strict | HeaderLayout::Lax => true,
            HeaderLayout::LaxTimestampFirst => position == 0,
            HeaderLayout::LaxTimestampLast => position + 1 == self.header.entries.len(),
        };
        holds.then_some(()).ok_or_else(|| {
            Error::refused("SC 8.3", "Timestamp", format!("it is not where {:?} has it", self.receiver.binding.layout))
        })
    }

    /// `Strict`: what is referred to stands before the reference.
    pub(super) fn check_precedes(&self, key: &Key, position: usize, element: &str) -> Result<(), Error> {
        let strict = self.receiver.binding.layout == HeaderLayout::Strict;
        if strict && key.position.is_some_and(|token| token >= position) {
            return Err(Error::refused("SC 8.3", element, "under the Strict layout its token has to stand before it"));
        }
        Ok(())
    }

    /// Sign-then-encrypt: a receiver knows what an `EncryptedData` of the header is for when it meets it.
    pub(super) fn check_list_precedes(&self, position: usize) -> Result<(), Error> {
        if self.receiver.binding.protection_order == ProtectionOrder::EncryptBeforeSign
            || self.header.list_position.is_some_and(|list| list < position)
        {
            return Ok(());
        }
        Err(Error::refused("SC 8.3", "EncryptedData", "no ReferenceList stands before it"))
    }
}

/// A client has one; a chain is not taken from messages.
const MAX_CERTIFICATES: usize = 2;

pub(super) fn quoted(element: Element<'_>) -> String {
    format!("{:?}", element.local_name().chars().take(64).collect::<String>())
}

impl KeyTable {
    /// A token of the header that no reference used.
    pub(super) fn unused(&self) -> bool {
        self.tokens
            .iter()
            .any(|token| !token.used && !token.key.derived && !matches!(token.key.material, Material::None))
    }
}
