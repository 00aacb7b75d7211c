//! Any lines as `Forwarded`: what is read from them could stand in a header, and says each thing once.
#![no_main]

// The file itself: the whole program would take long to build with counters in it.
#[path = "../../crates/handstamp/src/gateway/forwarded.rs"]
mod forwarded;

use forwarded::ForwardedElement;
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let lines: Vec<HeaderValue> =
        data.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let Some(elements) = ForwardedElement::parse_all(lines.iter()) else { return };
    let commas = data.iter().filter(|byte| **byte == b',').count();
    assert!(elements.len() <= lines.len() + commas);
    for value in elements.iter().flat_map(|element| [&element.for_node, &element.proto, &element.host]).flatten() {
        assert!(HeaderValue::from_str(value).is_ok(), "{value:?}");
    }
});
