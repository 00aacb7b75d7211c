//! The recorded conversations between WCF clients and services: our service serves each recorded request and refuses what WCF
//! refused, with the same fault; our client takes each recorded reply.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod as_client;
mod as_service;
mod ends;

// The recorded conversations, with the settings and the secrets of both ends.
#[allow(dead_code, reason = "shared with the tests of message security")]
#[path = "../../../ws-security/tests/receive/recorded.rs"]
mod recorded;
#[allow(dead_code, reason = "shared with the tests of message security")]
#[path = "../../../ws-security/tests/receive/settings.rs"]
mod settings;
#[allow(dead_code, reason = "shared with the tests of message security")]
#[path = "../../../ws-security/tests/receive/trusted.rs"]
mod trusted;

use recorded::Conversation;

/// What came of the conversations of one file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    conversations: usize,
    messages: usize,
}

/// Runs `judge`, which counts messages or says what differs, on each conversation with a session.
fn tally(file: &str, judge: impl Fn(&Conversation) -> Result<usize, String>) -> Tally {
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    for conversation in Conversation::load(file) {
        if conversation.case["secureConversation"].as_bool() != Some(true) {
            continue;
        }
        match judge(&conversation) {
            Ok(messages) => {
                tally.conversations += 1;
                tally.messages += messages;
            }
            Err(problem) => failures.push(format!("{}: {problem}", conversation.name)),
        }
    }
    assert!(failures.is_empty(), "{} differ ({tally:?}):\n{}", failures.len(), failures.join("\n"));
    tally
}
