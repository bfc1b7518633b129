//! Whether figures are what they must be. Pure.
//!
//! An overhead is held against its bound by its estimate; the interval stands beside it.

use serde::{Deserialize, Serialize};

use super::overhead::{Added, Cell, Overhead};
use super::{Distribution, Figures};
use crate::threshold::{Metric, Quantity, Statistic, Threshold, Times};

/// What thresholds are held against: a scenario at one load.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// Which of its loads, where there are several.
    pub load: Option<&'a str>,
    /// What was measured.
    pub figures: &'a Figures,
}

/// What a gateway adds to a scenario.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// Which of its loads, where there are several.
    pub load: Option<&'a str>,
    /// Over all pairs.
    pub overhead: &'a Overhead,
}

/// A threshold and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judged {
    /// As it is written.
    pub threshold: String,
    /// `None` where it is about no scenario that was measured.
    pub scenario: Option<String>,
    /// Which of the scenario's loads, where there are several.
    pub load: Option<String>,
    /// Whether it holds.
    pub outcome: Outcome,
    /// The figure; `None` when there is none.
    pub measured: Option<Quantity>,
    /// The figure, or why there is none, in words.
    pub found: String,
}

/// Whether a figure is what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is.
    Passed,
    /// It is not.
    Missed,
    /// There is no figure, which is as bad.
    Unknown,
}

impl Outcome {
    /// The name in JSON and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Missed => "missed",
            Self::Unknown => "unknown",
        }
    }
}

impl Judged {
    /// Whether anything but good came of it.
    pub fn is_missed(&self) -> bool {
        self.outcome != Outcome::Passed
    }

    /// Whether it is about requests that failed.
    pub fn is_of_failures(&self) -> bool {
        self.threshold.parse::<Threshold>().is_ok_and(|threshold| threshold.metric == Metric::Failed)
    }

    /// What came of it, in a clause.
    pub fn sentence(&self) -> String {
        let at = self.load.as_ref().map(|load| format!(" at {load}")).unwrap_or_default();
        let of = self.scenario.as_ref().map(|scenario| format!(" of {scenario}{at}")).unwrap_or_default();
        match self.outcome {
            Outcome::Passed => format!("`{}`{of} holds ({})", self.threshold, self.found),
            Outcome::Missed => format!("`{}`{of} is missed ({})", self.threshold, self.found),
            Outcome::Unknown => format!("`{}`{of} cannot be judged ({})", self.threshold, self.found),
        }
    }
}

/// Holds every threshold against every result, or overhead, that it is about.
pub fn judge(thresholds: &[String], blocks: &[Measured<'_>], overheads: &[Compared<'_>]) -> Vec<Judged> {
    let judged = |text: &String| match text.parse::<Threshold>() {
        Ok(threshold) => judge_one(&threshold, blocks, overheads),
        Err(_) => vec![unknown(text.clone(), None, "this is no threshold")],
    };
    thresholds.iter().flat_map(judged).collect()
}

fn judge_one(threshold: &Threshold, blocks: &[Measured<'_>], overheads: &[Compared<'_>]) -> Vec<Judged> {
    let is_about = |scenario: &str| threshold.scenario.as_ref().is_none_or(|named| named == scenario);
    let judged: Vec<Judged> = match threshold.metric {
        Metric::Added(times, statistic) => {
            let about = overheads.iter().filter(|compared| is_about(compared.scenario));
            about
                .map(|compared| {
                    decide(
                        threshold,
                        compared.scenario,
                        compared.load,
                        added(compared.overhead, times, statistic),
                    )
                })
                .collect()
        }
        metric => {
            let about = blocks.iter().filter(|measured| is_about(measured.scenario));
            about
                .map(|measured| {
                    let found = figure(measured.figures, metric, threshold.bound)
                        .map(|number| (number, shown(threshold.bound.with_number(number))));
                    decide(threshold, measured.scenario, measured.load, found)
                })
                .collect()
        }
    };
    if judged.is_empty() {
        return vec![unknown(threshold.to_string(), threshold.scenario.clone(), "it was not measured")];
    }
    judged
}

fn unknown(threshold: String, scenario: Option<String>, why: &str) -> Judged {
    Judged { threshold, scenario, load: None, outcome: Outcome::Unknown, measured: None, found: why.into() }
}

/// A number and how it is shown, or why there is none.
type Found = Result<(f64, String), String>;

fn decide(threshold: &Threshold, scenario: &str, load: Option<&str>, found: Found) -> Judged {
    let named = Some(scenario.to_owned());
    match found {
        Ok((number, shown)) => {
            let holds = threshold.comparison.holds(number, threshold.bound.number());
            Judged {
                threshold: threshold.to_string(),
                scenario: named,
                load: load.map(str::to_owned),
                outcome: if holds { Outcome::Passed } else { Outcome::Missed },
                measured: Some(threshold.bound.with_number(number)),
                found: shown,
            }
        }
        Err(why) => Judged { load: load.map(str::to_owned), ..unknown(threshold.to_string(), named, &why) },
    }
}

/// A count is exact, and so it is shown.
fn shown(quantity: Quantity) -> String {
    match quantity {
        Quantity::Count(_) => quantity.to_string(),
        Quantity::Nanos(number) | Quantity::Share(number) | Quantity::PerSecond(number) => {
            quantity.with_number(five_digits(number)).to_string()
        }
    }
}

/// More than histograms keep.
fn five_digits(number: f64) -> f64 {
    let magnitude = number.abs().max(1e-9).log10().floor();
    let scale = 10f64.powf(4.0 - magnitude);
    (number * scale).round() / scale
}

fn figure(figures: &Figures, metric: Metric, bound: Quantity) -> Result<f64, String> {
    let is_share = matches!(bound, Quantity::Share(_));
    let share = |part: u64, whole: u64| part as f64 / whole as f64;
    match metric {
        Metric::Time(times, statistic) => {
            let (distribution, why) = match times {
                Times::Response => (figures.response_time, "there was no success"),
                Times::FirstToken => (figures.time_to_first_token, "nothing was streamed"),
                Times::Gap => (figures.inter_token_gap, "nothing was streamed"),
            };
            distribution.map(|distribution| read(&distribution, statistic)).ok_or_else(|| why.to_owned())
        }
        Metric::Failed if is_share => figures.failure_rate.ok_or_else(|| "no request came to an end".into()),
        Metric::Failed => Ok(figures.failed as f64),
        Metric::Dropped if is_share && figures.offered == 0 => Err("nothing was offered".into()),
        Metric::Dropped if is_share => Ok(share(figures.dropped, figures.offered)),
        Metric::Dropped => Ok(figures.dropped as f64),
        Metric::Throughput => figures.throughput.ok_or_else(|| "the block has no length".into()),
        Metric::Goodput => figures.goodput().ok_or_else(|| "no request came to an end".into()),
        Metric::Added(..) => Err("it takes two arms".into()),
    }
}

fn read(distribution: &Distribution, statistic: Statistic) -> f64 {
    let nanos = match statistic {
        Statistic::Mean => distribution.mean_ns,
        Statistic::P50 => distribution.p50_ns,
        Statistic::P95 => distribution.p95_ns,
        Statistic::P99 => distribution.p99_ns,
        Statistic::P999 => distribution.p999_ns,
        Statistic::Max => distribution.max_ns,
    };
    nanos as f64
}

fn added(overhead: &Overhead, times: Times, statistic: Statistic) -> Found {
    let added: Option<&Added> = match times {
        Times::Response => Some(&overhead.response_time),
        Times::FirstToken => overhead.time_to_first_token.as_ref(),
        Times::Gap => overhead.inter_token_gap.as_ref(),
    };
    let added = added.ok_or("nothing was streamed")?;
    let cell = match statistic {
        Statistic::Mean => &added.mean,
        Statistic::P50 => &added.p50,
        Statistic::P95 => &added.p95,
        Statistic::P99 => &added.p99,
        Statistic::P999 | Statistic::Max => {
            return Err("it takes more samples than pairs of blocks have".into());
        }
    };
    match cell {
        Cell::Known(estimate) => Ok((estimate.added_ns, estimate.to_string())),
        Cell::Unknown(reason) => Err(reason.to_string()),
    }
}

#[cfg(test)]
mod tests;
