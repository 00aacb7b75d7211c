use crate::Error;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// A source of random bytes, passed in wherever randomness is needed.
///
/// Protocol code takes `&dyn SecureRandom`, as it takes the time: tests and vectors then choose both.
pub trait SecureRandom: Send + Sync {
    /// Fills `out` with unpredictable bytes.
    ///
    /// # Errors
    /// [`Error::RandomUnavailable`] when the source fails; `out` is then not to be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), Error>;
}

/// The generator of the cryptographic library, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl SecureRandom for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        aws_lc_rs::rand::fill(out).map_err(|_| Error::RandomUnavailable)
    }
}

/// Random bytes drawn from another source in few calls, for work that wants them in small pieces: a call costs more than the bytes
/// do. Make a new one for each piece of work.
///
/// ```
/// use handstamp_keys::{PooledRandom, SecureRandom, SystemRandom};
///
/// let random = PooledRandom::new(&SystemRandom);
/// let (mut nonce, mut key) = ([0; 12], [0; 32]);
/// random.fill(&mut nonce)?;
/// random.fill(&mut key)?;
/// assert!(nonce != key[..12]);
/// # Ok::<(), handstamp_keys::Error>(())
/// ```
pub struct PooledRandom<'r> {
    source: &'r dyn SecureRandom,
    pool: Mutex<Pool>,
}

struct Pool {
    bytes: Zeroizing<[u8; Self::SIZE]>,
    used: usize,
}

impl Pool {
    const SIZE: usize = 256;
}

impl<'r> PooledRandom<'r> {
    /// Draws nothing yet.
    pub fn new(source: &'r dyn SecureRandom) -> Self {
        Self { source, pool: Mutex::new(Pool { bytes: Zeroizing::new([0; Pool::SIZE]), used: Pool::SIZE }) }
    }
}

impl SecureRandom for PooledRandom<'_> {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        if out.len() > Pool::SIZE / 2 {
            return self.source.fill(out);
        }
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if Pool::SIZE - pool.used < out.len() {
            // Used up, should the source fail.
            pool.used = Pool::SIZE;
            self.source.fill(&mut pool.bytes[..])?;
            pool.used = 0;
        }
        let start = pool.used;
        pool.used += out.len();
        let drawn = &mut pool.bytes[start..start + out.len()];
        out.copy_from_slice(drawn);
        drawn.fill(0);
        Ok(())
    }
}

impl fmt::Debug for PooledRandom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledRandom").finish_non_exhaustive()
    }
}

/// A sequence fixed by its seed: **for tests and vectors only**.
///
/// Everything made with it can be made again by anybody who knows the seed. The sequence is SHA-256 of seed and block
/// number, so vectors can be reproduced in any language: each call starts at a new 32-byte block.
pub struct DeterministicRandom {
    seed: u64,
    block: AtomicU64,
}

impl DeterministicRandom {
    /// The sequence of `seed`, from its start.
    pub const fn new(seed: u64) -> Self {
        Self { seed, block: AtomicU64::new(0) }
    }
}

impl SecureRandom for DeterministicRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        for chunk in out.chunks_mut(32) {
            let block = self.block.fetch_add(1, Ordering::Relaxed);
            let bytes =
                Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(block.to_be_bytes()).finalize();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

impl fmt::Debug for DeterministicRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeterministicRandom").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(random: &dyn SecureRandom) -> [u8; 40] {
        let mut out = [0; 40];
        random.fill(&mut out).expect("both sources deliver");
        out
    }

    #[test]
    fn the_system_never_repeats_itself() {
        assert_ne!(draw(&SystemRandom), draw(&SystemRandom));
    }

    #[test]
    fn no_byte_of_a_pool_is_given_twice_and_a_failing_source_gives_none() {
        struct Failing(AtomicU64);
        impl SecureRandom for Failing {
            fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
                let first = self.0.fetch_add(1, Ordering::Relaxed) == 0;
                if first { SystemRandom.fill(out) } else { Err(Error::RandomUnavailable) }
            }
        }
        let source = DeterministicRandom::new(1);
        let pooled = PooledRandom::new(&source);
        let drawn: Vec<[u8; 40]> = (0..50).map(|_| draw(&pooled)).collect();
        for (index, one) in drawn.iter().enumerate() {
            assert!(!drawn[index + 1..].contains(one) && *one != [0; 40]);
        }
        let mut long = [0; 1000];
        pooled.fill(&mut long).expect("more than the pool");
        assert!(long.chunks(40).all(|chunk| chunk.iter().any(|byte| *byte != 0)));

        let source = Failing(AtomicU64::new(0));
        let pooled = PooledRandom::new(&source);
        let mut out = [0; 100];
        assert!(pooled.fill(&mut out).is_ok() && pooled.fill(&mut out).is_ok());
        assert!(pooled.fill(&mut out).is_err() && pooled.fill(&mut out).is_err());
    }

    #[test]
    fn a_seed_fixes_the_sequence() {
        let (a, b) = (DeterministicRandom::new(7), DeterministicRandom::new(7));
        let first = draw(&a);
        assert_eq!(first, draw(&b));
        assert_ne!(first, draw(&a));
        assert_ne!(first, draw(&DeterministicRandom::new(8)));
    }
}
