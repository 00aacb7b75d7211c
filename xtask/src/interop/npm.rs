//! npm's packages for WS-Federation (`interop/wsfed`).

use crate::packages::{self, NODE, NPM};
use crate::process::{count_tests, succeeds_or_says};
use crate::report::Outcome;
use crate::workspace::{cargo, root};
use std::process::Command;

pub(super) fn run() -> Outcome {
    if let Err(why) = packages::ensure(&[NODE, NPM]) {
        return Outcome::skipped(format!("npm's packages for WS-Federation; {why}"));
    }
    let folder = root().join("interop/wsfed");
    // What is there is what the lock file says, unless the lock file is newer.
    let written = |file: &str| folder.join(file).metadata().and_then(|file| file.modified()).ok();
    if written("node_modules/.package-lock.json") < written("package-lock.json")
        && let Err(why) = succeeds_or_says(Command::new("npm").arg("ci").current_dir(&folder))
    {
        let last = why.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
        return Outcome::skipped(format!("npm's packages for WS-Federation; `npm ci` in interop/wsfed failed: {last}"));
    }
    // `--workspace` keeps the features, and so the artifacts, of the parts before.
    count_tests(cargo().args(["test", "--locked", "--workspace", "--test", "peers", "--no-fail-fast"])).into()
}
