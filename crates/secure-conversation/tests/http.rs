//! Service and client over HTTP, without a socket between them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use handstamp_keys::{DeterministicRandom, KeyKind, KeyRing, RotationPolicy, SigningIdentity};
use handstamp_secure_conversation::http::{Application, CallError, Reply, SecureSession, SoapService};
use handstamp_secure_conversation::{
    ApplicationRequest, Error, NativeCookies, SecureConversationClient, SecureConversationService,
};
use handstamp_testkit::VirtualClock;
use handstamp_time::{Clock as _, Timestamp};
use handstamp_ws_security::soap::{Fault, FaultCode, SoapVersion};
use handstamp_ws_security::{
    AddressingVersion, AuthenticationMode, Body, MessageSecurityVersion, SecurityBinding, UserNameCredential,
    UserNameError, UserNameValidator,
};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower_service::Service;

const ADDRESS: &str = "http://echo.example/";

fn start() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

static IDENTITY: LazyLock<SigningIdentity> = LazyLock::new(|| {
    let end = start().saturating_add(Duration::from_secs(365 * 24 * 3600));
    let random = DeterministicRandom::new(1);
    SigningIdentity::self_signed("echo", KeyKind::Rsa { bits: 2048 }, start(), end, &random).unwrap()
});

struct Anybody;

impl UserNameValidator for Anybody {
    fn validate(&self, name: &str, _password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        if name == "nobody" { Err(UserNameError::Refused("nobody is not somebody".to_owned())) } else { Ok(()) }
    }
}

fn binding(remembered: bool) -> SecurityBinding {
    let version = MessageSecurityVersion::WSS11_13;
    let bootstrap = SecurityBinding::user_name_for_certificate(version).unwrap();
    let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
    binding.session_mut().unwrap().require_cancellation = remembered;
    binding
}

fn service(binding: &SecurityBinding) -> Arc<SecureConversationService> {
    let ring = KeyRing::in_memory(RotationPolicy::default(), start(), &DeterministicRandom::new(2)).unwrap();
    let builder = SecureConversationService::builder(binding.clone())
        .identity(IDENTITY.clone())
        .user_names(Arc::new(Anybody))
        .receive_timeout(Duration::from_secs(1000 * 3600))
        .cookies(Arc::new(NativeCookies::new(Arc::new(ring), ADDRESS)));
    Arc::new(builder.build().unwrap())
}

async fn echo(request: Arc<ApplicationRequest>) -> Reply {
    match request.action().as_str() {
        "urn:fail" => {
            let fault = Fault { code: FaultCode::Receiver, subcode: None, reason: "as asked".to_owned() };
            Reply::Fault { fault, action: None }
        }
        "urn:one-way" => Reply::None,
        _ => Reply::Message { action: "urn:echoed".to_owned(), body: Body::from_xml("<echoed/>").unwrap() },
    }
}

/// Both ends, their clock, and the service to look into.
struct World<A> {
    http: SoapService<A>,
    service: Arc<SecureConversationService>,
    binding: SecurityBinding,
    clock: Arc<VirtualClock>,
    random: Arc<DeterministicRandom>,
}

fn world(remembered: bool) -> World<impl Application> {
    world_of(binding(remembered))
}

fn world_of(binding: SecurityBinding) -> World<impl Application> {
    let (clock, random) = (Arc::new(VirtualClock::new(start())), Arc::new(DeterministicRandom::new(3)));
    let service = service(&binding);
    let http = SoapService::new(service.clone(), echo).with_clock(clock.clone(), random.clone());
    World { http, service, binding, clock, random }
}

impl<A: Application> World<A> {
    fn session(&self, soap: SoapVersion) -> SecureSession<SoapService<A>> {
        let client = self.client(soap);
        SecureSession::new(client, self.http.clone()).unwrap().with_clock(self.clock.clone(), self.random.clone())
    }

    fn client(&self, soap: SoapVersion) -> SecureConversationClient {
        SecureConversationClient::builder(self.binding.clone(), ADDRESS)
            .message_version(soap, AddressingVersion::V10)
            .service_certificate(IDENTITY.certificate().clone())
            .user_name(UserNameCredential::new("alice", "secret"))
            .build()
            .unwrap()
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Full<Bytes>> {
        self.http.clone().call(request).await.unwrap()
    }
}

fn post(media_type: &str, content: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(ADDRESS).header(CONTENT_TYPE, media_type).body(Full::new(content.into())).unwrap()
}

const SOAP_12: &str = "application/soap+xml; charset=utf-8";

#[tokio::test]
async fn sc_14_5_requests_that_are_not_soap_are_told_so() {
    let world = world(false);
    let mut get = post(SOAP_12, "");
    *get.method_mut() = Method::GET;
    let response = world.send(get).await;
    assert_eq!(
        (response.status(), &response.headers()[ALLOW]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
    );
    for (media_type, content, status) in [
        ("application/json", "{}".to_owned(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (SOAP_12, "no XML".to_owned(), StatusCode::BAD_REQUEST),
        (SOAP_12, "x".repeat(70_000), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(world.send(post(media_type, content)).await.status(), status);
    }
}

/// Over a socket: one sender stops, another dawdles, and neither holds up the third.
#[tokio::test]
async fn sc_19_slow_senders_are_cut_off() {
    let limit = Duration::from_millis(150);
    let world = world(false);
    let soap = SoapService::new(world.service.clone(), echo).with_content_limit(limit, tokio::time::sleep);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback_service(soap)).await });
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {SOAP_12}\r\nContent-Length: 10000\r\n\r\n<");
    let begin = async || {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let cut_off = async |mut stream: tokio::net::tcp::OwnedReadHalf| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    };
    let started = tokio::time::Instant::now();
    let (stopped, _still_open) = begin().await.into_split();
    let (dawdler, mut octets) = begin().await.into_split();
    let dawdling = tokio::spawn(async move {
        // Each octet comes in time, all of them never would.
        while octets.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let honest = head.replace("10000", "1").replace("Host: a", "Host: a\r\nConnection: close");
    let (mut answered, mut sending) = tokio::net::TcpStream::connect(address).await.unwrap().into_split();
    sending.write_all(honest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    answered.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && started.elapsed() < limit, "{answer}");
    cut_off(stopped).await;
    cut_off(dawdler).await;
    assert!(started.elapsed() >= limit);
    dawdling.abort();
}

#[tokio::test]
async fn sc_12_1_faults_come_with_500_in_the_media_type_of_the_request() {
    let world = world(false);
    for (soap, media_type) in [(SoapVersion::Soap11, "text/xml; charset=utf-8"), (SoapVersion::Soap12, SOAP_12)] {
        let envelope = format!("<s:Envelope xmlns:s='{}'><s:Body/></s:Envelope>", soap.namespace());
        let response = world.send(post(media_type, envelope)).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[CONTENT_TYPE], media_type);
        let content = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&content).contains("InvalidSecurity"));
    }
}

#[tokio::test]
async fn sc_02_calls_work_in_both_versions_of_soap_and_sessions_are_closed() {
    for remembered in [true, false] {
        for soap in [SoapVersion::Soap11, SoapVersion::Soap12] {
            let world = world(remembered);
            let session = world.session(soap);
            let reply = session.call("urn:echo", Body::empty()).await.unwrap();
            assert_eq!(reply.action().as_deref(), Some("urn:echoed"));
            match session.call("urn:fail", Body::empty()).await {
                Err(CallError::Fault { fault, .. }) => assert_eq!(fault.reason, "as asked"),
                other => panic!("{other:?}"),
            }
            session.close().await.unwrap();
            assert_eq!(
                world.service.sessions(start()).len(),
                usize::from(!remembered),
                "a cache entry is left at most"
            );
        }
    }
}

#[tokio::test]
async fn sc_04_another_soap_action_is_refused() {
    let world = world(false);
    let mut client = world.client(SoapVersion::Soap12);
    let exchange = client.establish(start(), world.random.as_ref()).unwrap();
    let with_action = |action: &str| post(&format!("{SOAP_12}; action=\"{action}\""), exchange.envelope().to_owned());
    assert_eq!(world.send(with_action("urn:other")).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(world.send(with_action(exchange.action())).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn finding_31_one_way_messages_are_accepted() {
    let world = world(false);
    let mut client = world.client(SoapVersion::Soap12);
    let exchange = client.establish(start(), world.random.as_ref()).unwrap();
    let answer = world.send(post(SOAP_12, exchange.envelope().to_owned())).await.into_body().collect().await.unwrap();
    client.receive(exchange, answer.to_bytes(), start()).unwrap();
    let exchange = client.one_way("urn:one-way", Body::empty(), start(), world.random.as_ref()).unwrap();
    let response = world.send(post(SOAP_12, exchange.envelope().to_owned())).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn calls_that_start_together_share_one_session() {
    for remembered in [true, false] {
        let world = world(remembered);
        let session = Arc::new(world.session(SoapVersion::Soap12));
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let session = session.clone();
                tokio::spawn(async move { session.call("urn:echo", Body::empty()).await.map(drop) })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(world.service.sessions(start()).len(), 1);
    }
}

/// The statuses of another kind of server, and what a proxy before it says itself.
#[derive(Clone)]
struct OtherStatus<S> {
    inner: S,
    status: StatusCode,
    page: Option<&'static str>,
}

impl<S> Service<Request<Full<Bytes>>> for OtherStatus<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let (answer, status, page) = (self.inner.call(request), self.status, self.page);
        Box::pin(async move {
            let mut response = answer.await?;
            if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
                *response.status_mut() = status;
                if let Some(page) = page {
                    *response.body_mut() = Full::from(page);
                }
            }
            Ok(response)
        })
    }
}

/// SOAP 1.2 over HTTP has 400 for a fault of the sender, and other peers than WCF keep to that.
#[tokio::test]
async fn sc_12_1_a_fault_is_read_whatever_status_it_comes_with() {
    let world = world(false);
    let session = |status, page, user: &str| {
        let client = world.client(SoapVersion::Soap12).for_user(UserNameCredential::new(user, "secret"));
        let http = OtherStatus { inner: world.http.clone(), status, page };
        SecureSession::new(client, http).unwrap().with_clock(world.clock.clone(), world.random.clone())
    };
    let bad_request = session(StatusCode::BAD_REQUEST, None, "alice");
    match bad_request.call("urn:fail", Body::empty()).await {
        Err(CallError::Fault { fault, .. }) => assert_eq!(fault.reason, "as asked"),
        other => panic!("{other:?}"),
    }
    match session(StatusCode::FORBIDDEN, None, "nobody").call("urn:echo", Body::empty()).await {
        Err(CallError::Conversation(Error::Fault { fault, .. })) => {
            assert_eq!(fault.subcode.unwrap().local_name, "FailedAuthentication");
        }
        other => panic!("{other:?}"),
    }
    let no_fault = "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body><a/></s:Body></s:Envelope>";
    for page in ["", "<html/>", "not found", no_fault] {
        let session = session(StatusCode::NOT_FOUND, Some(page), "nobody");
        let called = session.call("urn:echo", Body::empty()).await;
        assert!(matches!(called, Err(CallError::Status(StatusCode::NOT_FOUND))), "{page}: {called:?}");
    }
}

#[tokio::test]
async fn sc_41_a_key_is_renewed_before_it_ends_and_a_session_that_was_lost_is_an_error() {
    let world = world(true);
    let session = world.session(SoapVersion::Soap12);
    session.call("urn:echo", Body::empty()).await.unwrap();
    world.clock.advance(Duration::from_secs(14 * 3600));
    session.call("urn:echo", Body::empty()).await.unwrap();
    let sessions = world.service.sessions(world.clock.now());
    assert_eq!((sessions.len(), sessions[0].renewals), (1, 1));
    let id = sessions[0].context_id.parse().unwrap();
    assert!(world.service.end(&id));
    let lost = session.call("urn:echo", Body::empty()).await;
    assert!(matches!(lost, Err(CallError::Conversation(Error::Fault { is_authenticated: false, .. }))), "{lost:?}");
}

#[tokio::test]
async fn sc_75_negotiated_bootstraps_work_over_http() {
    for version in [MessageSecurityVersion::WSS11_FEBRUARY2005, MessageSecurityVersion::WSS11_13] {
        let mode = AuthenticationMode::UserNameForSslNegotiated;
        let bootstrap = SecurityBinding::for_mode(mode, version).unwrap();
        let binding = SecurityBinding::secure_conversation(bootstrap, version);
        let world = world_of(binding);
        let session = world.session(SoapVersion::Soap12);
        let reply = session.call("urn:echo", Body::empty()).await.unwrap();
        assert_eq!(reply.action().as_deref(), Some("urn:echoed"));
        session.close().await.unwrap();
        assert_eq!(world.service.sessions(start()).len(), 0);
    }
}
