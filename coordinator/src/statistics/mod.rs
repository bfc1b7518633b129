//! Figures: what is worked out from the merged counts and histograms of a block. Pure.

use proto::counters::Counters;
use proto::latencies::{Histogram, Latencies};
use proto::load::{Extent, Load};
use serde::{Deserialize, Serialize};

use crate::merge::{MeasuredBlock, MeasuredWorker, StartSkew};
use crate::plan::Purpose;

pub mod compare;
pub mod overhead;
mod stage;
pub mod student;
pub mod thresholds;
mod upstream;
pub mod verdict;
mod window;

pub use stage::{StageFigures, StageSum};
pub use upstream::{Upstream, UpstreamPart, UpstreamSum};
pub use window::{Window, WindowEnd};

/// What figures and verdicts rest on: a block's shape, and what its workers measured.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// How requests came about.
    pub load: &'a Load,
    /// When the block was to end.
    pub extent: Extent,
    /// What it was for.
    pub purpose: Purpose,
    /// Whether it is one scenario's part of a mix.
    pub is_part: bool,
    /// One entry per worker of the fleet.
    pub workers: &'a [MeasuredWorker],
    /// How far apart the workers began.
    pub start_skew: StartSkew,
    /// Whether it was cut short by the user.
    pub interrupted: bool,
    /// Why it was ended before its time, where that was not the user's doing.
    pub aborted: Option<&'a str>,
    /// Each whole second that has an answer, in order.
    pub seconds: &'a [WholeSecond],
}

/// What rules look at of a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WholeSecond {
    /// The median response time.
    pub median_ns: u64,
    /// Good answers.
    pub answers: u64,
    /// Those of them that took longer than the whole block's P99, with a part of those in its bucket.
    pub slow: f64,
}

impl<'a> Evidence<'a> {
    /// Of a measured block, and each of its whole seconds that has an answer.
    pub fn new(measured: &'a MeasuredBlock, seconds: &'a [WholeSecond]) -> Self {
        Self { seconds, ..Self::from(measured) }
    }

    /// Whether it came to no end of its own.
    pub fn is_cut(&self) -> bool {
        self.interrupted || self.aborted.is_some()
    }
}

impl<'a> From<&'a MeasuredBlock> for Evidence<'a> {
    fn from(measured: &'a MeasuredBlock) -> Self {
        Self {
            load: &measured.block.load,
            extent: measured.block.extent,
            purpose: measured.block.purpose,
            is_part: measured.block.weight.is_some(),
            workers: &measured.workers,
            start_skew: measured.start_skew,
            interrupted: measured.interrupted,
            aborted: measured.aborted.as_deref(),
            seconds: &[],
        }
    }
}

/// A block's figures, or one worker's share of them. Times in nanoseconds, rates a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Figures {
    /// Requests that the schedule wanted.
    pub offered: u64,
    /// Requests that were given a connection.
    pub requests: u64,
    /// Good answers.
    pub successes: u64,
    /// All others that came to an end.
    pub failed: u64,
    /// Arrivals beyond the limit of requests in flight.
    pub dropped: u64,
    /// Due, but still waiting for a connection when the block ended.
    pub unsent: u64,
    /// In flight when the block was stopped.
    pub abandoned: u64,
    /// Failures among the requests that came to an end, 0 to 1; `None` when none did.
    pub failure_rate: Option<f64>,
    /// What rates are taken over.
    pub window: Window,
    /// Successes in the window ÷ its length; `None` when it has no length.
    pub throughput: Option<f64>,
    /// Offered ÷ the window's length; `None` when it has no length.
    pub offered_rate: Option<f64>,
    /// Requests started in the window ÷ its length; `None` when it has no length.
    pub achieved_rate: Option<f64>,
    /// From the first worker's last completion to the last one's, in which not all were active; `None` where the
    /// block ended by its duration or fewer than two workers finished.
    pub tail_ns: Option<u64>,
    /// Due to last byte, of successes.
    pub response_time: Option<Distribution>,
    /// Send to last byte, of successes.
    pub service_time: Option<Distribution>,
    /// Due to send, of every request that was written.
    pub send_lag: Option<Distribution>,
    /// Due to first content event, of successful streams.
    pub time_to_first_token: Option<Distribution>,
    /// Content event to next content event, of successful streams.
    pub inter_token_gap: Option<Distribution>,
    /// From the attempt until the connection stood, TLS apart, of connections that were made within the block.
    #[serde(default)]
    pub connect_time: Option<Distribution>,
    /// From there until requests could be sent, of those that speak TLS.
    #[serde(default)]
    pub tls_handshake_time: Option<Distribution>,
    /// Send to the first byte that came back, of successes.
    #[serde(default)]
    pub time_to_first_byte: Option<Distribution>,
    /// First byte to last byte, of successes; 0 where one read brought both.
    #[serde(default)]
    pub transfer_time: Option<Distribution>,
    /// Successes that did not keep to the goal; 0 where there was none.
    #[serde(default)]
    pub late: u64,
    /// Share of content events that arrived in one read with the one before them; `None` when there were none.
    pub coalesced_share: Option<f64>,
    /// Successful streams that told their usage.
    #[serde(default)]
    pub usage_reports: u64,
    /// Tokens of those streams' requests, as they told.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens of those streams' answers, as they told.
    #[serde(default)]
    pub output_tokens: u64,
    /// Those over all successes, times throughput; `None` when no stream told its usage, or without throughput.
    #[serde(default)]
    pub output_token_rate: Option<f64>,
}

/// What a histogram says, in nanoseconds, to its three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Distribution {
    /// How many values there are.
    pub count: u64,
    /// Values below 100 ns, taken as 100 ns.
    pub below_range: u64,
    /// Values above 1 h, taken as 1 h.
    pub above_range: u64,
    /// The mean, rounded.
    pub mean_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// The 95th percentile.
    pub p95_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
    /// The 99.9th percentile.
    pub p999_ns: u64,
    /// The largest.
    pub max_ns: u64,
}

impl Distribution {
    /// `None` for an empty histogram.
    pub fn of(histogram: &Histogram) -> Option<Self> {
        Some(Self {
            count: histogram.count(),
            below_range: histogram.below_range(),
            above_range: histogram.above_range(),
            mean_ns: histogram.mean()?.round() as u64,
            p50_ns: histogram.quantile(0.5)?,
            p95_ns: histogram.quantile(0.95)?,
            p99_ns: histogram.quantile(0.99)?,
            p999_ns: histogram.quantile(0.999)?,
            max_ns: histogram.max()?,
        })
    }
}

/// A sum of workers: their counts and their histograms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    /// All counts.
    pub totals: Counters,
    /// All histograms.
    pub latencies: Latencies,
    /// Successes within the window.
    pub successes_in_window: u64,
    /// Requests started within the window.
    pub started_in_window: u64,
}

impl Merged {
    /// All workers together.
    pub fn of(workers: &[MeasuredWorker]) -> Self {
        let mut merged = Self::default();
        for worker in workers {
            merged.add_counts(&worker.totals, &worker.latencies);
            merged.add_in_window(worker.successes_in_window, worker.started_in_window);
        }
        merged
    }

    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        self.add_counts(&other.totals, &other.latencies);
        self.add_in_window(other.successes_in_window, other.started_in_window);
    }

    fn add_counts(&mut self, totals: &Counters, latencies: &Latencies) {
        self.totals.add(totals);
        self.latencies.merge(latencies);
    }

    fn add_in_window(&mut self, successes: u64, started: u64) {
        self.successes_in_window = self.successes_in_window.saturating_add(successes);
        self.started_in_window = self.started_in_window.saturating_add(started);
    }
}

impl Figures {
    /// The whole block's; `merged` is the sum of the evidence's workers.
    pub fn of_block(evidence: &Evidence<'_>, merged: &Merged) -> Self {
        let window = Window::of(evidence);
        let in_window = (merged.successes_in_window, merged.started_in_window);
        let tail_ns = window.tail_ns(evidence);
        Self { tail_ns, ..Self::of(window, in_window, &merged.totals, &merged.latencies) }
    }

    /// Several blocks' together; `window` is the sum of theirs.
    pub fn of_blocks(window: Window, merged: &Merged) -> Self {
        let in_window = (merged.successes_in_window, merged.started_in_window);
        Self::of(window, in_window, &merged.totals, &merged.latencies)
    }

    /// One worker's, over the whole block's window, so that throughputs of workers add up.
    pub fn of_worker(window: Window, worker: &MeasuredWorker) -> Self {
        let in_window = (worker.successes_in_window, worker.started_in_window);
        Self::of(window, in_window, &worker.totals, &worker.latencies)
    }

    fn of(
        window: Window,
        (successes, started): (u64, u64),
        totals: &Counters,
        latencies: &Latencies,
    ) -> Self {
        let failed = totals.failed();
        let throughput = window.rate(successes);
        // Tokens are counted when their stream has ended, and some end after the window, as their successes do.
        let of_each = share(totals.output_tokens, totals.successes).filter(|_| totals.usage_reports > 0);
        Self {
            offered: totals.offered,
            requests: totals.started,
            successes: totals.successes,
            failed,
            dropped: totals.dropped,
            unsent: totals.unsent,
            abandoned: totals.abandoned,
            failure_rate: share(failed, totals.successes.saturating_add(failed)),
            window,
            throughput,
            offered_rate: window.rate(totals.offered),
            achieved_rate: window.rate(started),
            tail_ns: None,
            response_time: Distribution::of(&latencies.response_time),
            service_time: Distribution::of(&latencies.service_time),
            send_lag: Distribution::of(&latencies.send_lag),
            time_to_first_token: Distribution::of(&latencies.time_to_first_token),
            inter_token_gap: Distribution::of(&latencies.inter_token_gap),
            connect_time: Distribution::of(&latencies.connect_time),
            tls_handshake_time: Distribution::of(&latencies.tls_handshake_time),
            time_to_first_byte: Distribution::of(&latencies.time_to_first_byte),
            transfer_time: Distribution::of(&latencies.transfer_time),
            late: totals.late,
            coalesced_share: share(totals.coalesced_events, totals.content_events),
            usage_reports: totals.usage_reports,
            input_tokens: totals.input_tokens,
            output_tokens: totals.output_tokens,
            output_token_rate: throughput.zip(of_each).map(|(throughput, of_each)| throughput * of_each),
        }
    }
}

impl Figures {
    /// Successes that were not late, of all requests that were due and not cut short: what failed, was dropped or never
    /// sent kept to nothing. 0 to 1; `None` when there was none.
    pub fn goodput(&self) -> Option<f64> {
        let all =
            [self.failed, self.dropped, self.unsent].into_iter().fold(self.successes, u64::saturating_add);
        share(self.successes.saturating_sub(self.late), all)
    }

    /// Successes a second that were not late; `None` without a success.
    pub fn good_rate(&self) -> Option<f64> {
        let good = share(self.successes.saturating_sub(self.late), self.successes)?;
        self.throughput.map(|throughput| throughput * good)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests;
