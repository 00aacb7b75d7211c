//! What a sender protects, a receiver opens, under every mode and setting; and changed on the way it does not.

use crate::ends::{ASSERTION, Ends, REQUEST, Way, parse};
use handstamp_ws_security::soap::{Envelope, Fault, FaultCode, SecurityFault, SoapVersion};
use handstamp_ws_security::token::SecurityContextToken;
use handstamp_ws_security::{
    AddressingVersion, AlgorithmSuite, AuthenticationMode, Body, Caller, ContextKey, Error, Expectation, HeaderBlock,
    HeaderLayout, IssuedKeyType, IssuedProof, IssuedToken, IssuedTokenParameters, MemoryReplayCache, Message,
    MessageSecurityVersion, OutsideFault, ProofKey, Protection, ProtectionLevel, ProtectionOrder, Receiver,
    SecurityBinding, Sender, TokenInclusion, TokenKind, TokenParameters, TokenRole, Unprotected, WssVersion,
};
use handstamp_xml::{Element, Writer};
use std::borrow::Cow;

const VERSIONS: [MessageSecurityVersion; 6] = [
    MessageSecurityVersion::WSS11_FEBRUARY2005,
    MessageSecurityVersion::WSS10_FEBRUARY2005_BSP,
    MessageSecurityVersion::WSS11_FEBRUARY2005_BSP,
    MessageSecurityVersion::WSS10_13_BSP,
    MessageSecurityVersion::WSS11_13,
    MessageSecurityVersion::WSS11_13_BSP,
];
const ORDERS: [ProtectionOrder; 3] = [
    ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
    ProtectionOrder::SignBeforeEncrypt,
    ProtectionOrder::EncryptBeforeSign,
];
const LEVELS: [ProtectionLevel; 3] = [ProtectionLevel::None, ProtectionLevel::Sign, ProtectionLevel::EncryptAndSign];

/// Every mode that there is, one-shot and as bootstrap of a session, its renewal included.
fn bindings(version: MessageSecurityVersion) -> Vec<(String, SecurityBinding)> {
    let mut all = Vec::new();
    for mode in AuthenticationMode::ALL {
        let Ok(mut binding) = SecurityBinding::for_mode(*mode, version) else { continue };
        binding.allow_serialized_signing_token_on_reply = true;
        binding.require_signature_confirmation &= version.wss == WssVersion::V11;
        let session = SecurityBinding::secure_conversation(binding.clone(), version);
        all.push((format!("{} renewal", mode.name()), session.renewal().unwrap()));
        all.push((format!("{} session", mode.name()), session));
        all.push((mode.name().to_owned(), binding));
    }
    all
}

fn set_derived_keys(binding: &mut SecurityBinding, required: bool) {
    match &mut binding.protection {
        Protection::Symmetric { token } => token.require_derived_keys = required,
        Protection::Asymmetric { initiator, recipient } => {
            initiator.require_derived_keys = required;
            recipient.require_derived_keys = required;
        }
        Protection::Transport => {}
    }
    for token in &mut binding.supporting_tokens {
        token.parameters.require_derived_keys =
            required && matches!(token.parameters.kind, TokenKind::SecureConversation(_) | TokenKind::Issued(_));
    }
}

/// SC-56, SC 6, 8: every mode, version, order and level, with derived keys and without.
#[test]
fn sc_6_8_every_mode_goes_there_and_back() {
    let mut exchanges = 0;
    for version in VERSIONS {
        let ends = Ends::new(version.generation, 32);
        for (name, binding) in bindings(version) {
            for order in ORDERS {
                for (level, derived) in LEVELS.into_iter().zip([true, false, true]).chain([(LEVELS[2], false)]) {
                    let mut binding = binding.clone();
                    binding.protection_order = order;
                    set_derived_keys(&mut binding, derived);
                    let way = Way { level, ..Way::default() };
                    if let Err(error) = ends.exchange(&binding, way) {
                        panic!("{name}, {version:?}, {order:?}, {level:?}, derived keys {derived}: {error}");
                    }
                    exchanges += 1;
                }
            }
        }
    }
    assert!(exchanges > 1500, "{exchanges}");
}

/// SC-58, SC 5.4: every suite, with and without derived keys.
#[test]
fn sc_5_4_every_suite_goes_there_and_back() {
    let version = MessageSecurityVersion::WSS11_13;
    for suite in AlgorithmSuite::ALL {
        let ends = Ends::new(version.generation, suite.default_key_length());
        for (name, mut binding) in bindings(version) {
            binding.suite = *suite;
            for derived in [true, false] {
                set_derived_keys(&mut binding, derived);
                let result = ends.exchange(&binding, Way::default());
                assert!(result.is_ok(), "{name}, {}, {derived}: {}", suite.name(), result.unwrap_err());
            }
        }
    }
}

/// SC-50, SC 8.3: each layout, as its own receiver and as a strict one takes it.
#[test]
fn sc_8_3_every_layout_goes_there_and_back() {
    use HeaderLayout::{Lax, LaxTimestampFirst, LaxTimestampLast, Strict};
    let version = MessageSecurityVersion::WSS11_FEBRUARY2005;
    let ends = Ends::new(version.generation, 32);
    for (name, binding) in bindings(version) {
        for layout in [Strict, Lax, LaxTimestampFirst, LaxTimestampLast] {
            for order in ORDERS {
                let binding = SecurityBinding { layout, protection_order: order, ..binding.clone() };
                let result = ends.exchange(&binding, Way::default());
                assert!(result.is_ok(), "{name}, {layout:?}, {order:?}: {}", result.unwrap_err());
                let (request, _) = result.unwrap();
                let strict = SecurityBinding { layout: Strict, ..binding.clone() };
                let opened = ends.open_request(&strict, &request.envelope, Way::default());
                assert_eq!(opened.is_ok(), layout != LaxTimestampLast || strict.is_transport(), "{name}, {layout:?}");
            }
        }
    }
}

/// SC 1.3: both SOAP versions and both addressing versions.
#[test]
fn sc_1_3_every_message_version_goes_there_and_back() {
    use handstamp_ws_security::AddressingVersion::{August2004, V10};
    use handstamp_ws_security::soap::SoapVersion::{Soap11, Soap12};
    let version = MessageSecurityVersion::WSS11_13_BSP;
    let ends = Ends::new(version.generation, 32);
    for (soap, addressing) in [(Soap11, V10), (Soap11, August2004), (Soap12, V10), (Soap12, August2004)] {
        for (name, binding) in bindings(version) {
            let way = Way { soap, addressing, ..Way::default() };
            let result = ends.exchange(&binding, way);
            assert!(result.is_ok(), "{name}, {way:?}: {}", result.unwrap_err());
        }
    }
}

/// SC-59, SC 8.8, 8.9: confirmations and protected tokens where they are not the mode's own.
#[test]
fn sc_8_8_8_9_confirmations_and_protected_tokens() {
    for version in VERSIONS {
        let ends = Ends::new(version.generation, 32);
        for (name, mut binding) in bindings(version) {
            binding.require_signature_confirmation = version.wss == WssVersion::V11;
            binding.protect_tokens = true;
            for (order, derived) in ORDERS.into_iter().zip([true, false, true]) {
                binding.protection_order = order;
                set_derived_keys(&mut binding, derived);
                let result = ends.exchange(&binding, Way::default());
                assert!(result.is_ok(), "{name}, {version:?}, {order:?}: {}", result.unwrap_err());
            }
        }
    }
}

/// SC 4.4: a cancel is signed and not encrypted, with the one derived key that signs.
#[test]
fn sc_4_4_cancel_is_signed_with_the_key_of_the_session() {
    let version = MessageSecurityVersion::WSS11_13;
    let ends = Ends::new(version.generation, 32);
    let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
    let session = SecurityBinding::secure_conversation(bootstrap, version);
    let way = Way { level: ProtectionLevel::Sign, ..Way::default() };
    let (request, reply) = ends.exchange(&session, way).unwrap();
    for message in [request, reply] {
        assert_eq!(message.envelope.matches("<sc:DerivedKeyToken").count(), 1);
        assert!(message.envelope.contains("<Signature") && !message.envelope.contains("Encrypted"));
    }
}

/// SC 4.4: over TLS a reply to Cancel may be signed with the session's key all the same, as Apache CXF does; then that has to
/// hold, and only there.
#[test]
fn sc_4_4_a_reply_to_cancel_over_transport_may_be_signed() {
    let version = MessageSecurityVersion::WSS11_FEBRUARY2005_BSP;
    let ends = Ends::new(version.generation, 32);
    let session = |bootstrap| SecurityBinding::secure_conversation(bootstrap, version);
    let over_transport = session(SecurityBinding::user_name_over_transport(version));
    let mut by_message = session(SecurityBinding::anonymous_for_certificate(version).unwrap());
    set_derived_keys(&mut by_message, false);
    let way = Way { level: ProtectionLevel::Sign, ..Way::default() };
    let request = ends.request(&over_transport, way).unwrap();
    let opened = ends.open_request(&over_transport, &request.envelope, way).unwrap();
    let signed = ends.reply(&by_message, &opened, way).unwrap().envelope;

    let open = |envelope: &str, expected: &Expectation<'_>| {
        let receiver = Receiver::client(&over_transport).with_sessions(&ends).over_protected_channel();
        receiver.open(parse(envelope), expected, ends.now)
    };
    let reply = Expectation::reply(&request.request);
    assert!(open(&signed, &reply.cancel()).unwrap().body().is_some());
    let changed = signed.replace("<EchoResult/>", "<EchoResult>0</EchoResult>");
    assert_ne!(changed, signed);
    assert!(matches!(open(&changed, &reply.cancel()), Err(Error::Cryptography { .. })));
    let error = open(&signed, &reply).unwrap_err();
    assert!(error.to_string().contains("no endorsing token"), "{error}");
}

/// SC 8.2: the streaming service of Apache CXF gives contexts the type of WS-SecureConversation 1.3, and names the one that encrypts
/// as if it were in the message. A client knows which one is meant; to a service such a reference leads nowhere.
#[test]
fn sc_8_2_a_reply_names_the_context_in_any_way() {
    let version = MessageSecurityVersion::WSS11_FEBRUARY2005_BSP;
    let ends = Ends::new(version.generation, 32);
    let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
    let mut session = SecurityBinding::secure_conversation(bootstrap, version);
    set_derived_keys(&mut session, false);
    session.protection_order = ProtectionOrder::SignBeforeEncrypt;
    let (request, reply) = ends.exchange(&session, Way::default()).unwrap();

    let february = " URI=\"urn:uuid:session\" ValueType=\"http://schemas.xmlsoap.org/ws/2005/02/sc/sct\"";
    let streamed =
        february.replace("schemas.xmlsoap.org/ws/2005/02/sc", "docs.oasis-open.org/ws-sx/ws-secureconversation/200512");
    let [before, between, after] = reply.envelope.split(february).collect::<Vec<_>>()[..] else {
        panic!("two references")
    };
    let local = streamed.replace("URI=\"", "URI=\"#");
    for reference in [&streamed, &local] {
        let envelope = [before, &streamed, between, reference, after].concat();
        let opened = ends.open_reply(&session, &envelope, &request.request, Way::default()).unwrap();
        assert!(opened.body_was_encrypted() && opened.body().is_some());
    }
    let elsewhere = local.replace("uuid:session", "uuid:negotiated");
    let another = [before, &streamed, between, &elsewhere, after].concat();
    assert!(ends.open_reply(&session, &another, &request.request, Way::default()).is_err());

    let included = " URI=\"#uuid-session-1\" ValueType=\"http://schemas.xmlsoap.org/ws/2005/02/sc/sct\"";
    let not_there = request.envelope.replace(included, &elsewhere);
    assert_ne!(not_there, request.envelope);
    let error = ends.open_request(&session, &not_there, Way::default()).unwrap_err();
    assert!(error.to_string().contains("no such key"), "{error}");
}

/// SC 3, 8.12: a stateless session derives its two keys once, a stateful one for each message.
#[test]
fn sc_8_12_derived_keys_are_kept_or_made_anew() {
    let version = MessageSecurityVersion::WSS11_13;
    let mut ends = Ends::new(version.generation, 32);
    let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
    let session = SecurityBinding::secure_conversation(bootstrap, version);
    let nonces = |ends: &Ends| {
        let message = ends.request(&session, Way::default()).unwrap().envelope;
        message.split("<sc:Nonce>").skip(1).map(|rest| rest[..24].to_owned()).collect::<Vec<_>>()
    };
    assert_ne!(nonces(&ends), nonces(&ends));
    let [context, _] = ends.contexts.clone();
    ends.contexts[0] = context.reuse_derived_keys(&session.suite, &ends.random).unwrap();
    assert_eq!(nonces(&ends), nonces(&ends));
    assert_ne!(nonces(&ends)[0], nonces(&ends)[1]);
    let (request, _) = ends.exchange(&session, Way::default()).unwrap();
    assert!(request.envelope.contains("<s:Body u:Id=\"_0\">"), "numbers are left to the message");
}

/// SC 4.3: the session's key alone does not renew it; the bootstrap has to be proved again.
#[test]
fn sc_4_3_a_context_does_not_endorse_itself() {
    let version = MessageSecurityVersion::WSS11_13;
    let mut ends = Ends::new(version.generation, 32);
    let bootstrap = SecurityBinding::ssl_negotiated(version, true);
    let renewal = SecurityBinding::secure_conversation(bootstrap, version).renewal().unwrap();
    ends.exchange(&renewal, Way::default()).unwrap();
    let again = SecurityContextToken { id: Some("uuid-again-1".to_owned()), ..ends.contexts[0].token().clone() };
    ends.contexts[1] = ContextKey::new(again, ends.contexts[0].key().clone()).unwrap();
    let error = ends.exchange(&renewal, Way::default()).unwrap_err();
    assert!(error.to_string().contains("protects the message already"), "{error}");
}

/// SC 8.6: application headers are signed or encrypted as the contract says, under every order.
#[test]
fn sc_8_6_application_headers_are_protected() {
    let version = MessageSecurityVersion::WSS11_13;
    let ends = Ends::new(version.generation, 32);
    for (name, binding) in bindings(version) {
        for order in ORDERS {
            for soap in [SoapVersion::Soap11, SoapVersion::Soap12] {
                let binding = SecurityBinding { protection_order: order, ..binding.clone() };
                let header = |local: &str, level| {
                    let xml = format!(
                        "<h:{local} xmlns:h='urn:h' xmlns:e='{}' e:mustUnderstand='1'>v<x/></h:{local}>",
                        soap.namespace()
                    );
                    HeaderBlock::from_xml(xml, level).unwrap()
                };
                let mut message =
                    Message::request(soap, AddressingVersion::V10, "urn:echo", "http://server.example/", "urn:uuid:1")
                        .with_body(Body::canonical(REQUEST));
                message.headers = vec![
                    header("Open", ProtectionLevel::None),
                    header("Signed", ProtectionLevel::Sign),
                    header("Secret", ProtectionLevel::EncryptAndSign),
                ];
                let sent = ends.client(&binding).protect(&message, &ends.random, ends.now).unwrap();
                let way = Way { soap, ..Way::default() };
                let opened = ends.open_request(&binding, &sent.envelope, way);
                let opened = opened.unwrap_or_else(|error| panic!("{name}, {order:?}: {error}\n{}", sent.envelope));
                let read = |local: &str| opened.header("urn:h", local).map(|header| header.text().into_owned());
                assert_eq!(read("Signed").as_deref(), Some("v"), "{name}, {order:?}");
                assert_eq!(read("Secret").as_deref(), Some("v"), "{name}, {order:?}");
                assert_eq!(read("Open").is_some(), binding.is_transport());
                assert_eq!(sent.envelope.contains("<h:Secret"), binding.is_transport());
            }
        }
    }
}

/// SC-62, SC 8.6: what is in a body arrives as it was, whatever prefixes, identifiers and spellings it has.
#[test]
fn sc_8_6_any_body_arrives() {
    let version = MessageSecurityVersion::WSS11_FEBRUARY2005;
    let ends = Ends::new(version.generation, 32);
    let wsu = handstamp_xml::names::WSU;
    let bodies = [
        String::new(),
        "text only, with &lt; and \u{20AC}".to_owned(),
        "<a/><!-- comment --><b x='1' a=\"2\"  />".to_owned(),
        "<a>line\r\nend&#xD;</a>".to_owned(),
        format!("<a xmlns:s='urn:other'><s:b xmlns:u='{wsu}' u:Id='_0'/></a>"),
        format!("<s:Fault xmlns:s='{}'/>", handstamp_xml::names::SOAP12),
        "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' xmlns:p='urn:p' i:type='p:T' Id='_3'/>".to_owned(),
    ];
    let session =
        SecurityBinding::secure_conversation(SecurityBinding::anonymous_for_certificate(version).unwrap(), version);
    for body in &bodies {
        for order in ORDERS {
            for level in LEVELS {
                let binding = SecurityBinding { protection_order: order, ..session.clone() };
                let way = Way { level, ..Way::default() };
                let message = Message::request(way.soap, way.addressing, "urn:echo", "urn:to", "urn:uuid:1")
                    .with_body(Body::from_xml(body.as_str()).unwrap())
                    .with_protection(level);
                let sent = ends.client(&binding).protect(&message, &ends.random, ends.now).unwrap();
                let opened = ends.open_request(&binding, &sent.envelope, way);
                let opened = opened.unwrap_or_else(|error| panic!("{body}, {order:?}, {level:?}: {error}"));
                let expected = parse(&format!("<b>{body}</b>"));
                let element = Envelope::of(opened.document()).unwrap().body();
                assert_eq!(element.text(), expected.root().text(), "{body}");
                let names = |element: Element<'_>| {
                    element.descendants().map(|child| child.local_name().to_owned()).collect::<Vec<_>>()
                };
                assert_eq!(names(element)[1..], names(expected.root())[1..], "{body}");
                // What was opened can be sent again.
                let again = Message::read(opened.document()).unwrap();
                assert_eq!((again.action.as_str(), again.to.as_deref()), ("urn:echo", Some("urn:to")));
                let again = ends.client(&binding).protect(&again, &ends.random, ends.now).unwrap();
                ends.open_request(&binding, &again.envelope, Way::default()).unwrap();
            }
        }
    }
}

/// SC 9: whatever one octet is changed to, the message is refused, or nothing that is read has changed.
#[test]
fn sc_9_tampering_is_noticed_under_every_mode() {
    let version = MessageSecurityVersion::WSS11_13;
    let ends = Ends::new(version.generation, 32);
    let read = |opened: &Unprotected| {
        let texts = [opened.action(), opened.message_id(), opened.to()].map(|text| text.map(Cow::into_owned));
        (texts, opened.body().map(|body| body.text().into_owned()), opened.timestamp())
    };
    for (name, binding) in bindings(version).into_iter().filter(|(_, binding)| !binding.is_transport()) {
        let sent = ends.request(&binding, Way::default()).unwrap().envelope;
        let original = read(&ends.open_request(&binding, &sent, Way::default()).unwrap());
        let step = sent.len() / 40;
        for position in (0..sent.len()).step_by(step) {
            let mut changed = sent.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            if let Ok(opened) = ends.open_request(&binding, &String::from_utf8(changed).unwrap(), Way::default()) {
                assert_eq!(read(&opened), original, "{name} at {position}");
            }
        }
    }
}

/// SC 8.11: over TLS the timestamp is what a session signs, so that a header cannot be given to another message.
#[test]
fn sc_8_11_signatures_over_transport_hold() {
    let version = MessageSecurityVersion::WSS11_13;
    let ends = Ends::new(version.generation, 32);
    for bootstrap in
        [SecurityBinding::user_name_over_transport(version), SecurityBinding::certificate_over_transport(version)]
    {
        let session = SecurityBinding::secure_conversation(bootstrap.clone(), version);
        for binding in [session, bootstrap] {
            let sent = ends.request(&binding, Way::default()).unwrap().envelope;
            let signs = sent.contains("<Signature");
            let later = sent.replacen("T17:23", "T17:24", 1);
            assert_ne!(later, sent);
            assert_eq!(ends.open_request(&binding, &later, Way::default()).is_err(), signs);
            let without_channel = Sender::client(&binding).with_user_name(&ends.user_name);
            let message = Message::request(SoapVersion::Soap12, AddressingVersion::V10, "urn:a", "urn:b", "urn:c");
            let error = without_channel.protect(&message, &ends.random, ends.now).unwrap_err();
            assert!(error.to_string().contains("HTTPS"), "{error}");
        }
    }
}

/// Senders that lack something say what, and which method gives it.
#[test]
fn senders_without_what_they_need_say_so() {
    let version = MessageSecurityVersion::WSS11_13;
    let ends = Ends::new(version.generation, 32);
    let message = Message::request(SoapVersion::Soap12, AddressingVersion::V10, "urn:a", "urn:b", "urn:c");
    let certificate = ends.service.certificate();
    let problem = |sender: Sender<'_>| sender.protect(&message, &ends.random, ends.now).unwrap_err().to_string();
    let user = SecurityBinding::user_name_for_certificate(version).unwrap();
    assert!(problem(Sender::client(&user)).contains("with_peer_certificate"));
    assert!(problem(Sender::client(&user).with_peer_certificate(certificate)).contains("with_user_name"));
    assert!(problem(Sender::service(&user)).contains("answering"));
    let session = SecurityBinding::secure_conversation(user.clone(), version);
    assert!(problem(Sender::client(&session)).contains("with_context"));
    let mutual = SecurityBinding::mutual_certificate(version);
    assert!(problem(Sender::client(&mutual).with_peer_certificate(certificate)).contains("with_identity"));
    let issued = SecurityBinding::for_mode(AuthenticationMode::IssuedToken, version).unwrap();
    assert!(problem(Sender::client(&issued)).contains("with_issued_token"));
    let other = Ends::new(handstamp_ws_security::Generation::February2005, 32);
    assert!(problem(Sender::client(&session).with_context(&other.contexts[0])).contains("messageSecurityVersion"));
    let short = Ends::new(version.generation, 16);
    assert!(problem(Sender::client(&session).with_context(&short.contexts[0])).contains("Basic256"));
    assert!(!format!("{:?} {:?}", ends.client(&user), ends.user_name).contains("se<cret"));
}

/// A bare key proves that its holder sent the message; where the binding does not ask for that, it is one signature too many.
#[test]
fn sc_9_step_12_a_key_that_stands_in_the_message_endorses_where_the_binding_has_one() {
    for version in VERSIONS {
        let key = TokenParameters::new(TokenKind::RsaKey, TokenInclusion::Never).without_derived_keys();
        let mut plain = vec![SecurityBinding::user_name_over_transport(version)];
        plain.extend(SecurityBinding::user_name_for_certificate(version));
        for plain in plain {
            let asks = plain.clone().with_supporting(key.clone(), TokenRole::Endorsing);
            let may = plain.clone().with_optional(key.clone(), TokenRole::Endorsing);
            let ends = Ends::new(version.generation, 32);
            let way = Way::default();
            let message =
                Message::request(way.soap, way.addressing, "urn:echo", "http://server.example/", "urn:uuid:1")
                    .with_body(Body::canonical(REQUEST));
            let bare = ends.request(&plain, way).unwrap().envelope;
            let proving =
                ends.client(&asks).with_proof_key(ends.client.key()).protect(&message, &ends.random, ends.now);
            let proving = proving.unwrap().envelope;
            let holder = |binding: &SecurityBinding, envelope: &str| {
                let opened = ends.open_request(binding, envelope, way).map_err(|error| error.outside())?;
                let key = opened.callers().iter().find_map(|caller| match caller {
                    Caller::Key(key) => Some(key.clone()),
                    _ => None,
                });
                Ok(key)
            };
            let proven = Some(ends.client.key().public_key().clone());
            assert_eq!(holder(&asks, &proving), Ok(proven.clone()));
            assert_eq!(holder(&may, &proving), Ok(proven));
            assert_eq!(holder(&may, &bare), Ok(None));
            assert_eq!(holder(&asks, &bare), Err(OutsideFault::InvalidSecurity));
            assert_eq!(holder(&plain, &proving), Err(OutsideFault::InvalidSecurity));
            let without_key = ends.client(&asks).protect(&message, &ends.random, ends.now).unwrap_err();
            assert!(without_key.to_string().contains("with_proof_key"), "{without_key}");
        }
    }
}

/// WSS 8.3: a token is signed through a reference to it, in clear and encrypted.
#[test]
fn wss_8_3_tokens_are_signed_through_references() {
    let version = MessageSecurityVersion::WSS11_13;
    let mut ends = Ends::new(version.generation, 32);
    ends.issued = IssuedToken::new(parse(ASSERTION).root(), IssuedProof::Bearer).unwrap();
    ends.proof = ProofKey::Bearer;
    let parameters = IssuedTokenParameters {
        key_type: IssuedKeyType::Bearer,
        use_str_transform: true,
        ..IssuedTokenParameters::default()
    };
    for role in [TokenRole::Signed, TokenRole::SignedEncrypted] {
        for order in ORDERS {
            let mut binding = SecurityBinding::issued_token_for_certificate(version, parameters.clone()).unwrap();
            binding.supporting_tokens[0].role = role;
            binding.protection_order = order;
            let (request, _) = ends.exchange(&binding, Way::default()).unwrap();
            let envelope = &request.envelope;
            let hidden = role == TokenRole::SignedEncrypted && order == ProtectionOrder::EncryptBeforeSign;
            assert_eq!(envelope.contains("<o:SecurityTokenReference u:Id="), !hidden, "{role:?} {order:?}");
            if role == TokenRole::Signed {
                let other = envelope.replacen(">carol<", ">mallo<", 1);
                let error = ends.open_request(&binding, &other, Way::default()).unwrap_err();
                assert!(matches!(error, Error::Cryptography { .. }), "{error}");
                let elsewhere = envelope.replacen("#SAMLAssertionID\">_a1<", "#SAMLAssertionID\">_a2<", 1);
                assert!(ends.open_request(&binding, &elsewhere, Way::default()).is_err());
                let (start, end) =
                    (envelope.find("<saml:Assertion").unwrap(), envelope.find("</saml:Assertion>").unwrap());
                let without = format!("{}{}", &envelope[..start], &envelope[end + 17..]);
                assert!(ends.open_request(&binding, &without, Way::default()).is_err());
            }
        }
    }
}

/// SC 9 step 15: headers that have to be understood are, or the message is refused; the fault can be secured like an answer.
#[test]
fn sc_9_15_headers_that_nobody_understands_are_refused() {
    let version = MessageSecurityVersion::WSS11_13;
    let ends = Ends::new(version.generation, 32);
    let session =
        SecurityBinding::secure_conversation(SecurityBinding::anonymous_for_certificate(version).unwrap(), version);
    for soap in [SoapVersion::Soap11, SoapVersion::Soap12] {
        let next = match soap {
            SoapVersion::Soap11 => "s:actor='http://schemas.xmlsoap.org/soap/actor/next'",
            SoapVersion::Soap12 => "s:role='http://www.w3.org/2003/05/soap-envelope/role/next'",
        };
        for (attributes, level, refused) in [
            ("s:mustUnderstand='1'", ProtectionLevel::Sign, true),
            ("s:mustUnderstand='1'", ProtectionLevel::None, true),
            ("s:mustUnderstand='1'", ProtectionLevel::EncryptAndSign, true),
            (&format!("s:mustUnderstand='1' {next}"), ProtectionLevel::Sign, true),
            ("s:mustUnderstand='0'", ProtectionLevel::Sign, false),
            ("s:mustUnderstand='1' s:role='urn:other' s:actor='urn:other'", ProtectionLevel::Sign, false),
            ("", ProtectionLevel::Sign, false),
        ] {
            let header = format!("<h:Limit xmlns:h='urn:h' xmlns:s='{}' {attributes}>5</h:Limit>", soap.namespace());
            let mut message = Message::request(soap, AddressingVersion::V10, "urn:echo", "urn:to", "urn:uuid:1");
            message.headers.push(HeaderBlock::from_xml(header, level).unwrap());
            let sent = ends.client(&session).protect(&message, &ends.random, ends.now).unwrap();
            let open = |expected: Expectation<'_>| {
                let replays = MemoryReplayCache::new(10);
                let receiver = Receiver::service(&session).with_sessions(&ends).with_replay_cache(&replays);
                receiver.open(parse(&sent.envelope), &expected, ends.now)
            };
            assert!(open(Expectation::request().leaving_headers_to_application()).is_ok());
            assert!(open(Expectation::request().understanding(&[("urn:x", "X"), ("urn:h", "Limit")])).is_ok());
            let opened = open(Expectation::request().understanding(&[("urn:h", "Other")]));
            assert_eq!(opened.is_err(), refused, "{soap:?} {attributes}");
            let Err(error) = opened else { continue };
            assert_eq!(error.outside(), OutsideFault::MustUnderstand);
            let Error::NotUnderstood { header, request } = error else { panic!("{error}") };
            assert_eq!((header.namespace.as_str(), header.local_name.as_str()), ("urn:h", "Limit"));
            let mut fault = Writer::new();
            SecurityFault::MustUnderstand.to_fault().write(soap, &mut fault);
            let answer = Message::reply(soap, AddressingVersion::V10, "urn:fault", request.message_id.clone())
                .with_body(Body::canonical(fault.finish().unwrap()));
            let answer = ends.service(&session, &request).protect(&answer, &ends.random, ends.now).unwrap();
            let opened = ends.open_reply(&session, &answer.envelope, &sent.request, Way::default()).unwrap();
            let body = Envelope::of(opened.document()).unwrap().body();
            let fault = Fault::parse(body.children().next().unwrap()).unwrap();
            assert_eq!((fault.code, fault.subcode), (FaultCode::MustUnderstand, None));
        }
    }
}

/// SC 8.5, 8.7: a message that is protected less than its contract says, or in another order, is refused.
#[test]
fn sc_8_5_less_protection_than_the_contract_is_refused() {
    let version = MessageSecurityVersion::WSS11_13;
    let ends = Ends::new(version.generation, 32);
    for (name, binding) in bindings(version).into_iter().filter(|(_, binding)| !binding.is_transport()) {
        for (sent, demanded) in [(LEVELS[0], LEVELS[1]), (LEVELS[0], LEVELS[2]), (LEVELS[1], LEVELS[2])] {
            let message = ends.request(&binding, Way { level: sent, ..Way::default() }).unwrap().envelope;
            let demand = Way { level: demanded, ..Way::default() };
            let error = ends.open_request(&binding, &message, demand).unwrap_err();
            assert!(error.to_string().contains("Body"), "{name}, {sent:?} for {demanded:?}: {error}");
        }
        let unlike = |change: fn(&mut SecurityBinding)| {
            let mut other = binding.clone();
            change(&mut other);
            let message = ends.request(&binding, Way::default()).unwrap().envelope;
            ends.open_request(&other, &message, Way::default()).is_err()
        };
        assert!(unlike(|other| other.protection_order = ProtectionOrder::EncryptBeforeSign), "{name}");
        assert!(unlike(|other| other.suite = AlgorithmSuite::BASIC256_SHA256), "{name}");
        assert!(unlike(|other| other.suite = AlgorithmSuite::BASIC128), "{name}");
        // The other generation. Contexts and keys derived from them are of one.
        let derives = matches!(&binding.protection, Protection::Symmetric { token } if token.require_derived_keys);
        if derives && name.contains("session") {
            assert!(unlike(|other| other.version = MessageSecurityVersion::WSS11_FEBRUARY2005), "{name}");
        }
    }
}

/// SC 6.4: a transport binding without timestamps leaves replies nothing to put into a security header, so there is none; nor in faults.
#[test]
fn sc_6_4_replies_over_transport_without_timestamps_have_no_security_header() {
    let version = MessageSecurityVersion::default();
    let ends = Ends::new(version.generation, 32);
    let stamped = SecurityBinding::user_name_over_transport(version);
    let binding = SecurityBinding { include_timestamp: false, ..stamped.clone() };
    let (request, reply) = ends.exchange(&binding, Way::default()).unwrap();
    assert!(request.envelope.contains("<o:Security") && !request.envelope.contains("Timestamp"));
    assert!(!reply.envelope.contains("Security"), "{}", reply.envelope);

    let opened = ends.open_request(&binding, &request.envelope, Way::default()).unwrap();
    let mut fault = Writer::new();
    SecurityFault::MustUnderstand.to_fault().write(opened.soap_version(), &mut fault);
    let fault = Body::from_xml(fault.finish().unwrap()).unwrap();
    let message = Message::reply_to(&opened, "urn:failed").with_body(fault);
    let fault = ends.service(&binding, opened.request_context()).protect(&message, &ends.random, ends.now).unwrap();
    for envelope in [&reply.envelope, &fault.envelope] {
        let answered = ends.open_reply(&binding, envelope, &request.request, Way::default()).unwrap();
        assert!(answered.body().is_some());
        // Where timestamps are, they are demanded.
        assert!(ends.open_reply(&stamped, envelope, &request.request, Way::default()).is_err());
    }
    // A request needs its token in any case.
    let bare = request.envelope.split("<o:Security").next().unwrap().to_owned()
        + request.envelope.split("</o:Security>").nth(1).unwrap();
    let error = ends.open_request(&binding, &bare, Way::default()).unwrap_err();
    assert!(error.to_string().contains("no security header"), "{error}");
}
