//! Everything one listener serves.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;
use std::time::Instant;

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, LOCATION, STRICT_TRANSPORT_SECURITY};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use super::access::{Access, Entrance, OpenAccess};
use super::admin_page::AdminPage;
use super::application_headers::{ApplicationHeaders, TokenHeader};
use super::body::Body;
use super::federation::{Federation, Shared};
use super::forward_auth::{ForwardAuth, Manner};
use super::foundation::Foundation;
use super::lasting::Lasting;
use super::origin::{Origin, Trust};
use super::own_cookies::OwnCookies;
use super::problem::{Form, Problem};
use super::proxy::Proxy;
use super::rate_limit::RateLimiter;
use super::request_id::{RequestId, RequestIds};
use super::routes::RouteTable;
use super::server::{Connection, Handler};
use super::soap::{Ground, LiveSessions, Seals, SoapRoute};
use super::telemetry::Telemetry;
use super::websocket;
use super::{Visit, refuse, session_info, sign_in_link};
use crate::Error;
use crate::admin::{Metrics, RouteMetrics};
use crate::application_token::ApplicationTokens;
use crate::config::{self, Config, HostPattern, Listener, ListenerTls, SignIn, WebRoute};
use crate::sts::SecurityTokenService;

/// The routes of one listener.
pub(super) struct Site {
    trust: Trust,
    max_headers: usize,
    /// The port of https, where everything is sent to.
    redirect: Option<u32>,
    hsts: Option<HeaderValue>,
    routes: RouteTable<Route>,
    ids: RequestIds,
    metrics: Arc<Metrics>,
    telemetry: Option<Arc<Telemetry>>,
    pages: config::Pages,
    /// Whether each request is logged.
    log: bool,
}

/// Where requests go, and what is counted of them.
#[derive(Debug)]
struct Route {
    name: String,
    metrics: Arc<RouteMetrics>,
    limiter: Option<RateLimiter>,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// An application for those who have access.
    Application(Proxy, Box<Access>),
    /// An application for anybody.
    OpenApplication(Proxy, OpenAccess),
    /// A relying party's own paths.
    Federation(Arc<Federation>),
    /// The built-in security token service.
    Sts(SecurityTokenService),
    /// A decision for another proxy.
    ForwardAuth(ForwardAuth),
    /// Who is signed in, for scripts.
    SessionInfo(Arc<Federation>),
    /// A link that signs in.
    SignInLink(Arc<Federation>),
    /// A SOAP service, secured on one side.
    Soap(Box<SoapRoute>),
    /// The keys of the tokens that applications get.
    KeySet(Arc<ApplicationTokens>),
    /// The page for operators.
    AdminPage(Box<AdminPage>),
}

impl Site {
    async fn answer(
        &self,
        request: &mut Request<Body>,
        connection: &Connection,
        form: Form,
        name: &mut RequestId,
    ) -> Result<Response<Body>, Problem> {
        websocket::normalize(request);
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(Problem::method_not_allowed());
        }
        // HTTP/2 limits the size of all, not their number. `Cookie` may come in many pieces there (RFC 9113, 8.2.3).
        let cookies = request.headers().get_all(COOKIE).iter().count();
        if request.headers().len() - cookies.saturating_sub(1) > self.max_headers {
            return Err(Problem::too_many_headers());
        }
        let origin = Origin::of(request, connection, &self.trust)?;
        if origin.from_trusted_proxy {
            *name = RequestId::of(request.headers()).unwrap_or(*name);
        }
        let id = *name;
        let path = request.uri().path();
        if !path.starts_with('/') {
            return Err(Problem::bad_target());
        }
        if let Some(port) = self.redirect.filter(|_| !origin.https) {
            return redirect_to_https(&origin, port, request.uri());
        }
        let route = self.routes.find(origin.host_name(), path).map_err(|_| Problem::ambiguous_target())?;
        let route = route.ok_or_else(Problem::no_route)?;
        tracing::debug!(request = %id, route = route.name, client = %origin.client, method = %request.method(), path);
        let trace = self.telemetry.as_ref().map(|telemetry| {
            let trace = telemetry.begin(request.headers_mut(), origin.from_trusted_proxy);
            request.extensions_mut().insert(trace.clone());
            (trace, request.method().clone())
        });
        let visit = Visit {
            origin: &origin,
            form,
            id,
            trace: trace.as_ref().map(|(trace, _)| trace),
            metrics: &self.metrics,
            pages: &self.pages,
        };
        let line = self.log.then(|| (Instant::now(), request.method().clone(), request.uri().path().to_owned()));
        let mut response = route.answer(request, visit).await;
        if let Some((began, method, path)) = line {
            let (client, host, route, status) =
                (origin.client, origin.host.as_str(), route.name.as_str(), response.status().as_u16());
            let milliseconds = began.elapsed().as_secs_f64() * 1e3;
            tracing::info!(request = %id, %client, %method, host, path, route, status, milliseconds, "answered");
        }
        if let Some((trace, method)) = trace {
            trace.end(&route.name, &method, origin.scheme(), &response);
        }
        if let Some(hsts) = self.hsts.as_ref().filter(|_| origin.https) {
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        Ok(response)
    }
}

impl Handler for Site {
    async fn handle(&self, request: &mut Request<Body>, connection: &Connection) -> Response<Body> {
        let mut id = self.ids.next();
        let form = Form::preferred(request.headers());
        self.answer(request, connection, form, &mut id)
            .await
            .unwrap_or_else(|problem| refuse(&problem, (form, id), connection.peer.ip(), (&self.metrics, &self.pages)))
    }
}

/// Sends the client to the same address with https. The method stays what it is.
fn redirect_to_https(origin: &Origin, port: u32, target: &http::Uri) -> Result<Response<Body>, Problem> {
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let path = target.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let location = HeaderValue::try_from(format!("https://{}{port}{path}", origin.host_name()))
        .map_err(|_| Problem::bad_host())?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// What browsers are told about https.
fn hsts(tls: &ListenerTls) -> Option<HeaderValue> {
    let below = if tls.hsts_subdomains { "; includeSubDomains" } else { "" };
    HeaderValue::try_from(format!("max-age={}{below}", tls.hsts?.as_secs())).ok()
}

impl Route {
    async fn answer(&self, request: &mut Request<Body>, visit: Visit<'_>) -> Response<Body> {
        let began = Instant::now();
        let in_flight = self.metrics.in_flight().enter();
        let response = self.dispatch(request, visit).await.unwrap_or_else(|problem| visit.refuse(&problem));
        drop(in_flight);
        self.metrics.answered(response.status(), began.elapsed());
        response
    }

    async fn dispatch(&self, request: &mut Request<Body>, visit: Visit<'_>) -> Result<Response<Body>, Problem> {
        if let Some(limiter) = &self.limiter {
            limiter.take(visit.origin.client).map_err(Problem::too_many_requests)?;
        }
        // The future of a request has room for its largest branch, and is moved into the connection: the rare ones lie elsewhere.
        match &self.target {
            Target::Application(proxy, access) => {
                let handshake = proxy.admit(request)?;
                let guest = match access.enter(request, visit).await {
                    Entrance::Open(guest) => guest,
                    Entrance::Answered(response) => return Ok(response),
                };
                let answer = proxy.forward(request, handshake, visit.origin, visit.id, || guest.life()).await;
                Ok(guest.leave(answer, visit))
            }
            Target::OpenApplication(proxy, access) => {
                let handshake = proxy.admit(request)?;
                access.enter(request.headers_mut());
                let mut answer = proxy.forward(request, handshake, visit.origin, visit.id, || None).await?;
                access.leave(answer.headers_mut());
                Ok(answer)
            }
            Target::Federation(federation) => Ok(Box::pin(federation.answer(take(request), visit)).await),
            Target::Sts(service) => {
                request.extensions_mut().insert(visit.origin.transport());
                Ok(Box::pin(service.answer(take(request), visit.origin.client)).await.map(Body::whole))
            }
            Target::ForwardAuth(forward_auth) => Ok(Box::pin(forward_auth.answer(take(request), visit)).await),
            Target::SessionInfo(federation) => {
                Box::pin(session_info::answer(federation, take(request).into_parts().0, visit)).await
            }
            Target::SignInLink(federation) => {
                Ok(Box::pin(sign_in_link::answer(federation, take(request), visit)).await)
            }
            Target::Soap(soap) => Box::pin(soap.answer(take(request), visit)).await,
            Target::KeySet(tokens) => Ok(key_set(tokens)),
            Target::AdminPage(page) => Ok(Box::pin(page.answer(take(request), visit)).await),
        }
    }
}

/// The public keys, which anybody may have and keep for a while.
fn key_set(tokens: &ApplicationTokens) -> Response<Body> {
    let mut response = Response::new(Body::whole(tokens.key_set().to_owned()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// What there is to serve.
pub(super) struct Sites {
    /// One for each listener, in their order.
    pub(super) listeners: Vec<Site>,
    /// The page for operators.
    pub(super) admin: Option<Site>,
    /// What the next configuration may take over.
    pub(super) lasting: Lasting,
}

/// Builds the sites of all listeners.
pub(super) struct SiteBuilder<'s> {
    pub(super) config: &'s Config,
    pub(super) metrics: &'s Arc<Metrics>,
    pub(super) foundation: Option<&'s Foundation>,
    pub(super) sts: Option<SecurityTokenService>,
    pub(super) tokens: Option<Arc<ApplicationTokens>>,
    pub(super) telemetry: Option<&'s Arc<Telemetry>>,
}

impl SiteBuilder<'_> {
    /// Builds them. What lasts is that of `before` where it goes on.
    ///
    /// # Errors
    /// A file that cannot be used, settings that fit nothing.
    pub(super) fn build(mut self, before: &Lasting) -> Result<Sites, Error> {
        let mut lasting = Lasting::default();
        let mut sites: Vec<Site> = self.config.listener.values().map(|listener| self.site(listener)).collect();
        let sts = self.sts.take();
        let federations = self.federations()?;
        let reserved = self.reserved_headers();
        let cookies = Arc::new(OwnCookies::new(federations.values(), sts.clone()));
        for (name, settings) in &self.config.web {
            let proxy = Proxy::new(settings, lasting.upstream(before, name, settings, self.metrics)?);
            // The configuration check has made sure of the federation.
            let federation = self.config.federation_of(settings).and_then(|(name, _)| federations.get(name));
            let target = match federation.filter(|_| settings.sign_in != SignIn::Off) {
                Some(federation) => {
                    let token =
                        self.token_header(settings.jwt_header.as_ref(), settings.jwt_audience.as_ref(), federation);
                    let (claims, session) = (&settings.claims_to_headers, settings.session_header.as_ref());
                    let headers = ApplicationHeaders::new(claims, session, token, &reserved);
                    let access = Access::of_route(settings, Arc::clone(federation), headers, Arc::clone(&cookies));
                    Target::Application(proxy, Box::new(access))
                }
                None if settings.sign_in == SignIn::Off => {
                    Target::OpenApplication(proxy, OpenAccess::new(settings, &reserved, &cookies))
                }
                None => continue,
            };
            let own = federation.filter(|_| settings.sign_in != SignIn::Off);
            let limiter = lasting.limiter(before, &format!("web.{name}"), settings.rate_limit.as_ref());
            let route = Arc::new(Route { limiter, ..self.route(name.clone(), target) });
            for (listener, site) in self.config.listener.keys().zip(&mut sites) {
                if settings.listeners.is_empty() || settings.listeners.contains(listener) {
                    self.add(site, settings, &route, own);
                    self.add_key_set(site, &settings.hosts, settings.jwt_header.is_some());
                }
            }
        }
        if let (Some(settings), Some(service)) = (&self.config.sts, sts) {
            let route = Arc::new(self.route("sts".to_owned(), Target::Sts(service)));
            for (listener, site) in self.config.listener.keys().zip(&mut sites) {
                if settings.listeners.is_empty() || settings.listeners.contains(listener) {
                    for host in hosts(&settings.hosts) {
                        site.routes.add(host, settings.path.clone(), Arc::clone(&route));
                    }
                }
            }
        }
        for (name, settings) in &self.config.forward_auth {
            let federation = self.config.federation_named(settings.federation.as_deref());
            let Some(federation) = federation.and_then(|(name, _)| federations.get(name)) else { continue };
            for (listener, site) in self.config.listener.keys().zip(&mut sites) {
                if settings.listeners.is_empty() || settings.listeners.contains(listener) {
                    self.add_forward_auth(site, name, settings, federation);
                }
            }
        }
        self.add_soap(&mut sites, before, &mut lasting)?;
        let admin = self.admin_site(&federations, &lasting.soap);
        Ok(Sites { listeners: sites, admin, lasting })
    }

    fn add_soap(&self, sites: &mut [Site], before: &Lasting, lasting: &mut Lasting) -> Result<(), Error> {
        let ground = self.foundation.map(|foundation| Ground {
            config: self.config,
            seals: Seals {
                keys: Arc::clone(foundation.keys()),
                revocations: Arc::clone(foundation.stores().revocations.list()),
            },
            replays: Arc::clone(&foundation.stores().replays),
            documents: foundation.documents(),
        });
        for (name, settings) in &self.config.soap {
            let token = settings.jwt_header.as_ref().zip(self.tokens.as_ref()).map(|(header, tokens)| TokenHeader {
                name: header.clone(),
                audience: settings.jwt_audience.clone().unwrap_or_else(|| settings.path.as_str().to_owned()),
                tokens: Arc::clone(tokens),
            });
            let sessions = (&before.soap, &mut lasting.soap);
            let soap = SoapRoute::open(name, settings, sessions, ground.as_ref(), token, self.metrics)?;
            let limiter = lasting.limiter(before, &format!("soap.{name}"), settings.rate_limit.as_ref());
            let route = self.route(format!("soap.{name}"), Target::Soap(Box::new(soap)));
            let route = Arc::new(Route { limiter, ..route });
            for (listener, site) in self.config.listener.keys().zip(&mut *sites) {
                if settings.listeners.is_empty() || settings.listeners.contains(listener) {
                    for host in hosts(&settings.hosts) {
                        site.routes.add(host, settings.path.clone(), Arc::clone(&route));
                    }
                    self.add_key_set(site, &settings.hosts, settings.jwt_header.is_some());
                }
            }
        }
        Ok(())
    }

    fn admin_site(&self, federations: &BTreeMap<&str, Arc<Federation>>, soap: &LiveSessions) -> Option<Site> {
        let (settings, foundation) = (self.config.admin.as_ref()?, self.foundation?);
        let federation = federations.get(settings.federation.as_deref()?)?;
        let access = Access::of_admin_page(settings, Arc::clone(federation));
        let target = Target::AdminPage(Box::new(AdminPage::new(
            access,
            self.config,
            foundation,
            soap.terminated(),
            self.metrics,
        )));
        let mut site = Site {
            trust: Trust { proxies: settings.trusted_proxies.clone(), headers: Some(settings.forwarding_headers) },
            max_headers: usize::MAX,
            redirect: None,
            hsts: None,
            routes: RouteTable::default(),
            ids: RequestIds::new(),
            metrics: Arc::clone(self.metrics),
            telemetry: None,
            pages: self.config.pages.clone(),
            log: self.config.log.requests,
        };
        let route = Arc::new(self.route("admin".to_owned(), target));
        for path in AdminPage::PATHS {
            site.routes.add_exact(None, path, Arc::clone(&route));
        }
        self.add_own_paths(&mut site, &[], federation);
        Some(site)
    }

    fn add_forward_auth(
        &self,
        site: &mut Site,
        name: &str,
        settings: &config::ForwardAuth,
        federation: &Arc<Federation>,
    ) {
        let base = settings.path.as_str().trim_end_matches('/');
        for (word, manner) in [("check", Manner::Check), ("challenge", Manner::Challenge)] {
            let token = self.token_header(settings.jwt_header.as_ref(), settings.jwt_audience.as_ref(), federation);
            let (claims, session) = (&settings.claims_to_headers, settings.session_header.as_ref());
            let headers = ApplicationHeaders::new(claims, session, token, &[]);
            let access = Access::of_forward_auth(settings, Arc::clone(federation), headers);
            let target = Target::ForwardAuth(ForwardAuth::new(access, manner));
            let route = Arc::new(self.route(format!("forward_auth.{name}"), target));
            for host in hosts(&settings.hosts) {
                site.routes.add_exact(host, &format!("{base}/{word}"), Arc::clone(&route));
            }
        }
        self.add_own_paths(site, &settings.hosts, federation);
        self.add_key_set(site, &settings.hosts, settings.jwt_header.is_some());
    }

    /// The headers in which applications learn who is there, on whichever route: one application can be behind several of them.
    fn reserved_headers(&self) -> Vec<HeaderName> {
        let Config { web, forward_auth, soap, .. } = self.config;
        let claims = (web.values().map(|route| &route.claims_to_headers))
            .chain(forward_auth.values().map(|settings| &settings.claims_to_headers))
            .chain(soap.values().map(|route| &route.claims_to_headers))
            .flat_map(|claims| claims.iter().map(|(name, _)| name));
        let sessions = (web.values().map(|route| &route.session_header))
            .chain(forward_auth.values().map(|settings| &settings.session_header));
        let tokens = (web.values().map(|route| &route.jwt_header))
            .chain(forward_auth.values().map(|settings| &settings.jwt_header))
            .chain(soap.values().map(|route| &route.jwt_header));
        // What is in `Authorization` is a proof, and elsewhere it can be the client's own.
        let tokens = tokens.filter(|name| name.as_ref() != Some(&AUTHORIZATION));
        let mut names: Vec<HeaderName> = claims.chain(sessions.chain(tokens).flatten()).cloned().collect();
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        names
    }

    /// The header for a token of a route, when it wants one and there are tokens; the configuration check has seen to both.
    fn token_header(
        &self,
        name: Option<&HeaderName>,
        audience: Option<&String>,
        federation: &Federation,
    ) -> Option<TokenHeader> {
        let realm = || self.config.federation.get(federation.name()).map(|settings| settings.realm.clone());
        Some(TokenHeader {
            name: name?.clone(),
            audience: audience.cloned().or_else(realm)?,
            tokens: Arc::clone(self.tokens.as_ref()?),
        })
    }

    fn add_key_set(&self, site: &mut Site, patterns: &[HostPattern], wanted: bool) {
        let (Some(tokens), Some(settings), true) = (&self.tokens, &self.config.jwt, wanted) else { return };
        let route = Arc::new(self.route("jwt".to_owned(), Target::KeySet(Arc::clone(tokens))));
        for host in hosts(patterns) {
            site.routes.add_exact(host, settings.key_set_path.as_str(), Arc::clone(&route));
        }
    }

    fn add(&self, site: &mut Site, settings: &WebRoute, route: &Arc<Route>, own: Option<&Arc<Federation>>) {
        for host in hosts(&settings.hosts) {
            site.routes.add(host, settings.path.clone().ignoring_case(settings.ignore_case), Arc::clone(route));
        }
        let Some(federation) = own else { return };
        self.add_own_paths(site, &settings.hosts, federation);
        for (path, target) in [
            (&settings.session_path, Target::SessionInfo(Arc::clone(federation))),
            (&settings.sign_in_path, Target::SignInLink(Arc::clone(federation))),
        ] {
            let Some(path) = path else { continue };
            let own = Arc::new(self.route(format!("federation.{}", federation.name()), target));
            for host in hosts(&settings.hosts) {
                site.routes.add_exact(host, path.as_str(), Arc::clone(&own));
            }
        }
    }

    fn add_own_paths(&self, site: &mut Site, patterns: &[HostPattern], federation: &Arc<Federation>) {
        let name = format!("federation.{}", federation.name());
        let route = Arc::new(self.route(name, Target::Federation(Arc::clone(federation))));
        for host in hosts(patterns) {
            for path in federation.own_paths() {
                site.routes.add_exact(host, path, Arc::clone(&route));
            }
        }
    }

    fn route(&self, name: String, target: Target) -> Route {
        Route { metrics: self.metrics.route(&name), name, limiter: None, target }
    }

    fn site(&self, listener: &Listener) -> Site {
        Site {
            trust: Trust { proxies: listener.trusted_proxies.clone(), headers: listener.forwarding_headers },
            max_headers: listener.max_headers as usize,
            redirect: listener.redirect_to_https.then_some(listener.https_port),
            hsts: listener.tls.as_ref().and_then(hsts),
            routes: RouteTable::default(),
            ids: RequestIds::new(),
            metrics: Arc::clone(self.metrics),
            telemetry: self.telemetry.cloned(),
            pages: self.config.pages.clone(),
            log: self.config.log.requests,
        }
    }

    fn federations(&self) -> Result<BTreeMap<&str, Arc<Federation>>, Error> {
        let Some(foundation) = self.foundation else { return Ok(BTreeMap::new()) };
        let shared = Shared {
            config: self.config,
            keys: foundation.keys(),
            stores: foundation.stores(),
            metrics: self.metrics,
            ends: foundation.session_ends(),
            audit: foundation.audit(),
            documents: foundation.documents(),
        };
        let open = |(name, settings)| Ok((name, Arc::new(Federation::open(name, settings, &shared)?)));
        self.config.federation.iter().map(|(name, settings)| (name.as_str(), settings)).map(open).collect()
    }
}

/// The hosts of a route; none stands for any.
fn hosts(patterns: &[HostPattern]) -> Vec<Option<&HostPattern>> {
    if patterns.is_empty() { vec![None] } else { patterns.iter().map(Some).collect() }
}
