//! Operations: their actions, and the protection of their messages.

use crate::error::Error;
use crate::policy::{Alternative, EndpointPolicy, Parts, ns};
use crate::wsdl::components::{Components, target_namespace};
use crate::wsdl::{QName, WSDL, is_soap};
use handstamp_ws_security::{HeaderName, ProtectionLevel, SecurityBinding};
use handstamp_xml::{Element, names};

/// An operation of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// `SOAPAction` as the WSDL binding has it: what a service without WS-Addressing goes by. None when there is none, or it is
    /// empty.
    pub soap_action: Option<String>,
    /// The request.
    pub request: OperationMessage,
    /// The reply; none for one-way operations.
    pub reply: Option<OperationMessage>,
    /// Declared faults, by name.
    pub faults: Vec<(String, OperationMessage)>,
}

/// A message of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationMessage {
    /// `Action` of WS-Addressing.
    pub action: String,
    /// The element in the body; none when the WSDL does not say.
    pub element: Option<QName>,
    /// What is signed and encrypted. Of no meaning when TLS protects.
    pub protection: MessageProtection,
}

/// What is signed and encrypted in a message, besides the addressing headers and the timestamp, which are always signed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageProtection {
    /// The body.
    pub body: ProtectionLevel,
    /// Headers of the application.
    pub headers: Vec<HeaderProtection>,
    /// Headers that have to be there.
    pub required_headers: Vec<HeaderName>,
}

/// The protection of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderProtection {
    /// Which header.
    pub name: HeaderName,
    /// Signed, or signed and encrypted.
    pub level: ProtectionLevel,
}

impl Operation {
    /// Whether there is no reply.
    pub fn is_one_way(&self) -> bool {
        self.reply.is_none()
    }
}

/// The operations of a binding.
pub(crate) fn read<'d>(
    components: &Components<'_, 'd>,
    binding: Element<'d>,
    port_type: Element<'d>,
    soap_binding: Element<'d>,
    endpoint: Option<&EndpointPolicy>,
) -> Result<Vec<Operation>, Error> {
    let is_rpc = soap_binding.attribute("style") == Some("rpc");
    let operations = binding.children().filter(|child| child.is(WSDL, "operation"));
    operations
        .map(|bound| {
            let reader =
                OperationReader { components, bound, abstracted: abstracted(components, bound, port_type)?, endpoint };
            reader.read(port_type, is_rpc)
        })
        .collect()
}

struct OperationReader<'r, 's, 'd> {
    components: &'r Components<'s, 'd>,
    /// The operation in the binding.
    bound: Element<'d>,
    /// The operation in the port type.
    abstracted: Element<'d>,
    /// Of the endpoint; none when policies are not looked at.
    endpoint: Option<&'r EndpointPolicy>,
}

impl<'d> OperationReader<'_, '_, 'd> {
    fn read(&self, port_type: Element<'d>, is_rpc: bool) -> Result<Operation, Error> {
        let name = self.components.name(self.bound)?;
        let soap = self.bound.children().find(|child| child.local_name() == "operation" && is_soap(child.namespace()));
        let soap_action = soap.and_then(|soap| soap.attribute("soapAction")).map(str::trim);
        let soap_action = soap_action.filter(|action| !action.is_empty()).map(str::to_owned);
        let is_rpc = soap.and_then(|soap| soap.attribute("style")).map_or(is_rpc, |style| style == "rpc");
        let of_operation = match self.endpoint {
            Some(endpoint) => self.parts(&[self.bound, self.abstracted])?.merge(&endpoint.parts),
            None => Parts::default(),
        };
        let part = |carrier: Element<'d>, kind: &str| carrier.children().find(|child| child.is(WSDL, kind));
        let input = part(self.abstracted, "input");
        let input = input.ok_or_else(|| {
            let problem =
                format!("the operation {name:?} has no input: only requests that clients begin are available");
            self.components.sources.error(self.abstracted, problem)
        })?;
        let output = part(self.abstracted, "output");
        let message = |kind: &str, abstracted: Element<'d>, action: String, wrapper: String| {
            let bound = part(self.bound, kind);
            let protection = self.protection(&of_operation, bound, abstracted)?;
            let element = self.element(bound, abstracted, is_rpc, &wrapper)?;
            Ok::<_, Error>(OperationMessage { action, element, protection })
        };
        let stem = Stem { port_type, operation: name };
        let own = if output.is_some() { format!("{name}Request") } else { name.to_owned() };
        let action = declared_action(input)
            .or_else(|| soap_action.clone())
            .unwrap_or_else(|| stem.action(input.attribute("name").unwrap_or(&own)));
        let request = message("input", input, action, name.to_owned())?;
        let reply = output.map(|output| {
            let own = format!("{name}Response");
            let action =
                declared_action(output).unwrap_or_else(|| stem.action(output.attribute("name").unwrap_or(&own)));
            message("output", output, action, own.clone())
        });
        let mut faults = Vec::new();
        for fault in self.abstracted.children().filter(|child| child.is(WSDL, "fault")) {
            let fault_name = self.components.name(fault)?;
            let mut bound = self.bound.children().filter(|child| child.is(WSDL, "fault"));
            let bound = bound.find(|child| child.attribute("name") == Some(fault_name));
            let action = declared_action(fault).unwrap_or_else(|| {
                stem.action(&format!("{name}{}Fault{}{fault_name}", stem.delimiter(), stem.delimiter()))
            });
            let protection = self.protection(&of_operation, bound, fault)?;
            let element = self.element(bound, fault, false, "")?;
            faults.push((fault_name.to_owned(), OperationMessage { action, element, protection }));
        }
        Ok(Operation { name: name.to_owned(), soap_action, request, reply: reply.transpose()?, faults })
    }

    fn parts(&self, carriers: &[Element<'d>]) -> Result<Parts, Error> {
        let sources = self.components.sources;
        let alternatives = sources.attached(carriers.iter().copied())?;
        sources.first(self.bound, &alternatives, |alternative: &Alternative<'d>| {
            match alternative.iter().find(|assertion| !Parts::is_about(assertion)) {
                None => Parts::read(sources, alternative),
                Some(other) => Err(sources.error(
                    other.element,
                    format!(
                        "<{}> is not available for single operations and messages: attach it to the binding of the WSDL",
                        other.name()
                    ),
                )),
            }
        })
    }

    fn protection(
        &self,
        of_operation: &Parts,
        bound: Option<Element<'d>>,
        abstracted: Element<'d>,
    ) -> Result<MessageProtection, Error> {
        let Some(endpoint) = self.endpoint else { return Ok(MessageProtection::default()) };
        let mut carriers = vec![abstracted];
        carriers.extend(bound);
        if abstracted.attribute("message").is_some() {
            carriers.push(self.components.referenced("message", abstracted, "message")?);
        }
        let parts = self.parts(&carriers)?.merge(of_operation);
        if endpoint.security.as_ref().is_none_or(SecurityBinding::is_transport) {
            return Ok(MessageProtection { required_headers: parts.required, ..MessageProtection::default() });
        }
        let at = bound.unwrap_or(abstracted);
        let body = parts.body_level().ok_or_else(|| {
            self.components.sources.error(
                at,
                format!(
                    "<EncryptedParts> of <{}> names the Body, and <SignedParts> does not: sign it too",
                    at.local_name()
                ),
            )
        })?;
        let encrypted = &parts.encrypted.headers;
        if let Some(unsigned) = encrypted.iter().find(|header| !parts.signed.headers.contains(header)) {
            return Err(self.components.sources.error(
                at,
                format!(
                    "<EncryptedParts> names the Header {:?}, and <SignedParts> does not: sign it too",
                    unsigned.local_name.as_deref().unwrap_or(&unsigned.namespace)
                ),
            ));
        }
        let application = parts.signed.headers.iter().filter(|header| !crate::policy::is_addressing(header));
        let headers = application.map(|header| {
            let level =
                if encrypted.contains(header) { ProtectionLevel::EncryptAndSign } else { ProtectionLevel::Sign };
            HeaderProtection { name: header.clone(), level }
        });
        Ok(MessageProtection { body, headers: headers.collect(), required_headers: parts.required })
    }

    /// The element in the body of a message.
    fn element(
        &self,
        bound: Option<Element<'d>>,
        abstracted: Element<'d>,
        is_rpc: bool,
        wrapper: &str,
    ) -> Result<Option<QName>, Error> {
        let soap_body = bound.and_then(|bound| {
            bound.children().find(|child| child.local_name() == "body" && is_soap(child.namespace()))
        });
        if is_rpc {
            let namespace = soap_body.and_then(|body| body.attribute("namespace")).unwrap_or_default();
            return Ok(Some(QName::new(namespace, wrapper)));
        }
        if abstracted.attribute("message").is_none() {
            return Ok(None);
        }
        let message = self.components.referenced("message", abstracted, "message")?;
        let listed = soap_body.and_then(|body| body.attribute("parts"));
        let is_in_body = |part: &Element<'d>| {
            listed.is_none_or(|listed| listed.split_whitespace().any(|name| part.attribute("name") == Some(name)))
        };
        let mut parts = message.children().filter(|child| child.is(WSDL, "part")).filter(is_in_body);
        let Some(element) = parts.next().and_then(|part| Some((part, part.attribute("element")?))) else {
            return Ok(None);
        };
        let (namespace, local) = self.components.resolve(element.0, element.1.trim())?;
        Ok(Some(QName::new(namespace, local)))
    }
}

/// The beginning of actions that nobody wrote down (WS-Addressing 1.0 WSDL Binding, 4.4.4).
struct Stem<'d> {
    port_type: Element<'d>,
    operation: &'d str,
}

impl Stem<'_> {
    fn delimiter(&self) -> &'static str {
        if self.namespace().starts_with("urn:") { ":" } else { "/" }
    }

    fn namespace(&self) -> &str {
        target_namespace(self.port_type.document().root())
    }

    fn action(&self, last: &str) -> String {
        let (namespace, delimiter) = (self.namespace(), self.delimiter());
        let namespace = namespace.strip_suffix(delimiter).unwrap_or(namespace);
        let port_type = self.port_type.attribute("name").unwrap_or(self.operation);
        format!("{namespace}{delimiter}{port_type}{delimiter}{last}")
    }
}

/// The action that the port type declares.
fn declared_action(message: Element<'_>) -> Option<String> {
    let namespaces = [ns::WSAM, ns::WSAW, names::WSA, names::WSA_2004];
    let declared = namespaces.iter().find_map(|namespace| message.attribute_ns(namespace, "Action"));
    declared.map(str::trim).filter(|action| !action.is_empty()).map(str::to_owned)
}

/// The operation of the port type that a bound operation means. Overloads are told apart by the name of their input.
fn abstracted<'d>(
    components: &Components<'_, 'd>,
    bound: Element<'d>,
    port_type: Element<'d>,
) -> Result<Element<'d>, Error> {
    let name = components.name(bound)?;
    let input = |operation: Element<'d>| {
        operation.children().find(|child| child.is(WSDL, "input")).and_then(|input| input.attribute("name"))
    };
    let named =
        port_type.children().filter(|child| child.is(WSDL, "operation") && child.attribute("name") == Some(name));
    let named: Vec<Element<'d>> = named.collect();
    let same_input = named.iter().find(|operation| input(**operation) == input(bound));
    same_input
        .or_else(|| named.first())
        .copied()
        .ok_or_else(|| components.sources.error(bound, format!("the operation {name:?} is not in the portType")))
}
