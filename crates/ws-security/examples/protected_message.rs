//! A SOAP message as WCF's `UserNameForCertificate` wants it: written by a client, opened by a service.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_keys::{KeyKind, SigningIdentity, SystemRandom};
use handstamp_time::{Clock, SystemClock, Timestamp};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{
    AddressingVersion, Body, Expectation, MemoryReplayCache, Message, MessageSecurityVersion, Receiver,
    SecurityBinding, Sender, UserNameCredential, UserNameError, UserNameValidator,
};
use handstamp_xml::{Document, ParseOptions};
use std::error::Error;
use std::time::Duration;

/// One user. A real service asks its directory.
struct Accounts;

impl UserNameValidator for Accounts {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        let known = (name, password) == ("alice", "secret");
        known.then_some(()).ok_or_else(|| UserNameError::Refused("unknown name or wrong password".to_owned()))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let now = SystemClock.now();
    let year = now.saturating_add(Duration::from_secs(365 * 24 * 3600));
    let service = SigningIdentity::self_signed("ledger", KeyKind::Rsa { bits: 2048 }, now, year, &SystemRandom)?;
    // Both ends have the same binding; messages choose nothing.
    let binding = SecurityBinding::user_name_for_certificate(MessageSecurityVersion::default())?;

    // The client knows the service's certificate.
    let user_name = UserNameCredential::new("alice", "secret");
    let sender = Sender::client(&binding).with_peer_certificate(service.certificate()).with_user_name(&user_name);
    let message = Message::request(
        SoapVersion::Soap12,
        AddressingVersion::V10,
        "urn:ledger/Balance",
        "http://ledger.example/",
        "urn:uuid:03f2e56d-96c5-4c29-beed-e428fafb07ab",
    );
    let message = message.with_body(Body::from_xml("<Balance xmlns='urn:ledger'><account>7</account></Balance>")?);
    let sent = sender.protect(&message, &SystemRandom, now)?.envelope;
    println!("{} bytes, and neither name nor account can be read in them", sent.len());
    assert!(!sent.contains("alice") && !sent.contains("account"));

    // The service.
    let replays = MemoryReplayCache::new(1000);
    let receiver =
        Receiver::service(&binding).with_identity(&service).with_user_names(&Accounts).with_replay_cache(&replays);
    let open = |text: &str| -> Result<_, Box<dyn Error>> {
        let document = Document::parse(text.to_owned(), &ParseOptions::default())?;
        Ok(receiver.open(document, &Expectation::request(), now)?)
    };
    let opened = open(&sent)?;
    println!("{} was called", opened.action().ok_or("no action")?);
    assert_eq!(opened.body().ok_or("no body")?.text(), "7");
    println!("{}", open(&sent).expect_err("the same message again"));
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}
