//! How long is a session still good? Times are arguments, so the answer for any moment is a plain calculation.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_time::{Clock, Error, SystemClock, Timestamp, VirtualClock, format_time_span, parse_time_span};

/// What protocol code looks like: the time comes in.
fn remaining(signed_in: Timestamp, lifetime: &str, now: Timestamp) -> Result<String, Error> {
    let ends = signed_in.saturating_add(parse_time_span(lifetime)?);
    Ok(format_time_span(ends.saturating_duration_since(now)))
}

fn main() -> Result<(), Error> {
    // The edges of a program hold a clock: the system's, or in tests one that stands until it is told to move.
    let clock = VirtualClock::new("2030-01-01T08:00:00Z".parse()?);
    let signed_in = clock.now();
    for hours in [0, 4, 20] {
        clock.set(signed_in.saturating_add(std::time::Duration::from_secs(hours * 3600)));
        // WIF writes ten hours as "10:00:00", and a day and an hour as "1.01:00:00".
        println!("after {hours} h: {}", remaining(signed_in, "10:00:00", clock.now())?);
    }
    assert_eq!(remaining(signed_in, "10:00:00", signed_in)?, "10:00:00");
    assert_eq!(remaining(signed_in, "1.01:00:00", signed_in)?, "1.01:00:00");
    assert_eq!(remaining(signed_in, "10:00:00", clock.now())?, "00:00:00", "long over is over");

    println!("it is {}, {} ticks of .NET", SystemClock.now(), SystemClock.now().ticks());
    let error = "yesterday".parse::<Timestamp>().expect_err("no date of XML Schema");
    println!("{}: {error}", error.code());
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}
