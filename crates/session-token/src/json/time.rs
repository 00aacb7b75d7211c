use crate::wif::Error;
use handstamp_time::Timestamp;
use serde::{Deserialize, Serialize};

/// An instant, said twice. Reading takes the ticks if they are there, else the ISO form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeDescription {
    /// `yyyy-MM-ddTHH:mm:ss.fffffffZ`, always with seven digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iso: Option<String>,
    /// Units of 100 ns since 0001-01-01T00:00:00Z, as text because JSON numbers lose digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticks: Option<String>,
}

impl TimeDescription {
    pub(super) fn to_timestamp(&self, name: &str) -> Result<Timestamp, Error> {
        let problem = |what: &str| Error::Description(format!("{name}: {what}"));
        match (&self.ticks, &self.iso) {
            (Some(ticks), _) => {
                let ticks = ticks.parse().ok().and_then(Timestamp::from_ticks);
                ticks.ok_or_else(|| problem("the ticks are no number from 0 to 3155378975999999999"))
            }
            (None, Some(iso)) => iso.parse().map_err(|_| problem("not a time like 2030-01-31T12:00:00.0000000Z")),
            (None, None) => Err(problem("give ticks or iso")),
        }
    }
}

impl From<Timestamp> for TimeDescription {
    fn from(time: Timestamp) -> Self {
        let fraction = time.ticks() % 10_000_000;
        let whole = time.whole_seconds().to_string();
        let iso = format!("{}.{fraction:07}Z", whole.trim_end_matches('Z'));
        Self { iso: Some(iso), ticks: Some(time.ticks().to_string()) }
    }
}
