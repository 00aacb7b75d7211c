//! The components of a WSDL by their names, over all documents.

use crate::error::Error;
use crate::policy::Sources;
use crate::wsdl::{Port, QName, SOAP_12, WSDL, is_soap};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_xml::Element;
use std::collections::HashMap;

/// Bindings, port types and messages by name.
pub(crate) struct Components<'s, 'd> {
    pub(crate) sources: &'s Sources<'d>,
    by_name: HashMap<(&'static str, &'d str, &'d str), Element<'d>>,
}

/// A port and where it stands.
pub(crate) struct FoundPort<'d> {
    pub(crate) port: Port,
    pub(crate) element: Element<'d>,
    pub(crate) service: Element<'d>,
    pub(crate) binding: Element<'d>,
}

const KINDS: [&str; 3] = ["binding", "portType", "message"];

impl<'s, 'd> Components<'s, 'd> {
    pub(crate) fn of(sources: &'s Sources<'d>) -> Self {
        let mut by_name = HashMap::new();
        for document in sources.documents() {
            let namespace = target_namespace(document.root());
            for child in document.root().children().filter(|child| child.namespace() == WSDL) {
                let kind = KINDS.into_iter().find(|kind| *kind == child.local_name());
                if let (Some(kind), Some(name)) = (kind, child.attribute("name")) {
                    by_name.entry((kind, namespace, name)).or_insert(child);
                }
            }
        }
        Self { sources, by_name }
    }

    pub(crate) fn ports(&self) -> impl Iterator<Item = Result<FoundPort<'d>, Error>> {
        let services = self
            .sources
            .documents()
            .flat_map(|document| document.root().children().filter(|child| child.is(WSDL, "service")));
        services.flat_map(move |service| {
            let ports = service.children().filter(|child| child.is(WSDL, "port"));
            ports.map(move |port| self.port(service, port))
        })
    }

    fn port(&self, service: Element<'d>, element: Element<'d>) -> Result<FoundPort<'d>, Error> {
        let binding = self.referenced("binding", element, "binding")?;
        let soap_binding =
            binding.children().find(|child| child.local_name() == "binding" && is_soap(child.namespace()));
        let address = element.children().find(|child| child.local_name() == "address");
        let port = Port {
            service: QName::new(target_namespace(service.document().root()), self.name(service)?),
            name: self.name(element)?.to_owned(),
            address: address.and_then(|address| address.attribute("location")).unwrap_or_default().trim().to_owned(),
            soap: soap_binding.map(|binding| soap_version(binding.namespace())),
        };
        Ok(FoundPort { port, element, service, binding })
    }

    /// The component that an attribute names.
    pub(crate) fn referenced(
        &self,
        kind: &'static str,
        from: Element<'d>,
        attribute: &str,
    ) -> Result<Element<'d>, Error> {
        let value = from.attribute(attribute).map(str::trim);
        let value = value
            .ok_or_else(|| self.sources.error(from, format!("<{}> has no attribute {attribute}", from.local_name())))?;
        let (namespace, local) = self.resolve(from, value)?;
        self.by_name.get(&(kind, namespace, local)).copied().ok_or_else(|| {
            let imports: Vec<&str> = self
                .sources
                .documents()
                .flat_map(|document| document.root().children())
                .filter(|child| child.is(WSDL, "import"))
                .filter_map(|child| child.attribute("location"))
                .collect();
            let hint = if imports.is_empty() {
                "the WSDL is not complete".to_owned()
            } else {
                format!(
                    "it may be in one of the imported documents ({}): give them too, or a single file",
                    imports.join(", ")
                )
            };
            self.sources.error(from, format!("there is no {kind} {value:?}: {hint}"))
        })
    }

    /// A prefixed name in content.
    pub(crate) fn resolve(&self, at: Element<'d>, value: &'d str) -> Result<(&'d str, &'d str), Error> {
        match value.split_once(':') {
            Some((prefix, local)) => {
                let namespace = at.namespace_of_prefix(prefix);
                let namespace = namespace.ok_or_else(|| {
                    let shown: String = value.chars().take(120).collect();
                    self.sources.error(at, format!("the prefix of {shown:?} is not declared"))
                })?;
                Ok((namespace, local))
            }
            None => Ok((at.namespace_of_prefix("").unwrap_or_default(), value)),
        }
    }

    pub(crate) fn name(&self, element: Element<'d>) -> Result<&'d str, Error> {
        let name = element.attribute("name");
        name.ok_or_else(|| self.sources.error(element, format!("<{}> has no name", element.local_name())))
    }
}

pub(crate) fn target_namespace(root: Element<'_>) -> &str {
    root.attribute("targetNamespace").unwrap_or_default()
}

pub(crate) fn soap_version(namespace: &str) -> SoapVersion {
    if namespace == SOAP_12 { SoapVersion::Soap12 } else { SoapVersion::Soap11 }
}
