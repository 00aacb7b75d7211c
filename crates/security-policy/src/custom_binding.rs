//! `<binding>` of a `<customBinding>`: the stack of elements (SC 14.1), and the rules between them (SC 14.9).

use crate::attributes::attributes;
use crate::binding_builder::CustomBindingBuilder;
use crate::encoding::{Encoding, EncodingElement, MessageVersion};
use crate::error::Error;
use crate::reader::{Reader, error_at};
use crate::security::SecurityElement;
use crate::transport::{self, AuthenticationSchemes, HttpTransport, TransferMode, Transport};
use handstamp_ws_security::SecurityBinding;
use handstamp_xml::{Document, Element, ParseOptions};
use std::time::Duration;

/// A custom binding of WCF: message security, encoding and transport.
///
/// ```
/// use handstamp_security_policy::CustomBinding;
///
/// let binding = CustomBinding::parse(r#"
///     <binding name="ledger">
///       <security authenticationMode="SecureConversation">
///         <secureConversationBootstrap authenticationMode="MutualCertificate"/>
///       </security>
///       <textMessageEncoding messageVersion="Soap11WSAddressing10"/>
///       <httpTransport/>
///     </binding>"#)?;
/// assert_eq!(CustomBinding::parse(binding.to_xml()?)?, binding);
/// # Ok::<(), handstamp_security_policy::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CustomBinding {
    name: Option<String>,
    timeouts: BindingTimeouts,
    security: SecurityBinding,
    encoding: EncodingElement,
    transport: Transport,
    http: HttpTransport,
}

attributes! {
    /// How long things may take under a binding; none is forever (SC 14.1).
    pub struct BindingTimeouts {
        /// `openTimeout`: opening a channel. Default 1 minute.
        open: Option<Duration> = minutes(1), "openTimeout";
        /// `closeTimeout`: closing it. Default 1 minute.
        close: Option<Duration> = minutes(1), "closeTimeout";
        /// `sendTimeout`: a call. Default 1 minute.
        send: Option<Duration> = minutes(1), "sendTimeout";
        /// `receiveTimeout`: how long an active session may be idle. Default 10 minutes.
        receive: Option<Duration> = minutes(10), "receiveTimeout";
    }
}

const fn minutes(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count * 60))
}

const ENCODINGS: [&str; 3] = ["textMessageEncoding", "mtomMessageEncoding", "binaryMessageEncoding"];
/// What tools and people are told, and no message shows.
const METADATA: [&str; 2] = ["privacyNoticeAt", "useManagedPresentation"];
const TRANSPORTS: [&str; 2] = ["httpTransport", "httpsTransport"];

impl CustomBinding {
    /// A binding in code, in the words of the XML.
    pub fn builder(security: SecurityElement) -> CustomBindingBuilder {
        CustomBindingBuilder::new(security)
    }

    /// Reads a `<binding>`, or the only `<binding>` inside a `<customBinding>`, or inside a larger piece of configuration that
    /// holds exactly one `<customBinding>`.
    ///
    /// # Errors
    /// [`Error::Configuration`] with the line for whatever is not known, out of range, or refused in combination.
    pub fn parse(text: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let document = Document::parse(text, &ParseOptions::default())?;
        Self::read(the_binding(document.root(), None)?)
    }

    /// The same with the `<binding>` of this name.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_named(text: impl Into<Vec<u8>>, name: &str) -> Result<Self, Error> {
        let document = Document::parse(text, &ParseOptions::default())?;
        Self::read(the_binding(document.root(), Some(name))?)
    }

    /// Reads a `<binding>` element.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn read(element: Element<'_>) -> Result<Self, Error> {
        let mut reader = Reader::new(element);
        let name = reader.text("name").map(str::to_owned);
        let timeouts = BindingTimeouts::read(&mut reader)?;
        refuse_unavailable(element)?;
        let known: Vec<&str> = ["security"].into_iter().chain(ENCODINGS).chain(TRANSPORTS).chain(METADATA).collect();
        let mut children = reader.children(&known)?;
        children.retain(|child| !METADATA.contains(&child.local_name()));
        reader.finish()?;
        let Some((last, above)) = children.split_last() else {
            return Err(error_at(element, "<binding> is empty: it needs <security> and a transport"));
        };
        if let Some(early) = above.iter().find(|child| TRANSPORTS.contains(&child.local_name())) {
            return Err(error_at(
                *early,
                format!("<{}> stands before <{}>: the transport is last", early.local_name(), last.local_name()),
            ));
        }
        if !TRANSPORTS.contains(&last.local_name()) {
            return Err(error_at(
                element,
                "<binding> has no transport: end it with <httpTransport/> or <httpsTransport/>",
            ));
        }
        let mut encodings = above.iter().filter(|child| ENCODINGS.contains(&child.local_name()));
        let first = encodings.next();
        if let (Some(first), Some(second)) = (first, encodings.next()) {
            let problem = format!("<{}> is a second encoding besides <{}>", second.local_name(), first.local_name());
            return Err(error_at(*second, problem));
        }
        let encoding = first.map(|child| EncodingElement::read(*child)).transpose()?.unwrap_or_default();
        let (transport, http) = transport::read(*last)?;
        let element_of_security = above.iter().find(|child| child.local_name() == "security");
        let element_of_security = element_of_security
            .ok_or_else(|| error_at(element, "<binding> has no <security>, so nothing protects messages"))?;
        let written = SecurityElement::read(*element_of_security)?;
        let security = written.build()?;
        let binding = Self { name, timeouts, security, encoding, transport, http };
        binding.check(&written)?;
        Ok(binding)
    }

    /// Writes a `<customBinding>` that [`parse`](Self::parse) reads as this binding. Defaults are not written.
    ///
    /// # Errors
    /// [`Error::Binding`] for security that no `<security>` has words for. Bindings that were read or built have them.
    pub fn to_xml(&self) -> Result<String, Error> {
        let parts = CustomBindingBuilder {
            name: self.name.clone(),
            timeouts: self.timeouts.clone(),
            security: SecurityElement::of(&self.security)?,
            encoding: self.encoding.clone(),
            transport: self.transport,
            http: self.http.clone(),
        };
        Ok(parts.to_xml())
    }

    /// `name`.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How long things may take.
    pub fn timeouts(&self) -> &BindingTimeouts {
        &self.timeouts
    }

    /// What protects messages.
    pub fn security(&self) -> &SecurityBinding {
        &self.security
    }

    /// How messages are written on the wire. Without an encoding element, as text.
    pub fn encoding(&self) -> Encoding {
        self.encoding.encoding
    }

    /// The encoding with all that it says.
    pub fn encoding_element(&self) -> &EncodingElement {
        &self.encoding
    }

    /// SOAP and addressing.
    pub fn message_version(&self) -> MessageVersion {
        self.encoding.message_version
    }

    /// What carries messages.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The attributes of the transport.
    pub fn http(&self) -> &HttpTransport {
        &self.http
    }

    /// `sendTimeout`: how long a call may take; none is forever. Default 1 minute.
    pub fn send_timeout(&self) -> Option<Duration> {
        self.timeouts.send
    }

    /// `receiveTimeout`: how long an active session may be idle; none is forever. Default 10 minutes.
    pub fn receive_timeout(&self) -> Option<Duration> {
        self.timeouts.receive
    }

    /// Whether messages can be exchanged over this transport: what was captured can be opened without.
    ///
    /// # Errors
    /// [`Error::Binding`] when HTTP has to authenticate somebody.
    pub fn check_http(&self) -> Result<(), Error> {
        if self.http.authentication_scheme == AuthenticationSchemes::default() {
            return Ok(());
        }
        let problem = "authenticationScheme of the transport asks for authentication of HTTP, which is not available: write Anonymous, \
                       since authenticationMode of <security> says who authenticates how";
        Err(Error::Binding { problem: problem.to_owned() })
    }

    /// The rules between security, encoding and transport.
    fn check(&self, security: &SecurityElement) -> Result<(), Error> {
        let (binding, version) = (&self.security, self.message_version());
        let by_message = !binding.is_transport();
        if by_message && self.http.transfer_mode != TransferMode::Buffered {
            return Err(security.error(
            "message security, which this authenticationMode of <security> means, needs transferMode=\"Buffered\" on the \
             transport",
        ));
        }
        if by_message && self.http.manual_addressing {
            return Err(security.error(
            "message security, which this authenticationMode of <security> means, cannot work with manualAddressing=\"true\" \
             on the transport",
        ));
        }
        let bootstrap = binding.session().map(|session| &session.bootstrap);
        let bare = |part: &SecurityBinding| part.is_transport() && !part.allow_insecure_transport;
        if self.transport == Transport::Http && (bare(binding) || bootstrap.is_some_and(bare)) {
            return Err(security.error(
            "authenticationMode leaves protection to TLS, and <httpTransport> has none: use <httpsTransport>, or set \
             allowInsecureTransport=\"true\" on <security> and on <secureConversationBootstrap> where a proxy ends TLS",
        ));
        }
        if binding.session().is_some() && version.addressing.is_none() {
            return Err(security.error(
            "authenticationMode=\"SecureConversation\" needs WS-Addressing, and messageVersion of the encoding has none: choose \
             one like Soap12WSAddressing10",
        ));
        }
        if version.soap.is_none() {
            return Err(security.error(
            "authenticationMode needs a SOAP header to put tokens into, and messageVersion=\"None\" of the encoding has none: choose \
             one like Soap12WSAddressing10",
        ));
        }
        Ok(())
    }
}

/// Elements of WCF's stack that mean something that is not available.
fn refuse_unavailable(element: Element<'_>) -> Result<(), Error> {
    for child in element.children() {
        let why = match child.local_name() {
            "reliableSession" => "is reliable messaging, which is not available: turn it off on both sides",
            "transactionFlow" => "is a distributed transaction, which is not available: turn it off on both sides",
            "compositeDuplex" | "oneWay" => "is for duplex and one-way channels, which are not available over HTTP",
            "tcpTransport" | "namedPipeTransport" | "msmqTransport" | "msmqIntegration" | "peerTransport"
            | "udpTransport" => "is not HTTP: only <httpTransport> and <httpsTransport> are available",
            "sslStreamSecurity" | "windowsStreamSecurity" => {
                "protects a stream, and messages of HTTP are none: use <httpsTransport>"
            }
            "webMessageEncoding" | "byteStreamMessageEncoding" => {
                "is no SOAP: use <textMessageEncoding>, <mtomMessageEncoding> or <binaryMessageEncoding>"
            }
            _ => continue,
        };
        return Err(error_at(child, format!("<{}> {why}", child.local_name())));
    }
    Ok(())
}

fn the_binding<'d>(root: Element<'d>, name: Option<&str>) -> Result<Element<'d>, Error> {
    let is_wanted = |binding: &Element<'_>| name.is_none() || binding.attribute("name") == name;
    if root.local_name() == "binding" {
        let found = Some(root).filter(is_wanted);
        return found.ok_or_else(|| error_at(root, "<binding> has another name"));
    }
    let mut customs = root.descendants().chain([root]).filter(|element| element.local_name() == "customBinding");
    let custom =
        customs.next().ok_or_else(|| error_at(root, "there is no <customBinding>, and this is no <binding>"))?;
    if let Some(second) = customs.find(|other| other.id() != custom.id()) {
        return Err(error_at(second, "<customBinding> stands twice: keep one"));
    }
    if let Some(other) = custom.children().find(|child| child.local_name() != "binding") {
        return Err(error_at(other, format!("<{}> is not known in <customBinding>", other.local_name())));
    }
    let mut bindings = custom.children().filter(is_wanted);
    let binding = bindings.next().ok_or_else(|| error_at(custom, "<customBinding> has no <binding> of this name"))?;
    match bindings.next() {
        None => Ok(binding),
        Some(second) => Err(error_at(second, "a second <binding> fits: say which by its name, or keep one")),
    }
}
