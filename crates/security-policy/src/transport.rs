//! The encoding and the transport below the security element (SC 14.5 to 14.7).

use crate::error::Error;
use crate::reader::Reader;
use handstamp_ws_security::AddressingVersion;
use handstamp_ws_security::soap::SoapVersion;
use handstamp_xml::Element;

/// How messages are written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// Text XML.
    #[default]
    Text,
    /// MTOM.
    Mtom,
    /// .NET binary XML.
    Binary,
}

/// `messageVersion`. The default is `Soap12WSAddressing10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageVersion {
    /// SOAP; none for `None`.
    pub soap: Option<SoapVersion>,
    /// WS-Addressing; none for versions without it.
    pub addressing: Option<AddressingVersion>,
}

/// What carries messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https {
        /// Whether TLS asks for the client's certificate.
        require_client_certificate: bool,
    },
}

/// `transferMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TransferMode {
    /// Whole messages in memory: what message security needs.
    #[default]
    Buffered,
    /// Streams both ways.
    Streamed,
    /// Requests are streams.
    StreamedRequest,
    /// Replies are streams.
    StreamedResponse,
}

/// `Soap12WSAddressing10`.
impl Default for MessageVersion {
    fn default() -> Self {
        Self { soap: Some(SoapVersion::Soap12), addressing: Some(AddressingVersion::V10) }
    }
}

impl MessageVersion {
    /// The version of this configuration string.
    pub fn from_name(name: &str) -> Option<Self> {
        use AddressingVersion::{August2004, V10};
        use SoapVersion::{Soap11, Soap12};
        let (soap, addressing) = match name {
            "None" => (None, None),
            "Soap11" => (Some(Soap11), None),
            "Soap12" => (Some(Soap12), None),
            "Soap11WSAddressing10" => (Some(Soap11), Some(V10)),
            "Soap12WSAddressing10" | "Default" => (Some(Soap12), Some(V10)),
            "Soap11WSAddressingAugust2004" => (Some(Soap11), Some(August2004)),
            "Soap12WSAddressingAugust2004" => (Some(Soap12), Some(August2004)),
            _ => return None,
        };
        Some(Self { soap, addressing })
    }
}

/// What the rules of SC 14.9 ask of a transport.
pub(crate) struct TransportElement {
    pub(crate) transport: Transport,
    pub(crate) transfer_mode: TransferMode,
    pub(crate) manual_addressing: bool,
}

pub(crate) fn encoding(element: Element<'_>) -> Result<(Encoding, MessageVersion), Error> {
    let mut reader = Reader::new(element);
    reader.count("maxReadPoolSize", 1)?;
    reader.count("maxWritePoolSize", 1)?;
    let mut version = MessageVersion::default();
    let encoding = match element.local_name() {
        "binaryMessageEncoding" => {
            reader.count("maxSessionSize", 0)?;
            let formats = ["None", "GZip", "Deflate"];
            reader.word(
                "compressionFormat",
                |value| formats.contains(&value).then_some(()),
                "None, GZip or Deflate",
            )?;
            Encoding::Binary
        }
        name => {
            let read = MessageVersion::from_name;
            if let Some(written) = reader.word("messageVersion", read, "a message version like Soap12WSAddressing10")? {
                version = written;
            }
            let encodings = ["utf-8", "utf-16", "unicode", "utf-16be"];
            let read = |value: &str| encodings.contains(&value.to_ascii_lowercase().as_str()).then_some(());
            reader.word("writeEncoding", read, "utf-8, utf-16, unicode or utf-16BE")?;
            if name == "mtomMessageEncoding" {
                reader.count("maxBufferSize", 1)?;
                Encoding::Mtom
            } else {
                Encoding::Text
            }
        }
    };
    for quotas in reader.children(&["readerQuotas"])? {
        let mut reader = Reader::new(quotas);
        for name in ["maxDepth", "maxStringContentLength", "maxArrayLength", "maxBytesPerRead", "maxNameTableCharCount"]
        {
            reader.count(name, 0)?;
        }
        reader.children(&[])?;
        reader.finish()?;
    }
    reader.finish()?;
    Ok((encoding, version))
}

pub(crate) fn transport(element: Element<'_>) -> Result<TransportElement, Error> {
    let mut reader = Reader::new(element);
    let manual_addressing = reader.bool("manualAddressing")?.unwrap_or(false);
    for name in [
        "allowCookies",
        "bypassProxyOnLocal",
        "decompressionEnabled",
        "keepAliveEnabled",
        "unsafeConnectionNtlmAuthentication",
        "useDefaultWebProxy",
    ] {
        reader.bool(name)?;
    }
    let long = 0..=i64::MAX as u64;
    reader.number("maxBufferPoolSize", long)?;
    reader.number("maxReceivedMessageSize", 1..=i64::MAX as u64)?;
    reader.count("maxBufferSize", 1)?;
    reader.count("maxPendingAccepts", 0)?;
    reader.span("requestInitializationTimeout")?;
    for name in ["messageHandlerFactory", "proxyAddress", "realm"] {
        reader.text(name);
    }
    for name in ["authenticationScheme", "proxyAuthenticationScheme"] {
        const SCHEMES: [&str; 7] =
            ["None", "Digest", "Negotiate", "Ntlm", "IntegratedWindowsAuthentication", "Basic", "Anonymous"];
        reader.word(name, |value| SCHEMES.contains(&value).then_some(()), &SCHEMES.join(", "))?;
    }
    let modes = ["StrongWildcard", "Exact", "WeakWildcard"];
    reader.word("hostNameComparisonMode", |value| modes.contains(&value).then_some(()), &modes.join(", "))?;
    let read = |value: &str| match value {
        "Buffered" => Some(TransferMode::Buffered),
        "Streamed" => Some(TransferMode::Streamed),
        "StreamedRequest" => Some(TransferMode::StreamedRequest),
        "StreamedResponse" => Some(TransferMode::StreamedResponse),
        _ => None,
    };
    let allowed = "Buffered, Streamed, StreamedRequest or StreamedResponse";
    let transfer_mode = reader.word("transferMode", read, allowed)?.unwrap_or_default();
    let transport = if element.local_name() == "httpsTransport" {
        let require_client_certificate = reader.bool("requireClientCertificate")?.unwrap_or(false);
        Transport::Https { require_client_certificate }
    } else {
        Transport::Http
    };
    // Of no effect on message security: their own content is the business of the web server.
    reader.children(&["extendedProtectionPolicy", "webSocketSettings"])?;
    reader.finish()?;
    Ok(TransportElement { transport, transfer_mode, manual_addressing })
}
