//! Making signatures: `SignedInfo` is written in canonical form, so that it need not be canonicalized again.

use crate::algorithm::{DigestMethod, SignatureMethod};
use crate::error::Error;
use crate::octets::to_base64;
use crate::signature::writing::{SignedInfo, SigningKey};
use handstamp_keys::{Certificate, DigestValue};
use handstamp_xml::escape::attribute_value;
use handstamp_xml::{Document, Element, c14n, names};

/// Makes `ds:Signature` elements with one key (XML Signature §3.1).
///
/// Every reference and `SignedInfo` itself use Exclusive C14N; the signature declares its namespace as the default one,
/// as WCF and WIF write it.
#[derive(Debug, Clone)]
pub struct Signer<'k> {
    key: SigningKey<'k>,
    method: SignatureMethod,
    digest_method: DigestMethod,
    prefix_list: Vec<String>,
    key_info: String,
    id: Option<String>,
}

/// Where a new signature goes inside the element that it covers.
#[derive(Debug, Clone, Copy)]
pub enum Place<'d> {
    /// Before everything else (SAML 2.0 metadata).
    FirstChild,
    /// Behind everything else (SAML 1.1).
    LastChild,
    /// Right behind this child (SAML 2.0: behind `Issuer`).
    After(Element<'d>),
}

/// One reference to sign: what it is called, and the digest of its canonical octets.
#[derive(Debug, Clone)]
pub struct SignedReference {
    uri: String,
    enveloped: bool,
    prefix_list: Vec<String>,
    digest: DigestValue,
}

impl<'k> Signer<'k> {
    /// A signer with SHA-256 digests and no `KeyInfo`.
    pub fn new(method: SignatureMethod, key: SigningKey<'k>) -> Self {
        Self {
            key,
            method,
            digest_method: DigestMethod::Sha256,
            prefix_list: Vec::new(),
            key_info: String::new(),
            id: None,
        }
    }

    /// Digests references with another method.
    #[must_use]
    pub fn with_digest_method(mut self, method: DigestMethod) -> Self {
        self.digest_method = method;
        self
    }

    /// Covers the declarations of these prefixes too (`InclusiveNamespaces`): for prefixes that only content uses,
    /// such as the `xs` of `xsi:type="xs:string"`.
    #[must_use]
    pub fn with_prefix_list(mut self, prefixes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.prefix_list = prefixes.into_iter().map(Into::into).collect();
        self
    }

    /// Puts the certificate into `KeyInfo/X509Data`.
    #[must_use]
    pub fn with_certificate(self, certificate: &Certificate) -> Self {
        let der = to_base64(certificate.der());
        self.with_key_info(&format!("<X509Data><X509Certificate>{der}</X509Certificate></X509Data>"))
    }

    /// Puts this content, canonical XML whose default namespace is XML Signature's, into `KeyInfo`.
    #[must_use]
    pub fn with_key_info(mut self, content: &str) -> Self {
        content.clone_into(&mut self.key_info);
        self
    }

    /// Gives the signature an `Id`, so that another signature can cover it.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Digests an element that the message carries; `id` is the value of its id attribute.
    pub fn reference(&self, id: &str, element: Element<'_>) -> SignedReference {
        let mut octets = Vec::with_capacity(1024);
        c14n::canonicalize(element, &self.canonicalization(), None, &mut octets);
        self.reference_to_octets(id, &octets)
    }

    /// The same for octets that are canonical already, such as those that [`handstamp_xml::Writer`] emits.
    pub fn reference_to_octets(&self, id: &str, canonical: &[u8]) -> SignedReference {
        SignedReference {
            uri: format!("#{id}"),
            enveloped: false,
            prefix_list: self.prefix_list.clone(),
            digest: self.digest_method.algorithm().digest(canonical),
        }
    }

    /// The signature over these references, as canonical XML.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when the key is of another kind than the algorithm.
    pub fn sign(&self, references: &[SignedReference]) -> Result<String, Error> {
        self.sign_with_objects(references, "")
    }

    /// An enveloping signature: the `ds:Object` with this id and content, canonical XML whose default namespace is XML
    /// Signature's, stands inside the signature and is what it covers.
    pub fn sign_enveloping(&self, id: &str, content: &str) -> Result<String, Error> {
        let id = attribute_value(id);
        let standalone = format!(r#"<Object xmlns="{}" Id="{id}">{content}</Object>"#, names::DSIG);
        let reference = self.reference_to_octets(&id, standalone.as_bytes());
        self.sign_with_objects(&[reference], &format!(r#"<Object Id="{id}">{content}</Object>"#))
    }

    /// The document with an enveloped signature over `target` put into it; `id` is the value of the target's id
    /// attribute, empty for a target that is the root and is referred to as the whole document.
    ///
    /// # Errors
    /// [`Error::Malformed`] when `target` has no content to put a signature into.
    pub fn sign_enveloped(&self, id: &str, target: Element<'_>, place: Place<'_>) -> Result<String, Error> {
        let mut octets = Vec::with_capacity(4096);
        let canonicalization = self.canonicalization();
        if id.is_empty() {
            c14n::canonicalize_document(target.document(), &canonicalization, None, &mut octets);
        } else {
            c14n::canonicalize(target, &canonicalization, None, &mut octets);
        }
        let mut reference = self.reference_to_octets(id, &octets);
        reference.enveloped = true;
        if id.is_empty() {
            reference.uri.clear();
        }
        let signature = self.sign(&[reference])?;
        insert(target.document(), target, place, &signature)
    }

    fn sign_with_objects(&self, references: &[SignedReference], objects: &str) -> Result<String, Error> {
        let mut signed_info = SignedInfo::new(self.method, self.digest_method);
        for reference in references {
            signed_info.push(&reference.uri, reference.enveloped, &reference.prefix_list, &reference.digest);
        }
        let mut out = String::with_capacity(2048);
        signed_info.write_signature(self.key, self.id.as_deref(), &self.key_info, objects, &mut out)?;
        Ok(out)
    }

    fn canonicalization(&self) -> c14n::Method {
        c14n::Method { prefix_list: self.prefix_list.clone(), ..c14n::Method::exclusive() }
    }
}

/// Behind the first `>` that stands in no attribute value.
fn end_of_start_tag(markup: &str) -> Option<usize> {
    let mut quote = None;
    markup
        .bytes()
        .position(|byte| match (quote, byte) {
            (None, b'>') => true,
            (None, b'"' | b'\'') => {
                quote = Some(byte);
                false
            }
            (Some(open), _) if open == byte => {
                quote = None;
                false
            }
            _ => false,
        })
        .map(|at| at + 1)
}

/// Puts markup into the source of a document. The text around it stays as it is, byte for byte.
fn insert(document: &Document, target: Element<'_>, place: Place<'_>, markup: &str) -> Result<String, Error> {
    let source = document.source();
    let at = match place {
        Place::After(sibling) => sibling.source_range().end,
        Place::FirstChild => {
            let range = target.source_range();
            let end_of_tag = end_of_start_tag(&source[range.clone()]).filter(|_| !target.source().ends_with("/>"));
            range.start
                + end_of_tag.ok_or_else(|| Error::malformed("Signature", "its place is an empty-element tag"))?
        }
        Place::LastChild => {
            let range = target.source_range();
            let end_tag = source[range.clone()].rfind("</").filter(|_| !target.source().ends_with("/>"));
            range.start + end_tag.ok_or_else(|| Error::malformed("Signature", "its place is an empty-element tag"))?
        }
    };
    let mut signed = String::with_capacity(source.len() + markup.len());
    signed.push_str(&source[..at]);
    signed.push_str(markup);
    signed.push_str(&source[at..]);
    Ok(signed)
}

#[cfg(test)]
mod tests {
    use super::end_of_start_tag;

    #[test]
    fn start_tags_end_behind_their_attributes() {
        for (markup, tag) in [("<a><b/></a>", "<a>"), (r#"<a b="x>'y" c='>"'>t</a>"#, r#"<a b="x>'y" c='>"'>"#)] {
            assert_eq!(end_of_start_tag(markup), Some(tag.len()));
        }
        assert_eq!(end_of_start_tag(r#"<a b=">"#), None);
    }
}
