//! TLS in front of the gateway and behind it, with HTTP/1.1 and HTTP/2.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use handstamp_keys::tls::{ClientCertificates, ClientSettings, ServerSettings, TlsIdentity};
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::support::{Application, Running, status};

/// A certificate that vouches for itself, and its key, in one file.
pub(crate) fn certificate(folder: &Path, file: &str, name: &str) -> PathBuf {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let path = folder.join(file);
    write_private(&path, &format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem()));
    path
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("private");
}

/// A client that believes only `authority`.
pub(crate) fn client(authority: &Path) -> ClientSettings {
    ClientSettings { authorities: vec![authority.to_owned()], identity: None }
}

pub(crate) async fn connect(
    address: SocketAddr,
    name: &str,
    settings: &ClientSettings,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(settings.config(alpn).expect("client settings"));
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    connector.connect(name, TcpStream::connect(address).await?).await
}

/// A GET for `shop.example`, in the protocol that was agreed on.
async fn get(stream: TlsStream<TcpStream>) -> Result<Response<Bytes>, hyper::Error> {
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let request = |uri: &str| Request::get(uri).header("host", "shop.example").body(Empty::<Bytes>::new());
    let response = if http2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = request("https://shop.example/orders").expect("a request");
        request.headers_mut().clear();
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        sender.send_request(request("/orders").expect("a request")).await?
    };
    let (head, body) = response.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

/// A gateway with the certificate of `shop.example` on its listener, and further lines in the listener's table.
pub(crate) fn toml(application: SocketAddr, certificate: &Path, tls: &str, route: &str) -> String {
    let pem = certificate.display();
    format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        [listener.public.tls]
        {tls}
        [listener.public.tls.certificate.shop]
        chain = "{pem}"
        key = "{pem}"
        [web.app]
        upstream = "http://{application}"
        {route}
        "#
    )
}

#[tokio::test]
async fn http2_is_spoken_with_those_who_offer_it_and_the_application_learns_of_tls() {
    let (folder, application) = (TempDir::new().expect("a folder"), Application::hello().await);
    let shop = certificate(folder.path(), "shop.pem", "shop.example");
    let gateway = Running::from_toml(&toml(application.address, &shop, "hsts = \"1d\"", "")).await;
    for (alpn, version) in
        [(&["h2", "http/1.1"][..], Version::HTTP_2), (&["http/1.1"], Version::HTTP_11), (&[], Version::HTTP_11)]
    {
        let stream = connect(gateway.address, "shop.example", &client(&shop), alpn).await.expect("a handshake");
        let answer = get(stream).await.expect("an answer");
        assert_eq!((answer.version(), answer.body().as_ref()), (version, &b"hello"[..]), "{answer:?}");
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=86400");
        let request = &application.received()[0];
        assert_eq!(request.headers()["x-forwarded-proto"], "https");
        assert_eq!((request.headers()["host"].as_bytes(), request.uri().path()), (&b"shop.example"[..], "/orders"));
    }
    assert!(!gateway.get("/", "").await.contains("HTTP"), "nothing is answered without TLS");
}

/// RFC 9113, 8.2.3: browsers cut `Cookie` into its pairs there.
#[tokio::test]
async fn pieces_of_cookies_are_one_header_line() {
    let (folder, application) = (TempDir::new().expect("a folder"), Application::hello().await);
    let shop = certificate(folder.path(), "shop.pem", "shop.example");
    let gateway = Running::from_toml(&toml(application.address, &shop, "", "")).await;
    let stream = connect(gateway.address, "shop.example", &client(&shop), &["h2"]).await.expect("a handshake");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    for (name, status) in [("cookie", 200), ("x-more", 431)] {
        let request = Request::get("https://shop.example/");
        let request = (0..150).fold(request, |request, number| request.header(name, format!("a{number}=1")));
        let answer = sender.send_request(request.body(Empty::<Bytes>::new()).expect("a request")).await;
        assert_eq!(answer.expect("an answer").status(), status, "{name}");
    }
    assert_eq!(application.received()[0].headers().get_all("cookie").iter().count(), 1);
}

#[tokio::test]
async fn the_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let (folder, application) = (TempDir::new().expect("a folder"), Application::hello().await);
    let shop = certificate(folder.path(), "shop.pem", "shop.example");
    let api = certificate(folder.path(), "api.pem", "api.example");
    let more = format!(
        "default = \"shop\"\n[listener.public.tls.certificate.api]\nchain = \"{0}\"\nkey = \"{0}\"",
        api.display()
    );
    let gateway = Running::from_toml(&toml(application.address, &shop, &more, "")).await;
    for (name, authority, accepted) in
        [("shop.example", &shop, true), ("api.example", &api, true), ("api.example", &shop, false)]
    {
        let connected = connect(gateway.address, name, &client(authority), &[]).await;
        assert_eq!(connected.is_ok(), accepted, "{name} {}", authority.display());
    }
    // Somebody who asks for a name that nobody has gets the default, and finds that it is another's.
    let refused = connect(gateway.address, "other.example", &client(&shop), &[]).await.expect_err("another name");
    assert!(format!("{refused:?}").contains("NotValidForName"), "{refused:?}");
}

#[tokio::test]
async fn a_clients_certificate_reaches_the_application_only_when_it_was_proven() {
    let (folder, application) = (TempDir::new().expect("a folder"), Application::hello().await);
    let shop = certificate(folder.path(), "shop.pem", "shop.example");
    let alice = certificate(folder.path(), "alice.pem", "alice.example");
    let tls = format!("client_certificates = \"optional\"\nclient_authorities = [\"{}\"]", alice.display());
    let route = "pass_client_certificate = true";
    let gateway = Running::from_toml(&toml(application.address, &shop, &tls, route)).await;

    let nobody = connect(gateway.address, "shop.example", &client(&shop), &[]).await.expect("a handshake");
    get(nobody).await.expect("an answer");
    assert!(!application.received()[0].headers().contains_key("client-cert"));

    let identity = Some(TlsIdentity::read(&alice, &alice).expect("an identity"));
    let known = ClientSettings { identity, ..client(&shop) };
    let known = connect(gateway.address, "shop.example", &known, &[]).await.expect("a handshake");
    get(known).await.expect("an answer");
    let shown = application.received()[0].headers()["client-cert"].to_str().expect("text").to_owned();
    assert!(shown.starts_with(":MII") && shown.ends_with(':'), "{shown}");

    let mallory = certificate(folder.path(), "mallory.pem", "mallory.example");
    let identity = Some(TlsIdentity::read(&mallory, &mallory).expect("an identity"));
    let unknown = ClientSettings { identity, ..client(&shop) };
    // With TLS 1.3 the client learns of it when it reads.
    let answer = match connect(gateway.address, "shop.example", &unknown, &[]).await {
        Ok(stream) => get(stream).await.ok(),
        Err(_) => None,
    };
    assert!(answer.is_none() && application.received().is_empty());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let (folder, application) = (TempDir::new().expect("a folder"), Application::hello().await);
    let shop = certificate(folder.path(), "shop.pem", "shop.example");
    let old = folder.path().join("old.pem");
    std::fs::copy(&shop, &old).expect("copied");
    let gateway = Running::from_toml(&toml(application.address, &shop, "", "")).await;
    let accepts =
        async |authority: &Path| connect(gateway.address, "shop.example", &client(authority), &[]).await.is_ok();
    let look_again = async || {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(11)).await;
        tokio::time::resume();
        tokio::task::yield_now().await;
    };
    assert!(accepts(&old).await);

    write_private(&shop, "half a file");
    look_again().await;
    assert!(accepts(&old).await, "the old certificate stays");

    certificate(folder.path(), "shop.pem", "shop.example");
    for _ in 0..100 {
        look_again().await;
        if accepts(&shop).await {
            break;
        }
    }
    assert!(accepts(&shop).await && !accepts(&old).await, "the new certificate is shown");
}

#[tokio::test]
async fn a_listener_beside_it_sends_people_to_https() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "redirect_to_https = true\nhttps_port = 8443", "", "").await;
    let answer = gateway.get("/orders?id=7", "").await;
    assert_eq!(status(&answer), 308, "{answer}");
    assert!(answer.to_ascii_lowercase().contains("location: https://shop.example:8443/orders?id=7\r\n"), "{answer}");
    assert!(application.received().is_empty());
}

/// An application that speaks TLS, and tells which HTTP it was asked in, and with which `TE`.
async fn secure_application(identity: &Path, alpn: &[&str]) -> SocketAddr {
    let identities = vec![TlsIdentity::read(identity, identity).expect("an identity")];
    let settings = ServerSettings { identities, client_certificates: ClientCertificates::Off };
    let acceptor = TlsAcceptor::from(settings.config(alpn).expect("server settings"));
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(async |request: Request<Incoming>| {
                    let text = format!("{:?} {}", request.version(), request.uri().path());
                    let te = request.headers().get("te").cloned();
                    let mut response = Response::new(Full::new(Bytes::from(text)));
                    response.headers_mut().extend(te.map(|te| (http::HeaderName::from_static("x-te"), te)));
                    Ok::<_, hyper::Error>(response)
                });
                let served = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
                drop(served);
            });
        }
    });
    address
}

#[tokio::test]
async fn the_way_to_the_application_is_protected_too() {
    let folder = TempDir::new().expect("a folder");
    let app = certificate(folder.path(), "app.pem", "app.internal");
    let other = certificate(folder.path(), "other.pem", "app.internal");
    let address = secure_application(&app, &["h2", "http/1.1"]).await;
    let gateway = async |protocol: &str, authority: &Arc<Path>, name: &str| {
        Running::from_toml(&format!(
            r#"
            [listener.public]
            address = "127.0.0.1:0"
            [web.app]
            upstream = "https://{address}"
            upstream_protocol = "{protocol}"
            [web.app.upstream_tls]
            authorities = ["{}"]
            server_name = "{name}"
            "#,
            authority.display()
        ))
        .await
    };
    let (app, other): (Arc<Path>, Arc<Path>) = (app.into(), other.into());
    for (protocol, version) in [("auto", "HTTP/2.0"), ("http2", "HTTP/2.0"), ("http1", "HTTP/1.1")] {
        let gateway = gateway(protocol, &app, "app.internal").await;
        let answer = gateway.get("/orders", "").await;
        assert!(answer.ends_with(&format!("{version} /orders")), "{protocol}: {answer}");
        // RFC 9113, 8.2.2: nothing else may be in it there, and gRPC wants it.
        for (sent, passes) in [("trailers", version == "HTTP/2.0"), ("trailers, gzip", false), ("gzip", false)] {
            let answer = gateway.get("/orders", &format!("TE: {sent}\r\nConnection: te\r\n")).await;
            assert_eq!(answer.contains("x-te: trailers\r\n"), passes, "{protocol} {sent}: {answer}");
            assert_eq!(answer.contains("x-te"), passes, "{protocol} {sent}: {answer}");
        }
    }
    for (authority, name) in [(&other, "app.internal"), (&app, "elsewhere.internal")] {
        let answer = gateway("auto", authority, name).await.get("/", "").await;
        assert_eq!(status(&answer), 502, "{answer}");
        assert!(answer.contains("HST-GATEWAY-CONNECT"), "{answer}");
    }
}
