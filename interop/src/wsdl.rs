//! The WSDL of an endpoint, as the original service's reads: WS-SecurityPolicy 1.1, WS-Addressing of August 2004 (SC §16.2, §17).

use crate::endpoints::{Client, Endpoint, Form};
use handstamp_ws_security::ProtectionOrder;

const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
const INCLUDE: &str = "http://schemas.xmlsoap.org/ws/2005/07/securitypolicy/IncludeToken";
const SIGNED_HEADERS: [&str; 7] = ["To", "From", "FaultTo", "ReplyTo", "MessageID", "RelatesTo", "Action"];

impl Endpoint {
    /// The whole document; the port's address is to be replaced by whoever uses it.
    pub fn wsdl(&self) -> String {
        let name = self.name;
        let policy = if self.is_over_transport() { self.transport_policy() } else { self.symmetric_policy() };
        let (parts, use_parts) = if self.is_over_transport() {
            (String::new(), "")
        } else {
            let parts = all(&format!("{}{ENCRYPTED_BODY}", signed_parts()));
            (
                format!("<wsp:Policy wsu:Id=\"{name}_message\">{parts}</wsp:Policy>"),
                "<wsp:PolicyReference URI=\"#NAME_message\"/>",
            )
        };
        let use_parts = use_parts.replace("NAME", name);
        let scheme = if self.is_over_transport() { "https" } else { "http" };
        format!(
            r##"<?xml version="1.0" encoding="utf-8"?>
<wsdl:definitions name="PingService" targetNamespace="http://WSSec/wssc" xmlns:i0="http://WSSec/wssc"
    xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:ping="http://xmlsoap.org/Ping"
    xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy"
    xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
    xmlns:sp="http://schemas.xmlsoap.org/ws/2005/07/securitypolicy"
    xmlns:mssp="http://schemas.microsoft.com/ws/2005/07/securitypolicy"
    xmlns:wsap="http://schemas.xmlsoap.org/ws/2004/08/addressing/policy"
    xmlns:wsa="{ADDRESSING}">
<wsp:Policy wsu:Id="{name}_policy">{policy}</wsp:Policy>
{parts}
<wsdl:types>
  <xsd:schema targetNamespace="http://xmlsoap.org/Ping" elementFormDefault="qualified">
    <xsd:element name="PingRequest"><xsd:complexType><xsd:sequence>
      <xsd:element name="origin" type="xsd:string"/><xsd:element name="text" type="xsd:string"/>
    </xsd:sequence></xsd:complexType></xsd:element>
    <xsd:element name="PingResponse"><xsd:complexType><xsd:sequence>
      <xsd:element name="text" type="xsd:string"/>
    </xsd:sequence></xsd:complexType></xsd:element>
  </xsd:schema>
</wsdl:types>
<wsdl:message name="PingRequest"><wsdl:part name="parameters" element="ping:PingRequest"/></wsdl:message>
<wsdl:message name="PingResponse"><wsdl:part name="parameters" element="ping:PingResponse"/></wsdl:message>
<wsdl:portType name="IPingService">
  <wsdl:operation name="Ping">
    <wsdl:input wsa:Action="http://xmlsoap.org/Ping" message="i0:PingRequest"/>
    <wsdl:output wsa:Action="http://xmlsoap.org/Ping" message="i0:PingResponse"/>
  </wsdl:operation>
</wsdl:portType>
<wsdl:binding name="{name}_IPingService" type="i0:IPingService">
  <wsp:PolicyReference URI="#{name}_policy"/>
  <soap12:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <wsdl:operation name="Ping">
    <soap12:operation soapAction="http://xmlsoap.org/Ping" style="document"/>
    <wsdl:input>{use_parts}<soap12:body use="literal"/></wsdl:input>
    <wsdl:output>{use_parts}<soap12:body use="literal"/></wsdl:output>
  </wsdl:operation>
</wsdl:binding>
<wsdl:service name="PingService">
  <wsdl:port name="{name}_IPingService" binding="i0:{name}_IPingService">
    <soap12:address location="{scheme}://localhost/{name}"/>
  </wsdl:port>
</wsdl:service>
</wsdl:definitions>
"##
        )
    }

    fn symmetric_policy(&self) -> String {
        let token = format!("<sp:ProtectionToken>{}</sp:ProtectionToken>", policy(&self.conversation_token()));
        let binding = element("SymmetricBinding", &format!("{token}{}", self.properties("Lax", self.order)));
        let wss10 = matches!(self.form, Form::SessionOfWss10 | Form::AllOfWss10);
        all(&format!("{binding}{}{TRUST}<wsap:UsingAddressing/>", if wss10 { WSS10 } else { WSS11 }))
    }

    fn transport_policy(&self) -> String {
        let conversation = self.conversation_token();
        let to = format!("<sp:SignedParts><sp:Header Name=\"To\" Namespace=\"{ADDRESSING}\"/></sp:SignedParts>");
        let endorsing = element("EndorsingSupportingTokens", &format!("{conversation}{to}"));
        all(&format!("{}{endorsing}{WSS11}{TRUST}<wsap:UsingAddressing/>", self.transport_binding("Lax")))
    }

    fn conversation_token(&self) -> String {
        let derived = if self.derived_keys { "<sp:RequireDerivedKeys/>" } else { "" };
        let cancel = if self.cookie { "<mssp:MustNotSendCancel/>" } else { "" };
        let bootstrap = format!("<sp:BootstrapPolicy>{}</sp:BootstrapPolicy>", policy(&self.bootstrap_policy()));
        token("SecureConversationToken", "AlwaysToRecipient", &format!("{derived}{cancel}{bootstrap}"))
    }

    fn bootstrap_policy(&self) -> String {
        let x509 = |inclusion, properties: &str| token("X509Token", inclusion, properties);
        let derived = if self.derived_keys { "<sp:RequireDerivedKeys/>" } else { "" };
        let thumbprint = format!("{derived}<sp:RequireThumbprintReference/><sp:WssX509V3Token10/>");
        let user_name = token("UsernameToken", "AlwaysToRecipient", "<sp:WssUsernameToken10/>");
        let signed_name = element("SignedSupportingTokens", &user_name);
        if self.is_over_transport() {
            return format!("{}{signed_name}{WSS11}{TRUST}", self.transport_binding("Strict"));
        }
        let properties = self.properties("Strict", self.bootstrap_order());
        let protected = format!("{}{ENCRYPTED_BODY}", signed_parts());
        if self.form == Form::AllOfWss10 {
            let initiator = policy(&x509("AlwaysToRecipient", "<sp:WssX509V3Token10/>"));
            let recipient = policy(&x509("Never", "<sp:WssX509V3Token10/>"));
            let tokens = format!(
                "<sp:InitiatorToken>{initiator}</sp:InitiatorToken><sp:RecipientToken>{recipient}</sp:RecipientToken>"
            );
            let binding = element("AsymmetricBinding", &format!("{tokens}{properties}"));
            return format!("{protected}{binding}{WSS10}{TRUST}");
        }
        let service = format!("<sp:ProtectionToken>{}</sp:ProtectionToken>", policy(&x509("Never", &thumbprint)));
        let binding = element("SymmetricBinding", &format!("{service}{properties}"));
        let supporting = match self.client {
            Client::Anonymous => String::new(),
            Client::Certificate => element("EndorsingSupportingTokens", &x509("AlwaysToRecipient", &thumbprint)),
            Client::UserName => signed_name,
        };
        format!("{protected}{binding}{supporting}{WSS11}{TRUST}")
    }

    fn transport_binding(&self, layout: &str) -> String {
        let tls = format!(
            "<sp:TransportToken>{}</sp:TransportToken>",
            policy("<sp:HttpsToken RequireClientCertificate=\"false\"/>")
        );
        let suite = element("AlgorithmSuite", &format!("<sp:{}/>", self.suite));
        let layout = element("Layout", &format!("<sp:{layout}/>"));
        element("TransportBinding", &format!("{tls}{suite}{layout}<sp:IncludeTimestamp/>"))
    }

    /// What the symmetric and the asymmetric binding say alike.
    fn properties(&self, layout: &str, order: ProtectionOrder) -> String {
        let order = match order {
            ProtectionOrder::SignBeforeEncrypt => "",
            ProtectionOrder::EncryptBeforeSign => "<sp:EncryptBeforeSigning/>",
            ProtectionOrder::SignBeforeEncryptAndEncryptSignature => "<sp:EncryptSignature/>",
        };
        let suite = element("AlgorithmSuite", &format!("<sp:{}/>", self.suite));
        let layout = element("Layout", &format!("<sp:{layout}/>"));
        format!("{suite}{layout}<sp:IncludeTimestamp/>{order}<sp:OnlySignEntireHeadersAndBody/>")
    }
}

const ENCRYPTED_BODY: &str = "<sp:EncryptedParts><sp:Body/></sp:EncryptedParts>";
const TRUST: &str = "<sp:Trust10><wsp:Policy><sp:MustSupportIssuedTokens/><sp:RequireClientEntropy/>\
    <sp:RequireServerEntropy/></wsp:Policy></sp:Trust10>";
const WSS10: &str =
    "<sp:Wss10><wsp:Policy><sp:MustSupportRefKeyIdentifier/><sp:MustSupportRefIssuerSerial/></wsp:Policy></sp:Wss10>";
const WSS11: &str = "<sp:Wss11><wsp:Policy><sp:MustSupportRefKeyIdentifier/><sp:MustSupportRefIssuerSerial/>\
    <sp:MustSupportRefThumbprint/><sp:MustSupportRefEncryptedKey/></wsp:Policy></sp:Wss11>";

fn signed_parts() -> String {
    let headers: String =
        SIGNED_HEADERS.map(|name| format!("<sp:Header Name=\"{name}\" Namespace=\"{ADDRESSING}\"/>")).concat();
    format!("<sp:SignedParts><sp:Body/>{headers}</sp:SignedParts>")
}

fn token(name: &str, inclusion: &str, properties: &str) -> String {
    format!("<sp:{name} sp:IncludeToken=\"{INCLUDE}/{inclusion}\">{}</sp:{name}>", policy(properties))
}

fn element(name: &str, content: &str) -> String {
    format!("<sp:{name}>{}</sp:{name}>", policy(content))
}

fn policy(content: &str) -> String {
    format!("<wsp:Policy>{content}</wsp:Policy>")
}

fn all(content: &str) -> String {
    format!("<wsp:ExactlyOne><wsp:All>{content}</wsp:All></wsp:ExactlyOne>")
}
