//! A plain ledger, a gateway that ends sessions before it, and one that begins them.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use handstamp::sts::{AccountStore, NewAccount, PasswordCost, PasswordHasher, PasswordText, UserName};
use handstamp_keys::{KeyKind, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use http::{Request, Response, StatusCode};
use tempfile::TempDir;

use crate::support::{Application, Running};

pub(crate) const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(crate) const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// Files of both gateways.
pub(crate) struct Setting {
    pub(crate) folder: TempDir,
}

/// What protects the name and the password with which a session is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bootstrap {
    Certificate,
    Transport,
    Negotiated,
}

impl Setting {
    /// Keys, certificates, and the accounts of ada and bob.
    pub(crate) async fn new(bootstrap: Bootstrap, stateful: bool) -> Self {
        let folder = TempDir::new().expect("a folder");
        let at = |file: &str| folder.path().join(file);
        let now = SystemClock.now();
        let policy = RotationPolicy::for_lifetime(Duration::from_secs(10 * 3600));
        KeyRing::init(&at("handstamp-keys.json"), policy, now, &SystemRandom).expect("a ring");
        let (from, to) =
            (now.saturating_sub(Duration::from_secs(60)), now.saturating_add(Duration::from_secs(864_000)));
        let kind = KeyKind::Rsa { bits: 2048 };
        let identity = SigningIdentity::self_signed("ledger", kind, from, to, &SystemRandom).expect("an identity");
        identity.create(&at("ledger.pem")).expect("written");
        fs::write(at("ledger.crt"), identity.certificate().to_pem()).expect("written");
        let tls = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        fs::write(at("tls.crt"), tls.cert.pem()).expect("written");
        write_private(&at("tls.pem"), &format!("{}{}", tls.cert.pem(), tls.signing_key.serialize_pem()));
        write_private(&at("password"), "secret of ada\n");
        fs::write(at("binding.xml"), binding(bootstrap, stateful)).expect("written");
        let accounts = AccountStore::open(&at("accounts.db")).expect("accounts");
        let hasher = PasswordHasher::new(PasswordCost { memory: 64, passes: 1 }, &SystemRandom).expect("a hasher");
        for name in ["ada", "bob"] {
            let password = PasswordText::new(format!("secret of {name}"));
            let account = NewAccount {
                user_name: UserName::parse(name).expect("a name"),
                subject: format!("subject-{name}"),
                password_hash: hasher.hash(password, &SystemRandom).await.expect("hashed"),
                claims: vec![("urn:department".to_owned(), "books".to_owned())],
            };
            accounts.create(&account, now).expect("an account");
        }
        Self { folder }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// A gateway before `service`, whose clients speak secure sessions.
    pub(crate) async fn terminate(&self, service: SocketAddr, listener: &str, route: &str) -> Running {
        self.write_terminate(service, listener, route);
        Running::from_file(&self.path("terminate.toml")).await
    }

    /// Its configuration alone.
    pub(crate) fn write_terminate(&self, service: SocketAddr, listener: &str, route: &str) {
        let toml = format!(
            r#"
            [listener.public]
            address = "127.0.0.1:0"
            {listener}
            [soap.ledger]
            mode = "terminate"
            path = "/ledger"
            upstream = "http://{service}/inside"
            binding = "binding.xml"
            identity = "ledger.pem"
            accounts = "accounts.db"
            {route}
            "#
        );
        fs::write(self.path("terminate.toml"), toml).expect("written");
    }

    /// The same with TLS.
    pub(crate) async fn terminate_over_tls(&self, service: SocketAddr, route: &str) -> Running {
        let listener = "[listener.public.tls.certificate.own]\nchain = \"tls.pem\"\nkey = \"tls.pem\"";
        self.terminate(service, listener, route).await
    }

    /// A gateway that calls the service at `url`, for plain programs.
    pub(crate) async fn initiate(&self, url: &str, route: &str) -> Running {
        self.write_initiate(&format!("\"{url}\""), route);
        Running::from_file(&self.path("initiate.toml")).await
    }

    /// Its configuration alone; `servers` is TOML.
    pub(crate) fn write_initiate(&self, servers: &str, route: &str) {
        let tls = if servers.contains("https") { "upstream_tls = { authorities = [\"tls.crt\"] }" } else { "" };
        let toml = format!(
            r#"
            [listener.public]
            address = "127.0.0.1:0"
            [soap.ledger]
            mode = "initiate"
            upstream = {servers}
            binding = "binding.xml"
            peer_certificates = ["ledger.crt"]
            {tls}
            {route}
            "#
        );
        fs::write(self.path("initiate.toml"), toml).expect("written");
    }
}

/// The name and the password of the route itself.
pub(crate) const AS_ADA: &str = "user = \"ada\"\npassword_file = \"password\"";

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("private");
}

fn binding(bootstrap: Bootstrap, stateful: bool) -> String {
    let (mode, transport) = match bootstrap {
        Bootstrap::Certificate => ("UserNameForCertificate", "httpTransport"),
        Bootstrap::Transport => ("UserNameOverTransport", "httpsTransport"),
        Bootstrap::Negotiated => ("UserNameForSslNegotiated", "httpTransport"),
    };
    format!(
        r#"<customBinding><binding name="ledger">
             <security authenticationMode="SecureConversation" requireSecurityContextCancellation="{}">
               <secureConversationBootstrap authenticationMode="{mode}"/>
             </security>
             <textMessageEncoding/>
             <{transport}/>
           </binding></customBinding>"#,
        !stateful
    )
}

/// A service that knows nothing of security: `Balance` is answered, `Fail` fails with details, `Note` is one-way.
pub(crate) async fn plain_ledger() -> Application {
    Application::answering(serve).await
}

fn serve(request: &Request<Bytes>) -> Response<String> {
    let text = String::from_utf8_lossy(request.body());
    let (namespace, media) = if text.contains(SOAP_11) {
        (SOAP_11, "text/xml; charset=utf-8")
    } else {
        (SOAP_12, "application/soap+xml; charset=utf-8")
    };
    let mut response = Response::new(String::new());
    let content = if text.contains("Note") {
        *response.status_mut() = StatusCode::ACCEPTED;
        return response;
    } else if text.contains("Fail") {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        if namespace == SOAP_11 {
            "<e:Fault><faultcode>e:Client</faultcode><faultstring>too much</faultstring>\
             <detail><Limit xmlns=\"urn:ledger\">5</Limit></detail></e:Fault>"
        } else {
            "<e:Fault><e:Code><e:Value>e:Sender</e:Value></e:Code><e:Reason><e:Text xml:lang=\"en\">too much</e:Text>\
             </e:Reason><e:Detail><Limit xmlns=\"urn:ledger\">5</Limit></e:Detail></e:Fault>"
        }
    } else if text.contains("Large") {
        &format!("<LargeResponse xmlns=\"urn:ledger\">{}</LargeResponse>", "large ".repeat(500))
    } else {
        "<BalanceResponse xmlns=\"urn:ledger\">42</BalanceResponse>"
    };
    response.headers_mut().insert("content-type", media.parse().expect("a value"));
    *response.body_mut() = format!(
        "<e:Envelope xmlns:e=\"{namespace}\"><e:Header><Served xmlns=\"urn:ledger\">yes</Served></e:Header>\
         <e:Body>{content}</e:Body></e:Envelope>"
    );
    response
}

/// A plain request, with further header lines, each ended by `\r\n`.
pub(crate) fn request(soap: &str, operation: &str, lines: &str) -> String {
    let body = format!(
        "<e:Envelope xmlns:e=\"{soap}\"><e:Header><Trace xmlns=\"urn:trace\">7</Trace></e:Header>\
         <e:Body><l:{operation} xmlns:l=\"urn:ledger\" xmlns:t=\"urn:types\" \
         xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:type=\"t:Kind\">1</l:{operation}></e:Body></e:Envelope>"
    );
    let media = if soap == SOAP_11 {
        format!("text/xml; charset=utf-8\r\nSOAPAction: \"urn:ledger/{operation}\"")
    } else {
        format!("application/soap+xml; charset=utf-8; action=\"urn:ledger/{operation}\"")
    };
    format!(
        "POST /ledger HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {media}\r\nContent-Length: {}\r\n{lines}\r\n{body}",
        body.len()
    )
}
