//! Plain SOAP clients from three ecosystems, through a route that begins sessions, to a service that demands them.
//! `cargo xtask test --only interop` installs them and runs this.

#![allow(clippy::expect_used, reason = "what cannot be had fails the test")]

#[allow(dead_code, reason = "the tests of the gateway use the rest")]
#[path = "../gateway/soap/setting.rs"]
mod setting;
#[allow(dead_code, reason = "the tests of the gateway use the rest")]
#[path = "../gateway/support.rs"]
mod support;

use serde_json::Value;
use setting::{Bootstrap, SOAP_11, Setting, plain_ledger};
use std::path::{Path, PathBuf};
use support::{Application, Running};
use tokio::process::Command;

const WSDL: &str = r#"<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:t="urn:ledger" xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:ledger">
  <w:types><xs:schema targetNamespace="urn:ledger" elementFormDefault="qualified">
    <xs:complexType name="Ask"><xs:sequence><xs:element name="Account" type="xs:string"/></xs:sequence></xs:complexType>
    <xs:element name="Balance" type="t:Ask"/><xs:element name="Fail" type="t:Ask"/>
    <xs:element name="BalanceResponse" type="xs:int"/><xs:element name="FailResponse" type="xs:int"/>
  </xs:schema></w:types>
  <w:message name="Balance"><w:part name="parameters" element="t:Balance"/></w:message>
  <w:message name="BalanceResponse"><w:part name="parameters" element="t:BalanceResponse"/></w:message>
  <w:message name="Fail"><w:part name="parameters" element="t:Fail"/></w:message>
  <w:message name="FailResponse"><w:part name="parameters" element="t:FailResponse"/></w:message>
  <w:portType name="Ledger">
    <w:operation name="Balance"><w:input message="t:Balance"/><w:output message="t:BalanceResponse"/></w:operation>
    <w:operation name="Fail"><w:input message="t:Fail"/><w:output message="t:FailResponse"/></w:operation>
  </w:portType>
  <w:binding name="Ledger" type="t:Ledger">
    <s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="Balance"><s:operation soapAction="urn:ledger/Balance"/>
      <w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output></w:operation>
    <w:operation name="Fail"><s:operation soapAction="urn:ledger/Fail"/>
      <w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output></w:operation>
  </w:binding>
  <w:service name="Ledger"><w:port name="Ledger" binding="t:Ledger">
    <s:address location="http://inside.example/ledger"/></w:port></w:service>
</w:definitions>"#;

/// A plain service, a route that ends sessions before it, and one that begins them.
struct World {
    service: Application,
    _secured: Running,
    plain: Running,
    _setting: Setting,
}

impl World {
    async fn start() -> Self {
        let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
        std::fs::write(setting.path("ledger.wsdl"), WSDL).expect("written");
        let claims = "wsdl = \"ledger.wsdl\"\nclaims_to_headers = { X-User = \"name\" }";
        let secured = setting.terminate(service.address, "", claims).await;
        let route = "wsdl = \"ledger.wsdl\"\ncallers = \"basic\"";
        let plain = setting.initiate(&format!("http://{}/ledger", secured.address), route).await;
        Self { service, _secured: secured, plain, _setting: setting }
    }

    /// What the client says after it called both operations as ada.
    async fn check(&self, command: &mut Command) {
        let wsdl = format!("http://{}/ledger?wsdl", self.plain.address);
        let said: Value = serde_json::from_str(&run(command.args([&wsdl, CREDENTIALS])).await).expect("JSON");
        assert_eq!(said["balance"], "42", "{said}");
        assert!(said["fault"].as_str().is_some_and(|fault| fault.contains("too much")), "{said}");
        self.was_asked_by_ada();
    }

    fn was_asked_by_ada(&self) {
        let received = self.service.received();
        assert!(!received.is_empty());
        for request in received {
            assert_eq!(request.headers()["x-user"], "ada");
            assert!(String::from_utf8_lossy(request.body()).contains("savings"), "{request:?}");
        }
    }
}

const CREDENTIALS: &str = "ada:secret of ada";

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/soap")
}

async fn run(command: &mut Command) -> String {
    let output = command.kill_on_drop(true).output().await.expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn pythons_zeep_calls_through_a_session() {
    let python = peers().join("venv/bin/python");
    World::start().await.check(Command::new(python).arg(peers().join("client.py"))).await;
}

#[tokio::test]
async fn npms_soap_calls_through_a_session() {
    World::start().await.check(Command::new("node").arg(peers().join("client.js"))).await;
}

#[tokio::test]
async fn curl_calls_through_a_session() {
    let world = World::start().await;
    let url = format!("http://{}/ledger", world.plain.address);
    let message = |operation: &str| {
        format!(
            "<e:Envelope xmlns:e=\"{SOAP_11}\"><e:Body><{operation} xmlns=\"urn:ledger\"><Account>savings</Account>\
             </{operation}></e:Body></e:Envelope>"
        )
    };
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail-with-body", "--compressed", "--user", CREDENTIALS]);
    curl.args(["--header", "Content-Type: text/xml; charset=utf-8", "--header", "SOAPAction: \"urn:ledger/Balance\""]);
    let answer = run(curl.args(["--data", &message("Balance"), &url])).await;
    assert!(answer.contains("42</BalanceResponse>"), "{answer}");
    world.was_asked_by_ada();
}
