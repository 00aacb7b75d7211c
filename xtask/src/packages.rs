//! Programs a part needs beyond Rust, and how to get them on Debian.

use crate::process::{on_path, succeeds_silently};
use std::process::Command;

/// A program, or a file by its whole path, and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

pub(crate) const CHROMIUM: Tool = Tool { program: "chromium", package: "chromium" };
pub(crate) const CHROMEDRIVER: Tool = Tool { program: "chromedriver", package: "chromium-driver" };
pub(crate) const XMLSEC1: Tool = Tool { program: "xmlsec1", package: "xmlsec1" };
pub(crate) const XMLLINT: Tool = Tool { program: "xmllint", package: "libxml2-utils" };
pub(crate) const CXX: Tool = Tool { program: "c++", package: "g++" };
pub(crate) const NGINX: Tool = Tool { program: "/usr/sbin/nginx", package: "nginx-light" };
pub(crate) const CADDY: Tool = Tool { program: "/usr/bin/caddy", package: "caddy" };
pub(crate) const NODE: Tool = Tool { program: "node", package: "nodejs" };
pub(crate) const NPM: Tool = Tool { program: "npm", package: "npm" };
pub(crate) const REDIS: Tool = Tool { program: "redis-server", package: "redis-server" };
/// Its programs lie in a folder by version, which the tests look through; this one is for all versions.
pub(crate) const POSTGRESQL: Tool = Tool { program: "/usr/bin/pg_createcluster", package: "postgresql" };
pub(crate) const JAVA: Tool = Tool { program: "java", package: "default-jre-headless" };
pub(crate) const JAVAC: Tool = Tool { program: "javac", package: "default-jdk-headless" };
pub(crate) const MAVEN: Tool = Tool { program: "mvn", package: "maven" };
pub(crate) const CURL: Tool = Tool { program: "curl", package: "curl" };
pub(crate) const PYTHON: Tool = Tool { program: "python3", package: "python3-venv" };
pub(crate) const GO: Tool = Tool { program: "go", package: "golang-go" };
pub(crate) const WRK: Tool = Tool { program: "wrk", package: "wrk" };
pub(crate) const VALGRIND: Tool = Tool { program: "valgrind", package: "valgrind" };

/// Mono's compiler, its runtime, and the parts of its class library that `interop/mono` uses.
pub(crate) const MONO: [Tool; 7] = [
    Tool { program: "mcs", package: "mono-mcs" },
    Tool { program: "mono", package: "mono-runtime" },
    Tool {
        program: "/usr/lib/mono/4.5/System.Runtime.Serialization.dll",
        package: "libmono-system-runtime-serialization4.0-cil",
    },
    Tool { program: "/usr/lib/mono/4.5/System.IdentityModel.dll", package: "libmono-system-identitymodel4.0-cil" },
    Tool {
        program: "/usr/lib/mono/4.5/System.IdentityModel.Selectors.dll",
        package: "libmono-system-identitymodel-selectors4.0-cil",
    },
    Tool { program: "/usr/lib/mono/4.5/System.ServiceModel.dll", package: "libmono-system-servicemodel4.0a-cil" },
    Tool { program: "/usr/lib/mono/4.5/Mono.Security.dll", package: "libmono-security4.0-cil" },
];

/// Makes sure the tools are on the path, installing the missing ones with apt where that is possible.
/// The error names what is missing and why it stays so.
pub(crate) fn ensure(tools: &[Tool]) -> Result<(), String> {
    let missing: Vec<Tool> = tools.iter().copied().filter(|tool| !on_path(tool.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    let names = names.join(" ");
    if !on_path("apt-get") {
        return Err(format!("missing: {names} (no apt-get on this machine: install them by other means)"));
    }
    let Some(prefix) = privilege() else {
        return Err(format!("missing: {names} (not allowed to install; run: sudo apt-get install {names})"));
    };
    println!("installing with apt: {names}");
    // Cheap when the lists are fresh, and a fresh machine has none at all. Should it fail, the install says so.
    succeeds_silently(apt(prefix).args(["update", "--quiet"]));
    let mut install = apt(prefix);
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]);
    install.args(missing.iter().map(|tool| tool.package));
    if missing.iter().any(|tool| tool.program == CHROMIUM.program) {
        // A browser without a font draws empty boxes.
        install.arg("fonts-liberation");
    }
    succeeds_silently(&mut install);
    let still: Vec<&str> = missing.iter().filter(|tool| !on_path(tool.program)).map(|tool| tool.package).collect();
    if still.is_empty() { Ok(()) } else { Err(format!("apt could not install: {}", still.join(" "))) }
}

/// The words to put before apt-get: none for root, `sudo` where it asks no password.
fn privilege() -> Option<Option<&'static str>> {
    let user = Command::new("id").arg("-u").output().ok()?;
    if user.stdout.trim_ascii() == b"0" {
        return Some(None);
    }
    succeeds_silently(Command::new("sudo").args(["-n", "true"])).then_some(Some("sudo"))
}

fn apt(prefix: Option<&str>) -> Command {
    let mut command = match prefix {
        Some(sudo) => {
            let mut command = Command::new(sudo);
            command.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
            command
        }
        None => Command::new("apt-get"),
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
