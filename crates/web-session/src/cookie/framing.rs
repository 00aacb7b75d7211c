//! How the text of a token is cut into pieces and joined again.

use crate::Unreadable;
use base64_simd::{STANDARD, URL_SAFE_NO_PAD};

/// The values of one cookie name and its numbered followers, as one duplicate (see [`super::CookieHandler::read`]).
pub(super) struct Pieces<'h>(pub(super) [Option<&'h [u8]>; MAX_PIECES]);

impl<'h> Pieces<'h> {
    fn get(&self, index: usize) -> Option<&'h [u8]> {
        self.0.get(index).copied().flatten()
    }
}

/// More pieces than any browser keeps; bounds what a request can make us look at.
pub(super) const MAX_PIECES: usize = 16;

/// The two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Standard base64, cut every so many characters. Nothing tells how many pieces there are (SM-16).
    Wif,
    /// base64url without padding. A value of one piece is just that. Several pieces carry their count and a
    /// common tag, so that missing, stale and mixed-up pieces show before any cryptography:
    /// `c3.TAG.text`, `TAG.text`, `TAG.text`.
    Native,
}

impl Framing {
    /// The values of the cookies that carry `token`, none longer than `size` characters.
    pub(super) fn split(self, token: &[u8], size: usize) -> Vec<String> {
        match self {
            Self::Wif => cut(&STANDARD.encode_to_string(token), size).map(str::to_owned).collect(),
            Self::Native => {
                let text = URL_SAFE_NO_PAD.encode_to_string(token);
                if text.len() <= size {
                    return vec![text];
                }
                let tag = tag(text.as_bytes());
                let pieces: Vec<&str> = cut(&text, size - MAX_PREFIX).collect();
                let count = pieces.len();
                let mut pieces: Vec<String> = pieces.into_iter().map(|piece| format!("{tag}.{piece}")).collect();
                if let Some(first) = pieces.first_mut() {
                    first.insert_str(0, &format!("c{count}."));
                }
                pieces
            }
        }
    }

    /// Joins pieces and decodes them into `token`, which is empty. The first piece is at hand.
    pub(super) fn join<'h>(
        self,
        first: &[u8],
        pieces: impl FnOnce() -> Pieces<'h>,
        limit: usize,
        token: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        match self {
            Self::Wif => {
                let pieces = pieces();
                match pieces.get(1) {
                    None => STANDARD.decode_append(first, token).map_err(|_| Unreadable::NotBase64),
                    Some(_) => {
                        for piece in (0..limit).map_while(|index| pieces.get(index)) {
                            token.extend_from_slice(piece);
                        }
                        decode_in_place(&STANDARD, token)
                    }
                }
            }
            Self::Native => {
                let Some((count, rest)) = counted(first) else {
                    return URL_SAFE_NO_PAD.decode_append(first, token).map_err(|_| Unreadable::NotBase64);
                };
                if !(2..=limit).contains(&count) {
                    return Err(Unreadable::PieceCount { count });
                }
                let (tag, text) = tagged(rest).ok_or(Unreadable::NotBase64)?;
                let pieces = pieces();
                token.extend_from_slice(text);
                for index in 1..count {
                    let piece = pieces.get(index).ok_or(Unreadable::MissingPiece { index, count })?;
                    match tagged(piece) {
                        Some((its_tag, text)) if its_tag == tag => token.extend_from_slice(text),
                        _ => return Err(Unreadable::StalePiece { index, count }),
                    }
                }
                decode_in_place(&URL_SAFE_NO_PAD, token)
            }
        }
    }
}

/// Cuts ASCII text; the last piece may be shorter.
fn cut(text: &str, size: usize) -> impl Iterator<Item = &str> {
    text.as_bytes().chunks(size).map(|piece| std::str::from_utf8(piece).unwrap_or_default())
}

fn decode_in_place(encoding: &base64_simd::Base64, token: &mut Vec<u8>) -> Result<(), Unreadable> {
    let len = encoding.decode_inplace(token).map_err(|_| Unreadable::NotBase64)?.len();
    token.truncate(len);
    Ok(())
}

/// The count at the start of the first of several pieces, and what follows.
fn counted(first: &[u8]) -> Option<(usize, &[u8])> {
    match first {
        [b'c', digit @ b'1'..=b'9', b'.', rest @ ..] => Some((usize::from(digit - b'0'), rest)),
        [b'c', b'1', digit @ b'0'..=b'9', b'.', rest @ ..] => Some((10 + usize::from(digit - b'0'), rest)),
        _ => None,
    }
}

fn tagged(piece: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tag, rest) = piece.split_at_checked(TAG_LEN)?;
    Some((tag, rest.strip_prefix(b".")?))
}

/// Tells the pieces of one value from those of another: FNV-1a of the text. No secret, and no protection either;
/// that is the token's.
fn tag(text: &[u8]) -> String {
    let hash = text.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

const TAG_LEN: usize = 8;
/// `c16.` and `TAG.`
const MAX_PREFIX: usize = 4 + TAG_LEN + 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn join(framing: Framing, values: &[String]) -> Result<Vec<u8>, Unreadable> {
        let mut slots = [None; MAX_PIECES];
        for (slot, value) in slots.iter_mut().zip(values) {
            *slot = Some(value.as_bytes());
        }
        let mut token = Vec::new();
        framing.join(values[0].as_bytes(), || Pieces(slots), MAX_PIECES, &mut token).map(|()| token)
    }

    #[test]
    fn sm_16_wif_pieces_are_plain_cuts_of_standard_base64() {
        let token = b"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>".repeat(60);
        let pieces = Framing::Wif.split(&token, 1000);
        assert!(pieces[0].starts_with("77u/PD94bWwgdmVy"));
        assert_eq!(pieces.concat(), STANDARD.encode_to_string(&token));
        assert!(pieces.iter().rev().skip(1).all(|piece| piece.len() == 1000));
    }

    #[test]
    fn one_native_piece_is_bare_base64url() {
        assert_eq!(Framing::Native.split(&[0xfb, 0xff, 0xfe], 1000), ["-__-"]);
    }

    #[test]
    fn native_pieces_tell_what_is_missing_or_stale() {
        let new = Framing::Native.split(&[1; 2500], 1000);
        let old = Framing::Native.split(&[2; 2500], 1000);
        assert_eq!(new.len(), 4);
        assert!(new[0].starts_with("c4."));
        assert!(new.iter().all(|piece| piece.len() <= 1000));
        assert_eq!(join(Framing::Native, &new[..2]), Err(Unreadable::MissingPiece { index: 2, count: 4 }));
        let mixed = [new[0].clone(), new[1].clone(), old[2].clone(), new[3].clone()];
        assert_eq!(join(Framing::Native, &mixed), Err(Unreadable::StalePiece { index: 2, count: 4 }));
        let surplus = [new.clone(), old[..1].to_vec()].concat();
        assert_eq!(join(Framing::Native, &surplus).unwrap(), [1; 2500]);
    }

    #[test]
    fn impossible_counts_are_refused() {
        for (value, count) in [("c1.00000000.AA", 1), ("c17.00000000.AA", 17)] {
            assert_eq!(join(Framing::Native, &[value.to_owned()]), Err(Unreadable::PieceCount { count }));
        }
        for value in ["c0.00000000.AA", "c99.00000000.AA", "c2.0", "c2.00000000AA", "!", "A", "="] {
            assert_eq!(join(Framing::Native, &[value.to_owned()]), Err(Unreadable::NotBase64), "{value}");
        }
    }

    proptest! {
        #[test]
        fn split_and_join_round_trip(token in proptest::collection::vec(any::<u8>(), 1..9000), size in 1000..4000_usize) {
            for framing in [Framing::Wif, Framing::Native] {
                let pieces = framing.split(&token, size);
                prop_assert!(pieces.iter().all(|piece| piece.len() <= size));
                prop_assert_eq!(join(framing, &pieces).unwrap(), &token[..]);
            }
        }

        #[test]
        fn any_pieces_join_or_are_refused(values in proptest::collection::vec("(c[0-9]{1,2}\\.)?([0-9a-f]{8}\\.)?[A-Za-z0-9+/=_.-]{0,40}", 1..5)) {
            for framing in [Framing::Wif, Framing::Native] {
                if let Ok(token) = join(framing, &values) {
                    prop_assert!(token.len() <= values.concat().len());
                }
            }
        }
    }
}
