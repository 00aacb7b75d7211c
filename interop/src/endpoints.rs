//! The 24 endpoints of the interoperability service (SC §17), as one table, and the binding that each stands for.

use handstamp_security_policy::Definitions;
use handstamp_ws_security::{ProtectionOrder, SecurityBinding};

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// Its name: `A`nonymous, certificate (`X`), or user name (`UX`); `D`erived keys; `C`ookie; `_` with cancellation.
    pub name: &'static str,
    /// Who the client is.
    pub client: Client,
    /// Whether keys are derived, in the session and in its bootstrap.
    pub derived_keys: bool,
    /// `MustNotSendCancel`: sessions are cookies.
    pub cookie: bool,
    /// In the session.
    pub order: ProtectionOrder,
    /// The algorithm suite.
    pub suite: &'static str,
    /// What is out of the ordinary.
    pub form: Form,
}

/// How the client of a bootstrap shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Not at all.
    Anonymous,
    /// By a certificate of its own.
    Certificate,
    /// By a name and a password.
    UserName,
}

/// What a row differs in from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Nothing.
    Usual,
    /// WSS 1.0 in the session only; the bootstrap shows its signature.
    SessionOfWss10,
    /// WSS 1.0, and so an asymmetric bootstrap.
    AllOfWss10,
    /// TLS protects.
    OverTransport,
}

const SE: ProtectionOrder = ProtectionOrder::SignBeforeEncrypt;
const SEES: ProtectionOrder = ProtectionOrder::SignBeforeEncryptAndEncryptSignature;
const ES: ProtectionOrder = ProtectionOrder::EncryptBeforeSign;

/// In the order of SC §17.
pub const ENDPOINTS: [Endpoint; 24] = [
    usual("SecureConversation_UserNameOverTransport", Client::UserName, false, false, SE).of(Form::OverTransport),
    usual("SecureConversation_MutualCertificate10SignEncrypt", Client::Certificate, true, false, SEES)
        .of(Form::SessionOfWss10),
    usual("XC", Client::Certificate, false, true, SE),
    usual("XDC", Client::Certificate, true, false, SE),
    usual("XDC1", Client::Certificate, true, false, SE),
    usual("XDC-ES", Client::Certificate, true, false, ES),
    usual("XDC-SEES", Client::Certificate, true, false, SEES),
    usual("_X", Client::Certificate, false, false, SE),
    usual("_X10", Client::Certificate, false, false, SE).of(Form::AllOfWss10),
    usual("_XD", Client::Certificate, true, false, SE),
    usual("_XD-SEES", Client::Certificate, true, false, SEES),
    usual("_XD-ES", Client::Certificate, true, false, ES),
    usual("AC", Client::Anonymous, false, true, SE),
    usual("ADC", Client::Anonymous, true, true, SE),
    usual("ADC-ES", Client::Anonymous, true, true, ES),
    usual("_A", Client::Anonymous, false, false, SE),
    usual("_AD", Client::Anonymous, true, false, SE),
    usual("_AD-ES", Client::Anonymous, true, false, ES),
    usual("UXC", Client::UserName, false, true, SE),
    usual("UXDC", Client::UserName, true, true, SE),
    usual("UXDC-SEES", Client::UserName, true, true, SEES),
    usual("_UX", Client::UserName, false, false, SE),
    usual("_UXD", Client::UserName, true, false, SE),
    usual("_UXD-SEES", Client::UserName, true, false, SEES),
];

const fn usual(
    name: &'static str,
    client: Client,
    derived_keys: bool,
    cookie: bool,
    order: ProtectionOrder,
) -> Endpoint {
    Endpoint { name, client, derived_keys, cookie, order, suite: "Basic128", form: Form::Usual }
}

impl Endpoint {
    const fn of(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Whether TLS protects its messages.
    pub fn is_over_transport(&self) -> bool {
        self.form == Form::OverTransport
    }

    /// The order of the bootstrap.
    pub fn bootstrap_order(&self) -> ProtectionOrder {
        if self.form == Form::SessionOfWss10 { SE } else { self.order }
    }

    /// Whether a certificate endorses the messages that establish sessions.
    pub fn bootstrap_is_endorsed(&self) -> bool {
        self.client == Client::Certificate && self.form != Form::AllOfWss10
    }

    /// The name of its port, and of its binding.
    pub fn port(&self) -> String {
        format!("{}_IPingService", self.name)
    }

    /// The binding that its WSDL describes.
    pub fn binding(&self) -> SecurityBinding {
        let endpoint = Definitions::parse(self.wsdl()).unwrap().endpoint(&self.port()).unwrap();
        let mut binding = endpoint.security.unwrap();
        // The policy does not tell whether a sender writes what the Basic Security Profile wants; Apache CXF insists on it.
        binding.version.basic_security_profile = true;
        binding.session_mut().unwrap().bootstrap.version.basic_security_profile = true;
        binding
    }
}
