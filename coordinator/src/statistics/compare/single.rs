//! A figure of a run that has one block of the scenario.

use super::quantile::Beyond;
use super::reading::{Reading, Spread};
use super::seconds::{self, Ratio};
use super::{Block, Figure, of_block};
use crate::statistics::overhead::Statistic;

/// # Errors
/// Why nothing is known of it, or not how surely.
pub(super) fn reading(figure: Figure, block: &Block) -> Result<Reading<'_>, String> {
    let (value, error) = of_block(figure, block).ok_or_else(|| why_none(block))?;
    seconds::enough(&block.seconds)?;
    let seconds = block.seconds.iter();
    let (spread, degrees) = match figure.statistic() {
        Some(statistic) => of_times(statistic, value, block)?,
        None if figure == Figure::Failed => {
            let ratio = Ratio::of(seconds.map(|second| (second.failed as f64, second.ended())));
            let ratio = ratio.ok_or("no request came to its end in a whole second")?;
            (Spread::Even { variance: ratio.variance }, ratio.degrees)
        }
        None => {
            let ratio = Ratio::of(seconds.map(|second| (second.successes as f64, second.length)));
            relative(ratio).ok_or("no request succeeded in a whole second")?
        }
    };
    Ok(Reading { value, spread, degrees, error })
}

fn why_none(block: &Block) -> String {
    let why = if block.successes == 0 { "not one request succeeded" } else { "there is no figure" };
    why.to_owned()
}

/// So many times the samples that a figure takes, to know how surely it is known.
const FOR_AN_INTERVAL: u64 = 5;

fn of_times(statistic: Statistic, value: f64, block: &Block) -> Result<(Spread<'_>, f64), String> {
    let times = block.seconds.iter().map(|second| &second.response_time);
    let all = times.clone().map(|times| times.count()).fold(0, u64::saturating_add);
    let needed = statistic.needed() * FOR_AN_INTERVAL;
    if all < needed {
        return Err(format!("too few samples in whole seconds ({all} of {needed})"));
    }
    let spread = match statistic.percent() {
        Some(percent) => {
            let beyond = Beyond::of(percent, value, &block.response_time, &block.seconds);
            beyond.map(|beyond| (Spread::Quantile(beyond), beyond.degrees))
        }
        None => relative(Ratio::of(times.map(|times| {
            let count = times.count() as f64;
            (times.mean().unwrap_or_default() * count, count)
        }))),
    };
    spread.ok_or_else(|| "there is no figure".to_owned())
}

fn relative(ratio: Option<Ratio>) -> Option<(Spread<'static>, f64)> {
    let ratio = ratio.filter(|ratio| ratio.value > 0.0)?;
    Some((Spread::EvenBeforeLogarithm { variance: ratio.relative_variance() }, ratio.degrees))
}
