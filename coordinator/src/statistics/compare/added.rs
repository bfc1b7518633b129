//! How what the gateway adds differs between two runs. Pure.
//!
//! The unit is the pair, as in [`overhead`]; the interval is Welch's t over the differences of both runs' pairs. A machine
//! or an upstream that was slower in one of the runs bends both arms of that run, and so the added figures least of all.

use super::reading::{Reading, Spread};
use super::{Difference, Figure, Outcome};
use crate::statistics::overhead::{self, Pair};

/// What the gateway adds to response times, in nanoseconds, with how many more are tolerated.
pub fn compare_added(old: &[Pair], new: &[Pair], tolerance: impl Fn(Figure) -> f64) -> Vec<Difference> {
    Figure::ADDED.map(|figure| difference(figure, old, new, tolerance(figure))).to_vec()
}

fn difference(figure: Figure, old: &[Pair], new: &[Pair], tolerance: f64) -> Difference {
    let [was, is] = [("old", old), ("new", new)]
        .map(|(which, pairs)| reading(figure, pairs).map_err(|why| format!("the {which} run: {why}")));
    let [old, new] = [&was, &is].map(|reading| reading.as_ref().ok().map(|reading| reading.value));
    let change = old.zip(new).map(|(old, new)| new - old);
    let both = was.and_then(|was| Ok((was, is?)));
    let (interval, why) = match both {
        Ok((was, is)) => (is.less(&was), None),
        Err(why) => (None, Some(why)),
    };
    let outcome = Outcome::of(figure, interval, tolerance);
    Difference { figure, old, new, change, interval, tolerance, outcome, why }
}

fn reading(figure: Figure, pairs: &[Pair]) -> Result<Reading<'static>, String> {
    let statistic = figure.statistic().ok_or("it is no time")?;
    let differences = overhead::differences(pairs, |block| &block.response_time, statistic);
    let overhead::Differences { sample, resolution } = differences.map_err(|reason| reason.to_string())?;
    Ok(Reading {
        value: sample.mean,
        spread: Spread::Even { variance: sample.variance_of_mean },
        degrees: (sample.count - 1) as f64,
        error: resolution,
    })
}
