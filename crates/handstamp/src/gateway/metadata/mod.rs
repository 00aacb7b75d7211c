//! What issuers publish about themselves, kept up to date while the gateway runs (SM §4.2, SM-43).
//!
//! New metadata is believed only when it holds: fetched over https, signed by whom the configuration names, of the same issuer
//! as before, with keys in it. Until then the last good one stays, also over restarts when there is a cache.

mod fetch;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use handstamp_keys::{CertificateTrust, SecureRandom, SystemRandom};
use handstamp_time::{Clock, Timestamp};
use handstamp_ws_federation::{IssuerMetadata, MetadataPolicy};

use crate::Error;
use crate::admin::{IssuerMetrics, Metrics};
use crate::config::{HttpUrl, Issuer};
use fetch::Fetcher;

/// The metadata of all issuers that publish any, by the issuers' names.
#[derive(Default)]
pub(crate) struct MetadataShelf(Mutex<BTreeMap<String, Arc<LivingMetadata>>>);

impl MetadataShelf {
    /// The metadata of an issuer; none when it is not configured to publish any. What was there for the same settings stays.
    ///
    /// # Errors
    /// Authorities or fingerprints that cannot be used.
    pub(crate) fn of(
        &self,
        name: &str,
        settings: &Issuer,
        metrics: &Metrics,
        now: Timestamp,
    ) -> Result<Option<Arc<LivingMetadata>>, Error> {
        let Some(url) = &settings.metadata else { return Ok(None) };
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shelf.get(name).filter(|known| known.settings == *settings) {
            return Ok(Some(Arc::clone(known)));
        }
        let living = Arc::new(LivingMetadata::open(name, url, settings, metrics.issuer(name), now)?);
        shelf.insert(name.to_owned(), Arc::clone(&living));
        Ok(Some(living))
    }

    /// Fetches what is due, for ever. What no relying party uses any more is forgotten.
    pub(crate) async fn look_after(&self, clock: &dyn Clock) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = clock.now();
            let due: Vec<Arc<LivingMetadata>> = {
                let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                shelf.retain(|_, living| Arc::strong_count(living) > 1);
                shelf.values().filter(|living| living.is_due(now)).cloned().collect()
            };
            for living in due {
                // One issuer that hangs does not keep the others waiting.
                tokio::spawn(async move { living.refresh(now).await });
            }
        }
    }
}

/// The metadata of one issuer.
pub(crate) struct LivingMetadata {
    name: String,
    settings: Issuer,
    policy: MetadataPolicy,
    fetcher: Fetcher,
    good: RwLock<Option<Arc<IssuerMetadata>>>,
    version: AtomicU64,
    /// When the next fetch is due, in ticks.
    due: AtomicI64,
    failures: AtomicU32,
    /// When an unknown key last made us look, in ticks.
    asked: AtomicI64,
    refreshing: tokio::sync::Mutex<()>,
    metrics: Arc<IssuerMetrics>,
}

impl LivingMetadata {
    fn open(
        name: &str,
        url: &HttpUrl,
        settings: &Issuer,
        metrics: Arc<IssuerMetrics>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut policy = MetadataPolicy::default();
        if !settings.metadata_signers.is_empty() {
            let mut signers = CertificateTrust::none();
            for (index, fingerprint) in settings.metadata_signers.iter().enumerate() {
                let digest = super::federation::fingerprint(fingerprint).ok_or_else(|| Error::Setup {
                    code: "HST-CONFIG-VALUE",
                    message: format!("issuer.{name}.metadata_signers[{index}]: must be hexadecimal digits"),
                })?;
                signers = signers.with_sha256(digest);
            }
            policy.signers = Some(signers);
        }
        let living = Self {
            name: name.to_owned(),
            settings: settings.clone(),
            policy,
            fetcher: Fetcher::new(name, url, &settings.metadata_authorities)?,
            good: RwLock::default(),
            version: AtomicU64::new(0),
            due: AtomicI64::new(now.ticks()),
            failures: AtomicU32::new(0),
            asked: AtomicI64::new(Timestamp::MIN.ticks()),
            refreshing: tokio::sync::Mutex::default(),
            metrics,
        };
        living.read_cache(now);
        Ok(living)
    }

    /// The last good one, and a number that changes with it.
    pub(crate) fn current(&self) -> (Option<Arc<IssuerMetadata>>, u64) {
        let good = self.good.read().unwrap_or_else(PoisonError::into_inner);
        (good.clone(), self.version.load(Ordering::Acquire))
    }

    /// The number that changes when something else is published.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        now.ticks() >= self.due.load(Ordering::Relaxed)
    }

    /// Looks because a token is signed with a key that nobody knows; whether there was news. Anybody can make such a token, so
    /// this happens once a minute at most.
    pub(crate) async fn refresh_for_unknown_key(&self, now: Timestamp) -> bool {
        let before = self.version();
        let asked = Timestamp::from_ticks(self.asked.load(Ordering::Relaxed)).unwrap_or(Timestamp::MIN);
        if now < asked.saturating_add(UNKNOWN_KEY_PAUSE) {
            return false;
        }
        self.asked.store(now.ticks(), Ordering::Relaxed);
        tracing::info!(issuer = self.name, "a token has an unknown key: looking at the issuer's metadata");
        self.refresh(now).await;
        self.version() != before
    }

    /// Fetches, and takes over what holds.
    async fn refresh(&self, now: Timestamp) {
        let Ok(_one_at_a_time) = self.refreshing.try_lock() else { return };
        let fetched = async {
            let xml = self.fetcher.fetch().await?;
            let metadata = self.examine(&xml, now)?;
            Ok::<_, String>((xml, metadata))
        };
        match fetched.await {
            Ok((xml, metadata)) => {
                self.failures.store(0, Ordering::Relaxed);
                self.plan(jittered(self.settings.metadata_refresh), now);
                self.metrics.metadata_refreshes.add();
                self.metrics.metadata_fetched_at.set(now.unix_seconds());
                self.take_over(metadata);
                self.write_cache(&xml).await;
            }
            Err(error) => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed);
                let pause = RETRY.saturating_mul(1 << failures.min(6)).min(self.settings.metadata_refresh);
                self.plan(jittered(pause), now);
                self.metrics.metadata_failures.add();
                let known = self.current().0.is_some();
                tracing::warn!(issuer = self.name, error, known, "the issuer's metadata was not taken over");
            }
        }
    }

    /// Whether it may be believed.
    fn examine(&self, xml: &[u8], now: Timestamp) -> Result<IssuerMetadata, String> {
        let mut policy = self.policy.clone();
        let before = || self.current().0.map(|known| known.entity_id.clone());
        policy.entity_id = self.settings.entity_id.clone().or_else(before);
        let metadata = IssuerMetadata::read_trusted(xml, &policy, now).map_err(|error| error.to_string())?;
        let endpoint = metadata.passive_endpoint.as_deref().map(HttpUrl::parse);
        match endpoint {
            None if self.settings.sign_in_url.is_none() => {
                Err("it names no passive endpoint: set sign_in_url of the issuer".to_owned())
            }
            Some(None) => Err("its passive endpoint is no http address".to_owned()),
            Some(Some(url)) if !url.is_https() && !url.is_loopback() => {
                Err(format!("its passive endpoint {url} is not https"))
            }
            _ => Ok(metadata),
        }
    }

    fn take_over(&self, metadata: IssuerMetadata) {
        let mut good = self.good.write().unwrap_or_else(PoisonError::into_inner);
        if good.as_deref() == Some(&metadata) {
            return;
        }
        tracing::info!(
            issuer = self.name,
            entity = metadata.entity_id,
            keys = metadata.signing_certificates.len(),
            first = good.is_none(),
            "the issuer's metadata was taken over"
        );
        *good = Some(Arc::new(metadata));
        self.version.fetch_add(1, Ordering::Release);
    }

    fn plan(&self, pause: Duration, now: Timestamp) {
        self.due.store(now.saturating_add(pause).ticks(), Ordering::Relaxed);
    }

    /// Begins with what was good when the program last ran. It is fetched again at once all the same.
    fn read_cache(&self, now: Timestamp) {
        let Some(path) = &self.settings.metadata_cache else { return };
        let xml = match std::fs::read(path) {
            Ok(xml) => xml,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                return tracing::warn!(issuer = self.name, path = %path.display(), %error, "kept metadata cannot be read");
            }
        };
        match self.examine(&xml, now) {
            Ok(metadata) => {
                let modified = std::fs::metadata(path).and_then(|file| file.modified()).ok();
                let age = modified.and_then(|time| time.elapsed().ok()).unwrap_or_default();
                self.metrics.metadata_fetched_at.set(now.saturating_sub(age).unix_seconds());
                self.take_over(metadata);
            }
            Err(error) => tracing::warn!(issuer = self.name, error, "kept metadata is not used"),
        }
    }

    async fn write_cache(&self, xml: &[u8]) {
        let Some(path) = self.settings.metadata_cache.clone() else { return };
        let xml = xml.to_vec();
        let written = tokio::task::spawn_blocking(move || replace(&path, &xml)).await;
        let problem = match written {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(issuer = self.name, error = problem, "metadata cannot be kept: the next start has to fetch it");
    }
}

/// Writes beside the file and puts it in its place, so that a crash leaves one or the other.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, content)?;
    std::fs::rename(&beside, path)
}

/// Up to a tenth earlier, so that many nodes do not all come at once.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness there is no jitter, and no harm.
    let _ = SystemRandom.fill(&mut byte);
    pause - pause.mul_f64(f64::from(byte[0]) / 2550.0)
}

/// How often it is looked what is due.
const LOOK: Duration = Duration::from_secs(2);
/// After a first failure; it doubles with each.
const RETRY: Duration = Duration::from_secs(30);
/// Between two looks for unknown keys.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(60);
