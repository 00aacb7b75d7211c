//! Symmetric and asymmetric bindings: one pass, in which each part is digested as it is written.

use crate::binding::{HeaderLayout, Protection, ProtectionLevel, ProtectionOrder, TokenKind};
use crate::error::Error;
use crate::send::Protected;
use crate::send::envelope::Declared;
use crate::send::message::HeaderBlock;
use crate::send::primary::{Encryption, KeyIds, Primary};
use crate::send::protecting::{Confirmation, Protecting, Supporting, not_encrypted};
use crate::version::WssVersion;
use handstamp_keys::DigestValue;
use handstamp_xml::{escape, names};
use handstamp_xml_security::encryption::{EncryptedType, Encryptor};
use handstamp_xml_security::signature::SignedInfo;

/// What gets encrypted.
#[derive(Clone, Copy)]
struct Confidential {
    /// Anything.
    any: bool,
    /// The signatures, and with them their confirmations.
    signatures: bool,
}

/// What the primary signature covers and what is encrypted, as far as it was written.
struct Parts {
    confidential: Confidential,
    signed: SignedInfo,
    /// The identifiers of all `EncryptedData`, in the order of the list.
    data: Vec<String>,
    signature_data_id: Option<String>,
}

impl Parts {
    /// Draws an identifier for the `EncryptedData` of something.
    fn list(&mut self, id: String) -> String {
        self.data.push(id.clone());
        id
    }

    fn write_list(&self, primary: &Primary<'_>, out: &mut String) {
        let in_key = primary.wrapped_key.as_ref().is_some_and(|key| key.holds_list);
        if self.data.is_empty() || in_key {
            return;
        }
        out.extend(["<e:ReferenceList xmlns:e=\"", names::XENC, "\">"]);
        for id in &self.data {
            out.extend(["<e:DataReference URI=\"#", id, "\"></e:DataReference>"]);
        }
        out.push_str("</e:ReferenceList>");
    }
}

impl<'s> Protecting<'s> {
    /// Protects the message, with the header in WCF's order (SC 8.3).
    pub(super) fn by_message_security(mut self) -> Result<Protected, Error> {
        let confidential = self.confidential()?;
        let endorses = self.supporting_tokens().any(|token| token.role.endorses());
        let (key_ids, mut confirmations, signature_id) = self.draw_key_ids(confidential, endorses)?;
        let primary = self.primary(key_ids, confidential.any)?;
        let suite = &self.binding().suite;
        let signed = SignedInfo::new(primary.signing_key.method(suite), suite.digest());
        let mut parts = Parts { confidential, signed, data: Vec::new(), signature_data_id: None };

        let body = self.write_body(&primary, &mut parts)?;
        let mut out = String::with_capacity(body.len() + 8192);
        self.frame.start(&mut out);
        self.write_headers(&primary, &mut parts, &mut out)?;
        let mut supporting = self.supporting()?;
        self.draw_data_ids(&mut parts, &mut supporting, &mut confirmations);

        self.start_security(&mut out);
        let timestamp = self.covered_timestamp(&mut parts);
        let timestamp_is_last = self.binding().layout == HeaderLayout::LaxTimestampLast;
        if !timestamp_is_last {
            out.push_str(&timestamp);
        }
        self.write_primary_tokens(&primary, &mut parts, &mut out)?;
        if !self.encrypts_first() {
            parts.write_list(&primary, &mut out);
        }
        self.write_supporting(&primary, &mut parts, &supporting, &mut out)?;
        self.write_confirmations(&primary, &mut parts, &confirmations, &mut out)?;
        self.write_signatures(&primary, &parts, signature_id.as_deref(), &supporting, &mut out)?;
        if self.encrypts_first() {
            parts.write_list(&primary, &mut out);
        }
        if timestamp_is_last {
            out.push_str(&timestamp);
        }
        out.extend(["</o:Security></s:Header>", &body, "</s:Envelope>"]);
        Ok(Protected { envelope: out, request: self.request })
    }

    /// What is confidential in this message; when anything is, the signatures are too (SC 8.7).
    fn confidential(&self) -> Result<Confidential, Error> {
        let message = self.frame.message;
        let body = message.protection == ProtectionLevel::EncryptAndSign;
        let headers = message.headers.iter().any(|block| block.level == ProtectionLevel::EncryptAndSign);
        if headers && self.binding().version.wss == WssVersion::V10 {
            return Err(Error::Configuration(
                "WS-Security 1.0 cannot encrypt a header: set messageSecurityVersion to a WSSecurity11 set".to_owned(),
            ));
        }
        let tokens = self.supporting_tokens().any(|token| token.role.is_encrypted());
        let any = body || headers || tokens;
        let order = self.binding().protection_order;
        Ok(Confidential { any, signatures: any && order == ProtectionOrder::SignBeforeEncryptAndEncryptSignature })
    }

    /// Draws identifiers in WCF's order of work (SC 8.12): keys, confirmations, the primary signature if others refer to it.
    fn draw_key_ids(
        &mut self,
        confidential: Confidential,
        endorses: bool,
    ) -> Result<(KeyIds, Vec<Confirmation>, Option<String>), Error> {
        let mut ids = KeyIds { wrapped: None, signing: None, encryption: None };
        let (derives_signing, derives_encryption) = match &self.binding().protection {
            Protection::Symmetric { token } => {
                if token.kind == TokenKind::X509 && self.sender.is_client() {
                    ids.wrapped = Some(self.ids.token());
                }
                let derives = token.require_derived_keys && self.kept_keys().is_none();
                (derives, derives)
            }
            Protection::Asymmetric { recipient, .. } => {
                ids.wrapped = confidential.any.then(|| self.ids.number());
                (false, confidential.any && recipient.require_derived_keys)
            }
            Protection::Transport => (false, false),
        };
        if self.encrypts_first() {
            ids.encryption = derives_encryption.then(|| self.ids.number());
        }
        ids.signing = derives_signing.then(|| self.ids.number());
        let confirmations = self.confirmations()?;
        let signature_id = endorses.then(|| self.ids.number());
        if !self.encrypts_first() {
            ids.encryption = derives_encryption.then(|| self.ids.number());
        }
        Ok((ids, confirmations, signature_id))
    }

    fn write_body(&mut self, primary: &Primary<'_>, parts: &mut Parts) -> Result<String, Error> {
        let (message, algorithm) = (self.frame.message, self.digest_algorithm());
        let content = message.body.xml();
        if message.protection == ProtectionLevel::None {
            return Ok(["<s:Body>", content, "</s:Body>"].concat());
        }
        let encrypts = message.protection == ProtectionLevel::EncryptAndSign;
        let mut data_id = None;
        if encrypts && self.encrypts_first() {
            data_id = Some(parts.list(self.ids.number()));
        }
        let id = self.ids.number();
        if encrypts && !self.encrypts_first() {
            data_id = Some(parts.list(self.ids.number()));
        }
        if !(encrypts && self.encrypts_first()) {
            let digest = self.frame.digest_body(algorithm, &id, content, message.body.redundant())?;
            parts.signed.reference(&id, &digest);
        }
        let mut out = String::with_capacity(content.len() * 4 / 3 + 1024);
        out.extend(["<s:Body u:Id=\"", &id, "\">"]);
        let start = out.len();
        match &data_id {
            Some(data_id) => {
                let encryption = needed(&primary.encryption)?;
                self.encrypt(encryption, &encryption.reference, data_id, EncryptedType::Content, content, &mut out)?;
            }
            None => out.push_str(content),
        }
        if encrypts && self.encrypts_first() {
            let written = out.get(start..).unwrap_or_default();
            let digest = self.frame.digest_body(algorithm, &id, written, Some(&[]))?;
            parts.signed.reference(&id, &digest);
        }
        out.push_str("</s:Body>");
        Ok(out)
    }

    fn write_headers(&mut self, primary: &Primary<'_>, parts: &mut Parts, out: &mut String) -> Result<(), Error> {
        let algorithm = self.digest_algorithm();
        for header in self.frame.addressing_headers() {
            let id = self.ids.number();
            let start = out.len();
            self.frame.write_header(&header, Some(&id), out)?;
            let written = out.get(start..).unwrap_or_default();
            parts.signed.reference(&id, &self.frame.digest_header(algorithm, &header, written));
        }
        let message = self.frame.message;
        for block in &message.headers {
            match block.level {
                ProtectionLevel::None => out.push_str(&block.xml),
                ProtectionLevel::Sign => {
                    let xml = self.sign_block(block, parts)?;
                    out.push_str(&xml);
                }
                ProtectionLevel::EncryptAndSign => self.write_encrypted_block(block, primary, parts, out)?,
            }
        }
        Ok(())
    }

    fn sign_block(&mut self, block: &HeaderBlock, parts: &mut Parts) -> Result<String, Error> {
        let id = block.id.clone().unwrap_or_else(|| self.ids.number());
        let (xml, digest) = self.frame.identify_block(self.digest_algorithm(), block, &id)?;
        parts.signed.reference(&id, &digest);
        Ok(xml)
    }

    /// `EncryptedHeader` of WSS 1.1 (SC 8.6). Its plaintext is signed, or under `EncryptBeforeSign` itself.
    fn write_encrypted_block(
        &mut self,
        block: &HeaderBlock,
        primary: &Primary<'_>,
        parts: &mut Parts,
        out: &mut String,
    ) -> Result<(), Error> {
        let plaintext = if self.encrypts_first() { block.xml.clone() } else { self.sign_block(block, parts)? };
        let start = out.len();
        out.extend(["<k:EncryptedHeader xmlns:k=\"", names::WSSE11, "\""]);
        let name_end = out.len() - start;
        let id = self.encrypts_first().then(|| self.ids.number());
        if let Some(id) = &id {
            out.extend([" u:Id=\"", id, "\""]);
        }
        for (name, value) in &block.soap_attributes {
            out.extend([" s:", name, "=\"", &escape::attribute_value(value), "\""]);
        }
        out.push('>');
        let data_id = parts.list(self.ids.number());
        let encryption = needed(&primary.encryption)?;
        self.encrypt(encryption, &encryption.reference, &data_id, EncryptedType::Element, &plaintext, out)?;
        out.push_str("</k:EncryptedHeader>");
        if let Some(id) = &id {
            let declared = if block.soap_attributes.is_empty() { Declared::Utility } else { Declared::SoapUtility };
            let written = out.get(start..).unwrap_or_default();
            parts.signed.reference(id, &self.frame.digest(self.digest_algorithm(), declared, written, name_end));
        }
        Ok(())
    }

    /// The other `EncryptedData`: signature, tokens or confirmations, endorsing signatures.
    fn draw_data_ids(
        &mut self,
        parts: &mut Parts,
        supporting: &mut [Supporting<'_>],
        confirmations: &mut [Confirmation],
    ) {
        let signatures = parts.confidential.signatures;
        if signatures {
            parts.signature_data_id = Some(parts.list(self.ids.number()));
        }
        for token in supporting.iter_mut().filter(|token| token.role.is_encrypted()) {
            token.data_id = Some(parts.list(self.ids.number()));
        }
        if signatures {
            for confirmation in confirmations {
                confirmation.data_id = Some(parts.list(self.ids.number()));
            }
            for token in supporting.iter_mut().filter(|token| token.endorsement.is_some()) {
                token.signature_data_id = Some(parts.list(self.ids.number()));
            }
        }
    }

    fn covered_timestamp(&mut self, parts: &mut Parts) -> String {
        if !self.binding().include_timestamp {
            return String::new();
        }
        let id = self.ids.token();
        let (timestamp, digest) = self.timestamp(&id);
        parts.signed.reference(&id, &digest);
        timestamp
    }

    fn write_primary_tokens(&self, primary: &Primary<'_>, parts: &mut Parts, out: &mut String) -> Result<(), Error> {
        let protect = self.binding().protect_tokens;
        if let Some(token) = &primary.token {
            out.push_str(&token.xml);
            if protect {
                let digest = self.digest(token.digested());
                self.cover(token.id.as_deref(), &digest, parts)?;
            }
        }
        if let Some(key) = &primary.wrapped_key {
            let listed = if key.holds_list { parts.data.as_slice() } else { &[] };
            let xml = key.wrapped.to_xml(&key.id, &key.reference, listed.iter().map(String::as_str));
            if protect && primary.token.is_none() {
                parts.signed.reference(&key.id, &self.digest(&xml));
            }
            out.push_str(&xml);
        }
        out.push_str(primary.signing_derivation.as_deref().unwrap_or_default());
        out.push_str(primary.encryption_derivation.as_deref().unwrap_or_default());
        Ok(())
    }

    fn write_supporting(
        &mut self,
        primary: &Primary<'_>,
        parts: &mut Parts,
        supporting: &[Supporting<'_>],
        out: &mut String,
    ) -> Result<(), Error> {
        for Supporting { role, token, covered_through, endorsement, data_id, .. } in supporting {
            match data_id {
                Some(data_id) => {
                    let start = out.len();
                    let encryption = needed(&primary.encryption)?;
                    let reference = &encryption.reference;
                    self.encrypt(encryption, reference, data_id, EncryptedType::Element, &token.xml, out)?;
                    if role.is_signed() && self.encrypts_first() {
                        let digest = self.digest(out.get(start..).unwrap_or_default());
                        parts.signed.reference(data_id, &digest);
                    }
                }
                None => out.push_str(&token.xml),
            }
            if let Some((id, reference)) = covered_through {
                out.push_str(reference);
                parts.signed.token_reference(id, token.digested());
            } else if role.is_signed() && !(data_id.is_some() && self.encrypts_first()) {
                let digest = self.digest(token.digested());
                self.cover(token.id.as_deref(), &digest, parts)?;
            }
            let derivation = endorsement.as_ref().and_then(|endorsement| endorsement.derivation.as_deref());
            out.push_str(derivation.unwrap_or_default());
        }
        Ok(())
    }

    fn write_confirmations(
        &mut self,
        primary: &Primary<'_>,
        parts: &mut Parts,
        confirmations: &[Confirmation],
        out: &mut String,
    ) -> Result<(), Error> {
        for Confirmation { id, xml, data_id } in confirmations {
            parts.signed.reference(id, &self.digest(xml));
            self.write_element(primary, data_id.as_deref(), xml, out)?;
        }
        Ok(())
    }

    /// The primary signature, then those that endorse it, each over nothing else (SC 6.1).
    fn write_signatures(
        &mut self,
        primary: &Primary<'_>,
        parts: &Parts,
        id: Option<&str>,
        supporting: &[Supporting<'_>],
        out: &mut String,
    ) -> Result<(), Error> {
        let signature = self.sign(&parts.signed, &primary.signing_key, id, &primary.signing_reference)?;
        self.write_element(primary, parts.signature_data_id.as_deref(), &signature, out)?;
        let suite = &self.binding().suite;
        for Supporting { endorsement, signature_data_id, .. } in supporting {
            let Some(endorsement) = endorsement else { continue };
            let mut signed = SignedInfo::new(endorsement.key.method(suite), suite.digest());
            signed.reference(id.unwrap_or_default(), &self.digest(&signature));
            let endorsing = self.sign(&signed, &endorsement.key, None, &endorsement.reference)?;
            self.write_element(primary, signature_data_id.as_deref(), &endorsing, out)?;
        }
        Ok(())
    }

    /// An element of the security header, as it is or encrypted.
    fn write_element(
        &mut self,
        primary: &Primary<'_>,
        data_id: Option<&str>,
        xml: &str,
        out: &mut String,
    ) -> Result<(), Error> {
        let Some(data_id) = data_id else {
            out.push_str(xml);
            return Ok(());
        };
        let encryption = needed(&primary.encryption)?;
        self.encrypt(encryption, &encryption.reference_inside, data_id, EncryptedType::Element, xml, out)
    }

    fn encrypt(
        &mut self,
        encryption: &Encryption<'_>,
        reference: &str,
        id: &str,
        encrypted_type: EncryptedType,
        plaintext: &str,
        out: &mut String,
    ) -> Result<(), Error> {
        let encryptor = Encryptor::new(self.binding().suite.encryption(), &encryption.key).map_err(not_encrypted)?;
        let iv: [u8; 16] = self.entropy.draw()?;
        let iv = iv.get(..encryptor.iv_length()).unwrap_or(&iv);
        encryptor
            .write_encrypted_data(id, encrypted_type, reference, plaintext.as_bytes(), iv, out)
            .map_err(not_encrypted)
    }

    fn cover(&self, id: Option<&str>, digest: &DigestValue, parts: &mut Parts) -> Result<(), Error> {
        let id = id.ok_or_else(|| {
            Error::Configuration("a token that has to be signed has no identifier to refer to it by".to_owned())
        })?;
        parts.signed.reference(id, digest);
        Ok(())
    }
}

/// Keys to encrypt with were made if anything is confidential.
fn needed<'p, 'k>(encryption: &'p Option<Encryption<'k>>) -> Result<&'p Encryption<'k>, Error> {
    encryption
        .as_ref()
        .ok_or_else(|| Error::Configuration("there is no key to encrypt with under this binding".to_owned()))
}
