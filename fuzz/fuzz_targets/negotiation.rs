//! Whoever can reach a service can send it legs of a TLS negotiation: raw records, raw bodies, and what a real client says, changed on
//! the way in either direction. Whatever comes: nothing panics, nobody gets further than an answer, an honest client is served
//! afterwards, and a client believes no answer that was not made for it.
#![no_main]

use handstamp_keys::{Curve, DeterministicRandom, KeyKind, SigningIdentity};
use handstamp_secure_conversation::{
    Event, Exchange, Handled, Incoming, Outcome, SecureConversationClient, SecureConversationService,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::{AuthenticationMode, Generation, MessageSecurityVersion, SecurityBinding};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use std::time::Duration;

const ADDRESS: &str = "http://svc.example/";

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let version = match input.octet() & 1 {
        0 => MessageSecurityVersion::WSS11_FEBRUARY2005,
        _ => MessageSecurityVersion::WSS11_13,
    };
    let bootstrap = SecurityBinding::for_mode(AuthenticationMode::AnonymousForSslNegotiated, version);
    let binding = SecurityBinding::secure_conversation(bootstrap.expect("it is there"), version);
    let mut world = World {
        service: SecureConversationService::builder(binding.clone())
            .identity(identity().clone())
            .build()
            .expect("consistent settings"),
        client: client(&binding),
        generation: version.generation,
        now: start(),
        random: DeterministicRandom::new(1),
    };
    for _ in 0..8 {
        match input.octet() {
            0 => break,
            operation => world.apply(operation, &mut input),
        }
    }
    world.serves_an_honest_client(&binding);
});

struct World {
    service: SecureConversationService,
    client: SecureConversationClient,
    generation: Generation,
    now: Timestamp,
    random: DeterministicRandom,
}

impl World {
    fn apply(&mut self, operation: u8, input: &mut Input<'_>) {
        let is_first = operation & 8 == 0;
        match operation & 7 {
            0 => self.now = self.now.saturating_add(Duration::from_secs(u64::from(input.octet()))),
            1 => self.step(None, None),
            2 => self.step(Some(input), None),
            3 => self.step(None, Some(input)),
            // Octets for TLS.
            4 | 5 => {
                let context = input.octet() & 3;
                let records = base64(input.some());
                drop(self.deliver(&self.leg(is_first, &exchange(self.generation, context, is_first, &records))));
            }
            // Any body.
            _ => {
                let body = String::from_utf8_lossy(input.some()).into_owned();
                drop(self.deliver(&self.leg(is_first, &body)));
            }
        }
    }

    /// The client's next message and its answer, changed or not.
    fn step(&mut self, request: Option<&mut Input<'_>>, answer: Option<&mut Input<'_>>) {
        let Ok(exchange) = self.client.establish(self.now, &self.random) else { return };
        let envelope = changed(exchange.envelope(), request);
        let Some((said, _)) = self.deliver(&envelope) else { return };
        let said = changed(&said, answer);
        let was_established = self.client.has_session();
        match self.client.receive(exchange, said, self.now) {
            Ok(Outcome::Established | Outcome::Negotiating) | Err(_) => {}
            Ok(other) => panic!("{other:?}"),
        }
        // However well a negotiation goes, a session comes of a protected exchange only.
        assert!(was_established || !self.client.has_session() || envelope.contains("Security "));
    }

    /// The answer, and what the service says of it. There is never anything for the application: nobody has a session yet.
    fn deliver(&self, message: &str) -> Option<(String, Event)> {
        match self.service.handle(Incoming::new(message), self.now, &self.random) {
            Handled::Answer(answer) => Some((answer.envelope, answer.event)),
            Handled::Request(_) => panic!("a request without a session is served"),
            _ => None,
        }
    }

    fn leg(&self, is_first: bool, body: &str) -> String {
        let message = if is_first { "RST" } else { "RSTR" };
        let action = format!("{}/{message}/Issue", self.generation.trust());
        format!(
            "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' xmlns:a='http://www.w3.org/2005/08/addressing'>\
             <s:Header><a:Action>{action}</a:Action><a:MessageID>urn:uuid:1</a:MessageID></s:Header><s:Body>{body}</s:Body></s:Envelope>"
        )
    }

    fn serves_an_honest_client(&mut self, binding: &SecurityBinding) {
        // Whatever was left half open is over.
        self.now = self.now.saturating_add(Duration::from_secs(60));
        self.client = client(binding);
        for _ in 0..3 {
            let exchange: Exchange = self.client.establish(self.now, &self.random).expect("it has what it needs");
            let (answer, event) = self.deliver(exchange.envelope()).expect("it is answered");
            assert!(!matches!(event, Event::Refused(_)), "{event:?}");
            self.client.receive(exchange, answer, self.now).expect("a good answer");
        }
        assert!(self.client.has_session());
    }
}

/// What is left of the input.
struct Input<'d>(&'d [u8]);

impl<'d> Input<'d> {
    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// As many octets as the next two say.
    fn some(&mut self) -> &'d [u8] {
        let length = usize::from(self.octet()) << 8 | usize::from(self.octet());
        let (some, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        some
    }
}

/// A message with one octet changed, or as it was.
fn changed(message: &str, input: Option<&mut Input<'_>>) -> String {
    let Some(input) = input else { return message.to_owned() };
    let at = usize::from(input.octet()) << 8 | usize::from(input.octet());
    let mut octets = message.as_bytes().to_vec();
    let length = octets.len().max(1);
    if let Some(octet) = octets.get_mut(at % length) {
        *octet = (*octet ^ (input.octet() | 1)) & 0x7f;
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// A request or answer that carries records.
fn exchange(generation: Generation, context: u8, is_first: bool, records: &str) -> String {
    let trust = generation.trust();
    let blank = if generation == Generation::February2005 { " " } else { "" };
    let exchange = format!(
        "<t:BinaryExchange ValueType='{blank}http://schemas.xmlsoap.org/ws/2005/02/trust/tlsnego' EncodingType='http://docs.oasis-open.org/\
         wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary'>{records}</t:BinaryExchange>"
    );
    if !is_first {
        let element = "RequestSecurityTokenResponse";
        return format!("<t:{element} xmlns:t='{trust}' Context='{context}'>{exchange}</t:{element}>");
    }
    let token_type = generation.context_token_type();
    format!(
        "<t:RequestSecurityToken xmlns:t='{trust}' Context='{context}'><t:TokenType>{token_type}</t:TokenType>\
         <t:RequestType>{trust}/Issue</t:RequestType><t:KeySize>256</t:KeySize>{exchange}</t:RequestSecurityToken>"
    )
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for group in octets.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

fn start() -> Timestamp {
    Timestamp::from_unix_seconds(1_893_488_400).expect("within range")
}

/// An elliptic curve, which is fast.
fn identity() -> &'static SigningIdentity {
    static IDENTITY: OnceLock<SigningIdentity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let end = start().saturating_add(Duration::from_secs(24 * 3600));
        let random = DeterministicRandom::new(2);
        SigningIdentity::self_signed("svc.example", KeyKind::Ec(Curve::P256), start(), end, &random).expect("a key")
    })
}

fn client(binding: &SecurityBinding) -> SecureConversationClient {
    SecureConversationClient::builder(binding.clone(), ADDRESS)
        .service_certificate(identity().certificate().clone())
        .build()
        .expect("consistent settings")
}
