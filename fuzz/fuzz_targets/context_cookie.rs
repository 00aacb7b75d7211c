//! Any octets as the cookie of a security context token: nobody forges one, and WCF's state, which nothing protects here, is read
//! or refused.
#![no_main]

use handstamp_keys::{DeterministicRandom, KeyRing, RotationPolicy, SecureRandom};
use handstamp_secure_conversation::{ContextCookies, NativeCookies, WcfStateCookies};
use handstamp_session_token::sct_state::{SctState, SecurityStateEncoder};
use handstamp_session_token::wif::Error;
use handstamp_time::Timestamp;
use handstamp_ws_security::Generation;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

struct Fixture {
    native: NativeCookies,
    wcf: WcfStateCookies,
    now: Timestamp,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let now = Timestamp::from_unix_seconds(1_893_488_400).expect("within range");
    let ring = KeyRing::in_memory(RotationPolicy::default(), now, &DeterministicRandom::new(1)).expect("deterministic");
    let native = NativeCookies::new(Arc::new(ring), "https://ledger.example/");
    Fixture { native, wcf: WcfStateCookies::new(Arc::new(Plain)), now }
});

/// An encoder that protects nothing: what a hole in another one would let through.
#[derive(Debug)]
struct Plain;

impl SecurityStateEncoder for Plain {
    fn encode(&self, state: Vec<u8>, _random: &dyn SecureRandom) -> Result<Vec<u8>, Error> {
        Ok(state)
    }

    fn decode(&self, state: Vec<u8>) -> Result<Vec<u8>, Error> {
        Ok(state)
    }
}

fuzz_target!(|data: &[u8]| {
    let Fixture { native, wcf, now } = &*FIXTURE;
    let token = |identifier: String, instance: Option<String>, id: Option<String>| SecurityContextToken {
        id,
        context: ContextReference { generation: Generation::V13, identifier, instance },
        cookie: Some(data.to_vec()),
    };
    let any = token("urn:uuid:3f1c7c1e-0000-4000-8000-000000000002".to_owned(), None, Some("uuid-1".to_owned()));
    assert!(native.open(&any, *now).is_err(), "nobody forges a cookie");
    let _ = wcf.open(&any, *now);
    // In the token that the state itself names it opens, and says what it says.
    let Ok(state) = SctState::read(data) else { return };
    let own = token(
        state.context_id.to_string(),
        state.key_generation.as_ref().map(ToString::to_string),
        state.id.as_ref().map(ToString::to_string),
    );
    if let Ok(session) = wcf.open(&own, *now) {
        assert_eq!(session.key(), &state.key);
        let _ = wcf.seal(&session, *now, &DeterministicRandom::new(2));
    }
});
