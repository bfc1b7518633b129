//! An axis: linear or logarithmic, with ticks at round values.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Beyond so many times the least, times are drawn on a logarithmic axis.
const WIDE_RANGE: f64 = 12.0;
/// In milliseconds: what is shorter is told apart by no histogram, and 0 has no place on a logarithmic axis.
const SHORTEST: f64 = 1e-4;
/// Beyond so many, minutes are easier to read.
const MANY_SECONDS: f64 = 180.0;

/// Values from `low` to `high`.
#[derive(Debug, Clone)]
pub(in crate::report::html) struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
    ticks: Vec<f64>,
    labels: Labels,
}

/// What stands at a tick.
#[derive(Debug, Clone, Copy)]
enum Labels {
    Number,
    /// The value is 1 ÷ (1 − q).
    Percentile,
    /// The value is in seconds.
    Seconds,
    /// The value is in seconds, and what stands there in minutes.
    Minutes,
    /// The value is the place of a name.
    Names(&'static [&'static str]),
}

impl Axis {
    /// Linear; about so many ticks.
    pub(in crate::report::html) fn linear(low: f64, high: f64, ticks: usize) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, is_log: false, ticks: round_values(low, high, ticks), labels: Labels::Number }
    }

    /// Logarithmic, above 0; about so many ticks.
    pub(in crate::report::html) fn log(low: f64, high: f64, ticks: usize) -> Self {
        let low = low.max(1e-9);
        let high = if high > low { high } else { low * 2.0 };
        let all = |steps: &[f64]| -> Vec<f64> {
            let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
            let values =
                (first..=last).flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
            values.filter(|value| (low..=high).contains(value)).collect()
        };
        let choices = [all(&[1.0, 2.0, 5.0]), all(&[1.0, 3.0]), all(&[1.0])];
        let few = choices.into_iter().find(|values| values.len() <= ticks).unwrap_or_default();
        let ticks = if few.len() < 2 { round_values(low, high, ticks) } else { few };
        Self { low, high, is_log: true, ticks, labels: Labels::Number }
    }

    /// Seconds from 0 on, with their unit, or minutes where there are many; about so many ticks.
    pub(in crate::report::html) fn clock(end: f64, ticks: usize) -> Self {
        let (unit, labels) =
            if end > MANY_SECONDS { (60.0, Labels::Minutes) } else { (1.0, Labels::Seconds) };
        let values = round_values(0.0, end / unit, ticks).into_iter().map(|value| value * unit).collect();
        Self { labels, ..Self::linear(0.0, end, ticks).with_ticks(values) }
    }

    /// Times in milliseconds from 0 on, or logarithmic where they are far apart.
    pub(in crate::report::html) fn times(values: impl Iterator<Item = f64>, ticks: usize) -> Self {
        let (least, most) = values
            .map(|value| value.max(SHORTEST))
            .fold((f64::MAX, 0f64), |(least, most), value| (least.min(value), most.max(value)));
        if least < most && most / least > WIDE_RANGE {
            Self::log(least * 0.8, most * 1.15, ticks)
        } else {
            Self::linear(0.0, if most > 0.0 { most * 1.08 } else { 1.0 }, ticks)
        }
    }

    /// 1 ÷ (1 − q) up to `most`, logarithmic, with the percentiles at its ticks.
    pub(in crate::report::html) fn percentiles(most: f64, ticks: usize) -> Self {
        let most = most.max(100.0);
        let decades: Vec<f64> =
            (0..=12).map(|power| 10f64.powi(power)).filter(|value| *value <= most).collect();
        let every = decades.len().div_ceil(ticks.max(1));
        let mut values: Vec<f64> = decades.into_iter().step_by(every).collect();
        if every == 1 && most <= 1e4 && ticks > 6 {
            values.extend([2.0, 4.0, 20.0]);
        }
        Self { low: 1.0, high: most, is_log: true, ticks: values, labels: Labels::Percentile }
    }

    /// A row for each name, the first one on top.
    pub(in crate::report::html) fn names(names: &'static [&'static str]) -> Self {
        let last = names.len() as f64 - 1.0;
        let ticks = (0..names.len()).map(|place| place as f64).collect();
        // Downwards.
        Self { low: last + 0.6, high: -0.6, is_log: false, ticks, labels: Labels::Names(names) }
    }

    /// The same with a tick at each of these values alone.
    pub(in crate::report::html) fn with_ticks(mut self, ticks: Vec<f64>) -> Self {
        self.ticks = ticks;
        self
    }

    /// Both ends.
    pub(in crate::report::html) fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// How far along the axis a value lies, from 0 to 1.
    pub(in crate::report::html) fn share(&self, value: f64) -> f64 {
        let on_scale = |value: f64| if self.is_log { value.max(1e-12).ln() } else { value };
        let (low, high) = (on_scale(self.low), on_scale(self.high));
        ((on_scale(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// What stands at a value.
    pub(in crate::report::html) fn label(&self, value: f64) -> String {
        match self.labels {
            Labels::Number => number(value),
            Labels::Percentile => percentile(value),
            Labels::Seconds | Labels::Minutes if value == 0.0 => "0".into(),
            Labels::Seconds => format!("{} s", number(value)),
            Labels::Minutes => format!("{} min", number(value / 60.0)),
            Labels::Names(names) => names.get(value.round() as usize).copied().unwrap_or_default().to_owned(),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        first + (self.share(*value) * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        number(*value)
    }

    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// 1, 2 or 5 times a power of ten apart.
fn round_values(low: f64, high: f64, about: usize) -> Vec<f64> {
    let wanted = (high - low) / about.max(1) as f64;
    let power = 10f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= wanted * 0.99);
    let step = step.unwrap_or(wanted);
    let first = (low / step).ceil() as i64;
    (first..first.saturating_add(50))
        .map(|count| count as f64 * step)
        .take_while(|value| *value <= high)
        .collect()
}

/// Without zeros at the end.
pub(in crate::report::html) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        ..0.01 => 5,
        ..1.0 => 3,
        ..100.0 => 2,
        _ => 0,
    };
    trimmed(format!("{value:.decimals$}"))
}

/// The percentile of 1 ÷ (1 − q).
pub(in crate::report::html) fn percentile(value: f64) -> String {
    let percent = 100.0 - 100.0 / value;
    format!("{} %", trimmed(format!("{percent:.8}")))
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_far_apart_have_a_logarithmic_axis_with_a_zero_among_them_too() {
        let median_of = |values: [f64; 3]| Axis::times(values.into_iter(), 5).share(0.005);
        // On a linear axis up to 50 ms what takes 5 µs lies on the ground.
        assert!(median_of([0.001, 0.005, 50.0]) > 0.1);
        assert!(median_of([0.0, 0.005, 50.0]) > 0.1);
        let (low, high) = Axis::times([0.0; 2].into_iter(), 5).ends();
        assert!(low == 0.0 && high > 0.0);
    }
}
