use crate::Error;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

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
    fn a_seed_fixes_the_sequence() {
        let (a, b) = (DeterministicRandom::new(7), DeterministicRandom::new(7));
        let first = draw(&a);
        assert_eq!(first, draw(&b));
        assert_ne!(first, draw(&a));
        assert_ne!(first, draw(&DeterministicRandom::new(8)));
    }
}
