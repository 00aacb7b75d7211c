use super::{Decimal, Guid, number_text};
use std::borrow::Cow;
use std::fmt::{Display, Formatter};

/// The content of one text record.
///
/// The narrow integer records are one variant, as in .NET: they differ in length only.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// `EmptyText`.
    Empty,
    /// `true` or `false`.
    Bool(bool),
    /// Zero, One, Int8, Int16, Int32.
    Int32(i32),
    /// Int64.
    Int64(i64),
    /// UInt64.
    UInt64(u64),
    /// A 32-bit floating-point number.
    Float(f32),
    /// A 64-bit floating-point number.
    Double(f64),
    /// A decimal number.
    Decimal(Decimal),
    /// A date and time.
    DateTime(DateTime),
    /// A duration in units of 100 ns.
    TimeSpan(i64),
    /// Characters; borrowed unless the record holds UTF-16.
    Text(Cow<'a, str>),
    /// A string of a dictionary.
    DictionaryText(&'a str),
    /// Bytes; their text form is base64.
    Bytes(&'a [u8]),
    /// A UniqueId in GUID form: `urn:uuid:…`.
    UniqueId(Guid),
    /// A GUID.
    Guid(Guid),
    /// A qualified name with a one-letter prefix.
    QName {
        /// The prefix, a to z.
        prefix: &'a str,
        /// The local name.
        name: &'a str,
    },
    /// Several values, joined by spaces in text.
    List(Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    /// The text form, borrowed where the record holds text.
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::DictionaryText(text) => Cow::Borrowed(text),
            Self::Empty => Cow::Borrowed(""),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            other => Cow::Owned(other.to_string()),
        }
    }
}

impl Display for Value<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int32(value) => write!(f, "{value}"),
            Self::Int64(value) => write!(f, "{value}"),
            Self::UInt64(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(&number_text::single(*value)),
            Self::Double(value) => f.write_str(&number_text::double(*value)),
            Self::Decimal(value) => write!(f, "{value}"),
            Self::DateTime(value) => write!(f, "{value}"),
            Self::TimeSpan(value) => write_duration(f, *value),
            Self::Text(value) => f.write_str(value),
            Self::DictionaryText(value) => f.write_str(value),
            Self::Bytes(value) => f.write_str(&base64_simd::STANDARD.encode_to_string(value)),
            Self::UniqueId(value) => write!(f, "urn:uuid:{value}"),
            Self::Guid(value) => write!(f, "{value}"),
            Self::QName { prefix, name } => write!(f, "{prefix}:{name}"),
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index > 0 { " " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

/// A date and time of the wire: ticks of 100 ns since the year 1, and what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    ticks: u64,
    kind: DateTimeKind,
}

/// The meaning of the ticks of a [`DateTime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateTimeKind {
    /// In no particular time zone; no suffix in text.
    Unspecified,
    /// UTC; `Z` in text.
    Utc,
    /// A local time, sent as the UTC instant. A reader without a time zone of its own shows UTC.
    Local,
}

impl DateTime {
    /// The last tick of the year 9999.
    pub const MAX_TICKS: u64 = 3_155_378_975_999_999_999;

    /// None when `ticks` lies beyond the year 9999.
    pub fn new(ticks: u64, kind: DateTimeKind) -> Option<Self> {
        (ticks <= Self::MAX_TICKS).then_some(Self { ticks, kind })
    }

    /// Ticks of 100 ns since 0001-01-01T00:00:00.
    pub fn ticks(self) -> u64 {
        self.ticks
    }

    /// What the ticks mean.
    pub fn kind(self) -> DateTimeKind {
        self.kind
    }

    pub(super) fn from_wire(bits: u64) -> Option<Self> {
        let kind = match bits >> 62 {
            0 => DateTimeKind::Unspecified,
            1 => DateTimeKind::Utc,
            2 => DateTimeKind::Local,
            _ => return None,
        };
        Self::new(bits & ((1 << 62) - 1), kind)
    }

    pub(super) fn to_wire(self) -> u64 {
        self.ticks | (self.kind as u64) << 62
    }
}

impl Display for DateTime {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        const TICKS_PER_SECOND: u64 = 10_000_000;
        let seconds = self.ticks / TICKS_PER_SECOND;
        let (year, month, day) = civil_date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        write_fraction(f, self.ticks % TICKS_PER_SECOND)?;
        f.write_str(if self.kind == DateTimeKind::Unspecified { "" } else { "Z" })
    }
}

/// Year, month and day of a day counted from 0001-01-01, proleptic Gregorian.
fn civil_date(days: u64) -> (u64, u64, u64) {
    // Years are counted from 1 March of the year 0, which puts the leap day last.
    let days = days + 306;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// A duration of XML Schema, with days as the largest unit.
fn write_duration(f: &mut Formatter<'_>, ticks: i64) -> std::fmt::Result {
    let magnitude = ticks.unsigned_abs();
    let (seconds, fraction) = (magnitude / 10_000_000, magnitude % 10_000_000);
    f.write_str(if ticks < 0 { "-P" } else { "P" })?;
    let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    if days > 0 {
        write!(f, "{days}D")?;
    }
    if days > 0 && (hours, minutes, rest, fraction) == (0, 0, 0, 0) {
        return Ok(());
    }
    f.write_str("T")?;
    if hours > 0 {
        write!(f, "{hours}H")?;
    }
    if minutes > 0 {
        write!(f, "{minutes}M")?;
    }
    if rest > 0 || fraction > 0 || (hours == 0 && minutes == 0) {
        write!(f, "{rest}")?;
        write_fraction(f, fraction)?;
        f.write_str("S")?;
    }
    Ok(())
}

/// A point and seven digits without trailing zeros, or nothing.
fn write_fraction(f: &mut Formatter<'_>, ticks: u64) -> std::fmt::Result {
    if ticks == 0 { Ok(()) } else { write!(f, ".{}", format!("{ticks:07}").trim_end_matches('0')) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_cover_the_calendar() {
        let text = |ticks| DateTime::new(ticks, DateTimeKind::Utc).unwrap().to_string();
        assert_eq!(text(0), "0001-01-01T00:00:00Z");
        assert_eq!(text(638_448_786_123_456_789), "2024-03-01T08:30:12.3456789Z");
        assert_eq!(text(638_447_616_000_000_000), "2024-02-29T00:00:00Z");
        assert_eq!(text(DateTime::MAX_TICKS), "9999-12-31T23:59:59.9999999Z");
        assert_eq!(DateTime::new(DateTime::MAX_TICKS + 1, DateTimeKind::Utc), None);
    }

    #[test]
    fn durations_have_days_as_largest_unit() {
        let text = |ticks| Value::TimeSpan(ticks).to_string();
        assert_eq!(text(0), "PT0S");
        assert_eq!(text(-1), "-PT0.0000001S");
        assert_eq!(text(864_000_000_000), "P1D");
        assert_eq!(text(i64::MIN), "-P10675199DT2H48M5.4775808S");
        assert_eq!(text(36_600_000_000), "PT1H1M");
    }
}
