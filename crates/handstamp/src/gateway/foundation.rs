//! What all relying parties of a process stand on: keys, the store, and somebody who looks after both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use handstamp_keys::{KeyRing, SystemRandom};
use handstamp_secure_conversation::AddressUse;
use handstamp_session_store::{SessionDirectory, follow_revocations};
use handstamp_session_token::{
    Error as TokenError, ReplayCache, ReplicatedRevocations, RevocationList, RevocationStore, SessionTokenCache,
    TwoLevelCache,
};
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_security::MemoryReplayCache;

use super::logout_channel::{LogoutNotices, LogoutTokens};
use super::measured_store::MeasuredStore;
use super::metadata::IssuerDocuments;
use super::session_life::SessionEnds;
use crate::admin::{Metrics, Readiness};
use crate::audit::AuditLog;
use crate::config::{Config, StoreKind, Sts};
use crate::session_desk::SessionDesk;
use crate::sts::{PasswordCost, SecurityTokenService, SignInLimiter, Surroundings};
use crate::{Error, store};

/// Keys and store of a process.
pub(crate) struct Foundation {
    keys: Arc<KeyRing>,
    stores: Stores,
    session_ends: Arc<SessionEnds>,
    clock: Arc<dyn Clock>,
    store_fails: Arc<AtomicBool>,
    audit: AuditLog,
    documents: IssuerDocuments,
    sign_in_limiter: Arc<SignInLimiter>,
    /// Messages to the token service, and who sent how many.
    token_request_replays: Arc<MemoryReplayCache>,
    token_request_addresses: Arc<AddressUse>,
    logout_tokens: Arc<LogoutTokens>,
}

/// The parts of the store, each behind its own trait.
pub(crate) struct Stores {
    /// Sessions in reference mode.
    pub(crate) cache: Arc<dyn SessionTokenCache>,
    /// What was seen before.
    pub(crate) replays: Arc<dyn ReplayCache>,
    /// What is revoked: asked in memory, kept in the store.
    pub(crate) revocations: Arc<ReplicatedRevocations>,
    revocation_store: Arc<dyn RevocationStore>,
    directory: Arc<dyn SessionDirectory>,
}

impl Foundation {
    /// Opens the key ring and the store, and takes over what was revoked before.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub(crate) async fn open(config: &Config, metrics: &Metrics) -> Result<Self, Error> {
        let keys = Arc::new(open_key_ring(config)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let stores = Stores::open(config, &keys, metrics).await?;
        stores.revocations.poll(clock.now()).await.map_err(|error| setup_error(&error))?;
        let audit = AuditLog::configured(config.audit.as_ref(), &metrics.audit_lost)?;
        Ok(Self {
            keys,
            stores,
            session_ends: Arc::default(),
            clock,
            store_fails: Arc::default(),
            audit,
            documents: IssuerDocuments::default(),
            sign_in_limiter: Arc::default(),
            token_request_replays: Arc::new(MemoryReplayCache::new(MAX_TOKEN_REQUESTS)),
            token_request_addresses: Arc::default(),
            logout_tokens: Arc::default(),
        })
    }

    pub(crate) fn keys(&self) -> &Arc<KeyRing> {
        &self.keys
    }

    /// What issuers publish.
    pub(crate) fn documents(&self) -> &IssuerDocuments {
        &self.documents
    }

    /// Until when sessions last in which something goes on.
    pub(super) fn session_ends(&self) -> &Arc<SessionEnds> {
        &self.session_ends
    }

    pub(crate) fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Where operators look sessions up and end them.
    pub(crate) fn session_desk(&self, config: &Config) -> SessionDesk {
        let Stores { directory, revocation_store, .. } = &self.stores;
        SessionDesk::new(config, Arc::clone(directory), Arc::clone(revocation_store), self.audit.clone())
    }

    pub(crate) fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// Logout tokens of the token service on their way.
    pub(crate) fn logout_tokens(&self) -> &LogoutTokens {
        &self.logout_tokens
    }

    /// Sets the built-in security token service up.
    ///
    /// # Errors
    /// A file that cannot be used, or settings that fit nothing.
    pub(crate) fn token_service(&self, settings: &Sts, metrics: &Metrics) -> Result<SecurityTokenService, Error> {
        let surroundings = Surroundings {
            keys: Arc::clone(&self.keys),
            clock: Arc::clone(&self.clock),
            random: Arc::new(SystemRandom),
            revocations: Some(Arc::clone(&self.stores.revocations)),
            password_cost: PasswordCost::default(),
            limiter: Arc::clone(&self.sign_in_limiter),
            replays: Arc::clone(&self.token_request_replays) as _,
            addresses: Arc::clone(&self.token_request_addresses),
            logout_channel: LogoutNotices::open(settings, metrics, &self.logout_tokens)?.map(|notices| notices as _),
        };
        Ok(SecurityTokenService::open(settings, &surroundings)?)
    }

    /// Whether sessions can be sealed and kept.
    pub(crate) fn readiness(&self) -> Box<dyn Readiness> {
        Box::new(FoundationReadiness {
            keys: Arc::clone(&self.keys),
            clock: Arc::clone(&self.clock),
            store_fails: Arc::clone(&self.store_fails),
        })
    }

    /// Looks after keys and store, for ever.
    pub(crate) async fn look_after(self: Arc<Self>) {
        let follow = follow_revocations(Arc::clone(&self.stores.revocations), Arc::clone(&self.clock), FOLLOW);
        let keep_up = async {
            let mut ticks = tokio::time::interval(UPKEEP);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                self.look_after_keys().await;
                self.purge().await;
            }
        };
        tokio::join!(follow, keep_up, self.documents.look_after(self.clock.as_ref()));
    }

    async fn look_after_keys(&self) {
        let (keys, now) = (Arc::clone(&self.keys), self.clock.now());
        match tokio::task::spawn_blocking(move || keys.upkeep(now, &SystemRandom)).await {
            Ok(Ok(done)) => {
                if done.reloaded {
                    tracing::info!("the key ring changed and was read again");
                }
                if let Some(key) = done.rotated {
                    tracing::info!(%key, "a fresh key was added to the ring");
                }
            }
            Ok(Err(error)) => tracing::error!(code = error.code(), %error, "the key ring could not be looked after"),
            Err(error) => tracing::error!(%error, "the key ring could not be looked after"),
        }
    }

    async fn purge(&self) {
        let now = self.clock.now();
        let purged = async {
            self.stores.cache.purge(now).await?;
            self.stores.replays.purge_replays(now).await?;
            self.stores.revocation_store.purge_revocations(now).await
        };
        let purged = purged.await;
        self.store_fails.store(purged.is_err(), Ordering::Relaxed);
        if let Err(error) = purged {
            tracing::error!(code = error.code(), %error, "the store does not answer");
        }
    }
}

/// How often revocations of other processes are taken over.
const FOLLOW: Duration = Duration::from_secs(1);
/// How often keys and store are looked after.
const UPKEEP: Duration = Duration::from_secs(60);
/// How many messages to the token service are remembered: WCF's `replayCacheSize`.
const MAX_TOKEN_REQUESTS: usize = 900_000;

fn open_key_ring(config: &Config) -> Result<KeyRing, Error> {
    let path = &config.keys.path;
    if !path.exists() {
        return Err(Error::Setup {
            code: "HST-KEYS-FILE",
            message: format!("{}: there is no key ring yet: make one with `handstamp keys init`", path.display()),
        });
    }
    Ok(KeyRing::open(path, config.rotation_policy())?)
}

impl Stores {
    async fn open(config: &Config, keys: &Arc<KeyRing>, metrics: &Metrics) -> Result<Self, Error> {
        let store = store::open(&config.store, keys).await?;
        let directory = Arc::clone(&store) as Arc<dyn SessionDirectory>;
        let store = Arc::new(MeasuredStore::new(store, metrics));
        let cache: Arc<dyn SessionTokenCache> = match config.store.kind {
            // It is in memory already.
            StoreKind::Memory => Arc::clone(&store) as Arc<dyn SessionTokenCache>,
            _ => Arc::new(TwoLevelCache::new(Arc::clone(&store))),
        };
        let list = Arc::new(RevocationList::new());
        let revocation_store: Arc<dyn RevocationStore> = Arc::clone(&store) as Arc<dyn RevocationStore>;
        Ok(Self {
            cache,
            directory,
            replays: store,
            revocations: Arc::new(ReplicatedRevocations::new(list, Arc::clone(&revocation_store))),
            revocation_store,
        })
    }
}

fn setup_error(error: &TokenError) -> Error {
    Error::Setup { code: error.code(), message: format!("store: {error}") }
}

struct FoundationReadiness {
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    store_fails: Arc<AtomicBool>,
}

impl Readiness for FoundationReadiness {
    fn obstacle(&self) -> Option<String> {
        if let Err(error) = self.keys.sealing_key(self.clock.now()) {
            return Some(format!("no session can be sealed: {}", error.code()));
        }
        self.store_fails.load(Ordering::Relaxed).then(|| "the store does not answer".to_owned())
    }
}
