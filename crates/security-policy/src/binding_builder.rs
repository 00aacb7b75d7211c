//! Custom bindings in code.

use crate::custom_binding::{BindingTimeouts, CustomBinding};
use crate::encoding::EncodingElement;
use crate::error::Error;
use crate::markup::Markup;
use crate::security::SecurityElement;
use crate::transport::{self, HttpTransport, Transport};

/// A custom binding in code, in the words of the XML (SC 14.1). What is not said has the default of the XML.
///
/// ```
/// use handstamp_security_policy::{CustomBinding, EncodingElement, HttpTransport, MessageVersion, SecurityElement};
/// use handstamp_ws_security::AuthenticationMode;
///
/// let bootstrap = SecurityElement::new(AuthenticationMode::UserNameOverTransport);
/// let security = SecurityElement::new(AuthenticationMode::SecureConversation).secure_conversation_bootstrap(bootstrap);
/// let version = MessageVersion::from_name("Soap11WSAddressing10").expect("a version of WCF");
/// let binding = CustomBinding::builder(security)
///     .name("ledger")
///     .encoding(EncodingElement::mtom(version))
///     .https_transport(HttpTransport { max_received_message_size: 1 << 20, ..HttpTransport::default() }, false)
///     .build()?;
/// assert!(binding.security().is_transport());
/// # Ok::<(), handstamp_security_policy::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CustomBindingBuilder {
    pub(crate) name: Option<String>,
    pub(crate) timeouts: BindingTimeouts,
    pub(crate) security: SecurityElement,
    pub(crate) encoding: EncodingElement,
    pub(crate) transport: Transport,
    pub(crate) http: HttpTransport,
}

impl CustomBindingBuilder {
    /// Text over plain HTTP, protected by `security`.
    pub(crate) fn new(security: SecurityElement) -> Self {
        Self {
            name: None,
            timeouts: BindingTimeouts::default(),
            security,
            encoding: EncodingElement::default(),
            transport: Transport::Http,
            http: HttpTransport::default(),
        }
    }

    /// `name`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// `openTimeout`, `closeTimeout`, `sendTimeout` and `receiveTimeout`.
    #[must_use]
    pub fn timeouts(mut self, timeouts: BindingTimeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// The encoding.
    #[must_use]
    pub fn encoding(mut self, encoding: EncodingElement) -> Self {
        self.encoding = encoding;
        self
    }

    /// `httpTransport`.
    #[must_use]
    pub fn http_transport(mut self, http: HttpTransport) -> Self {
        (self.transport, self.http) = (Transport::Http, http);
        self
    }

    /// `httpsTransport`.
    #[must_use]
    pub fn https_transport(mut self, http: HttpTransport, require_client_certificate: bool) -> Self {
        (self.transport, self.http) = (Transport::Https { require_client_certificate }, http);
        self
    }

    /// The binding. It goes through the XML, so the rules of one hold for the other.
    ///
    /// # Errors
    /// [`Error::Binding`] for values out of range and combinations that are refused (SC 14.9).
    pub fn build(self) -> Result<CustomBinding, Error> {
        CustomBinding::parse(self.to_xml()).map_err(Error::without_line)
    }

    /// As XML, whether it can be or not.
    pub(crate) fn to_xml(&self) -> String {
        let mut out = Markup::default();
        out.start("customBinding");
        out.start("binding");
        out.attribute("name", &self.name);
        self.timeouts.write(&mut out);
        self.security.write(&mut out);
        self.encoding.write(&mut out);
        transport::write(self.transport, &self.http, &mut out);
        out.end();
        out.end();
        out.finish()
    }
}
