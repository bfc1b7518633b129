//! What the scenarios of a mix add up to, each by itself.

use std::time::Duration;

use proto::counters::Counters;
use proto::interval::{Finished, Interval};
use proto::latencies::{Histogram, Latencies};

use super::live::failures;
use super::series::Series;
use super::{
    Live, MeasuredBlock, MeasuredWorker, Percentiles, SeriesPoint, counters_difference, latencies_difference,
};

/// What one scenario of a mix adds up to.
#[derive(Debug, Clone, Default)]
pub struct MeasuredPart {
    /// One entry per worker of the fleet, in order.
    pub workers: Vec<PartSum>,
    /// All workers together, second by second.
    pub series: Vec<SeriesPoint>,
}

/// One scenario's part of what one worker did: the sum of its intervals.
#[derive(Debug, Clone, Default)]
pub struct PartSum {
    /// All counts; bytes and connections, which the scenarios share, are in none.
    pub totals: Counters,
    /// All histograms.
    pub latencies: Latencies,
    /// As of the whole worker.
    pub successes_in_window: u64,
    /// As of the whole worker.
    pub started_in_window: u64,
}

impl PartSum {
    fn add(&mut self, counters: &Counters, latencies: &Latencies, in_window: bool) {
        self.totals.add(counters);
        self.latencies.merge(latencies);
        if in_window {
            self.successes_in_window = self.successes_in_window.saturating_add(counters.successes);
            self.started_in_window = self.started_in_window.saturating_add(counters.started);
        }
    }
}

/// The scenarios of a mix as they come in; none where there is no mix.
#[derive(Debug, Default)]
pub(super) struct PartsMerge(Vec<PartMerge>);

#[derive(Debug)]
struct PartMerge {
    workers: Vec<PartSum>,
    series: Series,
    response_times: Histogram,
}

impl PartsMerge {
    pub(super) fn new(parts: usize, workers: usize) -> Self {
        let part = |_| PartMerge {
            workers: vec![PartSum::default(); workers],
            series: Series::default(),
            response_times: Histogram::new(),
        };
        Self((0..parts).map(part).collect())
    }

    /// Whether an interval tells of as many scenarios as there are.
    pub(super) fn fit(&self, interval: &Interval) -> bool {
        self.0.len() == interval.parts.len()
    }

    /// Adds one worker's interval. `duration` is the block's, if it has one.
    pub(super) fn add(&mut self, worker: u32, interval: &Interval, duration: Option<Duration>) {
        let in_window = duration.is_none_or(|duration| interval.end <= duration);
        for (part, told) in self.0.iter_mut().zip(&interval.parts) {
            if let Some(sum) = part.workers.get_mut(worker as usize) {
                sum.add(&told.counters, &told.latencies, in_window);
            }
            part.series.add_part(worker, interval, told);
            part.response_times.merge(&told.latencies.response_time);
        }
    }

    /// Each scenario so far; what is not its own is of the whole. `steady` is where the last second starts in which the
    /// whole load was at work.
    pub(super) fn live(&self, whole: &Live, steady: Option<Duration>) -> Vec<Live> {
        let part = |part: &PartMerge| {
            let sum = |count: fn(&Counters) -> u64| {
                part.workers.iter().fold(0, |sum: u64, worker| sum.saturating_add(count(&worker.totals)))
            };
            Live {
                offered: sum(|totals| totals.offered),
                started: sum(|totals| totals.started),
                successes: sum(|totals| totals.successes),
                failed: sum(Counters::failed),
                dropped: sum(|totals| totals.dropped),
                last_second: part.series.last(),
                steady_throughput: steady.and_then(|start| part.series.throughput_from(start)),
                so_far: Percentiles::of(&part.response_times),
                failures: failures(part.workers.iter().map(|worker| &worker.totals)),
                of_workers: Vec::new(),
                last_minute: part.series.last_minute(),
                parts: Vec::new(),
                ..*whole
            }
        };
        self.0.iter().map(part).collect()
    }

    pub(super) fn seal_before(&mut self, passed: Duration) {
        self.0.iter_mut().for_each(|part| part.series.seal_before(passed));
    }

    /// How a worker's totals disagree with the sums of its intervals, or with each other.
    pub(super) fn disagreement(&self, worker: u32, finished: &Finished) -> Option<String> {
        if self.0.is_empty() && finished.parts.is_empty() {
            return None;
        }
        let sums: Vec<&PartSum> =
            self.0.iter().filter_map(|part| part.workers.get(worker as usize)).collect();
        if sums.len() != finished.parts.len() {
            return Some(format!(
                "the totals of worker {worker} are of {} scenarios, and the mix has {}",
                finished.parts.len(),
                sums.len()
            ));
        }
        let mut pairs = (1..).zip(sums.iter().zip(&finished.parts));
        let of_one = pairs.find_map(|(number, (sum, told))| {
            let difference = counters_difference(&sum.totals, &told.counters)
                .or_else(|| latencies_difference(&sum.latencies, &told.latencies))?;
            Some(format!("scenario {number} of the mix: {difference}"))
        });
        let pairs = sums.iter().map(|sum| (&sum.totals, &sum.latencies));
        let difference =
            of_one.or_else(|| whole_difference(pairs, (&finished.totals, &finished.latencies)))?;
        Some(format!(
            "what worker {worker} sent of each scenario does not add up to its totals: {difference}"
        ))
    }

    pub(super) fn finish(self) -> Vec<MeasuredPart> {
        let part = |part: PartMerge| MeasuredPart { workers: part.workers, series: part.series.finish() };
        self.0.into_iter().map(part).collect()
    }
}

/// How the sum of the scenarios of a mix differs from the whole, but for bytes and connections, which they share; to be
/// read as a part of a sentence.
pub(crate) fn whole_difference<'a>(
    parts: impl Iterator<Item = (&'a Counters, &'a Latencies)>,
    (totals, latencies): (&Counters, &Latencies),
) -> Option<String> {
    let (mut counted, mut measured) = (Counters::default(), Latencies::default());
    for (counters, latencies) in parts {
        counted.add(counters);
        measured.merge(latencies);
    }
    let shared = Counters {
        bytes_sent: totals.bytes_sent,
        bytes_received: totals.bytes_received,
        connections_opened: totals.connections_opened,
        connections: totals.connections.clone(),
        ..Counters::default()
    };
    counted.add(&shared);
    measured.connect_time.merge(&latencies.connect_time);
    measured.tls_handshake_time.merge(&latencies.tls_handshake_time);
    counters_difference(&counted, totals).or_else(|| latencies_difference(&measured, latencies))
}

impl MeasuredBlock {
    /// A block of each scenario of the mix: with all that is known of the whole, and counts and histograms of its own.
    pub fn part_blocks(&self) -> impl Iterator<Item = Self> {
        let pairs = self.block.mix.iter().zip(&self.parts);
        pairs.map(|(mixed, part)| {
            let worker = |(worker, sum): (&MeasuredWorker, &PartSum)| MeasuredWorker {
                bodies: 0,
                warm_up: Counters::default(),
                totals: sum.totals.clone(),
                latencies: sum.latencies.clone(),
                successes_in_window: sum.successes_in_window,
                started_in_window: sum.started_in_window,
                mismatch: None,
                ..worker.clone()
            };
            Self {
                block: self.block.part(mixed),
                workers: self.workers.iter().zip(&part.workers).map(worker).collect(),
                series: part.series.clone(),
                witness: None,
                unwitnessed: None,
                parts: Vec::new(),
                aborted: self.aborted.clone(),
                started: self.started.clone(),
                ..*self
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::BlockMerge;
    use crate::merge::fixtures::{closed, mixed_block, mixed_interval, requests, totals};
    use proto::interval::EndReason;

    const MS: u64 = 1_000_000;

    fn merge() -> BlockMerge {
        BlockMerge::new(mixed_block(closed(10), requests(20)), 2)
    }

    #[test]
    fn scenarios_add_up_each_by_itself_and_together_to_the_whole() {
        let mut merge = merge();
        for worker in 0..2 {
            let intervals = [
                mixed_interval(0, (0.0, 1.0), [&[MS; 4], &[9 * MS]]),
                mixed_interval(1, (1.0, 1.5), [&[MS; 3], &[9 * MS; 2]]),
            ];
            intervals.iter().for_each(|interval| assert_eq!(merge.interval(worker, interval), Ok(true)));
            merge.finished(worker, totals(&intervals, EndReason::Requests));
        }
        let measured = merge.finish(false);
        assert!(
            measured.workers.iter().all(|worker| worker.mismatch.is_none()),
            "{:?}",
            measured.workers[0].mismatch
        );
        let parts: Vec<MeasuredBlock> = measured.part_blocks().collect();
        let successes =
            |block: &MeasuredBlock| block.workers.iter().map(|worker| worker.totals.successes).sum::<u64>();
        assert_eq!(
            (parts.iter().map(successes).collect::<Vec<_>>(), successes(&measured)),
            (vec![14, 6], 20)
        );
        let seconds = |block: &MeasuredBlock| {
            block.series.iter().map(|second| second.counters.successes).collect::<Vec<_>>()
        };
        assert_eq!(
            (seconds(&parts[0]), seconds(&parts[1]), seconds(&measured)),
            (vec![8, 6], vec![2, 4], vec![10, 10])
        );
        assert_eq!(parts[1].workers[0].latencies.response_time.count(), 3);
    }

    #[test]
    fn scenarios_that_do_not_add_up_are_named() {
        let only = mixed_interval(0, (0.0, 1.0), [&[MS; 4], &[9 * MS]]);
        let mut mixed_up = totals(std::slice::from_ref(&only), EndReason::Requests);
        mixed_up.parts.swap(0, 1);
        let mut too_few = totals(std::slice::from_ref(&only), EndReason::Requests);
        too_few.parts.pop();
        for (told, said) in [
            (mixed_up, "scenario 1 of the mix: 4 offered against 1"),
            (too_few, "the totals of worker 0 are of 1 scenarios, and the mix has 2"),
        ] {
            let mut merge = merge();
            merge.interval(0, &only).unwrap();
            merge.finished(0, told);
            let found = merge.finish(false).workers[0].mismatch.clone().unwrap();
            assert!(found.contains(said), "{found}");
        }
        let mut hidden = only.clone();
        hidden.counters.successes += 1;
        hidden.counters.started += 1;
        hidden.counters.offered += 1;
        let mut merge = merge();
        merge.interval(0, &hidden).unwrap();
        merge.finished(0, totals(&[hidden], EndReason::Requests));
        let found = merge.finish(false).workers[0].mismatch.clone().unwrap();
        assert!(
            found.contains("of each scenario does not add up to its totals: 5 offered against 6"),
            "{found}"
        );
    }

    #[test]
    fn an_interval_of_another_mix_is_refused() {
        let mut interval = mixed_interval(0, (0.0, 1.0), [&[MS; 4], &[9 * MS]]);
        interval.parts.pop();
        let refused = merge().interval(0, &interval).unwrap_err().to_string();
        assert!(refused.contains("interval 0 of 1 scenarios, and the mix has 2"), "{refused}");
    }
}
