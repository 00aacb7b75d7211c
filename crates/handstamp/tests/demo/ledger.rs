//! The ledger, called from the command line.

use crate::support::Demo;
use handstamp_testkit::agent::Agent;
use std::path::Path;
use std::process::{Command, Stdio};

const BALANCE: &str = "<Balance xmlns=\"urn:handstamp:ledger\"/>";
const TRANSFER: &str = "<Transfer xmlns=\"urn:handstamp:ledger\"><To>bob</To><Amount>12.50</Amount></Transfer>";

/// Who calls the ledger of a demo, from a cache folder of their own.
struct Caller {
    cache: tempfile::TempDir,
    data: std::path::PathBuf,
    address: String,
    user: String,
}

struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Caller {
    fn of(demo: &Demo) -> Self {
        let ready = |name| demo.program.ready(name);
        Self {
            cache: tempfile::tempdir().expect("a folder for sessions"),
            data: demo.place.folder.path().to_owned(),
            address: ready("soap").to_owned(),
            user: format!("{}:{}", ready("username"), ready("password")),
        }
    }

    /// With sessions that the ledger remembers.
    fn call_remembered(&self, body: &str, more: &[&str]) -> Answer {
        self.call_at(&format!("{}/remembered", self.address), "ledger-remembered.xml", body, more)
    }

    fn call(&self, body: &str, more: &[&str]) -> Answer {
        self.call_at(&self.address, "ledger.xml", body, more)
    }

    fn call_at(&self, address: &str, binding: &str, body: &str, more: &[&str]) -> Answer {
        let path = self.cache.path().join("body.xml");
        std::fs::write(&path, body).expect("the body is written");
        let file = |name: &str| self.data.join(name).display().to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_handstamp"))
            .args(["soap", "call", address, "--binding", &file(binding)])
            .args(["--service-cert", &file("ledger.crt"), "--user", &self.user])
            .args(["--body", &path.display().to_string()])
            .args(more)
            .env("XDG_CACHE_HOME", self.cache.path())
            .stdin(Stdio::null())
            .output()
            .expect("the command runs");
        let text = |octets: Vec<u8>| String::from_utf8(octets).expect("the command writes text");
        Answer { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The sessions that are kept.
    fn kept(&self) -> Vec<std::path::PathBuf> {
        let folder = self.cache.path().join("handstamp/soap");
        let files = std::fs::read_dir(folder).into_iter().flatten();
        let files = files.map(|file| file.expect("the folder can be read").path());
        files.filter(|file| file.extension().is_some_and(|extension| extension == "json")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_10_a_session_goes_on_when_the_service_was_killed() {
    let demo = Demo::start(&[]).await;
    let caller = Caller::of(&demo);
    let first = caller.call(BALANCE, &["-v"]);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.out.contains("<Account>ada</Account><Balance>1000.00</Balance>"), "{}", first.out);
    assert!(first.err.contains("/RST/SCT\n"), "{}", first.err);
    assert_eq!(caller.kept().len(), 1);
    let paid = caller.call(TRANSFER, &[]);
    assert!(paid.out.contains("<Number>1</Number>") && paid.out.contains("987.50"), "{} {}", paid.out, paid.err);

    let Demo { program, place } = demo;
    program.kill().await;
    let down = caller.call(BALANCE, &[]);
    assert!(down.code == 1 && down.err.contains("refused"), "{}", down.err);
    let demo = Demo { program: place.run(&[]).await, place };
    let after = caller.call(BALANCE, &["-v"]);
    assert!(after.out.contains("987.50"), "{} {}", after.out, after.err);
    assert!(after.err.contains("goes on") && !after.err.contains("/RST/SCT"), "{}", after.err);

    let mut agent = Agent::new();
    demo.sign_in(&mut agent).await;
    let page = agent.get(&format!("{}ledger", demo.web())).await;
    let context = after.err.split("urn:uuid:").nth(1).and_then(|text| text.split(' ').next()).expect("a context id");
    assert!(page.body.contains(context) && page.body.contains("older than this process"), "{}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_36_a_remembered_session_is_unknown_after_a_restart_and_the_next_call_has_a_new_one() {
    let demo = Demo::start(&[]).await;
    let caller = Caller::of(&demo);
    let first = caller.call_remembered(BALANCE, &[]);
    assert!(first.out.contains("1000.00"), "{} {}", first.out, first.err);
    let again = caller.call_remembered(BALANCE, &["-v"]);
    assert!(again.err.contains("goes on") && again.out.contains("1000.00"), "{}", again.err);

    let demo = demo.kill_and_restart(&[]).await;
    let lost = caller.call_remembered(BALANCE, &["-v"]);
    assert_eq!(lost.code, 1);
    assert!(lost.err.contains("goes on") && lost.err.contains("BadContextToken"), "{}", lost.err);
    assert!(lost.err.contains("docs.oasis-open.org/ws-sx/ws-secureconversation/200512"), "{}", lost.err);
    let after = caller.call_remembered(BALANCE, &["-v"]);
    assert!(after.err.contains("a session is needed") && after.out.contains("1000.00"), "{}", after.err);

    // The page has the remembered session until its key ends, and forgets one that its client has cancelled.
    let cancelled = caller.call_remembered(BALANCE, &["--session", "none"]);
    assert!(cancelled.out.contains("1000.00"), "{}", cancelled.err);
    let mut agent = Agent::new();
    demo.sign_in(&mut agent).await;
    let page = agent.get(&format!("{}ledger", demo.web())).await.body;
    assert_eq!(page.matches(">remembered</span>").count(), 1, "{page}");
    assert!(page.contains("<td>15h</td>"), "{page}");
}

/// A connection that says what it will send and does not.
#[tokio::test(flavor = "multi_thread")]
async fn sc_19_a_slow_sender_is_not_waited_for() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let demo = Demo::start(&[]).await;
    let address = demo.program.ready("soap").trim_start_matches("http://").split('/').next().expect("an authority");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("the ledger answers");
    let head = "POST /ledger HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<s:";
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    let mut answer = vec![0; 64];
    let read = tokio::time::timeout(std::time::Duration::from_secs(40), stream.read(&mut answer)).await;
    let length = read.expect("in time").expect("an answer");
    assert!(answer[..length].starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    let caller = Caller::of(&demo);
    assert!(caller.call(BALANCE, &[]).out.contains("1000.00"), "others are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_and_kept_of_a_session_is_nobodys_business() {
    let demo = Demo::start(&[]).await;
    let mut caller = Caller::of(&demo);
    let alone = caller.call(BALANCE, &["--session", "none"]);
    assert_eq!((alone.code, caller.kept().len()), (0, 0), "{}", alone.err);
    let shown = caller.call(BALANCE, &["-v", "--session", "new", "--envelope"]);
    assert!(shown.out.starts_with("<s:Envelope") && shown.out.contains("1000.00"), "{} {}", shown.out, shown.err);
    let kept = caller.kept();
    let [file] = &kept[..] else { panic!("{kept:?}") };
    assert_private(file);
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(file).expect("it can be read")).expect("JSON");
    let key = saved["key"].as_str().expect("a key");
    for secret in [key, demo.program.ready("password")] {
        assert!(!shown.err.contains(secret), "{}", shown.err);
    }
    let again = caller.call(BALANCE, &["-v"]);
    assert!(again.err.contains("goes on"), "{}", again.err);
    let new = caller.call(BALANCE, &["-v", "--session", "new"]);
    assert!(new.err.contains("a session is needed"), "{}", new.err);
    demo.program.ready("username").clone_into(&mut caller.user);
    let without_password = caller.call(BALANCE, &["-v"]);
    assert!(without_password.err.contains("goes on") && without_password.code == 0, "{}", without_password.err);
    let refused = caller.call(BALANCE, &["--session", "new"]);
    assert!(refused.code == 1 && refused.err.starts_with("HST-SOAP-PASSWORD: there is no password"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_12_refusals_and_faults_end_with_1_and_keep_nothing() {
    let demo = Demo::start(&[]).await;
    let mut caller = Caller::of(&demo);
    let greedy = caller.call(&TRANSFER.replace("12.50", "99999"), &[]);
    assert_eq!(greedy.code, 1);
    assert!(greedy.err.contains("not enough money") && greedy.out.contains("Fault"), "{} {}", greedy.out, greedy.err);
    let unknown = caller.call("<Close xmlns=\"urn:handstamp:ledger\"/>", &["--session", "none"]);
    assert!(unknown.code == 1 && unknown.err.contains("InvalidSecurity"), "{}", unknown.err);
    caller.user = "ada:wrong password".to_owned();
    let wrong = caller.call(BALANCE, &["--session", "new"]);
    assert!(wrong.code == 1 && wrong.err.contains("FailedAuthentication"), "{}", wrong.err);
    caller.user = "eve:wrong password".to_owned();
    let nobody = caller.call(BALANCE, &[]);
    assert!(nobody.code == 1 && nobody.err == wrong.err, "{} {}", nobody.err, wrong.err);
    assert!(caller.kept().len() <= 1, "{:?}", caller.kept());
}

fn assert_private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}
