//! Any sequence of what two clients, the clock, the line and an operator can do to a service, with both engines. Whatever happens:
//! nothing panics, replies go to those who asked, and only messages that the service ought to know are served.
#![no_main]

use handstamp_keys::{DeterministicRandom, KeyRing, RotationPolicy};
use handstamp_secure_conversation::{
    Handled, Incoming, NativeCookies, Outcome, SecureConversationClient, SecureConversationService,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::{
    Body, MessageSecurityVersion, SecurityBinding, UserNameCredential, UserNameError, UserNameValidator,
};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use std::time::Duration;

const ADDRESS: &str = "https://ledger.example/";

struct Anybody;

impl UserNameValidator for Anybody {
    fn validate(&self, _name: &str, _password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        Ok(())
    }
}

struct World {
    binding: SecurityBinding,
    service: SecureConversationService,
    clients: [SecureConversationClient; 2],
    now: Timestamp,
    random: DeterministicRandom,
    /// The last message of each client, for replays.
    sent: [String; 2],
}

fuzz_target!(|operations: &[u8]| {
    let Some((first, operations)) = operations.split_first() else { return };
    // Over transport, since a private key for every request would make a sequence slow.
    let version =
        if first & 1 == 0 { MessageSecurityVersion::WSS11_FEBRUARY2005 } else { MessageSecurityVersion::WSS11_13 };
    let bootstrap = SecurityBinding::user_name_over_transport(version);
    let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
    binding.session_mut().expect("it has a session").require_cancellation = first & 2 == 0;
    binding.local_service.max_pending_sessions = 2;
    binding.local_service.max_cached_cookies = 1;
    let mut world = World {
        service: service(&binding),
        clients: ["alice", "bob"].map(|name| client(&binding, name)),
        binding,
        now: Timestamp::from_unix_seconds(1_893_488_400).expect("within range"),
        random: DeterministicRandom::new(1),
        sent: Default::default(),
    };
    for operation in operations.iter().take(64) {
        world.apply(*operation);
    }
});

impl World {
    fn apply(&mut self, operation: u8) {
        let who = usize::from(operation & 1);
        let amount = u64::from(operation >> 4);
        match operation >> 1 & 7 {
            0 => self.now = self.now.saturating_add(Duration::from_secs(amount * 60)),
            1 => self.now = self.now.saturating_add(Duration::from_secs(amount * 3600)),
            2 => self.establish(who),
            3 => self.request(who, amount & 1 == 1),
            4 => self.close(who),
            5 => self.service = service(&self.binding),
            6 => self.tamper(who, usize::from(operation)),
            _ => match self.clients[who].save() {
                Some(saved) => {
                    let restored = self.clients[1 - who].restore(&saved, self.now);
                    restored.expect("a saved session of the same service is taken up");
                }
                None => self.clients[who].forget(),
            },
        }
    }

    fn establish(&mut self, who: usize) {
        if let Ok(exchange) = self.clients[who].establish(self.now, &self.random) {
            let answer = self.deliver(exchange.envelope());
            if let Some((answer, _)) = answer {
                let _ = self.clients[who].receive(exchange, answer, self.now);
            }
        }
    }

    fn request(&mut self, who: usize, is_lost: bool) {
        let body = Body::from_xml(format!("<Who xmlns='urn:w'>{who}</Who>")).expect("it is XML");
        let Ok(exchange) = self.clients[who].request("urn:w/Who", body, self.now, &self.random) else { return };
        exchange.envelope().clone_into(&mut self.sent[who]);
        let Some((answer, is_reply)) = self.deliver(exchange.envelope()) else { return };
        if is_lost {
            return;
        }
        match self.clients[who].receive(exchange, answer, self.now) {
            Ok(Outcome::Reply(reply)) => {
                let text = reply.body().expect("TLS protects it").text().into_owned();
                assert!(is_reply && text.starts_with(&who.to_string()), "another one's reply: {text}");
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(!is_reply, "a good reply is refused: {error}"),
        }
    }

    fn close(&mut self, who: usize) {
        match self.clients[who].close(self.now, &self.random) {
            Ok(Some(exchange)) => {
                if let Some((answer, _)) = self.deliver(exchange.envelope()) {
                    let _ = self.clients[who].receive(exchange, answer, self.now);
                }
            }
            Ok(None) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// The last message again, with one octet changed.
    fn tamper(&mut self, who: usize, at: usize) {
        let mut message = self.sent[who].clone().into_bytes();
        let length = message.len();
        if let Some(octet) = message.get_mut(at * 37 % length.max(1)) {
            *octet = octet.wrapping_add(1) & 0x7f;
        }
        let _ = self.service.handle(Incoming::new(message).over_protected_channel(), self.now, &self.random);
    }

    /// The answer, and whether it is one of the application.
    fn deliver(&self, message: &str) -> Option<(String, bool)> {
        match self.service.handle(Incoming::new(message).over_protected_channel(), self.now, &self.random) {
            Handled::Request(request) => {
                let asked = request.body().expect("TLS protects it").text().into_owned();
                let caller = request.principal().name().unwrap_or_default().to_owned();
                let body = Body::from_xml(format!("<W xmlns='urn:w'>{asked} {caller}</W>")).expect("it is XML");
                let reply = request.reply("urn:w/WhoResponse", body);
                let reply = self.service.protect(&request, &reply, self.now, &self.random);
                Some((reply.expect("a request that was let in can be answered"), true))
            }
            Handled::Answer(answer) => Some((answer.envelope, false)),
            _ => None,
        }
    }
}

fn service(binding: &SecurityBinding) -> SecureConversationService {
    let start = Timestamp::from_unix_seconds(1_893_488_400).expect("within range");
    let policy = RotationPolicy::for_lifetime(Duration::from_secs(1000 * 24 * 3600));
    let ring = KeyRing::in_memory(policy, start, &DeterministicRandom::new(2)).expect("deterministic");
    SecureConversationService::builder(binding.clone())
        .user_names(Arc::new(Anybody))
        .cookies(Arc::new(NativeCookies::new(Arc::new(ring), ADDRESS)))
        .build()
        .expect("consistent settings")
}

fn client(binding: &SecurityBinding, name: &str) -> SecureConversationClient {
    SecureConversationClient::builder(binding.clone(), ADDRESS)
        .user_name(UserNameCredential::new(name, "secret"))
        .build()
        .expect("consistent settings")
}
