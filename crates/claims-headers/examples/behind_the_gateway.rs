//! An axum application behind the gateway, which believes signed tokens only.
//!
//! ```text
//! curl http://127.0.0.1:8080/.well-known/handstamp/jwks.json > jwks.json
//! cargo run -p handstamp-claims-headers --example behind_the_gateway -- jwks.json
//! ```
//!
//! with this at the gateway:
//!
//! ```toml
//! [jwt]
//! issuer = "https://shop.example"
//!
//! [web.shop]
//! upstream = "http://127.0.0.1:3000"
//! sign_in = "required"
//! jwt_header = "X-Jwt"
//! jwt_audience = "shop"
//! ```

use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use handstamp_claims_headers::{Caller, GatewayClaims, SignedClaims};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("say which file holds the gateway's keys")?;
    let app = application(&std::fs::read_to_string(file)?)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    eprintln!("listening on 127.0.0.1:3000");
    axum::serve(listener, app).await?;
    Ok(())
}

fn application(published_keys: &str) -> Result<Router, Box<dyn Error>> {
    let claims = SignedClaims::new("x-jwt".parse()?, "https://shop.example", "shop", published_keys)?;
    Ok(Router::new().route("/", get(home)).route("/orders", get(orders)).with_state(GatewayClaims::from(claims)))
}

/// For everybody.
async fn home(caller: Option<Caller>) -> String {
    match caller {
        Some(Caller(principal)) => format!("Hello {}", principal.name().unwrap_or("stranger")),
        None => "Hello whoever you are".to_owned(),
    }
}

/// For those whom the gateway knows, and who have the role.
async fn orders(Caller(principal): Caller) -> Result<String, StatusCode> {
    if !principal.is_in_role("sales") {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok("Number 7".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::Request;
    use handstamp_claims::claim_types;
    use handstamp_keys::jose::{JwkSet, JwsSigner};
    use handstamp_keys::{Curve, KeyKind, SigningIdentity, SystemRandom};
    use handstamp_time::{Clock, SystemClock};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn the_application_knows_whom_the_gateway_vouches_for() {
        // The gateway's part.
        let now = SystemClock.now();
        let day = Duration::from_secs(86_400);
        let gateway =
            SigningIdentity::self_signed("JWT", KeyKind::Ec(Curve::P256), now, now.saturating_add(day), &SystemRandom);
        let signer = JwsSigner::new(gateway.unwrap().key().clone());
        let token = |role: &str| {
            let (issued, expires) = (now.unix_seconds(), now.unix_seconds() + 300);
            let (name_type, role_type) = (claim_types::NAME, claim_types::ROLE);
            let statement = format!(
                r#"{{"iss":"https://shop.example","aud":"shop","iat":{issued},"exp":{expires},
                "claims":{{"{name_type}":"Ada","{role_type}":["staff","{role}"]}}}}"#
            );
            signer.sign("JWT", statement.as_bytes()).unwrap()
        };
        let app = application(&JwkSet::new([signer.public_key()]).to_json()).unwrap();
        let ask = async |path: &str, token: Option<String>| {
            let mut request = Request::get(path);
            if let Some(token) = token {
                request = request.header("X-Jwt", token);
            }
            let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };

        assert_eq!(ask("/", Some(token("sales"))).await, (200, "Hello Ada".to_owned()));
        assert_eq!(ask("/orders", Some(token("sales"))).await, (200, "Number 7".to_owned()));
        assert_eq!(ask("/orders", Some(token("guest"))).await.0, 403);
        assert_eq!(ask("/", None).await, (200, "Hello whoever you are".to_owned()));
        assert_eq!(ask("/orders", None).await.0, 401);
        assert_eq!(ask("/", Some("forged".to_owned())).await.0, 401, "better nobody than anybody");
    }
}
