//! Bindings in code, in XML and in policies are the same bindings (SC 14, SC 16).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use handstamp_security_policy::{
    BindingTimeouts, CompressionFormat, CustomBinding, Definitions, Encoding, EncodingElement, Error,
    HostNameComparison, HttpAuthentication, HttpTransport, MessageVersion, Publication, ReaderQuotas, Role,
    SecurityElement, TransferMode, Transport, WriteEncoding,
};
use handstamp_ws_security::{
    AlgorithmSuite, AuthenticationMode, ClaimTypeRequirement, Generation, HeaderLayout, IssuedKeyType,
    IssuedTokenParameters, KeyEntropyMode, LocalClientSettings, LocalServiceSettings, MessageSecurityVersion,
    ProtectionLevel, ProtectionOrder, ReferenceStyle, SecurityBinding, TokenInclusion, TokenKind, TokenParameters,
    TokenRole, WssVersion,
};
use proptest::option::of as maybe;
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

/// The second sample of the documentation: a custom binding whose sessions are opened with certificates of both ends.
#[test]
fn sc_14_a_session_that_certificates_of_both_ends_open_is_the_same_in_code_and_xml() {
    let version = MessageSecurityVersion::WSS11_13;
    let bootstrap = SecurityElement::new(AuthenticationMode::MutualCertificate).message_security_version(version);
    let security = SecurityElement::new(AuthenticationMode::SecureConversation)
        .message_security_version(version)
        .require_security_context_cancellation(false)
        .secure_conversation_bootstrap(bootstrap);
    let built = CustomBinding::builder(security).name("mutual").build().unwrap();
    let text = r#"<customBinding>
  <binding name="mutual">
    <security authenticationMode="SecureConversation" messageSecurityVersion="WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12" requireSecurityContextCancellation="false">
      <secureConversationBootstrap authenticationMode="MutualCertificate" messageSecurityVersion="WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12"/>
    </security>
    <textMessageEncoding/>
    <httpTransport/>
  </binding>
</customBinding>
"#;
    assert_eq!(built.to_xml().unwrap(), text);
    assert_eq!(CustomBinding::parse(text).unwrap(), built);
    let session = built.security().session().unwrap();
    assert_eq!(session.bootstrap, SecurityBinding::mutual_certificate(version));
}

#[test]
fn sc_14_code_is_refused_as_xml_is() {
    let refused = |security: SecurityElement, words: &[&str]| {
        let error = CustomBinding::builder(security).build().unwrap_err();
        assert!(matches!(error, Error::Binding { .. }) && error.code() == "HST-BINDING-CONFIG");
        let text = error.to_string();
        assert!(!text.contains("line") && words.iter().all(|word| text.contains(word)), "{text}");
    };
    let session = SecurityElement::new(AuthenticationMode::SecureConversation);
    refused(session.clone(), &["secureConversationBootstrap", "SspiNegotiated"]);
    refused(SecurityElement::new(AuthenticationMode::Kerberos), &["Kerberos", "Windows security provider"]);
    refused(SecurityElement::new(AuthenticationMode::UserNameOverTransport), &["authenticationMode", "httpTransport"]);
    let user = SecurityElement::new(AuthenticationMode::UserNameForCertificate);
    let none = LocalServiceSettings { max_cached_cookies: 0, ..LocalServiceSettings::default() };
    let stateful = session.require_security_context_cancellation(false).secure_conversation_bootstrap(user.clone());
    let stateful = CustomBinding::builder(stateful.local_service_settings(none)).build().unwrap();
    let error = stateful.check_for(Role::Service).unwrap_err().to_string();
    assert!(error.contains("maxCachedCookies") && error.contains("requireSecurityContextCancellation"), "{error}");
    let many = LocalClientSettings { replay_cache_size: usize::MAX, ..LocalClientSettings::default() };
    refused(user.clone().local_client_settings(many), &["replayCacheSize"]);
    let name = CustomBinding::builder(user.clone()).name("\u{1}").build().unwrap_err();
    assert!(matches!(name, Error::Binding { .. }), "{name}");
    for (http, word) in [
        (HttpTransport { transfer_mode: TransferMode::Streamed, ..HttpTransport::default() }, "transferMode"),
        (HttpTransport { manual_addressing: true, ..HttpTransport::default() }, "manualAddressing"),
    ] {
        let error = CustomBinding::builder(user.clone()).http_transport(http).build().unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("authenticationMode"), "{error}");
    }
    let basic = HttpTransport { authentication_scheme: HttpAuthentication::Basic.into(), ..HttpTransport::default() };
    let basic = CustomBinding::builder(user.clone()).http_transport(basic).build().unwrap();
    assert!(basic.check_http().unwrap_err().to_string().contains("authenticationScheme"));
    let none = EncodingElement::text(MessageVersion { soap: None, addressing: None });
    let error = CustomBinding::builder(user).encoding(none).build().unwrap_err().to_string();
    assert!(error.contains("messageVersion") && error.contains("authenticationMode"), "{error}");
}

#[test]
fn sc_14_2_what_no_mode_has_is_named_so() {
    let token = TokenParameters::new(TokenKind::X509, TokenInclusion::AlwaysToRecipient)
        .without_derived_keys()
        .with_reference(ReferenceStyle::IssuerSerial);
    let binding = SecurityBinding::anonymous_for_certificate(MessageSecurityVersion::WSS11_13)
        .unwrap()
        .with_supporting(token, TokenRole::SignedEndorsing);
    assert!(SecurityElement::of(&binding).unwrap_err().to_string().contains("authenticationMode"));
}

fn versions() -> impl Strategy<Value = MessageSecurityVersion> {
    select(vec![
        MessageSecurityVersion::WSS11_FEBRUARY2005,
        MessageSecurityVersion::WSS10_FEBRUARY2005_BSP,
        MessageSecurityVersion::WSS11_FEBRUARY2005_BSP,
        MessageSecurityVersion::WSS10_13_BSP,
        MessageSecurityVersion::WSS11_13,
        MessageSecurityVersion::WSS11_13_BSP,
    ])
}

fn modes() -> impl Strategy<Value = AuthenticationMode> {
    let available = |mode: &&AuthenticationMode| {
        let name = mode.name();
        !name.contains("Kerberos") && !name.contains("Sspi") && name != "SecureConversation"
    };
    select(AuthenticationMode::ALL.iter().copied().filter(|mode| available(&mode)).collect::<Vec<_>>())
}

fn seconds(least: u64, most: u64) -> impl Strategy<Value = Duration> {
    (least * 10_000_000..most * 10_000_000).prop_map(|ticks| Duration::from_nanos(ticks * 100))
}

fn forever_or(span: impl Strategy<Value = Duration>) -> impl Strategy<Value = Option<Duration>> {
    maybe(span)
}

prop_compose! {
    fn service_settings()(
        flags in any::<[bool; 2]>(),
        counts in [0_usize..1000, 1..2_000_000, 1..1000, 1..2000],
        cookie in forever_or(seconds(1, 100_000)),
        renewal in forever_or(seconds(400, 1_000_000)),
        spans in [seconds(0, 400), seconds(0, 400), seconds(0, 400), seconds(0, 400), seconds(0, 400), seconds(0, 400)],
        forever in any::<bool>(),
    ) -> LocalServiceSettings {
        let [negotiation_timeout, inactivity_timeout, rollover, timestamp_validity, skew, replay_window] = spans;
        let mut settings = LocalServiceSettings {
            detect_replays: flags[0],
            issued_cookie_lifetime: cookie,
            max_stateful_negotiations: counts[0],
            replay_cache_size: counts[1],
            negotiation_timeout,
            inactivity_timeout,
            session_key_renewal_interval: renewal,
            session_key_rollover_interval: rollover,
            reconnect_transport_on_failure: flags[1],
            max_pending_sessions: counts[2],
            max_cached_cookies: counts[3],
            timestamp_validity,
            ..LocalServiceSettings::default()
        };
        settings.freshness.max_clock_skew = if forever { Duration::from_secs(922_337_203_685) } else { skew };
        settings.freshness.replay_window = replay_window;
        settings
    }
}

prop_compose! {
    fn client_settings()(
        flags in any::<[bool; 3]>(),
        replay_cache_size in 1_usize..2_000_000,
        caching in forever_or(seconds(0, 100_000)),
        renewal in forever_or(seconds(400, 1_000_000)),
        spans in [seconds(0, 400), seconds(0, 400), seconds(0, 400), seconds(0, 400)],
        percentage in 0_u8..=100,
    ) -> LocalClientSettings {
        let [rollover, timestamp_validity, skew, replay_window] = spans;
        let mut settings = LocalClientSettings {
            cache_cookies: flags[0],
            detect_replays: flags[1],
            replay_cache_size,
            max_cookie_caching_time: caching,
            session_key_renewal_interval: renewal,
            session_key_rollover_interval: rollover,
            reconnect_transport_on_failure: flags[2],
            timestamp_validity,
            cookie_renewal_threshold_percentage: percentage,
            ..LocalClientSettings::default()
        };
        settings.freshness.max_clock_skew = skew;
        settings.freshness.replay_window = replay_window;
        settings
    }
}

prop_compose! {
    fn issued_tokens()(
        key_type in select(vec![IssuedKeyType::Symmetric, IssuedKeyType::Asymmetric, IssuedKeyType::Bearer]),
        texts in [maybe("urn:[a-z<&\"']{1,9}"), maybe("urn:[a-z]{1,9}"), maybe("urn:[a-z\u{e4}\t]{1,9}")],
        flags in any::<[bool; 3]>(),
    ) -> IssuedTokenParameters {
        let [token_type, issuer, claim] = texts;
        IssuedTokenParameters {
            key_type,
            token_type,
            issuer,
            key_size: flags[0].then_some(256),
            use_str_transform: flags[1],
            claim_types: claim.map(|claim_type| ClaimTypeRequirement { claim_type, is_optional: flags[2] }).into_iter().collect(),
            additional: flags[2].then(|| "<x:y xmlns:x=\"urn:x\" a=\"1\">\n <x:z></x:z></x:y>".to_owned()).into_iter().collect(),
        }
    }
}

/// An element with anything in it; not every one is possible.
fn element(mode: impl Strategy<Value = AuthenticationMode> + 'static) -> BoxedStrategy<SecurityElement> {
    let words = (
        maybe(select(AlgorithmSuite::ALL)),
        maybe(select(vec![
            HeaderLayout::Strict,
            HeaderLayout::Lax,
            HeaderLayout::LaxTimestampFirst,
            HeaderLayout::LaxTimestampLast,
        ])),
        maybe(select(vec![KeyEntropyMode::Combined, KeyEntropyMode::Client, KeyEntropyMode::Server])),
        maybe(select(vec![
            ProtectionOrder::SignBeforeEncrypt,
            ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
            ProtectionOrder::EncryptBeforeSign,
        ])),
        maybe(versions()),
    );
    let children =
        (maybe(issued_tokens().boxed()), maybe(service_settings().boxed()), maybe(client_settings().boxed()));
    (mode, words, any::<[Option<bool>; 9]>(), children)
        .prop_map(|(mode, words, flags, (issued, service, client))| {
            let mut element = SecurityElement::new(mode).allow_insecure_transport(true);
            let (suite, layout, entropy, order, version) = words;
            macro_rules! say {
            ($($value:expr => $method:ident;)+) => {
                $(if let Some(value) = $value { element = element.$method(value); })+
            };
        }
            say! {
                suite => default_algorithm_suite;
                layout => security_header_layout;
                entropy => key_entropy_mode;
                order => message_protection_order;
                version => message_security_version;
                flags[0] => allow_serialized_signing_token_on_reply;
                flags[1] => enable_unsecured_response;
                flags[2] => require_derived_keys;
                flags[3] => include_timestamp;
                flags[4] => protect_tokens;
                flags[5] => require_security_context_cancellation;
                flags[6] => require_signature_confirmation;
                flags[7] => can_renew_security_context_token;
                issued => issued_token_parameters;
                service => local_service_settings;
                client => local_client_settings;
            }
            element
        })
        .boxed()
}

fn security() -> BoxedStrategy<SecurityElement> {
    let session = (element(Just(AuthenticationMode::SecureConversation)), element(modes()))
        .prop_map(|(session, bootstrap)| session.secure_conversation_bootstrap(bootstrap));
    prop_oneof![element(modes()), session].boxed()
}

prop_compose! {
    fn encodings()(
        encoding in select(vec![Encoding::Text, Encoding::Mtom, Encoding::Binary]),
        version in select(vec![
            "Soap11WSAddressing10", "Soap12WSAddressing10", "Soap11WSAddressingAugust2004", "Soap12WSAddressingAugust2004",
        ]),
        write_encoding in select(vec![WriteEncoding::Utf8, WriteEncoding::Utf16, WriteEncoding::Utf16BigEndian]),
        compression_format in select(vec![CompressionFormat::None, CompressionFormat::GZip, CompressionFormat::Deflate]),
        sizes in [1_usize..1_000_000, 1..1000, 0..1_000_000],
    ) -> EncodingElement {
        let version = MessageVersion::from_name(version).unwrap();
        let [size, pool, quota] = sizes;
        // What another encoding has is of no effect, and not written.
        let mut element = match encoding {
            Encoding::Text => EncodingElement { write_encoding, ..EncodingElement::text(version) },
            Encoding::Mtom => {
                EncodingElement { write_encoding, max_buffer_size: size, ..EncodingElement::mtom(version) }
            }
            Encoding::Binary => {
                EncodingElement { compression_format, max_session_size: size, ..EncodingElement::binary() }
            }
        };
        element.pools.max_read_pool_size = pool;
        element.reader_quotas = ReaderQuotas { max_array_length: quota, ..ReaderQuotas::default() };
        element
    }
}

prop_compose! {
    fn transports()(
        flags in any::<[bool; 6]>(),
        size in 1_u64..10_000_000,
        host_name_comparison in select(vec![
            HostNameComparison::StrongWildcard, HostNameComparison::Exact, HostNameComparison::WeakWildcard,
        ]),
        proxy_address in maybe("http://[a-z]{1,9}:3128"),
        request_initialization_timeout in seconds(0, 100),
    ) -> (bool, HttpTransport) {
        let http = HttpTransport {
            max_received_message_size: size,
            allow_cookies: flags[0],
            decompression_enabled: flags[1],
            keep_alive_enabled: flags[2],
            host_name_comparison,
            proxy_authentication_scheme: if flags[3] { HttpAuthentication::Ntlm } else { HttpAuthentication::Anonymous },
            realm: proxy_address.clone(),
            proxy_address,
            request_initialization_timeout,
            ..HttpTransport::default()
        };
        (flags[4], http)
    }
}

fn custom_binding() -> impl Strategy<Value = CustomBinding> {
    let timeouts = [forever_or(seconds(1, 1000)), forever_or(seconds(1, 1000))];
    (security(), encodings().boxed(), transports().boxed(), timeouts, "[a-zA-Z0-9 .<&\"]{0,12}").prop_filter_map(
        "refused (SC 14.9)",
        |(security, encoding, (is_https, http), [send, receive], name)| {
            let timeouts = BindingTimeouts { send, receive, ..BindingTimeouts::default() };
            let builder = CustomBinding::builder(security).name(name).timeouts(timeouts).encoding(encoding);
            let builder = if is_https { builder.https_transport(http, true) } else { builder.http_transport(http) };
            builder.build().ok()
        },
    )
}

const PLAIN: &str = r#"<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:l"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" targetNamespace="urn:l">
  <w:message name="M"><w:part name="p" element="t:M"/></w:message>
  <w:portType name="T"><w:operation name="O"><w:input message="t:M"/></w:operation></w:portType>
  <w:binding name="B" type="t:T"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="O"><soap:operation soapAction="urn:o"/><w:input><soap:body use="literal"/></w:input></w:operation></w:binding>
  <w:service name="S"><w:port name="P" binding="t:B"><soap:address location="http://l.example/"/></w:port></w:service>
</w:definitions>"#;

/// What a policy says of a binding: not how long things may take and how much each end keeps, which are its own business; not
/// the attributes of the Basic Security Profile, what replies may lack, transforms through references, and what clients add to
/// requests for tokens; and in WS-SecurityPolicy 1.1 not whether keys are renewed.
fn as_a_policy_says(mut binding: SecurityBinding) -> SecurityBinding {
    (binding.local_service, binding.local_client) = (LocalServiceSettings::default(), LocalClientSettings::default());
    if !binding.include_timestamp {
        // Replays are told by the timestamp.
        (binding.local_service.detect_replays, binding.local_client.detect_replays) = (false, false);
    }
    binding.version.basic_security_profile = binding.version.wss == WssVersion::V10;
    binding.allow_insecure_transport = false;
    binding.enable_unsecured_response = false;
    binding.allow_serialized_signing_token_on_reply = false;
    if binding.is_transport() {
        // Nothing is encrypted and signed in messages.
        (binding.protection_order, binding.protect_tokens) = (ProtectionOrder::default(), false);
    }
    let issued = |token: &mut TokenParameters| {
        if let TokenKind::Issued(issued) = &mut token.kind {
            (issued.use_str_transform, issued.additional) = (false, Vec::new());
        }
    };
    if let handstamp_ws_security::Protection::Symmetric { token } = &mut binding.protection {
        issued(token);
    }
    for supporting in &mut binding.supporting_tokens {
        issued(&mut supporting.parameters);
        if !supporting.role.endorses() {
            supporting.parameters.require_derived_keys = false;
        }
    }
    let generation = binding.version.generation;
    if let Some(session) = binding.session_mut() {
        session.can_renew |= !session.require_cancellation || generation == Generation::February2005;
        session.bootstrap = as_a_policy_says(session.bootstrap.clone());
    }
    binding
}

proptest! {
    #[test]
    fn sc_14_code_and_xml_are_the_same_binding(binding in custom_binding()) {
        let text = binding.to_xml().unwrap();
        let read = CustomBinding::parse(text.as_str()).unwrap();
        prop_assert_eq!(&read, &binding);
        prop_assert_eq!(read.to_xml().unwrap(), text);
        let element = SecurityElement::of(binding.security()).unwrap();
        let again = CustomBinding::builder(element)
            .encoding(binding.encoding_element().clone())
            .timeouts(binding.timeouts().clone())
            .name(binding.name().unwrap());
        let again = match binding.transport() {
            Transport::Http => again.http_transport(binding.http().clone()),
            Transport::Https { require_client_certificate } => {
                again.https_transport(binding.http().clone(), require_client_certificate)
            }
        };
        prop_assert_eq!(again.build().unwrap(), binding);
    }

    /// Of many texts that differ in an octet from a good one, some are good: these are written and read as the same, too.
    #[test]
    fn sc_14_whatever_is_read_is_written_as_the_same(
        binding in custom_binding(),
        at in any::<prop::sample::Index>(),
        octet in select(b"0123456789.:<>\"' /=abTF&;\t\n".to_vec()),
    ) {
        let mut text = binding.to_xml().unwrap().into_bytes();
        let at = at.index(text.len());
        text[at] = octet;
        if let Ok(read) = CustomBinding::parse(text) {
            let written = read.to_xml().unwrap();
            prop_assert_eq!(CustomBinding::parse(written).unwrap(), read);
        }
    }

    #[test]
    fn sc_16_a_policy_says_what_the_xml_says(binding in custom_binding()) {
        let text = binding.to_xml().unwrap();
        let security = CustomBinding::parse(text).unwrap().security().clone();
        let require_client_certificate =
            matches!(binding.transport(), Transport::Https { require_client_certificate: true });
        let publication = Publication {
            port: None,
            address: "https://l.example/",
            security: &security,
            message_version: binding.message_version(),
            encoding: binding.encoding(),
            require_client_certificate,
            certificate: None,
            protection: ProtectionLevel::EncryptAndSign,
        };
        let plain = Definitions::parse(PLAIN).unwrap();
        let wsdl = plain.publish(&publication, str::to_owned).unwrap().remove(0).text;
        let endpoint = Definitions::parse(wsdl).unwrap().endpoints().unwrap().remove(0);
        prop_assert_eq!(endpoint.encoding, binding.encoding());
        prop_assert_eq!(endpoint.message_version, binding.message_version());
        let said = endpoint.security.unwrap();
        prop_assert_eq!(&said, &as_a_policy_says(security));
        // And from the policy back to XML.
        let element = SecurityElement::of(&said);
        prop_assert!(element.is_ok(), "{:?} {}", said, element.unwrap_err());
        let element = element.unwrap().allow_insecure_transport(true);
        let back = CustomBinding::builder(element).https_transport(HttpTransport::default(), false).build();
        prop_assert!(back.is_ok(), "{:?}", back);
    }
}
