//! The flags that give a load its shape over time.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use proto::load::{Rate, ThinkTime};

use super::values;
use crate::scenario::TraceSpeed;

/// The shape of a load.
#[derive(Debug, Clone, Args)]
pub struct ShapeArgs {
    /// Open loop in stages, in place of --rate and --duration: a time and the rate over all workers in it, which
    /// stays as it is (30s:100/s) or goes in a straight line (30s:100..500/s, or 30s:..500/s from where the stage before
    /// ended, 0 at first); repeatable, or separated by commas [default: none]
    #[arg(long = "stage", value_name = "DURATION:RATE", value_parser = stage, value_delimiter = ',')]
    #[arg(env = "ARCHESTRA_BENCH_STAGES", help_heading = super::LOAD)]
    pub stages: Vec<StageArg>,

    /// Open loop in the times of a recorded trace, in place of --rate: a file with a request a line (.jsonl, .csv), each
    /// with a `timestamp` in milliseconds or a `timestamp_s` in seconds, and perhaps `input_length` and `output_length`, a
    /// `prompt` or a `body` [default: none]
    #[arg(long, value_name = "FILE", env = "ARCHESTRA_BENCH_TRACE", help_heading = super::LOAD)]
    pub trace: Option<PathBuf>,

    /// How much faster than it was recorded a trace is replayed
    #[arg(long, value_name = "FACTOR", default_value = "1x", value_parser = trace_speed)]
    #[arg(env = "ARCHESTRA_BENCH_TRACE_SPEED", help_heading = super::LOAD)]
    pub trace_speed: TraceSpeed,

    /// Closed loop: how long a connection (HTTP/2: a stream) rests after an answer, before its next request is due; a
    /// time (100ms), or a range from which it is drawn evenly (50ms..150ms) [default: not at all]
    #[arg(long, value_name = "DURATION[..DURATION]", value_parser = think_time)]
    #[arg(env = "ARCHESTRA_BENCH_THINK_TIME", help_heading = super::LOAD)]
    pub think_time: Option<ThinkTime>,
}

/// One stage as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageArg {
    /// How long it lasts.
    pub duration: Duration,
    /// The rate with which it begins, in thousandths of a request per second; `None` for that with which the stage
    /// before it ended.
    pub from_millihertz: Option<u64>,
    /// The rate with which it ends.
    pub to_millihertz: u64,
}

/// `DURATION:RATE`, `DURATION:FROM..TO` or `DURATION:..TO`.
fn stage(text: &str) -> Result<StageArg, String> {
    let text = text.trim();
    let wrong = |problem: String| {
        format!("must be a stage such as 30s:100/s, 30s:100..500/s or 30s:..500/s, not `{text}`: {problem}")
    };
    let (duration, rates) = text.split_once(':').ok_or_else(|| wrong("it has no `:`".into()))?;
    let duration = values::duration(duration).map_err(|problem| wrong(format!("its time {problem}")))?;
    let rate = |text: &str| millihertz(text).map_err(wrong);
    let (from_millihertz, to_millihertz) = match rates.split_once("..") {
        None => (Some(rate(rates)?), rate(rates)?),
        Some((from, to)) if from.trim().is_empty() => (None, rate(to)?),
        Some((from, to)) => (Some(rate(from)?), rate(to)?),
    };
    Ok(StageArg { duration, from_millihertz, to_millihertz })
}

/// `100ms` or `50ms..150ms`.
fn think_time(text: &str) -> Result<ThinkTime, String> {
    let text = text.trim();
    let wrong = || format!("must be a time such as 100ms, or a range such as 50ms..150ms, not `{text}`");
    let (shortest, longest) = text.split_once("..").unwrap_or((text, text));
    let longest = values::duration(longest).map_err(|_| wrong())?;
    let shortest = match values::duration(shortest) {
        Ok(shortest) => shortest,
        Err(_) if ["0", "0s", "0ms"].contains(&shortest.trim()) => Duration::ZERO,
        Err(_) => return Err(wrong()),
    };
    ThinkTime::new(shortest, longest).ok_or_else(wrong)
}

/// `2x` or `0.5`.
fn trace_speed(text: &str) -> Result<TraceSpeed, String> {
    let text = text.trim();
    let speed = text.strip_suffix('x').unwrap_or(text).parse::<f64>().ok();
    let thousandths = speed.map(|speed| speed * 1e3).filter(|speed| (1.0..=1e6).contains(speed));
    let thousandths = thousandths.and_then(|speed| NonZeroU32::new(speed.round() as u32));
    thousandths
        .map(TraceSpeed)
        .ok_or_else(|| format!("must be a factor from 0.001x to 1000x, such as 2x, not `{text}`"))
}

/// A rate, or 0 for none.
fn millihertz(text: &str) -> Result<u64, String> {
    let number = text.trim().strip_suffix("/s").unwrap_or(text.trim());
    if number.parse() == Ok(0.0) {
        return Ok(0);
    }
    text.parse().map(Rate::millihertz)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stage_stays_or_goes_in_a_straight_line() {
        let read = |text| {
            let StageArg { duration, from_millihertz, to_millihertz } = stage(text).unwrap();
            (duration.as_millis(), from_millihertz, to_millihertz)
        };
        assert_eq!(read("30s:100/s"), (30_000, Some(100_000), 100_000));
        assert_eq!(read(" 500ms : 0.5 "), (500, Some(500), 500));
        assert_eq!(read("1m:100..500/s"), (60_000, Some(100_000), 500_000));
        assert_eq!(read("1m:100/s..0/s"), (60_000, Some(100_000), 0));
        assert_eq!(read("1m:..500"), (60_000, None, 500_000));
        assert_eq!(read("10s:0/s"), (10_000, Some(0), 0));
    }

    #[test]
    fn what_is_no_stage_is_told_what_one_looks_like() {
        for (text, problem) in [
            ("30s", "it has no `:`"),
            ("30:100", "its time must be a duration with its unit, such as 30s, 500ms or 2m, not `30`"),
            ("0s:100", "its time must be longer than 0"),
            ("30s:fast", "`fast` is not a number of requests per second, such as 250 or 0.5"),
            ("30s:1..", "`` is not a number of requests per second, such as 250 or 0.5"),
            ("30s:-1", "a rate of -1 requests per second is not above 0"),
        ] {
            let sentence = stage(text).unwrap_err();
            let expected = format!(
                "must be a stage such as 30s:100/s, 30s:100..500/s or 30s:..500/s, not `{text}`: {problem}"
            );
            assert_eq!(sentence, expected);
        }
    }

    #[test]
    fn a_think_time_is_a_time_or_a_range() {
        let read = |text| {
            think_time(text).map(|time| [time.shortest(), time.longest()].map(|time| time.as_millis()))
        };
        assert_eq!(read("100ms"), Ok([100, 100]));
        assert_eq!(read(" 50ms .. 1s "), Ok([50, 1_000]));
        assert_eq!(read("0..1s"), Ok([0, 1_000]));
        for bad in ["", "0s", "100", "1s..50ms", "1s..", "..1s", "8d"] {
            let sentence =
                format!("must be a time such as 100ms, or a range such as 50ms..150ms, not `{bad}`");
            assert_eq!(read(bad), Err(sentence));
        }
    }

    #[test]
    fn a_speed_is_a_factor() {
        let read = |text| trace_speed(text).map(|speed| speed.0.get());
        assert_eq!([read("2x"), read(" 0.5 "), read("1000x")], [Ok(2_000), Ok(500), Ok(1_000_000)]);
        for bad in ["", "0x", "x", "-1x", "1001x", "nan", "inf", "fast"] {
            assert_eq!(
                read(bad),
                Err(format!("must be a factor from 0.001x to 1000x, such as 2x, not `{bad}`"))
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_in_a_sentence_that_reads_on(text in "[0-9smh:./ -]{0,16}|.{0,20}") {
            if let Err(problem) = stage(&text) {
                prop_assert!(problem.starts_with("must be a stage"), "{}", problem);
            }
            if let Err(problem) = think_time(&text) {
                prop_assert!(problem.starts_with("must be a time"), "{}", problem);
            }
        }
    }
}
