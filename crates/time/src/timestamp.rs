//! The instant itself.

use crate::Error;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// An instant in UTC: 100 ns *ticks* since 0001-01-01T00:00:00Z in the proleptic Gregorian calendar (ST §0).
///
/// Arithmetic saturates at [`Timestamp::MIN`] and [`Timestamp::MAX`]. The text form, both ways, is an
/// XML Schema `dateTime`; a text without a time zone is taken as UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// 9999-12-31T23:59:59.9999999Z.
    pub const MAX: Self = Self(3_155_378_975_999_999_999);
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(621_355_968_000_000_000);

    /// The instant of this tick count; none outside [`Self::MIN`] ..= [`Self::MAX`].
    pub const fn from_ticks(ticks: i64) -> Option<Self> {
        if ticks < Self::MIN.0 || ticks > Self::MAX.0 { None } else { Some(Self(ticks)) }
    }

    /// The instant of this count of seconds since 1970; none outside the range.
    pub const fn from_unix_seconds(seconds: i64) -> Option<Self> {
        match seconds.checked_mul(TICKS_PER_SECOND) {
            Some(ticks) => match ticks.checked_add(Self::UNIX_EPOCH.0) {
                Some(ticks) => Self::from_ticks(ticks),
                None => None,
            },
            None => None,
        }
    }

    /// Ticks since 0001-01-01T00:00:00Z.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn unix_seconds(self) -> i64 {
        (self.0 - Self::UNIX_EPOCH.0).div_euclid(TICKS_PER_SECOND)
    }

    /// This instant without its fraction of a second.
    pub const fn whole_seconds(self) -> Self {
        Self(self.0 - self.0 % TICKS_PER_SECOND)
    }

    /// Later by `duration`, or [`Self::MAX`].
    pub fn saturating_add(self, duration: Duration) -> Self {
        match ticks_of(duration).and_then(|ticks| self.0.checked_add(ticks)) {
            Some(ticks) if ticks <= Self::MAX.0 => Self(ticks),
            _ => Self::MAX,
        }
    }

    /// Earlier by `duration`, or [`Self::MIN`].
    pub fn saturating_sub(self, duration: Duration) -> Self {
        match ticks_of(duration).and_then(|ticks| self.0.checked_sub(ticks)) {
            Some(ticks) if ticks >= Self::MIN.0 => Self(ticks),
            _ => Self::MIN,
        }
    }

    /// The time from `earlier` until this instant; zero when `earlier` is later.
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        let ticks = self.0.saturating_sub(earlier.0).max(0);
        Duration::new((ticks / TICKS_PER_SECOND) as u64, (ticks % TICKS_PER_SECOND) as u32 * 100)
    }

    /// The form `yyyy-MM-ddTHH:mm:ss.fffZ`, which WCF and WIF write.
    pub fn milliseconds(self) -> Milliseconds {
        Milliseconds(self)
    }

    /// The form `Sun, 06 Nov 1994 08:49:37 GMT` of HTTP headers and of a cookie's `Expires` (RFC 9110 §5.6.7).
    pub fn http_date(self) -> HttpDate {
        HttpDate(self)
    }

    fn civil(self) -> Civil {
        let (days, ticks) = (self.0 / TICKS_PER_DAY, self.0 % TICKS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        let seconds = ticks / TICKS_PER_SECOND;
        Civil {
            year,
            month,
            day,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            fraction: ticks % TICKS_PER_SECOND,
        }
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads an `xs:dateTime`; XML white space around it is ignored, digits past 100 ns are cut off.
    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text.trim_matches([' ', '\t', '\r', '\n']).as_bytes())
            .and_then(Self::from_ticks)
            .ok_or_else(|| Error::NotADateTime(text.chars().take(64).collect()))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self::UNIX_EPOCH.saturating_add(after),
            Err(before) => Self::UNIX_EPOCH.saturating_sub(before.duration()),
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let epoch = Timestamp::UNIX_EPOCH;
        if time >= epoch {
            SystemTime::UNIX_EPOCH + time.saturating_duration_since(epoch)
        } else {
            SystemTime::UNIX_EPOCH - epoch.saturating_duration_since(time)
        }
    }
}

/// `yyyy-MM-ddTHH:mm:ss[.f…]Z`, the fraction without trailing zeros and absent when zero.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = self.civil();
        let mut text = Text::of_seconds(&civil);
        if civil.fraction != 0 {
            let mut digits = civil.fraction;
            let mut width = 7;
            while digits % 10 == 0 {
                digits /= 10;
                width -= 1;
            }
            text.push(b'.');
            text.push_digits(digits, width);
        }
        text.push(b'Z');
        f.write_str(text.as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Displays a [`Timestamp`] with exactly three digits of fraction. See [`Timestamp::milliseconds`].
#[derive(Clone, Copy, Debug)]
pub struct Milliseconds(Timestamp);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = self.0.civil();
        let mut text = Text::of_seconds(&civil);
        text.push(b'.');
        text.push_digits(civil.fraction / 10_000, 3);
        text.push(b'Z');
        f.write_str(text.as_str())
    }
}

/// Displays a [`Timestamp`] as HTTP does, without its fraction of a second. See [`Timestamp::http_date`].
#[derive(Clone, Copy, Debug)]
pub struct HttpDate(Timestamp);

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, .. } = self.0.civil();
        // 0001-01-01 is a Monday.
        let weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][(self.0.0 / TICKS_PER_DAY % 7) as usize];
        let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            [(month - 1).clamp(0, 11) as usize];
        write!(f, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    fraction: i64,
}

/// A date and time that is being written. Every secured message has several: the machinery of `fmt` takes ten times as long.
struct Text {
    bytes: [u8; Self::LONGEST],
    len: usize,
}

impl Text {
    const LONGEST: usize = "yyyy-MM-ddTHH:mm:ss.fffffffZ".len();

    /// `yyyy-MM-ddTHH:mm:ss`.
    fn of_seconds(civil: &Civil) -> Self {
        let Civil { year, month, day, hour, minute, second, .. } = *civil;
        let mut text = Self { bytes: [0; Self::LONGEST], len: 0 };
        text.push_digits(year, 4);
        for (before, number) in [(b'-', month), (b'-', day), (b'T', hour), (b':', minute), (b':', second)] {
            text.push(before);
            text.push_digits(number, 2);
        }
        text
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    /// The last `width` decimal digits of a number.
    fn push_digits(&mut self, number: i64, width: u32) {
        for place in (0..width).rev() {
            self.push(b'0' + (number / 10_i64.pow(place) % 10) as u8);
        }
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

fn ticks_of(duration: Duration) -> Option<i64> {
    i64::try_from(duration.as_nanos() / 100).ok()
}

fn parse(text: &[u8]) -> Option<i64> {
    let digits = |from: usize, len: usize| -> Option<i64> {
        let part = text.get(from..from + len)?;
        part.iter().all(u8::is_ascii_digit).then(|| part.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
    };
    let separator = |at: usize, byte: u8| (*text.get(at)? == byte).then_some(());
    let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
    let (hour, minute, second) = (digits(11, 2)?, digits(14, 2)?, digits(17, 2)?);
    for (at, byte) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        separator(at, byte)?;
    }
    let mut at = 19;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        at += 1;
        let start = at;
        let mut weight = TICKS_PER_SECOND / 10;
        while let Some(byte) = text.get(at).filter(|b| b.is_ascii_digit()) {
            fraction += i64::from(byte - b'0') * weight;
            weight /= 10;
            at += 1;
        }
        if at == start {
            return None;
        }
    }
    let offset_minutes = match text.get(at..)? {
        [] | [b'Z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (digits(at + 1, 2)?, digits(at + 4, 2)?);
            if minutes > 59 || hours * 60 + minutes > 14 * 60 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'+' { 1 } else { -1 }
        }
        _ => return None,
    };
    let end_of_day = hour == 24 && minute == 0 && second == 0 && fraction == 0;
    if year < 1
        || !(1..=12).contains(&month)
        || !(1..=days_in_month(year, month)).contains(&day)
        || (hour > 23 && !end_of_day)
        || minute > 59
        || second > 59
    {
        return None;
    }
    let seconds = hour * 3600 + (minute - offset_minutes) * 60 + second;
    Some(days_from_civil(year, month, day) * TICKS_PER_DAY + seconds * TICKS_PER_SECOND + fraction)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 0001-01-01, counting years from March so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 306
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 306;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

const TICKS_PER_SECOND: i64 = 10_000_000;
const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants() {
        for (text, ticks) in [
            ("0001-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00Z", 621_355_968_000_000_000),
            ("2000-02-29T12:00:00.5Z", 630_874_224_005_000_000),
            ("2030-01-01T00:00:00Z", 640_290_528_000_000_000),
            ("9999-12-31T23:59:59.9999999Z", 3_155_378_975_999_999_999),
        ] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(time.ticks(), ticks, "{text}");
            assert_eq!(time.to_string(), text);
        }
    }

    #[test]
    fn zones_fractions_and_white_space() {
        let noon: Timestamp = "2030-06-01T12:00:00Z".parse().unwrap();
        for same in [
            "2030-06-01T14:00:00+02:00",
            "2030-06-01T06:30:00-05:30",
            "2030-06-01T12:00:00",
            " 2030-06-01T12:00:00.00000009Z\n",
        ] {
            assert_eq!(same.parse::<Timestamp>().unwrap(), noon, "{same}");
        }
        let midnight: Timestamp = "2030-06-01T24:00:00Z".parse().unwrap();
        assert_eq!(midnight.to_string(), "2030-06-02T00:00:00Z");
        assert_eq!(noon.milliseconds().to_string(), "2030-06-01T12:00:00.000Z");
    }

    #[test]
    fn refuses_what_is_no_date_time() {
        for text in [
            "",
            "2030-06-01",
            "2030-02-29T00:00:00Z",
            "2030-13-01T00:00:00Z",
            "2030-00-10T00:00:00Z",
            "2030-06-01T24:00:01Z",
            "2030-06-01T12:60:00Z",
            "2030-06-01T12:00:60Z",
            "2030-06-01T12:00:00.Z",
            "2030-06-01T12:00:00z",
            "2030-06-01T12:00:00+15:00",
            "2030-06-01 12:00:00Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T24:00:00Z",
            "2030-06-01T12:00:00ZZ",
            "+2030-06-01T12:00:00Z",
            "2030-06-01T12:00:00é",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn http_dates() {
        for (time, text) in [
            ("1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("2000-02-29T23:59:59.9Z", "Tue, 29 Feb 2000 23:59:59 GMT"),
            ("9999-12-31T23:59:59Z", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(time.parse::<Timestamp>().unwrap().http_date().to_string(), text);
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX.saturating_add(Duration::from_nanos(100)), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::MIN.saturating_duration_since(Timestamp::MAX), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn text_round_trips(ticks in 0..=Timestamp::MAX.ticks()) {
            let time = Timestamp::from_ticks(ticks).unwrap();
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }

        #[test]
        fn system_time_round_trips(ticks in 0..=Timestamp::MAX.ticks()) {
            let time = Timestamp::from_ticks(ticks).unwrap();
            prop_assert_eq!(Timestamp::from(SystemTime::from(time)), time);
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
