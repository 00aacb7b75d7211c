//! The floors of the house, held by a test: arrows point down only.

use crate::Failure;
use crate::workspace::{Metadata, Package};

/// Every package of the workspace and its floor; ARCHITECTURE.md explains them. A package may use lower floors only.
const FLOORS: [(&str, u8); 20] = [
    ("handstamp", 5),
    ("handstamp-security-policy", 4),
    ("handstamp-secure-conversation", 4),
    ("handstamp-web-session", 4),
    ("handstamp-ws-federation", 4),
    ("handstamp-ws-security", 3),
    ("handstamp-saml", 3),
    ("handstamp-session-store", 3),
    ("handstamp-session-token", 2),
    ("handstamp-claims-headers", 2),
    ("handstamp-xml-security", 2),
    ("handstamp-keys", 1),
    ("handstamp-xml", 1),
    ("handstamp-claims", 1),
    ("handstamp-time", 0),
    // Beside the house: tests lean on the testkit, nothing leans on xtask.
    (TESTKIT, 0),
    (XTASK, 0),
    ("handstamp-benches", TOP),
    ("handstamp-interop", TOP),
    ("handstamp-examples", TOP),
];

/// Above the house: packages that are nothing but tests, benchmarks and examples, and may use what tests may.
const TOP: u8 = 6;

const TESTKIT: &str = "handstamp-testkit";
const XTASK: &str = "xtask";

/// The testkit is used from every floor, so all it may use is what the others are made of: times, and people.
const TESTKIT_USES: [&str; 2] = ["handstamp-time", "handstamp-claims"];

/// Crates that only some packages may name, and why.
const RESERVED: [Reserved; 2] = [
    Reserved {
        what: "cryptography",
        crates: &[
            "aws-lc-rs",
            "aws-lc-sys",
            "ring",
            "rcgen",
            "rustls-webpki",
            "x509-parser",
            "hmac",
            "sha1",
            "sha2",
            "rsa",
            "p256",
            "aes",
            "aes-gcm",
        ],
        holders: &["handstamp-keys"],
    },
    Reserved {
        what: "I/O",
        crates: &["tokio", "hyper", "hyper-util", "axum", "rusqlite", "redis", "tokio-postgres"],
        holders: &["handstamp", "handstamp-web-session", "handstamp-session-store", TESTKIT],
    },
];

struct Reserved {
    what: &'static str,
    crates: &'static [&'static str],
    holders: &'static [&'static str],
}

/// What breaks the rules in this workspace, one sentence each; empty when all is well.
pub(crate) fn check() -> Result<Vec<String>, Failure> {
    Ok(violations(&Metadata::load("Cargo.toml")?.packages))
}

fn violations(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some(floor) = floor_of(name) else {
            found.push(format!("{name} has no floor: give it one in xtask/src/layers.rs and in ARCHITECTURE.md"));
            continue;
        };
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            if !dependency.dev && floor < TOP {
                found.extend(RESERVED.iter().filter_map(|reserved| reserved.violation(name, used)));
            }
            let is_member = packages.iter().any(|other| other.name == used);
            if !is_member || (dependency.dev && used == TESTKIT) {
                continue;
            }
            if used == XTASK || used == TESTKIT {
                found.push(format!("{name} uses {used}, which is for tests and chores only"));
                continue;
            }
            let below = floor_of(used)
                .is_some_and(|other| if name == TESTKIT { TESTKIT_USES.contains(&used) } else { other < floor });
            if !below {
                found.push(format!("{name} (floor {floor}) uses {used}, which is not below it"));
            }
        }
    }
    found
}

impl Reserved {
    fn violation(&self, name: &str, used: &str) -> Option<String> {
        (self.crates.contains(&used) && !self.holders.contains(&name))
            .then(|| format!("{name} names {used}: {} belongs to {} only", self.what, self.holders.join(", ")))
    }
}

fn floor_of(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(package, _)| *package == name).map(|(_, floor)| *floor)
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::workspace::{Dependency, Package};

    #[test]
    fn this_workspace_keeps_the_rules() {
        assert_eq!(super::check().expect("cargo metadata works here"), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_up_or_sideways_is_seen() {
        assert_eq!(found("handstamp-xml", &[("handstamp-saml", false)]).len(), 1);
        assert_eq!(found("handstamp-xml", &[("handstamp-keys", false)]).len(), 1);
        assert_eq!(found("handstamp-saml", &[("handstamp-xml", false)]), Vec::<String>::new());
    }

    #[test]
    fn tests_may_use_the_testkit_and_programs_may_not() {
        assert_eq!(found("handstamp-xml", &[("handstamp-testkit", true)]), Vec::<String>::new());
        assert_eq!(found("handstamp-xml", &[("handstamp-testkit", false)]).len(), 1);
        assert_eq!(found("handstamp-testkit", &[("handstamp-keys", false)]).len(), 1);
    }

    #[test]
    fn cryptography_and_io_stay_where_they_belong() {
        assert_eq!(found("handstamp-saml", &[("aws-lc-rs", false)]).len(), 1);
        assert_eq!(found("handstamp-ws-federation", &[("tokio", false)]).len(), 1);
        assert_eq!(found("handstamp-ws-federation", &[("tokio", true)]), Vec::<String>::new());
        assert_eq!(found("handstamp-interop", &[("tokio", false), ("rcgen", false)]), Vec::<String>::new());
        assert_eq!(found("handstamp-interop", &[("handstamp-testkit", false)]).len(), 1);
    }

    #[test]
    fn a_package_without_a_floor_is_named() {
        assert!(found("handstamp-newcomer", &[])[0].contains("handstamp-newcomer has no floor"));
    }

    fn found(name: &str, dependencies: &[(&str, bool)]) -> Vec<String> {
        let member = |name: &str, dependencies: &[(&str, bool)]| Package {
            name: name.to_owned(),
            dependencies: dependencies
                .iter()
                .map(|(name, dev)| Dependency { name: (*name).to_owned(), dev: *dev })
                .collect(),
            binaries: Vec::new(),
            published: true,
            tests_an_example: true,
        };
        let others = ["handstamp-xml", "handstamp-keys", "handstamp-saml", "handstamp-testkit"];
        let mut packages: Vec<Package> = others.iter().filter(|n| **n != name).map(|n| member(n, &[])).collect();
        packages.push(member(name, dependencies));
        violations(&packages)
    }
}
