use std::fmt::{Display, Formatter};

/// A .NET `decimal`: a 96-bit number, a scale of 0 to 28 decimal places, and a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    negative: bool,
    scale: u8,
    units: u128,
}

impl Decimal {
    /// `units * 10^-scale`; none when `units` takes more than 96 bits or `scale` is above 28.
    pub fn new(negative: bool, units: u128, scale: u8) -> Option<Self> {
        (units >> 96 == 0 && scale <= 28).then_some(Self { negative, scale, units })
    }

    /// Reads digits with an optional sign and an optional fraction; keeps trailing zeros as scale.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() {
            return None;
        }
        let mut units: u128 = 0;
        for digit in whole.chars().chain(fraction.chars()) {
            units = units.checked_mul(10)?.checked_add(digit.to_digit(10)?.into())?;
        }
        Self::new(negative, units, fraction.len().try_into().ok()?)
    }

    /// From the 16 bytes of the wire; none when they are no decimal.
    pub(super) fn from_wire(bytes: [u8; 16]) -> Option<Self> {
        let [0, 0, scale, sign, h0, h1, h2, h3, low @ ..] = bytes else { return None };
        let negative = match sign {
            0 => false,
            0x80 => true,
            _ => return None,
        };
        let units = u128::from(u32::from_le_bytes([h0, h1, h2, h3])) << 64 | u128::from(u64::from_le_bytes(low));
        Self::new(negative, units, scale)
    }

    /// The 16 bytes of the wire.
    pub(super) fn to_wire(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let units = self.units.to_le_bytes();
        bytes[2] = self.scale;
        bytes[3] = if self.negative { 0x80 } else { 0 };
        bytes[4..8].copy_from_slice(&units[8..12]);
        bytes[8..].copy_from_slice(&units[..8]);
        bytes
    }
}

impl Display for Decimal {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if self.negative && self.units != 0 {
            f.write_str("-")?;
        }
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.units, width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        f.write_str(whole)?;
        if scale > 0 { write!(f, ".{fraction}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_and_sign_survive() {
        for text in ["0", "1.10", "-0.001", "79228162514264337593543950335", "0.0000000000000000000000000001"] {
            let decimal = Decimal::parse(text).unwrap();
            assert_eq!(decimal.to_string(), text);
            assert_eq!(Decimal::from_wire(decimal.to_wire()), Some(decimal));
        }
        assert_eq!(Decimal::parse("-0.0").unwrap().to_string(), "0.0");
        assert_eq!(Decimal::parse("79228162514264337593543950336"), None);
        assert_eq!(Decimal::parse("0.00000000000000000000000000001"), None);
        assert_eq!(Decimal::parse("."), None);
    }
}
