//! What has to fit together about the store.

use super::findings::{FindingKind, Reader};
use super::service::{Store, StoreKind};

impl Store {
    /// Reports what is missing, what means nothing, and what would go over the network in the clear.
    pub(super) fn check(&self, reader: &mut Reader) {
        let kind = self.kind.word();
        if self.kind == StoreKind::Sqlite && self.path.is_none() {
            let message = "is required for kind = \"sqlite\": name the database file";
            reader.report(FindingKind::Missing, "store.path", message);
        }
        if self.kind != StoreKind::Sqlite && self.path.is_some() {
            let message = format!("means nothing for kind = \"{kind}\": set kind = \"sqlite\" or remove it");
            reader.report(FindingKind::Conflict, "store.path", message);
        }
        if self.timeout.is_zero() {
            reader.report(FindingKind::Value, "store.timeout", "must be more than 0");
        }
        match (&self.url, self.is_shared()) {
            (Some(url), true) => self.check_url(url, reader),
            (None, true) => {
                let message = format!("is required for kind = \"{kind}\": give the server's address");
                reader.report(FindingKind::Missing, "store.url", message);
            }
            (_, false) => {
                for (key, given) in [
                    ("url", self.url.is_some()),
                    ("password_file", self.password_file.is_some()),
                    ("authorities", !self.authorities.is_empty()),
                ] {
                    if given {
                        let message = format!("means nothing for kind = \"{kind}\": there is no server");
                        reader.report(FindingKind::Conflict, &format!("store.{key}"), message);
                    }
                }
            }
        }
    }

    fn check_url(&self, url: &str, reader: &mut Reader) {
        const KEY: &str = "store.url";
        let schemes: &[&str] = match self.kind {
            StoreKind::Redis => &["redis", "rediss", "unix", "redis+unix"],
            _ => &["postgresql", "postgres"],
        };
        let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| schemes.contains(scheme)) else {
            let message = format!("must begin with {}://", schemes[0]);
            return reader.report(FindingKind::Value, KEY, message);
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        if user.contains(':') {
            return reader.report(
                FindingKind::Value,
                KEY,
                "holds the password: put that into a file, and name it in password_file",
            );
        }
        let local = scheme.ends_with("unix") || hosts.split(',').all(is_local);
        let clear = match self.kind {
            StoreKind::Redis => scheme == "redis",
            // Without a word about it, the store takes TLS.
            _ => ["sslmode=disable", "sslmode=prefer"].iter().any(|mode| rest.contains(mode)),
        };
        if self.require_tls && clear && !local {
            let remedy = if self.kind == StoreKind::Redis { "use rediss://" } else { "leave sslmode out" };
            let message = format!(
                "would be reached without TLS: anybody on the way could read who is there and end sessions; {remedy}, or set \
                 require_tls = false"
            );
            reader.report(FindingKind::Conflict, KEY, message);
        }
    }
}

fn is_local(host: &str) -> bool {
    // An empty host and one that begins with a slash, encoded, are sockets of this host.
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    matches!(name, "" | "localhost" | "127.0.0.1" | "::1") || name.to_ascii_lowercase().starts_with("%2f")
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use std::path::Path;

    fn complaint(store: &str) -> Option<String> {
        let parsed = Config::parse(&format!("[store]\n{store}"), Path::new("handstamp.toml"));
        parsed.err().map(|findings| findings.to_string())
    }

    #[test]
    fn shared_stores_have_an_address_without_password_and_with_tls() {
        for good in [
            "kind = \"redis\"\nurl = \"redis://localhost:6379/0\"",
            "kind = \"redis\"\nurl = \"redis://[::1]/0\"",
            "kind = \"redis\"\nurl = \"rediss://gateway@redis.example/0\"\npassword_file = \"secret\"",
            "kind = \"redis\"\nurl = \"redis://redis.example\"\nrequire_tls = false",
            "kind = \"postgresql\"\nurl = \"postgresql://gateway@db.example:5432/handstamp\"",
            "kind = \"postgresql\"\nurl = \"postgresql://gateway@%2Frun%2Fpostgresql/handstamp?sslmode=disable\"",
        ] {
            assert_eq!(complaint(good), None, "{good}");
        }
        for (bad, word) in [
            ("kind = \"redis\"", "is required"),
            ("kind = \"redis\"\nurl = \"http://localhost\"", "must begin with redis://"),
            ("kind = \"redis\"\nurl = \"rediss://gateway:hunter2@redis.example/0\"", "password_file"),
            ("kind = \"redis\"\nurl = \"redis://localhost.example\"", "without TLS"),
            ("kind = \"postgresql\"\nurl = \"postgresql://db.example/a?sslmode=disable\"", "without TLS"),
            ("kind = \"postgresql\"\nurl = \"postgresql://localhost,db.example/a?sslmode=prefer\"", "without TLS"),
            ("kind = \"sqlite\"\npath = \"a\"\nurl = \"redis://localhost\"", "means nothing"),
            ("kind = \"memory\"\npath = \"a\"", "means nothing"),
        ] {
            let said = complaint(bad).unwrap_or_else(|| panic!("accepted: {bad}"));
            assert!(said.contains(word) && !said.contains("hunter2"), "{bad}: {said}");
        }
    }
}
