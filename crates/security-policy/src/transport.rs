//! The transport below the security element (SC 14.6, 14.7).

use crate::attributes::{AttributeText, AttributeValue, attributes, words};
use crate::error::Error;
use crate::markup::Markup;
use crate::reader::{Reader, error_at};
use handstamp_xml::Element;
use std::time::Duration;

/// What carries messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Transport {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https {
        /// Whether TLS asks for the client's certificate.
        require_client_certificate: bool,
    },
}

words! {
    /// `transferMode`.
    pub enum TransferMode {
        /// Whole messages in memory: what message security needs.
        #[default]
        Buffered = "Buffered",
        /// Streams both ways.
        Streamed = "Streamed",
        /// Requests are streams.
        StreamedRequest = "StreamedRequest",
        /// Replies are streams.
        StreamedResponse = "StreamedResponse",
    }
}

words! {
    /// `proxyAuthenticationScheme`, and each word of `authenticationScheme`: authentication of HTTP.
    pub enum HttpAuthentication {
        /// Nobody is let in.
        None = "None",
        /// A digest of a password.
        Digest = "Digest",
        /// Kerberos or NTLM.
        Negotiate = "Negotiate",
        /// NTLM.
        Ntlm = "Ntlm",
        /// One of the two above.
        IntegratedWindows = "IntegratedWindowsAuthentication",
        /// A name and a password.
        Basic = "Basic",
        /// None is needed: what a token in the message needs.
        #[default]
        Anonymous = "Anonymous",
    }
}

words! {
    /// `hostNameComparisonMode`: how Windows finds the service that an address belongs to.
    pub enum HostNameComparison {
        /// Any host.
        #[default]
        StrongWildcard = "StrongWildcard",
        /// The host of the address.
        Exact = "Exact",
        /// Any host that nobody else has.
        WeakWildcard = "WeakWildcard",
    }
}

attributes! {
    /// The attributes of `httpTransport` and `httpsTransport` (SC 14.6).
    pub struct HttpTransport {
        /// `manualAddressing`. Default false; message security needs it so.
        manual_addressing: bool = false, "manualAddressing";
        /// `maxBufferPoolSize`, in octets. Default 524288.
        max_buffer_pool_size: u64 = 524_288, "maxBufferPoolSize";
        /// `maxReceivedMessageSize`, in octets. Default 65536.
        max_received_message_size: u64 = 65_536, "maxReceivedMessageSize" from 1;
        /// `maxBufferSize`, in octets. Default 65536.
        max_buffer_size: usize = 65_536, "maxBufferSize" from 1;
        /// `allowCookies`. Default false.
        allow_cookies: bool = false, "allowCookies";
        /// `authenticationScheme`. Default `Anonymous`; no other can be spoken.
        authentication_scheme: AuthenticationSchemes = AuthenticationSchemes::default(), "authenticationScheme";
        /// `bypassProxyOnLocal`. Default false.
        bypass_proxy_on_local: bool = false, "bypassProxyOnLocal";
        /// `decompressionEnabled`. Default true.
        decompression_enabled: bool = true, "decompressionEnabled";
        /// `hostNameComparisonMode`. Default `StrongWildcard`.
        host_name_comparison: HostNameComparison = HostNameComparison::StrongWildcard, "hostNameComparisonMode";
        /// `keepAliveEnabled`. Default true.
        keep_alive_enabled: bool = true, "keepAliveEnabled";
        /// `maxPendingAccepts`; 0 is as many as processors say. Default 0.
        max_pending_accepts: usize = 0, "maxPendingAccepts";
        /// `messageHandlerFactory`, a type. Default none.
        message_handler_factory: Option<String> = None, "messageHandlerFactory";
        /// `proxyAddress`. Default none.
        proxy_address: Option<String> = None, "proxyAddress";
        /// `proxyAuthenticationScheme`. Default `Anonymous`.
        proxy_authentication_scheme: HttpAuthentication = HttpAuthentication::Anonymous, "proxyAuthenticationScheme";
        /// `realm` of HTTP authentication. Default none.
        realm: Option<String> = None, "realm";
        /// `requestInitializationTimeout`: until the headers of a request are there; zero is no limit. Default zero.
        request_initialization_timeout: Duration = Duration::ZERO, "requestInitializationTimeout";
        /// `transferMode`. Default `Buffered`; message security needs it so.
        transfer_mode: TransferMode = TransferMode::Buffered, "transferMode";
        /// `unsafeConnectionNtlmAuthentication`. Default false.
        unsafe_connection_ntlm_authentication: bool = false, "unsafeConnectionNtlmAuthentication";
        /// `useDefaultWebProxy`. Default true.
        use_default_web_proxy: bool = true, "useDefaultWebProxy";
    }
}

/// `authenticationScheme`: one way of authentication, or several that a service offers (`Anonymous, Ntlm`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuthenticationSchemes(Vec<HttpAuthentication>);

impl AuthenticationSchemes {
    /// Each of them, in the order in which they are written.
    pub fn iter(&self) -> impl Iterator<Item = HttpAuthentication> {
        self.0.iter().copied()
    }
}

/// `Anonymous`.
impl Default for AuthenticationSchemes {
    fn default() -> Self {
        HttpAuthentication::Anonymous.into()
    }
}

impl From<HttpAuthentication> for AuthenticationSchemes {
    fn from(scheme: HttpAuthentication) -> Self {
        Self(vec![scheme])
    }
}

impl AttributeValue for AuthenticationSchemes {
    fn read(reader: &mut Reader<'_>, name: &'static str, _: u64) -> Result<Option<Self>, Error> {
        let read = |value: &str| {
            let words = value.split(',').map(|word| HttpAuthentication::from_word(word.trim()));
            words.collect::<Option<Vec<_>>>().map(Self)
        };
        reader.word(name, read, HttpAuthentication::WORDS)
    }
}

impl AttributeText for AuthenticationSchemes {
    fn text(&self) -> Option<String> {
        let words: Vec<String> = self.iter().filter_map(|scheme| scheme.text()).collect();
        Some(words.join(", "))
    }
}

/// Reads `httpTransport` or `httpsTransport`.
pub(crate) fn read(element: Element<'_>) -> Result<(Transport, HttpTransport), Error> {
    let mut reader = Reader::new(element);
    let http = HttpTransport::read(&mut reader)?;
    let transport = if element.local_name() == "httpsTransport" {
        let require_client_certificate = bool::read(&mut reader, "requireClientCertificate", 0)?.unwrap_or_default();
        Transport::Https { require_client_certificate }
    } else {
        Transport::Http
    };
    // Of no effect on message security: their own content is the business of the web server.
    for child in reader.children(&["extendedProtectionPolicy", "webSocketSettings"])? {
        if child.attribute("transportUsage") == Some("Always") {
            return Err(error_at(
                child,
                "transportUsage=\"Always\" sends messages through a web socket, which is not available: write WhenDuplex",
            ));
        }
    }
    reader.finish()?;
    Ok((transport, http))
}

pub(crate) fn write(transport: Transport, http: &HttpTransport, out: &mut Markup) {
    out.start(if transport == Transport::Http { "httpTransport" } else { "httpsTransport" });
    http.write(out);
    if transport == (Transport::Https { require_client_certificate: true }) {
        out.attribute("requireClientCertificate", &true);
    }
    out.end();
}
