//! The standard bindings of WCF that protect messages over HTTP, as the custom bindings that they stand for (SC §15).

use crate::attributes::{AttributeValue, words};
use crate::custom_binding::{BindingTimeouts, CustomBinding};
use crate::encoding::{self, EncodingElement, MessageVersion, WriteEncoding};
use crate::error::{Error, line_of};
use crate::reader::{Reader, error_at};
use crate::security::{self, SecurityElement};
use crate::transport::{HostNameComparison, HttpTransport};
use handstamp_ws_security::{
    AlgorithmSuite, AuthenticationMode, IssuedTokenParameters, LocalClientSettings, LocalServiceSettings,
    MessageSecurityVersion,
};
use handstamp_xml::{Document, Element, ParseOptions};
use std::time::Duration;

/// A standard binding of WCF. Sessions of all of them are remembered by the service: what travels as a cookie needs a custom
/// binding.
///
/// ```
/// use handstamp_security_policy::StandardBinding;
/// use handstamp_xml::{Document, ParseOptions};
///
/// let text = r#"<binding name="ledger">
///       <security><message clientCredentialType="UserName" negotiateServiceCredential="false"/></security>
///     </binding>"#;
/// let document = Document::parse(text, &ParseOptions::default())?;
/// let binding = StandardBinding::WsHttp.expand(Some(document.root()))?;
/// assert!(binding.to_xml()?.contains("UserNameForCertificate"));
/// # Ok::<(), handstamp_security_policy::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StandardBinding {
    /// `wsHttpBinding`: February 2005.
    WsHttp,
    /// `ws2007HttpBinding`: the same with 1.3.
    Ws2007Http,
    /// `wsFederationHttpBinding`: clients with tokens of a token service, February 2005.
    WsFederationHttp,
    /// `ws2007FederationHttpBinding`: the same with 1.3.
    Ws2007FederationHttp,
}

words! {
    /// `mode` of `<security>`.
    enum SecurityMode {
        /// Nothing protects.
        None = "None",
        /// TLS protects and authenticates.
        Transport = "Transport",
        /// Messages are protected.
        #[default]
        Message = "Message",
        /// TLS protects, messages authenticate.
        Mixed = "TransportWithMessageCredential",
    }
}

words! {
    /// `clientCredentialType` of `<message>`.
    enum ClientCredential {
        /// The client stays anonymous.
        None = "None",
        /// Kerberos or NTLM.
        #[default]
        Windows = "Windows",
        /// A name and a password.
        UserName = "UserName",
        /// A certificate.
        Certificate = "Certificate",
        /// A token of a token service.
        IssuedToken = "IssuedToken",
    }
}

words! {
    /// `messageEncoding`.
    enum MessageEncoding {
        /// Text.
        #[default]
        Text = "Text",
        /// MTOM.
        Mtom = "Mtom",
    }
}

/// `<security>`, as far as it is about messages.
#[derive(Default)]
struct Security {
    mode: SecurityMode,
    credential: Option<ClientCredential>,
    negotiate_service_credential: Option<bool>,
    algorithm_suite: Option<AlgorithmSuite>,
    establish_security_context: Option<bool>,
    issued: IssuedTokenParameters,
}

impl StandardBinding {
    /// The binding of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [StandardBinding; 4] = [
            StandardBinding::WsHttp,
            StandardBinding::Ws2007Http,
            StandardBinding::WsFederationHttp,
            StandardBinding::Ws2007FederationHttp,
        ];
        ALL.into_iter().find(|binding| binding.name() == name)
    }

    /// The name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WsHttp => "wsHttpBinding",
            Self::Ws2007Http => "ws2007HttpBinding",
            Self::WsFederationHttp => "wsFederationHttpBinding",
            Self::Ws2007FederationHttp => "ws2007FederationHttpBinding",
        }
    }

    /// The custom binding that a `<binding>` of this kind stands for; none is one with all defaults.
    ///
    /// # Errors
    /// [`Error::Configuration`] with the line for whatever is not known or cannot be: Windows credentials, which are the default,
    /// reliable sessions, transactions, and security that leaves messages as they are. [`Error::Binding`] without an element.
    pub fn expand(self, binding: Option<Element<'_>>) -> Result<CustomBinding, Error> {
        match binding {
            Some(binding) => self.read(binding),
            None => {
                let plain = Document::parse("<binding/>", &ParseOptions::default())?;
                self.read(plain.root()).map_err(Error::without_line)
            }
        }
    }

    fn read(self, binding: Element<'_>) -> Result<CustomBinding, Error> {
        let mut reader = Reader::new(binding);
        let name = reader.text("name").map(str::to_owned);
        let timeouts = BindingTimeouts::read(&mut reader)?;
        let http = self.http(&mut reader)?;
        let mut encoding = encoding_of(&mut reader)?;
        if reader.bool("transactionFlow")? == Some(true) {
            return Err(reader.error("transactionFlow=\"true\" is not available: turn it off on both sides"));
        }
        if self.is_federation() {
            reader.text("privacyNoticeAt");
            reader.count("privacyNoticeVersion", 0)?;
        }
        let (mut place, mut read) = (binding, Security::default());
        for child in reader.children(&["readerQuotas", "reliableSession", "security"])? {
            match child.local_name() {
                "readerQuotas" => encoding.reader_quotas = encoding::quotas(child)?,
                "reliableSession" => refuse_reliable_session(child)?,
                _ => (place, read) = (child, self.security(child)?),
            }
        }
        reader.finish()?;
        let builder = CustomBinding::builder(self.element(place, &read)?).timeouts(timeouts).encoding(encoding);
        let builder = match name {
            Some(name) => builder.name(name),
            None => builder,
        };
        let builder = match read.mode {
            SecurityMode::Mixed => builder.https_transport(http, false),
            _ => builder.http_transport(http),
        };
        builder.build().map_err(|error| match error {
            Error::Binding { problem } => Error::Configuration { line: line_of(place), problem },
            other => other,
        })
    }

    fn http(self, reader: &mut Reader<'_>) -> Result<HttpTransport, Error> {
        let mut http = HttpTransport::default();
        macro_rules! take {
            ($($field:ident = $name:literal from $least:literal;)+) => {
                $(if let Some(value) = AttributeValue::read(reader, $name, $least)? { http.$field = value; })+
            };
        }
        take! {
            bypass_proxy_on_local = "bypassProxyOnLocal" from 0;
            max_buffer_pool_size = "maxBufferPoolSize" from 0;
            max_received_message_size = "maxReceivedMessageSize" from 1;
            proxy_address = "proxyAddress" from 0;
            use_default_web_proxy = "useDefaultWebProxy" from 0;
        }
        if !self.is_federation() {
            take! { allow_cookies = "allowCookies" from 0; }
        }
        if let Some(comparison) = HostNameComparison::read(reader, "hostNameComparisonMode", 0)? {
            http.host_name_comparison = comparison;
        }
        Ok(http)
    }

    fn security(self, element: Element<'_>) -> Result<Security, Error> {
        let mut reader = Reader::new(element);
        let mode = SecurityMode::read(&mut reader, "mode", 0)?.unwrap_or_default();
        let mut security = Security::default();
        let known: &[&str] = if self.is_federation() { &["message"] } else { &["message", "transport"] };
        // <transport> is about modes in which TLS authenticates the client.
        for message in reader.children(known)?.into_iter().filter(|child| child.local_name() == "message") {
            security = self.message(message)?;
        }
        reader.finish()?;
        Ok(Security { mode, ..security })
    }

    fn message(self, element: Element<'_>) -> Result<Security, Error> {
        let mut reader = Reader::new(element);
        let mut security = Security {
            negotiate_service_credential: reader.bool("negotiateServiceCredential")?,
            algorithm_suite: reader.word("algorithmSuite", AlgorithmSuite::from_name, "an algorithm suite")?,
            establish_security_context: reader.bool("establishSecurityContext")?,
            ..Security::default()
        };
        if self.is_federation() {
            security.issued.key_type = security::key_type(&mut reader, "issuedKeyType")?;
            security.issued.token_type = Option::read(&mut reader, "issuedTokenType", 0)?.flatten();
            for child in
                reader.children(&["claimTypeRequirements", "issuer", "issuerMetadata", "tokenRequestParameters"])?
            {
                match child.local_name() {
                    "claimTypeRequirements" => security.issued.claim_types = security::claim_types(child)?,
                    "issuer" => security.issued.issuer = security::issuer(child)?,
                    "tokenRequestParameters" => {
                        security.issued.additional = child.children().map(security::standalone).collect();
                    }
                    _ => {}
                }
            }
        } else {
            security.credential = ClientCredential::read(&mut reader, "clientCredentialType", 0)?;
            reader.children(&[])?;
        }
        reader.finish()?;
        Ok(security)
    }

    /// The element of the table in SC §15.
    fn element(self, place: Element<'_>, security: &Security) -> Result<SecurityElement, Error> {
        let mode = self.mode(place, security)?;
        let plain = |mode| {
            let element = SecurityElement::new(mode)
                .message_security_version(self.version())
                .default_algorithm_suite(security.algorithm_suite.unwrap_or_default());
            if security.issued == IssuedTokenParameters::default() {
                element
            } else {
                element.issued_token_parameters(security.issued.clone())
            }
        };
        // There are no reliable sessions.
        let client = LocalClientSettings { reconnect_transport_on_failure: false, ..LocalClientSettings::default() };
        let service = LocalServiceSettings { reconnect_transport_on_failure: false, ..LocalServiceSettings::default() };
        let element = if security.establish_security_context.unwrap_or(true) {
            let brief = Some(Duration::from_secs(15 * 60));
            let bootstrap = LocalServiceSettings { issued_cookie_lifetime: brief, ..LocalServiceSettings::default() };
            SecurityElement::new(AuthenticationMode::SecureConversation)
                .message_security_version(self.version())
                .default_algorithm_suite(security.algorithm_suite.unwrap_or_default())
                .secure_conversation_bootstrap(plain(mode).local_service_settings(bootstrap))
        } else {
            plain(mode)
        };
        Ok(element.local_client_settings(client).local_service_settings(service))
    }

    fn mode(self, place: Element<'_>, security: &Security) -> Result<AuthenticationMode, Error> {
        use AuthenticationMode as Mode;
        let refuse = |problem: &str| Err(error_at(place, problem));
        let mixed = match security.mode {
            SecurityMode::Message => false,
            SecurityMode::Mixed => true,
            SecurityMode::None => return refuse("mode=\"None\" of <security> means that nothing protects messages"),
            SecurityMode::Transport => {
                return refuse("mode=\"Transport\" of <security> leaves messages as they are: TLS alone protects");
            }
        };
        let credential = match security.credential {
            _ if self.is_federation() => ClientCredential::IssuedToken,
            credential => credential.unwrap_or_default(),
        };
        let negotiates = security.negotiate_service_credential.unwrap_or(true);
        Ok(match (credential, mixed, negotiates) {
            (ClientCredential::Windows, ..) => {
                return Err(error_at(place, windows(self, security, mixed, negotiates)));
            }
            (ClientCredential::None, true, _) => {
                return refuse(
                    "clientCredentialType=\"None\" does not go with mode=\"TransportWithMessageCredential\": write UserName or \
                     Certificate, or mode=\"Message\"",
                );
            }
            (ClientCredential::None, false, true) => Mode::AnonymousForSslNegotiated,
            (ClientCredential::None, false, false) => Mode::AnonymousForCertificate,
            (ClientCredential::UserName, true, _) => Mode::UserNameOverTransport,
            (ClientCredential::UserName, false, true) => Mode::UserNameForSslNegotiated,
            (ClientCredential::UserName, false, false) => Mode::UserNameForCertificate,
            (ClientCredential::Certificate, true, _) => Mode::CertificateOverTransport,
            (ClientCredential::Certificate, false, true) => Mode::MutualSslNegotiated,
            (ClientCredential::Certificate, false, false) => Mode::MutualCertificate,
            (ClientCredential::IssuedToken, true, _) => Mode::IssuedTokenOverTransport,
            (ClientCredential::IssuedToken, false, true) => Mode::IssuedTokenForSslNegotiated,
            (ClientCredential::IssuedToken, false, false) => Mode::IssuedTokenForCertificate,
        })
    }

    const fn is_federation(self) -> bool {
        matches!(self, Self::WsFederationHttp | Self::Ws2007FederationHttp)
    }

    const fn version(self) -> MessageSecurityVersion {
        match self {
            Self::WsHttp | Self::WsFederationHttp => MessageSecurityVersion::WSS11_FEBRUARY2005_BSP,
            Self::Ws2007Http | Self::Ws2007FederationHttp => MessageSecurityVersion::WSS11_13_BSP,
        }
    }
}

fn encoding_of(reader: &mut Reader<'_>) -> Result<EncodingElement, Error> {
    let version = MessageVersion::default();
    let mut element = match MessageEncoding::read(reader, "messageEncoding", 0)?.unwrap_or_default() {
        MessageEncoding::Text => EncodingElement::text(version),
        MessageEncoding::Mtom => EncodingElement::mtom(version),
    };
    element.write_encoding = WriteEncoding::read(reader, "textEncoding", 0)?.unwrap_or_default();
    Ok(element)
}

fn refuse_reliable_session(element: Element<'_>) -> Result<(), Error> {
    let mut reader = Reader::new(element);
    let enabled = reader.bool("enabled")?.unwrap_or_default();
    reader.bool("ordered")?;
    reader.span_or_infinite("inactivityTimeout")?;
    reader.children(&[])?;
    if enabled {
        return Err(reader.error(
            "enabled=\"true\" of <reliableSession> is reliable messaging, which is not available: turn it off on both sides",
        ));
    }
    reader.finish()
}

/// Why Windows credentials cannot be, in the words of the file.
fn windows(kind: StandardBinding, security: &Security, mixed: bool, negotiates: bool) -> String {
    let mode = match (mixed, negotiates) {
        (true, _) => "SspiNegotiatedOverTransport",
        (false, true) => "SspiNegotiated",
        (false, false) => "Kerberos",
    };
    let says = match security.credential {
        Some(_) => "clientCredentialType=\"Windows\"",
        None => "no clientCredentialType, which is \"Windows\"",
    };
    format!(
        "<{}> with {says} means authenticationMode {mode}, which needs the Windows security provider: write \
         clientCredentialType=\"UserName\" or \"Certificate\" on both sides",
        kind.name()
    )
}
