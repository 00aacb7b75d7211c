//! Tokens of a token service: one side obtains them, the other accepts them.

use std::fs;

use handstamp_keys::{Certificate, SystemRandom};
use handstamp_secure_conversation::TokenClient;
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{
    AddressingVersion, IssuedKeyType, IssuedTokenParameters, MessageSecurityVersion, SecurityBinding,
    UserNameCredential,
};

use super::setting::{AS_ADA, Bootstrap, SOAP_12, Setting, plain_ledger, request};
use crate::support::status;

pub(super) const BINDING: &str = r#"<customBinding><binding>
  <security authenticationMode="SecureConversation" requireSecurityContextCancellation="false"
      messageSecurityVersion="WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12">
    <secureConversationBootstrap authenticationMode="IssuedTokenForCertificate"
        messageSecurityVersion="WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12">
      <issuedTokenParameters keyType="SymmetricKey"/>
    </secureConversationBootstrap>
  </security>
  <textMessageEncoding/>
  <httpTransport/>
</binding></customBinding>"#;

/// The token service is in the gateway that accepts its tokens: whom they are for, and whom the ledger believes, may differ.
pub(super) fn terms(audience: &str, realm: &str) -> String {
    format!(
        r#"
        issuers = ["sts"]
        audiences = ["{audience}"]
        claims_to_headers = {{ X-User = "name" }}
        [issuer.sts]
        sign_in_url = "http://localhost/sts"
        certificates = ["sts.crt"]
        [sts]
        public_url = "http://localhost"
        entity_id = "urn:sts"
        accounts = "accounts.db"
        signing_key = "sts.pem"
        active = true
        [sts.relying_party.ledger]
        realm = "{realm}"
        reply_urls = []
        token = "saml-2.0"
        encryption_certificate = "ledger.crt"
        "#
    )
}

#[tokio::test]
async fn sc_14_8_callers_get_in_by_a_token_of_a_token_service() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    fs::write(setting.path("binding.xml"), BINDING).expect("written");
    let secured = setting.terminate(service.address, "", &terms("urn:ledger", "urn:ledger")).await;
    let tokens = |applies_to: &str| {
        format!(
            "[soap.ledger.token_service]\nurl = \"http://{}/trust/13/username\"\ncertificate = \"sts.crt\"\n\
             applies_to = \"{applies_to}\"",
            secured.address
        )
    };
    let url = format!("http://{}/ledger", secured.address);

    let plain = setting.initiate(&url, &format!("{AS_ADA}\n{}", tokens("urn:ledger"))).await;
    for _ in 0..2 {
        let answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert_eq!(service.received()[0].headers()["x-user"], "ada");
    }

    let plain = setting.initiate(&url, &format!("callers = \"basic\"\n{}", tokens("urn:ledger"))).await;
    for (credentials, wanted) in [("bob:secret of bob", 200), ("bob:secret of ada", 401), ("eve:secret of bob", 401)] {
        let line = base64_simd::STANDARD.encode_to_string(credentials.as_bytes());
        let answer = plain.exchange(request(SOAP_12, "Balance", &format!("Authorization: Basic {line}\r\n"))).await;
        assert_eq!(status(&answer), wanted, "{answer}");
    }
    assert_eq!(service.received()[0].headers()["x-user"], "bob");

    // The token service knows no such service.
    let plain = setting.initiate(&url, &format!("{AS_ADA}\n{}", tokens("urn:other"))).await;
    let answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
    assert!(status(&answer) == 500 && answer.contains("HST-SOAP-SESSION"), "{answer}");
}

#[tokio::test]
async fn sc_14_8_a_token_for_somebody_else_lets_nobody_in() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    fs::write(setting.path("binding.xml"), BINDING).expect("written");
    let secured = setting.terminate(service.address, "", &terms("urn:ledger", "urn:elsewhere")).await;
    let tokens = format!(
        "[soap.ledger.token_service]\nurl = \"http://{}/trust/13/username\"\ncertificate = \"sts.crt\"\n\
         applies_to = \"urn:elsewhere\"",
        secured.address
    );
    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), &format!("{AS_ADA}\n{tokens}")).await;
    let answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
    assert!(status(&answer) == 500 && answer.contains("HST-SOAP-SESSION"), "{answer}");
    assert!(service.received().is_empty());
}

#[tokio::test]
async fn wst_4_a_request_for_a_token_counts_once_also_after_another_configuration() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    fs::write(setting.path("binding.xml"), BINDING).expect("written");
    let gateway = setting.terminate(service.address, "", &terms("urn:ledger", "urn:ledger")).await;
    let sts = fs::read(setting.path("sts.crt")).expect("readable");
    let sts = Certificate::read_all(&sts).expect("certificates").remove(0);
    let binding = SecurityBinding::user_name_for_certificate(MessageSecurityVersion::WSS11_13).expect("a binding");
    let client = TokenClient::builder(binding, "http://localhost/")
        .message_version(SoapVersion::Soap12, AddressingVersion::V10)
        .service_certificate(sts)
        .user_name(UserNameCredential::new("ada", "secret of ada"))
        .build()
        .expect("a client");
    let ask = || {
        let wanted = IssuedTokenParameters { key_type: IssuedKeyType::Bearer, ..IssuedTokenParameters::default() };
        let exchange = client.request(&wanted, "urn:ledger", SystemClock.now(), &SystemRandom).expect("a request");
        let envelope = exchange.envelope();
        format!(
            "POST /trust/13/username HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/soap+xml; charset=utf-8\r\nContent-Length: {}\r\n\r\n{envelope}",
            envelope.len()
        )
    };
    let captured = ask();
    assert_eq!(status(&gateway.exchange(&captured).await), 200);
    assert_eq!(status(&gateway.exchange(&captured).await), 500);

    let file = setting.path("terminate.toml");
    let text = fs::read_to_string(&file).expect("readable");
    fs::write(&file, text.replace("[sts]", "[sts]\ndisplay_name = \"Renamed service\"")).expect("written");
    gateway.reloader.clone().from_file(&file).reload_file().await.expect("taken over");
    assert!(gateway.get("/", "").await.contains("Renamed service"));
    assert_eq!(status(&gateway.exchange(&captured).await), 500, "it was accepted before");
    assert_eq!(status(&gateway.exchange(&ask()).await), 200);
}
