//! Ports and what their policies come to.

use crate::error::Error;
use crate::policy::EndpointPolicy;
use crate::wsdl::components::{Components, FoundPort};
use crate::wsdl::{Operation, QName, is_soap, operation};
use crate::{Encoding, MessageVersion, Transport};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{AddressingVersion, SecurityBinding};

/// A port, without its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The service it belongs to.
    pub service: QName,
    /// Its name.
    pub name: String,
    /// Where it is; empty when the WSDL does not say.
    pub address: String,
    /// The version of SOAP; none for ports that do not speak SOAP.
    pub soap: Option<SoapVersion>,
}

/// A port of a service with everything that its policy says.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// The service it belongs to.
    pub service: QName,
    /// The name of the port.
    pub port: String,
    /// Where it is; empty when the WSDL does not say.
    pub address: String,
    /// The `binding` of the WSDL.
    pub binding: QName,
    /// The `portType` of the WSDL.
    pub port_type: QName,
    /// SOAP and addressing.
    pub message_version: MessageVersion,
    /// How messages are written on the wire.
    pub encoding: Encoding,
    /// What carries messages.
    pub transport: Transport,
    /// What protects messages; none when nothing does.
    pub security: Option<SecurityBinding>,
    /// What can be asked.
    pub operations: Vec<Operation>,
}

impl Endpoint {
    /// The operation whose request has this action.
    pub fn operation(&self, action: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.request.action == action)
    }
}

const HTTP: [&str; 2] = ["http://schemas.xmlsoap.org/soap/http", "http://www.w3.org/2003/05/soap/bindings/HTTP/"];

/// Reads the endpoint of a port that speaks SOAP.
pub(crate) fn read<'d>(components: &Components<'_, 'd>, found: &FoundPort<'d>) -> Result<Endpoint, Error> {
    let (sources, binding) = (components.sources, found.binding);
    let port_type = components.referenced("portType", binding, "type")?;
    let alternatives = sources.attached([found.service, found.element, binding, port_type])?;
    let policy =
        sources.first(binding, &alternatives, |alternative| EndpointPolicy::read(sources, binding, alternative))?;
    with_policy(components, found, Some(policy))
}

/// The same whatever the policies say.
pub(crate) fn read_unprotected<'d>(components: &Components<'_, 'd>, found: &FoundPort<'d>) -> Result<Endpoint, Error> {
    with_policy(components, found, None)
}

fn with_policy<'d>(
    components: &Components<'_, 'd>,
    found: &FoundPort<'d>,
    policy: Option<EndpointPolicy>,
) -> Result<Endpoint, Error> {
    let (sources, port, binding) = (components.sources, &found.port, found.binding);
    let soap_binding = binding.children().find(|child| child.local_name() == "binding" && is_soap(child.namespace()));
    let (Some(soap_binding), Some(soap)) = (soap_binding, port.soap) else {
        return Err(sources.error(found.element, format!("the port {:?} does not speak SOAP", port.name)));
    };
    let carrier = soap_binding.attribute("transport").unwrap_or_default();
    if !HTTP.contains(&carrier) {
        let shown: String = carrier.chars().take(120).collect();
        return Err(sources.error(
            soap_binding,
            format!("the port {:?} has the transport {shown:?}: only HTTP is available", port.name),
        ));
    }
    let port_type = components.referenced("portType", binding, "type")?;
    let operations = operation::read(components, binding, port_type, soap_binding, policy.as_ref())?;
    let policy = policy.unwrap_or_default();
    let is_tls = port.address.to_ascii_lowercase().starts_with("https:");
    let needs_tls = policy.security.as_ref().is_some_and(SecurityBinding::is_transport);
    let transport = if is_tls || needs_tls {
        Transport::Https { require_client_certificate: policy.require_client_certificate }
    } else {
        Transport::Http
    };
    // UsingAddressing may also stand without a policy around it.
    let extension = [binding, found.element].into_iter().flat_map(handstamp_xml::Element::children).find_map(|child| {
        (child.local_name() == "UsingAddressing").then(|| match child.namespace() {
            crate::policy::ns::WSAP => AddressingVersion::August2004,
            _ => AddressingVersion::V10,
        })
    });
    // Sessions are routed by their actions.
    let needed = policy.security.as_ref().and_then(SecurityBinding::session).map(|_| AddressingVersion::default());
    let addressing = policy.addressing.or(extension).or(needed);
    let name_of = |element: handstamp_xml::Element<'d>| {
        let namespace = super::components::target_namespace(element.document().root());
        Ok::<_, Error>(QName::new(namespace, components.name(element)?))
    };
    Ok(Endpoint {
        service: port.service.clone(),
        port: port.name.clone(),
        address: port.address.clone(),
        binding: name_of(binding)?,
        port_type: name_of(port_type)?,
        message_version: MessageVersion { soap: Some(soap), addressing },
        encoding: policy.encoding,
        transport,
        security: policy.security,
        operations,
    })
}
