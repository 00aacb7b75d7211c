//! Signing in and out, step by step.

use crate::support::{COOKIE, Demo, is_in};
use handstamp_testkit::agent::Agent;

#[tokio::test(flavor = "multi_thread")]
async fn the_ready_line_says_where_everything_is() {
    let demo = Demo::start(&[]).await;
    let line = demo.program.ready_line().as_object().expect("an object").clone();
    let mut names: Vec<&str> = line.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["admin", "password", "pid", "soap", "sts", "username", "web"]);
    assert_eq!(line["pid"].as_u64(), demo.program.id().map(u64::from));
    let health = Agent::new().get(&format!("{}/healthz", demo.program.ready("admin"))).await;
    assert_eq!(health.status, 200, "{}", health.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_shows_the_user_and_the_session() {
    let demo = Demo::start(&[]).await;
    let mut agent = Agent::new();
    let page = demo.sign_in(&mut agent).await;
    for text in ["Ada Lovelace", "ada@example.com", "Order Clerk", "the cookie", "bytes", "Time left"] {
        assert!(page.body.contains(text), "{text} is missing:\n{}", page.body);
    }
    assert!(page.header("cache-control").contains("no-store"));
    let size = agent.cookie("localhost", COOKIE).map_or(0, str::len);
    assert!((1..=900).contains(&size), "a session of {size} characters");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password_and_unknown_user_look_the_same() {
    let demo = Demo::start(&[]).await;
    let mut pages = Vec::new();
    for user_name in ["ada", "eve"] {
        let mut agent = Agent::new();
        let page = demo.open(&mut agent).await;
        let refused = agent.submit(&page, &[("username", user_name), ("password", "wrong password")]).await;
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("User name or password is wrong."));
        // Apart from what was typed and what is random.
        let same = refused.body.replace(user_name, "NAME");
        pages.push((refused.headers.len(), same.len()));
    }
    assert_eq!(pages[0].0, pages[1].0);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_run_out_and_the_right_password_does_not_help_then() {
    let demo = Demo::start(&[]).await;
    let mut agent = Agent::new();
    let mut page = demo.open(&mut agent).await;
    for _ in 0..10 {
        page = agent.submit(&page, &[("username", "ada"), ("password", "wrong password")]).await;
        assert_eq!(page.status, 403);
    }
    let page = agent.submit(&page, &[("username", "ada"), ("password", demo.program.ready("password"))]).await;
    assert_eq!(page.status, 429);
    assert!(!page.header("retry-after").is_empty());
    assert!(page.body.contains("Too many attempts"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_another_site_signs_nobody_in() {
    let demo = Demo::start(&[]).await;
    let credentials = [("username", demo.program.ready("username")), ("password", demo.program.ready("password"))];
    let mut agent = Agent::new();
    let page = demo.open(&mut agent).await;

    // The victim's browser has the cookie, the attacker's form not its text.
    let mut forged: Vec<(&str, &str)> = credentials.to_vec();
    forged.push(("csrf", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    let refused = agent.clone().post(&page.url.to_string(), forged).await;
    assert_eq!(refused.status, 403);
    assert!(!refused.body.contains("wresult"));

    // The browser says that the form comes from elsewhere.
    let mut elsewhere = agent.clone();
    elsewhere.headers.insert("origin", "https://evil.example".parse().unwrap());
    let refused = elsewhere.submit(&page, &credentials).await;
    assert_eq!(refused.status, 403);
    assert!(!refused.body.contains("wresult"));

    let accepted = agent.submit(&page, &credentials).await;
    assert!(accepted.body.contains("wresult"));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_copies_of_the_cookie_too_also_after_a_restart() {
    for options in [&[][..], &["--reference-mode"]] {
        let demo = Demo::start(options).await;
        let mut agent = Agent::new();
        demo.sign_in(&mut agent).await;
        let mut thief = Agent::new();
        thief.set_cookie("localhost", COOKIE, agent.cookie("localhost", COOKIE).expect("the session's cookie"));
        assert!(is_in(&thief.get(&demo.web()).await));

        let page = agent.navigate(&format!("{}signout", demo.web())).await;
        assert!(page.body.contains("/signed-out\""), "the way on: {}", page.body);
        assert_eq!(agent.cookie("localhost", COOKIE), None);
        let stolen = thief.cookie("localhost", COOKIE).expect("still there").to_owned();
        assert!(!is_in(&thief.get(&demo.web()).await), "the copy still works");

        let demo = demo.kill_and_restart(options).await;
        thief.set_cookie("localhost", COOKIE, &stolen);
        assert!(!is_in(&thief.get(&demo.web()).await), "the copy works again after a restart");
        demo.open(&mut agent).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_the_user_lacks_is_403_and_no_redirect() {
    let demo = Demo::start(&[]).await;
    let mut agent = Agent::new();
    demo.sign_in(&mut agent).await;
    let answer = agent.get(&format!("{}auditors", demo.web())).await;
    assert_eq!(answer.status, 403);
    assert!(answer.location().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_demo_in_the_same_folder_is_refused() {
    let demo = Demo::start(&[]).await;
    let second = tokio::process::Command::new(env!("CARGO_BIN_EXE_handstamp"))
        .args(["demo", "--port", "0", "--json", "--data"])
        .arg(demo.place.folder.path())
        .output()
        .await
        .expect("the program starts");
    assert_eq!(second.status.code(), Some(3));
    assert!(second.stdout.is_empty());
    assert!(String::from_utf8_lossy(&second.stderr).contains("HST-DEMO-RUNNING"));
}
