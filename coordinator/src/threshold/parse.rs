//! Reads a threshold; what is wrong is shown with a caret under the place.

use std::fmt;
use std::str::FromStr;

use super::{Comparison, Metric, Quantity, Statistic, Threshold, Times};
use crate::nearest::nearest;

/// What is no threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    text: String,
    /// In bytes from the start.
    at: usize,
    problem: String,
}

/// Reads on from `must `, as all values of flags do; the caret stands in a line of its own.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let before = self.text.get(..self.at).unwrap_or(&self.text).chars().count();
        write!(
            f,
            "must be a threshold such as `simple_chat:p95<80ms` or `failed<0.1%`: {}\n  {shown}\n  {:before$}^",
            self.problem, ""
        )
    }
}

impl std::error::Error for ParseError {}

impl FromStr for Threshold {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = |part: &str, problem: String| {
            let at = part.as_ptr() as usize - text.as_ptr() as usize;
            ParseError { text: text.to_owned(), at, problem }
        };
        // A scenario's name may hold whatever a comparison is written with; no figure and no bound holds a colon.
        let begin = text.rfind(':').map_or(0, |colon| colon + 1);
        let Some(place) = text[begin..].find(['<', '>', '=']) else {
            let end = &text[text.trim_end().len()..];
            return Err(wrong(end, "expected <, <=, > or >= and a bound after the figure".into()));
        };
        let (left, right) = text.split_at(begin + place);
        let compared = Comparison::ALL.iter().find(|(written, _)| right.starts_with(written));
        let Some((written, comparison)) = compared else {
            return Err(wrong(right, "expected <, <=, > or >=".into()));
        };
        let (scenario, figure) = match left.rsplit_once(':') {
            Some((scenario, figure)) => (Some(scenario.trim()), figure),
            None => (None, left),
        };
        if scenario == Some("") {
            return Err(wrong(left, "expected a scenario before `:`".into()));
        }
        let metric = metric(figure.trim()).map_err(|problem| wrong(figure.trim_start(), problem))?;
        let bound = bound(&right[written.len()..], metric).map_err(|(part, problem)| wrong(part, problem))?;
        Ok(Self { scenario: scenario.map(str::to_owned), metric, comparison: *comparison, bound })
    }
}

/// Every figure with its name.
fn metrics() -> impl Iterator<Item = (String, Metric)> {
    let times = |added: bool| {
        Times::ALL.into_iter().flat_map(move |(_, times)| {
            let of = move |statistic| {
                if added { Metric::Added(times, statistic) } else { Metric::Time(times, statistic) }
            };
            // What is added to the largest of many is one request's fate, and to the 99.9th percentile nearly.
            let statistics = Statistic::ALL.into_iter().filter(move |(_, statistic)| {
                !added || !matches!(statistic, Statistic::P999 | Statistic::Max)
            });
            statistics.map(move |(_, statistic)| of(statistic))
        })
    };
    let others = [Metric::Failed, Metric::Dropped, Metric::Throughput, Metric::Goodput];
    times(false).chain(others).chain(times(true)).map(|metric| (metric.to_string(), metric))
}

fn metric(text: &str) -> Result<Metric, String> {
    if let Some((_, metric)) = metrics().find(|(name, _)| name == text) {
        return Ok(metric);
    }
    if text.is_empty() {
        return Err("expected a figure, such as p95, failed or throughput".into());
    }
    let names: Vec<String> = metrics().map(|(name, _)| name).collect();
    Err(match nearest(text, names.iter().map(String::as_str)) {
        Some(name) => format!("`{text}` is no figure; did you mean `{name}`?"),
        None => format!(
            "`{text}` is no figure; there are mean, p50, p95, p99, p99.9 and max, the same after `ttft.`, `gap.` and \
             `overhead.`, and failed, dropped, throughput and goodput"
        ),
    })
}

/// The part that is wrong, and what is.
type Wrong<'a> = (&'a str, String);

fn bound(text: &str, metric: Metric) -> Result<Quantity, Wrong<'_>> {
    let text = text.trim_start();
    let is_of_a_number = |character: char| character.is_ascii_digit() || character == '.';
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].find(|character| !is_of_a_number(character)).unwrap_or(text.len() - sign);
    let (number, rest) = text.split_at(sign + digits);
    let Some(number) = number.parse::<f64>().ok().filter(|number| number.is_finite()) else {
        return Err((text, "expected a number".into()));
    };
    let (unit, trimmed) = (rest.trim(), rest.trim_start());
    match metric {
        Metric::Time(..) | Metric::Added(..) => match unit {
            "ns" => Ok(Quantity::Nanos(number)),
            "us" | "µs" | "μs" => Ok(Quantity::Nanos(number * 1e3)),
            "ms" => Ok(Quantity::Nanos(number * 1e6)),
            "s" => Ok(Quantity::Nanos(number * 1e9)),
            _ => Err((trimmed, format!("{metric} is a time: expected ns, us, ms or s after the number"))),
        },
        Metric::Failed | Metric::Dropped => match unit {
            "%" => Ok(Quantity::Share(number / 100.0)),
            "" => Ok(Quantity::Count(number)),
            _ => Err((
                trimmed,
                format!("{metric} is a number of requests or a share of them: expected % or nothing"),
            )),
        },
        Metric::Goodput if unit == "%" => Ok(Quantity::Share(number / 100.0)),
        Metric::Goodput => {
            Err((trimmed, "goodput is a share of requests: expected % after the number".into()))
        }
        Metric::Throughput if unit == "/s" => Ok(Quantity::PerSecond(number)),
        Metric::Throughput => {
            Err((trimmed, "throughput is successes a second: expected /s after the number".into()))
        }
    }
}
