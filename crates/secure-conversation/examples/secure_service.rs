//! A ledger behind secure conversations. Run it, then run `secure_client` in another terminal:
//!
//! ```sh
//! cargo run -p handstamp-secure-conversation --features http --example secure_service
//! cargo run -p handstamp-secure-conversation --features http --example secure_client -- Balance
//! ```
//!
//! Sessions are cookies: stop the service with Ctrl-C or `kill -9`, start it again, and the client's session goes on. With
//! `--remember` the service keeps sessions in its memory instead, and a restart ends them.
#![allow(clippy::print_stdout, reason = "an example speaks to people")]

use handstamp_keys::{KeyKind, KeyPolicy, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
use handstamp_secure_conversation::http::{Reply, SoapService};
use handstamp_secure_conversation::{
    ApplicationRequest, Contract, NativeCookies, Operation, SecureConversationService,
};
use handstamp_time::{Clock as _, SystemClock, Timestamp};
use handstamp_ws_security::soap::{Fault, FaultCode};
use handstamp_ws_security::{Body, MessageSecurityVersion, SecurityBinding, UserNameError, UserNameValidator};
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const ADDRESS: &str = "127.0.0.1:8088";
const NAMESPACE: &str = "urn:example:ledger";
/// How long the content of a request may take.
const SLOWEST_SENDER: Duration = Duration::from_secs(20);

/// Two people and one password. A real service asks its directory.
struct Accounts;

impl UserNameValidator for Accounts {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        let known = ["alice", "bob"].contains(&name) && password == "secret";
        known.then_some(()).ok_or_else(|| UserNameError::Refused("unknown name or wrong password".to_owned()))
    }
}

/// The binding that both ends agree on: a session that a user name under the service's certificate establishes.
fn binding(remember: bool) -> Result<SecurityBinding, Box<dyn Error>> {
    let version = MessageSecurityVersion::WSS11_13_BSP;
    let bootstrap = SecurityBinding::user_name_for_certificate(version)?;
    let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
    if let Some(session) = binding.session_mut() {
        session.require_cancellation = remember;
    }
    Ok(binding)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let remember = std::env::args().any(|argument| argument == "--remember");
    let folder = Path::new("secure-service");
    std::fs::create_dir_all(folder)?;
    let listener = tokio::net::TcpListener::bind(ADDRESS).await?;
    println!("the ledger is at http://{ADDRESS}/; its certificate is in {}", folder.join("certificate.pem").display());
    serve(listener, folder, remember).await
}

/// Serves for ever, with the certificate and the keys in `folder`.
pub(crate) async fn serve(
    listener: tokio::net::TcpListener,
    folder: &Path,
    remember: bool,
) -> Result<(), Box<dyn Error>> {
    let address = format!("http://{ADDRESS}/");
    let service = SecureConversationService::builder(binding(remember)?)
        .identity(identity(folder)?)
        .user_names(Arc::new(Accounts))
        .cookies(Arc::new(NativeCookies::new(keys(folder)?, address)))
        .contract(
            Contract::new("ILedger")
                .with_operation(format!("{NAMESPACE}/Balance"), Operation::default())
                .with_operation(format!("{NAMESPACE}/Deposit"), Operation::default()),
        )
        .build()?;
    let total = Arc::new(Mutex::new(100_i64));
    let ledger = move |request: Arc<ApplicationRequest>| {
        let total = Arc::clone(&total);
        async move { answer(&request, &mut total.lock().unwrap_or_else(PoisonError::into_inner)) }
    };
    let soap = SoapService::new(Arc::new(service), ledger).with_content_limit(SLOWEST_SENDER, tokio::time::sleep);
    axum::serve(listener, axum::Router::new().fallback_service(soap)).await?;
    Ok(())
}

/// The application: it sees verified messages and who sent them, and nothing of security.
fn answer(request: &ApplicationRequest, total: &mut i64) -> Reply {
    let caller = request.principal().name().unwrap_or("somebody");
    let operation = request.action().rsplit('/').next().unwrap_or_default().to_owned();
    if operation == "Deposit" {
        let amount = request.body().and_then(|body| body.text().trim().parse::<i64>().ok());
        let Some(sum) = amount.and_then(|amount| total.checked_add(amount)) else {
            let reason = "deposit a whole number".to_owned();
            return Reply::Fault { fault: Fault { code: FaultCode::Sender, subcode: None, reason }, action: None };
        };
        *total = sum;
    }
    println!("{operation} by {caller}: {total}");
    let body = Body::from_xml(format!("<{operation}Response xmlns='{NAMESPACE}'>{total}</{operation}Response>"));
    match body {
        Ok(body) => Reply::Message { action: format!("{NAMESPACE}/{operation}Response"), body },
        Err(error) => {
            let fault = Fault { code: FaultCode::Receiver, subcode: None, reason: error.to_string() };
            Reply::Fault { fault, action: None }
        }
    }
}

/// The certificate and its key, made on first start.
fn identity(folder: &Path) -> Result<SigningIdentity, Box<dyn Error>> {
    let path = folder.join("identity.pem");
    if !path.exists() {
        let now = SystemClock.now();
        let end = now.saturating_add(Duration::from_secs(365 * 24 * 3600));
        let identity = SigningIdentity::self_signed("ledger", KeyKind::Rsa { bits: 2048 }, now, end, &SystemRandom)?;
        identity.create(&path)?;
        std::fs::write(folder.join("certificate.pem"), identity.certificate().to_pem())?;
    }
    Ok(SigningIdentity::read(&path, "", &KeyPolicy::default())?)
}

/// The keys that seal sessions, made on first start. Without them sessions would not survive a restart.
fn keys(folder: &Path) -> Result<Arc<KeyRing>, Box<dyn Error>> {
    let path = folder.join("keys.json");
    let policy = RotationPolicy::for_lifetime(Duration::from_secs(10 * 3600 + 600));
    let ring = match path.exists() {
        true => KeyRing::open(&path, policy)?,
        false => KeyRing::init(&path, policy, SystemClock.now(), &SystemRandom)?,
    };
    Ok(Arc::new(ring))
}
