//! What is refused before anything starts (SC 10.6, 14.9).

use crate::support::{
    ADDRESS, PARTIES, client_builder, hours, minutes, service_builder, stateful, stateless, user_name,
};
use handstamp_secure_conversation::{
    Contract, Error, SecureConversationClient, SecureConversationService, SecureConversationServiceBuilder,
};
use handstamp_ws_security::{MessageSecurityVersion, SecurityBinding};
use std::time::Duration;

fn problem(builder: SecureConversationServiceBuilder) -> String {
    match builder.build() {
        Err(error @ Error::Configuration(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn version() -> MessageSecurityVersion {
    MessageSecurityVersion::default()
}

#[test]
fn sc_96_settings_that_do_not_go_together_are_named() {
    let changed = |change: fn(&mut SecurityBinding), binding: SecurityBinding| {
        let mut binding = binding;
        change(&mut binding);
        problem(service_builder(&binding))
    };
    let cookie = || stateful(user_name(version()));
    let text = changed(|binding| binding.local_service.max_cached_cookies = 0, cookie());
    assert!(text.contains("maxCachedCookies"));
    let text = changed(|binding| binding.local_service.issued_cookie_lifetime = Some(Duration::ZERO), cookie());
    assert!(text.contains("issuedCookieLifetime"));
    let text = changed(|binding| binding.include_timestamp = false, cookie());
    assert!(text.contains("includeTimestamp") && text.contains("detectReplays"), "finding 29");
    let text = changed(
        |binding| binding.local_service.session_key_renewal_interval = Some(minutes(1)),
        stateless(user_name(version())),
    );
    assert!(text.contains("sessionKeyRolloverInterval") && text.contains("sessionKeyRenewalInterval"), "finding 20");
    assert!(problem(SecureConversationService::builder(user_name(version()))).contains("SecureConversation"));
}

#[test]
fn sc_96_what_a_bootstrap_needs_has_to_be_there() {
    let of = |bootstrap: SecurityBinding| SecureConversationService::builder(stateless(bootstrap));
    let with_identity = |bootstrap| of(bootstrap).identity(PARTIES.service.clone());
    assert!(problem(of(user_name(version()))).contains("identity"));
    assert!(problem(with_identity(user_name(version()))).contains("validator"));
    assert!(problem(with_identity(SecurityBinding::mutual_certificate(version()))).contains("trusted"));
    assert!(problem(of(SecurityBinding::user_name_over_transport(version()))).contains("validator"));
    let client =
        |bootstrap| SecureConversationClient::builder(stateless(bootstrap), ADDRESS).build().unwrap_err().to_string();
    assert!(client(user_name(version())).contains("service's certificate"));
    assert!(client(SecurityBinding::certificate_over_transport(version())).contains("identity"));
    assert!(client(SecurityBinding::user_name_over_transport(version())).contains("password"));
}

#[test]
fn sc_30_a_stateful_service_does_not_start_without_keys_for_its_cookies() {
    let builder =
        SecureConversationService::builder(stateful(SecurityBinding::anonymous_for_certificate(version()).unwrap()))
            .identity(PARTIES.service.clone());
    let text = problem(builder);
    assert!(text.contains("requireSecurityContextCancellation") && text.contains("key ring"), "{text}");
}

#[test]
fn sc_29_contracts_that_cookies_cannot_serve_are_refused_on_both_ends() {
    for contract in [
        Contract::new("IEcho").requiring_session(),
        Contract::new("IEcho").with_callback(),
        Contract::new("IEcho").requiring_impersonation(),
    ] {
        let binding = stateful(user_name(version()));
        assert!(problem(service_builder(&binding).contract(contract.clone())).contains("IEcho"));
        assert!(client_builder(&binding).contract(contract).build().is_err());
    }
    let binding = stateless(user_name(version()));
    assert!(service_builder(&binding).contract(Contract::new("IEcho").requiring_session()).build().is_ok());
}

#[test]
fn sc_20_rollover_is_not_longer_than_renewal_at_the_client_either() {
    let mut binding = stateless(user_name(version()));
    binding.local_client.session_key_rollover_interval = hours(11);
    assert!(client_builder(&binding).build().is_err());
}
