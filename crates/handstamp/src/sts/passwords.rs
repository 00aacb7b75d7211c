//! Passwords: Argon2id, with a bound on how much of the machine guessing can take.

use super::Error;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, CustomizedPasswordHasher as _, Params, Version};
use handstamp_keys::SecureRandom;
use std::fmt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use zeroize::Zeroizing;

/// A password as it was typed. It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct PasswordText(Zeroizing<String>);

impl PasswordText {
    /// The least length of a new password, in bytes.
    pub const MIN_BYTES: usize = 8;
    /// The greatest length of any password, in bytes: hashing time must not grow with what a stranger sends.
    pub const MAX_BYTES: usize = 1024;

    /// Takes what was typed.
    pub fn new(typed: impl Into<String>) -> Self {
        Self(Zeroizing::new(typed.into()))
    }

    fn fits(&self) -> bool {
        self.0.len() <= Self::MAX_BYTES
    }
}

impl fmt::Debug for PasswordText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordText(..)")
    }
}

/// What one guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over that memory.
    pub passes: u32,
}

impl PasswordCost {
    /// 19 MiB and two passes, which OWASP recommends as the least for Argon2id; some 20 ms on a server of today.
    pub const RECOMMENDED: Self = Self { memory: 19_456, passes: 2 };
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self::RECOMMENDED
    }
}

/// Makes and checks password hashes on threads of their own.
///
/// As many run at once as there are processors; a limited number waits; beyond that callers get [`Error::Busy`] at once, so
/// that a flood of guesses costs neither memory nor the service's other work.
#[derive(Debug, Clone)]
pub struct PasswordHasher {
    argon2: Argon2<'static>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// A hash nobody knows a password for: unknown users cost as much as known ones.
    decoy: Arc<str>,
}

impl PasswordHasher {
    /// How many checks may wait for a processor.
    pub const MAX_WAITING: usize = 64;

    /// A hasher for passwords of this cost.
    ///
    /// # Errors
    /// There are no random numbers, or the cost is outside what Argon2 allows.
    pub fn new(cost: PasswordCost, random: &dyn SecureRandom) -> Result<Self, Error> {
        let params = Params::new(cost.memory, cost.passes, 1, None).map_err(|_| Error::DamagedPasswordHash)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut nobody = Zeroizing::new([0_u8; 32]);
        random.fill(nobody.as_mut())?;
        let decoy = hash(&argon2, nobody.as_ref(), &fresh_salt(random)?)?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            argon2,
            running: Arc::new(Semaphore::new(processors)),
            waiting: Arc::new(Semaphore::new(processors + Self::MAX_WAITING)),
            decoy: decoy.into(),
        })
    }

    /// The hash to store for a new password, as a PHC string.
    ///
    /// # Errors
    /// [`Error::InvalidPassword`] for one too short or too long; [`Error::Busy`].
    pub async fn hash(&self, password: PasswordText, random: &dyn SecureRandom) -> Result<String, Error> {
        if !password.fits() || password.0.len() < PasswordText::MIN_BYTES {
            return Err(Error::InvalidPassword);
        }
        let salt = fresh_salt(random)?;
        let argon2 = self.argon2.clone();
        self.run(move || hash(&argon2, password.0.as_bytes(), &salt)).await?
    }

    /// Whether `password` is the one behind `stored`; without a stored hash the answer is no, and takes as long.
    ///
    /// # Errors
    /// [`Error::Busy`]; [`Error::DamagedPasswordHash`] when `stored` is no Argon2 hash.
    pub async fn verify(&self, password: PasswordText, stored: Option<String>) -> Result<bool, Error> {
        if !password.fits() {
            return Ok(false);
        }
        let known = stored.is_some();
        let text = stored.unwrap_or_else(|| (*self.decoy).to_owned());
        let argon2 = self.argon2.clone();
        let matches = self
            .run(move || {
                let stored = PasswordHash::new(&text).map_err(|_| Error::DamagedPasswordHash)?;
                Ok(argon2.verify_password(password.0.as_bytes(), &stored).is_ok())
            })
            .await?;
        matches.map(|matches| matches && known)
    }

    /// Whether a stored hash was made at another cost than this hasher's and should be replaced at the next sign-in.
    pub fn is_outdated(&self, stored: &str) -> bool {
        PasswordHash::new(stored).ok().and_then(|stored| Params::try_from(&stored).ok()).is_none_or(|params| {
            let ours = self.argon2.params();
            (params.m_cost(), params.t_cost(), params.p_cost()) != (ours.m_cost(), ours.t_cost(), ours.p_cost())
        })
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let place = match Arc::clone(&self.waiting).try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits) => return Err(Error::Busy),
            Err(TryAcquireError::Closed) => return Err(Error::Ending),
        };
        let processor = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Error::Ending)?;
        // The permits go with the work: a caller that gives up does not free a processor that is still busy.
        let permits: [OwnedSemaphorePermit; 2] = [place, processor];
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permits);
            result
        });
        task.await.map_err(|_| Error::Ending)
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8], salt: &[u8]) -> Result<String, Error> {
    // Length of password and salt are checked by the callers; what is left to fail is memory.
    let hash = argon2.hash_password_with_params(password, salt, argon2.params().clone()).map_err(|_| Error::Busy)?;
    Ok(hash.to_string())
}

fn fresh_salt(random: &dyn SecureRandom) -> Result<[u8; 16], Error> {
    let mut salt = [0; 16];
    random.fill(&mut salt)?;
    Ok(salt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::SystemRandom;

    const CHEAP: PasswordCost = PasswordCost { memory: 8, passes: 1 };

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let hasher = PasswordHasher::new(CHEAP, &SystemRandom).unwrap();
        let stored = hasher.hash(PasswordText::new("correct horse"), &SystemRandom).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        assert!(hasher.verify(PasswordText::new("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!hasher.verify(PasswordText::new("correct horsf"), Some(stored.clone())).await.unwrap());
        assert!(!hasher.verify(PasswordText::new(""), Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_user_is_refused_after_the_same_work() {
        let hasher = PasswordHasher::new(CHEAP, &SystemRandom).unwrap();
        assert!(!hasher.verify(PasswordText::new("anything"), None).await.unwrap());
        let params = |text: &str| text.split('$').nth(3).unwrap().to_owned();
        let stored = hasher.hash(PasswordText::new("correct horse"), &SystemRandom).await.unwrap();
        assert_eq!(params(&hasher.decoy), params(&stored), "the decoy costs what a real hash costs");
    }

    #[tokio::test]
    async fn lengths_are_checked_before_work() {
        let hasher = PasswordHasher::new(CHEAP, &SystemRandom).unwrap();
        for text in ["short".to_owned(), "x".repeat(1025)] {
            let result = hasher.hash(PasswordText::new(text), &SystemRandom).await;
            assert!(matches!(result, Err(Error::InvalidPassword)));
        }
        // Not even looked at: the stored text is no hash.
        assert!(!hasher.verify(PasswordText::new("x".repeat(1025)), Some("garbage".into())).await.unwrap());
        let damaged = hasher.verify(PasswordText::new("password"), Some("garbage".into())).await;
        assert!(matches!(damaged, Err(Error::DamagedPasswordHash)));
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_at_once() {
        let hasher = PasswordHasher::new(CHEAP, &SystemRandom).unwrap();
        let all = hasher.waiting.available_permits();
        let _taken = Arc::clone(&hasher.waiting).try_acquire_many_owned(u32::try_from(all).unwrap()).unwrap();
        assert!(matches!(hasher.verify(PasswordText::new("password"), None).await, Err(Error::Busy)));
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_outdated() {
        let cheap = PasswordHasher::new(CHEAP, &SystemRandom).unwrap();
        let dearer = PasswordHasher::new(PasswordCost { passes: 2, ..CHEAP }, &SystemRandom).unwrap();
        let stored = cheap.hash(PasswordText::new("correct horse"), &SystemRandom).await.unwrap();
        assert!(!cheap.is_outdated(&stored));
        assert!(dearer.is_outdated(&stored));
        assert!(dearer.verify(PasswordText::new("correct horse"), Some(stored)).await.unwrap(), "it still works");
    }

    #[test]
    fn a_password_is_never_printed() {
        assert_eq!(format!("{:?}", PasswordText::new("hunter2")), "PasswordText(..)");
    }
}
