//! What one address, and all of them together, get of a service (SC 7.4, 13.3, 19.4, 19.13).

use crate::support::{
    DNSE, Pair, S05, client, hours, minutes, sender, service_builder, stateful, stateless, user_name,
};
use handstamp_secure_conversation::{
    AddressLimits, Allowance, Answer, Error, Event, Exchange, Handled, Incoming, SecureConversationClient,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::FaultCode;
use handstamp_ws_security::{
    Error as SecurityError, MessageSecurityVersion, ReplayCache, SecurityBinding, UserNameError,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn both() -> [SecurityBinding; 2] {
    let bootstrap = user_name(MessageSecurityVersion::default());
    [stateful(bootstrap.clone()), stateless(bootstrap)]
}

fn one() -> Option<IpAddr> {
    Some("192.0.2.1".parse().unwrap())
}

fn other() -> Option<IpAddr> {
    Some("192.0.2.2".parse().unwrap())
}

fn from(pair: &Pair, exchange: &Exchange, address: Option<IpAddr>) -> Handled {
    envelope_from(pair, exchange.envelope(), address)
}

fn envelope_from(pair: &Pair, envelope: &str, address: Option<IpAddr>) -> Handled {
    pair.service.handle(Incoming::new(envelope).from_address(address), pair.now, &pair.random)
}

fn is_issued(handled: &Handled) -> bool {
    matches!(handled, Handled::Answer(Answer { event: Event::Issued { .. }, .. }))
}

fn is_too_busy(handled: &Handled) -> bool {
    let Handled::Answer(Answer { fault: Some(fault), .. }) = handled else { return false };
    let subcode = fault.subcode.as_ref().unwrap();
    fault.code == FaultCode::Receiver && subcode.namespace == DNSE && subcode.local_name == "ServerTooBusy"
}

fn few(token_requests: u32, refusals: u32) -> AddressLimits {
    let interval = Duration::from_secs(60);
    AddressLimits {
        token_requests: Allowance { burst: token_requests, interval },
        refusals: Allowance { burst: refusals, interval },
    }
}

/// A client of its own and its request for a session.
fn asking(pair: &Pair, binding: &SecurityBinding) -> (SecureConversationClient, Exchange) {
    let mut client = client(binding);
    let exchange = client.establish(pair.now, &pair.random).unwrap();
    (client, exchange)
}

#[test]
fn sc_19_13_requests_for_tokens_are_limited_for_each_address() {
    for binding in both() {
        let service = service_builder(&binding).address_limits(few(2, 100)).build().unwrap();
        let mut pair = Pair::of(service, client(&binding));
        let ask = |pair: &Pair, address| from(pair, &asking(pair, &binding).1, address);
        assert!(is_issued(&ask(&pair, one())) && is_issued(&ask(&pair, one())));
        let refused = ask(&pair, one());
        assert!(is_too_busy(&refused));
        let Handled::Answer(Answer { event: Event::Refused(Error::TooManyTokenRequests), .. }) = refused else {
            panic!("{refused:?}")
        };
        assert!(is_issued(&ask(&pair, other())) && is_issued(&ask(&pair, None)));
        pair.pass(minutes(1));
        assert!(is_issued(&ask(&pair, one())) && is_too_busy(&ask(&pair, one())));
    }
}

/// The limit is for requests for tokens: messages in sessions are not counted.
#[test]
fn sc_19_13_sessions_go_on_whatever_their_address_asks_for() {
    for binding in both() {
        let service = service_builder(&binding).address_limits(few(1, 100)).build().unwrap();
        let mut pair = Pair::of(service, client(&binding));
        pair.works();
        assert!(is_issued(&from(&pair, &asking(&pair, &binding).1, one())));
        assert!(is_too_busy(&from(&pair, &asking(&pair, &binding).1, one())));
        let request = pair.request("hello");
        assert!(matches!(from(&pair, &request, one()), Handled::Request(_)));
    }
}

/// Enough refusals to ask an oracle are not to be had from one address.
#[test]
fn sc_19_4_who_is_refused_too_often_is_not_looked_at() {
    for binding in both() {
        let service = service_builder(&binding).address_limits(few(100, 3)).build().unwrap();
        let mut pair = Pair::of(service, client(&binding));
        pair.works();
        for _ in 0..3 {
            let forged = pair.request("hello").envelope().replace("CipherValue>", "CipherValue>AAAA");
            let Handled::Answer(Answer { fault: Some(fault), .. }) = envelope_from(&pair, &forged, one()) else {
                panic!("answered")
            };
            assert_eq!(fault.subcode.unwrap().local_name, "InvalidSecurity");
        }
        let good = pair.request("hello");
        assert!(matches!(from(&pair, &good, one()), Handled::Dropped(Error::TooManyRefusals)));
        assert!(matches!(from(&pair, &good, other()), Handled::Request(_)));
        pair.pass(minutes(1));
        let good = pair.request("hello");
        assert!(matches!(from(&pair, &good, one()), Handled::Request(_)));
    }
}

/// Who is told that the password is wrong may forget it: that is said of what was refused only, and nobody has to answer for it.
#[test]
fn sc_12_2_a_password_that_cannot_be_checked_now_is_not_refused() {
    for binding in both() {
        let overloaded = |_: &str, _: &str, _| Err(UserNameError::Undecided("too many at once".to_owned()));
        let builder = service_builder(&binding).user_names(Arc::new(overloaded));
        let pair = Pair::of(builder.address_limits(few(100, 3)).build().unwrap(), client(&binding));
        for _ in 0..10 {
            assert!(is_too_busy(&from(&pair, &asking(&pair, &binding).1, one())));
        }
    }
}

/// That a session is not known any more is no offence: after a restart all clients of an address learn that.
#[test]
fn sc_19_4_unknown_contexts_are_not_counted() {
    let binding = both()[1].clone();
    let service = service_builder(&binding).address_limits(few(100, 3)).build().unwrap();
    let mut pair = Pair::of(service, client(&binding));
    pair.works();
    let request = pair.request("hello");
    assert!(pair.service.end(&pair.client.context_id().unwrap().parse().unwrap()));
    for _ in 0..10 {
        let Handled::Answer(answer) = from(&pair, &request, one()) else { panic!("answered") };
        assert_eq!(answer.fault.unwrap().subcode.unwrap().local_name, "BadContextToken");
    }
}

/// Who sits on the line and asks from many addresses finds the session gone.
#[test]
fn sc_19_4_a_session_that_is_probed_hundreds_of_times_is_over() {
    let mut pair = Pair::new(&both()[1]);
    pair.works();
    let forged = pair.request("hello").envelope().replace("CipherValue>", "CipherValue>AAAA");
    for _ in 0..256 {
        assert_eq!(pair.deliver(&forged).code().2, "InvalidSecurity");
    }
    let request = pair.request("hello");
    assert_eq!(pair.deliver(request.envelope()).code(), sender(S05, "BadContextToken"));
}

/// A memory of messages that is full or does not answer refuses everybody; that is no probing.
#[test]
fn sc_19_4_what_this_end_cannot_remember_is_not_counted() {
    let errors: [fn() -> SecurityError; 2] = [
        || SecurityError::ReplayCacheFull { capacity: 1 },
        || SecurityError::ReplayMemory("the store is away".to_owned()),
    ];
    for error in errors {
        let memory = Arc::new(Forgetful { error, is_away: AtomicBool::new(false) });
        let builder = service_builder(&both()[1]).address_limits(few(100, 3)).replay_cache(memory.clone());
        let mut pair = Pair::of(builder.build().unwrap(), client(&both()[1]));
        pair.works();
        memory.is_away.store(true, Ordering::Relaxed);
        for _ in 0..300 {
            let request = pair.request("hello");
            let Handled::Answer(Answer { fault: Some(fault), .. }) = from(&pair, &request, one()) else {
                panic!("answered")
            };
            assert_eq!(fault.subcode.unwrap().local_name, "InvalidSecurity");
        }
        memory.is_away.store(false, Ordering::Relaxed);
        let request = pair.request("hello");
        assert!(matches!(from(&pair, &request, one()), Handled::Request(_)));
    }
}

/// A memory of messages that is not always there.
struct Forgetful {
    error: fn() -> SecurityError,
    is_away: AtomicBool,
}

impl ReplayCache for Forgetful {
    fn contains(&self, _signature_value: &[u8], _now: Timestamp) -> bool {
        false
    }

    fn add(&self, _signature_value: &[u8], _expires: Timestamp, _now: Timestamp) -> Result<(), SecurityError> {
        if self.is_away.load(Ordering::Relaxed) { Err((self.error)()) } else { Ok(()) }
    }
}

#[test]
fn sc_13_3_remembered_sessions_are_limited_and_cookies_are_not() {
    let [sealed, remembered] = both();
    for (binding, limited) in [(remembered, true), (sealed, false)] {
        let service = service_builder(&binding).max_sessions(2).receive_timeout(hours(1)).build().unwrap();
        let mut pair = Pair::of(service, client(&binding));
        for number in 0..4 {
            pair.client = client(&binding);
            let called = pair.call("hello");
            assert_eq!(called.is_err(), limited && number >= 2, "{number} {called:?}");
        }
        if limited {
            pair.pass(hours(1));
            pair.client = client(&binding);
            pair.works();
        }
    }
}

#[test]
fn sc_43_one_address_has_at_most_half_of_the_sessions_that_wait() {
    let mut binding = both()[1].clone();
    binding.local_service.max_pending_sessions = 4;
    let pair = Pair::new(&binding);
    let ask = |address| from(&pair, &asking(&pair, &binding).1, address);
    assert!(is_issued(&ask(one())) && is_issued(&ask(one())));
    let Handled::Answer(third) = ask(one()) else { panic!("answered") };
    assert_eq!(third.fault.unwrap().subcode.unwrap().local_name, "ServerTooBusy");
    assert!(is_issued(&ask(other())) && is_issued(&ask(other())));
    let Handled::Answer(full) = ask(None) else { panic!("answered") };
    assert_eq!(full.fault.unwrap().subcode.unwrap().local_name, "ServerTooBusy");
}

/// As WCF sweeps them: after twice `inactivityTimeout` at the latest, also when other addresses have left room.
#[test]
fn sc_43_what_an_address_leaves_unused_is_its_own_again_when_it_has_timed_out() {
    let mut binding = both()[1].clone();
    binding.local_service.max_pending_sessions = 8;
    let mut pair = Pair::new(&binding);
    let ask = |pair: &Pair, address| from(pair, &asking(pair, &binding).1, address);
    for _ in 0..4 {
        assert!(is_issued(&ask(&pair, one())));
    }
    assert!(is_too_busy(&ask(&pair, one())));
    pair.pass(minutes(4).checked_sub(Duration::from_millis(1)).unwrap());
    assert!(is_too_busy(&ask(&pair, one())));
    pair.pass(Duration::from_millis(1));
    assert!(is_issued(&ask(&pair, one())));
}

/// Finding 40.
#[test]
fn sc_43_of_two_sessions_that_may_wait_one_address_has_both() {
    let mut binding = both()[1].clone();
    binding.local_service.max_pending_sessions = 2;
    let pair = Pair::new(&binding);
    let ask = || from(&pair, &asking(&pair, &binding).1, one());
    assert!(is_issued(&ask()) && is_issued(&ask()) && is_too_busy(&ask()));
}
