//! Any bytes at the beginning of a connection as a header of the PROXY protocol: what is whole is not whole before its end, and
//! nothing after it changes what it says.
#![no_main]

// The file itself: the whole program would take long to build with counters in it.
#[path = "../../crates/handstamp/src/gateway/proxy_protocol.rs"]
mod proxy_protocol;

use libfuzzer_sys::fuzz_target;
use proxy_protocol::ProxyHeader;

fuzz_target!(|data: &[u8]| {
    match ProxyHeader::parse(data) {
        ProxyHeader::Complete { length, source } => {
            assert!(length <= data.len() && length <= ProxyHeader::MAX_LENGTH);
            assert_eq!(ProxyHeader::parse(&data[..length]), ProxyHeader::Complete { length, source });
            for end in 0..length {
                assert_eq!(ProxyHeader::parse(&data[..end]), ProxyHeader::Incomplete, "{end} of {length}");
            }
        }
        ProxyHeader::Incomplete => assert!(data.len() < ProxyHeader::MAX_LENGTH),
        ProxyHeader::Malformed => {}
    }
});
