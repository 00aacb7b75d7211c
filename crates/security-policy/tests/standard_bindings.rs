//! Standard bindings are the custom bindings of the table (SC §15).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use handstamp_security_policy::{
    CustomBinding, Encoding, Error, MessageVersion, StandardBinding, Transport, WriteEncoding,
};
use handstamp_ws_security::{
    AlgorithmSuite, IssuedKeyType, IssuedTokenParameters, MessageSecurityVersion, SecurityBinding,
};
use handstamp_xml::{Document, ParseOptions};
use std::time::Duration;

fn expand(kind: &str, attributes: &str, children: &str) -> Result<CustomBinding, Error> {
    let text = format!("<binding {attributes}>\n{children}</binding>");
    let document = Document::parse(text, &ParseOptions::default()).unwrap();
    StandardBinding::from_name(kind).unwrap().expand(Some(document.root()))
}

fn message(kind: &str, mode: &str, message: &str) -> Result<CustomBinding, Error> {
    expand(kind, "", &format!("<security mode=\"{mode}\"><message {message}/></security>"))
}

/// What SC §15 writes out, with these gaps filled.
fn written(mode: &str, version: MessageSecurityVersion, transport: &str) -> CustomBinding {
    let version = version.name();
    CustomBinding::parse(format!(
        r#"<binding><security authenticationMode="SecureConversation" messageSecurityVersion="{version}"
             defaultAlgorithmSuite="Default" requireSecurityContextCancellation="true">
           <localClientSettings reconnectTransportOnFailure="false"/>
           <localServiceSettings reconnectTransportOnFailure="false"/>
           <secureConversationBootstrap authenticationMode="{mode}" messageSecurityVersion="{version}"
               requireSecurityContextCancellation="true">
             <localServiceSettings issuedCookieLifetime="00:15:00"/>
           </secureConversationBootstrap>
         </security><textMessageEncoding messageVersion="Soap12WSAddressing10"/><{transport}/></binding>"#
    ))
    .unwrap()
}

#[test]
fn sc_15_every_row_of_the_table_is_the_binding_that_it_says() {
    let (set_3, set_6) = (MessageSecurityVersion::WSS11_FEBRUARY2005_BSP, MessageSecurityVersion::WSS11_13_BSP);
    for (credential, negotiated, not_negotiated, over_transport) in [
        ("None", "AnonymousForSslNegotiated", "AnonymousForCertificate", None),
        ("UserName", "UserNameForSslNegotiated", "UserNameForCertificate", Some("UserNameOverTransport")),
        ("Certificate", "MutualSslNegotiated", "MutualCertificate", Some("CertificateOverTransport")),
        ("IssuedToken", "IssuedTokenForSslNegotiated", "IssuedTokenForCertificate", Some("IssuedTokenOverTransport")),
    ] {
        for (kind, version) in [("wsHttpBinding", set_3), ("ws2007HttpBinding", set_6)] {
            let credential = format!("clientCredentialType=\"{credential}\"");
            let http = "httpTransport";
            let negotiating = message(kind, "Message", &credential).unwrap();
            assert_eq!(negotiating, written(negotiated, version, http), "{kind} {credential}");
            let certificate = format!("{credential} negotiateServiceCredential=\"false\"");
            let with_certificate = message(kind, "Message", &certificate).unwrap();
            assert_eq!(with_certificate, written(not_negotiated, version, http), "{kind} {credential}");
            let mixed = message(kind, "TransportWithMessageCredential", &credential);
            match over_transport {
                Some(mode) => assert_eq!(mixed.unwrap(), written(mode, version, "httpsTransport")),
                None => assert!(mixed.unwrap_err().to_string().contains("line 2: clientCredentialType=\"None\"")),
            }
            // And what the table says without a session.
            let single =
                message(kind, "Message", &format!("{certificate} establishSecurityContext=\"false\"")).unwrap();
            assert!(
                single.security().session().is_none() && !single.security().local_client.reconnect_transport_on_failure
            );
        }
    }
}

#[test]
fn sc_15_windows_credentials_are_the_default_and_refused_with_the_cure() {
    for (kind, children, mode) in [
        ("wsHttpBinding", "", "SspiNegotiated"),
        ("ws2007HttpBinding", "<security/>", "SspiNegotiated"),
        ("wsHttpBinding", "<security><message negotiateServiceCredential='false'/></security>", "Kerberos"),
        ("wsHttpBinding", "<security mode='TransportWithMessageCredential'/>", "SspiNegotiatedOverTransport"),
    ] {
        let error = expand(kind, "", children).unwrap_err().to_string();
        let line = if children.is_empty() { "line 1:" } else { "line 2:" };
        for word in [line, kind, "clientCredentialType", mode, "Windows security provider", "UserName"] {
            assert!(error.contains(word), "{word} is not in {error}");
        }
    }
    let error = StandardBinding::WsHttp.expand(None).unwrap_err();
    assert!(matches!(&error, Error::Binding { problem } if problem.contains("SspiNegotiated")), "{error}");
}

#[test]
fn sc_15_federation_bindings_ask_for_issued_tokens() {
    let issued = r#"<security><message issuedKeyType="BearerKey" issuedTokenType="urn:saml" algorithmSuite="Basic128"
        negotiateServiceCredential="false"><issuer address="http://sts/" binding="ws2007HttpBinding"/>
        <claimTypeRequirements><add claimType="urn:role"/></claimTypeRequirements>
        <tokenRequestParameters><a xmlns="urn:a">1</a></tokenRequestParameters>
        <issuerMetadata address="http://sts/mex"/></message></security>"#;
    let binding = expand("ws2007FederationHttpBinding", "privacyNoticeAt=\"http://p/\"", issued).unwrap();
    let parameters = binding.security().issued_token_parameters().unwrap();
    assert_eq!((parameters.key_type, parameters.token_type.as_deref()), (IssuedKeyType::Bearer, Some("urn:saml")));
    assert_eq!((parameters.issuer.as_deref(), parameters.claim_types.len()), (Some("http://sts/"), 1));
    assert_eq!(parameters.additional, ["<a xmlns=\"urn:a\">1</a>"]);
    assert_eq!(binding.security().suite, AlgorithmSuite::BASIC128);
    assert_eq!(binding.security().session().unwrap().bootstrap.suite, AlgorithmSuite::BASIC128);
    let plain = StandardBinding::WsFederationHttp.expand(None).unwrap();
    let version = MessageSecurityVersion::WSS11_FEBRUARY2005_BSP;
    let mut bootstrap = SecurityBinding::issued_token_for_ssl_negotiated(version, IssuedTokenParameters::default());
    bootstrap.local_service.issued_cookie_lifetime = Some(Duration::from_secs(900));
    assert_eq!(plain.security().session().unwrap().bootstrap, bootstrap);
    let mixed = "<security mode=\"TransportWithMessageCredential\"/>";
    let mixed = expand("wsFederationHttpBinding", "", mixed).unwrap();
    assert!(mixed.security().is_transport() && matches!(mixed.transport(), Transport::Https { .. }));
}

#[test]
fn sc_15_the_other_attributes_go_to_encoding_and_transport() {
    let user = "<security><message clientCredentialType=\"UserName\"/></security>";
    let attributes = r#"name="b" sendTimeout="00:02:00" receiveTimeout="Infinite" maxReceivedMessageSize="1048576"
        messageEncoding="Mtom" textEncoding="utf-16" bypassProxyOnLocal="true" allowCookies="true"
        proxyAddress="http://p:1/" useDefaultWebProxy="false" hostNameComparisonMode="Exact" maxBufferPoolSize="1"
        transactionFlow="false""#;
    let children = format!("<readerQuotas maxDepth=\"64\"/><reliableSession enabled=\"false\"/>{user}");
    let binding = expand("wsHttpBinding", attributes, &children).unwrap();
    assert_eq!((binding.name(), binding.encoding()), (Some("b"), Encoding::Mtom));
    assert_eq!((binding.send_timeout(), binding.receive_timeout()), (Some(Duration::from_secs(120)), None));
    assert_eq!(binding.message_version(), MessageVersion::default());
    assert_eq!(binding.encoding_element().write_encoding, WriteEncoding::Utf16);
    assert_eq!(binding.encoding_element().reader_quotas.max_depth, 64);
    let http = binding.http();
    assert_eq!((http.max_received_message_size, http.max_buffer_pool_size), (1_048_576, 1));
    assert!(http.allow_cookies && http.bypass_proxy_on_local && !http.use_default_web_proxy);
    assert_eq!(CustomBinding::parse(binding.to_xml().unwrap()).unwrap(), binding);
}

#[test]
fn sc_15_what_is_not_known_or_cannot_be_is_refused_with_its_line() {
    let user = "<security><message clientCredentialType=\"UserName\"/></security>";
    for (kind, attributes, children, words) in [
        ("wsHttpBinding", "transactionFlow=\"true\"", user, ["line 1", "transactionFlow"]),
        ("wsHttpBinding", "transferMode=\"Streamed\"", user, ["line 1", "transferMode"]),
        ("wsFederationHttpBinding", "allowCookies=\"true\"", "", ["line 1", "allowCookies"]),
        ("wsHttpBinding", "", "\n<reliableSession enabled=\"true\"/>", ["line 3", "reliableSession"]),
        ("wsHttpBinding", "", "<security mode=\"None\"/>", ["line 2", "mode=\"None\""]),
        ("wsHttpBinding", "", "<security mode=\"Transport\"/>", ["line 2", "mode=\"Transport\""]),
        ("wsHttpBinding", "", "<security mode=\"Massage\"/>", ["line 2", "Massage"]),
        (
            "wsHttpBinding",
            "",
            "<security>\n<message issuedKeyType=\"BearerKey\"/></security>",
            ["line 3", "issuedKeyType"],
        ),
        ("wsFederationHttpBinding", "", "<security><transport/></security>", ["line 2", "transport"]),
        (
            "wsFederationHttpBinding",
            "",
            "<security><message clientCredentialType=\"None\"/></security>",
            ["line 2", "clientCredentialType"],
        ),
        ("wsHttpBinding", "", "<other/>", ["line 2", "other"]),
    ] {
        let error = expand(kind, attributes, children).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    assert_eq!(StandardBinding::from_name("netTcpBinding"), None);
}
