//! Any bytes as the payload of a session token, or as the state of WCF's security context token.
//!
//! What is read is written again to something that reads the same, and its description in JSON describes it.
#![no_main]

use handstamp_session_token::json::{SctStateDescription, TokenDescription};
use handstamp_session_token::sct_state::SctState;
use handstamp_session_token::wif::{Payload, PayloadPolicy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let policy = PayloadPolicy::default();
    if let Ok(payload) = Payload::read(data, &policy)
        && let Ok(written) = payload.write()
    {
        assert_eq!(Payload::read(&written, &policy).expect("our own").write().expect("writable"), written);
        let described = TokenDescription::from(&payload).to_payload().expect("a description of ours");
        assert_eq!(described.write().expect("writable"), written);
        let _ = payload.into_token();
    }
    if let Ok(state) = SctState::read(data)
        && let Ok(written) = state.write()
    {
        assert_eq!(SctState::read(&written).expect("our own").write().expect("writable"), written);
        let described = SctStateDescription::from(&state).to_state().expect("a description of ours");
        assert_eq!(described.write().expect("writable"), written);
    }
});
