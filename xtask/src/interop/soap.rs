//! Plain SOAP clients from three ecosystems (`interop/soap`).

use crate::packages::{self, CURL, NODE, NPM, PYTHON};
use crate::process::{count_tests, succeeds_or_says};
use crate::report::Outcome;
use crate::workspace::{cargo, root};
use std::process::Command;

pub(super) fn run() -> Outcome {
    if let Err(why) = install() {
        return Outcome::skipped(format!("plain SOAP clients; {why}"));
    }
    count_tests(cargo().args(["test", "--locked", "--workspace", "--test", "soap_clients", "--no-fail-fast"])).into()
}

/// Puts the clients where tests look for them.
pub(super) fn install() -> Result<(), String> {
    packages::ensure(&[CURL, NODE, NPM, PYTHON])?;
    let folder = root().join("interop/soap");
    let failed = |what: &str, why: &str| {
        let last = why.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        format!("`{what}` in interop/soap failed: {last}")
    };
    // What is there is what the lock file says, unless the lock file is newer.
    let written = |file: &str| folder.join(file).metadata().and_then(|file| file.modified()).ok();
    if written("node_modules/.package-lock.json") < written("package-lock.json")
        && let Err(why) = succeeds_or_says(Command::new("npm").arg("ci").current_dir(&folder))
    {
        return Err(failed("npm ci", &why));
    }
    if written("venv/pyvenv.cfg") < written("requirements.txt") {
        let steps: [(&str, &[&str]); 2] = [
            ("python3", &["-m", "venv", "--clear", "venv"]),
            ("venv/bin/pip", &["install", "--quiet", "--requirement", "requirements.txt"]),
        ];
        for (program, arguments) in steps {
            let program = if program.contains('/') { folder.join(program) } else { program.into() };
            if let Err(why) = succeeds_or_says(Command::new(&program).args(arguments).current_dir(&folder)) {
                // Half an environment is none.
                let _ = std::fs::remove_dir_all(folder.join("venv"));
                return Err(failed(&arguments.join(" "), &why));
            }
        }
    }
    Ok(())
}
