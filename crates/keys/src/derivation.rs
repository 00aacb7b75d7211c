//! Keys from keys: P_SHA1, SP 800-108 and HKDF.

use crate::{DigestAlgorithm, Error, HmacKey};

/// P_SHA1: the expansion function of TLS 1.0 with HMAC-SHA-1 only, as WS-SecureConversation and WS-Trust derive keys.
///
/// Fills `out` with the bytes of the stream from `offset` on. `seed` is the concatenation of its parts (label and nonce).
///
/// ```
/// let mut key = [0; 32];
/// handstamp_keys::derivation::p_sha1(b"secret", &[b"WS-SecureConversation", b"nonce"], 0, &mut key);
/// ```
pub fn p_sha1(secret: &[u8], seed: &[&[u8]], offset: usize, out: &mut [u8]) {
    const BLOCK: usize = DigestAlgorithm::Sha1.output_len();
    let key = HmacKey::new(DigestAlgorithm::Sha1, secret);
    let mut a = key.sign_parts(seed);
    for _ in 0..offset / BLOCK {
        a = key.sign(a.as_bytes());
    }
    let mut skip = offset % BLOCK;
    let mut rest = out;
    while !rest.is_empty() {
        let mut context = key.context();
        context.update(a.as_bytes());
        seed.iter().for_each(|part| context.update(part));
        let block = context.finish();
        let fresh = &block.as_bytes()[skip..];
        let (now, later) = rest.split_at_mut(fresh.len().min(rest.len()));
        now.copy_from_slice(&fresh[..now.len()]);
        (rest, skip) = (later, 0);
        if !rest.is_empty() {
            a = key.sign(a.as_bytes());
        }
    }
}

/// NIST SP 800-108 in counter mode with HMAC-SHA-512: how ASP.NET 4.5 derives a purpose's keys from the machine key.
///
/// Fills `out`; its length in bits is part of the derivation.
///
/// # Errors
/// [`Error::Misuse`] when `out` is 512 MiB or longer.
pub fn sp800_108_hmac_sha512(key: &[u8], label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let bits = u32::try_from(out.len())
        .ok()
        .and_then(|bytes| bytes.checked_mul(8))
        .ok_or(Error::Misuse("SP 800-108 derives at most 2^32 - 1 bits"))?;
    let key = HmacKey::new(DigestAlgorithm::Sha512, key);
    for (counter, chunk) in (1u32..).zip(out.chunks_mut(DigestAlgorithm::Sha512.output_len())) {
        let block = key.sign_parts(&[&counter.to_be_bytes(), label, &[0], context, &bits.to_be_bytes()]);
        chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
    }
    Ok(())
}

/// HKDF with SHA-256 (RFC 5869): extract and expand in one step.
///
/// # Errors
/// [`Error::Misuse`] when `out` is longer than 8,160 bytes.
pub fn hkdf_sha256(input_key: &[u8], salt: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), Error> {
    const BLOCK: usize = DigestAlgorithm::Sha256.output_len();
    if out.len() > 255 * BLOCK {
        return Err(Error::Misuse("HKDF-SHA-256 derives at most 8160 bytes"));
    }
    let pseudo_random_key = HmacKey::new(DigestAlgorithm::Sha256, salt).sign(input_key);
    let key = HmacKey::new(DigestAlgorithm::Sha256, pseudo_random_key.as_bytes());
    let mut previous = None;
    for (counter, chunk) in (1u8..=255).zip(out.chunks_mut(BLOCK)) {
        let mut context = key.context();
        if let Some(block) = previous {
            let block: crate::DigestValue = block;
            context.update(block.as_bytes());
        }
        context.update(info);
        context.update(&[counter]);
        let block = context.finish();
        chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        previous = Some(block);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::hex;

    #[test]
    fn p_sha1_offsets_cut_the_same_stream() {
        let mut whole = [0; 200];
        p_sha1(b"secret", &[b"label", b"nonce"], 0, &mut whole);
        for offset in [0, 1, 19, 20, 21, 64, 100] {
            for length in [1, 16, 20, 24, 32, 41, 100] {
                let mut part = vec![0; length];
                p_sha1(b"secret", &[b"labelnonce"], offset, &mut part);
                assert_eq!(part, whole[offset..offset + length], "{offset}/{length}");
            }
        }
    }

    #[test]
    fn hkdf_gives_the_answers_of_rfc_5869() {
        let mut out = [0; 42];
        hkdf_sha256(&[0x0b; 22], &hex("000102030405060708090a0b0c"), &hex("f0f1f2f3f4f5f6f7f8f9"), &mut out)
            .expect("short");
        assert_eq!(
            out[..],
            hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        );
        let mut out = [0; 42];
        hkdf_sha256(&[0x0b; 22], &[], &[], &mut out).expect("short");
        assert_eq!(
            out[..],
            hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
        );
        assert!(hkdf_sha256(b"", b"", b"", &mut [0; 8161]).is_err());
        assert!(hkdf_sha256(b"", b"", b"", &mut [0; 8160]).is_ok());
    }

    #[test]
    fn sp800_108_depends_on_the_length_asked_for() {
        let (mut short, mut long) = ([0; 32], [0; 64]);
        sp800_108_hmac_sha512(b"k", b"label", b"context", &mut short).expect("short");
        sp800_108_hmac_sha512(b"k", b"label", b"context", &mut long).expect("short");
        assert_ne!(short, long[..32]);
    }
}
