//! Apache CXF (`interop/cxf`), at the endpoints of the WS-SecureConversation interoperability service.

use super::soap;
use crate::packages::{self, JAVA, JAVAC, MAVEN};
use crate::process::{count_tests, succeeds_or_says};
use crate::report::Outcome;
use crate::workspace::{cargo, root};
use std::process::Command;

pub(super) fn run() -> Outcome {
    // Plain clients call it through the gateway.
    if let Err(why) = packages::ensure(&[JAVA, JAVAC, MAVEN]).and_then(|()| soap::install()) {
        return Outcome::skipped(format!("Apache CXF; {why}"));
    }
    if let Err(why) = build() {
        return why;
    }
    // `--workspace` keeps the features, and so the artifacts, of the parts before.
    count_tests(cargo().args(["test", "--locked", "--workspace", "--test", "cxf"])).into()
}

/// First with what is on this machine, so that a build that ran once needs no registry.
fn build() -> Result<(), Outcome> {
    let maven = |online: &[&str]| {
        let mut command = Command::new("mvn");
        command.args(["--quiet", "--batch-mode", "--file", "interop/cxf/pom.xml"]).args(online).arg("package");
        succeeds_or_says(command.current_dir(root()))
    };
    if maven(&["--offline"]).is_ok() {
        return Ok(());
    }
    maven(&[]).map_err(|said| {
        let line = |text: &str| said.lines().find(|line| line.contains(text)).map(str::to_owned);
        match line("COMPILATION ERROR") {
            Some(_) => Outcome::failed(format!("interop/cxf does not compile:\n{said}")),
            None => {
                let why = line("Could not").or_else(|| line("ERROR")).unwrap_or(said);
                Outcome::skipped(format!("Apache CXF; `mvn package` in interop/cxf failed: {why}"))
            }
        }
    })
}
