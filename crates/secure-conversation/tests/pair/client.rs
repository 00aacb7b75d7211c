//! What a client believes, and what it does not.

use crate::support::{ADDRESS, ECHO, PARTIES, Pair, VERSIONS, client, echo, minutes, stateful, stateless, user_name};
use handstamp_secure_conversation::{Error, Exchange, Outcome, SecureConversationClient};
use handstamp_ws_security::soap::{Fault, FaultCode, QualifiedName, SecurityFault, SoapVersion};
use handstamp_ws_security::{AddressingVersion, MessageSecurityVersion, SecurityBinding, UserNameCredential};
use handstamp_xml::names;

fn both() -> [SecurityBinding; 2] {
    let version = MessageSecurityVersion::default();
    [stateful(user_name(version)), stateless(user_name(version))]
}

fn unsecured(fault: &Fault, exchange: &Exchange) -> String {
    let id = exchange.envelope().split("MessageID").nth(1).and_then(|rest| rest.split(['>', '<']).nth(1));
    fault.to_message(SoapVersion::Soap12, AddressingVersion::V10, id).unwrap()
}

#[test]
fn sc_93_an_unsecured_fault_ends_a_remembered_session_and_no_other() {
    let unknown = SecurityFault::BadContextToken { namespace: names::WSC_2005 }.to_fault();
    let [mut cookie, mut remembered] = both().map(|binding| {
        let mut pair = Pair::new(&binding);
        pair.works();
        let exchange = pair.request("hello");
        let answer = unsecured(&unknown, &exchange);
        let error = pair.client.receive(exchange, answer, pair.now).unwrap_err();
        assert!(matches!(&error, Error::Fault { is_authenticated: false, fault } if *fault == unknown), "{error}");
        pair
    });
    assert!(remembered.call("hello").is_err());
    cookie.works();
}

#[test]
fn sc_93_other_unsecured_faults_change_nothing() {
    let fault = Fault {
        code: FaultCode::Receiver,
        subcode: Some(QualifiedName::new("urn:proxy", "Busy")),
        reason: "busy".to_owned(),
    };
    for binding in both() {
        let mut pair = Pair::new(&binding);
        pair.works();
        let exchange = pair.request("hello");
        let answer = unsecured(&fault, &exchange);
        assert!(matches!(
            pair.client.receive(exchange, answer, pair.now),
            Err(Error::Fault { is_authenticated: false, .. })
        ));
        pair.works();
    }
}

#[test]
fn sc_93_unsecured_replies_are_refused() {
    for binding in both() {
        let mut pair = Pair::new(&binding);
        pair.works();
        let exchange = pair.request("hello");
        let forged = format!(
            "<s:Envelope xmlns:s='{}' xmlns:a='{}'><s:Header><a:Action>urn:echo/EchoResponse</a:Action></s:Header><s:Body><x/></s:Body></s:Envelope>",
            names::SOAP12,
            names::WSA
        );
        assert!(matches!(pair.client.receive(exchange, forged, pair.now), Err(Error::Security(_))));
        pair.works();
    }
}

#[test]
fn sc_12_4_a_large_unsecured_fault_is_not_read() {
    let mut pair = Pair::new(&both()[1]);
    pair.works();
    let exchange = pair.request("hello");
    let fault = Fault { reason: "x".repeat(20_000), ..SecurityFault::InvalidSecurity.to_fault() };
    let answer = unsecured(&fault, &exchange);
    assert!(matches!(pair.client.receive(exchange, answer, pair.now), Err(Error::TooLarge { .. })));
    pair.works();
}

#[test]
fn sc_9_a_reply_belongs_to_its_request_and_counts_once() {
    for binding in both() {
        let mut pair = Pair::new(&binding);
        pair.works();
        let requests = ["first", "second", "third", "fourth"].map(|text| pair.request(text));
        let answers = requests.each_ref().map(|request| pair.deliver(request.envelope()).envelope.unwrap());
        let [first, second, third, fourth] = requests;
        assert!(pair.client.receive(second, answers[2].clone(), pair.now).is_err(), "of another request");
        let Ok(Outcome::Reply(reply)) = pair.client.receive(first, answers[0].clone(), pair.now) else {
            panic!("refused")
        };
        assert_eq!(reply.body().unwrap().text(), "first as alice");
        assert!(pair.client.receive(fourth, answers[0].clone(), pair.now).is_err(), "SC-81");
        assert!(
            pair.client.receive(third, answers[2].clone(), pair.now).is_err(),
            "it was received, for another request"
        );
    }
}

#[test]
fn sc_13_1_a_stale_reply_is_refused_and_the_session_goes_on() {
    for binding in both() {
        let mut pair = Pair::new(&binding);
        pair.works();
        let exchange = pair.request("hello");
        let answer = pair.deliver(exchange.envelope()).envelope.unwrap();
        pair.pass(minutes(11));
        assert!(matches!(pair.client.receive(exchange, answer, pair.now), Err(Error::Security(_))), "finding 33");
        if pair.service.is_stateful() {
            pair.works();
        }
    }
}

#[test]
fn requests_need_a_session_that_is_open() {
    for binding in both() {
        let mut pair = Pair::new(&binding);
        let request = |pair: &mut Pair| pair.client.request(ECHO, echo("hello"), pair.now, &pair.random).map(drop);
        assert!(matches!(request(&mut pair), Err(Error::NoSession)));
        assert!(matches!(pair.close().unwrap(), Outcome::Closed { was_cancelled: false }), "nothing to tell anybody");
        assert!(matches!(request(&mut pair), Err(Error::SessionClosed)));
        assert!(matches!(pair.client.establish(pair.now, &pair.random), Err(Error::SessionClosed)));
        pair.client.forget();
        pair.works();
    }
}

#[test]
fn sc_15_an_answer_of_another_exchange_makes_no_session() {
    for version in VERSIONS {
        let binding = stateful(user_name(version));
        let mut pair = Pair::new(&binding);
        let mut other = client(&binding);
        let mine = pair.client.establish(pair.now, &pair.random).unwrap();
        let theirs = other.establish(pair.now, &pair.random).unwrap();
        let answer = pair.deliver(theirs.envelope()).envelope.unwrap();
        assert!(pair.client.receive(mine, answer, pair.now).is_err());
        assert!(!pair.client.has_session());
    }
}

#[test]
fn exchanges_overlap() {
    for binding in both() {
        let mut pair = Pair::new(&binding);
        pair.establish().unwrap();
        let texts = ["one", "two", "three"];
        let exchanges = texts.map(|text| pair.request(text));
        let answers = [2, 0, 1].map(|at: usize| (at, pair.deliver(exchanges[at].envelope()).envelope.unwrap()));
        let mut exchanges = exchanges.map(Some);
        for (at, answer) in answers {
            let exchange = exchanges[at].take().unwrap();
            let Ok(Outcome::Reply(reply)) = pair.client.receive(exchange, answer, pair.now) else { panic!("refused") };
            assert_eq!(reply.body().unwrap().text(), format!("{} as alice", texts[at]));
        }
    }
}

#[test]
fn secrets_are_not_shown() {
    let mut pair = Pair::new(&both()[1]);
    pair.works();
    let exchange = pair.request("confidential");
    let shown = format!("{:?} {:?} {:?}", pair.client, exchange, pair.service);
    let reply = pair.exchange(exchange).unwrap();
    let shown = format!("{shown} {reply:?}");
    assert!(
        !shown.contains("confidential") && !shown.contains("secret\"") && !shown.contains("SymmetricKey"),
        "{shown}"
    );
}

#[test]
fn sc_12_4_clients_of_many_users_share_settings_and_no_session() {
    let binding = stateless(user_name(MessageSecurityVersion::default()));
    let mut pair = Pair::new(&binding);
    assert_eq!(pair.call("hello").unwrap(), "hello as alice");
    let first = pair.client.context_id().map(str::to_owned);

    let another = pair.client.another();
    assert!(!another.has_session());
    let alice = std::mem::replace(&mut pair.client, another);
    assert_eq!(pair.call("hello").unwrap(), "hello as alice");
    assert_ne!(pair.client.context_id().map(str::to_owned), first, "a session of its own");

    pair.client = alice.for_user(UserNameCredential::new("bob", "secret"));
    assert_eq!(pair.call("hello").unwrap(), "hello as bob");
    pair.client = alice;
    assert_eq!(pair.call("hello").unwrap(), "hello as alice");
    assert_eq!(pair.client.context_id().map(str::to_owned), first, "untouched by the others");
}

#[test]
fn sc_12_4_a_kept_session_goes_on_before_anybody_has_given_a_password() {
    let binding = stateful(user_name(MessageSecurityVersion::default()));
    let mut pair = Pair::new(&binding);
    pair.works();
    let saved = pair.client.save().unwrap();

    let later = || {
        let builder = SecureConversationClient::builder(binding.clone(), ADDRESS);
        builder.service_certificate(PARTIES.service.certificate().clone()).credentials_come_later().build().unwrap()
    };
    pair.client = later();
    pair.client.restore(&saved, pair.now).unwrap();
    assert_eq!(pair.call("hello").unwrap(), "hello as alice");

    // A new session needs them.
    pair.client = later();
    let error = pair.call("hello").unwrap_err().to_string();
    assert!(error.contains("user name"), "{error}");
    pair.client.replace_user_name(UserNameCredential::new("alice", "secret"));
    assert_eq!(pair.call("hello").unwrap(), "hello as alice");
}
