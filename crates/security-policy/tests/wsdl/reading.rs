//! What policies may look like, and where they may stand.

use crate::{X509, endpoint, symmetric, wsdl};
use handstamp_security_policy::{Definitions, Encoding, Endpoint};
use handstamp_ws_security::{
    AddressingVersion, Generation, IssuedKeyType, KeyEntropyMode, Protection, ProtectionLevel, SecurityBinding,
    TokenKind, TokenRole,
};

fn read(policies: &str, messages: &str) -> Endpoint {
    Definitions::parse(wsdl(policies, messages)).unwrap().endpoints().unwrap().remove(0)
}

fn binding(assertions: &str) -> SecurityBinding {
    read(&endpoint(assertions), "").security.unwrap()
}

#[test]
fn sc_16_actions_come_from_the_port_type_or_are_made_from_its_names() {
    let endpoint = read(&endpoint(""), "");
    let operation = &endpoint.operations[0];
    assert_eq!(operation.request.action, "urn:ledger:Ledger:BalanceRequest");
    assert_eq!(operation.reply.as_ref().unwrap().action, "urn:ledger/balanced");
    assert_eq!(operation.faults[0].1.action, "urn:ledger:Ledger:Balance:Fault:Closed");
    assert_eq!((operation.is_one_way(), &operation.soap_action), (false, &None));
    assert_eq!(endpoint.message_version.addressing, None);
}

#[test]
fn sc_16_policies_of_port_binding_operation_and_message_come_together() {
    let signed = "<w:input><wsp:Policy><sp:SignedParts><sp:Body/><sp:Header Namespace='urn:h' Name='Key'/></sp:SignedParts>\
                  </wsp:Policy></w:input>\
                  <w:output wsp:PolicyURIs='#reply'/><wsp:PolicyReference URI='#operation'/>";
    let policies = endpoint(&symmetric(X509, ""))
        + "<wsp:Policy u:Id='reply'><sp:SignedParts/><sp:EncryptedParts/></wsp:Policy>\
           <wsp:Policy u:Id='operation'><sp:EncryptedParts><sp:Header Namespace='urn:h' Name='Key'/></sp:EncryptedParts>\
           <sp:SignedParts><sp:Header Namespace='urn:h' Name='Key'/></sp:SignedParts></wsp:Policy>";
    let operation = read(&policies, signed).operations.remove(0);
    assert_eq!(operation.request.protection.body, ProtectionLevel::Sign);
    assert_eq!(operation.request.protection.headers[0].level, ProtectionLevel::EncryptAndSign);
    assert_eq!(operation.request.protection.headers[0].name.local_name.as_deref(), Some("Key"));
    assert_eq!(operation.reply.unwrap().protection.body, ProtectionLevel::EncryptAndSign);
    assert_eq!(operation.faults[0].1.protection.body, ProtectionLevel::None);
}

#[test]
fn sc_16_compact_form_and_ws_policy_15_mean_the_same() {
    let normal = wsdl(&endpoint(&symmetric(X509, "")), "");
    let compact = wsdl(&format!("<wsp:Policy u:Id=\"endpoint\">{}</wsp:Policy>", symmetric(X509, "")), "");
    let modern = compact.replace("http://schemas.xmlsoap.org/ws/2004/09/policy", "http://www.w3.org/ns/ws-policy");
    let read = |text: &str| Definitions::parse(text).unwrap().endpoints().unwrap();
    assert_eq!(read(&normal), read(&compact));
    assert_eq!(read(&normal), read(&modern));
}

#[test]
fn sc_16_the_first_alternative_that_is_available_wins() {
    let kerberos =
        symmetric("<sp:KerberosToken><wsp:Policy><sp:WssKerberosV5ApReqToken11/></wsp:Policy></sp:KerberosToken>", "");
    let policy = format!(
        "<wsp:Policy u:Id=\"endpoint\"><wsp:ExactlyOne><wsp:All>{kerberos}</wsp:All><wsp:All>{}</wsp:All></wsp:ExactlyOne>\
         </wsp:Policy>",
        symmetric(X509, "")
    );
    let security = read(&policy, "").security.unwrap();
    assert!(matches!(security.protection, Protection::Symmetric { token } if token.kind == TokenKind::X509));
    // An optional assertion that is not known is one more alternative.
    let optional = symmetric(X509, "") + "<x:Wish xmlns:x='urn:x' wsp:Optional='true'/>";
    assert_eq!(binding(&optional), binding(&symmetric(X509, "")));
    let nested = "<wsp:ExactlyOne><sp:TripleDes128/><sp:Basic192/></wsp:ExactlyOne>";
    let text = symmetric(X509, "").replace("<sp:Basic256Sha256/>", nested);
    assert_eq!(binding(&text).suite.name(), "Basic192");
}

#[test]
fn sc_16_3_sessions_are_read_in_both_dialects() {
    let bootstrap =
        format!("<sp:BootstrapPolicy><wsp:Policy>{}</wsp:Policy></sp:BootstrapPolicy>", symmetric(X509, ""));
    let context = |more: &str| {
        let token = format!(
            "<sp:SecureConversationToken><wsp:Policy>{more}{bootstrap}</wsp:Policy></sp:SecureConversationToken>"
        );
        binding(&symmetric(&token, ""))
    };
    let plain = context("");
    assert_eq!(plain.version.generation, Generation::V13);
    assert!(plain.session().unwrap().require_cancellation && plain.session().unwrap().can_renew);
    for cancel in ["<sp:MustNotSendCancel/>", "<mssp:MustNotSendCancel/>"] {
        assert!(!context(cancel).session().unwrap().require_cancellation);
    }
    let endless = context("<sp:MustNotSendAmend/><sp:MustNotSendRenew/>");
    assert!(endless.session().unwrap().require_cancellation && !endless.session().unwrap().can_renew);
}

#[test]
fn sc_16_supporting_tokens_have_their_roles() {
    let token = "<sp:X509Token/>";
    for (name, role) in [
        ("SignedSupportingTokens", TokenRole::Signed),
        ("EndorsingSupportingTokens", TokenRole::Endorsing),
        ("SignedEndorsingSupportingTokens", TokenRole::SignedEndorsing),
        ("SignedEncryptedSupportingTokens", TokenRole::SignedEncrypted),
        ("EndorsingEncryptedSupportingTokens", TokenRole::EndorsingEncrypted),
        ("SignedEndorsingEncryptedSupportingTokens", TokenRole::SignedEndorsingEncrypted),
    ] {
        let text = format!("{}<sp:{name}><wsp:Policy>{token}</wsp:Policy></sp:{name}>", symmetric(X509, ""));
        assert_eq!(binding(&text).supporting_tokens[0].role, role, "{name}");
    }
    let user = format!(
        "{}<sp:SignedSupportingTokens><wsp:Policy><sp:UsernameToken/></wsp:Policy></sp:SignedSupportingTokens>",
        symmetric(X509, "")
    );
    assert_eq!(binding(&user).supporting_tokens[0].role, TokenRole::SignedEncrypted, "passwords are never in clear");
}

#[test]
fn sc_16_issued_tokens_say_what_is_asked_for() {
    let issued = "<sp:IssuedToken><sp:Issuer><a:Address xmlns:a='http://www.w3.org/2005/08/addressing'>https://sts.example/</a:Address>\
        </sp:Issuer><sp:RequestSecurityTokenTemplate xmlns:t='http://docs.oasis-open.org/ws-sx/ws-trust/200512'>\
        <t:TokenType>urn:oasis:names:tc:SAML:2.0:assertion</t:TokenType>\
        <t:KeyType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/PublicKey</t:KeyType>\
        <t:Claims><i:ClaimType xmlns:i='http://schemas.xmlsoap.org/ws/2005/05/identity' Uri='urn:mail' Optional='true'/></t:Claims>\
        </sp:RequestSecurityTokenTemplate></sp:IssuedToken>";
    let text = format!(
        "{}<sp:EndorsingSupportingTokens><wsp:Policy>{issued}</wsp:Policy></sp:EndorsingSupportingTokens>",
        symmetric(X509, "")
    );
    let TokenKind::Issued(issued) = binding(&text).supporting_tokens[0].parameters.kind.clone() else {
        panic!("issued")
    };
    assert_eq!(issued.issuer.as_deref(), Some("https://sts.example/"));
    assert_eq!(issued.key_type, IssuedKeyType::Asymmetric);
    assert_eq!(issued.token_type.as_deref(), Some("urn:oasis:names:tc:SAML:2.0:assertion"));
    assert!(issued.claim_types[0].is_optional && issued.claim_types[0].claim_type == "urn:mail");
}

#[test]
fn sc_16_negotiated_contexts_are_read() {
    let token = "<mssp:SslContextToken><wsp:Policy><sp:RequireDerivedKeys/><mssp:RequireClientCertificate/><sp:MustNotSendCancel/>\
                 <sp:MustNotSendAmend/><sp:MustNotSendRenew/></wsp:Policy></mssp:SslContextToken>";
    let Protection::Symmetric { token } = binding(&symmetric(token, "")).protection else { panic!("symmetric") };
    assert_eq!(token.kind, TokenKind::SslNegotiated { client_certificate: true, require_cancellation: false });
}

#[test]
fn sc_16_entropy_encoding_and_addressing_are_read() {
    let text = symmetric(X509, "").replace("<sp:RequireServerEntropy/>", "");
    assert_eq!(binding(&text).key_entropy, KeyEntropyMode::Client);
    let assertions = "<wsam:Addressing><wsp:Policy><wsam:AnonymousResponses/></wsp:Policy></wsam:Addressing>\
                      <m:OptimizedMimeSerialization xmlns:m='http://schemas.xmlsoap.org/ws/2004/09/policy/optimizedmimeserialization'/>";
    let read = read(&endpoint(assertions), "");
    assert_eq!((read.encoding, read.message_version.addressing), (Encoding::Mtom, Some(AddressingVersion::V10)));
}

#[test]
fn sc_16_imports_are_asked_for_once_each_and_circles_end() {
    let whole = wsdl(&endpoint(&symmetric(X509, "")), "");
    let start = whole.find("<wsp:Policy").unwrap();
    let service = whole.find("<w:service").unwrap();
    let policies = format!(
        "{}<w:import namespace='urn:ledger' location='main.wsdl'/>{}</w:definitions>",
        &whole[..start],
        &whole[start..service]
    );
    let main = format!(
        "{}<w:import namespace='urn:ledger' location='parts/policies.wsdl'/>{}",
        &whole[..start],
        &whole[service..]
    );
    let mut asked = Vec::new();
    let definitions = Definitions::parse_with(main.clone(), |location: &str| {
        asked.push(location.to_owned());
        Ok::<_, String>(if location.ends_with("main.wsdl") { main.clone() } else { policies.clone() }.into_bytes())
    })
    .unwrap();
    assert_eq!(definitions.endpoints().unwrap(), Definitions::parse(whole).unwrap().endpoints().unwrap());
    assert_eq!(asked, ["parts/policies.wsdl", "parts/main.wsdl"]);
    let error = Definitions::parse(main).unwrap().endpoints().unwrap_err();
    assert!(error.to_string().contains("parts/policies.wsdl"), "{error}");
}
