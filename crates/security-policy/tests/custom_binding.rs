//! Custom bindings as WCF writes them, and everything that is refused (SC 14).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use handstamp_security_policy::{
    CompressionFormat, CustomBinding, Encoding, HostNameComparison, HttpAuthentication, MessageVersion, Role,
    TransferMode, Transport, WriteEncoding,
};
use handstamp_ws_security::{
    AlgorithmSuite, AuthenticationMode, HeaderLayout, IssuedKeyType, KeyEntropyMode, MessageSecurityVersion,
    Protection, ProtectionOrder, SecurityBinding, TokenKind,
};
use std::time::Duration;

const SESSION: &str = r#"authenticationMode="SecureConversation""#;
const USER: &str = r#"<secureConversationBootstrap authenticationMode="UserNameForCertificate"/>"#;

fn with(attributes: &str, children: &str) -> String {
    stack(&format!("<security {attributes}>{children}</security>"), "<textMessageEncoding/>", "<httpTransport/>")
}

fn stack(security: &str, encoding: &str, transport: &str) -> String {
    format!("<customBinding>\n<binding name=\"b\">\n{security}\n{encoding}\n{transport}\n</binding></customBinding>")
}

fn read(text: &str) -> CustomBinding {
    CustomBinding::parse(text).unwrap()
}

/// Every word stands in the message.
fn refused(text: &str, words: &[&str]) {
    let message = CustomBinding::parse(text).unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "{word} is not in: {message}\n{text}");
    }
}

/// SC-95.
#[test]
fn sc_14_the_first_seed_configuration_is_a_stateful_session_for_user_names() {
    let text = with(&format!(r#"{SESSION} requireSecurityContextCancellation="false""#), USER);
    let fragment = format!(
        "<?xml version=\"1.0\"?><configuration><system.serviceModel><bindings>{text}</bindings></system.serviceModel></configuration>"
    );
    let binding = read(&fragment);
    assert_eq!((binding.name(), binding.transport()), (Some("b"), Transport::Http));
    let session = binding.security().session().unwrap();
    assert!(!session.require_cancellation && session.can_renew);
    let Protection::Symmetric { token } = &session.bootstrap.protection else { panic!("symmetric") };
    assert_eq!(token.kind, TokenKind::X509);
}

#[test]
fn sc_3_the_second_seed_configuration_is_no_session_but_sspi_and_refused_by_name() {
    let text = stack(
        r#"<security requireSecurityContextCancellation="false"><secureConversationBootstrap/></security>"#,
        "",
        "<httpTransport/>",
    );
    refused(&text, &["line 3", "SspiNegotiated", "authenticationMode"]);
    refused(&with(SESSION, ""), &["line 3", "SspiNegotiated", "secureConversationBootstrap"]);
}

#[test]
fn sc_14_2_every_attribute_of_security_acts() {
    let version = "WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12";
    let text = with(
        &format!(
            r#"{SESSION} defaultAlgorithmSuite="Basic256Sha256" allowSerializedSigningTokenOnReply="true"
            enableUnsecuredResponse="True" requireDerivedKeys="false" securityHeaderLayout="LaxTimestampLast"
            includeTimestamp="true" allowInsecureTransport="true" keyEntropyMode="ServerEntropy"
            messageProtectionOrder="EncryptBeforeSign" protectTokens="true" messageSecurityVersion="{version}"
            requireSecurityContextCancellation="true" requireSignatureConfirmation="true"
            canRenewSecurityContextToken="false""#
        ),
        USER,
    );
    let custom = read(&text);
    let binding = custom.security();
    assert_eq!(binding.suite, AlgorithmSuite::BASIC256_SHA256);
    assert_eq!(binding.version, MessageSecurityVersion::WSS11_13);
    assert_eq!(binding.layout, HeaderLayout::LaxTimestampLast);
    assert_eq!(binding.key_entropy, KeyEntropyMode::Server);
    assert_eq!(binding.protection_order, ProtectionOrder::EncryptBeforeSign);
    assert!(binding.allow_serialized_signing_token_on_reply && binding.enable_unsecured_response);
    assert!(binding.allow_insecure_transport && binding.protect_tokens && binding.require_signature_confirmation);
    let Protection::Symmetric { token } = &binding.protection else { panic!("symmetric") };
    assert!(!token.require_derived_keys);
    let session = binding.session().unwrap();
    assert!(session.require_cancellation && !session.can_renew);
    // Nothing of it reaches the bootstrap, which has attributes of its own.
    assert_eq!(session.bootstrap.suite, AlgorithmSuite::BASIC256);
    assert_eq!(session.bootstrap.version, MessageSecurityVersion::WSS11_FEBRUARY2005);
}

#[test]
fn sc_83_what_is_not_written_has_its_default() {
    let custom =
        read(&with(r#"authenticationMode="AnonymousForCertificate""#, "<localServiceSettings/><localClientSettings/>"));
    let security = custom.security();
    assert_eq!((security.suite.name(), security.version), ("Basic256", MessageSecurityVersion::default()));
    assert!(security.include_timestamp && !security.protect_tokens && !security.allow_insecure_transport);
    assert!(!security.enable_unsecured_response && !security.allow_serialized_signing_token_on_reply);
    assert_eq!((security.layout, security.key_entropy), (HeaderLayout::Strict, KeyEntropyMode::Combined));
    assert_eq!(security.protection_order, ProtectionOrder::SignBeforeEncryptAndEncryptSignature);
    let (service, client) = (&security.local_service, &security.local_client);
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert!(service.detect_replays && service.reconnect_transport_on_failure);
    assert!(client.detect_replays && client.reconnect_transport_on_failure && client.cache_cookies);
    assert_eq!(service.issued_cookie_lifetime, Some(minutes(600)));
    assert_eq!((service.max_stateful_negotiations, service.negotiation_timeout), (128, minutes(1)));
    assert_eq!((service.replay_cache_size, client.replay_cache_size), (900_000, 900_000));
    for freshness in [service.freshness, client.freshness] {
        assert_eq!((freshness.max_clock_skew, freshness.replay_window), (minutes(5), minutes(5)));
    }
    assert_eq!((service.inactivity_timeout, service.max_pending_sessions), (minutes(2), 128));
    assert_eq!((service.max_cached_cookies, client.max_cookie_caching_time), (1000, None));
    assert_eq!(service.session_key_renewal_interval, Some(minutes(900)));
    assert_eq!(client.session_key_renewal_interval, Some(minutes(600)));
    let rollover = [service.session_key_rollover_interval, client.session_key_rollover_interval];
    assert_eq!((rollover, service.timestamp_validity), ([minutes(5); 2], minutes(5)));
    assert_eq!((client.timestamp_validity, client.cookie_renewal_threshold_percentage), (minutes(5), 60));
}

/// SC 5.4: suite and order of a session are those of its own element, whatever the bootstrap has.
#[test]
fn sc_5_4_a_session_and_its_bootstrap_are_configured_independently() {
    let bootstrap = r#"<secureConversationBootstrap authenticationMode="UserNameForCertificate"
        defaultAlgorithmSuite="Basic128" messageProtectionOrder="EncryptBeforeSign"/>"#;
    let default = (AlgorithmSuite::BASIC256, ProtectionOrder::SignBeforeEncryptAndEncryptSignature);
    let written = (AlgorithmSuite::BASIC128, ProtectionOrder::EncryptBeforeSign);
    let of = |binding: &SecurityBinding| (binding.suite, binding.protection_order);
    let custom = read(&with(SESSION, bootstrap));
    assert_eq!(of(custom.security()), default);
    assert_eq!(of(&custom.security().session().unwrap().bootstrap), written);
    assert_eq!(CustomBinding::parse(custom.to_xml().unwrap()).unwrap(), custom);
    let own = r#"defaultAlgorithmSuite="Basic128" messageProtectionOrder="EncryptBeforeSign""#;
    let custom = read(&with(&format!("{SESSION} {own}"), USER));
    assert_eq!(of(custom.security()), written);
    assert_eq!(of(&custom.security().session().unwrap().bootstrap), default);
}

#[test]
fn sc_14_3_and_14_4_every_local_setting_acts() {
    let custom = read(&with(
        r#"authenticationMode="AnonymousForCertificate""#,
        r#"<localServiceSettings detectReplays="false" issuedCookieLifetime="Infinite" maxStatefulNegotiations="1"
            replayCacheSize="2" maxClockSkew="00:00:03" negotiationTimeout="00:00:04" replayWindow="00:00:05"
            inactivityTimeout="00:00:06" sessionKeyRenewalInterval="1.00:00:00" sessionKeyRolloverInterval="00:00:07"
            reconnectTransportOnFailure="false" maxPendingSessions="8" maxCachedCookies="9"
            timestampValidityDuration="00:00:10.5"/>
        <localClientSettings cacheCookies="false" detectReplays="false" replayCacheSize="1" maxClockSkew="10"
            maxCookieCachingTime="00:00:02" replayWindow="00:00:03" sessionKeyRenewalInterval="00:00:05"
            sessionKeyRolloverInterval="00:00:04" reconnectTransportOnFailure="false"
            timestampValidityDuration="00:00:06" cookieRenewalThresholdPercentage="100"/>"#,
    ));
    let (service, client) = (&custom.security().local_service, &custom.security().local_client);
    let seconds = Duration::from_secs;
    assert!(!service.detect_replays && !service.reconnect_transport_on_failure);
    assert_eq!(service.issued_cookie_lifetime, None);
    assert_eq!((service.max_stateful_negotiations, service.replay_cache_size), (1, 2));
    assert_eq!((service.freshness.max_clock_skew, service.freshness.replay_window), (seconds(3), seconds(5)));
    assert_eq!((service.negotiation_timeout, service.inactivity_timeout), (seconds(4), seconds(6)));
    assert_eq!(service.session_key_renewal_interval, Some(seconds(86_400)));
    assert_eq!(service.session_key_rollover_interval, seconds(7));
    assert_eq!((service.max_pending_sessions, service.max_cached_cookies), (8, 9));
    assert_eq!(service.timestamp_validity, Duration::from_millis(10_500));
    assert!(!client.cache_cookies && !client.detect_replays && !client.reconnect_transport_on_failure);
    assert_eq!((client.replay_cache_size, client.max_cookie_caching_time), (1, Some(seconds(2))));
    assert_eq!((client.freshness.max_clock_skew, client.freshness.replay_window), (seconds(864_000), seconds(3)));
    assert_eq!(client.session_key_renewal_interval, Some(seconds(5)));
    assert_eq!(client.session_key_rollover_interval, seconds(4));
    assert_eq!((client.timestamp_validity, client.cookie_renewal_threshold_percentage), (seconds(6), 100));
}

#[test]
fn sc_14_5_to_14_7_encoding_and_transport_are_read_in_either_order() {
    let security = r#"<security authenticationMode="UserNameOverTransport"/>"#;
    let https =
        r#"<httpsTransport requireClientCertificate="true" transferMode="Streamed" maxReceivedMessageSize="1"/>"#;
    let encoding = r#"<mtomMessageEncoding messageVersion="Soap11WSAddressingAugust2004" maxBufferSize="9" writeEncoding="utf-8">
        <readerQuotas maxDepth="32"/></mtomMessageEncoding>"#;
    for text in [stack(security, encoding, https), stack(encoding, security, https)] {
        let binding = read(&text);
        assert_eq!(binding.encoding(), Encoding::Mtom);
        assert_eq!(Some(binding.message_version()), MessageVersion::from_name("Soap11WSAddressingAugust2004"));
        assert_eq!(binding.transport(), Transport::Https { require_client_certificate: true });
        assert_eq!(binding.receive_timeout(), Some(Duration::from_secs(600)));
    }
    let plain = read(&stack(security, "", "<httpsTransport/>"));
    assert_eq!((plain.encoding(), plain.message_version()), (Encoding::Text, MessageVersion::default()));
}

#[test]
fn sc_14_5_and_14_6_every_attribute_is_read_and_has_its_default() {
    let security = r#"<security authenticationMode="AnonymousForCertificate"/>"#;
    let plain = read(&stack(security, "<binaryMessageEncoding/>", "<httpTransport/>"));
    let (encoding, http) = (plain.encoding_element(), plain.http());
    assert_eq!((encoding.pools.max_read_pool_size, encoding.pools.max_write_pool_size), (64, 16));
    assert_eq!((encoding.max_session_size, encoding.compression_format), (2048, CompressionFormat::None));
    let quotas = &encoding.reader_quotas;
    assert_eq!((quotas.max_depth, quotas.max_string_content_length, quotas.max_array_length), (32, 8192, 16_384));
    assert_eq!((quotas.max_bytes_per_read, quotas.max_name_table_char_count), (4096, 16_384));
    assert_eq!(
        (http.max_received_message_size, http.max_buffer_size, http.max_buffer_pool_size),
        (65_536, 65_536, 524_288)
    );
    assert_eq!(http.authentication_scheme.iter().collect::<Vec<_>>(), [HttpAuthentication::Anonymous]);
    assert_eq!((http.transfer_mode, http.request_initialization_timeout), (TransferMode::Buffered, Duration::ZERO));
    assert!(http.decompression_enabled && http.keep_alive_enabled && http.use_default_web_proxy);
    assert!(!http.allow_cookies && !http.bypass_proxy_on_local && !http.manual_addressing);
    let minute = Some(Duration::from_secs(60));
    let timeouts = plain.timeouts();
    assert_eq!((timeouts.open, timeouts.close, timeouts.send), (minute, minute, minute));
    let text = stack(
        security,
        r#"<binaryMessageEncoding maxReadPoolSize="1" maxWritePoolSize="2" maxSessionSize="3" compressionFormat="GZip">
             <readerQuotas maxDepth="4" maxStringContentLength="5" maxArrayLength="6" maxBytesPerRead="7"
               maxNameTableCharCount="8"/></binaryMessageEncoding>"#,
        r#"<httpTransport manualAddressing="false" maxBufferPoolSize="1" maxReceivedMessageSize="2" maxBufferSize="3"
             allowCookies="true" authenticationScheme="Anonymous" bypassProxyOnLocal="true" decompressionEnabled="false"
             hostNameComparisonMode="WeakWildcard" keepAliveEnabled="false" maxPendingAccepts="4" messageHandlerFactory="A.B, A"
             proxyAddress="http://p:1/" proxyAuthenticationScheme="Digest" realm="r" requestInitializationTimeout="00:00:05"
             transferMode="Buffered" unsafeConnectionNtlmAuthentication="true" useDefaultWebProxy="false"/>"#,
    );
    let full = read(&text);
    let (encoding, http) = (full.encoding_element(), full.http());
    assert_eq!((encoding.pools.max_read_pool_size, encoding.pools.max_write_pool_size), (1, 2));
    assert_eq!((encoding.max_session_size, encoding.compression_format), (3, CompressionFormat::GZip));
    assert_eq!((encoding.reader_quotas.max_depth, encoding.reader_quotas.max_name_table_char_count), (4, 8));
    assert_eq!((http.max_buffer_pool_size, http.max_received_message_size, http.max_buffer_size), (1, 2, 3));
    assert_eq!((http.max_pending_accepts, http.message_handler_factory.as_deref()), (4, Some("A.B, A")));
    assert_eq!((http.proxy_address.as_deref(), http.realm.as_deref()), (Some("http://p:1/"), Some("r")));
    assert_eq!(http.proxy_authentication_scheme, HttpAuthentication::Digest);
    assert_eq!(http.host_name_comparison, HostNameComparison::WeakWildcard);
    assert_eq!(http.request_initialization_timeout, Duration::from_secs(5));
    assert!(http.allow_cookies && http.bypass_proxy_on_local && http.unsafe_connection_ntlm_authentication);
    assert!(!http.decompression_enabled && !http.keep_alive_enabled && !http.use_default_web_proxy);
    assert_eq!(read(&full.to_xml().unwrap()), full);
}

#[test]
fn sc_14_8_issued_token_parameters_are_read() {
    let custom = read(&with(
        r#"authenticationMode="IssuedTokenForCertificate""#,
        r#"<issuedTokenParameters keyType="BearerKey" tokenType="urn:t" keySize="256" useStrTransform="true"><issuer address="http://sts/" binding="ws2007HttpBinding"><identity/></issuer><claimTypeRequirements><add claimType="urn:name"/><add claimType="urn:role" isOptional="true"/></claimTypeRequirements><additionalRequestParameters><x:y xmlns:x="urn:x" b="2" a='1'/></additionalRequestParameters></issuedTokenParameters>"#,
    ));
    let TokenKind::Issued(issued) = &custom.security().supporting_tokens[0].parameters.kind else { panic!("issued") };
    assert_eq!((issued.key_type, issued.token_type.as_deref()), (IssuedKeyType::Bearer, Some("urn:t")));
    assert_eq!((issued.key_size, issued.use_str_transform), (Some(256), true));
    assert_eq!(issued.issuer.as_deref(), Some("http://sts/"));
    let claims: Vec<_> =
        issued.claim_types.iter().map(|claim| (claim.claim_type.as_str(), claim.is_optional)).collect();
    assert_eq!(claims, [("urn:name", false), ("urn:role", true)]);
    assert_eq!(issued.additional, [r#"<x:y xmlns:x="urn:x" a="1" b="2"></x:y>"#]);
    assert_eq!(custom.security().issued_token_parameters(), Some(issued));
    let claims = |content: &str| {
        let parameters = format!(
            "<issuedTokenParameters><claimTypeRequirements>{content}</claimTypeRequirements></issuedTokenParameters>"
        );
        with(r#"authenticationMode="IssuedTokenForCertificate""#, &parameters)
    };
    let taken_back = r#"<add claimType="urn:a"/><clear/><add claimType="urn:b"/><add claimType="urn:c"/><remove claimType="urn:b"/>"#;
    let custom = read(&claims(taken_back));
    let asked = &custom.security().issued_token_parameters().unwrap().claim_types;
    assert_eq!(asked.iter().map(|claim| claim.claim_type.as_str()).collect::<Vec<_>>(), ["urn:c"]);
    refused(&claims("<keep/>"), &["claimTypeRequirements"]);
    refused(&claims("<add/>"), &["claimType"]);
}

/// SC-74.
#[test]
fn sc_6_every_mode_is_read_or_refused_by_name() {
    for mode in AuthenticationMode::ALL.iter().filter(|mode| **mode != AuthenticationMode::SecureConversation) {
        let name = mode.name();
        let text = with(&format!(r#"authenticationMode="{name}" allowInsecureTransport="true""#), "");
        match name.contains("Kerberos") || name.contains("Sspi") {
            true => refused(&text, &["line 3", name, "Windows security provider"]),
            false => drop(read(&text)),
        }
    }
}

#[test]
fn sc_14_1_what_is_not_known_or_out_of_range_is_refused_with_its_line() {
    let anonymous = r#"authenticationMode="AnonymousForCertificate""#;
    for (attributes, children, words) in [
        ("detectReplays=\"true\"", "", ["line 3", "detectReplays"]),
        ("authenticationmode=\"UserNameForCertificate\"", "", ["line 3", "authenticationmode"]),
        ("protectTokens=\"1\"", "", ["line 3", "protectTokens=\"1\""]),
        ("defaultAlgorithmSuite=\"Basic257\"", "", ["line 3", "Basic257"]),
        ("messageSecurityVersion=\"WSSecurity12\"", "", ["line 3", "WSSecurity12"]),
        ("", "\n<localSettings/>", ["line 4", "localSettings"]),
        ("", "<localClientSettings/>\n\n<localClientSettings/>", ["line 5", "twice"]),
        ("", "\n<localServiceSettings replayCacheSize=\"0\"/>", ["line 4", "replayCacheSize"]),
        ("", "\n<localServiceSettings maxPendingSessions=\"0\"/>", ["line 4", "maxPendingSessions"]),
        ("", "\n<localServiceSettings maxCachedCookies=\"-1\"/>", ["line 4", "maxCachedCookies"]),
        ("", "\n<localServiceSettings replayWindow=\"never\"/>", ["line 4", "replayWindow"]),
        ("", "\n<localServiceSettings inactivityTimeout=\"25\"/>", ["line 4", "inactivityTimeout"]),
        ("", "\n<localServiceSettings maxClockSkew=\"-00:00:01\"/>", ["line 4", "maxClockSkew"]),
        ("", "\n<localClientSettings cookieRenewalThresholdPercentage=\"101\"/>", ["line 4", "Percentage"]),
        ("", "\n<localClientSettings maxPendingSessions=\"5\"/>", ["line 4", "maxPendingSessions"]),
        ("", "\n<issuedTokenParameters keyType=\"None\"/>", ["line 4", "keyType"]),
    ] {
        let mode = if attributes.starts_with("authentication") { "" } else { anonymous };
        refused(&with(&format!("{mode} {attributes}"), children), &words);
    }
    let security = format!("<security {anonymous}/>");
    refused(
        &stack(&security, "<textMessageEncoding messageVersion=\"Soap13\"/>", "<httpTransport/>"),
        &["line 4", "Soap13"],
    );
    refused(&stack(&security, "", "<httpTransport requireClientCertificate=\"true\"/>"), &["line 5", "requireClient"]);
    refused(&stack(&security, "<sslStreamSecurty/>", "<httpTransport/>"), &["line 4", "sslStreamSecurty", "not known"]);
    for (element, why) in [
        ("reliableSession", "reliable messaging"),
        ("transactionFlow", "transaction"),
        ("compositeDuplex", "duplex"),
        ("sslStreamSecurity", "httpsTransport"),
        ("webMessageEncoding", "no SOAP"),
        ("tcpTransport", "not HTTP"),
    ] {
        refused(&stack(&security, &format!("<{element}/>"), "<httpTransport/>"), &["line 4", element, why]);
    }
    refused(
        &with(
            r#"authenticationMode="IssuedTokenForCertificate""#,
            "<issuedTokenParameters>\n<issuer adress=\"http://sts/\"/></issuedTokenParameters>",
        ),
        &["line 4", "adress"],
    );
}

#[test]
fn sc_14_9_refused_combinations_name_both_attributes_and_the_line() {
    let session =
        |attributes: &str, children: &str| with(&format!("{SESSION} {attributes}"), &format!("{USER}{children}"));
    let nested = r#"<secureConversationBootstrap authenticationMode="SecureConversation"/>"#;
    refused(&with(SESSION, nested), &["line 3", "authenticationMode", "secureConversationBootstrap"]);
    let wss10 = "WSSecurity10WSTrust13WSSecureConversation13WSSecurityPolicy12BasicSecurityProfile10";
    refused(
        &session(&format!("messageSecurityVersion=\"{wss10}\" requireSignatureConfirmation=\"true\""), ""),
        &["line 3", "requireSignatureConfirmation", "messageSecurityVersion"],
    );
    refused(&session("includeTimestamp=\"false\"", ""), &["line 3", "includeTimestamp", "detectReplays"]);
    let brief = "sessionKeyRenewalInterval=\"00:01:00\"";
    refused(
        &session("", &format!("<localServiceSettings {brief}/><localClientSettings {brief}/>")),
        &["line 3", "sessionKeyRolloverInterval", "sessionKeyRenewalInterval"],
    );
    for key_type in ["BearerKey", "AsymmetricKey"] {
        let parameters = format!("<issuedTokenParameters keyType=\"{key_type}\"/>");
        refused(&with("authenticationMode=\"IssuedToken\"", &parameters), &["line 3", "authenticationMode", "keyType"]);
    }
    refused(
        &with("authenticationMode=\"IssuedToken\"", "<issuedTokenParameters keySize=\"64\"/>"),
        &["line 3", "keySize", "defaultAlgorithmSuite"],
    );
    // Nobody reads it where no token is issued.
    drop(read(&with("authenticationMode=\"UserNameForCertificate\"", "<issuedTokenParameters keySize=\"64\"/>")));
    drop(read(&session("", "<issuedTokenParameters keySize=\"64\"/>")));
}

/// Neither side reads the local settings of the other; nor does a session of cookies renew keys.
#[test]
fn sc_14_9_local_settings_concern_their_own_side_alone() {
    let session =
        |attributes: &str, children: &str| with(&format!("{SESSION} {attributes}"), &format!("{USER}{children}"));
    let cookies = "requireSecurityContextCancellation=\"false\"";
    let brief = "sessionKeyRenewalInterval=\"00:01:00\"";
    let service = |attributes: &str| format!("<localServiceSettings {attributes}/>");
    let client = |attributes: &str| format!("<localClientSettings {attributes}/>");
    let rollover: &[&str] = &["sessionKeyRolloverInterval", "sessionKeyRenewalInterval"];
    let replays: &[&str] = &["includeTimestamp", "detectReplays"];
    let cached: &[&str] = &["maxCachedCookies", "requireSecurityContextCancellation"];
    for (text, role, words) in [
        (session("", &service(brief)), Some(Role::Service), rollover),
        (session("", &client(brief)), Some(Role::Client), rollover),
        (session(cookies, &(service(brief) + &client(brief))), None, rollover),
        (session("includeTimestamp=\"false\"", &service("detectReplays=\"false\"")), Some(Role::Client), replays),
        (session("includeTimestamp=\"false\"", &client("detectReplays=\"false\"")), Some(Role::Service), replays),
        (session(cookies, &service("maxCachedCookies=\"0\"")), Some(Role::Service), cached),
        (session("", &service("maxCachedCookies=\"0\"")), None, cached),
    ] {
        let custom = read(&text);
        for asked in [Role::Service, Role::Client] {
            match custom.check_for(asked) {
                Ok(()) => assert_ne!(role, Some(asked), "{text}"),
                Err(error) => {
                    assert_eq!(role, Some(asked), "{error}");
                    words.iter().for_each(|word| assert!(error.to_string().contains(word), "{error}"));
                }
            }
        }
    }
}

/// SC 14.8: tokens that are only borne came with the standards of 2007.
#[test]
fn sc_14_8_bearer_tokens_change_the_default_version() {
    let version = |mode: &str, attributes: &str, parameters: &str| {
        let attributes = format!("authenticationMode=\"{mode}\" allowInsecureTransport=\"true\" {attributes}");
        let custom = read(&with(&attributes, &format!("<issuedTokenParameters {parameters}/>")));
        assert_eq!(CustomBinding::parse(custom.to_xml().unwrap()).unwrap(), custom);
        custom.security().version
    };
    let bearer = "keyType=\"BearerKey\"";
    for mode in ["IssuedTokenForCertificate", "IssuedTokenForSslNegotiated", "IssuedTokenOverTransport"] {
        assert_eq!(version(mode, "", bearer), MessageSecurityVersion::WSS11_13, "{mode}");
        assert_eq!(version(mode, "", ""), MessageSecurityVersion::default(), "{mode}");
        let written = "messageSecurityVersion=\"Default\"";
        assert_eq!(version(mode, written, bearer), MessageSecurityVersion::default(), "{mode}");
    }
    assert_eq!(version("UserNameForCertificate", "", bearer), MessageSecurityVersion::default());
}

/// SC 14.2: under transport bindings WCF does not look at `requireSignatureConfirmation`.
#[test]
fn sc_14_2_signature_confirmation_is_for_message_security() {
    let wss10 = "WSSecurity10WSTrust13WSSecureConversation13WSSecurityPolicy12BasicSecurityProfile10";
    let written = "requireSignatureConfirmation=\"true\" allowInsecureTransport=\"true\"";
    for version in ["Default", wss10] {
        let attributes = format!("messageSecurityVersion=\"{version}\" {written}");
        let custom = read(&with(&format!("authenticationMode=\"CertificateOverTransport\" {attributes}"), ""));
        assert!(!custom.security().require_signature_confirmation);
    }
    let custom = read(&with(&format!("authenticationMode=\"UserNameForCertificate\" {written}"), ""));
    assert!(custom.security().require_signature_confirmation);
}

#[test]
fn sc_14_3_and_14_4_every_span_can_be_infinite() {
    let spans = [
        "negotiationTimeout",
        "replayWindow",
        "inactivityTimeout",
        "sessionKeyRolloverInterval",
        "timestampValidityDuration",
        "maxClockSkew",
        "issuedCookieLifetime",
        "sessionKeyRenewalInterval",
    ];
    let all = |word: &str, names: &[&str]| names.iter().map(|name| format!(" {name}=\"{word}\"")).collect::<String>();
    let of_client = [
        "replayWindow",
        "sessionKeyRolloverInterval",
        "timestampValidityDuration",
        "maxClockSkew",
        "sessionKeyRenewalInterval",
        "maxCookieCachingTime",
    ];
    let bindings = ["Infinite", "infinite", "INFINITE", "10675199.02:48:05.4775807"].map(|word| {
        let settings =
            format!("<localServiceSettings{}/><localClientSettings{}/>", all(word, &spans), all(word, &of_client));
        let security = format!(r#"<security authenticationMode="AnonymousForCertificate">{settings}</security>"#);
        let transport = format!("<httpTransport requestInitializationTimeout=\"{word}\"/>");
        read(&stack(&security, "", &transport))
    });
    for custom in &bindings {
        assert_eq!(custom, &bindings[0]);
        let (service, client) = (&custom.security().local_service, &custom.security().local_client);
        let century = Duration::from_secs(100 * 365 * 86_400);
        for span in [
            service.negotiation_timeout,
            service.freshness.replay_window,
            service.inactivity_timeout,
            service.session_key_rollover_interval,
            service.timestamp_validity,
            service.freshness.max_clock_skew,
            client.freshness.replay_window,
            client.session_key_rollover_interval,
            client.timestamp_validity,
            custom.http().request_initialization_timeout,
        ] {
            assert!(span > century, "{span:?}");
        }
        assert_eq!((service.issued_cookie_lifetime, client.max_cookie_caching_time), (None, None));
        assert_eq!(CustomBinding::parse(custom.to_xml().unwrap()).unwrap(), *custom);
    }
}

/// What only concerns the files themselves, tools or people is read and means nothing.
#[test]
fn sc_14_1_what_no_message_shows_is_no_obstacle() {
    let plain = read(&with(r#"authenticationMode="AnonymousForCertificate""#, "<localClientSettings/>"));
    let text = stack(
        r#"<privacyNoticeAt url="http://p/" version="2"/><useManagedPresentation/>
        <security authenticationMode="AnonymousForCertificate" lockItem="true" lockAttributes="includeTimestamp">
        <localClientSettings lockElements="*" lockAllAttributesExcept="a" lockAllElementsExcept="b"/></security>"#,
        "<textMessageEncoding lockItem=\"true\"/>",
        "<httpTransport/>",
    );
    assert_eq!(read(&text), plain);
    for (name, encoding) in [
        ("utf-16LE", WriteEncoding::Utf16),
        ("UTF-16", WriteEncoding::Utf16),
        ("unicodeFFFE", WriteEncoding::Utf16BigEndian),
    ] {
        let security = r#"<security authenticationMode="AnonymousForCertificate"/>"#;
        let text = stack(security, &format!("<textMessageEncoding writeEncoding=\"{name}\"/>"), "<httpTransport/>");
        assert_eq!(read(&text).encoding_element().write_encoding, encoding);
    }
}

#[test]
fn sc_14_9_security_and_transport_have_to_fit() {
    let user = r#"<security authenticationMode="UserNameForCertificate"/>"#;
    let over = r#"<security authenticationMode="UserNameOverTransport"/>"#;
    let session = format!("<security {SESSION}>{USER}</security>");
    let session_over = format!(
        r#"<security {SESSION} allowInsecureTransport="true"><secureConversationBootstrap authenticationMode="UserNameOverTransport"/></security>"#
    );
    let (text, http) = ("<textMessageEncoding/>", "<httpTransport/>");
    refused(
        &stack(user, text, "<httpTransport transferMode=\"Streamed\"/>"),
        &["line 3", "authenticationMode", "transferMode"],
    );
    refused(
        &stack(user, text, "<httpTransport manualAddressing=\"true\"/>"),
        &["line 3", "authenticationMode", "manualAddressing"],
    );
    refused(&stack(over, text, http), &["line 3", "authenticationMode", "allowInsecureTransport"]);
    refused(&stack(&session_over, text, http), &["line 3", "authenticationMode", "allowInsecureTransport"]);
    refused(
        &stack(&session, "<textMessageEncoding messageVersion=\"Soap12\"/>", http),
        &["line 3", "authenticationMode", "messageVersion"],
    );
    // Whether HTTP authenticates does not matter to what was captured, only to whoever speaks it.
    for schemes in ["Negotiate", "Anonymous, Ntlm", "Basic"] {
        let custom = read(&stack(user, text, &format!("<httpTransport authenticationScheme=\"{schemes}\"/>")));
        assert_eq!(CustomBinding::parse(custom.to_xml().unwrap()).unwrap(), custom);
        let error = custom.check_http().unwrap_err().to_string();
        assert!(error.contains("authenticationMode") && error.contains("authenticationScheme"), "{error}");
    }
    assert!(read(&stack(user, text, http)).check_http().is_ok());
    refused(
        &stack(user, text, "<httpTransport authenticationScheme=\"Basic, \"/>"),
        &["line 5", "authenticationScheme"],
    );
    refused(
        &stack(user, "<textMessageEncoding messageVersion=\"None\"/>", http),
        &["line 3", "authenticationMode", "messageVersion"],
    );
    let socket = "<httpTransport><webSocketSettings transportUsage=\"Always\"/></httpTransport>";
    refused(&stack(user, text, socket), &["line 5", "transportUsage"]);
    refused(&stack(user, text, ""), &["line 2", "no transport"]);
    refused(&stack(user, http, text), &["line 4", "last"]);
    refused(&stack(user, "<textMessageEncoding/><binaryMessageEncoding/>", http), &["line 4", "second encoding"]);
    refused(&stack(&format!("{user}\n{user}"), text, http), &["line 4", "security", "twice"]);
    refused(&stack("", text, http), &["line 2", "no <security>"]);
}

#[test]
fn one_binding_is_chosen_by_its_name() {
    let one =
        r#"<binding name="one"><security authenticationMode="AnonymousForCertificate"/><httpTransport/></binding>"#;
    let both = format!("<customBinding>{one}{}</customBinding>", one.replace("\"one\"", "\"two\""));
    assert!(CustomBinding::parse(both.as_str()).unwrap_err().to_string().contains("by its name"));
    assert_eq!(CustomBinding::parse_named(both.as_str(), "two").unwrap().name(), Some("two"));
    assert_eq!(read(one).name(), Some("one"));
    assert_eq!(CustomBinding::parse("<a").unwrap_err().code(), "HST-XML-SYNTAX");
}
