//! Federation metadata: how the ends learn of each other (SM §4).

use crate::{Error, Issuer, RelyingParty};
use handstamp_keys::{Certificate, CertificateTrust, KeyPolicy, SigningIdentity};
use handstamp_saml::{TokenDecryption, Version};
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
    /// certificates to encrypt for where there are some.
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
        let decryption = self.tokens().decryption();
        let encryption: Vec<&Certificate> =
            decryption.into_iter().flat_map(TokenDecryption::published_certificates).collect();
        let description = ApplicationMetadata {
            realm: &settings.realm,
            reply: settings.reply.as_deref().unwrap_or(&settings.realm),
            audiences: &[],
            requested,
            encryption: &encryption,
        };
        description.to_xml(signing)
    }
}

/// What an application says of itself (SM §4.1), also before it knows its issuer.
#[derive(Clone, Copy, Debug)]
pub struct ApplicationMetadata<'a> {
    /// Its identifier.
    pub realm: &'a str,
    /// Where responses are posted.
    pub reply: &'a str,
    /// Audiences that it accepts besides the realm.
    pub audiences: &'a [String],
    /// The claim types that it asks for.
    pub requested: &'a [ClaimTypeDescription],
    /// The certificates to encrypt for, the current one first, if it wants encrypted tokens.
    pub encryption: &'a [&'a Certificate],
}

impl ApplicationMetadata<'_> {
    /// The document; signed, with `signing`.
    ///
    /// # Errors
    /// Texts that XML cannot carry, or signing fails.
    pub fn to_xml(&self, signing: Option<&SigningIdentity>) -> Result<String, Error> {
        let mut out = Writer::new();
        start_role(self.realm, "ApplicationServiceType", &mut out);
        for certificate in self.encryption {
            key_descriptor("encryption", certificate, &mut out);
        }
        claim_types("ClaimTypesRequested", self.requested, &mut out);
        fed("TargetScopes", &mut out);
        endpoint(self.realm, &mut out);
        for audience in self.audiences.iter().filter(|audience| *audience != self.realm) {
            endpoint(audience, &mut out);
        }
        out.end();
        for name in ["ApplicationServiceEndpoint", "PassiveRequestorEndpoint"] {
            fed(name, &mut out);
            endpoint(self.reply, &mut out);
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
    /// Whose it must be; when none, anybody's, if there is only one. Give what is configured, else what the last one said, so that no
    /// other issuer takes its place.
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
    /// Reads the metadata of an issuer, from its `SecurityTokenServiceType` role, else its `IDPSSODescriptor` (SM §4.2). The document
    /// is its `EntityDescriptor`, or an `EntitiesDescriptor` in which it is the only issuer.
    ///
    /// A signature in the document is **not** verified: see [`Self::read_trusted`].
    ///
    /// # Errors
    /// XML that is not acceptable, or no metadata of an issuer.
    pub fn read(xml: &[u8]) -> Result<Self, Error> {
        let document = Document::parse(xml, &ParseOptions::default()).map_err(Error::Xml)?;
        let path = find(document.root(), None)?;
        Self::of(path.last().copied().unwrap_or(document.root()))
    }

    /// Reads metadata that is to decide whom to believe.
    ///
    /// Signatures that are there must hold, also where the policy asks for none. The document must be of the entity that the
    /// policy names, or hold it among others, not be past its `validUntil`, and hold a key that may sign. Of a document with several
    /// entities this looks at the one, and at what is around it: others do not matter.
    ///
    /// # Errors
    /// As [`Self::read`]; [`Error::UntrustedMetadata`].
    pub fn read_trusted(xml: &[u8], policy: &MetadataPolicy, now: Timestamp) -> Result<Self, Error> {
        let document = Document::parse(xml, &ParseOptions::default()).map_err(Error::Xml)?;
        let path = find(document.root(), policy.entity_id.as_deref())?;
        verify(&path, policy, now)?;
        let untrusted = |problem: String| Err(Error::UntrustedMetadata(problem));
        for until in path.iter().filter_map(|element| element.attribute("validUntil")) {
            let until: Timestamp =
                until.parse().map_err(|_| Error::MalformedMetadata("its validUntil is not a time"))?;
            if until < now {
                return untrusted(format!("it was valid until {until}"));
            }
        }
        let metadata = Self::of(path.last().copied().unwrap_or(document.root()))?;
        match metadata.signing_certificates.len() {
            0 => untrusted("it holds no signing certificate".to_owned()),
            1..=MAX_KEYS => Ok(metadata),
            _ => untrusted(format!("it holds more than {MAX_KEYS} signing certificates")),
        }
    }

    fn of(entity: Element<'_>) -> Result<Self, Error> {
        let entity_id = entity.attribute("entityID");
        let entity_id = entity_id.ok_or(Error::MalformedMetadata("the EntityDescriptor has no entityID"))?;
        let role =
            issuer_role(entity).ok_or(Error::MalformedMetadata("there is no role of type SecurityTokenServiceType"))?;
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

/// The way to an entity, from the root of its document to its `EntityDescriptor`: the one of this id, else the only issuer.
fn find<'d>(root: Element<'d>, entity_id: Option<&str>) -> Result<Vec<Element<'d>>, Error> {
    let mut entities = Vec::new();
    collect(root, &mut Vec::new(), &mut entities)?;
    let id = |path: &[Element<'d>]| path.last().and_then(|entity| entity.attribute("entityID"));
    let quoted = |id: Option<&str>| handstamp_saml::Untrusted::from(id.unwrap_or_default()).to_string();
    let mut found: Vec<Vec<Element<'d>>> = match (entity_id, entities.len()) {
        // What is missing in the only entity is said in more detail later.
        (None, 1) => return Ok(entities.remove(0)),
        (None, _) => entities.into_iter().filter(|path| path.last().copied().and_then(issuer_role).is_some()).collect(),
        (Some(expected), 1) if id(&entities[0]) != Some(expected) => {
            let problem = format!("it is of {}, not of {expected}", quoted(id(&entities[0])));
            return Err(Error::UntrustedMetadata(problem));
        }
        (Some(expected), _) => entities.into_iter().filter(|path| id(path) == Some(expected)).collect(),
    };
    match (found.len(), entity_id) {
        (1, _) => Ok(found.remove(0)),
        (0, Some(expected)) => Err(Error::UntrustedMetadata(format!("none of its entities is {expected}"))),
        (0, None) => Err(Error::MalformedMetadata("none of its entities has a role of type SecurityTokenServiceType")),
        (_, Some(expected)) => Err(Error::UntrustedMetadata(format!("it describes {expected} more than once"))),
        (count, None) => {
            let some: Vec<String> = found.iter().take(4).map(|path| quoted(id(path))).collect();
            let problem = format!("it is of {count} issuers ({}, …): say which one is meant", some.join(", "));
            Err(Error::UntrustedMetadata(problem))
        }
    }
}

fn collect<'d>(
    element: Element<'d>,
    around: &mut Vec<Element<'d>>,
    entities: &mut Vec<Vec<Element<'d>>>,
) -> Result<(), Error> {
    if element.is(MD, "EntityDescriptor") {
        entities.push(around.iter().copied().chain([element]).collect());
        return Ok(());
    }
    if !element.is(MD, "EntitiesDescriptor") {
        return Err(Error::MalformedMetadata("the root is neither an EntityDescriptor nor an EntitiesDescriptor"));
    }
    if around.len() >= MAX_NESTING {
        return Err(Error::MalformedMetadata("its EntitiesDescriptor elements are nested too deep"));
    }
    around.push(element);
    for child in
        element.children().filter(|child| child.is(MD, "EntityDescriptor") || child.is(MD, "EntitiesDescriptor"))
    {
        collect(child, around, entities)?;
    }
    around.pop();
    Ok(())
}

/// The role in which an entity signs tokens.
fn issuer_role(entity: Element<'_>) -> Option<Element<'_>> {
    let service = entity.children().find(|child| child.is(MD, "RoleDescriptor") && is_issuer_role(*child));
    service.or_else(|| entity.children().find(|child| child.is(MD, "IDPSSODescriptor")))
}

/// The signatures of an entity and of what is around it: those that are there hold, and one is of whom the policy names.
fn verify(path: &[Element<'_>], policy: &MetadataPolicy, now: Timestamp) -> Result<(), Error> {
    let mut proven = match policy.signers {
        Some(_) => Err(Error::UntrustedMetadata("it is not signed".to_owned())),
        None => Ok(()),
    };
    for element in path {
        let Some((signer, others)) = verify_element(*element)? else { continue };
        if let (Err(_), Some(signers)) = (&proven, &policy.signers) {
            let checked = signers.check(&signer, &others, now);
            proven = checked.map(|_| ()).map_err(|error| Error::UntrustedMetadata(format!("its signer: {error}")));
        }
    }
    proven
}

/// Whose signature of an element holds, and the certificates that came with it; none when there is no signature.
fn verify_element(element: Element<'_>) -> Result<Option<(Certificate, Vec<Certificate>)>, Error> {
    let untrusted = |problem: &dyn std::fmt::Display| Error::UntrustedMetadata(problem.to_string());
    let signature = Signature::of_child(element).map_err(|error| untrusted(&error))?;
    let Some(signature) = signature else { return Ok(None) };
    let key_info = signature.key_info().map_err(|error| untrusted(&error))?;
    let carried: Vec<Certificate> =
        key_info.iter().flat_map(KeyInfo::certificates).filter_map(|der| Certificate::from_der(der).ok()).collect();
    let Some((signer, others)) = carried.split_first() else {
        return Err(untrusted(&"its signature carries no certificate"));
    };
    let key = signer.public_key(&KeyPolicy::default())?;
    let verified = signature.verify(VerificationKey::Public(key), &VerifyPolicy::asymmetric());
    let verified = verified.map_err(|error| untrusted(&error))?;
    match verified.element(element) {
        Some(_) => Ok(Some((signer.clone(), others.to_vec()))),
        None => Err(untrusted(&"its signature covers something else")),
    }
}

/// So many keys sign for one issuer at most; each costs a try for every token that does not name its own.
const MAX_KEYS: usize = 16;
/// Federations of federations end here.
const MAX_NESTING: usize = 4;

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
