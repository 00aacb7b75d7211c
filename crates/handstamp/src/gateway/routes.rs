//! Which application answers a request: a table built once.

use std::sync::Arc;

use super::path_reading::{Ambiguous, generous};
use crate::config::{HostPattern, PathPrefix};
use foldhash::{HashMap, HashMapExt as _};

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
    ///
    /// # Errors
    /// The application behind that route could read the path as one of another route, whose rules would be passed by.
    pub(super) fn find(&self, host: &str, path: &str) -> Result<Option<&Arc<R>>, Ambiguous> {
        let lower;
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower = host.to_ascii_lowercase();
            &lower
        } else {
            host
        };
        let reading = generous(path)?;
        let route = self.paths_for(host).find_map(|paths| paths.find(path));
        let Some(reading) = reading else { return Ok(route) };
        let other = self.paths_for(host).find_map(|paths| paths.find_reading(path, &reading));
        if route.map(Arc::as_ptr) == other.map(Arc::as_ptr) { Ok(route) } else { Err(Ambiguous) }
    }

    /// What there is for a host, the most specific first.
    fn paths_for(&self, host: &str) -> impl Iterator<Item = &Paths<R>> {
        let below = self
            .below
            .iter()
            .filter(move |(domain, _)| host.len() > domain.len() && host.ends_with(domain.as_str()))
            .map(|(_, paths)| paths);
        self.exact.get(host).into_iter().chain(below).chain(std::iter::once(&self.any))
    }
}

/// The routes of one host.
#[derive(Debug)]
struct Paths<R> {
    exact: HashMap<String, Arc<R>>,
    /// Longest first.
    prefixes: Vec<(PathPrefix, Arc<R>)>,
    /// The same in the reading that is compared with that of a request, longest first.
    readings: Vec<(PathPrefix, Arc<R>)>,
}

impl<R> Default for Paths<R> {
    fn default() -> Self {
        Self { exact: HashMap::new(), prefixes: Vec::new(), readings: Vec::new() }
    }
}

impl<R> Paths<R> {
    fn add(&mut self, path: PathPrefix, route: Arc<R>) {
        let reading = generous(path.as_str()).ok().flatten().map(|reading| path.in_reading(reading));
        for (list, path) in [(&mut self.readings, reading.unwrap_or(path.clone())), (&mut self.prefixes, path)] {
            let at = list.partition_point(|(known, _)| known.as_str().len() >= path.as_str().len());
            list.insert(at, (path, Arc::clone(&route)));
        }
    }

    fn find(&self, path: &str) -> Option<&Arc<R>> {
        self.exact.get(path).or_else(|| below(&self.prefixes, path))
    }

    /// The route for a path in another reading; whatever is meant for exactly the path that was sent stays so.
    fn find_reading(&self, sent: &str, reading: &str) -> Option<&Arc<R>> {
        let exact = self.exact.get(sent).or_else(|| self.exact.get(reading));
        exact.or_else(|| below(&self.readings, reading))
    }
}

fn below<'p, R>(prefixes: &'p [(PathPrefix, Arc<R>)], path: &str) -> Option<&'p Arc<R>> {
    prefixes.iter().find(|(prefix, _)| prefix.matches(path)).map(|(_, route)| route)
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
        let find = |host, path| table.find(host, path).expect("unambiguous").map(|route| **route);
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
        assert_eq!(table.find("shop.example", "/x").expect("unambiguous").map(|route| **route), Some("any"));
    }

    #[test]
    fn an_exact_path_comes_first_and_covers_nothing_below() {
        let mut table = table(&[(None, "/signout", "app")]);
        table.add_exact(None, "/signout", Arc::new("own"));
        let find = |path| table.find("a", path).expect("unambiguous").map(|route| **route);
        assert_eq!(find("/signout"), Some("own"));
        assert_eq!(find("/signout/x"), Some("app"));
        assert_eq!(find("/signout/"), Some("app"));
    }

    #[test]
    fn case_is_ignored_where_the_application_ignores_it() {
        let mut table = table(&[(None, "/", "site"), (None, "/exact", "exact")]);
        let admin = PathPrefix::parse("/admin").expect("a path").ignoring_case(true);
        table.add(None, admin, Arc::new("admin"));
        let find = |path| table.find("a", path).map(|route| route.map(|route| **route));
        for path in ["/admin", "/Admin/x", "/ADMIN", "/aDmin/%41"] {
            assert_eq!(find(path), Ok(Some("admin")), "{path}");
        }
        for path in ["/%41dmin", "//ADMIN", "/Admin;x"] {
            assert_eq!(find(path), Err(Ambiguous), "{path}");
        }
        assert_eq!(find("/Administration"), Ok(Some("site")));
        assert_eq!(find("/admi\u{f1}"), Ok(Some("site")));
        assert_eq!(find("/Exact"), Ok(Some("site")));
    }

    #[test]
    fn no_route_is_none() {
        assert_eq!(table(&[(Some("a"), "/", "a")]).find("b", "/"), Ok(None));
    }

    #[test]
    fn a_path_that_can_be_read_as_another_routes_is_ambiguous() {
        let mut table = table(&[
            (None, "/", "site"),
            (None, "/admin", "admin"),
            (None, "/admin/users", "users"),
            (None, "/a%20b", "spaces"),
            (None, "/v;1", "parameters"),
            (Some("shop.example"), "/shop", "shop"),
        ]);
        table.add_exact(None, "/signout", Arc::new("own"));
        table.add_exact(None, "/own%2Dpath", Arc::new("odd"));
        for path in [
            "/%61dmin",
            "/admi%6e/delete",
            "//admin",
            "/%2fadmin",
            "/;/admin",
            "/admin%2fy",
            "/admin;x",
            "/x;/../admin",
            "\\admin",
            "/admin//users",
            "/admin/%75sers",
            "//signout",
        ] {
            assert_eq!(table.find("a.example", path), Err(Ambiguous), "{path}");
        }
        for (path, route) in [
            ("//x", "site"),
            ("/x%2Fadmin", "site"),
            ("/x;y/admin;z", "site"),
            ("/administration%2Fx", "site"),
            ("/100%25", "site"),
            ("/admin/x%2Fy//z;v", "admin"),
            ("/a%20b/x%20y", "spaces"),
            ("/v;1/%20", "parameters"),
            ("/own%2Dpath", "odd"),
            ("//shop", "site"),
        ] {
            assert_eq!(
                table.find("a.example", path).map(|found| found.map(|route| **route)),
                Ok(Some(route)),
                "{path}"
            );
        }
        // What any host has is read as what this one has.
        assert_eq!(table.find("shop.example", "//shop"), Err(Ambiguous));
    }
}
