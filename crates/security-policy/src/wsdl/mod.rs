//! WSDL 1.1 with WS-SecurityPolicy: which endpoints there are, and what protects their messages.

mod components;
mod edit;
mod endpoint;
mod operation;
mod publish;

pub use endpoint::{Endpoint, Port};
pub use operation::{HeaderProtection, MessageProtection, Operation, OperationMessage};
pub use publish::{Publication, PublishedDocument};

use crate::error::Error;
use crate::policy::Sources;
use components::Components;
use handstamp_xml::names::XSD;
use handstamp_xml::{Document, ParseOptions};
use std::fmt;

/// A WSDL, with the documents that it imports.
///
/// ```
/// use handstamp_security_policy::Definitions;
///
/// let wsdl = r#"
/// <w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap12/"
///     xmlns:t="urn:ledger" targetNamespace="urn:ledger">
///   <w:message name="Balance"/>
///   <w:portType name="Ledger"><w:operation name="Balance"><w:input message="t:Balance"/></w:operation></w:portType>
///   <w:binding name="Ledger" type="t:Ledger">
///     <s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
///     <w:operation name="Balance"><s:operation soapAction="urn:ledger/Balance"/><w:input/></w:operation>
///   </w:binding>
///   <w:service name="Ledger">
///     <w:port name="Plain" binding="t:Ledger"><s:address location="http://ledger.example/"/></w:port>
///   </w:service>
/// </w:definitions>"#;
/// let endpoints = Definitions::parse(wsdl)?.endpoints()?;
/// assert_eq!(endpoints[0].address, "http://ledger.example/");
/// assert_eq!(endpoints[0].operations[0].request.action, "urn:ledger/Balance");
/// assert!(endpoints[0].operations[0].is_one_way());
/// assert!(endpoints[0].security.is_none());
/// # Ok::<(), handstamp_security_policy::Error>(())
/// ```
pub struct Definitions {
    /// The main document first; the others under the location that their importer gives.
    documents: Vec<(String, Document)>,
}

/// A name in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QName {
    /// The namespace; empty for none.
    pub namespace: String,
    /// The name in it.
    pub local_name: String,
}

/// How many documents one WSDL may be made of.
const MOST_DOCUMENTS: usize = 128;

pub(crate) const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
pub(crate) const SOAP_11: &str = "http://schemas.xmlsoap.org/wsdl/soap/";
pub(crate) const SOAP_12: &str = "http://schemas.xmlsoap.org/wsdl/soap12/";

impl Definitions {
    /// Reads a WSDL that is one document.
    ///
    /// # Errors
    /// [`Error::Xml`] for what is no XML, [`Error::Policy`] for what is no WSDL.
    pub fn parse(text: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let document = Document::parse(text, &options())?;
        let definitions = Self { documents: vec![(String::new(), document)] };
        definitions.check_root(0)?;
        Ok(definitions)
    }

    /// Reads a WSDL and every WSDL and schema that it imports. `import` gets locations as the importing document means them: a
    /// relative one is put together with the location of the document it stands in. Each location is asked for once. Schemas
    /// that cannot be had are left where they are.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and [`Error::Import`] when `import` fails.
    pub fn parse_with<E: fmt::Display>(
        text: impl Into<Vec<u8>>,
        mut import: impl FnMut(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Self, Error> {
        let mut definitions = Self::parse(text)?;
        let mut next = 0;
        while let Some((base, document)) = definitions.documents.get(next) {
            let mut locations: Vec<(String, bool)> = Vec::new();
            for element in document.root().descendants() {
                let is_schema = element.namespace() == XSD;
                let attribute = match element.local_name() {
                    "import" if element.namespace() == WSDL => "location",
                    "import" | "include" | "redefine" if is_schema => "schemaLocation",
                    _ => continue,
                };
                if let Some(location) = element.attribute(attribute) {
                    locations.push((joined(base, location.trim()), is_schema));
                }
            }
            for (location, is_schema) in locations {
                if definitions.documents.iter().any(|(known, _)| *known == location) {
                    continue;
                }
                let fail = |problem: String| Error::Import { location: location.clone(), problem };
                if definitions.documents.len() >= MOST_DOCUMENTS {
                    return Err(fail(format!(
                        "it is one of more than {MOST_DOCUMENTS}: ask the service for a single file (?singleWsdl)"
                    )));
                }
                let text = match import(&location) {
                    Ok(text) => text,
                    Err(_) if is_schema => continue,
                    Err(error) => return Err(fail(error.to_string())),
                };
                let document = Document::parse(text, &options()).map_err(|error| fail(error.to_string()))?;
                // Documents that import each other lead back to the main one, whose location nobody knows.
                let is_known = definitions.documents.iter().any(|(_, known)| known.source() == document.source());
                if !is_known {
                    definitions.documents.push((location, document));
                    definitions.check_root(definitions.documents.len() - 1)?;
                }
            }
            next += 1;
        }
        Ok(definitions)
    }

    /// The ports of all services, without their policies.
    ///
    /// # Errors
    /// [`Error::Policy`] for ports without what a port needs.
    pub fn ports(&self) -> Result<Vec<Port>, Error> {
        let sources = self.sources();
        Components::of(&sources).ports().map(|port| port.map(|found| found.port)).collect()
    }

    /// The endpoints of all SOAP ports, with their policies.
    ///
    /// # Errors
    /// [`Error::Policy`] with the line for whatever is not known, not available or impossible. For services with some ports of
    /// that kind there is [`endpoint`](Self::endpoint).
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        let sources = self.sources();
        let components = Components::of(&sources);
        let mut endpoints = Vec::new();
        for found in components.ports() {
            let found = found?;
            if found.port.soap.is_some() {
                endpoints.push(endpoint::read(&components, &found)?);
            }
        }
        Ok(endpoints)
    }

    /// The endpoint of the port of this name; the other ports are not looked at.
    ///
    /// # Errors
    /// As [`endpoints`](Self::endpoints), and when there is no such port, or more than one.
    pub fn endpoint(&self, port: &str) -> Result<Endpoint, Error> {
        let sources = self.sources();
        let components = Components::of(&sources);
        let mut found = None;
        let mut names = Vec::new();
        for candidate in components.ports() {
            let candidate = candidate?;
            names.push(candidate.port.name.clone());
            if candidate.port.name != port {
                continue;
            }
            if found.is_some() {
                return Err(
                    sources.error(candidate.element, format!("the port {port:?} stands in two services: rename one"))
                );
            }
            found = Some(candidate);
        }
        let found = found.ok_or_else(|| {
            let asked: String = port.chars().take(80).collect();
            let known = names.join(", ");
            sources.error(self.root(), format!("there is no port {asked:?}; there are: {known}"))
        })?;
        endpoint::read(&components, &found)
    }

    /// The locations of the documents that were imported.
    pub fn imported(&self) -> impl Iterator<Item = &str> {
        self.documents.iter().skip(1).map(|(location, _)| location.as_str())
    }

    pub(crate) fn sources(&self) -> Sources<'_> {
        Sources::new(self.documents.iter().map(|(location, document)| (location.as_str(), document)).collect())
    }

    pub(crate) fn documents(&self) -> &[(String, Document)] {
        &self.documents
    }

    fn root(&self) -> handstamp_xml::Element<'_> {
        // There is a main document from the start.
        self.documents[0].1.root()
    }

    fn check_root(&self, number: usize) -> Result<(), Error> {
        let Some((_, document)) = self.documents.get(number) else { return Ok(()) };
        let root = document.root();
        if root.is(WSDL, "definitions") || (number > 0 && root.is(XSD, "schema")) {
            return Ok(());
        }
        let hint = match root.namespace() {
            "http://www.w3.org/ns/wsdl" => "it is WSDL 2.0: ask the service for WSDL 1.1",
            namespace if crate::policy::ns::is_policy(namespace) => {
                "it is a policy alone: give the WSDL that refers to it"
            }
            _ => "save what the service answers to ?wsdl, or better to ?singleWsdl",
        };
        Err(self.sources().error(root, format!("<{}> is no WSDL 1.1: {hint}", root.local_name())))
    }
}

impl fmt::Debug for Definitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let imported: Vec<_> = self.imported().collect();
        f.debug_struct("Definitions").field("imported", &imported).finish_non_exhaustive()
    }
}

impl QName {
    pub(crate) fn new(namespace: impl Into<String>, local_name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), local_name: local_name.into() }
    }
}

/// `{namespace}name`.
impl fmt::Display for QName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}", self.namespace, self.local_name)
    }
}

fn options() -> ParseOptions {
    // Tools leave style sheets in; nothing reads them.
    ParseOptions::default().allow_processing_instructions()
}

/// A location as the document at `base` means it.
fn joined(base: &str, location: &str) -> String {
    if location.contains("://") || location.starts_with('/') || location.starts_with("urn:") {
        return location.to_owned();
    }
    match base.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{location}"),
        None => location.to_owned(),
    }
}

/// Whether a namespace is one of the SOAP bindings of WSDL.
pub(crate) fn is_soap(namespace: &str) -> bool {
    namespace == SOAP_11 || namespace == SOAP_12
}
