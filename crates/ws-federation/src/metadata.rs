//! Federation metadata: how the ends learn of each other (SM §4).

use crate::{Error, Issuer, RelyingParty};
use handstamp_keys::{Certificate, CertificateTrust, KeyPolicy, SigningIdentity};
use handstamp_saml::Version;
use handstamp_time::Timestamp;
use handstamp_xml::{Document, Element, ParseOptions, Writer, names};
use handstamp_xml_security::algorithm::SignatureMethod;
use handstamp_xml_security::key_info::KeyInfo;
use handstamp_xml_security::signature::{Place, Signature, Signer, SigningKey, VerificationKey, VerifyPolicy};

/// Where metadata is by convention, below the root of a host.
pub const METADATA_PATH: &str = "/FederationMetadata/2007-06/FederationMetadata.xml";

/// A claim type that an end asks for or offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimTypeDescription {
    /// Its URI.
    pub uri: String,
    /// Its name for people.
    pub display_name: String,
    /// Whether the asking end can do without it.
    pub optional: bool,
}

impl RelyingParty {
    /// The metadata of this application (SM §4.1), to be read by its issuer: realm, reply URL, claim types asked for, and the
    /// certificate to encrypt for where there is one.
    ///
    /// With `signing`, the document is signed.
    ///
    /// # Errors
    /// Texts that XML cannot carry, or signing fails.
    pub fn metadata(
        &self,
        requested: &[ClaimTypeDescription],
        signing: Option<&SigningIdentity>,
    ) -> Result<String, Error> {
        let settings = self.settings();
        let reply = settings.reply.as_deref().unwrap_or(&settings.realm);
        let mut out = Writer::new();
        start_role(&settings.realm, "ApplicationServiceType", &mut out);
        // Only the current one: previous keys are for what issuers that have not noticed yet still send.
        if let Some(identity) = self.tokens().decryption().and_then(|decryption| decryption.identities().first()) {
            key_descriptor("encryption", identity.certificate(), &mut out);
        }
        claim_types("ClaimTypesRequested", requested, &mut out);
        fed("TargetScopes", &mut out);
        endpoint(&settings.realm, &mut out);
        out.end();
        for name in ["ApplicationServiceEndpoint", "PassiveRequestorEndpoint"] {
            fed(name, &mut out);
            endpoint(reply, &mut out);
            out.end();
        }
        out.end().end();
        finish(out, signing)
    }
}

impl Issuer {
    /// The metadata of this issuer (SM §4.2), signed with its key: signing certificates, token types, claim types offered,
    /// passive endpoint.
    ///
    /// `next` are certificates that will sign later: publish them first, so that a rollover surprises nobody.
    ///
    /// # Errors
    /// Texts that XML cannot carry, or signing fails.
    pub fn metadata(&self, offered: &[ClaimTypeDescription], next: &[Certificate]) -> Result<String, Error> {
        let settings = self.settings();
        let mut out = Writer::new();
        start_role(&settings.name, "SecurityTokenServiceType", &mut out);
        for certificate in std::iter::once(self.signing_identity().certificate()).chain(next) {
            key_descriptor("signing", certificate, &mut out);
        }
        fed("TokenTypesOffered", &mut out);
        for version in [Version::Saml20, Version::Saml11] {
            fed("TokenType", &mut out);
            out.attribute("Uri", version.token_type()).end();
        }
        out.end();
        claim_types("ClaimTypesOffered", offered, &mut out);
        for name in ["SecurityTokenServiceEndpoint", "PassiveRequestorEndpoint"] {
            fed(name, &mut out);
            endpoint(&settings.endpoint, &mut out);
            out.end();
        }
        out.end().end();
        finish(out, Some(self.signing_identity()))
    }
}

/// What must hold of an issuer's metadata before it is believed. By default: nothing but what always must.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MetadataPolicy {
    /// Who must have signed it. When none, a signature is not needed: the way by which the document came must prove it then.
    pub signers: Option<CertificateTrust>,
    /// Whose it must be; when none, anybody's. Give what the last one said, so that no other issuer takes its place.
    pub entity_id: Option<String>,
}

/// What a relying party needs to know of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerMetadata {
    /// The issuer's URI.
    pub entity_id: String,
    /// The certificates that may sign: all of them, current and next (SM-42).
    pub signing_certificates: Vec<Certificate>,
    /// The first passive endpoint.
    pub passive_endpoint: Option<String>,
    /// URIs of the claim types offered.
    pub claim_types: Vec<String>,
}

impl IssuerMetadata {
    /// Reads the metadata of an issuer, from its `SecurityTokenServiceType` role, else its `IDPSSODescriptor` (SM §4.2).
    ///
    /// A signature in the document is **not** verified: see [`Self::read_trusted`].
    ///
    /// # Errors
    /// XML that is not acceptable, or no metadata of an issuer.
    pub fn read(xml: &[u8]) -> Result<Self, Error> {
        let document = Document::parse(xml, &ParseOptions::default()).map_err(Error::Xml)?;
        Self::of(document.root())
    }

    /// Reads metadata that is to decide whom to believe.
    ///
    /// A signature that is there must hold, also where the policy asks for none. The document must be of the entity that the
    /// policy names, not be past its `validUntil`, and hold a key that may sign.
    ///
    /// # Errors
    /// As [`Self::read`]; [`Error::UntrustedMetadata`].
    pub fn read_trusted(xml: &[u8], policy: &MetadataPolicy, now: Timestamp) -> Result<Self, Error> {
        let document = Document::parse(xml, &ParseOptions::default()).map_err(Error::Xml)?;
        let root = document.root();
        verify(root, policy, now)?;
        let untrusted = |problem: String| Err(Error::UntrustedMetadata(problem));
        if let Some(until) = root.attribute("validUntil") {
            let until: Timestamp =
                until.parse().map_err(|_| Error::MalformedMetadata("its validUntil is not a time"))?;
            if until < now {
                return untrusted(format!("it was valid until {until}"));
            }
        }
        let metadata = Self::of(root)?;
        if let Some(expected) = policy.entity_id.as_ref().filter(|expected| **expected != metadata.entity_id) {
            let found = handstamp_saml::Untrusted::from(metadata.entity_id.as_str());
            return untrusted(format!("it is of {found}, not of {expected}"));
        }
        match metadata.signing_certificates.len() {
            0 => untrusted("it holds no signing certificate".to_owned()),
            1..=MAX_KEYS => Ok(metadata),
            _ => untrusted(format!("it holds more than {MAX_KEYS} signing certificates")),
        }
    }

    fn of(root: Element<'_>) -> Result<Self, Error> {
        let entity = Some(root).filter(|root| root.is(MD, "EntityDescriptor"));
        let entity_id = entity.and_then(|entity| entity.attribute("entityID"));
        let entity_id =
            entity_id.ok_or(Error::MalformedMetadata("the root is not an EntityDescriptor with an entityID"))?;
        let role = root
            .children()
            .find(|child| child.is(MD, "RoleDescriptor") && is_issuer_role(*child))
            .or_else(|| root.children().find(|child| child.is(MD, "IDPSSODescriptor")))
            .ok_or(Error::MalformedMetadata("there is no role of type SecurityTokenServiceType"))?;
        let mut metadata = Self {
            entity_id: entity_id.to_owned(),
            signing_certificates: Vec::new(),
            passive_endpoint: None,
            claim_types: Vec::new(),
        };
        for child in role.children() {
            if child.is(MD, "KeyDescriptor") && child.attribute("use").is_none_or(|usage| usage == "signing") {
                metadata.add_certificates(child)?;
            } else if child.is(names::WSFED, "PassiveRequestorEndpoint") && metadata.passive_endpoint.is_none() {
                metadata.passive_endpoint = address(child);
            } else if child.is(names::WSFED, "ClaimTypesOffered") {
                let types = child.children().filter(|claim| claim.is(names::WSFED_AUTH, "ClaimType"));
                metadata.claim_types.extend(types.filter_map(|claim| claim.attribute("Uri")).map(str::to_owned));
            }
        }
        Ok(metadata)
    }

    fn add_certificates(&mut self, key: Element<'_>) -> Result<(), Error> {
        for element in key.descendants().filter(|element| element.is(names::DSIG, "X509Certificate")) {
            let base64: String = element.text().split_ascii_whitespace().collect();
            let der = base64_simd::STANDARD.decode_to_vec(base64.as_bytes());
            let der = der.map_err(|_| Error::MalformedMetadata("a certificate is not base64"))?;
            self.signing_certificates.push(Certificate::from_der(&der)?);
        }
        Ok(())
    }
}

/// The signature of a document: one that is there holds, and is of whom the policy names.
fn verify(root: Element<'_>, policy: &MetadataPolicy, now: Timestamp) -> Result<(), Error> {
    let untrusted = |problem: &dyn std::fmt::Display| Error::UntrustedMetadata(problem.to_string());
    let signature = Signature::of_child(root).map_err(|error| untrusted(&error))?;
    let Some(signature) = signature else {
        return match policy.signers {
            Some(_) => Err(untrusted(&"it is not signed")),
            None => Ok(()),
        };
    };
    let key_info = signature.key_info().map_err(|error| untrusted(&error))?;
    let carried: Vec<Certificate> =
        key_info.iter().flat_map(KeyInfo::certificates).filter_map(|der| Certificate::from_der(der).ok()).collect();
    let Some((signer, others)) = carried.split_first() else {
        return Err(untrusted(&"its signature carries no certificate"));
    };
    if let Some(signers) = &policy.signers {
        signers.check(signer, others, now).map_err(|error| untrusted(&format_args!("its signer: {error}")))?;
    }
    let key = signer.public_key(&KeyPolicy::default())?;
    let verified = signature.verify(VerificationKey::Public(key), &VerifyPolicy::asymmetric());
    let verified = verified.map_err(|error| untrusted(&error))?;
    match verified.element(root) {
        Some(_) => Ok(()),
        None => Err(untrusted(&"its signature covers something else")),
    }
}

/// So many keys sign for one issuer at most; each costs a try for every token that does not name its own.
const MAX_KEYS: usize = 16;

const MD: &str = names::SAML20_METADATA;

fn start_role(entity_id: &str, role: &str, out: &mut Writer) {
    out.start("", MD, "EntityDescriptor").attribute("ID", ROOT_ID).attribute("entityID", entity_id);
    out.start("", MD, "RoleDescriptor");
    out.attribute("protocolSupportEnumeration", names::WSFED);
    out.declare("fed", names::WSFED).attribute_ns("xsi", names::XSI, "type", &format!("fed:{role}"));
}

fn fed(name: &str, out: &mut Writer) {
    out.start("fed", names::WSFED, name);
}

fn endpoint(url: &str, out: &mut Writer) {
    out.start("wsa", names::WSA, "EndpointReference").element("wsa", names::WSA, "Address", url).end();
}

fn key_descriptor(usage: &str, certificate: &Certificate, out: &mut Writer) {
    out.start("", MD, "KeyDescriptor").attribute("use", usage);
    out.start("ds", names::DSIG, "KeyInfo").start("ds", names::DSIG, "X509Data");
    out.element("ds", names::DSIG, "X509Certificate", &certificate.to_base64()).end().end().end();
}

fn claim_types(list: &str, claims: &[ClaimTypeDescription], out: &mut Writer) {
    if claims.is_empty() {
        return;
    }
    fed(list, out);
    for claim in claims {
        out.start("auth", names::WSFED_AUTH, "ClaimType").attribute("Uri", &claim.uri);
        if claim.optional {
            out.attribute("Optional", "true");
        }
        out.element("auth", names::WSFED_AUTH, "DisplayName", &claim.display_name).end();
    }
    out.end();
}

fn finish(out: Writer, signing: Option<&SigningIdentity>) -> Result<String, Error> {
    let xml = out.finish().map_err(Error::Xml)?;
    let Some(identity) = signing else { return Ok(xml) };
    let document = Document::parse(xml, &ParseOptions::default()).map_err(Error::Xml)?;
    Signer::new(SignatureMethod::default_for(identity.key().kind()), SigningKey::Private(identity.key()))
        .with_certificate(identity.certificate())
        .with_prefix_list(["fed"])
        .sign_enveloped(ROOT_ID, document.root(), Place::FirstChild)
        .map_err(|error| Error::Token(handstamp_saml::Error::Signing(error)))
}

/// The document's id needs to be unique within the document only.
const ROOT_ID: &str = "_metadata";

fn is_issuer_role(role: Element<'_>) -> bool {
    let Some(name) = role.attribute_ns(names::XSI, "type") else { return false };
    let (prefix, local) = name.trim().split_once(':').unwrap_or(("", name.trim()));
    local == "SecurityTokenServiceType" && role.namespace_of_prefix(prefix) == Some(names::WSFED)
}

fn address(endpoint: Element<'_>) -> Option<String> {
    let address = endpoint.descendants().find(|element| element.is(names::WSA, "Address"))?;
    Some(address.text().trim().to_owned())
}
