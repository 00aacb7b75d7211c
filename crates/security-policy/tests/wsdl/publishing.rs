//! WSDLs as they are published: with policies for clients of sessions, without for local tools.

use handstamp_security_policy::{Definitions, Encoding, MessageVersion, Publication};
use handstamp_ws_security::{
    AddressingVersion, AuthenticationMode, IssuedKeyType, IssuedTokenParameters, MessageSecurityVersion, Protection,
    ProtectionLevel, ProtectionOrder, SecurityBinding, TokenKind, TokenParameters,
};
use proptest::prelude::*;

const BACKEND: &str = r##"<?xml version="1.0" encoding="utf-8"?>
<!-- kept -->
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:t="urn:ledger" xmlns:wsp="http://www.w3.org/ns/ws-policy" targetNamespace="urn:ledger">
  <w:types><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:include schemaLocation="ledger.xsd"/>
    <xs:include schemaLocation="lost.xsd"/></xs:schema></w:types>
  <w:message name="Ask"><w:part name="parameters" element="t:Balance"/></w:message>
  <w:portType name="Ledger">
    <w:operation name="Balance"><w:input message="t:Ask"/><w:output message="t:Ask"/></w:operation>
    <w:operation name="Note"><w:input message="t:Ask"/></w:operation>
  </w:portType>
  <w:binding name="Ledger" type="t:Ledger">
    <wsp:PolicyReference URI="#elsewhere"/>
    <soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="Balance"><soap:operation soapAction=""/>
      <w:input wsp:PolicyURIs="#gone"><soap:body use="literal"/></w:input><w:output><soap:body use="literal"></soap:body></w:output></w:operation>
    <w:operation name="Note"><soap:operation soapAction="urn:note"/><w:input/></w:operation>
  </w:binding>
  <w:service name="Ledger">
    <w:port name="Ledger" binding="t:Ledger"><soap:address location="http://inside.example:8080/ledger"/></w:port>
    <w:port name="Second" binding="t:Ledger"><soap:address location="http://inside.example:8081/"/></w:port>
  </w:service>
</w:definitions>"##;

fn backend() -> Definitions {
    Definitions::parse_with(BACKEND, |location: &str| match location {
        "ledger.xsd" => Ok(b"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'/>".to_vec()),
        other => Err(format!("there is no {other}")),
    })
    .unwrap()
}

fn publication(security: &SecurityBinding) -> Publication<'_> {
    Publication {
        port: None,
        address: "https://outside.example/ledger",
        security,
        message_version: MessageVersion::default(),
        encoding: Encoding::Text,
        require_client_certificate: false,
        certificate: Some(b"der"),
        protection: ProtectionLevel::EncryptAndSign,
    }
}

#[test]
fn sc_97_a_published_wsdl_reads_as_what_was_published() {
    let version = MessageSecurityVersion::WSS11_13;
    let bootstrap = SecurityBinding::user_name_for_certificate(version).unwrap();
    let mut security = SecurityBinding::secure_conversation(bootstrap, version);
    security.session_mut().unwrap().require_cancellation = false;
    let documents = backend().publish(&publication(&security), |location| format!("?wsdl={location}")).unwrap();
    let main = &documents[0].text;
    for inside in ["inside.example", "elsewhere", "#gone", "Second"] {
        assert!(!main.contains(inside), "{inside} is still there: {main}");
    }
    assert!(main.contains("<!-- kept -->") && main.contains("?wsdl=ledger.xsd") && main.contains("\"lost.xsd\""));
    assert!(main.contains("<X509Certificate>ZGVy</X509Certificate>"));
    assert_eq!((documents.len(), documents[1].location.as_str()), (2, "ledger.xsd"));
    let endpoint = Definitions::parse(main.as_str()).unwrap().endpoints().unwrap().remove(0);
    assert_eq!(endpoint.address, "https://outside.example/ledger");
    assert_eq!(endpoint.message_version, MessageVersion::default());
    assert_eq!(endpoint.security.unwrap(), security);
    assert_eq!(endpoint.operations[0].request.action, "urn:ledger:Ledger:BalanceRequest");
    assert_eq!(endpoint.operations[0].reply.as_ref().unwrap().protection.body, ProtectionLevel::EncryptAndSign);
    assert_eq!(endpoint.operations[1].request.action, "urn:note");
}

#[test]
fn a_plain_wsdl_has_no_policies_and_an_action_for_every_operation() {
    let version = MessageSecurityVersion::default();
    let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
    let security = SecurityBinding::secure_conversation(bootstrap, version);
    let published = backend().publish(&publication(&security), str::to_owned).unwrap().remove(0).text;
    let service = Definitions::parse(published).unwrap();
    let plain = service.plain(None, "http://127.0.0.1:9000/ledger", str::to_owned).unwrap().remove(0).text;
    assert!(
        !plain.contains("olicyReference") && !plain.contains("securitypolicy") && !plain.contains("UsingAddressing")
    );
    let endpoint = Definitions::parse(plain).unwrap().endpoints().unwrap().remove(0);
    assert_eq!((endpoint.security, endpoint.message_version.addressing), (None, None));
    assert_eq!(endpoint.address, "http://127.0.0.1:9000/ledger");
    assert_eq!(endpoint.operations[0].soap_action.as_deref(), Some("urn:ledger:Ledger:BalanceRequest"));
}

#[test]
fn sc_97_the_endpoint_policy_has_wcf_s_order() {
    let version = MessageSecurityVersion::default();
    let bootstrap = SecurityBinding::user_name_for_certificate(version).unwrap();
    let mut security = SecurityBinding::secure_conversation(bootstrap, version);
    security.session_mut().unwrap().require_cancellation = false;
    security.protect_tokens = true;
    let policy = endpoint_policy(&publication(&security));
    let expected = "sp:SymmetricBinding sp:ProtectionToken sp:SecureConversationToken sp:RequireDerivedKeys mssp:MustNotSendCancel \
        sp:BootstrapPolicy sp:SignedParts sp:Body sp:EncryptedParts sp:Body \
        sp:SymmetricBinding sp:ProtectionToken sp:X509Token sp:RequireDerivedKeys sp:RequireThumbprintReference sp:WssX509V3Token10 \
        sp:AlgorithmSuite sp:Basic256 sp:Layout sp:Strict sp:IncludeTimestamp sp:EncryptSignature sp:OnlySignEntireHeadersAndBody \
        sp:SignedSupportingTokens sp:UsernameToken sp:WssUsernameToken10 \
        sp:Wss11 sp:MustSupportRefThumbprint sp:MustSupportRefEncryptedKey \
        sp:Trust10 sp:MustSupportIssuedTokens sp:RequireClientEntropy sp:RequireServerEntropy \
        sp:AlgorithmSuite sp:Basic256 sp:Layout sp:Strict sp:IncludeTimestamp sp:EncryptSignature sp:ProtectTokens \
        sp:OnlySignEntireHeadersAndBody \
        sp:Wss11 \
        sp:Trust10 sp:MustSupportIssuedTokens sp:RequireClientEntropy sp:RequireServerEntropy wsaw:UsingAddressing";
    assert_order(&policy, expected);
    assert!(policy.contains("http://schemas.xmlsoap.org/ws/2005/07/securitypolicy/IncludeToken/AlwaysToRecipient"));
}

#[test]
fn sc_97_the_endpoint_policy_of_1_2_says_what_is_never_sent() {
    let version = MessageSecurityVersion::WSS11_13_BSP;
    let bootstrap = SecurityBinding::for_mode(AuthenticationMode::MutualSslNegotiated, version).unwrap();
    let mut security = SecurityBinding::secure_conversation(bootstrap, version);
    let properties = "sp:AlgorithmSuite sp:Basic256 sp:Layout sp:Strict sp:IncludeTimestamp sp:EncryptSignature \
        sp:OnlySignEntireHeadersAndBody \
        sp:Wss11 \
        sp:Trust13 sp:MustSupportIssuedTokens sp:RequireClientEntropy sp:RequireServerEntropy";
    for (cancels, renews, before, behind) in [
        (true, true, "", "sp:MustNotSendAmend"),
        (true, false, "", "sp:MustNotSendAmend sp:MustNotSendRenew"),
        (false, true, "sp:MustNotSendCancel", "sp:MustNotSendAmend sp:MustNotSendRenew"),
    ] {
        let session = security.session_mut().unwrap();
        (session.require_cancellation, session.can_renew) = (cancels, renews);
        let expected = format!(
            "sp:SymmetricBinding sp:ProtectionToken sp:SecureConversationToken sp:RequireDerivedKeys {before} \
             sp:BootstrapPolicy sp:SignedParts sp:Body sp:EncryptedParts sp:Body \
             sp:SymmetricBinding sp:ProtectionToken mssp:SslContextToken sp:RequireDerivedKeys mssp:RequireClientCertificate \
             sp:MustNotSendAmend sp:MustNotSendRenew {properties} {behind} {properties} wsaw:UsingAddressing"
        );
        let policy = endpoint_policy(&publication(&security));
        assert_order(&policy, &expected);
        assert!(
            policy.contains("http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702/IncludeToken/AlwaysToRecipient")
        );
    }
}

#[test]
fn sc_97_the_endpoint_policy_over_tls_endorses() {
    for (version, user, https) in [
        (MessageSecurityVersion::WSS11_FEBRUARY2005, "sp:SignedSupportingTokens", "sp:HttpsToken"),
        (
            MessageSecurityVersion::WSS11_13,
            "sp:SignedEncryptedSupportingTokens",
            "sp:HttpsToken sp:RequireClientCertificate",
        ),
    ] {
        let bootstrap = SecurityBinding::user_name_over_transport(version);
        let security = SecurityBinding::secure_conversation(bootstrap, version);
        let publication = Publication { require_client_certificate: true, ..publication(&security) };
        let binding = format!(
            "sp:TransportBinding sp:TransportToken {https} sp:AlgorithmSuite sp:Basic256 sp:Layout sp:Strict sp:IncludeTimestamp"
        );
        let is_13 = version.generation == handstamp_ws_security::Generation::V13;
        let (trust, amend) = if is_13 { ("sp:Trust13", "sp:MustNotSendAmend") } else { ("sp:Trust10", "") };
        let protocols =
            format!("sp:Wss11 {trust} sp:MustSupportIssuedTokens sp:RequireClientEntropy sp:RequireServerEntropy");
        let expected = format!(
            "{binding} sp:EndorsingSupportingTokens sp:SecureConversationToken \
             sp:BootstrapPolicy sp:SignedParts sp:Body sp:EncryptedParts sp:Body {binding} {user} sp:UsernameToken \
             sp:WssUsernameToken10 {protocols} {amend} {protocols} wsaw:UsingAddressing"
        );
        assert_order(&endpoint_policy(&publication), &expected);
    }
}

#[test]
fn sc_97_references_are_named_as_far_as_tokens_are_referred_to_so() {
    let (v10, v11) = (MessageSecurityVersion::WSS10_13_BSP, MessageSecurityVersion::WSS11_13);
    for (mode, version, expected) in [
        (
            AuthenticationMode::MutualCertificate,
            v10,
            "Wss10 sp:MustSupportRefKeyIdentifier sp:MustSupportRefIssuerSerial",
        ),
        (
            AuthenticationMode::MutualCertificate,
            v11,
            "Wss11 sp:MustSupportRefThumbprint sp:MustSupportRefEncryptedKey sp:RequireSignatureConfirmation",
        ),
        (AuthenticationMode::CertificateOverTransport, v11, "Wss11 sp:MustSupportRefThumbprint"),
        (AuthenticationMode::UserNameOverTransport, v10, "Wss10"),
        (AuthenticationMode::IssuedToken, v11, "Wss11"),
    ] {
        let security = SecurityBinding::for_mode(mode, version).unwrap();
        let policy = endpoint_policy(&publication(&security));
        let start = policy.find("<sp:Wss1").unwrap();
        let end = policy.find("<sp:Trust1").unwrap();
        assert_order(&policy[start..end], &format!("sp:{expected}"));
    }
}

/// The policy of the endpoint in a published WSDL.
fn endpoint_policy(publication: &Publication<'_>) -> String {
    let text = backend().publish(publication, str::to_owned).unwrap().remove(0).text;
    let start = text.find("<wsp:Policy ").unwrap();
    text[start..start + text[start..].find("</wsp:All>").unwrap()].to_owned()
}

/// The assertions of a policy, without the headers that they name, are these in this order.
fn assert_order(policy: &str, expected: &str) {
    let mut names: Vec<&str> = policy
        .split('<')
        .filter(|tag| !tag.starts_with('/') && !tag.starts_with("wsp:"))
        .filter_map(|tag| tag.split([' ', '>', '/']).next())
        .filter(|name| !name.is_empty() && *name != "sp:Header")
        .collect();
    names.dedup();
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
}

/// A binding as a policy can say it: sets without the profile flag where the policy has no word for it.
fn binding() -> impl Strategy<Value = SecurityBinding> {
    let versions = prop::sample::select(vec![
        MessageSecurityVersion::WSS11_FEBRUARY2005,
        MessageSecurityVersion::WSS11_13,
        MessageSecurityVersion::WSS10_FEBRUARY2005_BSP,
        MessageSecurityVersion::WSS10_13_BSP,
    ]);
    let modes = prop::sample::select(AuthenticationMode::ALL);
    let suites = prop::sample::select(handstamp_ws_security::AlgorithmSuite::ALL);
    let orders = prop::sample::select(vec![
        ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
        ProtectionOrder::SignBeforeEncrypt,
        ProtectionOrder::EncryptBeforeSign,
    ]);
    (versions, modes, suites, orders, any::<[bool; 6]>()).prop_filter_map(
        "the mode is not available",
        |(version, mode, suite, order, flags)| {
            let [session, cookie, derived, renew, protect, bearer] = flags;
            let mut binding = if bearer && mode == AuthenticationMode::IssuedTokenForCertificate {
                let issued =
                    IssuedTokenParameters { key_type: IssuedKeyType::Bearer, ..IssuedTokenParameters::default() };
                SecurityBinding::issued_token_for_certificate(version, issued).ok()?
            } else {
                SecurityBinding::for_mode(mode, version).ok()?
            };
            if binding.version.wss == handstamp_ws_security::WssVersion::V10 {
                binding.require_signature_confirmation = false;
            }
            let vary = |binding: &mut SecurityBinding| {
                binding.suite = suite;
                if !binding.is_transport() {
                    binding.protection_order = order;
                    binding.protect_tokens = protect;
                }
                if let Protection::Symmetric { token } = &mut binding.protection {
                    token.require_derived_keys = derived;
                }
                for supporting in &mut binding.supporting_tokens {
                    // Has a meaning only for a token that endorses with a shared key.
                    if !supporting.role.endorses() {
                        supporting.parameters.require_derived_keys = false;
                    }
                }
            };
            vary(&mut binding);
            if session {
                binding = SecurityBinding::secure_conversation(binding, version);
                vary(&mut binding);
                let conversation = binding.session_mut()?;
                conversation.require_cancellation = !cookie;
                // WS-SecurityPolicy 1.1 has no word for it, and cookies are never renewed.
                conversation.can_renew =
                    cookie || renew || version.generation == handstamp_ws_security::Generation::February2005;
            }
            Some(binding)
        },
    )
}

proptest! {
    #[test]
    fn sc_97_bindings_survive_their_policy(security in binding(), august in any::<bool>()) {
        let addressing = if august { AddressingVersion::August2004 } else { AddressingVersion::V10 };
        let publication = Publication {
            message_version: MessageVersion { addressing: Some(addressing), ..MessageVersion::default() },
            ..publication(&security)
        };
        let text = backend().publish(&publication, str::to_owned).unwrap().remove(0).text;
        let endpoint = Definitions::parse(text).unwrap().endpoints().unwrap().remove(0);
        prop_assert_eq!(endpoint.message_version.addressing, Some(addressing));
        prop_assert_eq!(endpoint.security.unwrap(), security);
    }
}

#[test]
fn tokens_of_supporting_kind_keep_their_reference() {
    let token = TokenParameters::new(TokenKind::X509, handstamp_ws_security::TokenInclusion::AlwaysToRecipient)
        .without_derived_keys()
        .with_reference(handstamp_ws_security::ReferenceStyle::IssuerSerial);
    let security = SecurityBinding::anonymous_for_certificate(MessageSecurityVersion::WSS11_13)
        .unwrap()
        .with_supporting(token, handstamp_ws_security::TokenRole::SignedEndorsing);
    let text = backend().publish(&publication(&security), str::to_owned).unwrap().remove(0).text;
    assert_eq!(Definitions::parse(text).unwrap().endpoints().unwrap().remove(0).security.unwrap(), security);
}
