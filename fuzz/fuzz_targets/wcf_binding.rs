//! Any text as a custom binding of WCF: it is read or refused with a line, and never panics. What was read is written, and read again
//! as the same.
#![no_main]

use handstamp_security_policy::CustomBinding;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match CustomBinding::parse(data) {
    Err(error) => assert!(!error.to_string().is_empty()),
    Ok(binding) => {
        let text = binding.to_xml().expect("what was read has words");
        assert_eq!(CustomBinding::parse(text).expect("it can be read"), binding);
    }
});
