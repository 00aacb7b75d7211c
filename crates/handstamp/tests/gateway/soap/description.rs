//! The WSDL that routes serve.

use std::fs;
use std::process::Command;

use handstamp_security_policy::Definitions;

use super::setting::{AS_ADA, Bootstrap, SOAP_11, Setting, plain_ledger, request};
use crate::support::status;

const WSDL: &str = r#"<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:t="urn:ledger" targetNamespace="urn:ledger">
  <w:types><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:ledger">
    <xs:include schemaLocation="ledger.xsd"/></xs:schema></w:types>
  <w:message name="Balance"><w:part name="parameters" element="t:Balance"/></w:message>
  <w:message name="BalanceResponse"><w:part name="parameters" element="t:BalanceResponse"/></w:message>
  <w:portType name="Ledger"><w:operation name="Balance">
    <w:input message="t:Balance"/><w:output message="t:BalanceResponse"/></w:operation></w:portType>
  <w:binding name="Ledger" type="t:Ledger">
    <s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="Balance"><s:operation soapAction="urn:ledger/Balance"/>
      <w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output></w:operation>
  </w:binding>
  <w:service name="Ledger"><w:port name="Ledger" binding="t:Ledger">
    <s:address location="http://inside.example/ledger"/></w:port></w:service>
</w:definitions>"#;

#[tokio::test]
async fn each_side_serves_the_wsdl_that_its_clients_need() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    fs::write(setting.path("ledger.wsdl"), WSDL).expect("written");
    fs::write(setting.path("ledger.xsd"), "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'/>").expect("written");
    let secured = setting.terminate(service.address, "", "wsdl = \"ledger.wsdl\"").await;
    let answer = secured.get("/ledger?wsdl", "").await;
    assert_eq!(status(&answer), 200, "{answer}");
    let published = answer.split_once("\r\n\r\n").expect("a body").1;
    assert!(!published.contains("inside.example"), "{published}");
    let link = published.split("schemaLocation=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let link = link.strip_prefix("http://shop.example").expect("at the address of the request");
    assert!(secured.get(link, "").await.contains("<xs:schema"), "{link}");

    // The route of the client's gateway needs nothing but the WSDL that the service publishes.
    fs::write(setting.path("published.wsdl"), published).expect("written");
    let text = fs::read_to_string(setting.path("terminate.toml")).expect("readable");
    assert!(text.contains("binding.xml"));
    let route = format!("{AS_ADA}\nwsdl = \"published.wsdl\"");
    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), &route).await;
    let answer = plain.get("/ledger?wsdl", "").await;
    assert_eq!(status(&answer), 200, "{answer}");
    let local = answer.split_once("\r\n\r\n").expect("a body").1;
    let endpoint = Definitions::parse(local).expect("a WSDL").endpoints().expect("endpoints").remove(0);
    assert_eq!((endpoint.address.as_str(), endpoint.security), ("http://shop.example/ledger", None));

    let answer = plain.exchange(request(SOAP_11, "Balance", "")).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let answer = plain.exchange(request(SOAP_11, "Unheard", "")).await;
    assert_eq!(status(&answer), 500, "{answer}");
    assert_eq!(service.received().len(), 1, "unknown operations do not reach the service");
}

#[tokio::test]
async fn the_check_of_a_configuration_says_what_the_other_side_must_do() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let check = |file: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_handstamp"))
            .args(["config", "check", file])
            .current_dir(setting.folder.path())
            .output()
            .expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("text"))
    };
    setting.write_terminate(service.address, "", "claims_to_headers = { X-User = \"name\" }");
    let (code, said) = check("terminate.toml");
    assert_eq!(code, Some(0), "{said}");
    for sentence in [
        "SOAP ledger: clients speak secure sessions at any host, path /ledger",
        "Secured messages: SOAP 1.2, WS-Addressing 1.0, text.",
        "A client sends: a key encrypted for the service's certificate and a user name and a password, once;",
        "Restart of the gateway:",
        "as x-user",
    ] {
        assert!(said.contains(sentence), "{sentence:?} is missing: {said}");
    }
    setting.write_initiate("\"http://127.0.0.1:9/\"", AS_ADA);
    let (code, said) = check("initiate.toml");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("All callers share one session, of ada"), "{said}");
    assert!(said.contains("there is no TLS to believe it"), "{said}");

    // What is missing is said here, not to the first client.
    let without = |file: &str, line: &str| {
        let text = fs::read_to_string(setting.path(file)).expect("readable");
        fs::write(setting.path("lacking.toml"), text.replace(line, "")).expect("written");
        check("lacking.toml")
    };
    for (file, line, word) in [
        ("terminate.toml", "identity = \"ledger.pem\"", "certificate"),
        ("terminate.toml", "accounts = \"accounts.db\"", "names and passwords"),
        ("initiate.toml", "peer_certificates = [\"ledger.crt\"]", "certificate"),
        ("initiate.toml", AS_ADA, "password"),
    ] {
        let (code, said) = without(file, line);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("soap.ledger") && said.contains(word), "{said}");
    }
}
