//! `ds:SignedInfo` and `ds:Signature` as text: canonical from the start, appended to what the caller is writing.

use crate::algorithm::{DigestMethod, ENVELOPED_SIGNATURE, STR_TRANSFORM, SignatureMethod};
use crate::error::Error;
use crate::signature::verify::str_transformed;
use handstamp_keys::{DigestValue, HmacKey, PrivateKey};
use handstamp_xml::escape::attribute_value;
use handstamp_xml::{c14n, names};

/// The key to sign with.
#[derive(Debug, Clone, Copy)]
pub enum SigningKey<'k> {
    /// An RSA or elliptic-curve private key.
    Private(&'k PrivateKey),
    /// Key octets that both ends hold, for HMAC.
    Symmetric(&'k [u8]),
}

/// A `ds:SignedInfo` under construction, for writers that digest each part of a message while they write it.
///
/// References and `SignedInfo` itself use Exclusive C14N.
///
/// ```
/// use handstamp_xml_security::algorithm::{DigestMethod, SignatureMethod};
/// use handstamp_xml_security::signature::{SignedInfo, SigningKey};
///
/// let mut signed_info = SignedInfo::new(SignatureMethod::HmacSha256, DigestMethod::Sha256);
/// let digest = DigestMethod::Sha256.algorithm().digest(br#"<a Id="_1"></a>"#);
/// signed_info.reference("_1", &digest);
/// let mut message = String::from(r#"<m><a Id="_1"/>"#);
/// let value = signed_info.sign(SigningKey::Symmetric(&[7; 24]), None, "", &mut message)?;
/// assert_eq!(value.len(), 32);
/// # Ok::<(), handstamp_xml_security::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SignedInfo {
    method: SignatureMethod,
    digest_method: DigestMethod,
    content: String,
}

impl SignedInfo {
    /// One without references.
    pub fn new(method: SignatureMethod, digest_method: DigestMethod) -> Self {
        let mut content = String::with_capacity(2048);
        content.push_str(r#"<CanonicalizationMethod Algorithm=""#);
        content.push_str(c14n::EXCLUSIVE);
        content.push_str(r#""></CanonicalizationMethod><SignatureMethod Algorithm=""#);
        content.push_str(method.uri());
        content.push_str(r#""></SignatureMethod>"#);
        Self { method, digest_method, content }
    }

    /// Adds a reference to the element with this id, whose canonical octets have this digest.
    pub fn reference(&mut self, id: &str, digest: &DigestValue) {
        self.content.push_str("<Reference URI=\"#");
        self.push_attribute(id);
        self.content.push_str(r#""><Transforms><Transform Algorithm=""#);
        self.content.push_str(c14n::EXCLUSIVE);
        self.content.push_str(r#""></Transform></Transforms>"#);
        self.push_digest(digest);
    }

    /// Adds a reference to the `SecurityTokenReference` with this id that covers the token that it names (STR-Transform, WSS §8.3).
    /// `token` is the canonical form of that token.
    pub fn token_reference(&mut self, id: &str, token: &str) {
        self.content.push_str("<Reference URI=\"#");
        self.push_attribute(id);
        self.content.extend([r#""><Transforms><Transform Algorithm=""#, STR_TRANSFORM]);
        self.content.extend([r#""><o:TransformationParameters xmlns:o=""#, names::WSSE]);
        self.content.extend([r#""><CanonicalizationMethod Algorithm=""#, c14n::EXCLUSIVE]);
        self.content.push_str(r#""></CanonicalizationMethod></o:TransformationParameters></Transform></Transforms>"#);
        let name_end = token.find([' ', '>']).unwrap_or(token.len());
        let octets = str_transformed(token.as_bytes(), name_end);
        self.push_digest(&self.digest_method.algorithm().digest(&octets));
    }

    /// Signs, and appends the `ds:Signature` to `out`: canonical, with its namespace as the default one, as WCF writes it.
    /// `key_info` is the content of its `ds:KeyInfo`, canonical XML whose default namespace is XML Signature's; without content
    /// the element is left out. Returns the octets of `SignatureValue`.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when the key is of another kind than the algorithm.
    pub fn sign(
        &self,
        key: SigningKey<'_>,
        id: Option<&str>,
        key_info: &str,
        out: &mut String,
    ) -> Result<Vec<u8>, Error> {
        self.write_signature(key, id, key_info, "", out)
    }

    pub(super) fn write_signature(
        &self,
        key: SigningKey<'_>,
        id: Option<&str>,
        key_info: &str,
        objects: &str,
        out: &mut String,
    ) -> Result<Vec<u8>, Error> {
        let value = self.value(key)?;
        out.push_str(r#"<Signature xmlns=""#);
        out.push_str(names::DSIG);
        out.push('"');
        if let Some(id) = id {
            out.push_str(r#" Id=""#);
            out.push_str(&attribute_value(id));
            out.push('"');
        }
        out.push_str("><SignedInfo>");
        out.push_str(&self.content);
        out.push_str("</SignedInfo><SignatureValue>");
        base64_simd::STANDARD.encode_append(&value, out);
        out.push_str("</SignatureValue>");
        if !key_info.is_empty() {
            out.push_str("<KeyInfo>");
            out.push_str(key_info);
            out.push_str("</KeyInfo>");
        }
        out.push_str(objects);
        out.push_str("</Signature>");
        Ok(value)
    }

    pub(super) fn push(&mut self, uri: &str, enveloped: bool, prefix_list: &[String], digest: &DigestValue) {
        self.content.push_str(r#"<Reference URI=""#);
        self.push_attribute(uri);
        self.content.push_str(r#""><Transforms>"#);
        if enveloped {
            self.content.push_str(r#"<Transform Algorithm=""#);
            self.content.push_str(ENVELOPED_SIGNATURE);
            self.content.push_str(r#""></Transform>"#);
        }
        self.content.push_str(r#"<Transform Algorithm=""#);
        self.content.push_str(c14n::EXCLUSIVE);
        self.content.push_str(r#"">"#);
        if !prefix_list.is_empty() {
            self.content.push_str(r#"<InclusiveNamespaces xmlns=""#);
            self.content.push_str(names::EXC_C14N);
            self.content.push_str(r#"" PrefixList=""#);
            self.push_attribute(&prefix_list.join(" "));
            self.content.push_str(r#""></InclusiveNamespaces>"#);
        }
        self.content.push_str("</Transform></Transforms>");
        self.push_digest(digest);
    }

    fn push_digest(&mut self, digest: &DigestValue) {
        self.content.push_str(r#"<DigestMethod Algorithm=""#);
        self.content.push_str(self.digest_method.uri());
        self.content.push_str(r#""></DigestMethod><DigestValue>"#);
        base64_simd::STANDARD.encode_append(digest.as_bytes(), &mut self.content);
        self.content.push_str("</DigestValue></Reference>");
    }

    fn push_attribute(&mut self, value: &str) {
        if value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'#')) {
            self.content.push_str(value);
        } else {
            self.content.push_str(&attribute_value(value));
        }
    }

    /// Signs the canonical form: that of an apex, which declares the namespace.
    fn value(&self, key: SigningKey<'_>) -> Result<Vec<u8>, Error> {
        let start = [r#"<SignedInfo xmlns=""#, names::DSIG, r#"">"#];
        let octets = start.into_iter().chain([self.content.as_str(), "</SignedInfo>"]);
        let value = match key {
            SigningKey::Symmetric(key) => self.method.hmac().map(|digest| {
                let mut mac = HmacKey::new(digest, key).context();
                octets.for_each(|part| mac.update(part.as_bytes()));
                Ok(mac.finish().as_bytes().to_vec())
            }),
            SigningKey::Private(key) => self.method.for_key(key.kind()).map(|algorithm| {
                let mut hasher = algorithm.digest().hasher();
                octets.for_each(|part| hasher.update(part.as_bytes()));
                key.sign_digest(algorithm, &hasher.finish()).map_err(Error::Keys)
            }),
        };
        value.unwrap_or(Err(Error::KeyMismatch { algorithm: self.method.uri() }))
    }
}
