//! Faults: the ones of the security layer, written and read (SC 12).

use crate::addressing::AddressingVersion;
use crate::error::{Error, OutsideFault};
use crate::soap::SoapVersion;
use handstamp_xml::{Element, Writer, names};
use std::fmt;

/// A SOAP fault as both versions can say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whose fault it is. SOAP 1.1 does not say when there is a subcode; [`FaultCode::Sender`] then.
    pub code: FaultCode,
    /// The subcode; in SOAP 1.1 it stands in place of the code.
    pub subcode: Option<QualifiedName>,
    /// One sentence for people.
    pub reason: String,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// The sender's: `Sender`, in SOAP 1.1 `Client`.
    Sender,
    /// The receiver's: `Receiver`, in SOAP 1.1 `Server`.
    Receiver,
    /// A header that has to be understood is not: `MustUnderstand`.
    MustUnderstand,
}

/// A name in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QualifiedName {
    /// The namespace.
    pub namespace: String,
    /// The local name.
    pub local_name: String,
}

/// The faults of the security layer (SC 12.2).
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityFault {
    /// The message is not protected as it must be, or its protection does not hold.
    InvalidSecurity,
    /// A credential was rejected.
    FailedAuthentication,
    /// The security context is unknown or expired. `namespace` is that of the secure-conversation generation to answer in.
    BadContextToken {
        /// [`names::WSC_2005`] or [`names::WSC_13`].
        namespace: &'static str,
    },
    /// The key of the security context has to be renewed.
    RenewNeeded {
        /// [`names::WSC_2005`] or [`names::WSC_13`].
        namespace: &'static str,
    },
    /// A token request cannot be served. Always in the trust namespace of February 2005, as WCF answers.
    InvalidRequest,
    /// Cancel was asked of a service whose contexts are cookies.
    CancellationNotAllowed,
    /// A header has to be understood, and is not.
    MustUnderstand,
    /// There are too many contexts that no message has used yet, or too much else to do.
    ServerTooBusy,
}

impl SecurityFault {
    /// The fault for an error of this crate: the only thing that the outside learns about it.
    pub fn of(outside: OutsideFault, conversation_namespace: &'static str) -> Self {
        match outside {
            OutsideFault::InvalidSecurity => Self::InvalidSecurity,
            OutsideFault::FailedAuthentication => Self::FailedAuthentication,
            OutsideFault::ServerTooBusy => Self::ServerTooBusy,
            OutsideFault::MustUnderstand => Self::MustUnderstand,
            OutsideFault::BadContextToken => Self::BadContextToken { namespace: conversation_namespace },
        }
    }

    /// The fault with its fixed reason (SC 12.2).
    pub fn to_fault(self) -> Fault {
        if self == Self::MustUnderstand {
            let reason = "A header of the message has to be understood, and is not understood here.".to_owned();
            return Fault { code: FaultCode::MustUnderstand, subcode: None, reason };
        }
        let (namespace, local_name, reason) = match self {
            Self::InvalidSecurity => {
                (names::WSSE, "InvalidSecurity", "An error occurred when verifying security for the message.")
            }
            Self::FailedAuthentication => (
                names::WSSE,
                "FailedAuthentication",
                "At least one security token in the message could not be validated.",
            ),
            Self::BadContextToken { namespace } => (
                namespace,
                "BadContextToken",
                "The security context token is expired or is not valid. The message was not processed.",
            ),
            Self::RenewNeeded { namespace } => {
                (namespace, "RenewNeeded", "The SecurityContextSecurityToken's key needs to be renewed.")
            }
            Self::InvalidRequest => {
                (names::WST_2005, "InvalidRequest", "The request for security token has invalid or malformed elements.")
            }
            Self::CancellationNotAllowed => (
                names::WCF_SECURITY,
                "SecureConversationCancellationNotAllowed",
                "A secure conversation cancellation is not allowed by the binding.",
            ),
            Self::ServerTooBusy | Self::MustUnderstand => (
                names::WCF_SECURITY,
                "ServerTooBusy",
                "There are too many pending secure conversations on the server. Please retry later.",
            ),
        };
        let code = if self == Self::ServerTooBusy { FaultCode::Receiver } else { FaultCode::Sender };
        Fault { code, subcode: Some(QualifiedName::new(namespace, local_name)), reason: reason.to_owned() }
    }
}

impl FaultCode {
    /// Whatever else it is, it is the sender's.
    fn of(name: Option<&QualifiedName>) -> Self {
        match name.map(|name| name.local_name.as_str()) {
            Some("Receiver" | "Server") => Self::Receiver,
            Some("MustUnderstand") => Self::MustUnderstand,
            _ => Self::Sender,
        }
    }
}

impl Fault {
    /// Reads a `Fault` element of either version.
    pub fn parse(element: Element<'_>) -> Result<Self, Error> {
        match element.namespace() {
            names::SOAP12 if element.local_name() == "Fault" => Self::parse_12(element),
            names::SOAP11 if element.local_name() == "Fault" => Self::parse_11(element),
            _ => Err(Error::malformed(SHAPE, "Fault", "it is another element")),
        }
    }

    /// Whether the subcode is one by which a peer's security layer speaks (SC 12.4).
    pub fn is_of_security_layer(&self) -> bool {
        const NAMESPACES: [&str; 6] =
            [names::WSSE, names::WSC_2005, names::WSC_13, names::WST_2005, names::WST_13, names::WCF_SECURITY];
        self.subcode.as_ref().is_some_and(|subcode| NAMESPACES.contains(&subcode.namespace.as_str()))
    }

    /// Writes the `Fault` element, for the body of a message.
    pub fn write(&self, version: SoapVersion, writer: &mut Writer) {
        self.start(version, writer);
        writer.end();
    }

    /// The same with what `detail` writes as its details.
    pub fn write_with_detail(&self, version: SoapVersion, writer: &mut Writer, detail: impl FnOnce(&mut Writer)) {
        self.start(version, writer);
        match version {
            SoapVersion::Soap12 => writer.start("s", version.namespace(), "Detail"),
            SoapVersion::Soap11 => writer.start("", "", "detail"),
        };
        detail(writer);
        writer.end().end();
    }

    /// The `Fault` element up to its reason.
    fn start(&self, version: SoapVersion, writer: &mut Writer) {
        let soap = version.namespace();
        writer.start("s", soap, "Fault");
        match version {
            SoapVersion::Soap12 => {
                writer.start("s", soap, "Code").start("s", soap, "Value");
                writer.text(match self.code {
                    FaultCode::Sender => "s:Sender",
                    FaultCode::Receiver => "s:Receiver",
                    FaultCode::MustUnderstand => "s:MustUnderstand",
                });
                writer.end();
                if let Some(subcode) = &self.subcode {
                    writer.start("s", soap, "Subcode").start("s", soap, "Value");
                    writer.declare("a", &subcode.namespace).text(&format!("a:{}", subcode.local_name));
                    writer.end().end();
                }
                writer.end().start("s", soap, "Reason").start("s", soap, "Text");
                writer.attribute_ns("xml", names::XML, "lang", "en-US").text(&self.reason).end().end();
            }
            SoapVersion::Soap11 => {
                writer.start("", "", "faultcode");
                match (&self.subcode, self.code) {
                    (Some(subcode), _) => {
                        writer.declare("a", &subcode.namespace).text(&format!("a:{}", subcode.local_name))
                    }
                    (None, FaultCode::Sender) => writer.text("s:Client"),
                    (None, FaultCode::Receiver) => writer.text("s:Server"),
                    (None, FaultCode::MustUnderstand) => writer.text("s:MustUnderstand"),
                };
                writer.end().start("", "", "faultstring").attribute_ns("xml", names::XML, "lang", "en-US");
                writer.text(&self.reason).end();
            }
        }
    }

    /// A whole message without protection: headers `Action` and `RelatesTo` only, as WCF answers what it could not verify.
    pub fn to_message(
        &self,
        version: SoapVersion,
        addressing: AddressingVersion,
        relates_to: Option<&str>,
    ) -> Result<String, Error> {
        let (soap, wsa) = (version.namespace(), addressing.namespace());
        let mut writer = Writer::new();
        writer.start("s", soap, "Envelope").declare("a", wsa).start("s", soap, "Header");
        writer.start("a", wsa, "Action").attribute_ns("s", soap, "mustUnderstand", "1");
        writer.text(addressing.fault_action()).end();
        if let Some(id) = relates_to {
            writer.element("a", wsa, "RelatesTo", id);
        }
        writer.end().start("s", soap, "Body");
        self.write(version, &mut writer);
        writer.end().end();
        Ok(writer.finish()?)
    }

    fn parse_12(element: Element<'_>) -> Result<Self, Error> {
        let code = element.child(names::SOAP12, "Code").ok_or_else(|| missing("Code"))?;
        let value = code.child(names::SOAP12, "Value").ok_or_else(|| missing("Value"))?;
        let said = QualifiedName::in_content(value);
        let subcode = code.child(names::SOAP12, "Subcode").and_then(|subcode| subcode.child(names::SOAP12, "Value"));
        let reason = element.child(names::SOAP12, "Reason").and_then(|reason| reason.child(names::SOAP12, "Text"));
        Ok(Self {
            code: FaultCode::of(said.as_ref()),
            subcode: subcode.and_then(QualifiedName::in_content),
            reason: reason.map(|text| cut(&text.text())).unwrap_or_default(),
        })
    }

    fn parse_11(element: Element<'_>) -> Result<Self, Error> {
        let code = element.child("", "faultcode").ok_or_else(|| missing("faultcode"))?;
        let name = QualifiedName::in_content(code).ok_or_else(|| missing("faultcode"))?;
        let in_soap = name.namespace == names::SOAP11;
        Ok(Self {
            code: FaultCode::of(Some(&name).filter(|_| in_soap)),
            subcode: (!in_soap).then_some(name),
            reason: element.child("", "faultstring").map(|text| cut(&text.text())).unwrap_or_default(),
        })
    }
}

/// `Sender wsse:InvalidSecurity "…"`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.code)?;
        if let Some(subcode) = &self.subcode {
            write!(f, " {}", subcode.local_name)?;
        }
        write!(f, " {:?}", self.reason)
    }
}

impl QualifiedName {
    /// A name.
    pub fn new(namespace: impl Into<String>, local_name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), local_name: local_name.into() }
    }

    /// The name that an element's text is, by the declarations in force *there*: WCF rebinds `a` on the spot.
    fn in_content(element: Element<'_>) -> Option<Self> {
        let text = element.text();
        let (prefix, local_name) = text.trim().split_once(':').unwrap_or(("", text.trim()));
        let namespace = element.namespace_of_prefix(prefix).unwrap_or_default();
        (!local_name.is_empty()).then(|| Self::new(cut(namespace), cut(local_name)))
    }
}

const SHAPE: &str = "SC 12.1";

fn missing(name: &str) -> Error {
    Error::malformed(SHAPE, "Fault", format!("{name} is missing"))
}

fn cut(text: &str) -> String {
    text.chars().take(512).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::Envelope;
    use handstamp_xml::{Document, ParseOptions};

    #[test]
    fn sc_12_1_faults_survive_both_versions() {
        let faults = [
            SecurityFault::InvalidSecurity,
            SecurityFault::BadContextToken { namespace: names::WSC_13 },
            SecurityFault::CancellationNotAllowed,
        ];
        for fault in faults.map(SecurityFault::to_fault) {
            for version in [SoapVersion::Soap11, SoapVersion::Soap12] {
                let text = fault.to_message(version, AddressingVersion::V10, Some("urn:uuid:1")).unwrap();
                let document = Document::parse(text, &ParseOptions::default()).unwrap();
                let body = Envelope::of(&document).unwrap().body();
                let read = Fault::parse(body.children().next().unwrap()).unwrap();
                assert_eq!(read, fault);
                assert!(read.is_of_security_layer());
            }
        }
    }

    #[test]
    fn sc_12_1_a_prefix_is_resolved_where_the_value_stands() {
        let text = format!(
            "<s:Fault xmlns:s='{}' xmlns:a='{}'><s:Code><s:Value>s:Receiver</s:Value><s:Subcode>\
             <s:Value xmlns:a='urn:b'>a:Busy</s:Value></s:Subcode></s:Code></s:Fault>",
            names::SOAP12,
            names::WSA
        );
        let document = Document::parse(text, &ParseOptions::default()).unwrap();
        let fault = Fault::parse(document.root()).unwrap();
        assert_eq!((fault.code, fault.subcode), (FaultCode::Receiver, Some(QualifiedName::new("urn:b", "Busy"))));
    }
}
