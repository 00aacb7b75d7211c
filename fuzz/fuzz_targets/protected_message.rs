//! Any envelope, opened as a service and as a client under many bindings: nothing is accepted that the keys did not sign, and no
//! input makes the receiver fall over. The first octet chooses the binding.
#![no_main]

use handstamp_keys::{KeyKind, SigningIdentity, SymmetricKey, SystemRandom};
use handstamp_time::Timestamp;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{
    AuthenticationMode, Expectation, IssuedTokenValidator, MemoryReplayCache, Message, MessageSecurityVersion,
    ProofKey, ProtectionOrder, Receiver, RequestContext, SecurityBinding, SessionKeyError, SessionKeys, UserNameError,
    UserNameValidator,
};
use handstamp_xml::{Document, Element, ParseOptions};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

fuzz_target!(|data: &[u8]| {
    let Some((choice, message)) = data.split_first() else { return };
    let Some(binding) = BINDINGS.get(usize::from(*choice) % BINDINGS.len()) else { return };
    let Ok(document) = Document::parse(message, &ParseOptions::default()) else { return };
    let _ = Message::read(&document);
    let now = "2026-11-21T17:23:13.397Z".parse().expect("a time");
    let request = RequestContext::default();
    let expectations = [Expectation::request(), Expectation::reply(&request), Expectation::request().cancel()];
    for expected in expectations {
        for receiver in [Receiver::service(binding), Receiver::client(binding)] {
            let Ok(document) = Document::parse(message, &ParseOptions::default()) else { return };
            let replays = MemoryReplayCache::new(4);
            let opened = receiver
                .with_identity(&IDENTITY)
                .with_peer_certificate(IDENTITY.certificate())
                .with_user_names(&Nobody)
                .with_sessions(&Nobody)
                .with_issued_tokens(&Nobody)
                .with_replay_cache(&replays)
                .over_protected_channel()
                .open(document, &expected, now);
            if let Ok(opened) = opened {
                let _ = (opened.action(), opened.body(), opened.callers().len(), opened.to_xml());
                assert!(binding.is_transport(), "only TLS vouches for what no key signed");
            }
        }
    }
});

static BINDINGS: LazyLock<Vec<SecurityBinding>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for version in [
        MessageSecurityVersion::WSS11_FEBRUARY2005,
        MessageSecurityVersion::WSS11_13_BSP,
        MessageSecurityVersion::WSS10_FEBRUARY2005_BSP,
    ] {
        for mode in AuthenticationMode::ALL {
            let Ok(binding) = SecurityBinding::for_mode(*mode, version) else { continue };
            let session = SecurityBinding::secure_conversation(binding.clone(), version);
            let renewal = session.renewal();
            for binding in [Some(binding), Some(session), renewal].into_iter().flatten() {
                let protection_order = ProtectionOrder::EncryptBeforeSign;
                all.push(SecurityBinding { protection_order, ..binding.clone() });
                all.push(binding);
            }
        }
    }
    all
});

/// A new one in each run, so no input is encrypted for it or signed by it.
static IDENTITY: LazyLock<SigningIdentity> = LazyLock::new(|| {
    let (from, to) = ("2026-01-01T00:00:00Z".parse().expect("a time"), "2027-01-01T00:00:00Z".parse().expect("a time"));
    SigningIdentity::self_signed("fuzz", KeyKind::Rsa { bits: 2048 }, from, to, &SystemRandom).expect("a new identity")
});

struct Nobody;

impl SessionKeys for Nobody {
    fn by_token(&self, _token: &SecurityContextToken, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        Ok(SymmetricKey::from_bytes(b"a key that has protected nothing"))
    }

    fn by_reference(&self, _context: &ContextReference, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        Ok(SymmetricKey::from_bytes(b"a key that has protected nothing"))
    }
}

impl UserNameValidator for Nobody {
    fn validate(&self, _name: &str, _password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        Ok(())
    }
}

impl IssuedTokenValidator for Nobody {
    fn validate(&self, _assertion: Element<'_>, _now: Timestamp) -> Result<ProofKey, String> {
        Ok(ProofKey::Symmetric(SymmetricKey::from_bytes(b"a key that has protected nothing")))
    }
}
