//! Our client in the place of the recorded one: the replies come from WCF's service.

use crate::ends::{binding, contract, fault, is_of_application, response};
use crate::recorded::{Conversation, Ends, created, parse, parse_message, text, wire};
use crate::{Tally, tally};
use handstamp_keys::{DeterministicRandom, SymmetricKey};
use handstamp_secure_conversation::trust::{RequestSecurityToken, TrustAction};
use handstamp_secure_conversation::{Error, Outcome, SecureConversationClient};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{AddressingVersion, Body, IssuedProof, IssuedToken, UserNameCredential};

/// Appendix A: the 29 conversations.
#[test]
fn sc_15_the_client_takes_the_replies_of_the_29_conversations() {
    assert_eq!(tally("wcf_messages", judge), Tally { conversations: 23, messages: 76 });
}

/// The 160 conversations of the findings.
#[test]
fn sc_12_4_the_client_takes_the_replies_of_the_160_conversations() {
    assert_eq!(tally("wcf_messages_more", judge), Tally { conversations: 142, messages: 491 });
}

fn judge(conversation: &Conversation) -> Result<usize, String> {
    // The certificate in the reply that this client was not set up for.
    let mut client = build(conversation)?;
    let random = DeterministicRandom::new(3);
    let mut ends = Ends::of(conversation);
    let mut judged = 0;
    let messages = conversation.messages();
    for index in 0..messages.len() {
        let (Some(request), Some(reply)) = (messages.get(index), messages.get(index + 1)) else { break };
        if text(request, "direction") != "request" || text(reply, "direction") != "reply" {
            continue;
        }
        // A request that WCF refused may be one that cannot be opened; then the client sees an unsecured fault only.
        let opened = parse_message(request).and_then(|document| conversation.open(document, index, &ends));
        let Ok(opened) = opened else {
            judged += usize::from(judge_unsecured(conversation, index)?);
            continue;
        };
        let generation = client_generation(conversation);
        let action = text(request, "action");
        let trust = TrustAction::of_request(action, generation);
        let rst = opened.body().and_then(|body| {
            let content = body.children().next()?;
            RequestSecurityToken::parse(content.element(), generation).ok()
        });
        let id = opened.message_id().unwrap_or_default().into_owned();
        let context = opened.into_request_context();
        ends.requests.insert(id, context.clone());
        let now = created(reply).or_else(|| created(request)).unwrap();
        // The client comes to where the recorded one was: what it makes itself is thrown away.
        if !client.has_session() && trust != Some(TrustAction::Issue) {
            continue;
        }
        let made = match trust {
            Some(TrustAction::Issue) => {
                client.forget();
                client.establish(now, &random)
            }
            Some(TrustAction::Renew) => client.establish(now, &random),
            Some(TrustAction::Cancel) => match client.close(now, &random) {
                Ok(Some(exchange)) => Ok(exchange),
                Ok(None) => continue,
                Err(error) => Err(error),
            },
            None => client.request(action, Body::empty(), now, &random),
        };
        let exchange = match made {
            Ok(exchange) => exchange.begun_elsewhere(context, rst),
            Err(Error::KeyExpired) => continue,
            Err(error) => return Err(format!("message {index}: {error}")),
        };
        let refused = reply["mustFail"].as_bool() == Some(true)
            || conversation.name == "bootstrap-duplex-reply-token-not-allowed";
        let recorded = fault(reply).filter(|fault| !is_of_application(fault));
        let outcome = client.receive(exchange, wire(reply), now);
        let problem = match (outcome, recorded) {
            (Err(_), _) if refused => None,
            (Ok(outcome), _) if refused => Some(format!("taken: {outcome:?}")),
            (Ok(Outcome::Established), None) => {
                let issued = response(reply, generation).and_then(|response| response.token);
                let identifier = issued.map(|token| token.context.identifier);
                (client.context_id().map(str::to_owned) != identifier).then(|| "another context".to_owned())
            }
            (Ok(Outcome::Reply(_)), None) => None,
            (Ok(Outcome::Fault { .. }), None) => fault(reply).is_none().then(|| "a fault".to_owned()),
            (Ok(Outcome::Closed { was_cancelled: true }), None) => None,
            (Ok(Outcome::Closed { was_cancelled: false }), Some(fault)) => {
                let name = fault.subcode.map(|code| code.local_name);
                (name.as_deref() != Some("SecureConversationCancellationNotAllowed"))
                    .then(|| format!("closed: {name:?}"))
            }
            (Err(Error::RenewNeeded), Some(fault)) => {
                let name = fault.subcode.map(|code| code.local_name);
                (name.as_deref() != Some("RenewNeeded")).then(|| format!("renewal: {name:?}"))
            }
            (Err(Error::Fault { fault, .. }), Some(recorded)) => {
                (fault.subcode != recorded.subcode).then(|| format!("{fault}, and it was {recorded}"))
            }
            (outcome, recorded) => Some(format!("{outcome:?}, and it was {recorded:?}")),
        };
        if let Some(problem) = problem {
            return Err(format!("reply {}: {problem}", index + 1));
        }
        judged += 1;
    }
    Ok(judged)
}

/// The reply to a request that cannot be opened is an unsecured fault, or one under the bootstrap that nobody can open either.
fn judge_unsecured(conversation: &Conversation, index: usize) -> Result<bool, String> {
    let reply = &conversation.messages()[index + 1];
    match (reply["securityHeader"].is_null(), fault(reply)) {
        (true, Some(fault)) if fault.is_of_security_layer() => Ok(true),
        _ => Err(format!("request {index} cannot be opened")),
    }
}

fn client_generation(conversation: &Conversation) -> handstamp_ws_security::Generation {
    binding(conversation, false).version.generation
}

/// What the client makes itself is thrown away, so any will do.
fn any_assertion() -> IssuedToken {
    let assertion = format!("<a:Assertion xmlns:a='{}' AssertionID='_1'/>", handstamp_xml::names::SAML11);
    let proof = IssuedProof::Symmetric(SymmetricKey::from_bytes(&[1; 32]));
    IssuedToken::new(parse(&assertion).root(), proof).unwrap()
}

fn build(conversation: &Conversation) -> Result<SecureConversationClient, String> {
    let soap = if text(&conversation.case, "soap") == "1.1" { SoapVersion::Soap11 } else { SoapVersion::Soap12 };
    let of_2004 = text(&conversation.case["settings"], "addressing") == "August 2004";
    let addressing = if of_2004 { AddressingVersion::August2004 } else { AddressingVersion::V10 };
    let builder = SecureConversationClient::builder(binding(conversation, false), "http://server.example/")
        .message_version(soap, addressing)
        .identity(conversation.parties.client.clone())
        .service_certificate(conversation.parties.service.certificate().clone())
        .user_name(UserNameCredential::new("alice", "secret"))
        .issued_token(any_assertion())
        .contract(contract(conversation));
    builder.build().map_err(|error| format!("the client does not start: {error}"))
}
