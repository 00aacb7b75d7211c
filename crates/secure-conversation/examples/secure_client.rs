//! Calls the ledger of `secure_service`, which has to run in the same folder (its certificate is read from there).
//!
//! ```sh
//! cargo run -p handstamp-secure-conversation --features http --example secure_client -- Balance
//! cargo run -p handstamp-secure-conversation --features http --example secure_client -- Deposit 20
//! cargo run -p handstamp-secure-conversation --features http --example secure_client -- watch
//! ```
//!
//! `watch` asks for the balance once a second in one session: kill the service meanwhile, and start it again.
#![allow(clippy::print_stdout, reason = "an example speaks to people")]

use bytes::Bytes;
use handstamp_keys::Certificate;
use handstamp_secure_conversation::SecureConversationClient;
use handstamp_secure_conversation::http::{CallError, SecureSession};
use handstamp_ws_security::{Body, MessageSecurityVersion, SecurityBinding, UserNameCredential};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const ADDRESS: &str = "http://127.0.0.1:8088/";
const NAMESPACE: &str = "urn:example:ledger";

/// The HTTP client under the session.
pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let operation = arguments.next().unwrap_or_else(|| "Balance".to_owned());
    let amount = arguments.next().unwrap_or_default();
    let session = session(ADDRESS, Path::new("secure-service"))?;
    if operation != "watch" {
        println!("{}", call(&session, &operation, &amount).await?);
        return Ok(session.close().await?);
    }
    loop {
        match call(&session, "Balance", "").await {
            Ok(balance) => {
                let context = session.with_client(|client| client.context_id().map(str::to_owned)).unwrap_or_default();
                println!("balance {balance} in session {context}");
            }
            Err(CallError::Http(_)) => println!("the service does not answer"),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A session with the service at an address, whose certificate is in `folder`. It is obtained with the first call.
pub(crate) fn session(address: &str, folder: &Path) -> Result<SecureSession<Http>, Box<dyn Error>> {
    let version = MessageSecurityVersion::WSS11_13_BSP;
    let bootstrap = SecurityBinding::user_name_for_certificate(version)?;
    let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
    if let Some(session) = binding.session_mut() {
        // As the service has it: sessions are cookies.
        session.require_cancellation = false;
    }
    let certificate = Certificate::read_all(&std::fs::read(folder.join("certificate.pem"))?)?;
    let certificate = certificate.into_iter().next().ok_or("certificate.pem holds no certificate")?;
    let client = SecureConversationClient::builder(binding, address)
        .service_certificate(certificate)
        .user_name(UserNameCredential::new("alice", "secret"))
        .build()?;
    Ok(SecureSession::new(client, Client::builder(TokioExecutor::new()).build_http())?)
}

/// One operation, and what it answers.
pub(crate) async fn call(session: &SecureSession<Http>, operation: &str, content: &str) -> Result<String, CallError> {
    let body = Body::from_xml(format!("<{operation} xmlns='{NAMESPACE}'>{content}</{operation}>"));
    let body = body.map_err(handstamp_secure_conversation::Error::from)?;
    let answer = session.call(&format!("{NAMESPACE}/{operation}"), body).await?;
    Ok(answer.body().map(|body| body.text().into_owned()).unwrap_or_default())
}
