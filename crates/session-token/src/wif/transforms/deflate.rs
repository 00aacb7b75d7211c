use super::{CookieTransform, Protection, TransformError, not_empty};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use handstamp_keys::SecureRandom;

/// Raw DEFLATE (RFC 1951), with a bound on what comes out (ST §3.1).
///
/// Compression before encryption tells an observer a little about the content through its length. Leave the transform
/// out, on both sides, where claims hold text that an attacker chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    max_decompressed_size: usize,
}

impl Deflate {
    /// The original's default: 1 MiB.
    pub const DEFAULT_MAX_DECOMPRESSED_SIZE: usize = 1 << 20;

    /// Accepts cookies that inflate to at most `bytes`.
    pub fn with_max_decompressed_size(bytes: usize) -> Self {
        Self { max_decompressed_size: bytes }
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Self::with_max_decompressed_size(Self::DEFAULT_MAX_DECOMPRESSED_SIZE)
    }
}

impl CookieTransform for Deflate {
    fn encode(&self, input: Vec<u8>, _random: &dyn SecureRandom) -> Result<Vec<u8>, TransformError> {
        not_empty(&input, TransformError::NothingToEncode)?;
        let mut compress = Compress::new(Compression::default(), false);
        let mut out = Vec::with_capacity(input.len() / 2 + 64);
        loop {
            let consumed = usize::try_from(compress.total_in()).map_err(|_| TransformError::Unavailable)?;
            let rest = input.get(consumed..).unwrap_or_default();
            let status = compress.compress_vec(rest, &mut out, FlushCompress::Finish);
            match status.map_err(|_| TransformError::Unavailable)? {
                Status::StreamEnd => return Ok(out),
                Status::Ok | Status::BufError => out.reserve(out.capacity().max(64)),
            }
        }
    }

    fn decode(&self, input: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        not_empty(&input, TransformError::NothingToDecode)?;
        let too_large = TransformError::InflatedTooLarge { limit: self.max_decompressed_size };
        let mut decompress = Decompress::new(false);
        let mut out = Vec::with_capacity((input.len() * 4).min(self.max_decompressed_size).max(64));
        loop {
            let consumed = usize::try_from(decompress.total_in()).map_err(|_| TransformError::Inflate)?;
            let rest = input.get(consumed..).unwrap_or_default();
            let before = (decompress.total_in(), out.len());
            let status = decompress.decompress_vec(rest, &mut out, FlushDecompress::Finish);
            let status = status.map_err(|_| TransformError::Inflate)?;
            if out.len() > self.max_decompressed_size {
                return Err(too_large);
            }
            if status == Status::StreamEnd {
                break;
            }
            let room = out.capacity() - out.len();
            if room == 0 {
                // One byte past the limit is enough to know.
                out.reserve_exact(out.capacity().clamp(64, (self.max_decompressed_size + 1 - out.len()).max(64)));
            } else if before == (decompress.total_in(), out.len()) {
                // Neither input taken nor output made, with room to write: the stream has no end (ST-21).
                return Err(TransformError::Inflate);
            }
        }
        // Nothing may follow the final block (ST-21).
        if usize::try_from(decompress.total_in()) == Ok(input.len()) { Ok(out) } else { Err(TransformError::Inflate) }
    }

    fn protection(&self) -> Protection {
        Protection::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::SystemRandom;

    fn encode(input: &[u8]) -> Vec<u8> {
        Deflate::default().encode(input.to_vec(), &SystemRandom).unwrap()
    }

    #[test]
    fn what_is_deflated_inflates() {
        for length in [1, 63, 64, 65, 1000, 100_000] {
            let mixed: Vec<u8> = (0..length).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            for data in [mixed, vec![7; length as usize]] {
                assert_eq!(Deflate::default().decode(encode(&data)).unwrap(), data);
            }
        }
    }

    #[test]
    fn st_21_cut_streams_and_trailing_bytes_are_refused() {
        let encoded = encode(&b"a session token, twice: a session token".repeat(20));
        for length in 1..encoded.len() {
            assert_eq!(Deflate::default().decode(encoded[..length].to_vec()), Err(TransformError::Inflate), "{length}");
        }
        assert_eq!(Deflate::default().decode([&encoded[..], &[0]].concat()), Err(TransformError::Inflate));
    }

    #[test]
    fn the_limit_is_exact() {
        let encoded = encode(&[0; 1000]);
        assert!(Deflate::with_max_decompressed_size(1000).decode(encoded.clone()).is_ok());
        let error = Deflate::with_max_decompressed_size(999).decode(encoded).unwrap_err();
        assert_eq!(error, TransformError::InflatedTooLarge { limit: 999 });
        assert_eq!(error.code(), "ID1068");
    }
}
