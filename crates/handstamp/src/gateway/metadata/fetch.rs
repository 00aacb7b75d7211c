//! Getting a document from where it is published.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use handstamp_keys::tls::ClientSettings;
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::Error;
use crate::config::HttpUrl;

/// A client for one address. It follows no redirects: where metadata is from is what makes it credible.
pub(super) struct Fetcher {
    url: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Fetcher {
    /// # Errors
    /// Authorities that cannot be read.
    pub(super) fn new(place: &str, url: &HttpUrl, authorities: &[PathBuf]) -> Result<Self, Error> {
        let setup = |code, problem: String| Error::Setup { code, message: format!("{place}: {problem}") };
        let address = url.as_str().parse().map_err(|error| setup("HST-CONFIG-VALUE", format!("{error}")))?;
        let builder = if url.is_https() {
            let tls = ClientSettings { authorities: authorities.to_vec(), identity: None };
            let tls = tls.config(&[]).map_err(|error| setup(error.code(), error.to_string()))?;
            HttpsConnectorBuilder::new().with_tls_config((*tls).clone()).https_only()
        } else {
            let none = rustls::RootCertStore::empty();
            let tls = rustls::ClientConfig::builder_with_provider(handstamp_keys::tls::provider())
                .with_safe_default_protocol_versions()
                .map_err(|error| setup("HST-CONFIG-VALUE", error.to_string()))?
                .with_root_certificates(none)
                .with_no_client_auth();
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http()
        };
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(builder.enable_http1().build());
        Ok(Self { url: address, client })
    }

    /// The document.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) async fn fetch(&self) -> Result<Bytes, String> {
        match tokio::time::timeout(PATIENCE, self.get()).await {
            Ok(result) => result,
            Err(_) => Err(format!("{} did not answer within {} s", self.url, PATIENCE.as_secs())),
        }
    }

    async fn get(&self) -> Result<Bytes, String> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.url.clone();
        let accept = http::HeaderValue::from_static(
            "application/samlmetadata+xml, application/jwk-set+json, application/xml, text/xml, */*;q=0.1",
        );
        request.headers_mut().insert(http::header::ACCEPT, accept);
        let response = self.client.request(request).await.map_err(|error| explained(&error))?;
        let status = response.status();
        if status.is_redirection() {
            let to =
                response.headers().get(http::header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
            return Err(format!("{} redirects to {to:?}: configure the final address", self.url));
        }
        if !status.is_success() {
            return Err(format!("{} answered {status}", self.url));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        Ok(body.map_err(|error| format!("{}: {error}", self.url))?.to_bytes())
    }
}

/// The reasons lie deep.
fn explained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

const PATIENCE: Duration = Duration::from_secs(10);
/// Metadata of one issuer is some ten kilobytes, and keys are less.
const MAX_BYTES: usize = 1 << 20;
