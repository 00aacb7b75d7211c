//! Any text as a WSDL: reading its policies and publishing it again end within bounds, and never panic.
#![no_main]

use handstamp_security_policy::{Definitions, Encoding, MessageVersion, Publication};
use handstamp_ws_security::{MessageSecurityVersion, ProtectionLevel, SecurityBinding};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(definitions) = Definitions::parse_with(data, |_: &str| Ok::<_, String>(data.to_vec())) else { return };
    let _ = definitions.ports();
    let _ = definitions.endpoints();
    let _ = definitions.plain(None, "http://plain.example/", str::to_owned);
    let security = SecurityBinding::mutual_certificate(MessageSecurityVersion::WSS11_13);
    let publication = Publication {
        port: None,
        address: "https://published.example/",
        security: &security,
        message_version: MessageVersion::default(),
        encoding: Encoding::Text,
        require_client_certificate: false,
        certificate: Some(data),
        protection: ProtectionLevel::EncryptAndSign,
    };
    let _ = definitions.publish(&publication, str::to_owned);
});
