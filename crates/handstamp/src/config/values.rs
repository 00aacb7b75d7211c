//! The kinds of value an option takes, and how each is written in the file.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{HeaderName, Uri};
use toml::Spanned;
use toml::de::DeValue;

use super::findings::{FindingKind, Reader};
use super::schema::{Value, wrong_type};

/// A number of bytes, written `64KiB`, `1MiB` or as a plain integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// The size for things held in memory; saturates where addresses are shorter than 64 bits.
    pub fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim_start() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor).map(Self)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (factor, unit) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(f, "{} {unit}", self.0 / factor);
            }
        }
        write!(f, "{} bytes", self.0)
    }
}

impl Value for ByteSize {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("size")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let parsed = match value.get_ref() {
            DeValue::String(text) => Self::parse(text),
            DeValue::Integer(number) => number.as_str().parse().ok().map(Self),
            _ => None,
        };
        or_report(parsed, "must be a size such as \"64KiB\" or \"1MiB\"", path, reader)
    }
}

impl Value for Duration {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("duration")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let parsed = match value.get_ref() {
            DeValue::String(text) => parse_duration(text),
            _ => None,
        };
        or_report(parsed, "must be a duration such as \"30s\", \"15m\", \"1h30m\" or \"7d\"", path, reader)
    }
}

/// Reads `1h30m`: pairs of a number and one of the units d, h, m, s, ms, largest first.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut largest_left = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let milliseconds: u64 = match unit {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        if milliseconds >= largest_left {
            return None;
        }
        largest_left = milliseconds;
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(Duration::from_millis(number.checked_mul(milliseconds)?))?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// A duration as the configuration file writes it.
pub fn format_duration(duration: Duration) -> String {
    let mut left = duration.as_millis();
    if left == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (milliseconds, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")] {
        if left >= milliseconds {
            text.push_str(&format!("{}{unit}", left / milliseconds));
            left %= milliseconds;
        }
    }
    text
}

impl Value for bool {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("true or false")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            other => {
                wrong_type("true or false", other, path, reader);
                None
            }
        }
    }
}

impl Value for u32 {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("integer")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let parsed = match value.get_ref() {
            DeValue::Integer(number) => number.to_string().parse().ok(),
            _ => None,
        };
        or_report(parsed, "must be an integer from 0 to 4294967295", path, reader)
    }
}

impl Value for String {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("text")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => {
                let problem = match text.as_ref() {
                    "" => "must not be empty",
                    text if text.contains(char::is_control) => "must be one line, without control characters",
                    text => return Some(text.to_owned()),
                };
                reader.report(FindingKind::Value, path, problem);
                None
            }
            other => {
                wrong_type("text", other, path, reader);
                None
            }
        }
    }
}

/// A path; relative ones are relative to the folder of the configuration file.
impl Value for PathBuf {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("path")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let text = String::read(value, path, reader)?;
        Some(reader.resolve(&text))
    }
}

/// A network in CIDR notation, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether `address` belongs to the network. An IPv4 address that arrives mapped into IPv6
    /// counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }

    /// Reads `10.0.0.0/8` or one address; none when it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse().ok()?, Some(bits.parse::<u8>().ok()?)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(longest);
        (bits <= longest).then_some(Self { address, bits })
    }
}

impl Value for Network {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("network")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let parsed = text_of(value).and_then(Self::parse);
        or_report(parsed, "must be an address or a network such as \"10.0.0.0/8\" or \"fd00::/8\"", path, reader)
    }
}

/// An absolute `http` or `https` address without user information or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    text: String,
    uri: Uri,
}

impl HttpUrl {
    /// `http://localhost`, which is what servers are that are found without a host.
    pub fn localhost() -> Self {
        let text = "http://localhost";
        Self { text: text.to_owned(), uri: Uri::from_static(text) }
    }

    /// Reads an absolute address; none when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let http = matches!(uri.scheme_str(), Some("http" | "https"));
        let plain = uri.host().is_some_and(|host| !host.is_empty())
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && !text.contains('#');
        (http && plain).then(|| Self { text: text.to_owned(), uri })
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the address is `https`.
    pub fn is_https(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }

    /// Host and, where written, port.
    pub fn authority(&self) -> Option<&Authority> {
        self.uri.authority()
    }

    /// The path, `/` when none was written.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query, when there is one.
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// Whether the address names this machine only.
    pub fn is_loopback(&self) -> bool {
        self.uri.host().is_some_and(|host| {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            host == "localhost"
                || host.ends_with(".localhost")
                || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        })
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Value for HttpUrl {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("URL")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let parsed = text_of(value).and_then(Self::parse);
        or_report(parsed, "must be an absolute URL such as \"https://sts.example/wsfed\"", path, reader)
    }
}

/// The name of an HTTP header.
impl Value for HeaderName {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("header name")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let parsed = text_of(value).and_then(|text| text.parse().ok());
        or_report(parsed, "must be a header name such as \"X-User\"", path, reader)
    }
}

/// A path prefix of URLs: starts with `/` and matches whole segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathPrefix {
    /// Without the slash at the end.
    text: String,
    ignores_case: bool,
}

impl PathPrefix {
    /// Reads a prefix; none when it does not start with `/` or contains a query or fragment. A
    /// slash at the end means nothing and is dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = text.starts_with('/')
            && !text.contains("//")
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#')
            && !text.split('/').any(|segment| segment == "." || segment == "..");
        well_formed.then(|| Self { text: text.trim_end_matches('/').to_owned(), ignores_case: false })
    }

    /// The same prefix for an application to which upper and lower case are one.
    #[must_use]
    pub fn ignoring_case(self, ignores_case: bool) -> Self {
        Self { ignores_case, ..self }
    }

    /// The same for paths that are read in some way: what is encoded in paths may not be so here.
    pub(crate) fn in_reading(&self, mut reading: String) -> Self {
        reading.truncate(reading.trim_end_matches('/').len());
        Self { text: reading, ..*self }
    }

    /// Whether `path` is the prefix or lies below it: `/app` matches `/app` and `/app/x`, not
    /// `/application`.
    pub fn matches(&self, path: &str) -> bool {
        let rest = match path.strip_prefix(self.text.as_str()) {
            None if self.ignores_case => path
                .split_at_checked(self.text.len())
                .and_then(|(start, rest)| start.eq_ignore_ascii_case(&self.text).then_some(rest)),
            rest => rest,
        };
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The prefix, `/` for the whole site.
    pub fn as_str(&self) -> &str {
        if self.text.is_empty() { "/" } else { &self.text }
    }
}

impl Value for PathPrefix {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("URL path")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let parsed = text_of(value).and_then(Self::parse);
        or_report(parsed, "must be a URL path such as \"/app\": starting with /, without query, . or ..", path, reader)
    }
}

/// Hosts a route answers for: one name, or every name below one (`*.shop.example`). Always in lower
/// case, without port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostPattern {
    /// Exactly this host.
    Exact(String),
    /// Every host whose name ends in this, which starts with a dot.
    Below(String),
}

impl HostPattern {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= 253
                && name.split('.').all(|label| {
                    !label.is_empty()
                        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                })
        };
        let is_address = |name: &str| {
            name.strip_prefix('[')
                .and_then(|name| name.strip_suffix(']'))
                .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
        };
        match text.strip_prefix('*') {
            Some(below) => is_name(below.strip_prefix('.')?).then(|| Self::Below(below.to_owned())),
            None => (is_name(&text) || is_address(&text)).then_some(Self::Exact(text)),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Below(domain) => write!(f, "*{domain}"),
        }
    }
}

impl Value for HostPattern {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("host")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let parsed = text_of(value).and_then(Self::parse);
        or_report(
            parsed,
            "must be a host name such as \"shop.example\" or \"*.shop.example\", without port",
            path,
            reader,
        )
    }
}

pub(super) fn text_of<'v>(value: &'v Spanned<DeValue<'_>>) -> Option<&'v str> {
    match value.get_ref() {
        DeValue::String(text) => Some(text),
        _ => None,
    }
}

pub(super) fn or_report<T>(value: Option<T>, message: &str, path: &str, reader: &mut Reader) -> Option<T> {
    if value.is_none() {
        reader.report(FindingKind::Value, path, message);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_pairs_of_number_and_unit() {
        assert_eq!(parse_duration("10h"), Some(Duration::from_secs(36_000)));
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(parse_duration("7d"), Some(Duration::from_secs(604_800)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("0s"), Some(Duration::ZERO));
        for wrong in ["", "10", "h", "1m1h", "1h1h", "-1s", "1.5h", "10 h", "99999999999999999999d"] {
            assert_eq!(parse_duration(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn durations_survive_formatting() {
        for text in ["10h", "1h30m", "7d", "250ms", "0s", "1d1s"] {
            let duration = parse_duration(text).expect("a duration");
            assert_eq!(format_duration(duration), text);
        }
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(ByteSize::parse("64KiB"), Some(ByteSize(65_536)));
        assert_eq!(ByteSize::parse("1 MiB"), Some(ByteSize(1 << 20)));
        assert_eq!(ByteSize::parse("12"), Some(ByteSize(12)));
        assert_eq!(ByteSize::parse("1KB"), None);
        assert_eq!(ByteSize::parse("99999999999GiB"), None);
        assert_eq!(ByteSize(65_536).to_string(), "64 KiB");
    }

    #[test]
    fn networks_contain_their_addresses_and_no_other() {
        let ten = Network::parse("10.0.0.0/8").expect("a network");
        assert!(ten.contains("10.1.2.3".parse().expect("an address")));
        assert!(ten.contains("::ffff:10.1.2.3".parse().expect("an address")));
        assert!(!ten.contains("11.0.0.1".parse().expect("an address")));
        let all = Network::parse("0.0.0.0/0").expect("a network");
        assert!(all.contains("11.0.0.1".parse().expect("an address")));
        assert!(!all.contains("fd00::1".parse().expect("an address")));
        assert!(Network::parse("::/0").expect("a network").contains("fd00::1".parse().expect("an address")));
        assert_eq!(Network::parse("10.0.0.0/33"), None);
    }

    #[test]
    fn path_prefixes_match_whole_segments() {
        let app = PathPrefix::parse("/app/").expect("a path");
        assert!(app.matches("/app") && app.matches("/app/x"));
        assert!(!app.matches("/application"));
        assert!(PathPrefix::parse("/").expect("a path").matches("/anything"));
        for wrong in ["app", "", "/a?b", "/a/../b", "//a"] {
            assert_eq!(PathPrefix::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn urls_are_absolute_and_plain() {
        assert!(HttpUrl::parse("https://sts.example/wsfed").is_some_and(|url| url.is_https()));
        assert!(HttpUrl::parse("http://127.0.0.1:80").is_some_and(|url| url.is_loopback()));
        assert!(HttpUrl::parse("http://[::1]:80/").is_some_and(|url| url.is_loopback()));
        for wrong in ["/wsfed", "ftp://a/", "https://", "https://user@a/", "https://a/#b", "urn:a"] {
            assert_eq!(HttpUrl::parse(wrong), None, "{wrong:?}");
        }
    }
}
