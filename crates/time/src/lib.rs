//! UTC instants of 100 nanoseconds, XML Schema dates, and the clock that is passed in.
//!
//! Protocol code never asks what time it is: a [`Timestamp`] comes in as an argument, and only the
//! edges of the program hold a [`Clock`]. A [`Timestamp`] counts what .NET calls *UTC ticks*, so every
//! instant that a WIF or WCF token can carry is representable and survives a round trip.
//!
//! ```
//! use handstamp_time::Timestamp;
//! use std::time::Duration;
//!
//! let signed_in: Timestamp = "2030-01-01T00:00:00Z".parse()?;
//! assert_eq!(signed_in.ticks(), 640_290_528_000_000_000);
//! let expires = signed_in.saturating_add(Duration::from_secs(10 * 3600));
//! assert_eq!(expires.to_string(), "2030-01-01T10:00:00Z");
//! # Ok::<(), handstamp_time::Error>(())
//! ```

mod clock;
mod span;
mod timestamp;

pub use clock::{Clock, SystemClock, VirtualClock};
pub use span::{format_time_span, parse_time_span};
pub use timestamp::{HttpDate, Milliseconds, Timestamp};

/// Why a text is no time.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not an `xs:dateTime` between the years 1 and 9999.
    #[error("not a date and time of the form 2030-01-31T12:00:00Z: {0:?}")]
    NotADateTime(String),
    /// The text is not a .NET time span.
    #[error("not a time span of the form [d.]hh:mm:ss[.fffffff]: {0:?}")]
    NotATimeSpan(String),
}

impl Error {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotADateTime(_) => "HST-TIME-DATETIME",
            Self::NotATimeSpan(_) => "HST-TIME-SPAN",
        }
    }
}
