//! `<binding>` of a `<customBinding>`: the stack of elements (SC 14.1), and the rules between them (SC 14.9).

use crate::error::Error;
use crate::reader::{Reader, error_at};
use crate::security::SecurityElement;
use crate::transport::{self, Encoding, MessageVersion, TransferMode, Transport, TransportElement};
use handstamp_ws_security::SecurityBinding;
use handstamp_xml::{Document, Element, ParseOptions};
use std::time::Duration;

/// A custom binding of WCF: message security, encoding and transport.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomBinding {
    name: Option<String>,
    security: SecurityBinding,
    encoding: Encoding,
    message_version: MessageVersion,
    transport: Transport,
    timeouts: Timeouts,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Timeouts {
    send: Option<Duration>,
    receive: Option<Duration>,
}

const ENCODINGS: [&str; 3] = ["textMessageEncoding", "mtomMessageEncoding", "binaryMessageEncoding"];
const TRANSPORTS: [&str; 2] = ["httpTransport", "httpsTransport"];

impl CustomBinding {
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
        reader.span_or_infinite("openTimeout")?;
        reader.span_or_infinite("closeTimeout")?;
        let minutes = |count: u64| Some(Duration::from_secs(count * 60));
        let timeouts = Timeouts {
            send: reader.span_or_infinite("sendTimeout")?.unwrap_or(minutes(1)),
            receive: reader.span_or_infinite("receiveTimeout")?.unwrap_or(minutes(10)),
        };
        let known: Vec<&str> = ["security"].into_iter().chain(ENCODINGS).chain(TRANSPORTS).collect();
        let children = reader.children(&known)?;
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
        let (encoding, message_version) =
            first.map(|child| transport::encoding(*child)).transpose()?.unwrap_or_default();
        let carrier = transport::transport(*last)?;
        let security = above.iter().find(|child| child.local_name() == "security");
        let security =
            security.ok_or_else(|| error_at(element, "<binding> has no <security>, so nothing protects messages"))?;
        let security = SecurityElement::read(*security)?;
        let binding = security.build()?;
        check(&security, &binding, message_version, &carrier)?;
        Ok(Self { name, security: binding, encoding, message_version, transport: carrier.transport, timeouts })
    }

    /// `name`.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What protects messages.
    pub fn security(&self) -> &SecurityBinding {
        &self.security
    }

    /// How messages are written on the wire. Without an encoding element, as text.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// SOAP and addressing.
    pub fn message_version(&self) -> MessageVersion {
        self.message_version
    }

    /// What carries messages.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// `sendTimeout`: how long a call may take; none is forever. Default 1 minute.
    pub fn send_timeout(&self) -> Option<Duration> {
        self.timeouts.send
    }

    /// `receiveTimeout`: how long an active session may be idle; none is forever. Default 10 minutes.
    pub fn receive_timeout(&self) -> Option<Duration> {
        self.timeouts.receive
    }
}

/// The rules between security, encoding and transport.
fn check(
    security: &SecurityElement<'_>,
    binding: &SecurityBinding,
    version: MessageVersion,
    carrier: &TransportElement,
) -> Result<(), Error> {
    let by_message = !binding.is_transport();
    if by_message && carrier.transfer_mode != TransferMode::Buffered {
        return Err(security.error(
            "message security, which this authenticationMode of <security> means, needs transferMode=\"Buffered\" on the \
             transport",
        ));
    }
    if by_message && carrier.manual_addressing {
        return Err(security.error(
            "message security, which this authenticationMode of <security> means, cannot work with manualAddressing=\"true\" \
             on the transport",
        ));
    }
    let bootstrap = binding.session().map(|session| &session.bootstrap);
    let bare = |part: &SecurityBinding| part.is_transport() && !part.allow_insecure_transport;
    if carrier.transport == Transport::Http && (bare(binding) || bootstrap.is_some_and(bare)) {
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
