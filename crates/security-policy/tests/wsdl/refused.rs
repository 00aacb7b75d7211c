//! What is refused, and in which words.

use crate::{X509, endpoint, symmetric, wsdl};
use handstamp_security_policy::{Definitions, Error};

/// The complaint about a policy, which has to name its line.
fn complaint(policies: &str, messages: &str) -> String {
    let error = Definitions::parse(wsdl(policies, messages)).and_then(|read| read.endpoints()).unwrap_err();
    assert_eq!(error.code(), "HST-BINDING-POLICY");
    assert!(matches!(&error, Error::Policy { line, .. } if *line > 1), "{error}");
    error.to_string()
}

#[test]
fn sc_16_what_is_refused_is_named() {
    let session = |bootstrap: &str| {
        let token = format!(
            "<sp:SecureConversationToken><wsp:Policy><sp:BootstrapPolicy><wsp:Policy>{bootstrap}</wsp:Policy></sp:BootstrapPolicy>\
             </wsp:Policy></sp:SecureConversationToken>"
        );
        symmetric(&token, "")
    };
    let beside = |assertion: &str| format!("{}{assertion}", symmetric(X509, ""));
    let transport = "<sp:TransportBinding><wsp:Policy><sp:TransportToken><wsp:Policy><sp:HttpsToken/></wsp:Policy></sp:TransportToken>\
         <sp:AlgorithmSuite><wsp:Policy><sp:Basic256/></wsp:Policy></sp:AlgorithmSuite></wsp:Policy></sp:TransportBinding>";
    for (assertions, words) in [
        (symmetric("<sp:KerberosToken/>", ""), "<KerberosToken> needs the Windows security provider"),
        (symmetric("<sp:SpnegoContextToken/>", ""), "<SpnegoContextToken> needs the Windows security provider"),
        (symmetric("<sp:UsernameToken/>", ""), "<UsernameToken> cannot protect"),
        (
            symmetric("<sp:X509Token><wsp:Policy><sp:WssX509PkiPathV1Token10/></wsp:Policy></sp:X509Token>", ""),
            "<WssX509PkiPathV1Token10>",
        ),
        (
            symmetric(X509, "<sp:EncryptBeforeSigning/><sp:EncryptSignature/>"),
            "<EncryptBeforeSigning> together with <EncryptSignature>",
        ),
        (symmetric(X509, "<sp:Sparkle/>"), "<Sparkle> of namespace"),
        (symmetric(X509, "").replace("Basic256Sha256", "Basic512"), "<Basic512> is no algorithm suite"),
        (beside("<x:Unheard xmlns:x='urn:x'/>"), "<Unheard> of namespace \"urn:x\""),
        (beside(transport), "<TransportBinding> stands beside <SymmetricBinding>"),
        (
            beside("<sp:SupportingTokens><wsp:Policy><sp:UsernameToken/></wsp:Policy></sp:SupportingTokens>"),
            "<SupportingTokens> holds tokens that nothing ties",
        ),
        (
            beside(
                "<sp:EndorsingSupportingTokens><wsp:Policy><sp:UsernameToken/></wsp:Policy></sp:EndorsingSupportingTokens>",
            ),
            "<UsernameToken> has no key that could endorse",
        ),
        (
            beside(
                "<sp:SignedSupportingTokens><wsp:Policy><sp:UsernameToken><wsp:Policy><sp:HashPassword/></wsp:Policy></sp:UsernameToken></wsp:Policy></sp:SignedSupportingTokens>",
            ),
            "<HashPassword>",
        ),
        (
            beside("<sp:SignedElements><sp:XPath>//x</sp:XPath></sp:SignedElements>"),
            "<SignedElements> selects by XPath",
        ),
        (beside("<r:RMAssertion xmlns:r='http://schemas.xmlsoap.org/ws/2005/02/rm/policy'/>"), "reliable messaging"),
        (session(""), "<BootstrapPolicy> holds no binding assertion"),
        (session(transport), "both have to be TransportBinding, or neither"),
        (session(&session(&symmetric(X509, ""))), "<BootstrapPolicy> needs another session"),
        (
            symmetric(X509, "").replace(
                "<sp:Wss11/>",
                "<sp:Wss10><wsp:Policy><sp:RequireSignatureConfirmation/></wsp:Policy></sp:Wss10>",
            ),
            "RequireSignatureConfirmation, which only Wss11 has",
        ),
    ] {
        let complaint = complaint(&endpoint(&assertions), "");
        assert!(complaint.contains(words), "{words}: {complaint}");
    }
}

#[test]
fn sc_16_messages_that_encrypt_without_signing_are_refused() {
    let message = "<w:input><wsp:Policy><sp:EncryptedParts><sp:Body/></sp:EncryptedParts></wsp:Policy></w:input>";
    assert!(complaint(&endpoint(&symmetric(X509, "")), message).contains("sign it too"));
}

#[test]
fn references_that_lead_nowhere_or_in_circles_are_refused() {
    assert!(complaint("", "").contains("\"#endpoint\" is not in the document"));
    let circle = "<wsp:Policy u:Id='endpoint'><wsp:PolicyReference URI='#endpoint'/></wsp:Policy>";
    assert!(complaint(circle, "").contains("in a circle"));
}

#[test]
fn expansion_is_bounded() {
    let choice = "<wsp:ExactlyOne><wsp:All/><wsp:All/></wsp:ExactlyOne>";
    assert!(complaint(&endpoint(&choice.repeat(40)), "").contains("alternatives"));
    let mut doubling = String::from("<wsp:Policy u:Id='p0'/>");
    for number in 1..14 {
        let before = number - 1;
        doubling += &format!(
            "<wsp:Policy u:Id='p{number}'>{}</wsp:Policy>",
            format!("<wsp:PolicyReference URI='#p{before}'/>").repeat(4)
        );
    }
    doubling += "<wsp:Policy u:Id='endpoint'><wsp:PolicyReference URI='#p13'/></wsp:Policy>";
    assert!(complaint(&doubling, "").contains("too long to expand"));
}

#[test]
fn other_documents_are_told_what_they_are() {
    for (text, words) in [
        ("<description xmlns='http://www.w3.org/ns/wsdl'/>", "WSDL 2.0"),
        ("<html/>", "?singleWsdl"),
        ("<Policy xmlns='http://www.w3.org/ns/ws-policy'/>", "a policy alone"),
    ] {
        let error = Definitions::parse(text).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}
