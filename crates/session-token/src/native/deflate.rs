//! Compression of large tokens: a byte string that holds the content in raw Deflate (RFC 1951).

use super::MAX_CONTENT;
use super::cbor::{Kind, Reader, Writer};
use crate::{Error, Malformed};
use flate2::read::{DeflateDecoder, DeflateEncoder};
use std::io::Read;
use zeroize::Zeroizing;

/// Returns the content as it is, or compressed where that saves a tenth of more than 1,024 bytes.
pub(super) fn compress_if_it_pays(content: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Error> {
    if content.len() <= SMALL || content.len() > MAX_CONTENT {
        return Ok(content);
    }
    let worthwhile = content.len() / 10 * 9;
    let mut compressed = Zeroizing::new(Vec::with_capacity(content.len()));
    DeflateEncoder::new(content.as_slice(), flate2::Compression::best())
        .take(worthwhile as u64)
        .read_to_end(&mut compressed)
        .map_err(|_| Error::NotWritable("it cannot be compressed"))?;
    if compressed.len() >= worthwhile {
        return Ok(content);
    }
    let mut writer = Writer::with_capacity(compressed.len() + 5);
    writer.bytes(&compressed);
    Ok(writer.into_bytes())
}

/// Returns the content of a byte string, inflated; none when there is something else than a byte string.
pub(super) fn inflate_if_compressed(content: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Malformed> {
    let mut reader = Reader::new(content);
    if reader.kind()? != Kind::Bytes {
        return Ok(None);
    }
    let compressed = reader.bytes()?;
    reader.finish()?;
    let mut inflated = Zeroizing::new(Vec::with_capacity((compressed.len() * 4).min(MAX_CONTENT + 1)));
    let mut decoder = DeflateDecoder::new(compressed);
    let length = decoder.by_ref().take(MAX_CONTENT as u64 + 1).read_to_end(&mut inflated);
    let length = length.map_err(|_| Malformed::Structure("compressed content that does not inflate"))?;
    if length > MAX_CONTENT {
        return Err(Malformed::TooLarge);
    }
    if decoder.total_in() != compressed.len() as u64 {
        return Err(Malformed::Structure("bytes after the compressed content"));
    }
    Ok(Some(inflated))
}

/// Up to this many bytes, nothing is compressed.
const SMALL: usize = 1024;
