//! Delivering the logout tokens of the built-in token service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::recipient::Recipient;
use crate::Error;
use crate::admin::Metrics;
use crate::config::Sts;
use crate::sts::LogoutChannel;

/// The ways to the relying parties that want to be told.
pub(super) struct LogoutNotices {
    parties: BTreeMap<String, Arc<Party>>,
    tokens: Arc<LogoutTokens>,
}

/// Tokens on their way, whichever configuration sent them off; what is too much is dropped.
pub(crate) struct LogoutTokens {
    room: Arc<Semaphore>,
}

impl Default for LogoutTokens {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(MOST as usize)) }
    }
}

impl LogoutTokens {
    /// Waits until all have arrived, or have had the time that they get.
    pub(crate) async fn arrive(&self) {
        if timeout(LAST_TOKENS, self.room.acquire_many(MOST)).await.is_err() {
            let lost = MOST as usize - self.room.available_permits();
            tracing::warn!(lost, "relying parties could not be told of sign-outs before the end");
        }
    }
}

struct Party {
    name: String,
    recipient: Recipient,
}

/// Tokens under way at once, at most.
const MOST: u32 = 1000;
/// How long they may take when the program ends: two further attempts.
const LAST_TOKENS: Duration = Duration::from_secs(10);
/// How long to wait before each further attempt: a token is good for two minutes.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];

impl LogoutNotices {
    /// None when nobody wants to be told.
    ///
    /// # Errors
    /// A certificate or a key that cannot be used.
    pub(super) fn open(
        settings: &Sts,
        metrics: &Metrics,
        tokens: &Arc<LogoutTokens>,
    ) -> Result<Option<Arc<Self>>, Error> {
        let mut parties = BTreeMap::new();
        for (name, party) in &settings.relying_party {
            let Some(servers) = &party.back_channel_logout else { continue };
            let place = format!("sts.relying_party.{name}");
            let recipient = Recipient::open(&place, servers, &party.back_channel_tls, 16, false, metrics)?;
            let party = Party { name: name.clone(), recipient };
            parties.insert(name.clone(), Arc::new(party));
        }
        Ok((!parties.is_empty()).then(|| Arc::new(Self { parties, tokens: Arc::clone(tokens) })))
    }
}

impl LogoutChannel for LogoutNotices {
    fn deliver(&self, relying_party: &str, token: String) {
        let Some(party) = self.parties.get(relying_party).cloned() else { return };
        let Ok(place) = Arc::clone(&self.tokens.room).try_acquire_owned() else {
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
        // A token consists of letters, digits, hyphens, underscores and full stops.
        let form = Bytes::from(format!("logout_token={token}"));
        let mut pauses = AGAIN_AFTER.iter();
        loop {
            let problem = match self.recipient.post("application/x-www-form-urlencoded", form.clone()).await {
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
}
