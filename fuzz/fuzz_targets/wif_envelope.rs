//! Any bytes as one of the two objects that a session token holds.
//!
//! What is read is written again to something that reads the same.
#![no_main]

use handstamp_session_token::wif::nrbf::{
    read_bootstrap_context, read_envelope, write_bootstrap_context, write_envelope,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(payload) = read_envelope(data) {
        assert_eq!(read_envelope(&write_envelope(payload).expect("short")).expect("our own"), payload);
    }
    if let Ok(context) = read_bootstrap_context(data) {
        let written = write_bootstrap_context(&context).expect("short");
        assert_eq!(read_bootstrap_context(&written).expect("our own"), context);
    }
});
