//! The program from outside: what it prints, and how it exits.

use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_handstamp"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("HANDSTAMP_LOG")
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// The same at a terminal, where somebody types a line at each prompt; all that is seen there. Elsewhere `script` has other options.
#[cfg(target_os = "linux")]
fn run_at_a_terminal(folder: &Path, arguments: &str, typed: &[&str]) -> (i32, String) {
    use std::io::{Read, Write};
    use std::process::Stdio;
    let command = format!("'{}' {arguments}", env!("CARGO_BIN_EXE_handstamp"));
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--echo", "never", "--command", &command, "/dev/null"])
        .current_dir(folder)
        .env_remove("HANDSTAMP_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script, of Debian's bsdutils");
    let (mut keyboard, mut screen) = (terminal.stdin.take().expect("piped"), terminal.stdout.take().expect("piped"));
    let mut seen = Vec::new();
    for line in typed {
        let mut byte = [0];
        while !seen.ends_with(b": ") && screen.read(&mut byte).expect("readable") == 1 {
            seen.push(byte[0]);
        }
        seen.push(b'|');
        keyboard.write_all(format!("{line}\n").as_bytes()).expect("typed");
    }
    screen.read_to_end(&mut seen).expect("readable");
    drop(keyboard);
    let code = terminal.wait().expect("it ends").code().expect("an exit code");
    (code, String::from_utf8(seen).expect("UTF-8").replace('\r', ""))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn a_good_configuration_is_explained_and_exits_with_0() {
    let folder = folder();
    let file = "[listener.public]\naddress = \"127.0.0.1:8080\"\n[web.app]\nupstream = \"http://127.0.0.1:3000\"\n";
    std::fs::write(folder.path().join("handstamp.toml"), file).expect("written");
    let (code, out, err) = run(folder.path(), &["config", "check"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "Listener public: accepts HTTP on 127.0.0.1:8080; request heads up to 64 KiB, within 15s.\n\
         Store: in memory; revocations and replay records are lost when the program ends.\n\
         Web app: any host, path / → http://127.0.0.1:3000, which sees the client's Host.\n  \
         Nobody signs in.\n\
         handstamp.toml is good.\n"
    );
}

#[test]
fn a_wrong_configuration_is_one_line_a_mistake_and_exits_with_3() {
    let folder = folder();
    std::fs::write(folder.path().join("wrong.toml"), "[log]\nlevl = 1\nformat = 2\n").expect("written");
    let (code, out, err) = run(folder.path(), &["config", "check", "wrong.toml"]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert_eq!(
        err,
        "wrong.toml:2:1: HST-CONFIG-UNKNOWN-KEY log.levl: unknown key; did you mean `level`?\n\
         wrong.toml:3:1: HST-CONFIG-VALUE log.format: must be one of `text` `json`, not an integer\n"
    );
    let (code, _, err) = run(folder.path(), &["serve", "--config", "none.toml"]);
    assert_eq!(code, 3);
    assert!(err.starts_with("none.toml: HST-CONFIG-FILE: cannot be read: "), "{err}");
}

#[test]
fn nonsense_on_the_command_line_exits_with_2_and_help_with_0() {
    let folder = folder();
    assert_eq!(run(folder.path(), &["serv"]).0, 2);
    assert_eq!(run(folder.path(), &[]).0, 2);
    let (code, out, _) = run(folder.path(), &["--help"]);
    assert_eq!(code, 0);
    assert!(out.contains("Exit codes:") && out.contains("serve"), "{out}");
}

#[test]
fn keys_live_through_their_states() {
    let folder = folder();
    let keys = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["keys"].iter().chain(arguments).chain(&["--ring", "ring.json"]).copied().collect();
        run(folder.path(), &arguments)
    };
    let states = || -> Vec<(String, String)> {
        let (code, out, err) = keys(&["list", "--json"]);
        assert_eq!((code, err.as_str()), (0, ""));
        let list: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        list.as_array().expect("an array").iter().map(|key| (text(&key["id"]), text(&key["state"]))).collect()
    };
    assert_eq!(keys(&["list"]).0, 4, "there is no file yet");
    assert_eq!(keys(&["init"]).0, 0);
    let (code, _, err) = keys(&["init"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.starts_with("HST-KEYS-FILE-EXISTS: "), "{err}");
    let first = states();
    assert_eq!(first[0].1, "current");

    assert_eq!(keys(&["rotate"]).0, 0);
    assert_eq!(states()[1].1, "pending");
    assert_eq!(keys(&["rotate", "--now"]).0, 0);
    let both: Vec<String> = states().into_iter().map(|(_, state)| state).collect();
    assert_eq!(both, ["accepted", "current"]);

    assert_eq!(keys(&["revoke", &first[0].0]).0, 0);
    assert_eq!(states()[0].1, "revoked");
    let (code, _, err) = keys(&["retire", "00000000"]);
    assert_eq!(code, 1);
    assert!(err.starts_with("HST-KEYS-UNKNOWN: "), "{err}");
    let (code, table, _) = keys(&["list"]);
    assert_eq!(code, 0);
    assert!(table.starts_with("KEY ") && table.contains(&first[0].0), "{table}");
}

#[cfg(unix)]
#[test]
fn a_key_ring_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    assert_eq!(run(folder.path(), &["keys", "init", "--ring", "ring.json"]).0, 0);
    let file = folder.path().join("ring.json");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let (code, _, err) = run(folder.path(), &["keys", "list", "--ring", "ring.json"]);
    assert_eq!(code, 3);
    assert!(err.starts_with("HST-KEYS-FILE-EXPOSED: ") && err.contains("chmod"), "{err}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_new_password_is_typed_twice_and_does_not_show() {
    let folder = folder();
    let add = "account add alice --accounts accounts.db";
    let (code, seen) = run_at_a_terminal(folder.path(), add, &["correct horse battery", "correct horse batery"]);
    assert_eq!(code, 1, "{seen}");
    let prompts = "Password: |\nThe same again: |\n";
    assert_eq!(seen, format!("{prompts}HST-INPUT-PASSWORD: the two passwords differ\n"));
    let (code, seen) = run_at_a_terminal(folder.path(), add, &["correct horse battery"; 2]);
    assert_eq!(code, 0, "{seen}");
    assert!(seen.starts_with(prompts) && !seen.contains("horse"), "{seen}");
}

#[test]
fn completions_know_the_commands() {
    let (code, out, _) = run(folder().path(), &["completions", "bash"]);
    assert_eq!(code, 0);
    assert!(out.contains("handstamp") && out.contains("revoke"), "no commands in it");
}
