//! An issuer of OpenID Connect that lets everybody in as the same user: for programs that have to be signed in to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use handstamp_keys::jose::{JwkSet, JwsSigner};
use handstamp_keys::{Curve, KeyKind, SigningIdentity, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

/// Serves until the program ends.
pub(crate) struct Issuer {
    address: SocketAddr,
}

/// Who it is for.
pub(crate) const CLIENT: &str = "bench";

impl Issuer {
    pub(crate) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let now = SystemClock.now();
        let identity = SigningIdentity::self_signed(
            "Bench",
            KeyKind::Ec(Curve::P256),
            now,
            now.saturating_add(DAY),
            &SystemRandom,
        );
        let issuer = Arc::new(Service {
            url: format!("http://{address}"),
            signer: JwsSigner::new(identity.expect("a key").key().clone()),
            nonce: Mutex::default(),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let issuer = Arc::clone(&issuer);
                let service = service_fn(move |request: Request<Incoming>| {
                    let response = issuer.answer(&request);
                    async move { Ok::<_, std::convert::Infallible>(response) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

struct Service {
    url: String,
    signer: JwsSigner,
    /// Of the sign-in that is under way.
    nonce: Mutex<Option<String>>,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Service {
    fn answer(&self, request: &Request<Incoming>) -> Response<String> {
        match request.uri().path() {
            "/.well-known/openid-configuration" => self.configuration(),
            "/authorize" => self.authorize(request.uri().query().unwrap_or_default()),
            "/token" => self.token(),
            "/keys" => json_response(&JwkSet::new([self.signer.public_key()]).to_json()),
            other => panic!("nobody asks an issuer for {other}"),
        }
    }

    fn configuration(&self) -> Response<String> {
        let url = &self.url;
        let configuration = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        json_response(&configuration.to_string())
    }

    /// Nobody is asked anything: the browser goes back at once.
    fn authorize(&self, query: &str) -> Response<String> {
        let find = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.into_owned())
        };
        *self.nonce.lock().expect("no panic") = find("nonce");
        let back = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", "code")
            .append_pair("state", &find("state").expect("a state"))
            .finish();
        let location = format!("{}?{back}", find("redirect_uri").expect("an address to return to"));
        Response::builder().status(302).header("location", location).body(String::new()).expect("a response")
    }

    fn token(&self) -> Response<String> {
        let now = SystemClock.now();
        let mut claims = json!({
            "iss": self.url,
            "aud": CLIENT,
            "sub": "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6",
            "iat": now.unix_seconds(),
            "exp": now.saturating_add(DAY).unix_seconds(),
            "name": "alice",
            "email": "alice@example.com",
            "email_verified": true,
            "upn": "alice@corp.example.com",
            "given_name": "Alice",
            "family_name": "Example",
            "groups": ["role0", "role1", "role2", "role3"],
        });
        if let Some(nonce) = &*self.nonce.lock().expect("no panic") {
            claims["nonce"] = json!(nonce);
        }
        let id_token = self.signer.sign("JWT", claims.to_string().as_bytes()).expect("signed");
        let tokens = json!({
            "token_type": "Bearer",
            "expires_in": DAY.as_secs(),
            "access_token": "dGhpcyBpcyBub3QgYW4gYWNjZXNzIHRva2VuIGF0IGFsbA",
            "id_token": id_token,
        });
        json_response(&tokens.to_string())
    }
}

fn json_response(text: &str) -> Response<String> {
    Response::builder().header("content-type", "application/json").body(text.to_owned()).expect("a response")
}
