//! `<system.serviceModel>`: services and clients of WCF become SOAP routes (SC-95, SC-96; SC 14, SC 15).

use std::path::Path;

use handstamp::config::import::{Import, Outcome};
use handstamp::config::{Config, SoapCallers, SoapMode};
use handstamp_security_policy::CustomBinding;
use handstamp_time::Clock as _;

const REAL: &str = include_str!("wcf/web.config");

fn load(import: &Import) -> Config {
    Config::parse(import.toml(), Path::new("handstamp.toml")).unwrap()
}

fn binding(import: &Import, file: &str) -> CustomBinding {
    let (_, text) = import.files().find(|(name, _)| *name == file).unwrap();
    CustomBinding::parse(text).unwrap()
}

/// A file with these parts of the section, which begins in line 2.
fn model(parts: &str) -> String {
    format!("<configuration>\n<system.serviceModel>{parts}</system.serviceModel></configuration>")
}

fn refusal(text: &str) -> String {
    Import::read(text).map(|import| import.toml().to_owned()).unwrap_err().to_string()
}

/// The line and the reason of whatever could not be carried over.
fn unsupported(import: &Import) -> Vec<(usize, String)> {
    let entries = import.report().unsupported().map(|entry| {
        let Outcome::Unsupported(why) = &entry.outcome else { unreachable!("filtered") };
        (entry.line.unwrap_or_default(), format!("{} {}: {why}", entry.setting, entry.value))
    });
    entries.collect()
}

/// What the import says is exactly what is in the file; with `HANDSTAMP_BLESS` the file is written anew.
fn assert_file(file: &str, said: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import/wcf").join(file);
    if std::env::var_os("HANDSTAMP_BLESS").is_some() {
        std::fs::write(&path, said).unwrap();
    }
    assert_eq!(said, std::fs::read_to_string(&path).unwrap(), "{said}");
}

#[test]
fn sc_95_the_first_seed_configuration_imports_with_exactly_this_report() {
    let import = Import::read(include_str!("wcf/seed-user-names.config")).unwrap();
    assert_file("seed-user-names.report.txt", &format!("{}\n", import.report()));
    assert_file("seed-user-names.toml", import.toml());
    let original = CustomBinding::parse(include_str!("wcf/seed-user-names.config")).unwrap();
    assert_eq!(binding(&import, "stateful-session.binding.xml"), original);
}

#[test]
fn sc_95_the_second_seed_configuration_means_sspi_and_is_refused_with_the_cure() {
    let problem = refusal(include_str!("wcf/seed-no-mode.config"));
    assert_file("seed-no-mode.report.txt", &format!("{problem}\n"));
}

#[test]
fn sc_95_a_real_file_imports_with_exactly_this_report() {
    let import = Import::read(REAL).unwrap();
    assert_file("report.txt", &format!("{}\n", import.report()));
    assert_file("handstamp.toml", import.toml());
}

#[test]
fn sc_14_services_and_clients_become_routes_that_the_loader_accepts() {
    let import = Import::read(REAL).unwrap();
    let config = load(&import);
    let names: Vec<&str> = config.soap.keys().map(String::as_str).collect();
    assert_eq!(names, ["archive", "audit", "ledger-service", "rates", "rates-service", "report-service"]);
    let ledger = &config.soap["ledger-service"];
    assert_eq!((ledger.mode, ledger.path.as_str()), (SoapMode::Terminate, "/Ledger.svc"));
    assert_eq!(ledger.address.as_ref().unwrap().as_str(), "http://finance.contoso.example/Ledger.svc");
    assert_eq!(ledger.identity.as_deref(), Some(Path::new("finance-contoso-example.pem")));
    assert_eq!(ledger.accounts.as_deref(), Some(Path::new("accounts.db")));
    assert_eq!((ledger.max_message_size.0, &ledger.listeners), (16 << 20, &vec!["public".to_owned()]));
    let audit = &config.soap["audit"];
    assert_eq!((audit.path.as_str(), audit.identity.as_ref()), ("/Ledger.svc/audit", ledger.identity.as_ref()));
    assert_eq!(audit.peer_certificates, [Path::new("audit-clients.pem")]);
    assert_eq!(audit.peer_authorities, [Path::new("audit-client-authorities.pem")]);
    assert_eq!((audit.accounts.as_ref(), audit.max_message_size.0), (None, 64 << 20));
    let rates = &config.soap["rates-service"];
    assert_eq!((rates.path.as_str(), rates.identity.as_ref()), ("/Rates.svc", None));
    assert_eq!((rates.listeners.as_slice(), config.listener.len()), (&["tls".to_owned()][..], 3));
    let archive = &config.soap["archive"];
    assert_eq!((archive.mode, archive.path.as_str()), (SoapMode::Initiate, "/archive"));
    assert_eq!(archive.listeners, ["local"]);
    assert_eq!(archive.identity.as_deref(), Some(Path::new("certificate-9b74c989.pem")));
    assert_eq!(archive.peer_certificates, [Path::new("archive-fabrikam-example.crt")]);
    let partner = &config.soap["rates"];
    assert_eq!((partner.callers, partner.peer_certificates.len()), (SoapCallers::Basic, 0));
    let reports = &config.soap["report-service"];
    assert_eq!((reports.path.as_str(), reports.issuers.as_slice()), ("/", ["sts".to_owned()].as_slice()));
    assert_eq!(reports.audiences, ["https://reports.contoso.example/"]);
    let metadata = config.issuer["sts"].metadata.as_ref().unwrap().as_str();
    assert_eq!(metadata, "https://sts.contoso.example/FederationMetadata/2007-06/FederationMetadata.xml");
    assert!(config.federation.is_empty());
    let stateful = binding(&import, "ledger-service.binding.xml");
    assert!(!stateful.security().session().unwrap().require_cancellation);
    assert_eq!(stateful.receive_timeout(), Some(std::time::Duration::from_secs(1800)));
}

/// With the files that the steps ask for there is nothing left to complain about.
#[test]
fn sc_95_the_result_is_good_once_its_files_exist() {
    let folder = tempfile::tempdir().unwrap();
    let at = |file: &Path| folder.path().join(file);
    std::fs::write(at(Path::new("web.config")), REAL).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_handstamp"));
        command.args(["config"]).args(arguments).current_dir(folder.path()).output().unwrap()
    };
    let output = run(&["import", "web.config", "--output", "handstamp.toml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("web.config:62: customBinding/binding ReliableCertificates") && said.contains("\nnext: export"),
        "{said}"
    );
    let missing = run(&["check", "handstamp.toml"]);
    assert_eq!(missing.status.code(), Some(3));
    let (now, kind) = (handstamp_time::SystemClock.now(), handstamp_keys::KeyKind::Rsa { bits: 2048 });
    let later = now.saturating_add(std::time::Duration::from_secs(3600));
    let identity =
        handstamp_keys::SigningIdentity::self_signed("any", kind, now, later, &handstamp_keys::SystemRandom).unwrap();
    for route in load(&Import::read(REAL).unwrap()).soap.values() {
        for file in route.identity.iter().filter(|file| !at(file).exists()) {
            identity.create(&at(file)).unwrap();
        }
        for file in route.peer_certificates.iter().chain(&route.peer_authorities) {
            std::fs::write(at(file), identity.certificate().to_pem()).unwrap();
        }
    }
    let checked = run(&["check", "handstamp.toml"]);
    let (said, problem) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{problem}");
    assert!(said.contains("SOAP audit: clients speak secure sessions at any host, path /Ledger.svc/audit"), "{said}");
}

#[test]
fn sc_96_refused_combinations_name_both_attributes_and_the_line() {
    let import = Import::read(REAL).unwrap();
    let all = unsupported(&import);
    let line_of = |text: &str| 1 + REAL[..REAL.find(text).unwrap()].matches('\n').count();
    for (at, words) in [
        (line_of("<binding name=\"Contradiction\">") + 1, vec!["authenticationMode", "transferMode"]),
        (line_of("<reliableSession />"), vec!["ReliableCertificates", "reliable messaging"]),
        (
            line_of("contract=\"Contoso.Finance.IReports\" />\n      </service>"),
            vec!["clientCredentialType", "SspiNegotiated"],
        ),
        (line_of("<bindngs />"), vec!["slip"]),
    ] {
        let found = all.iter().any(|(line, text)| *line == at && words.iter().all(|word| text.contains(word)));
        assert!(found, "line {at} {words:?} in {all:#?}");
    }
}

#[test]
fn sc_14_names_that_nothing_has_are_refused() {
    for (parts, words) in [
        (
            "<services><service name='A'>\n<endpoint binding='wsHttpBinding' bindingConfiguration='x'/></service></services>",
            ["line 3", "<binding name=\"x\">"],
        ),
        ("<services><service name='A'>\n<endpoint address='a'/></service></services>", ["line 3", "no binding"]),
        (
            "<bindings><wsHttpBinding><binding><security><message clientCredentialType='UserName'/></security></binding></wsHttpBinding></bindings>\n\
             <services><service name='A' behaviorConfiguration='x'><endpoint binding='wsHttpBinding'/></service></services>",
            ["line 3", "behaviorConfiguration"],
        ),
        ("<services/>\n<services/>", ["line 3", "second time"]),
    ] {
        let problem = refusal(&model(parts));
        assert!(words.iter().all(|word| problem.contains(word)), "{problem}");
    }
}

#[test]
fn sc_14_an_endpoint_without_configuration_has_the_binding_without_a_name() {
    let unnamed = "<bindings><ws2007HttpBinding><binding><security><message clientCredentialType='UserName' \
        negotiateServiceCredential='false'/></security></binding></ws2007HttpBinding></bindings>";
    let service = "<services><service name='Shop.Orders'><endpoint address='http://localhost:8733/orders/' \
        binding='ws2007HttpBinding' contract='Shop.IOrders'/></service></services>";
    let import = Import::read(model(&format!("{unnamed}{service}"))).unwrap();
    let route = &load(&import).soap["orders"];
    assert_eq!((route.path.as_str(), route.address.as_ref()), ("/orders", None));
    assert!(route.listeners.is_empty());
    assert!(import.toml().contains("identity = \"orders.pem\"  # the file names no certificate"));
    // Without it, Windows credentials are what the binding means.
    let problem = refusal(&model(service));
    assert!(problem.contains("line 2: service/endpoint") && problem.contains("clientCredentialType"), "{problem}");
}

#[test]
fn sc_14_two_contracts_of_one_address_are_one_route_and_two_bindings_are_not() {
    let bindings = "<bindings><ws2007HttpBinding><binding name='a'><security><message clientCredentialType='UserName'/></security></binding>\
        <binding name='b'><security><message clientCredentialType='Certificate'/></security></binding>\
        <binding name='c'><security mode='TransportWithMessageCredential'><message clientCredentialType='Certificate'/></security></binding>\
        </ws2007HttpBinding></bindings>";
    let endpoint = |configuration: &str, contract: &str| {
        format!(
            "\n<endpoint address='' binding='ws2007HttpBinding' bindingConfiguration='{configuration}' contract='{contract}'/>"
        )
    };
    let endpoints =
        [endpoint("a", "IOne"), endpoint("a", "ITwo"), endpoint("b", "IThree"), endpoint("c", "IFour")].concat();
    let service = format!("<services><service name='Two.Faces'>{endpoints}</service></services>");
    let import = Import::read(model(&format!("{bindings}{service}"))).unwrap();
    let config = load(&import);
    assert_eq!(config.soap.keys().collect::<Vec<_>>(), ["faces", "faces-2"]);
    let paths =
        ["faces", "faces-2"].map(|name| (config.soap[name].path.as_str(), config.soap[name].listeners[0].as_str()));
    assert_eq!(paths, [("/Faces.svc", "public"), ("/Faces.svc", "tls")], "TLS is a listener of its own");
    let all = unsupported(&import);
    assert!(all.iter().any(|(line, why)| *line == 5 && why.contains("soap.faces (line 3)")), "{all:?}");
    assert!(import.report().steps().iter().any(|step| step.contains("soap.faces.path")));
}

#[test]
fn sc_14_a_certificate_in_the_file_is_written_beside_the_configuration() {
    let tls = rcgen::generate_simple_self_signed(["service".to_owned()]).unwrap();
    let encoded = handstamp_keys::Certificate::from_der(tls.cert.der()).unwrap().to_pem();
    let encoded: String = encoded.lines().filter(|line| !line.starts_with("-----")).collect::<Vec<_>>().join("\n");
    let client = |identity: &str| {
        model(&format!(
            "<bindings><wsHttpBinding><binding name='a'><security><message clientCredentialType='None'/></security></binding></wsHttpBinding></bindings>\
             <client><endpoint name='Ledger' address='http://ledger.example/' binding='wsHttpBinding' bindingConfiguration='a' \
             contract='ILedger'><identity>\n{identity}</identity></endpoint></client>"
        ))
    };
    let import = Import::read(client(&format!("<certificate encodedValue='{encoded}'/>"))).unwrap();
    let route = &load(&import).soap["ledger"];
    assert_eq!(route.peer_certificates, [Path::new("ledger-service.crt")]);
    let (_, written) = import.files().find(|(name, _)| *name == "ledger-service.crt").unwrap();
    assert_eq!(handstamp_keys::Certificate::read_all(written.as_bytes()).unwrap()[0].der(), &tls.cert.der()[..]);
    // What is no certificate is named; then a person saves it.
    let import = Import::read(client("<certificate encodedValue='AAAA'/><dns value='ledger'/>")).unwrap();
    assert!(unsupported(&import).iter().any(|(line, why)| *line == 3 && why.contains("no single certificate")));
    assert!(import.report().steps().iter().any(|step| step.contains("ledger-service.crt")));
    let config = load(&import);
    assert_eq!(config.listener["local"].address.to_string(), "127.0.0.1:8090");
}

/// As Windows' tools write it: every default written out, and the certificate as a store keeps it.
#[test]
fn sc_83_an_app_config_of_windows_tools_imports_without_a_word() {
    let tls = rcgen::generate_simple_self_signed(["service".to_owned()]).unwrap();
    let der = &tls.cert.der()[..];
    let property = |number: u32, value: &[u8]| {
        let length = u32::try_from(value.len()).unwrap();
        [&number.to_le_bytes()[..], &1_u32.to_le_bytes(), &length.to_le_bytes(), value].concat()
    };
    let serialized = [property(3, &[7; 20]), property(32, der)].concat();
    let encoded = base64_simd::STANDARD.encode_to_string(&serialized);
    let text = include_str!("wcf/app.config").replace("CERTIFICATE", &encoded);
    let import = Import::read(text).unwrap();
    assert_eq!(unsupported(&import), []);
    let config = load(&import);
    assert_eq!(config.soap.keys().collect::<Vec<_>>(), ["custom-binding-iledger", "ws2007-http-binding-iorders"]);
    let (_, written) = import.files().find(|(name, _)| *name == "custom-binding-iledger-service.crt").unwrap();
    assert_eq!(handstamp_keys::Certificate::read_all(written.as_bytes()).unwrap()[0].der(), der);
    let short = CustomBinding::parse(
        r#"<binding name="CustomBinding_ILedger">
             <security authenticationMode="SecureConversation" requireSecurityContextCancellation="false">
               <secureConversationBootstrap authenticationMode="UserNameForCertificate"/>
             </security><httpTransport/></binding>"#,
    );
    assert_eq!(binding(&import, "custom-binding-iledger.binding.xml"), short.unwrap());
    let orders = binding(&import, "ws2007-http-binding-iorders.binding.xml");
    assert_eq!(orders.security().session().unwrap().bootstrap.suite.name(), "Basic256Sha256");
    // What only looks like it is no certificate.
    for wrong in [&serialized[..serialized.len() - 1], &property(32, b"no certificate"), &[3, 0, 0, 0]] {
        let encoded = base64_simd::STANDARD.encode_to_string(wrong);
        let text = include_str!("wcf/app.config").replace("CERTIFICATE", &encoded);
        assert!(unsupported(&Import::read(text).unwrap())[0].1.contains("no single certificate"));
    }
}

#[test]
fn sc_14_8_tokens_come_from_the_token_service_and_are_believed_by_its_certificates() {
    let bindings = |issuer: &str| {
        format!(
            "<bindings><ws2007FederationHttpBinding><binding name='f'><security><message negotiateServiceCredential='false'>\n\
             <issuer address='{issuer}'/></message></security></binding></ws2007FederationHttpBinding></bindings>"
        )
    };
    let services = "<behaviors><serviceBehaviors><behavior><serviceCredentials>\
        <issuedTokenAuthentication audienceUriMode='Never' certificateValidationMode='PeerTrust'>\
        <knownCertificates><add findValue='CN=sts one'/><add findValue='CN=sts two' storeName='TrustedPeople'/></knownCertificates>\
        <allowedAudienceUris><add allowedAudienceUri='urn:orders'/></allowedAudienceUris></issuedTokenAuthentication>\
        </serviceCredentials></behavior></serviceBehaviors></behaviors>\
        <services><service name='Shop.Orders'><endpoint address='http://shop.example/orders' \
        binding='ws2007FederationHttpBinding' bindingConfiguration='f' contract='Shop.IOrders'/></service></services>";
    let import = Import::read(model(&format!("{}{services}", bindings("http://sts.example/")))).unwrap();
    let config = load(&import);
    let orders = &config.soap["orders"];
    assert_eq!(
        (orders.issuers.as_slice(), orders.audiences.as_slice()),
        (&["sts".to_owned()][..], &["urn:orders".to_owned()][..])
    );
    assert_eq!(orders.identity.as_deref(), Some(Path::new("orders.pem")), "keys of tokens are encrypted for it");
    assert_eq!(config.issuer["sts"].certificates, [Path::new("sts-one.crt"), Path::new("sts-two.crt")]);
    let all = unsupported(&import);
    assert!(all.iter().any(|(line, why)| *line == 3 && why.contains("audienceUriMode Never")), "{all:?}");

    let client = "<client><endpoint address='http://shop.example/orders' binding='ws2007FederationHttpBinding' \
        bindingConfiguration='f' contract='Shop.IOrders'/></client>";
    let adfs = "https://sts.example/adfs/services/trust/13/windowsmixed";
    let import = Import::read(model(&format!("{}{client}", bindings(adfs)))).unwrap();
    let orders = &load(&import).soap["orders"];
    let service = orders.token_service.as_ref().unwrap();
    let url = service.url.servers().first().unwrap().url.as_str().to_owned();
    assert_eq!(
        (url.as_str(), orders.callers),
        ("https://sts.example/adfs/services/trust/13/usernamemixed", SoapCallers::Basic)
    );
    assert!(unsupported(&import).iter().any(|(_, why)| why.contains("windowsmixed")));
    let problem = refusal(&model(&format!("{}{client}", bindings("http://sts.example/"))));
    assert!(problem.contains("line 3") && problem.contains("https"), "{problem}");
}

#[test]
fn sc_14_what_is_no_binding_is_none() {
    let text = model(
        "<bindings><ws2007HttpBinding>\n<clear/><binding><security><message clientCredentialType='UserName'/></security></binding>\
         </ws2007HttpBinding></bindings><behaviors><serviceBehaviors>\n<remove name='a'/></serviceBehaviors></behaviors>\
         <services><service name='A.B'><endpoint binding='ws2007HttpBinding'/></service></services>",
    );
    let import = Import::read(text).unwrap();
    let lines: Vec<usize> = unsupported(&import).iter().map(|(line, _)| *line).collect();
    assert_eq!((load(&import).soap.len(), lines), (1, vec![3, 4]));
}

#[test]
fn sc_14_parts_that_are_kept_elsewhere_are_named() {
    let text = model("\n<bindings configSource='bindings.config'/><services><service name='A'/></services>");
    let problem = refusal(&text);
    assert!(problem.contains("line 3") && problem.contains("bindings.config"), "{problem}");
}

#[test]
fn a_file_of_both_becomes_a_relying_party_and_routes() {
    let wif = include_str!("web.config");
    let model = REAL.split("<system.serviceModel>").nth(1).unwrap().split("</system.serviceModel>").next().unwrap();
    let both =
        wif.replace("</configuration>", &format!("<system.serviceModel>{model}</system.serviceModel></configuration>"));
    let config = load(&Import::read(both).unwrap());
    assert_eq!((config.federation.len(), config.soap.len()), (1, 6));
    assert_eq!(config.soap["report-service"].issuers, ["sts"]);
    assert!(config.issuer["sts"].metadata.is_none(), "the thumbprints of the web application's issuer hold");
}

/// Whatever is broken, the answer is a configuration that the loader accepts, or a refusal.
#[test]
fn every_cut_and_many_changes_of_a_real_file_are_survived() {
    for at in (0..REAL.len()).step_by(97) {
        for byte in [b'<', b'"', b' ', b'x'] {
            let mut changed = REAL.as_bytes().to_vec();
            changed[at] = byte;
            if let Ok(import) = Import::read(changed) {
                assert!(Config::parse(import.toml(), Path::new("x")).is_ok(), "octet {at}");
            }
        }
        assert!(Import::read(&REAL.as_bytes()[..at]).is_err(), "cut at {at}");
    }
}
