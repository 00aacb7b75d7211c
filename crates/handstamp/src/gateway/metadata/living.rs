//! A document that somebody publishes, kept up to date: the last good one stays until there is a better one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use handstamp_keys::{SecureRandom, SystemRandom};
use handstamp_time::{Clock, Timestamp};

use super::fetch::Fetcher;
use crate::Error;
use crate::admin::PublishedMetrics;
use crate::config::HttpUrl;
use crate::private_file;

/// A kind of document, and what has to hold of one.
pub(crate) trait Published: Send + Sync + Sized + 'static {
    /// What is in it.
    type Content: PartialEq + Send + Sync + 'static;
    /// What messages call it.
    const WHAT: &'static str;

    /// Where it is.
    fn place(&self) -> Place;

    /// Whether it is the same, with the same settings.
    fn is_same(&self, other: &Self) -> bool;

    /// Whether it may be believed, given the last good one.
    ///
    /// # Errors
    /// Why not, in words.
    fn examine(&self, bytes: &[u8], known: Option<&Self::Content>, now: Timestamp) -> Result<Self::Content, String>;
}

/// Where a document is published, and how it is kept here.
pub(crate) struct Place {
    pub(crate) url: HttpUrl,
    pub(crate) authorities: Vec<PathBuf>,
    pub(crate) cache: Option<PathBuf>,
    pub(crate) refresh: Duration,
}

/// Documents of one kind, by the names of their issuers.
pub(super) struct Shelf<D: Published>(Mutex<BTreeMap<String, Arc<Living<D>>>>);

impl<D: Published> Default for Shelf<D> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<D: Published> Shelf<D> {
    /// The document of an issuer. What was there for the same settings stays.
    ///
    /// # Errors
    /// Authorities that cannot be used.
    pub(super) fn of(
        &self,
        name: &str,
        document: D,
        metrics: impl FnOnce() -> Arc<PublishedMetrics>,
        now: Timestamp,
    ) -> Result<Arc<Living<D>>, Error> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shelf.get(name).filter(|known| known.document.is_same(&document)) {
            return Ok(Arc::clone(known));
        }
        let living = Arc::new(Living::open(name, document, metrics(), now)?);
        shelf.insert(name.to_owned(), Arc::clone(&living));
        Ok(living)
    }

    /// Fetches what is due, for ever. What nobody uses any more is forgotten.
    pub(super) async fn look_after(&self, clock: &dyn Clock) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = clock.now();
            let due: Vec<Arc<Living<D>>> = {
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

/// One document.
pub(crate) struct Living<D: Published> {
    name: String,
    document: D,
    place: Place,
    fetcher: Fetcher,
    good: RwLock<Option<Arc<D::Content>>>,
    version: AtomicU64,
    /// When the next fetch is due, in ticks.
    due: AtomicI64,
    failures: AtomicU32,
    /// When an unknown key last made us look, in ticks.
    asked: AtomicI64,
    refreshing: tokio::sync::Mutex<()>,
    metrics: Arc<PublishedMetrics>,
}

impl<D: Published> Living<D> {
    fn open(name: &str, document: D, metrics: Arc<PublishedMetrics>, now: Timestamp) -> Result<Self, Error> {
        let place = document.place();
        let living = Self {
            name: name.to_owned(),
            document,
            fetcher: Fetcher::new(&format!("issuer.{name}: {}", D::WHAT), &place.url, &place.authorities)?,
            place,
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
    pub(crate) fn current(&self) -> (Option<Arc<D::Content>>, u64) {
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
        tracing::info!(
            issuer = self.name,
            what = D::WHAT,
            "a token has an unknown key: looking at what the issuer publishes"
        );
        self.refresh(now).await;
        self.version() != before
    }

    /// Fetches, and takes over what holds.
    async fn refresh(&self, now: Timestamp) {
        let Ok(_one_at_a_time) = self.refreshing.try_lock() else { return };
        let fetched = async {
            let bytes = self.fetcher.fetch().await?;
            let content = self.examine(&bytes, now)?;
            Ok::<_, String>((bytes, content))
        };
        match fetched.await {
            Ok((bytes, content)) => {
                self.failures.store(0, Ordering::Relaxed);
                self.plan(jittered(self.place.refresh), now);
                self.metrics.refreshes.add();
                self.metrics.fetched_at.set(now.unix_seconds());
                self.take_over(content);
                self.write_cache(&bytes).await;
            }
            Err(error) => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed);
                let pause = RETRY.saturating_mul(1 << failures.min(6)).min(self.place.refresh);
                self.plan(jittered(pause), now);
                self.metrics.failures.add();
                let known = self.current().0.is_some();
                tracing::warn!(
                    issuer = self.name,
                    what = D::WHAT,
                    error,
                    known,
                    "what the issuer publishes was not taken over"
                );
            }
        }
    }

    fn examine(&self, bytes: &[u8], now: Timestamp) -> Result<D::Content, String> {
        self.document.examine(bytes, self.current().0.as_deref(), now)
    }

    fn take_over(&self, content: D::Content) {
        let mut good = self.good.write().unwrap_or_else(PoisonError::into_inner);
        if good.as_deref() == Some(&content) {
            return;
        }
        tracing::info!(
            issuer = self.name,
            what = D::WHAT,
            first = good.is_none(),
            "what the issuer publishes was taken over"
        );
        *good = Some(Arc::new(content));
        self.version.fetch_add(1, Ordering::Release);
    }

    fn plan(&self, pause: Duration, now: Timestamp) {
        self.due.store(now.saturating_add(pause).ticks(), Ordering::Relaxed);
    }

    /// Begins with what was good when the program last ran. It is fetched again at once all the same.
    fn read_cache(&self, now: Timestamp) {
        let Some(path) = &self.place.cache else { return };
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                return tracing::warn!(issuer = self.name, what = D::WHAT, path = %path.display(), %error, "what was kept cannot be read");
            }
        };
        match self.examine(&bytes, now) {
            Ok(content) => {
                let modified = std::fs::metadata(path).and_then(|file| file.modified()).ok();
                let age = modified.and_then(|time| time.elapsed().ok()).unwrap_or_default();
                self.metrics.fetched_at.set(now.saturating_sub(age).unix_seconds());
                self.take_over(content);
            }
            Err(error) => tracing::warn!(issuer = self.name, what = D::WHAT, error, "what was kept is not used"),
        }
    }

    async fn write_cache(&self, bytes: &[u8]) {
        let Some(path) = self.place.cache.clone() else { return };
        let bytes = bytes.to_vec();
        let written = tokio::task::spawn_blocking(move || private_file::replace(&path, &bytes)).await;
        let problem = match written {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(
            issuer = self.name,
            what = D::WHAT,
            error = problem,
            "it cannot be kept: the next start has to fetch it"
        );
    }
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
