//! From the data model to XML, and signing it.

mod saml11;
mod saml20;

use crate::read::ORIGINAL_ISSUER_NAMESPACES;
use crate::{Assertion, Attribute, Conditions, Error, Version};
use handstamp_keys::SigningIdentity;
use handstamp_time::Timestamp;
use handstamp_xml::{Document, ParseOptions, Writer, names};
use handstamp_xml_security::algorithm::{DigestMethod, SignatureMethod};
use handstamp_xml_security::signature::{Place, Signer, SigningKey};

impl Assertion {
    /// The assertion as canonical XML, without a signature: good for nothing but tests and tools.
    ///
    /// `Advice` and authorization decisions are not part of the model, so an assertion that was read comes out without them.
    ///
    /// # Errors
    /// [`Error::Xml`] when a text holds a character that XML does not allow.
    pub fn to_xml(&self) -> Result<String, Error> {
        let out = match self.version {
            Version::Saml11 => saml11::write(self),
            Version::Saml20 => saml20::write(self),
        };
        Ok(out.finish()?)
    }

    /// The assertion with an enveloped signature by `identity`, its certificate in `X509Data`: RSA-SHA256, or ECDSA with
    /// SHA-256, 384 or 512 by the key's curve.
    ///
    /// # Errors
    /// [`Error::Signing`]; [`Error::Xml`] as for [`Self::to_xml`].
    pub fn sign(&self, identity: &SigningIdentity) -> Result<String, Error> {
        self.sign_with(identity, SignatureMethod::default_for(identity.key().kind()))
    }

    /// As [`Self::sign`], with this algorithm: for relying parties that know no other than RSA-SHA1.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_with(&self, identity: &SigningIdentity, method: SignatureMethod) -> Result<String, Error> {
        let mut signer =
            Signer::new(method, SigningKey::Private(identity.key())).with_certificate(identity.certificate());
        if method == SignatureMethod::RsaSha1 {
            // Who knows no RSA with SHA-2 knows no digest of it either.
            signer = signer.with_digest_method(DigestMethod::Sha1);
        }
        if self.uses_value_types() {
            // The types of values are names in content, which exclusive canonicalization does not see by itself.
            signer = signer.with_prefix_list([VALUE_TYPE_PREFIX]);
        }
        let document = Document::parse(self.to_xml()?, &ParseOptions::default())?;
        let root = document.root();
        let place = match root.child(names::SAML20, "Issuer") {
            Some(issuer) if self.version == Version::Saml20 => Place::After(issuer),
            _ => Place::LastChild,
        };
        signer.sign_enveloped(&self.id, root, place).map_err(Error::Signing)
    }

    fn uses_value_types(&self) -> bool {
        self.attributes.iter().flat_map(|attribute| &attribute.values).flatten().any(|value| value.value_type.is_some())
    }
}

/// An actor: its attributes in an element of no namespace, as WIF nests them.
pub(crate) fn actor_markup(attributes: &[Attribute], version: Version) -> Result<String, Error> {
    let mut out = Writer::new();
    out.start("", "", "Actor");
    for attribute in attributes {
        write_attribute(attribute, version, &mut out);
    }
    out.end();
    Ok(out.finish()?)
}

const VALUE_TYPE_PREFIX: &str = "tn";

/// The prefix of assertion elements: WIF writes 1.1 with `saml`, and 2.0 without.
const fn prefix(version: Version) -> &'static str {
    match version {
        Version::Saml11 => "saml",
        Version::Saml20 => "",
    }
}

fn start(name: &str, version: Version, out: &mut Writer) {
    out.start(prefix(version), version.namespace(), name);
}

fn text_element(name: &str, text: &str, version: Version, out: &mut Writer) {
    out.element(prefix(version), version.namespace(), name, text);
}

fn optional<T: AsRef<str>>(name: &str, value: &Option<T>, out: &mut Writer) {
    if let Some(value) = value {
        out.attribute(name, value.as_ref());
    }
}

fn optional_time(name: &str, time: Option<Timestamp>, out: &mut Writer) {
    if let Some(time) = time {
        out.attribute(name, &time.milliseconds().to_string());
    }
}

fn write_conditions(conditions: &Conditions, version: Version, out: &mut Writer) {
    start("Conditions", version, out);
    optional_time("NotBefore", conditions.not_before, out);
    optional_time("NotOnOrAfter", conditions.not_on_or_after, out);
    let audience_element = match version {
        Version::Saml11 => "AudienceRestrictionCondition",
        Version::Saml20 => "AudienceRestriction",
    };
    for audiences in &conditions.audience_restrictions {
        start(audience_element, version, out);
        for audience in audiences {
            text_element("Audience", audience, version, out);
        }
        out.end();
    }
    if version == Version::Saml11 && conditions.do_not_cache {
        text_element("DoNotCacheCondition", "", version, out);
    }
    if version == Version::Saml20 && conditions.one_time_use {
        text_element("OneTimeUse", "", version, out);
    }
    if let Some(restriction) = conditions.proxy_restriction.as_ref().filter(|_| version == Version::Saml20) {
        start("ProxyRestriction", version, out);
        optional("Count", &restriction.count.map(|count| count.to_string()), out);
        for audience in &restriction.audiences {
            text_element("Audience", audience, version, out);
        }
        out.end();
    }
    out.end();
}

fn write_attribute(attribute: &Attribute, version: Version, out: &mut Writer) {
    start("Attribute", version, out);
    match version {
        Version::Saml11 => {
            out.attribute("AttributeName", &attribute.name);
            out.attribute("AttributeNamespace", attribute.namespace.as_deref().unwrap_or_default());
        }
        Version::Saml20 => {
            out.attribute("Name", &attribute.name);
            optional("NameFormat", &attribute.name_format, out);
            optional("FriendlyName", &attribute.friendly_name, out);
        }
    }
    if let Some(issuer) = &attribute.original_issuer {
        out.attribute_ns("a", ORIGINAL_ISSUER_NAMESPACES[0], "OriginalIssuer", issuer);
    }
    for value in &attribute.values {
        start("AttributeValue", version, out);
        match value {
            None => {
                out.attribute_ns("xsi", names::XSI, "nil", "true");
            }
            Some(value) => {
                if let Some((namespace, name)) = value.value_type.as_deref().and_then(|uri| uri.split_once('#')) {
                    out.declare(VALUE_TYPE_PREFIX, namespace);
                    out.attribute_ns("xsi", names::XSI, "type", &format!("{VALUE_TYPE_PREFIX}:{name}"));
                }
                out.text(&value.text);
            }
        }
        out.end();
    }
    out.end();
}
