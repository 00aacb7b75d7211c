//! The 24 endpoints of SC §17, each written as its row of the table says.

use handstamp_security_policy::{Definitions, Endpoint, Transport};
use handstamp_ws_security::{
    AddressingVersion, HeaderLayout, Protection, ProtectionLevel, ProtectionOrder, ReferenceStyle, TokenInclusion,
    TokenKind, TokenRole, WssVersion,
};
use std::fmt::Write;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Client {
    Anonymous,
    Certificate,
    UserName,
    Asymmetric,
    Tls,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Order {
    SignEncrypt,
    EncryptSign,
    EncryptSignature,
}

struct Row {
    name: &'static str,
    derived: bool,
    cookie: bool,
    outer: Order,
    inner: Order,
    wss10: bool,
    client: Client,
}

const fn row(name: &'static str, derived: bool, cookie: bool, order: Order, client: Client) -> Row {
    Row { name, derived, cookie, outer: order, inner: order, wss10: false, client }
}

use Client::{Anonymous, Asymmetric, Certificate, Tls, UserName};
use Order::{EncryptSign, EncryptSignature, SignEncrypt};

const ROWS: [Row; 24] = [
    row("SecureConversation_UserNameOverTransport", false, false, SignEncrypt, Tls),
    Row {
        outer: EncryptSignature,
        wss10: true,
        ..row("SecureConversation_MutualCertificate10SignEncrypt", true, false, SignEncrypt, Certificate)
    },
    row("XC", false, true, SignEncrypt, Certificate),
    row("XDC", true, false, SignEncrypt, Certificate),
    row("XDC1", true, false, SignEncrypt, Certificate),
    row("XDC-ES", true, false, EncryptSign, Certificate),
    row("XDC-SEES", true, false, EncryptSignature, Certificate),
    row("_X", false, false, SignEncrypt, Certificate),
    Row { wss10: true, ..row("_X10", false, false, SignEncrypt, Asymmetric) },
    row("_XD", true, false, SignEncrypt, Certificate),
    row("_XD-SEES", true, false, EncryptSignature, Certificate),
    row("_XD-ES", true, false, EncryptSign, Certificate),
    row("AC", false, true, SignEncrypt, Anonymous),
    row("ADC", true, true, SignEncrypt, Anonymous),
    row("ADC-ES", true, true, EncryptSign, Anonymous),
    row("_A", false, false, SignEncrypt, Anonymous),
    row("_AD", true, false, SignEncrypt, Anonymous),
    row("_AD-ES", true, false, EncryptSign, Anonymous),
    row("UXC", false, true, SignEncrypt, UserName),
    row("UXDC", true, true, SignEncrypt, UserName),
    row("UXDC-SEES", true, true, EncryptSignature, UserName),
    row("_UX", false, false, SignEncrypt, UserName),
    row("_UXD", true, false, SignEncrypt, UserName),
    row("_UXD-SEES", true, false, EncryptSignature, UserName),
];

impl Row {
    fn policy(&self) -> String {
        let session = token(
            "SecureConversationToken",
            "AlwaysToRecipient",
            &format!(
                "{}{}<sp:BootstrapPolicy><wsp:Policy>{}{}</wsp:Policy></sp:BootstrapPolicy>",
                derived(self.derived),
                if self.cookie { "<mssp:MustNotSendCancel/>" } else { "" },
                parts(),
                self.bootstrap()
            ),
        );
        let binding = if self.client == Tls {
            let to = "<sp:SignedParts><sp:Header Name='To' Namespace='http://schemas.xmlsoap.org/ws/2004/08/addressing'/>\
                      </sp:SignedParts>";
            format!("{}{}", transport("Lax"), supporting("EndorsingSupportingTokens", &format!("{session}{to}")))
        } else {
            binding("SymmetricBinding", &inside("ProtectionToken", &session), "Lax", self.outer)
        };
        let wss = if self.wss10 { "Wss10" } else { "Wss11" };
        format!(
            "<wsp:Policy u:Id='{}'><wsp:ExactlyOne><wsp:All>{binding}{}{}<wsap:UsingAddressing/></wsp:All></wsp:ExactlyOne>\
             </wsp:Policy>",
            self.name,
            inside(wss, "<sp:MustSupportRefKeyIdentifier/><sp:MustSupportRefIssuerSerial/>"),
            trust()
        )
    }

    fn bootstrap(&self) -> String {
        let service = |inclusion| token("X509Token", inclusion, &x509(self.derived && self.client != Asymmetric));
        let certificate =
            supporting("EndorsingSupportingTokens", &token("X509Token", "AlwaysToRecipient", &x509(self.derived)));
        let user = supporting(
            "SignedSupportingTokens",
            &token("UsernameToken", "AlwaysToRecipient", "<sp:WssUsernameToken10/>"),
        );
        let symmetric =
            binding("SymmetricBinding", &inside("ProtectionToken", &service("Never")), "Strict", self.inner);
        let (binding, wss) = match self.client {
            Anonymous => (symmetric, "Wss11"),
            Certificate => (symmetric + &certificate, "Wss11"),
            UserName => (symmetric + &user, "Wss11"),
            Tls => (transport("Strict") + &user, "Wss11"),
            Asymmetric => {
                let initiator = token("X509Token", "AlwaysToRecipient", "<sp:WssX509V3Token10/>");
                let recipient = token("X509Token", "Never", "<sp:WssX509V3Token10/>");
                let tokens = inside("InitiatorToken", &initiator) + &inside("RecipientToken", &recipient);
                (binding("AsymmetricBinding", &tokens, "Strict", self.inner), "Wss10")
            }
        };
        binding + &inside(wss, "<sp:MustSupportRefKeyIdentifier/>") + &trust()
    }
}

fn inside(name: &str, content: &str) -> String {
    format!("<sp:{name}><wsp:Policy>{content}</wsp:Policy></sp:{name}>")
}

fn supporting(name: &str, content: &str) -> String {
    inside(name, content)
}

fn token(name: &str, inclusion: &str, content: &str) -> String {
    let uri = "http://schemas.xmlsoap.org/ws/2005/07/securitypolicy/IncludeToken";
    format!("<sp:{name} sp:IncludeToken='{uri}/{inclusion}'><wsp:Policy>{content}</wsp:Policy></sp:{name}>")
}

fn derived(derived: bool) -> &'static str {
    if derived { "<sp:RequireDerivedKeys/>" } else { "" }
}

fn x509(derives: bool) -> String {
    format!("{}<sp:RequireThumbprintReference/><sp:WssX509V3Token10/>", derived(derives))
}

fn binding(name: &str, tokens: &str, layout: &str, order: Order) -> String {
    let order = match order {
        SignEncrypt => "",
        EncryptSign => "<sp:EncryptBeforeSigning/>",
        EncryptSignature => "<sp:EncryptSignature/>",
    };
    inside(
        name,
        &format!(
            "{tokens}{}{}<sp:IncludeTimestamp/>{order}<sp:OnlySignEntireHeadersAndBody/>",
            inside("AlgorithmSuite", "<sp:Basic128/>"),
            inside("Layout", &format!("<sp:{layout}/>"))
        ),
    )
}

fn transport(layout: &str) -> String {
    let https = inside("TransportToken", "<sp:HttpsToken RequireClientCertificate='false'/>");
    binding("TransportBinding", &https, layout, SignEncrypt).replace("<sp:OnlySignEntireHeadersAndBody/>", "")
}

fn trust() -> String {
    inside("Trust10", "<sp:MustSupportIssuedTokens/><sp:RequireClientEntropy/><sp:RequireServerEntropy/>")
}

fn parts() -> String {
    let mut signed = String::from("<sp:SignedParts><sp:Body/>");
    for name in ["To", "From", "FaultTo", "ReplyTo", "MessageID", "RelatesTo", "Action"] {
        write!(signed, "<sp:Header Name='{name}' Namespace='http://schemas.xmlsoap.org/ws/2004/08/addressing'/>")
            .unwrap();
    }
    signed + "</sp:SignedParts><sp:EncryptedParts><sp:Body/></sp:EncryptedParts>"
}

fn service() -> String {
    let mut policies = String::new();
    let mut bindings = String::new();
    let mut ports = String::new();
    for row in &ROWS {
        let name = row.name;
        policies += &row.policy();
        write!(
            bindings,
            "<w:binding name='{name}' type='t:IPingService'><wsp:PolicyReference URI='#{name}'/>\
             <s:binding transport='http://schemas.xmlsoap.org/soap/http'/>\
             <w:operation name='Ping'><s:operation soapAction='http://xmlsoap.org/Ping'/>\
             <w:input><wsp:PolicyReference URI='#message'/><s:body use='literal'/></w:input>\
             <w:output><wsp:PolicyReference URI='#message'/><s:body use='literal'/></w:output></w:operation></w:binding>"
        )
        .unwrap();
        let scheme = if row.client == Tls { "https" } else { "http" };
        write!(
            ports,
            "<w:port name='{name}' binding='t:{name}'><s:address location='{scheme}://ping.example/{name}'/></w:port>"
        )
        .unwrap();
    }
    format!(
        "<w:definitions xmlns:w='http://schemas.xmlsoap.org/wsdl/' xmlns:s='http://schemas.xmlsoap.org/wsdl/soap12/' \
         xmlns:t='http://WSSec/wssc' targetNamespace='http://WSSec/wssc' \
         xmlns:wsp='http://schemas.xmlsoap.org/ws/2004/09/policy' \
         xmlns:sp='http://schemas.xmlsoap.org/ws/2005/07/securitypolicy' \
         xmlns:mssp='http://schemas.microsoft.com/ws/2005/07/securitypolicy' \
         xmlns:wsap='http://schemas.xmlsoap.org/ws/2004/08/addressing/policy' \
         xmlns:wsaw='http://www.w3.org/2006/05/addressing/wsdl' \
         xmlns:u='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd'>{policies}\
         <wsp:Policy u:Id='message'><wsp:ExactlyOne><wsp:All>{}</wsp:All></wsp:ExactlyOne></wsp:Policy>\
         <w:message name='PingRequest'><w:part name='parameters' element='t:PingRequest'/></w:message>\
         <w:message name='PingResponse'><w:part name='parameters' element='t:PingResponse'/></w:message>\
         <w:portType name='IPingService'><w:operation name='Ping'>\
         <w:input wsaw:Action='http://xmlsoap.org/Ping' message='t:PingRequest'/>\
         <w:output wsaw:Action='http://xmlsoap.org/Ping' message='t:PingResponse'/></w:operation></w:portType>\
         {bindings}<w:service name='PingService'>{ports}</w:service></w:definitions>",
        parts()
    )
}

#[test]
fn sc_98_all_24_policies_are_understood() {
    let endpoints = Definitions::parse(service()).unwrap().endpoints().unwrap();
    assert_eq!(endpoints.len(), 24);
    for (row, endpoint) in ROWS.iter().zip(&endpoints) {
        check(row, endpoint);
    }
}

fn check(row: &Row, endpoint: &Endpoint) {
    let name = row.name;
    assert_eq!(endpoint.port, name);
    assert_eq!(endpoint.message_version.addressing, Some(AddressingVersion::August2004), "{name}");
    let operation = endpoint.operation("http://xmlsoap.org/Ping").unwrap();
    assert_eq!(operation.reply.as_ref().unwrap().action, "http://xmlsoap.org/Ping");
    assert_eq!(operation.request.protection.body, ProtectionLevel::EncryptAndSign);
    assert_eq!(operation.request.element.as_ref().unwrap().to_string(), "{http://WSSec/wssc}PingRequest");
    let outer = endpoint.security.as_ref().unwrap();
    let session = outer.session().unwrap();
    let bootstrap = &session.bootstrap;
    assert_eq!(session.require_cancellation, !row.cookie, "{name}");
    assert_eq!((outer.suite.name(), bootstrap.suite.name()), ("Basic128", "Basic128"), "{name}");
    assert_eq!((outer.layout, bootstrap.layout), (HeaderLayout::Lax, HeaderLayout::Strict), "{name}");
    assert_eq!(outer.version.wss == WssVersion::V10, row.wss10, "{name}");
    assert!(!outer.require_signature_confirmation && !bootstrap.require_signature_confirmation, "{name}");
    assert!(outer.include_timestamp && bootstrap.include_timestamp, "{name}");
    let order = |order| match order {
        SignEncrypt => ProtectionOrder::SignBeforeEncrypt,
        EncryptSign => ProtectionOrder::EncryptBeforeSign,
        EncryptSignature => ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
    };
    if row.client == Tls {
        assert!(outer.is_transport() && bootstrap.is_transport());
        assert!(matches!(endpoint.transport, Transport::Https { require_client_certificate: false }));
        let context = &outer.supporting_tokens[0];
        assert_eq!(context.role, TokenRole::Endorsing);
        assert_eq!(context.signed_parts.headers[0].local_name.as_deref(), Some("To"));
        assert_eq!(bootstrap.supporting_tokens[0].parameters.kind, TokenKind::UserName);
        return;
    }
    assert_eq!((outer.protection_order, bootstrap.protection_order), (order(row.outer), order(row.inner)), "{name}");
    let Protection::Symmetric { token } = &outer.protection else { panic!("{name} is symmetric") };
    assert_eq!(token.require_derived_keys, row.derived, "{name}");
    match &bootstrap.protection {
        Protection::Asymmetric { initiator, recipient } => {
            assert_eq!(row.client, Asymmetric);
            assert_eq!(initiator.inclusion, TokenInclusion::AlwaysToRecipient);
            assert_eq!(recipient.inclusion, TokenInclusion::Never);
            assert_eq!(bootstrap.version.wss, WssVersion::V10);
        }
        Protection::Symmetric { token } => {
            assert_eq!(token.kind, TokenKind::X509, "{name}");
            assert_eq!(token.require_derived_keys, row.derived, "{name}");
            assert_eq!((token.inclusion, token.reference), (TokenInclusion::Never, ReferenceStyle::Thumbprint));
            assert_eq!(bootstrap.version.wss, WssVersion::V11);
        }
        Protection::Transport => panic!("{name} is over a message binding"),
    }
    let supporting: Vec<_> = bootstrap
        .supporting_tokens
        .iter()
        .map(|token| (&token.parameters.kind, token.role, token.parameters.require_derived_keys))
        .collect();
    match row.client {
        Certificate => assert_eq!(supporting, [(&TokenKind::X509, TokenRole::Endorsing, false)], "{name}"),
        UserName => assert_eq!(supporting, [(&TokenKind::UserName, TokenRole::SignedEncrypted, false)], "{name}"),
        _ => assert!(supporting.is_empty(), "{name}"),
    }
}
