//! Numbers over a day as columns, drawn by the server.

use handstamp_time::Timestamp;

use crate::admin::{History, Sample};

/// A plot: one column for each step of the day, the latest at the right edge.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) title: &'static str,
    /// The latest number, and the highest of the day.
    pub(super) latest: u64,
    pub(super) highest: u64,
    pub(super) columns: Vec<Column>,
}

/// A column, in units of the drawing.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) x: usize,
    pub(super) y: u64,
    pub(super) height: u64,
    /// What it says when pointed at.
    pub(super) label: String,
}

/// The height of the drawing.
pub(super) const HEIGHT: u64 = 80;
/// The width of a column, with its gap.
const STEP: usize = 3;
/// The width of the drawing.
pub(super) const WIDTH: usize = COLUMNS * STEP;
/// With the one that still runs.
const COLUMNS: usize = History::LENGTH + 1;

impl Plot {
    pub(super) fn new(title: &'static str, samples: &[Sample], number: fn(&Sample) -> u64) -> Self {
        let highest = samples.iter().map(number).max().unwrap_or(0);
        let first = COLUMNS.saturating_sub(samples.len());
        let columns = samples.iter().enumerate().filter(|(_, sample)| number(sample) > 0).map(|(index, sample)| {
            // What is there must be seen.
            let height = (number(sample) * HEIGHT).div_ceil(highest.max(1));
            Column {
                x: (first + index) * STEP,
                y: HEIGHT - height,
                height,
                label: format!("{}: {}", clock_time(sample.at), number(sample)),
            }
        });
        Self { title, latest: samples.last().map_or(0, number), highest, columns: columns.collect() }
    }
}

/// Hours and minutes, UTC.
fn clock_time(at: Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_is_at_the_right_and_the_highest_fills_the_height() {
        let at: Timestamp = "2030-01-01T08:05:00Z".parse().expect("a time");
        let sample = |active| Sample { at, active, sign_ins: 0, ends: 0, rejections: 0 };
        let plot = Plot::new("Sessions", &[sample(100), sample(0), sample(1)], |sample| sample.active);
        assert_eq!((plot.latest, plot.highest, plot.columns.len()), (1, 100, 2));
        assert_eq!((plot.columns[0].y, plot.columns[0].height), (0, HEIGHT));
        assert_eq!((plot.columns[1].x + STEP, plot.columns[1].height), (WIDTH, 1));
        assert_eq!(plot.columns[0].label, "08:05: 100");
        assert!(Plot::new("Sessions", &[], |sample| sample.active).columns.is_empty());
    }
}
