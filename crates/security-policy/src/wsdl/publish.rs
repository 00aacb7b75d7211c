//! Publishing: a backend's WSDL with policies, for clients of secure sessions, and a service's WSDL without, for local tools.

use crate::error::Error;
use crate::policy::ns;
use crate::policy::write::{self, EndpointTerms};
use crate::wsdl::components::{Components, FoundPort};
use crate::wsdl::edit::Edits;
use crate::wsdl::{Definitions, Endpoint, MessageProtection, SOAP_11, SOAP_12, WSDL, endpoint, is_soap};
use crate::{Encoding, MessageVersion};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{ProtectionLevel, SecurityBinding};
use handstamp_xml::{Document, Element, Writer, names};
use std::fmt::Write as _;

/// What a published WSDL says in place of the backend's own word.
#[derive(Debug, Clone)]
pub struct Publication<'a> {
    /// Which port is published, the only one then; the first that speaks SOAP when there is none.
    pub port: Option<&'a str>,
    /// Where clients reach it.
    pub address: &'a str,
    /// What protects messages.
    pub security: &'a SecurityBinding,
    /// SOAP and addressing, as clients speak them.
    pub message_version: MessageVersion,
    /// How clients write messages.
    pub encoding: Encoding,
    /// Whether TLS asks for the client's certificate.
    pub require_client_certificate: bool,
    /// The service's certificate (DER), from which WCF clients know whom to encrypt for.
    pub certificate: Option<&'a [u8]>,
    /// The protection of bodies. WCF's default is encrypted and signed.
    pub protection: ProtectionLevel,
}

/// A document of a WSDL to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedDocument {
    /// The location by which it was imported; empty for the main document.
    pub location: String,
    /// Its text.
    pub text: String,
}

impl Definitions {
    /// The WSDL for clients of secure sessions: its policies are those of `publication`, whatever the backend says, and one port
    /// is left, at the address of the publication. `link` says where clients find an imported document.
    ///
    /// # Errors
    /// [`Error::Policy`] when there is no such port, or it is not complete.
    pub fn publish(
        &self,
        publication: &Publication<'_>,
        link: impl Fn(&str) -> String,
    ) -> Result<Vec<PublishedDocument>, Error> {
        self.rewrite(publication.port, Some(publication), publication.address, link)
    }

    /// The WSDL for local tools that know nothing of security and addressing: no policies, one port, at `address`. What routes
    /// requests is the `SOAPAction`, which every operation has then.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn plain(
        &self,
        port: Option<&str>,
        address: &str,
        link: impl Fn(&str) -> String,
    ) -> Result<Vec<PublishedDocument>, Error> {
        self.rewrite(port, None, address, link)
    }

    fn rewrite(
        &self,
        port: Option<&str>,
        publication: Option<&Publication<'_>>,
        address: &str,
        link: impl Fn(&str) -> String,
    ) -> Result<Vec<PublishedDocument>, Error> {
        let sources = self.sources();
        let components = Components::of(&sources);
        let chosen = self.chosen(&components, port)?;
        let endpoint = endpoint::read_unprotected(&components, &chosen)?;
        let mut rewriting = Rewriting { publication, address, endpoint: &endpoint, chosen: &chosen };
        let mut published = Vec::new();
        for (location, document) in self.documents() {
            let text = rewriting.document(document, &components, |target| {
                let joined = super::joined(location, target);
                self.documents().iter().any(|(known, _)| *known == joined).then(|| link(&joined))
            })?;
            published.push(PublishedDocument { location: location.clone(), text });
        }
        Ok(published)
    }

    fn chosen<'d>(&'d self, components: &Components<'_, 'd>, port: Option<&str>) -> Result<FoundPort<'d>, Error> {
        for found in components.ports() {
            let found = found?;
            if found.port.soap.is_some() && port.is_none_or(|name| name == found.port.name) {
                return Ok(found);
            }
        }
        let which = port.map(|name| format!(" {:?}", name.chars().take(80).collect::<String>())).unwrap_or_default();
        Err(components.sources.error(self.root(), format!("there is no port{which} that speaks SOAP over HTTP")))
    }
}

struct Rewriting<'r, 'd> {
    publication: Option<&'r Publication<'r>>,
    address: &'r str,
    endpoint: &'r Endpoint,
    chosen: &'r FoundPort<'d>,
}

const ENDPOINT: &str = "Handstamp_endpoint";
/// The prefix of SOAP's elements where they change their version.
const SOAP_PREFIX: &str = "hssoap";

impl<'d> Rewriting<'_, 'd> {
    fn document(
        &mut self,
        document: &'d Document,
        components: &Components<'_, 'd>,
        link: impl Fn(&str) -> Option<String>,
    ) -> Result<String, Error> {
        let mut edits = Edits::default();
        let root = document.root();
        let mut policies = String::new();
        let port_type = components.referenced("portType", self.chosen.binding, "type")?;
        for element in root.descendants().skip(1) {
            if is_policy_part(element) {
                edits.remove(element);
            } else if element.is(WSDL, "import")
                || element.is(names::XSD, "import")
                || element.is(names::XSD, "include")
            {
                let attribute = if element.is(WSDL, "import") { "location" } else { "schemaLocation" };
                if let Some(target) = element.attribute(attribute).and_then(&link) {
                    edits.start_tag(element, |tag| tag.set(attribute, &target), "");
                }
            } else if element.is(WSDL, "service") {
                self.service(element, &mut edits)?;
            } else if element.is(WSDL, "binding") && element == self.chosen.binding {
                policies = self.binding(element, &mut edits)?;
            } else if element.is(WSDL, "portType") && element == port_type {
                self.port_type(element, &mut edits);
            } else if has_policy_uris(element) {
                edits.start_tag(element, |tag| unset_policy_uris(element, tag), "");
            }
        }
        if !policies.is_empty() {
            edits.start_tag(root, |_| {}, &policies);
        }
        Ok(edits.apply(document))
    }

    /// One port is left, and services without it are left out.
    fn service(&self, service: Element<'d>, edits: &mut Edits) -> Result<(), Error> {
        if service != self.chosen.service {
            edits.remove(service);
            return Ok(());
        }
        for port in service.children().filter(|child| child.is(WSDL, "port")) {
            if port != self.chosen.element {
                edits.remove(port);
                continue;
            }
            for child in port.children() {
                if child.local_name() == "EndpointReference" {
                    edits.remove(child);
                } else if child.local_name() == "address" && is_soap(child.namespace()) {
                    self.soap_element(child, edits, |tag| tag.set("location", self.address));
                }
            }
            let identity = self.identity()?;
            if has_policy_uris(port) || !identity.is_empty() {
                edits.start_tag(port, |tag| unset_policy_uris(port, tag), &identity);
            }
        }
        Ok(())
    }

    /// The policies, and in the binding the references to them.
    fn binding(&self, binding: Element<'d>, edits: &mut Edits) -> Result<String, Error> {
        let mut policies = String::new();
        let mut reference = String::new();
        if let Some(publication) = self.publication {
            let terms = EndpointTerms {
                security: Some(publication.security),
                addressing: publication.message_version.addressing,
                encoding: publication.encoding,
                require_client_certificate: publication.require_client_certificate,
            };
            policies += &write::endpoint(ENDPOINT, terms)?;
            reference = policy_reference(ENDPOINT);
        }
        edits.start_tag(binding, |tag| unset_policy_uris(binding, tag), &reference);
        let mut message = String::new();
        if let Some(publication) = self.publication.filter(|publication| !publication.security.is_transport()) {
            let protection = MessageProtection { body: publication.protection, ..MessageProtection::default() };
            let generation = publication.security.version.generation;
            let id = "Handstamp_message";
            policies += &write::message(id, generation, publication.message_version.addressing, &protection)?;
            message = policy_reference(id);
        }
        for child in binding.children() {
            if is_soap(child.namespace()) {
                self.soap_element(child, edits, |_| {});
            }
            if !child.is(WSDL, "operation") {
                continue;
            }
            if has_policy_uris(child) {
                edits.start_tag(child, |tag| unset_policy_uris(child, tag), "");
            }
            let operation =
                self.endpoint.operations.iter().find(|known| Some(known.name.as_str()) == child.attribute("name"));
            for part in child.children() {
                if is_soap(part.namespace()) {
                    self.soap_element(part, edits, |tag| {
                        let empty = part.attribute("soapAction").is_none_or(|action| action.trim().is_empty());
                        if let Some(operation) = operation.filter(|_| empty && part.local_name() == "operation") {
                            tag.set("soapAction", &operation.request.action);
                        }
                    });
                } else if part.namespace() == WSDL && part.local_name() != "documentation" {
                    edits.start_tag(part, |tag| unset_policy_uris(part, tag), &message);
                    for element in part.descendants().skip(1).filter(|element| is_soap(element.namespace())) {
                        self.soap_element(element, edits, |_| {});
                    }
                }
            }
        }
        Ok(policies)
    }

    /// Actions that follow from names are written out, so that all clients use the same.
    fn port_type(&self, port_type: Element<'d>, edits: &mut Edits) {
        for operation in port_type.children().filter(|child| child.is(WSDL, "operation")) {
            let known =
                self.endpoint.operations.iter().find(|known| Some(known.name.as_str()) == operation.attribute("name"));
            for message in operation.children().filter(|child| child.namespace() == WSDL) {
                let action = known.and_then(|known| match message.local_name() {
                    "input" => Some(known.request.action.as_str()),
                    "output" => known.reply.as_ref().map(|reply| reply.action.as_str()),
                    _ => None,
                });
                let declared = message.attributes().any(|attribute| attribute.local_name() == "Action");
                let action = action.filter(|_| !declared && self.publication.is_some());
                if action.is_none() && !has_policy_uris(message) {
                    continue;
                }
                edits.start_tag(
                    message,
                    |tag| {
                        unset_policy_uris(message, tag);
                        if let Some(action) = action {
                            tag.set("xmlns:wsaw", ns::WSAW);
                            tag.set("wsaw:Action", action);
                        }
                    },
                    "",
                );
            }
        }
    }

    /// An element of the SOAP binding, in the version that clients speak.
    fn soap_element(&self, element: Element<'d>, edits: &mut Edits, change: impl FnOnce(&mut super::edit::StartTag)) {
        let version = self.publication.and_then(|publication| publication.message_version.soap);
        let namespace = match version {
            Some(SoapVersion::Soap11) => SOAP_11,
            Some(SoapVersion::Soap12) => SOAP_12,
            None => element.namespace(),
        };
        if namespace == element.namespace() {
            edits.start_tag(element, change, "");
        } else {
            edits.rename(element, SOAP_PREFIX, namespace, change);
        }
    }

    /// The identity of the service, as WCF writes it into a port.
    fn identity(&self) -> Result<String, Error> {
        let certificate = self.publication.and_then(|publication| publication.certificate);
        let Some(certificate) = certificate else { return Ok(String::new()) };
        let mut writer = Writer::new();
        writer.start("wsa10", names::WSA, "EndpointReference").element("wsa10", names::WSA, "Address", self.address);
        writer.start("", "http://schemas.xmlsoap.org/ws/2006/02/addressingidentity", "Identity");
        writer.start("", names::DSIG, "KeyInfo").start("", names::DSIG, "X509Data");
        writer.element("", names::DSIG, "X509Certificate", &base64_simd::STANDARD.encode_to_string(certificate));
        writer.end().end().end().end();
        Ok(writer.finish()?)
    }
}

fn policy_reference(id: &str) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write!(text, "<wsp:PolicyReference xmlns:wsp=\"{}\" URI=\"#{id}\"></wsp:PolicyReference>", names::WSP);
    text
}

/// Whether the element says something about policies, which is said anew or not at all.
fn is_policy_part(element: Element<'_>) -> bool {
    (ns::is_policy(element.namespace()) && matches!(element.local_name(), "Policy" | "PolicyReference" | "UsingPolicy"))
        || (element.local_name() == "UsingAddressing" && [ns::WSAW, ns::WSAP].contains(&element.namespace()))
}

fn policy_uris(element: Element<'_>) -> impl Iterator<Item = String> {
    let attributes = element.attributes();
    attributes
        .filter(|attribute| attribute.local_name() == "PolicyURIs" && ns::is_policy(attribute.namespace()))
        .map(|attribute| format!("{}:PolicyURIs", attribute.prefix()))
}

fn has_policy_uris(element: Element<'_>) -> bool {
    policy_uris(element).next().is_some()
}

fn unset_policy_uris(element: Element<'_>, tag: &mut super::edit::StartTag) {
    for name in policy_uris(element) {
        tag.unset(&name);
    }
}
