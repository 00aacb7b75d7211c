//! When `initiate` gets itself another session, and when it does not.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use handstamp::soap::binding::read_binding;
use handstamp_keys::{KeyPolicy, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
use handstamp_secure_conversation::{Event, Handled, Incoming, NativeCookies, SecureConversationService};
use handstamp_time::{Clock, SystemClock, Timestamp};
use handstamp_ws_security::soap::{SecurityFault, SoapVersion};
use handstamp_ws_security::{AddressingVersion, Body, UserNameError};
use handstamp_xml::names;
use http::{Request, Response};

use super::setting::{AS_ADA, Bootstrap, SOAP_12, Setting, request};
use crate::support::{Application, Running, exchange, status};

/// A service that demands sessions, and the gateway that begins them.
struct World {
    setting: Setting,
    service: Arc<Service>,
    plain: Running,
    listening: Application,
}

/// The service's end, which a test meddles with.
struct Service {
    sessions: Mutex<Arc<SecureConversationService>>,
    issued: AtomicUsize,
    /// Whether the key was renewed.
    is_renewed: AtomicBool,
    /// Whether there is a message that is answered after that.
    is_late: AtomicBool,
    /// Whether nothing is issued or renewed.
    is_busy: AtomicBool,
}

impl World {
    /// `binding` holds what stands in `<security>`: its attributes, and the settings of both ends.
    async fn new(attributes: &str, settings: &str) -> Self {
        let setting = Setting::new(Bootstrap::Certificate, true).await;
        let binding = format!(
            r#"<customBinding><binding name="ledger">
                 <security authenticationMode="SecureConversation" {attributes}>{settings}
                   <secureConversationBootstrap authenticationMode="UserNameForCertificate"/>
                 </security>
                 <textMessageEncoding/><httpTransport/>
               </binding></customBinding>"#
        );
        std::fs::write(setting.path("binding.xml"), binding).expect("written");
        let sessions = Mutex::new(sessions(&setting));
        let service = Arc::new(Service {
            sessions,
            issued: AtomicUsize::new(0),
            is_renewed: AtomicBool::new(false),
            is_late: AtomicBool::new(false),
            is_busy: AtomicBool::new(false),
        });
        let serving = Arc::clone(&service);
        let listening = Application::answering(move |request| serving.answer(request)).await;
        let plain = setting.initiate(&format!("http://{}/ledger", listening.address), AS_ADA).await;
        Self { setting, service, plain, listening }
    }

    async fn call(&self) -> String {
        self.plain.exchange(request(SOAP_12, "Balance", "")).await
    }

    /// Calls, and it works.
    async fn works(&self) {
        let answer = self.call().await;
        assert_eq!(status(&answer), 200, "{answer}");
    }

    fn issued(&self) -> usize {
        self.service.issued.load(Ordering::Relaxed)
    }

    /// The service is another, with other keys.
    fn restart(&self) {
        *self.service.sessions.lock().expect("no panic") = sessions(&self.setting);
    }
}

fn sessions(setting: &Setting) -> Arc<SecureConversationService> {
    let read = |file: &str| std::fs::read(setting.path(file)).expect("readable");
    let identity = SigningIdentity::from_pem(&read("ledger.pem"), &KeyPolicy::default()).expect("an identity");
    let ring = KeyRing::in_memory(RotationPolicy::default(), SystemClock.now(), &SystemRandom).expect("a ring");
    let service =
        SecureConversationService::builder(read_binding(&read("binding.xml")).expect("good").security().clone())
            .identity(identity)
            .user_names(Arc::new(|_: &str, password: &str, _: Timestamp| match password {
                "secret of ada" => Ok(()),
                _ => Err(UserNameError::Refused("unknown".to_owned())),
            }))
            .cookies(Arc::new(NativeCookies::new(Arc::new(ring), "urn:ledger")));
    Arc::new(service.build().expect("a service"))
}

impl Service {
    fn answer(&self, request: &Request<bytes::Bytes>) -> Response<String> {
        if self.is_busy.load(Ordering::Relaxed) && is_for_a_token(request) {
            return response(500, unsecured(SecurityFault::ServerTooBusy, None));
        }
        let service = Arc::clone(&self.sessions.lock().expect("no panic"));
        let now = SystemClock.now();
        let (status, envelope) = match service.handle(Incoming::borrowed(request.body()), now, &SystemRandom) {
            Handled::Request(request) if request.action().ends_with("Late") => {
                self.is_late.store(true, Ordering::Relaxed);
                while !self.is_renewed.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                let fault = SecurityFault::BadContextToken { namespace: names::WSC_2005 };
                (500, unsecured(fault, request.message().message_id().as_deref()))
            }
            Handled::Request(request) if request.action().ends_with("Refused") => {
                (500, unsecured(SecurityFault::InvalidSecurity, request.message().message_id().as_deref()))
            }
            Handled::Request(request) => {
                let body = Body::from_xml("<BalanceResponse xmlns=\"urn:ledger\">42</BalanceResponse>").expect("XML");
                let reply = request.reply("urn:ledger/BalanceResponse", body);
                (200, service.protect(&request, &reply, now, &SystemRandom).expect("protected"))
            }
            Handled::Answer(answer) => {
                match answer.event {
                    Event::Issued { .. } => drop(self.issued.fetch_add(1, Ordering::Relaxed)),
                    Event::Renewed { .. } => self.is_renewed.store(true, Ordering::Relaxed),
                    _ => {}
                }
                (if answer.fault.is_some() { 500 } else { 200 }, answer.envelope)
            }
            other => panic!("{other:?}"),
        };
        response(status, envelope)
    }
}

fn unsecured(fault: SecurityFault, relates_to: Option<&str>) -> String {
    let fault = fault.to_fault();
    fault.to_message(SoapVersion::Soap12, AddressingVersion::V10, relates_to).expect("a message")
}

fn response(status: u16, envelope: String) -> Response<String> {
    let response = Response::builder().status(status).header("content-type", "application/soap+xml; charset=utf-8");
    response.body(envelope).expect("a response")
}

fn is_for_a_token(request: &Request<bytes::Bytes>) -> bool {
    request.headers()["content-type"].to_str().expect("text").contains("/RST/SCT")
}

/// Finding 19: WCF refuses to send then, and the application opens another channel.
#[tokio::test]
async fn sc_11_2_a_key_that_must_not_be_renewed_ends_its_session() {
    let attributes = "requireSecurityContextCancellation=\"true\" canRenewSecurityContextToken=\"false\"";
    let settings =
        "<localServiceSettings sessionKeyRenewalInterval=\"00:00:05\" sessionKeyRolloverInterval=\"00:00:01\"/>";
    let world = World::new(attributes, settings).await;
    world.works().await;
    world.works().await;
    assert_eq!(world.issued(), 1);
    tokio::time::sleep(Duration::from_millis(5500)).await;
    world.works().await;
    assert_eq!(world.issued(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sc_11_2_a_fault_about_an_old_key_leaves_the_session_alone() {
    let attributes = "requireSecurityContextCancellation=\"true\"";
    let settings =
        "<localClientSettings sessionKeyRenewalInterval=\"00:00:04\" sessionKeyRolloverInterval=\"00:00:04\"/>";
    let world = World::new(attributes, settings).await;
    world.works().await;
    let late = tokio::spawn(exchange(world.plain.address, request(SOAP_12, "Late", "")));
    while !world.service.is_late.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while !late.is_finished() {
        world.works().await;
    }
    let answer = late.await.expect("no panic").expect("connected");
    assert!(answer.contains("HST-SOAP-LOST"), "{answer}");
    world.works().await;
    assert_eq!(world.issued(), 1, "finding 17: only that call fails");
}

/// The fault is that of finding 2. It may be about the message, so that is not sent again.
#[tokio::test]
async fn sc_12_4_a_service_with_other_keys_is_asked_for_another_session() {
    let world = World::new("requireSecurityContextCancellation=\"false\"", "").await;
    for issued in 1..4 {
        world.works().await;
        world.works().await;
        assert_eq!(world.issued(), issued);
        world.restart();
        let answer = world.call().await;
        assert!(answer.contains("HST-SOAP-CALL"), "{issued}: {answer}");
    }
}

#[tokio::test]
async fn sc_19_10_a_fault_that_anybody_can_make_replaces_a_session_now_and_then_only() {
    let world = World::new("requireSecurityContextCancellation=\"false\"", "").await;
    for _ in 0..40 {
        let answer = world.plain.exchange(request(SOAP_12, "Refused", "")).await;
        assert!(answer.contains("HST-SOAP-CALL"), "{answer}");
    }
    world.works().await;
    let issued = world.issued();
    assert!((2..30).contains(&issued), "{issued} sessions");
}

/// What is due at once is replaced beside the calls, which do not need it.
#[tokio::test]
async fn sc_12_4_a_session_goes_on_while_its_replacement_is_refused() {
    for (attributes, settings) in [
        (
            "requireSecurityContextCancellation=\"false\"",
            "<localClientSettings cookieRenewalThresholdPercentage=\"0\"/>",
        ),
        (
            "requireSecurityContextCancellation=\"true\"",
            "<localClientSettings sessionKeyRenewalInterval=\"00:00:00.001\" sessionKeyRolloverInterval=\"00:00:00.001\"/>",
        ),
    ] {
        let world = World::new(attributes, settings).await;
        world.works().await;
        let issued = world.issued();
        world.service.is_busy.store(true, Ordering::Relaxed);
        for _ in 0..10 {
            world.works().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(world.issued(), issued);
        let asked = world.listening.received().iter().filter(|request| is_for_a_token(request)).count();
        assert!((issued..issued + 8).contains(&asked), "{asked} requests for a session, not one with each call");
    }
}

/// Finding 8.
#[tokio::test]
async fn sc_12_4_each_call_has_a_session_of_its_own_where_cookies_are_not_cached() {
    let attributes = "requireSecurityContextCancellation=\"false\"";
    let world = World::new(attributes, "<localClientSettings cacheCookies=\"false\"/>").await;
    for issued in 1..6 {
        world.works().await;
        assert_eq!(world.issued(), issued);
    }
    let calls = (0..5).map(|_| tokio::spawn(exchange(world.plain.address, request(SOAP_12, "Balance", ""))));
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(status(&call.await.expect("no panic").expect("connected")), 200);
    }
    assert_eq!(world.issued(), 10);
}
