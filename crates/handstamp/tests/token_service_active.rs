//! Programs obtain tokens of the built-in token service, and open sessions with them.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use handstamp::config::Config;
use handstamp::sts::{
    AccountStore, NewAccount, PasswordCost, PasswordHasher, PasswordText, SecurityTokenService, Surroundings, UserName,
};
use handstamp_claims::claim_types;
use handstamp_keys::{Certificate, CertificateTrust, KeyKind, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, TokenDecryption, TrustedIssuer, ValidationSettings};
use handstamp_secure_conversation::{
    Error, Handled, Incoming, NativeCookies, ObtainedToken, Outcome, SamlTokens, SecureConversationClient,
    SecureConversationService, TokenClient,
};
use handstamp_testkit::VirtualClock;
use handstamp_time::{Clock as _, Timestamp};
use handstamp_web_session::Transport;
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{
    AddressingVersion, Body, IssuedKeyType, IssuedTokenParameters, MemoryReplayCache, MessageSecurityVersion,
    SecurityBinding, UserNameCredential,
};
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const PASSWORD: &str = "correct horse";
const LEDGER: &str = "https://ledger.example/";

struct Sts {
    service: SecurityTokenService,
    clock: Arc<VirtualClock>,
    ledger: SigningIdentity,
    folder: tempfile::TempDir,
}

impl Sts {
    async fn new(active: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(VirtualClock::new("2030-01-01T08:00:00Z".parse::<Timestamp>().unwrap()));
        let end = clock.now().saturating_add(Duration::from_secs(365 * 24 * 3600));
        let rsa = KeyKind::Rsa { bits: 2048 };
        let ledger = SigningIdentity::self_signed("ledger", rsa, clock.now(), end, &SystemRandom).unwrap();
        std::fs::write(folder.path().join("ledger.crt"), ledger.certificate().to_pem()).unwrap();
        let hasher = PasswordHasher::new(CHEAP, &SystemRandom).unwrap();
        let account = NewAccount {
            user_name: UserName::parse("Alice").unwrap(),
            subject: "c3ViamVjdA==".into(),
            password_hash: hasher.hash(PasswordText::new(PASSWORD), &SystemRandom).await.unwrap(),
            claims: vec![("http://example.com/claims/salary".into(), "secret-salary".into())],
        };
        AccountStore::open(&folder.path().join("accounts.db")).unwrap().create(&account, clock.now()).unwrap();
        let service = open(folder.path(), active, &clock);
        Self { service, clock, ledger, folder }
    }

    fn certificate(&self) -> Certificate {
        Certificate::read_all(&std::fs::read(self.folder.path().join("sts.crt")).unwrap()).unwrap().remove(0)
    }

    fn client(&self, binding: SecurityBinding, soap: SoapVersion, password: &str) -> TokenClient {
        TokenClient::builder(binding, "https://sts.example/")
            .message_version(soap, AddressingVersion::V10)
            .service_certificate(self.certificate())
            .user_name(UserNameCredential::new("alice", password))
            .build()
            .unwrap()
    }

    async fn post(&self, path: &str, soap: SoapVersion, transport: Transport, envelope: &str) -> Response<String> {
        let media_type = match soap {
            SoapVersion::Soap11 => "text/xml; charset=utf-8",
            SoapVersion::Soap12 => "application/soap+xml; charset=utf-8",
        };
        let request = Request::post(path).header(CONTENT_TYPE, media_type).extension(transport);
        self.service.answer(request.body(envelope.to_owned()).unwrap(), IpAddr::from([192, 0, 2, 1])).await
    }

    async fn obtain(
        &self,
        endpoint: &Endpoint,
        wanted: &IssuedTokenParameters,
        applies_to: &str,
        password: &str,
    ) -> Result<ObtainedToken, Error> {
        let client = self.client(endpoint.binding(), endpoint.soap, password);
        let exchange = client.request(wanted, applies_to, self.clock.now(), &SystemRandom)?;
        let answer = self.post(endpoint.path, endpoint.soap, endpoint.transport, exchange.envelope()).await;
        client.receive(&exchange, answer.into_body(), self.clock.now())
    }

    /// The ledger's end: it believes this token service alone.
    fn ledger(&self, binding: &SecurityBinding, keys: &Arc<KeyRing>) -> SecureConversationService {
        let pinned = CertificateTrust::none().with_sha256(*self.certificate().sha256_thumbprint());
        let issuers = IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("sts", pinned));
        let handler = SamlTokenHandler::new(issuers, ValidationSettings::new([LEDGER]))
            .with_decryption(TokenDecryption::new([self.ledger.clone()]));
        SecureConversationService::builder(binding.clone())
            .identity(self.ledger.clone())
            .issued_tokens(Arc::new(SamlTokens::new(handler, binding).unwrap()))
            .cookies(Arc::new(NativeCookies::new(Arc::clone(keys), LEDGER)))
            .build()
            .unwrap()
    }
}

/// One of the four, and how it is called.
struct Endpoint {
    path: &'static str,
    version: MessageSecurityVersion,
    soap: SoapVersion,
    transport: Transport,
}

impl Endpoint {
    fn all() -> [Self; 4] {
        let (old, new) = (MessageSecurityVersion::WSS11_FEBRUARY2005, MessageSecurityVersion::WSS11_13);
        let endpoint = |path, version, soap, transport| Self { path, version, soap, transport };
        [
            endpoint("/trust/2005/usernamemixed", old, SoapVersion::Soap11, Transport::Tls),
            endpoint("/trust/2005/username", old, SoapVersion::Soap12, Transport::Plain),
            endpoint("/trust/13/usernamemixed", new, SoapVersion::Soap12, Transport::Tls),
            endpoint("/trust/13/username", new, SoapVersion::Soap11, Transport::Plain),
        ]
    }

    fn binding(&self) -> SecurityBinding {
        match self.path.ends_with("mixed") {
            true => SecurityBinding::user_name_over_transport(self.version),
            false => SecurityBinding::user_name_for_certificate(self.version).unwrap(),
        }
    }
}

fn open(folder: &Path, active: bool, clock: &Arc<VirtualClock>) -> SecurityTokenService {
    let text = CONFIGURATION.replace("ACTIVE", &active.to_string());
    let config = Config::parse(&text, &folder.join("handstamp.toml")).unwrap_or_else(|error| panic!("{error}"));
    let keys = KeyRing::in_memory(RotationPolicy::default(), clock.now(), &SystemRandom).unwrap();
    let surroundings = Surroundings {
        keys: Arc::new(keys),
        clock: clock.clone(),
        random: Arc::new(SystemRandom),
        revocations: None,
        password_cost: CHEAP,
        limiter: Arc::default(),
        replays: Arc::new(MemoryReplayCache::new(100)),
        addresses: Arc::default(),
        logout_channel: None,
    };
    SecurityTokenService::open(&config.sts.unwrap(), &surroundings).unwrap()
}

fn wanted(key_type: IssuedKeyType) -> IssuedTokenParameters {
    IssuedTokenParameters { key_type, ..IssuedTokenParameters::default() }
}

#[tokio::test]
async fn wst_4_every_endpoint_gives_tokens_that_open_sessions_which_survive_a_restart_with_their_claims() {
    let sts = Sts::new(true).await;
    let keys = Arc::new(KeyRing::in_memory(RotationPolicy::default(), sts.clock.now(), &SystemRandom).unwrap());
    for endpoint in Endpoint::all() {
        for key_type in [IssuedKeyType::Symmetric, IssuedKeyType::Asymmetric, IssuedKeyType::Bearer] {
            let obtained = sts.obtain(&endpoint, &wanted(key_type), LEDGER, PASSWORD).await.unwrap();
            let bootstrap = SecurityBinding::issued_token_for_certificate(endpoint.version, wanted(key_type)).unwrap();
            let mut binding = SecurityBinding::secure_conversation(bootstrap, endpoint.version);
            binding.session_mut().unwrap().require_cancellation = false;
            let mut client = SecureConversationClient::builder(binding.clone(), LEDGER)
                .service_certificate(sts.ledger.certificate().clone())
                .issued_token(obtained.token)
                .build()
                .unwrap();
            let now = sts.clock.now();
            let exchange = client.establish(now, &SystemRandom).unwrap();
            let ledger = sts.ledger(&binding, &keys);
            let Handled::Answer(answer) = ledger.handle(Incoming::new(exchange.envelope()), now, &SystemRandom) else {
                panic!("no answer")
            };
            assert!(matches!(client.receive(exchange, answer.envelope, now), Ok(Outcome::Established)));
            // Another process with the same keys.
            let ledger = sts.ledger(&binding, &keys);
            let body = Body::from_xml("<Balance xmlns='urn:ledger'/>").unwrap();
            let call = client.request("urn:ledger/Balance", body, now, &SystemRandom).unwrap();
            let Handled::Request(request) = ledger.handle(Incoming::new(call.envelope()), now, &SystemRandom) else {
                panic!("no request")
            };
            let principal = request.principal();
            assert_eq!(principal.name(), Some("Alice"));
            assert_eq!(
                principal.find_first(&claim_types::NAME).map(|claim| claim.issuer().to_string()).as_deref(),
                Some("sts")
            );
            assert!(principal.find_first("http://example.com/claims/salary").is_none(), "no rule names it");
        }
    }
}

fn subcode(problem: &Error) -> &str {
    match problem {
        Error::Fault { fault, .. } => {
            fault.subcode.as_ref().map(|subcode| subcode.local_name.as_str()).unwrap_or_default()
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn wst_11_whom_the_service_does_not_know_gets_a_fault() {
    let sts = Sts::new(true).await;
    let symmetric = wanted(IssuedKeyType::Symmetric);
    for endpoint in Endpoint::all() {
        let problem = sts.obtain(&endpoint, &symmetric, LEDGER, "wrong").await.unwrap_err();
        assert_eq!(subcode(&problem), "FailedAuthentication");
        let problem = sts.obtain(&endpoint, &symmetric, "https://other.example/", PASSWORD).await.unwrap_err();
        assert_eq!(subcode(&problem), "InvalidScope");
        // It has no certificate that a proof key could be encrypted for.
        let problem = sts.obtain(&endpoint, &symmetric, "urn:wiki", PASSWORD).await.unwrap_err();
        assert_eq!(subcode(&problem), "RequestFailed");
        sts.obtain(&endpoint, &wanted(IssuedKeyType::Bearer), "urn:wiki", PASSWORD).await.unwrap();
        sts.obtain(&endpoint, &wanted(IssuedKeyType::Asymmetric), "urn:wiki", PASSWORD).await.unwrap();
    }
    sts.service.accounts().set_enabled(&UserName::parse("alice").unwrap(), false).unwrap();
    let [endpoint, ..] = Endpoint::all();
    let problem = sts.obtain(&endpoint, &symmetric, LEDGER, PASSWORD).await.unwrap_err();
    assert_eq!(subcode(&problem), "FailedAuthentication");
}

#[tokio::test]
async fn guesses_at_passwords_are_counted_as_those_of_browsers_are() {
    let sts = Sts::new(true).await;
    let [endpoint, ..] = Endpoint::all();
    let bearer = wanted(IssuedKeyType::Bearer);
    for _ in 0..10 {
        let problem = sts.obtain(&endpoint, &bearer, LEDGER, "wrong").await.unwrap_err();
        assert_eq!(subcode(&problem), "FailedAuthentication");
    }
    let problem = sts.obtain(&endpoint, &bearer, LEDGER, PASSWORD).await.unwrap_err();
    assert_eq!(subcode(&problem), "ServerTooBusy");
    sts.clock.advance(Duration::from_secs(60));
    sts.obtain(&endpoint, &bearer, LEDGER, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_password_that_came_in_the_clear_is_not_looked_at() {
    let sts = Sts::new(true).await;
    let [mixed, ..] = Endpoint::all();
    let clear = Endpoint { transport: Transport::Plain, ..mixed };
    let problem = sts.obtain(&clear, &wanted(IssuedKeyType::Bearer), LEDGER, PASSWORD).await.unwrap_err();
    assert_eq!(subcode(&problem), "InvalidSecurity");
}

#[tokio::test]
async fn what_is_no_request_for_a_token_is_told_so() {
    let sts = Sts::new(true).await;
    let [Endpoint { path, .. }, ..] = Endpoint::all();
    let send = async |request: http::request::Builder, body: &str| {
        let request = request.body(body.to_owned()).unwrap();
        sts.service.answer(request, IpAddr::from([192, 0, 2, 1])).await.status()
    };
    let post = |media_type: &str| Request::post(path).header(CONTENT_TYPE, media_type);
    assert_eq!(send(Request::get(path), "").await, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(send(post("application/json"), "{}").await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send(post("text/xml"), "no XML").await, StatusCode::BAD_REQUEST);
    assert_eq!(send(post("text/xml"), &"x".repeat(70_000)).await, StatusCode::PAYLOAD_TOO_LARGE);
    let passive_only = Sts::new(false).await;
    let answer = passive_only.post(path, SoapVersion::Soap12, Transport::Tls, "").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

const CHEAP: PasswordCost = PasswordCost { memory: 8, passes: 1 };

const CONFIGURATION: &str = r#"
    [listener.public]
    address = "127.0.0.1:0"

    [sts]
    public_url = "https://sts.example"
    entity_id = "urn:sts"
    accounts = "accounts.db"
    signing_key = "sts.pem"
    active = ACTIVE

    [sts.relying_party.ledger]
    realm = "https://ledger.example/"
    reply_urls = ["https://ledger.example/"]
    encryption_certificate = "ledger.crt"
    claims = ["name"]

    [sts.relying_party.wiki]
    realm = "urn:wiki"
    reply_urls = ["https://wiki.example/"]
    token = "saml-2.0"
"#;
