//! `kill -9` in the middle of load: no session is lost.

use crate::support::{COOKIE, Demo, is_in};
use handstamp_testkit::agent::Agent;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const SESSIONS: usize = 200;
const KILLS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn no_session_is_lost_when_the_program_is_killed_twenty_times_under_load() {
    let demo = Demo::start(&[]).await;
    let web = demo.web();
    let mut agents = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let mut agent = Agent::new();
        demo.sign_in(&mut agent).await;
        agents.push(agent);
    }
    let different: std::collections::BTreeSet<_> =
        agents.iter().filter_map(|agent| agent.cookie("localhost", COOKIE)).collect();
    assert_eq!(different.len(), SESSIONS, "every sign-in made a session of its own");

    let stop = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let users: Vec<_> = agents
        .into_iter()
        .map(|mut agent| {
            let (stop, served, web) = (Arc::clone(&stop), Arc::clone(&served), web.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    // A connection that breaks is what kill -9 looks like from here; a person reloads.
                    match agent.try_get(&web).await {
                        Ok(answer) => {
                            assert!(is_in(&answer), "a session was lost: {} {}", answer.status, answer.body);
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(_) => tokio::task::yield_now().await,
                    }
                }
                // Once more at the end, when nothing is in the way but a connection to a program that is gone.
                let last = match agent.try_get(&web).await {
                    Ok(answer) => answer,
                    Err(_) => agent.get(&web).await,
                };
                assert!(is_in(&last), "a session was lost");
            })
        })
        .collect();

    let Demo { mut program, place } = demo;
    for _ in 0..KILLS {
        let before = served.load(Ordering::Relaxed);
        // Load is running before every kill.
        while served.load(Ordering::Relaxed) < before + SESSIONS / 4 {
            tokio::task::yield_now().await;
        }
        let rest = program.kill().await;
        assert_eq!(rest, Vec::<String>::new(), "one line on standard output, and no more");
        program = place.run(&[]).await;
    }
    stop.store(true, Ordering::Relaxed);
    for user in users {
        user.await.expect("no session was lost");
    }
}
