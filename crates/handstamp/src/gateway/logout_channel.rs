//! Delivering the logout tokens of the built-in token service.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::body::Body;
use super::upstream::{Upstream, UpstreamSettings};
use crate::Error;
use crate::admin::Metrics;
use crate::config::{Balance, BalanceStrategy, Sts, UpstreamProtocol};
use crate::sts::LogoutChannel;

/// The ways to the relying parties that want to be told.
pub(super) struct LogoutNotices {
    parties: BTreeMap<String, Arc<Party>>,
    /// Tokens under way; what is more is dropped.
    room: Arc<Semaphore>,
}

struct Party {
    name: String,
    servers: Upstream,
    target: PathAndQuery,
}

/// Tokens under way at once, at most.
const MOST: usize = 1000;
/// How long a relying party may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait before each further attempt: a token is good for two minutes.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];
/// More than there is to say.
const MAX_ANSWER: usize = 64 << 10;

impl LogoutNotices {
    /// None when nobody wants to be told.
    ///
    /// # Errors
    /// A certificate or a key that cannot be used.
    pub(super) fn open(settings: &Sts, metrics: &Metrics) -> Result<Option<Arc<Self>>, Error> {
        let balance = Balance {
            strategy: BalanceStrategy::LeastRequests,
            max_requests: 16,
            eject_after: 5,
            eject_for: PATIENCE,
            retries: 0,
            retry_budget: 0,
        };
        let mut parties = BTreeMap::new();
        for (name, party) in &settings.relying_party {
            let Some(servers) = &party.back_channel_logout else { continue };
            let to = UpstreamSettings {
                name: &format!("sts.relying_party.{name}"),
                servers,
                protocol: UpstreamProtocol::Http1,
                tls: &party.back_channel_tls,
                balance: &balance,
                health: None,
                connect_timeout: PATIENCE,
                response_timeout: PATIENCE,
            };
            let first = servers.servers().first().and_then(|server| server.url.as_str().parse::<Uri>().ok());
            let target = first.and_then(|url| url.path_and_query().cloned());
            let target = target.unwrap_or(PathAndQuery::from_static("/"));
            let party = Party { name: name.clone(), servers: Upstream::open(&to, metrics)?, target };
            parties.insert(name.clone(), Arc::new(party));
        }
        let room = Arc::new(Semaphore::new(MOST));
        Ok((!parties.is_empty()).then(|| Arc::new(Self { parties, room })))
    }
}

impl LogoutChannel for LogoutNotices {
    fn deliver(&self, relying_party: &str, token: String) {
        let Some(party) = self.parties.get(relying_party).cloned() else { return };
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            tracing::warn!(party = party.name, "too many logout tokens are under way: one is dropped");
            return;
        };
        tokio::spawn(async move {
            party.deliver(&token).await;
            drop(place);
        });
    }
}

impl Party {
    async fn deliver(&self, token: &str) {
        let mut pauses = AGAIN_AFTER.iter();
        loop {
            let sent = timeout(PATIENCE, self.post(token)).await;
            let problem = match sent.unwrap_or_else(|_| Err("it takes too long".to_owned())) {
                Ok(status) if status.is_success() => {
                    tracing::info!(party = self.name, "a relying party was told of a sign-out");
                    return;
                }
                Ok(status) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                    tracing::warn!(
                        party = self.name,
                        status = status.as_u16(),
                        "a relying party refuses a logout token"
                    );
                    return;
                }
                Ok(status) => format!("status {status}"),
                Err(problem) => problem,
            };
            let Some(pause) = pauses.next() else {
                tracing::warn!(party = self.name, problem, "a relying party could not be told of a sign-out");
                return;
            };
            sleep(*pause).await;
        }
    }

    async fn post(&self, token: &str) -> Result<StatusCode, String> {
        // A token consists of letters, digits, hyphens, underscores and full stops.
        let body = format!("logout_token={token}");
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(self.target.clone());
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        *request.body_mut() = Body::whole(body);
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let answer = self.servers.send(request, nobody, false).await.map_err(|problem| problem.code().to_owned())?;
        let (head, body) = answer.response.into_parts();
        // Read, so that the connection can be used again.
        let body = Limited::new(Body::response(body, PATIENCE, answer.lease), MAX_ANSWER).collect().await;
        body.map_err(|error| error.to_string())?;
        Ok(head.status)
    }
}
