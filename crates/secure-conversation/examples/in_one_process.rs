//! A secure session whose service is restarted in the middle, without a socket: both ends in one process.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use bytes::Bytes;
use handstamp_keys::{KeyKind, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
use handstamp_secure_conversation::http::{Application, Reply, SecureSession, SoapService};
use handstamp_secure_conversation::{
    ApplicationRequest, NativeCookies, SecureConversationClient, SecureConversationService,
};
use handstamp_time::{Clock, SystemClock, Timestamp};
use handstamp_ws_security::{
    Body, MessageSecurityVersion, SecurityBinding, UserNameCredential, UserNameError, UserNameValidator,
};
use http::{Request, Response};
use http_body_util::Full;
use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

const ADDRESS: &str = "http://ledger.example/";

/// One user. A real service asks its directory.
struct Accounts;

impl UserNameValidator for Accounts {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        let known = (name, password) == ("alice", "secret");
        known.then_some(()).ok_or_else(|| UserNameError::Refused("unknown name or wrong password".to_owned()))
    }
}

/// The application: it sees verified messages, and who sent them.
async fn balance(request: Arc<ApplicationRequest>) -> Reply {
    let caller = request.principal().name().unwrap_or("somebody").to_owned();
    match Body::from_xml(format!("<BalanceResponse xmlns='urn:ledger'>100, {caller}</BalanceResponse>")) {
        Ok(body) => Reply::Message { action: "urn:ledger/BalanceResponse".to_owned(), body },
        Err(_) => Reply::None,
    }
}

/// A service that keeps nothing: what it has to know of a session is sealed into the token that the client repeats.
fn start(
    binding: &SecurityBinding,
    identity: &SigningIdentity,
    ring: &Arc<KeyRing>,
) -> Result<SoapService<impl Application + use<>>, Box<dyn Error>> {
    let service = SecureConversationService::builder(binding.clone())
        .identity(identity.clone())
        .user_names(Arc::new(Accounts))
        .cookies(Arc::new(NativeCookies::new(Arc::clone(ring), ADDRESS)))
        .build()?;
    Ok(SoapService::new(Arc::new(service), balance))
}

/// What stands for the network: whichever service runs at the moment.
struct Network<A>(Arc<Mutex<SoapService<A>>>);

impl<A> Clone for Network<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: Application> Service<Request<Full<Bytes>>> for Network<A> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).call(request)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let now = SystemClock.now();
    let year = now.saturating_add(Duration::from_secs(365 * 24 * 3600));
    let identity = SigningIdentity::self_signed("ledger", KeyKind::Rsa { bits: 2048 }, now, year, &SystemRandom)?;
    let ring = Arc::new(KeyRing::in_memory(RotationPolicy::default(), now, &SystemRandom)?);

    // Both ends agree on it: a session that a user name under the service's certificate establishes.
    let version = MessageSecurityVersion::WSS11_13;
    let mut binding =
        SecurityBinding::secure_conversation(SecurityBinding::user_name_for_certificate(version)?, version);
    binding.session_mut().ok_or("no session")?.require_cancellation = false;

    let client = SecureConversationClient::builder(binding.clone(), ADDRESS)
        .service_certificate(identity.certificate().clone())
        .user_name(UserNameCredential::new("alice", "secret"))
        .build()?;
    let network = Network(Arc::new(Mutex::new(start(&binding, &identity, &ring)?)));
    let session = SecureSession::new(client, network.clone())?;
    let ask = || Body::from_xml("<Balance xmlns='urn:ledger'/>");
    let answer = session.call("urn:ledger/Balance", ask()?).await?;
    println!("{}", answer.body().ok_or("no body")?.text());
    let context = session.with_client(|client| client.context_id().map(str::to_owned));

    // The service is another one now. It has the same keys, and has never heard of this session.
    *network.0.lock().unwrap_or_else(PoisonError::into_inner) = start(&binding, &identity, &ring)?;
    let answer = session.call("urn:ledger/Balance", ask()?).await?;
    assert_eq!(answer.body().ok_or("no body")?.text(), "100, alice");
    assert_eq!(session.with_client(|client| client.context_id().map(str::to_owned)), context, "the session went on");
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}
