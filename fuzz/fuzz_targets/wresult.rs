//! Any form body as a sign-in response: it never signs anybody in, and never panics.
#![no_main]

use handstamp_keys::{DeterministicRandom, KeyKind, KeyRing, RotationPolicy, SigningIdentity};
use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, TokenDecryption, ValidationSettings};
use handstamp_time::Timestamp;
use handstamp_ws_federation::{Limits, Message, Parameters, RelyingParty, RelyingPartySettings, Unsolicited};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

static RELYING_PARTY: LazyLock<RelyingParty> = LazyLock::new(|| {
    let random = DeterministicRandom::new(1);
    let keys = KeyRing::in_memory(RotationPolicy::default(), now(), &random).expect("a key");
    let mut settings = RelyingPartySettings::new("https://sts.example/", "https://rp.example/");
    settings.unsolicited = Unsolicited::Accept { return_urls: Vec::new() };
    let tokens = SamlTokenHandler::new(IssuerNameRegistry::new(), ValidationSettings::new(["https://rp.example/"]));
    // Encrypted tokens are looked into, too.
    let later = now().saturating_add(std::time::Duration::from_secs(86_400));
    let ours = SigningIdentity::self_signed("rp", KeyKind::Rsa { bits: 2048 }, now(), later, &random).expect("a key");
    let tokens = tokens.with_decryption(TokenDecryption::new([ours]));
    RelyingParty::new(settings, tokens, Arc::new(keys)).expect("good settings")
});

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fuzz_target!(|data: &[u8]| {
    if let Ok(form) = Parameters::parse(data, &Limits::default()) {
        let _ = Message::from_parameters(&form);
        assert!(RELYING_PARTY.receive_sign_in_response("POST", &form, [], now()).is_err());
    }
    // The same bytes as the XML alone.
    if let Ok(result) = std::str::from_utf8(data) {
        let form = Parameters::from_pairs([("wa", "wsignin1.0"), ("wresult", result)]).expect("two names");
        assert!(RELYING_PARTY.receive_sign_in_response("POST", &form, [], now()).is_err());
    }
});
