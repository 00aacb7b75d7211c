//! WSDL with WS-SecurityPolicy, read through the public API.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod interop_endpoints;
mod publishing;
mod reading;
mod refused;

/// A WSDL with one service `Ledger` at one address, whose binding refers to the policy `#endpoint`.
pub(crate) fn wsdl(policies: &str, messages: &str) -> String {
    format!(
        r##"<?xml version="1.0"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap12/"
  xmlns:t="urn:ledger" targetNamespace="urn:ledger" xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy"
  xmlns:sp="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"
  xmlns:mssp="http://schemas.microsoft.com/ws/2005/07/securitypolicy"
  xmlns:wsam="http://www.w3.org/2007/05/addressing/metadata"
  xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">
{policies}
<w:message name="Ask"><w:part name="parameters" element="t:Balance"/></w:message>
<w:message name="Answer"><w:part name="parameters" element="t:BalanceResponse"/></w:message>
<w:portType name="Ledger"><w:operation name="Balance">
  <w:input message="t:Ask"/><w:output message="t:Answer" wsam:Action="urn:ledger/balanced"/>
  <w:fault name="Closed" message="t:Answer"/>
</w:operation></w:portType>
<w:binding name="Ledger" type="t:Ledger"><wsp:PolicyReference URI="#endpoint"/>
  <s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <w:operation name="Balance"><s:operation soapAction=""/>{messages}</w:operation>
</w:binding>
<w:service name="Ledger"><w:port name="Ledger" binding="t:Ledger"><s:address location="http://ledger.example/"/></w:port></w:service>
</w:definitions>"##
    )
}

/// The policy `#endpoint` with these assertions.
pub(crate) fn endpoint(assertions: &str) -> String {
    format!(
        "<wsp:Policy u:Id=\"endpoint\"><wsp:ExactlyOne><wsp:All>{assertions}</wsp:All></wsp:ExactlyOne></wsp:Policy>"
    )
}

/// A symmetric binding for a certificate, in WS-SecurityPolicy 1.2.
pub(crate) fn symmetric(token: &str, more: &str) -> String {
    format!(
        "<sp:SymmetricBinding><wsp:Policy><sp:ProtectionToken><wsp:Policy>{token}</wsp:Policy></sp:ProtectionToken>\
         <sp:AlgorithmSuite><wsp:Policy><sp:Basic256Sha256/></wsp:Policy></sp:AlgorithmSuite>\
         <sp:Layout><wsp:Policy><sp:Strict/></wsp:Policy></sp:Layout><sp:IncludeTimestamp/>{more}</wsp:Policy>\
         </sp:SymmetricBinding><sp:Wss11/><sp:Trust13><wsp:Policy><sp:RequireClientEntropy/><sp:RequireServerEntropy/>\
         </wsp:Policy></sp:Trust13>"
    )
}

pub(crate) const X509: &str = "<sp:X509Token sp:IncludeToken=\"http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702/IncludeToken/Never\">\
     <wsp:Policy><sp:RequireDerivedKeys/><sp:RequireThumbprintReference/><sp:WssX509V3Token10/></wsp:Policy></sp:X509Token>";
