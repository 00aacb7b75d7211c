//! The files of a WCF service and of its client, imported and served: the client's gateway calls the service's.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64_simd::STANDARD;
use handstamp_keys::Certificate;

use super::setting::{Bootstrap, SOAP_12, Setting, plain_ledger, request};
use crate::support::{Running, status};

/// A binding that services and clients have, by its kind.
struct Binding {
    kind: &'static str,
    element: &'static str,
}

const BINDINGS: [Binding; 3] = [
    Binding {
        kind: "customBinding",
        element: r#"<binding name="Session">
          <security authenticationMode="SecureConversation" requireSecurityContextCancellation="false">
            <secureConversationBootstrap authenticationMode="UserNameForCertificate"/>
          </security>
          <textMessageEncoding/><httpTransport/>
        </binding>"#,
    },
    Binding {
        kind: "ws2007HttpBinding",
        element: r#"<binding name="Session"><security>
          <message clientCredentialType="UserName" negotiateServiceCredential="false" algorithmSuite="Basic256Sha256"/>
        </security></binding>"#,
    },
    Binding {
        kind: "wsHttpBinding",
        element: r#"<binding name="Session"><security><message clientCredentialType="UserName"/></security></binding>"#,
    },
];

fn handstamp(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_handstamp")).args(arguments).current_dir(folder).output().expect("it runs")
}

fn import(folder: &Path, file: &str, binding: &Binding, section: &str, changes: &[(&str, &str)]) -> Output {
    let Binding { kind, element } = binding;
    let bindings = format!("<bindings><{kind}>{element}</{kind}></bindings>");
    let section = section.replace("KIND", kind);
    let text = format!("<configuration><system.serviceModel>{bindings}{section}</system.serviceModel></configuration>");
    fs::write(folder.join(file), text).expect("written");
    let output = handstamp(folder, &["config", "import", file, "--output", "handstamp.toml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let checked = handstamp(folder, &["config", "check", "handstamp.toml"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let toml = fs::read_to_string(folder.join("handstamp.toml")).expect("written");
    let changed = changes.iter().fold(toml, |toml, (from, to)| {
        assert!(toml.contains(from), "{from} is not in {toml}");
        toml.replace(from, to)
    });
    fs::write(folder.join("handstamp.toml"), changed).expect("written");
    output
}

#[tokio::test]
async fn sc_14_an_imported_service_serves_an_imported_client() {
    for binding in &BINDINGS {
        an_imported_service_serves_an_imported_client(binding).await;
    }
}

async fn an_imported_service_serves_an_imported_client(binding: &Binding) {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    // The files that the steps ask for are there: ledger.pem and accounts.db.
    let services = r#"
      <behaviors><serviceBehaviors><behavior><serviceCredentials>
        <serviceCertificate findValue="CN=ledger"/>
        <userNameAuthentication userNamePasswordValidationMode="Custom" customUserNamePasswordValidatorType="A.B, A"/>
      </serviceCredentials></behavior></serviceBehaviors></behaviors>
      <services><service name="Contoso.Ledger">
        <host><baseAddresses><add baseAddress="http://localhost:8733/"/></baseAddresses></host>
        <endpoint address="ledger" binding="KIND" bindingConfiguration="Session" contract="Contoso.ILedger"/>
      </service></services>"#;
    let upstream = format!("http://{}/inside", service.address);
    let changes = [("127.0.0.1:8080", "127.0.0.1:0"), ("http://127.0.0.1:9000/ledger", upstream.as_str())];
    let output = import(setting.folder.path(), "web.config", binding, services, &changes);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("customUserNamePasswordValidatorType") && said.contains("next: export the certificate"),
        "{said}"
    );
    let secured = Running::from_file(&setting.path("handstamp.toml")).await;

    let certificate = fs::read(setting.path("ledger.crt")).expect("there");
    let certificate = Certificate::read_all(&certificate).expect("a certificate").remove(0);
    let client = format!(
        r#"<client><endpoint name="Ledger" address="http://{}/ledger" binding="KIND" bindingConfiguration="Session"
             contract="Reference.ILedger"><identity><certificate encodedValue="{}"/></identity></endpoint></client>"#,
        secured.address,
        STANDARD.encode_to_string(certificate.der())
    );
    let folder = tempfile::TempDir::new().expect("a folder");
    let changes =
        [("listener.local", "listener.public"), ("[\"local\"]", "[\"public\"]"), ("127.0.0.1:8090", "127.0.0.1:0")];
    import(folder.path(), "app.config", binding, &client, &changes);
    let plain = Running::from_file(&folder.path().join("handstamp.toml")).await;

    let credentials =
        |password: &str| format!("Authorization: Basic {}\r\n", STANDARD.encode_to_string(format!("ada:{password}")));
    let answer = plain.exchange(request(SOAP_12, "Balance", &credentials("secret of ada"))).await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(answer.contains("42</BalanceResponse>"), "{answer}");
    assert_eq!(service.received()[0].uri().path(), "/inside");
    let answer = plain.exchange(request(SOAP_12, "Balance", &credentials("wrong"))).await;
    assert_eq!(status(&answer), 401, "{answer}");
    // Nobody loses a file by importing twice, and then nothing is written.
    fs::remove_file(folder.path().join("handstamp.toml")).expect("there");
    let again = handstamp(folder.path(), &["config", "import", "app.config", "--output", "handstamp.toml"]);
    assert_eq!(again.status.code(), Some(4));
    assert!(!folder.path().join("handstamp.toml").exists());
}
