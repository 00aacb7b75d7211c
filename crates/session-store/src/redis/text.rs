//! Times and digests as Redis keeps them.

use handstamp_time::Timestamp;

/// Ticks as digits of one length, so that they compare as text.
pub(super) fn digits(time: Timestamp) -> String {
    format!("{:020}", time.ticks())
}

pub(super) fn ticks(digits: &str) -> Option<i64> {
    digits.parse().ok()
}

/// Milliseconds, rounded down: exact as a score, which ticks are not.
pub(super) fn milliseconds(time: Timestamp) -> String {
    (time.ticks() / 10_000).to_string()
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_compare_as_times_do() {
        let times = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX];
        assert!(times.windows(2).all(|pair| digits(pair[0]) < digits(pair[1])));
        assert_eq!(ticks(&digits(Timestamp::MAX)), Some(Timestamp::MAX.ticks()));
    }

    #[test]
    fn digests_come_back_and_nothing_else_passes_for_one() {
        let bytes = std::array::from_fn(|index| index as u8 * 7);
        assert_eq!(digest(&hexadecimal(&bytes)), Some(bytes));
        for bad in ["", "00", &"zz".repeat(32), &"é".repeat(32)] {
            assert_eq!(digest(bad), None, "{bad}");
        }
    }
}
