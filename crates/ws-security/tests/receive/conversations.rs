//! The recorded conversations between WCF clients and services: what was accepted there is accepted here, with the same
//! plaintext, and what was refused there is refused here.

use crate::recorded::{Conversation, Verdict};

/// SC 9, Appendix A: the 29 conversations.
#[test]
fn sc_9_recorded_conversations_are_judged_as_wcf_judged_them() {
    let mut failures = Vec::new();
    let mut judged = 0;
    for conversation in Conversation::load("wcf_messages") {
        for verdict in conversation.judge() {
            match verdict {
                Verdict::AsRecorded => judged += 1,
                Verdict::NotProtected => {}
                Verdict::Differs(problem) => failures.push(problem),
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} messages differ:\n{}",
        failures.len(),
        judged + failures.len(),
        failures.join("\n")
    );
    assert_eq!(judged, 163);
}
