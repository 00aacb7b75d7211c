//! Paths that the gateway itself answers, in front of applications: each must lead to one place only. Where two relying parties
//! had one path, a sign-in or a sign-out of one would silently go to the other.

use std::collections::BTreeSet;

use handstamp_ws_federation::METADATA_PATH;

use super::findings::{FindingKind, Reader};
use super::{Config, HostPattern, HttpUrl, PathPrefix, SignIn};

impl Config {
    /// Reports paths of which requests for one option would go to another.
    pub(super) fn check_own_paths(&self, reader: &mut Reader) {
        let routes = self.routes();
        let site = Site { own: self.own_paths(&routes), routes };
        let mut said = BTreeSet::new();
        for (own, other) in site.collisions() {
            if !said.insert((own.key.clone(), other.clone())) {
                continue;
            }
            let (path, listener) = (&own.path, own.place.listener);
            let message = format!(
                "{path} on listener.{listener} is answered by {other}, too: requests for one would go to the other; give each a \
                 path of its own"
            );
            reader.report(FindingKind::Conflict, &own.key, message);
        }
        let operators = self.admin.as_ref().and_then(|admin| self.federation.get_key_value(admin.federation.as_ref()?));
        if let Some((name, federation)) = operators {
            let taken = federation.own_paths().filter(|(_, path)| ADMIN_PATHS.contains(&path.as_str()));
            for (key, path) in taken {
                let message =
                    format!("{} is answered by the admin listener itself: choose another path", path.as_str());
                reader.report(FindingKind::Conflict, &format!("federation.{name}.{key}"), message);
            }
        }
    }

    /// Everything that answers for a path with all below it.
    fn routes(&self) -> Vec<Route<'_>> {
        let web = self.web.iter().map(|(name, route)| {
            let federation = self.federation_of(route).filter(|_| route.sign_in != SignIn::Off);
            let key = format!("web.{name}");
            (key, &route.listeners, &route.hosts, &route.path, federation, route.jwt_header.is_some())
        });
        let soap = self.soap.iter().map(|(name, route)| {
            let key = format!("soap.{name}");
            (key, &route.listeners, &route.hosts, &route.path, None, route.jwt_header.is_some())
        });
        let forward_auth = self.forward_auth.iter().map(|(name, settings)| {
            let federation = self.federation_named(settings.federation.as_deref());
            let key = format!("forward_auth.{name}");
            (key, &settings.listeners, &settings.hosts, &settings.path, federation, settings.jwt_header.is_some())
        });
        let sts = self.sts.iter().map(|sts| ("sts".to_owned(), &sts.listeners, &sts.hosts, &sts.path, None, false));
        let all = web.chain(soap).chain(forward_auth).chain(sts);
        all.flat_map(|(key, listeners, hosts, path, federation, has_tokens)| {
            let federation = federation.map(|(name, _)| name);
            self.places(listeners, hosts).map(move |place| Route {
                place,
                path,
                key: key.clone(),
                federation,
                has_tokens,
            })
        })
        .collect()
    }

    /// Everything that answers for one path.
    fn own_paths<'c>(&'c self, routes: &[Route<'c>]) -> Vec<Own<'c>> {
        let mut own = Vec::new();
        for (name, federation) in &self.federation {
            let site = federation.public_origin().and_then(|origin| site_of(&HttpUrl::parse(&origin)?));
            let places = routes.iter().filter(|route| route.federation == Some(name)).map(|route| route.place);
            for place in places.collect::<BTreeSet<_>>() {
                // That none may be the whole site is said elsewhere.
                let paths = federation.own_paths().filter(|(_, path)| path.as_str() != "/");
                own.extend(paths.map(|(key, path)| Own {
                    place,
                    path: path.as_str().to_owned(),
                    key: format!("federation.{name}.{key}"),
                    target: Target::Federation(name),
                    route: String::new(),
                    site: site.clone(),
                }));
            }
        }
        for (name, route) in self.web.iter().filter(|(_, route)| route.sign_in != SignIn::Off) {
            let Some((federation, _)) = self.federation_of(route) else { continue };
            for (word, path, target) in [
                ("session_path", &route.session_path, Target::Session(federation)),
                ("sign_in_path", &route.sign_in_path, Target::SignIn(federation)),
            ] {
                own.extend(path.iter().flat_map(|path| {
                    self.places(&route.listeners, &route.hosts).map(move |place| Own {
                        place,
                        path: path.as_str().to_owned(),
                        key: format!("web.{name}.{word}"),
                        target,
                        route: format!("web.{name}"),
                        site: None,
                    })
                }));
            }
        }
        let forward_auth = self.forward_auth.iter().map(|(name, settings)| {
            let (key, words) = (format!("forward_auth.{name}"), &["/check", "/challenge"][..]);
            (key, &settings.listeners, &settings.hosts, &settings.path, words, Target::ForwardAuth(name), None)
        });
        let sts = self.sts.iter().map(|sts| {
            let words = if sts.active { &STS_PATHS[..] } else { &STS_PATHS[..PASSIVE_STS_PATHS] };
            ("sts".to_owned(), &sts.listeners, &sts.hosts, &sts.path, words, Target::Sts, site_of(&sts.public_url))
        });
        for (key, listeners, hosts, base, words, target, site) in forward_auth.chain(sts) {
            let base = base.as_str().trim_end_matches('/');
            for (place, word) in
                self.places(listeners, hosts).flat_map(|place| words.iter().map(move |word| (place, word)))
            {
                let path = match format!("{base}{word}") {
                    path if path.is_empty() => "/".to_owned(),
                    path => path,
                };
                own.push(Own {
                    place,
                    path,
                    key: format!("{key}.path"),
                    target,
                    route: key.clone(),
                    site: site.clone(),
                });
            }
        }
        if let Some(jwt) = &self.jwt {
            let places = routes.iter().filter(|route| route.has_tokens).map(|route| route.place);
            own.extend(places.collect::<BTreeSet<_>>().into_iter().map(|place| Own {
                place,
                path: jwt.key_set_path.as_str().to_owned(),
                key: "jwt.key_set_path".to_owned(),
                target: Target::KeySet,
                route: String::new(),
                site: None,
            }));
        }
        own
    }

    fn places<'c>(
        &'c self,
        listeners: &'c [String],
        hosts: &'c [HostPattern],
    ) -> impl Iterator<Item = Place<'c>> + use<'c> {
        let named = self.listener.keys().filter(|name| listeners.is_empty() || listeners.contains(name));
        let any = hosts.is_empty().then_some(None);
        named.flat_map(move |listener| {
            any.into_iter().chain(hosts.iter().map(Some)).map(move |host| Place { listener, host })
        })
    }
}

/// What the admin listener answers besides the paths of its relying party.
const ADMIN_PATHS: [&str; 7] =
    ["/healthz", "/readyz", "/metrics", "/reload", "/end-session", "/end-user", "/end-secure-session"];

/// What the token service answers below its path; the first ones always, the others for programs.
const STS_PATHS: [&str; 8] = [
    "",
    "/wsfed",
    "/jwks",
    METADATA_PATH,
    "/trust/2005/usernamemixed",
    "/trust/2005/username",
    "/trust/13/usernamemixed",
    "/trust/13/username",
];
const PASSIVE_STS_PATHS: usize = 4;

/// The host of an address.
fn site_of(url: &HttpUrl) -> Option<HostPattern> {
    url.authority().map(|authority| HostPattern::Exact(authority.host().to_ascii_lowercase()))
}

/// A listener, and hosts there; none for any.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'c> {
    listener: &'c str,
    host: Option<&'c HostPattern>,
}

impl Place<'_> {
    /// Whether every request to `other` is one to `self`, too.
    fn covers(self, other: Self) -> bool {
        self.listener == other.listener
            && match (self.host, other.host) {
                (None, _) => true,
                (Some(HostPattern::Below(domain)), Some(HostPattern::Exact(host) | HostPattern::Below(host))) => {
                    host.ends_with(domain.as_str())
                }
                (one, other) => one == other,
            }
    }
}

/// What answers for a path with all below it.
struct Route<'c> {
    place: Place<'c>,
    path: &'c PathPrefix,
    key: String,
    federation: Option<&'c str>,
    has_tokens: bool,
}

/// What answers for one path.
struct Own<'c> {
    place: Place<'c>,
    path: String,
    /// The option that says so.
    key: String,
    target: Target<'c>,
    /// The route that it belongs to, where that is one.
    route: String,
    /// The host at which browsers look for it, where the configuration says so.
    site: Option<HostPattern>,
}

/// What answers: the same at two places is no collision.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target<'c> {
    Federation(&'c str),
    Session(&'c str),
    SignIn(&'c str),
    ForwardAuth(&'c str),
    Sts,
    KeySet,
}

struct Site<'c> {
    own: Vec<Own<'c>>,
    routes: Vec<Route<'c>>,
}

impl Site<'_> {
    /// Own paths, and the options that answer there, too.
    fn collisions(&self) -> impl Iterator<Item = (&Own<'_>, String)> {
        let with_own = self.own.iter().enumerate().flat_map(move |(index, own)| {
            let before = self.own.iter().take(index).filter(|other| self.is_shared(own, other));
            before.map(move |other| (own, other.key.clone()))
        });
        let with_routes = self.own.iter().flat_map(move |own| {
            let routes = self.routes.iter().filter(|route| self.is_shared_with_route(own, route));
            routes.map(move |route| (own, format!("{}.path", route.key)))
        });
        with_own.chain(with_routes)
    }

    fn is_shared(&self, one: &Own<'_>, other: &Own<'_>) -> bool {
        one.path == other.path
            && one.target != other.target
            && match (one.place.covers(other.place), other.place.covers(one.place)) {
                (true, true) => true,
                (true, false) => self.is_wanted(one, other.place),
                (false, true) => self.is_wanted(other, one.place),
                (false, false) => false,
            }
    }

    /// At one host an own path goes before routes; what is for fewer hosts goes before all.
    fn is_shared_with_route(&self, own: &Own<'_>, route: &Route<'_>) -> bool {
        if own.route == route.key && matches!(own.target, Target::Sts | Target::ForwardAuth(_)) {
            return false;
        }
        if route.place.covers(own.place) {
            return route.path.as_str() == own.path
                && (own.place.covers(route.place) || self.is_reached(route, own.place));
        }
        own.place.covers(route.place) && route.path.matches(&own.path) && self.is_wanted(own, route.place)
    }

    /// Whether people need an own path at a place where something else goes before it: its site is there, or a route leads there
    /// that it belongs to.
    fn is_wanted(&self, own: &Own<'_>, place: Place<'_>) -> bool {
        let is_there_itself = |place: Place<'_>| {
            let mut same = self.own.iter().filter(|other| other.path == own.path && other.target == own.target);
            same.any(|other| other.place == place)
        };
        let is_its_site = own.site.as_ref().is_some_and(|host| {
            let site = Place { host: Some(host), ..place };
            place.covers(site) && !is_there_itself(site)
        });
        !is_there_itself(place)
            && (is_its_site || self.routes.iter().any(|route| route.leads_to(own) && self.is_reached(route, place)))
    }

    /// Whether a route answers at a place although that is for fewer hosts: nothing there goes before it.
    fn is_reached(&self, route: &Route<'_>, place: Place<'_>) -> bool {
        let goes_before = |other: &Route<'_>| {
            other.place != route.place
                && route.place.covers(other.place)
                && other.place.covers(place)
                && other.path.matches(route.path.as_str())
        };
        route.place.covers(place) && !self.routes.iter().any(goes_before)
    }
}

impl Route<'_> {
    fn leads_to(&self, own: &Own<'_>) -> bool {
        match own.target {
            Target::Federation(name) => self.federation == Some(name),
            Target::KeySet => self.has_tokens,
            _ => self.key == own.route,
        }
    }
}
