//! Our service in the place of the recorded one: the requests come from WCF's client.

use crate::ends::{
    Assertions, Recorded, binding, contract, echoed_name, encoder, fault, is_of_application, is_secured,
    receive_timeout,
};
use crate::recorded::{Conversation, created, text, wire};
use crate::trusted::Alice;
use crate::{Tally, tally};
use handstamp_secure_conversation::{
    Answer, Error, Event, Handled, Incoming, SecureConversationService, WcfStateCookies,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::SecurityBinding;
use handstamp_ws_security::soap::Fault;
use handstamp_xml::names;
use std::sync::Arc;
use std::time::Duration;

/// Appendix A: the 29 conversations.
#[test]
fn sc_9_the_service_serves_and_refuses_as_in_the_29_conversations() {
    assert_eq!(tally("wcf_messages", judge), Tally { conversations: 23, messages: 76 });
}

/// SC-90. The 160 conversations of the findings.
#[test]
fn sc_12_the_service_serves_and_refuses_as_in_the_160_conversations() {
    assert_eq!(tally("wcf_messages_more", judge), Tally { conversations: 142, messages: 508 });
}

fn judge(conversation: &Conversation) -> Result<usize, String> {
    let binding = binding(conversation, true);
    let is_stateful = conversation.case["requireCancellation"].as_bool() == Some(false);
    let random = Recorded::new();
    let built = build(conversation, &binding, false);
    if conversation.name == "no-timestamp-service-only" {
        // WCF starts and then refuses every message (finding 29).
        return built.map(|_| 0).or_else(|problem| problem.contains("includeTimestamp").then_some(0).ok_or(problem));
    }
    let mut service = built?;
    let mut judged = 0;
    let messages = conversation.messages();
    for (index, message) in messages.iter().enumerate() {
        if text(message, "direction") != "request" {
            continue;
        }
        // What the recordings say of themselves.
        if conversation.name.starts_with("restart-") && index == 4 {
            service = build(conversation, &binding, true)?;
        }
        if conversation.name == "host-closing" && index == 4 {
            service.close();
        }
        let answer = messages.get(index + 1).filter(|next| text(next, "direction") == "reply");
        if let Some(answer) = answer {
            random.prime(answer, binding.version.generation);
        }
        let now = arrival(conversation, index);
        let incoming = Incoming::new(wire(message)).over_protected_channel();
        let outcome = Outcome::of(service.handle(incoming, now, &random));
        let expected = answer.and_then(|answer| Some((fault(answer)?, is_secured(answer))));
        let expected = expected.filter(|(fault, _)| !is_of_application(fault));
        let problem = match (&outcome, expected) {
            (Outcome::Served { name }, None) => {
                let echoed = answer.and_then(echoed_name);
                let same = echoed.as_ref().is_none_or(|echoed| echoed == name);
                (!same).then(|| format!("the caller is {name:?} and was {echoed:?}"))
            }
            (Outcome::Answered, None) => None,
            (Outcome::Faulted { fault, secured, .. }, Some((recorded, was_secured))) => {
                let same = is_same(conversation, fault, &recorded) && *secured == was_secured;
                (!same).then(|| format!("{fault} (secured: {secured}), and it was {recorded} ({was_secured})"))
            }
            // WCF drops what has neither action nor security nor SOAP 1.2; elsewhere it answers this (finding 13), as we do.
            (Outcome::Faulted { .. }, None) if answer.is_none() && text(message, "action").is_empty() => None,
            // The claim of a SAML name identifier in WCF's state names a type of .NET, and no such name is resolved here (ST-44).
            (Outcome::Faulted { .. }, None) if conversation.name.starts_with("issued-") && is_stateful => None,
            // A request without security to a service that remembers sessions, and a cancel without target: finding 12.
            (Outcome::Dropped(_), None) if answer.is_none() => None,
            (outcome, expected) => Some(format!("{outcome:?}, and it was {expected:?}")),
        };
        if let Some(problem) = problem {
            return Err(format!("message {index} ({}): {problem}", text(message, "about")));
        }
        judged += 1;
    }
    Ok(judged)
}

/// When a request arrived. Some were held back, which only the recordings' own words tell.
fn arrival(conversation: &Conversation, index: usize) -> Timestamp {
    let messages = conversation.messages();
    let is_last = !messages[index + 1..].iter().any(|message| text(message, "direction") == "request");
    if conversation.name.starts_with("expired-context-") && is_last {
        return created(&messages[1]).unwrap().saturating_add(Duration::from_millis(5500));
    }
    if conversation.name.starts_with("rollover-old-key-too-late")
        && text(&messages[index], "about").contains("held back")
    {
        return messages[index + 1..].iter().find_map(created).unwrap();
    }
    conversation.arrival(index)
}

fn is_same(conversation: &Conversation, ours: &Fault, recorded: &Fault) -> bool {
    if conversation.name.starts_with("expired-context-") {
        // SC 10.4, SC-24: an authentic session that has ended is told so, where WCF tells nothing.
        let code = ours.subcode.as_ref().map(|code| (code.namespace.as_str(), code.local_name.as_str()));
        return code == Some((names::WSC_2005, "BadContextToken"));
    }
    // SOAP 1.1 does not tell sender and receiver apart where there is a subcode.
    ours.subcode == recorded.subcode && (text(&conversation.case, "soap") == "1.1" || ours.code == recorded.code)
}

#[derive(Debug)]
#[expect(dead_code, reason = "what is not compared is shown when something differs")]
enum Outcome {
    /// The application has it.
    Served {
        name: String,
    },
    /// The protocol has it.
    Answered,
    Faulted {
        fault: Fault,
        secured: bool,
        event: Event,
    },
    Dropped(Error),
}

impl Outcome {
    fn of(handled: Handled) -> Self {
        match handled {
            Handled::Request(request) => {
                Self::Served { name: request.principal().name().unwrap_or_default().to_owned() }
            }
            Handled::Answer(Answer { envelope, fault: Some(fault), event, .. }) => {
                Self::Faulted { fault, secured: envelope.contains("Timestamp"), event }
            }
            Handled::Answer(_) => Self::Answered,
            Handled::Unreadable(error) | Handled::Dropped(error) => Self::Dropped(error),
            other => panic!("{other:?}"),
        }
    }
}

fn build(
    conversation: &Conversation,
    binding: &SecurityBinding,
    restarted: bool,
) -> Result<SecureConversationService, String> {
    let encoder = Arc::from(encoder(conversation, restarted));
    let built = SecureConversationService::builder(binding.clone())
        .identity(conversation.parties.service.clone())
        .client_certificate(conversation.parties.client.certificate().clone())
        .user_names(Arc::new(Alice))
        .issued_tokens(Arc::new(Assertions(conversation.parties.clone())))
        .cookies(Arc::new(WcfStateCookies::new(encoder)))
        .contract(contract(conversation))
        .receive_timeout(receive_timeout(conversation))
        .build();
    built.map_err(|error| format!("the service does not start: {error}"))
}
