//! What is read of a block's histograms, so that they need not be kept until its pair, or the last one, has run. Pure.

use proto::latencies::{Fine, Histogram, Latencies};

use super::FEWEST_BEYOND;

/// A gateway's block and the direct block that belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// Of the system under test.
    pub gateway: ArmBlock,
    /// Of the upstream itself.
    pub direct: ArmBlock,
}

/// What overheads are worked out from.
#[derive(Debug, Clone, Copy)]
pub struct ArmBlock {
    /// Due to last byte.
    pub response_time: Readings,
    /// Due to first content event.
    pub time_to_first_token: Readings,
    /// Content event to next content event.
    pub inter_token_gap: Readings,
    /// Successes a second; `None` where the block has no length.
    pub throughput: Option<f64>,
}

/// What is read of one kind of time, in nanoseconds; nothing without values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Readings {
    /// How many values there are.
    pub count: u64,
    mean: Option<Fine>,
    p50: Option<Fine>,
    p95: Option<Fine>,
    p99: Option<Fine>,
}

impl ArmBlock {
    /// Of the histograms of all workers, and the throughput.
    pub fn new(latencies: &Latencies, throughput: Option<f64>) -> Self {
        Self {
            response_time: Readings::of(&latencies.response_time),
            time_to_first_token: Readings::of(&latencies.time_to_first_token),
            inter_token_gap: Readings::of(&latencies.inter_token_gap),
            throughput,
        }
    }
}

impl Readings {
    fn of(histogram: &Histogram) -> Self {
        let read = |statistic: Statistic| statistic.read(histogram);
        Self {
            count: histogram.count(),
            mean: read(Statistic::Mean),
            p50: read(Statistic::P50),
            p95: read(Statistic::P95),
            p99: read(Statistic::P99),
        }
    }

    pub(super) fn get(&self, statistic: Statistic) -> Option<Fine> {
        match statistic {
            Statistic::Mean => self.mean,
            Statistic::P50 => self.p50,
            Statistic::P95 => self.p95,
            Statistic::P99 => self.p99,
        }
    }
}

/// What is read of times.
#[derive(Debug, Clone, Copy)]
pub(in crate::statistics) enum Statistic {
    Mean,
    P50,
    P95,
    P99,
}

impl Statistic {
    /// How many samples a block must have.
    pub(in crate::statistics) fn needed(self) -> u64 {
        match self.percent() {
            None => FEWEST_BEYOND,
            Some(percent) => (FEWEST_BEYOND * 100).div_ceil(u64::from(100 - percent)),
        }
    }

    pub(in crate::statistics) fn read(self, histogram: &Histogram) -> Option<Fine> {
        match self.percent() {
            None => histogram.fine_mean(),
            Some(percent) => histogram.fine_quantile(f64::from(percent) / 100.0),
        }
    }

    /// `None` for the mean.
    pub(in crate::statistics) fn percent(self) -> Option<u32> {
        match self {
            Self::Mean => None,
            Self::P50 => Some(50),
            Self::P95 => Some(95),
            Self::P99 => Some(99),
        }
    }
}
