//! Three parties in one program: a token service that knows people by their passwords, a ledger that knows nobody and believes the
//! token service, and a client that shows the ledger a token.
//!
//! ```sh
//! cargo run -p handstamp-secure-conversation --example issued_token
//! ```
//!
//! ```text
//! client ── name and password ──► token service          "a token for the ledger, please"
//!        ◄── token: alice, auditor; half of a key ──
//! client ── token, proof of its key ──► ledger           "a session, please" (RST/SCT)
//!        ══ messages in the session ══►                  neither password nor token is needed any more
//! ```
//!
//! Halfway the ledger is stopped and another one started, with the same keys and nothing else: the session goes on, and the new one
//! knows who calls and what the token said of her.
#![allow(clippy::print_stdout, reason = "an example speaks to people")]

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{
    Certificate, CertificateTrust, KeyKind, KeyPolicy, KeyRing, RotationPolicy, SigningIdentity, SystemRandom,
};
use handstamp_saml::{
    IssuerNameRegistry, SamlTokenHandler, TokenDecryption, TokenEncryption, TrustedIssuer, ValidationSettings, Version,
};
use handstamp_secure_conversation::http::{
    Reply, SecureSession, SoapService, TokenDecision, TokenEndpoint, TokenSource,
};
use handstamp_secure_conversation::{
    ApplicationRequest, NativeCookies, Requestor, SamlTokens, SecureConversationClient, SecureConversationService,
    TokenClient, TokenGrant, TokenRefusal, TokenService, TokenTask,
};
use handstamp_time::{Clock as _, SystemClock};
use handstamp_ws_security::{
    Body, ClaimTypeRequirement, IssuedTokenParameters, MessageSecurityVersion, SecurityBinding, UserNameCredential,
};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const VERSION: MessageSecurityVersion = MessageSecurityVersion::WSS11_13_BSP;
const NAMESPACE: &str = "urn:example:ledger";
/// What the token service calls itself, and the ledger in its tokens.
const ISSUER: &str = "urn:example:sts";
const LEDGER: &str = "urn:example:the-ledger";
/// How long the content of a request may take.
const SLOWEST_SENDER: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for line in run().await? {
        println!("{line}");
    }
    Ok(())
}

/// What happens, line by line.
pub(crate) async fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let mut told = Vec::new();
    let (sts, ledger) = (identity("sts")?, identity("ledger")?);
    let (sts_certificate, ledger_certificate) = (sts.certificate().clone(), ledger.certificate().clone());
    let keys = Arc::new(KeyRing::in_memory(RotationPolicy::default(), SystemClock.now(), &SystemRandom)?);

    let (sts_address, _sts) = serve_tokens(sts, &ledger_certificate).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let ledger_address = listener.local_addr()?;
    let first = serve_ledger(listener, ledger.clone(), &sts_certificate, Arc::clone(&keys))?;
    told.push("a token service and a ledger listen".to_owned());

    // The client: a token first.
    // Connections are not kept: to the first ledger they would outlive its listener.
    let http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let client = TokenClient::builder(sts_binding()?, format!("http://{sts_address}/"))
        .service_certificate(sts_certificate.clone())
        .user_name(UserNameCredential::new("alice", "secret"))
        .lifetime(Duration::from_secs(600))
        .build()?;
    let obtained = TokenSource::new(client, http.clone())?.obtain(&wanted(), LEDGER).await?;
    let lasts = obtained.lifetime.map(|lifetime| lifetime.expires.saturating_duration_since(lifetime.created));
    let minutes = lasts.unwrap_or_default().as_secs().div_ceil(60);
    told.push(format!("alice has a token for the ledger, good for {minutes} minutes"));

    // Then a session, which is obtained with the first call.
    let client = SecureConversationClient::builder(ledger_binding()?, format!("http://{ledger_address}/"))
        .service_certificate(ledger_certificate)
        .issued_token(obtained.token)
        .build()?;
    let session = SecureSession::new(client, http)?;
    told.push(balance(&session).await?);
    let before = session.with_client(|client| client.context_id().map(str::to_owned));

    // Another ledger at the same address, with the same keys.
    first.abort();
    let _ = first.await;
    let _second = serve_ledger(TcpListener::bind(ledger_address).await?, ledger, &sts_certificate, keys)?;
    told.push("the ledger is another one now".to_owned());
    told.push(balance(&session).await?);
    let after = session.with_client(|client| client.context_id().map(str::to_owned));
    told.push(format!("it is {} session", if before == after { "the same" } else { "another" }));
    Ok(told)
}

type Http = Client<hyper_util::client::legacy::connect::HttpConnector, http_body_util::Full<bytes::Bytes>>;

async fn balance(session: &SecureSession<Http>) -> Result<String, Box<dyn Error>> {
    let request = Body::from_xml(format!("<Balance xmlns='{NAMESPACE}'/>"))?;
    let answer = session.call(&format!("{NAMESPACE}/Balance"), request).await?;
    Ok(answer.body().map(|body| body.text().into_owned()).unwrap_or_default())
}

/// How clients ask for tokens: a name and a password, encrypted for the token service.
fn sts_binding() -> Result<SecurityBinding, Box<dyn Error>> {
    Ok(SecurityBinding::user_name_for_certificate(VERSION)?)
}

/// What the ledger asks of tokens: a key that their holder proves to have, and a role.
fn wanted() -> IssuedTokenParameters {
    let role = ClaimTypeRequirement { claim_type: claim_types::ROLE.to_string(), is_optional: false };
    IssuedTokenParameters { claim_types: vec![role], ..IssuedTokenParameters::default() }
}

/// The ledger's binding: sessions that are cookies, obtained with a token.
fn ledger_binding() -> Result<SecurityBinding, Box<dyn Error>> {
    let bootstrap = SecurityBinding::issued_token_for_certificate(VERSION, wanted())?;
    let mut binding = SecurityBinding::secure_conversation(bootstrap, VERSION);
    if let Some(session) = binding.session_mut() {
        session.require_cancellation = false;
    }
    Ok(binding)
}

/// The token service. It encrypts the keys of tokens for the ledger.
async fn serve_tokens(
    identity: SigningIdentity,
    ledger: &Certificate,
) -> Result<(SocketAddr, JoinHandle<()>), Box<dyn Error>> {
    let service = TokenService::builder(sts_binding()?, ISSUER, Arc::new(identity)).build()?;
    let encryption = TokenEncryption::new(ledger.clone(), &KeyPolicy::default())?;
    let authority = move |request: Arc<TokenTask>| {
        let encryption = encryption.clone();
        async move { decide(&request, encryption) }
    };
    let endpoint =
        TokenEndpoint::new(Arc::new(service), authority).with_content_limit(SLOWEST_SENDER, tokio::time::sleep);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok((listener.local_addr()?, start(listener, axum::Router::new().fallback_service(endpoint))))
}

/// Who gets which token: here there is one person, and one relying party. A real authority asks its directory.
fn decide(request: &TokenTask, encryption: TokenEncryption) -> TokenDecision {
    let refuse = |refusal, reason: &str| TokenDecision::Refuse { refusal, reason: reason.to_owned() };
    let Some(Requestor::UserName { name: "alice", password: "secret" }) = request.requestor() else {
        return refuse(TokenRefusal::FailedAuthentication, "unknown name or wrong password");
    };
    if request.request().applies_to.as_deref() != Some(LEDGER) {
        return refuse(TokenRefusal::InvalidScope, "AppliesTo is no relying party");
    }
    let alice = ClaimsIdentity::new("Password")
        .with_claim(Claim::new(claim_types::NAME, "alice"))
        .with_claim(Claim::new(claim_types::ROLE, "auditor"));
    TokenDecision::Grant(TokenGrant {
        identity: alice,
        audience: LEDGER.to_owned(),
        version: Version::Saml20,
        lifetime: Duration::from_secs(3600),
        encryption: Some(encryption),
    })
}

/// The ledger. It knows the token service's certificate, and decrypts the keys of tokens.
fn serve_ledger(
    listener: TcpListener,
    identity: SigningIdentity,
    sts: &Certificate,
    keys: Arc<KeyRing>,
) -> Result<JoinHandle<()>, Box<dyn Error>> {
    let binding = ledger_binding()?;
    let trust = CertificateTrust::none().with_sha256(*sts.sha256_thumbprint());
    let issuers = IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("the token service", trust));
    let tokens = SamlTokenHandler::new(issuers, ValidationSettings::new([LEDGER]))
        .with_decryption(TokenDecryption::new([identity.clone()]));
    let service = SecureConversationService::builder(binding.clone())
        .identity(identity)
        .issued_tokens(Arc::new(SamlTokens::new(tokens, &binding)?))
        .cookies(Arc::new(NativeCookies::new(keys, LEDGER)))
        .build()?;
    let soap = SoapService::new(Arc::new(service), answer).with_content_limit(SLOWEST_SENDER, tokio::time::sleep);
    Ok(start(listener, axum::Router::new().fallback_service(soap)))
}

/// The application: it sees who calls and what was said of her, and by whom.
async fn answer(request: Arc<ApplicationRequest>) -> Reply {
    let principal = request.principal();
    let name = principal.name().unwrap_or("somebody");
    let role = principal.find_first(&claim_types::ROLE);
    let role = role.map(|role| format!("{}, says {}", role.value(), role.issuer())).unwrap_or_default();
    let said = format!("100 on the account of {name} ({role})");
    let body = Body::from_xml(format!("<BalanceResponse xmlns='{NAMESPACE}'>{said}</BalanceResponse>"));
    Reply::Message { action: format!("{NAMESPACE}/BalanceResponse"), body: body.unwrap_or_else(|_| Body::empty()) }
}

fn start(listener: TcpListener, router: axum::Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            println!("{error}");
        }
    })
}

fn identity(name: &str) -> Result<SigningIdentity, Box<dyn Error>> {
    let now = SystemClock.now();
    let end = now.saturating_add(Duration::from_secs(24 * 3600));
    Ok(SigningIdentity::self_signed(name, KeyKind::Rsa { bits: 2048 }, now, end, &SystemRandom)?)
}
