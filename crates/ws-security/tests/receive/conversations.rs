//! The recorded conversations between WCF clients and services: what was accepted there is accepted here, with the same
//! plaintext, and what was refused there is refused here.

use crate::recorded::{Conversation, Verdict};

/// SC 9, Appendix A: the 29 conversations.
#[test]
fn sc_9_the_29_conversations_are_judged_as_wcf_judged_them() {
    assert_eq!(judged("wcf_messages"), Tally { as_recorded: 170, authentic_only: 0 });
}

/// The 160 conversations of the findings.
#[test]
fn sc_9_the_160_conversations_are_judged_as_wcf_judged_them() {
    assert_eq!(judged("wcf_messages_more"), Tally { as_recorded: 1025, authentic_only: 31 });
}

#[derive(Debug, Default, PartialEq)]
struct Tally {
    as_recorded: usize,
    /// What WCF refused for the state of the session or the action, which is not decided here.
    authentic_only: usize,
}

fn judged(file: &str) -> Tally {
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    for verdict in Conversation::load(file).iter().flat_map(Conversation::judge) {
        match verdict {
            Verdict::AsRecorded => tally.as_recorded += 1,
            Verdict::AuthenticOnly => tally.authentic_only += 1,
            Verdict::NotProtected => {}
            Verdict::Differs(problem) => failures.push(problem),
        }
    }
    assert!(failures.is_empty(), "{} messages differ ({tally:?}):\n{}", failures.len(), failures.join("\n"));
    tally
}
