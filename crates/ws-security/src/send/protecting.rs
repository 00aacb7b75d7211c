//! One message on its way to the wire: what every binding has.

use crate::binding::{SecurityBinding, SupportingToken, TokenKind, TokenRole};
use crate::error::Error;
use crate::receive::RequestContext;
use crate::send::Sender;
use crate::send::credentials::{DerivedKey, IssuedProof, assertion_reference};
use crate::send::entropy::{Entropy, Ids};
use crate::send::envelope::{Declared, Frame};
use crate::send::message::Message;
use crate::send::tokens::{Included, Key, inside_security, missing};
use crate::version::WssVersion;
use handstamp_keys::{DigestAlgorithm, DigestValue, SecureRandom};
use handstamp_time::Timestamp;
use handstamp_xml::names;
use handstamp_xml_security as xml_security;
use handstamp_xml_security::signature::SignedInfo;
use std::borrow::Cow;
use std::fmt::Write as _;

/// The state of protecting one message.
pub(super) struct Protecting<'s> {
    pub(super) sender: &'s Sender<'s>,
    pub(super) frame: Frame<'s>,
    pub(super) entropy: Entropy<'s>,
    pub(super) ids: Ids,
    now: Timestamp,
    /// What the reply to this message needs to know.
    pub(super) request: RequestContext,
}

/// A supporting token and what it takes to write it.
pub(super) struct Supporting<'s> {
    pub(super) role: TokenRole,
    pub(super) token: Included<'s>,
    /// The reference in the header through which the signature covers it, and its identifier (STR-Transform).
    pub(super) covered_through: Option<(String, String)>,
    /// For endorsing ones.
    pub(super) endorsement: Option<Endorsement<'s>>,
    /// Whether the binding wants its signature over `To`.
    pub(super) signs_to: bool,
    /// The identifier of its `EncryptedData`.
    pub(super) data_id: Option<String>,
    /// The identifier of the `EncryptedData` of its signature.
    pub(super) signature_data_id: Option<String>,
}

/// What endorses.
pub(super) struct Endorsement<'s> {
    pub(super) derivation: Option<String>,
    pub(super) key: Key<'s>,
    pub(super) reference: String,
}

/// A `SignatureConfirmation`, canonical.
pub(super) struct Confirmation {
    pub(super) id: String,
    pub(super) xml: String,
    /// The identifier of its `EncryptedData`.
    pub(super) data_id: Option<String>,
}

impl<'s> Protecting<'s> {
    pub(super) fn new(
        sender: &'s Sender<'s>,
        message: &'s Message,
        random: &'s dyn SecureRandom,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let entropy = Entropy::new(random);
        let ids = Ids::new(message.may_hold_ids(), &entropy)?;
        let request = RequestContext { message_id: message.message_id.clone(), ..RequestContext::default() };
        Ok(Self { sender, frame: Frame::new(message), entropy, ids, now, request })
    }

    pub(super) fn binding(&self) -> &'s SecurityBinding {
        self.sender.binding
    }

    /// Whether tokens carry the attributes of the Basic Security Profile.
    pub(super) fn profile(&self) -> bool {
        self.binding().version.basic_security_profile
    }

    pub(super) fn digest_algorithm(&self) -> DigestAlgorithm {
        self.binding().suite.digest().algorithm()
    }

    /// The digest of what is canonical.
    pub(super) fn digest(&self, canonical: &str) -> DigestValue {
        self.digest_algorithm().digest(canonical.as_bytes())
    }

    pub(super) fn start_security(&self, out: &mut String) {
        out.extend(["<o:Security xmlns:o=\"", names::WSSE, "\" s:mustUnderstand=\"1\">"]);
    }

    /// The `Timestamp` with this identifier, and its digest (SC 8.4). Empty when the binding has none.
    pub(super) fn timestamp(&self, id: &str) -> (String, DigestValue) {
        let validity = if self.sender.is_client() {
            self.binding().local_client.timestamp_validity
        } else {
            self.binding().local_service.timestamp_validity
        };
        let (created, expires) = (self.now.milliseconds(), self.now.saturating_add(validity).milliseconds());
        let mut xml = String::with_capacity(256);
        // Writing to a string does not fail.
        _ = write!(
            xml,
            "<u:Timestamp u:Id=\"{id}\"><u:Created>{created}</u:Created><u:Expires>{expires}</u:Expires></u:Timestamp>"
        );
        let digest = self.frame.digest(self.digest_algorithm(), Declared::Utility, &xml, "<u:Timestamp".len());
        (xml, digest)
    }

    pub(super) fn supporting_tokens(&self) -> impl Iterator<Item = &'s SupportingToken> + use<'s> {
        let tokens: &[SupportingToken] =
            if self.sender.is_client() { &self.sender.binding.supporting_tokens } else { &[] };
        tokens.iter()
    }

    /// The supporting tokens, in the order of the header (SC 8.3).
    pub(super) fn supporting(&mut self) -> Result<Vec<Supporting<'s>>, Error> {
        const ORDER: [TokenRole; 6] = [
            TokenRole::Signed,
            TokenRole::SignedEncrypted,
            TokenRole::Endorsing,
            TokenRole::EndorsingEncrypted,
            TokenRole::SignedEndorsing,
            TokenRole::SignedEndorsingEncrypted,
        ];
        let mut supporting = Vec::new();
        for role in ORDER {
            for token in self.supporting_tokens().filter(|token| token.role == role) {
                let covered_through = self.covered_through(token)?;
                supporting.push(Supporting { covered_through, ..self.supporting_token(token)? });
            }
        }
        Ok(supporting)
    }

    fn covered_through(&mut self, token: &SupportingToken) -> Result<Option<(String, String)>, Error> {
        let (TokenKind::Issued(parameters), Some(issued)) = (&token.parameters.kind, self.sender.issued_token) else {
            return Ok(None);
        };
        let hidden = token.role.is_encrypted() && self.encrypts_first();
        if !parameters.use_str_transform || !token.role.is_signed() || hidden || self.binding().is_transport() {
            return Ok(None);
        }
        const START: &str = "<o:SecurityTokenReference";
        let id = self.ids.number();
        let reference = self.reference_xml(&assertion_reference(&issued.id, issued.value_type))?;
        let reference = inside_security(&reference).replacen(START, &format!("{START} u:Id=\"{id}\""), 1);
        Ok(Some((id, reference)))
    }

    fn supporting_token(&mut self, token: &'s SupportingToken) -> Result<Supporting<'s>, Error> {
        let (role, parameters, signs_to) = (token.role, &token.parameters, self.names_to(token));
        let plain = |token| Supporting {
            role,
            token,
            covered_through: None,
            endorsement: None,
            signs_to,
            data_id: None,
            signature_data_id: None,
        };
        if !role.endorses() {
            return match parameters.kind {
                TokenKind::UserName => Ok(plain(self.user_name()?)),
                TokenKind::Issued(_) => Ok(plain(self.included_assertion()?)),
                _ => {
                    let source = self.supporting_source(parameters)?;
                    let included = source.and_then(|source| source.included);
                    included.map(plain).ok_or_else(not_included)
                }
            };
        }
        let source = self.supporting_source(parameters)?;
        let source = source.ok_or_else(|| missing("a supporting token with a key", "with_issued_token"))?;
        let reference = self.reference_xml(&source.reference)?;
        let derives = parameters.require_derived_keys && self.may_derive(&parameters.kind);
        let endorsement = match source.key {
            Key::Shared(secret) if derives => {
                self.check_length(&secret)?;
                let length = self.binding().suite.signature_key_length();
                let derived = DerivedKey::derive(self.ids.number(), &secret, length, &self.entropy)?;
                Endorsement {
                    derivation: Some(self.derivation(&derived, &inside_security(&reference))),
                    reference: self.derived_reference(&derived.id),
                    key: Key::Shared(Cow::Owned(derived.key)),
                }
            }
            key => Endorsement { derivation: None, key, reference },
        };
        let token = source.included.ok_or_else(not_included)?;
        Ok(Supporting { endorsement: Some(endorsement), ..plain(token) })
    }

    /// Whether the binding names `To` among what a token signs.
    pub(super) fn names_to(&self, token: &SupportingToken) -> bool {
        let namespace = self.frame.message.addressing.namespace();
        token.role.endorses() && token.signed_parts.has_header(namespace, "To")
    }

    /// Whether a private key endorses.
    pub(super) fn endorses_with_private_key(&self) -> bool {
        self.supporting_tokens().filter(|token| token.role.endorses()).any(|token| match token.parameters.kind {
            TokenKind::X509 | TokenKind::RsaKey => true,
            TokenKind::Issued(_) => {
                self.sender.issued_token.is_some_and(|token| matches!(token.proof, IssuedProof::Private(_)))
            }
            _ => false,
        })
    }

    /// In sessions over TLS that are cancelled WCF never derives keys, whatever the parameters say (finding 48).
    fn may_derive(&self, kind: &TokenKind) -> bool {
        match kind {
            TokenKind::SecureConversation(session) => !(self.binding().is_transport() && session.require_cancellation),
            _ => true,
        }
    }

    /// A reply confirms each signature of its request (SC 8.8).
    pub(super) fn confirmations(&mut self) -> Result<Vec<Confirmation>, Error> {
        if !self.binding().require_signature_confirmation || self.sender.is_client() {
            return Ok(Vec::new());
        }
        if self.binding().version.wss == WssVersion::V10 {
            return Err(Error::Configuration(
                "WS-Security 1.0 has no signature confirmation: turn requireSignatureConfirmation off, or set \
                 messageSecurityVersion to a WSSecurity11 set"
                    .to_owned(),
            ));
        }
        let request =
            self.sender.request.ok_or_else(|| missing("the request whose signatures it confirms", "answering"))?;
        let confirmation = |value: &Vec<u8>| {
            let id = self.ids.number();
            let mut xml = String::with_capacity(512);
            xml.extend(["<k:SignatureConfirmation xmlns:k=\"", names::WSSE11, "\" xmlns:u=\"", names::WSU]);
            xml.push_str("\" Value=\"");
            base64_simd::STANDARD.encode_append(value, &mut xml);
            xml.extend(["\" u:Id=\"", &id, "\"></k:SignatureConfirmation>"]);
            Confirmation { id, xml, data_id: None }
        };
        Ok(request.signature_values.iter().map(confirmation).collect())
    }

    /// Signs, and remembers the value for the confirmation.
    pub(super) fn sign(
        &mut self,
        signed_info: &SignedInfo,
        key: &Key<'_>,
        id: Option<&str>,
        reference: &str,
    ) -> Result<String, Error> {
        let mut signature = String::with_capacity(4096);
        let value =
            signed_info.sign(key.signing(), id, reference, &mut signature).map_err(|source| Error::Cryptography {
                requirement: "SC 8.5",
                element: "Signature",
                key: "the sender's key".to_owned(),
                source: Box::new(source),
            })?;
        self.request.signature_values.push(value);
        Ok(signature)
    }
}

pub(super) fn not_encrypted(source: xml_security::Error) -> Error {
    Error::Cryptography {
        requirement: "SC 8.6",
        element: "EncryptedData",
        key: "the sender's key".to_owned(),
        source: Box::new(source),
    }
}

fn not_included() -> Error {
    Error::Configuration(
        "a supporting token that messages do not include cannot be written: set its inclusion".to_owned(),
    )
}
