//! Which application answers a request: a table built once.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use percent_encoding::percent_decode_str;

use crate::config::{HostPattern, PathPrefix};

/// Routes by host, then by longest path.
#[derive(Debug)]
pub(super) struct RouteTable<R> {
    exact: HashMap<String, Paths<R>>,
    /// Longest first.
    below: Vec<(String, Paths<R>)>,
    any: Paths<R>,
}

impl<R> Default for RouteTable<R> {
    fn default() -> Self {
        Self { exact: HashMap::new(), below: Vec::new(), any: Paths::default() }
    }
}

impl<R> RouteTable<R> {
    /// Adds a route for `host` (any when none) and everything below `path`.
    pub(super) fn add(&mut self, host: Option<&HostPattern>, path: PathPrefix, route: Arc<R>) {
        self.paths_of(host).add(path, route);
    }

    /// Adds a route for `host` (any when none) and exactly `path`, before everything else.
    pub(super) fn add_exact(&mut self, host: Option<&HostPattern>, path: &str, route: Arc<R>) {
        self.paths_of(host).exact.insert(path.to_owned(), route);
    }

    fn paths_of(&mut self, host: Option<&HostPattern>) -> &mut Paths<R> {
        match host {
            None => &mut self.any,
            Some(HostPattern::Exact(host)) => self.exact.entry(host.clone()).or_default(),
            Some(HostPattern::Below(domain)) => {
                let at = match self.below.iter().position(|(known, _)| known == domain) {
                    Some(at) => at,
                    None => {
                        let at = self.below.partition_point(|(known, _)| known.len() >= domain.len());
                        self.below.insert(at, (domain.clone(), Paths::default()));
                        at
                    }
                };
                &mut self.below[at].1
            }
        }
    }

    /// The route for a request. `host` is without port; `path` is as it was sent. The most specific
    /// host that has a matching path wins.
    pub(super) fn find(&self, host: &str, path: &str) -> Option<&Arc<R>> {
        let lower;
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower = host.to_ascii_lowercase();
            &lower
        } else {
            host
        };
        let exact = self.exact.get(host).into_iter();
        let below = self
            .below
            .iter()
            .filter(|(domain, _)| host.len() > domain.len() && host.ends_with(domain.as_str()))
            .map(|(_, paths)| paths);
        exact.chain(below).chain(std::iter::once(&self.any)).find_map(|paths| paths.find(path))
    }
}

/// The routes of one host.
#[derive(Debug)]
struct Paths<R> {
    exact: HashMap<String, Arc<R>>,
    /// Longest first.
    prefixes: Vec<(PathPrefix, Arc<R>)>,
}

impl<R> Default for Paths<R> {
    fn default() -> Self {
        Self { exact: HashMap::new(), prefixes: Vec::new() }
    }
}

impl<R> Paths<R> {
    fn add(&mut self, path: PathPrefix, route: Arc<R>) {
        let longer = |(known, _): &(PathPrefix, _)| known.as_str().len() >= path.as_str().len();
        let at = self.prefixes.partition_point(longer);
        self.prefixes.insert(at, (path, route));
    }

    fn find(&self, path: &str) -> Option<&Arc<R>> {
        let below = || self.prefixes.iter().find(|(prefix, _)| prefix.matches(path)).map(|(_, route)| route);
        self.exact.get(path).or_else(below)
    }
}

/// Whether gateway and application could disagree about what `path` names, so that a rule for one
/// path is passed under the name of another: dot segments, written plainly, percent-encoded or with
/// parameters (`/..;/`), and NUL.
pub(super) fn is_ambiguous(path: &str) -> bool {
    if !path.contains(['.', '%', '\\']) {
        return false;
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    decoded.contains(&0)
        || decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
            let name = segment.split(|byte| *byte == b';').next().unwrap_or(segment);
            name == b"." || name == b".."
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(Option<&str>, &str, &'static str)]) -> RouteTable<&'static str> {
        let mut table = RouteTable::default();
        for (host, path, name) in routes {
            let host = host.map(|host| match host.strip_prefix('*') {
                Some(domain) => HostPattern::Below(domain.to_owned()),
                None => HostPattern::Exact(host.to_owned()),
            });
            table.add(host.as_ref(), PathPrefix::parse(path).expect("a path"), Arc::new(*name));
        }
        table
    }

    #[test]
    fn the_most_specific_host_then_the_longest_path_wins() {
        let table = table(&[
            (None, "/", "any"),
            (Some("shop.example"), "/", "shop"),
            (Some("shop.example"), "/api", "api"),
            (Some("*.example"), "/", "example"),
            (Some("*.eu.example"), "/", "eu"),
        ]);
        let find = |host, path| table.find(host, path).map(|route| **route);
        assert_eq!(find("shop.example", "/"), Some("shop"));
        assert_eq!(find("SHOP.example", "/api/x"), Some("api"));
        assert_eq!(find("shop.example", "/apix"), Some("shop"));
        assert_eq!(find("a.example", "/"), Some("example"));
        assert_eq!(find("a.eu.example", "/"), Some("eu"));
        assert_eq!(find("example", "/"), Some("any"));
        assert_eq!(find("other", "/"), Some("any"));
    }

    #[test]
    fn a_host_without_a_matching_path_falls_back_to_less_specific_hosts() {
        let table = table(&[(Some("shop.example"), "/api", "api"), (None, "/", "any")]);
        assert_eq!(table.find("shop.example", "/x").map(|route| **route), Some("any"));
    }

    #[test]
    fn an_exact_path_comes_first_and_covers_nothing_below() {
        let mut table = table(&[(None, "/signout", "app")]);
        table.add_exact(None, "/signout", Arc::new("own"));
        assert_eq!(table.find("a", "/signout").map(|route| **route), Some("own"));
        assert_eq!(table.find("a", "/signout/x").map(|route| **route), Some("app"));
    }

    #[test]
    fn no_route_is_none() {
        assert!(table(&[(Some("a"), "/", "a")]).find("b", "/").is_none());
    }

    #[test]
    fn ambiguous_paths_are_known() {
        for path in [
            "/public/../private",
            "/public/%2e%2E/private",
            "/public/..%2fprivate",
            "/a/./b",
            "/a/..;x/b",
            "/a\\..\\b",
            "/a%5c..%5cb",
            "/..",
            "/a%00",
        ] {
            assert!(is_ambiguous(path), "{path}");
        }
        for path in ["/", "/a.b/c..d", "/a%20b", "/a%2Fb", "/...", "/a;b/.well-known/x"] {
            assert!(!is_ambiguous(path), "{path}");
        }
    }
}
