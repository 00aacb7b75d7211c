//! Any text as a custom binding of WCF: it is read or refused with a line, and never panics.
#![no_main]

use handstamp_security_policy::CustomBinding;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Err(error) = CustomBinding::parse(data) {
        assert!(!error.to_string().is_empty());
    }
});
