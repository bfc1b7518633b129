//! What the summary says of workers: whether they did as much as each other, and how hard it was for them.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::format::{NONE, escape, folded, milliseconds, percent, rate};
use super::groups::{Group, Groups};
use crate::report::record::{WorkerEndRecord, WorkerRecord};

const FIGURES: [&str; 8] = [
    "Requests",
    "Throughput (req/s)",
    "P50 (ms)",
    "P99 (ms)",
    "Failed",
    "Busiest thread",
    "Cores lost",
    "Reporting (ms)",
];

/// One worker over all blocks of a group.
struct Share<'a> {
    number: u32,
    of_blocks: Vec<&'a WorkerRecord>,
}

/// A row for each result; each worker's own, where there are several, only to whoever asks.
pub(super) fn table_of(groups: &Groups<'_>) -> Option<String> {
    let all = groups.whole().map(|group| {
        let shares = shares(group);
        (group, [vec![states(&shares)], figures(group, &shares)].concat())
    });
    let all = groups.table(1, &[&["Workers"], &FIGURES[..]].concat(), all)?;
    let about = "A range is from the least to the most, over workers (and over blocks, for percentiles). The last three are \
                 the most of any second: how busy an engine thread was, how often engine threads lost their core to \
                 others, and what they spent on reporting.";
    let text = format!("{all}\n\n{about}");
    let several = groups.record.run.workers.len() > 1;
    Some(match several.then(|| each(groups)).flatten() {
        Some(each) => format!("{text}\n\n{}", folded("Each worker", &each)),
        None => text,
    })
}

fn each(groups: &Groups<'_>) -> Option<String> {
    let of_results = groups.of_results().filter(|group| group.first.weight.is_none());
    let rows = of_results.flat_map(|group| {
        shares(group).into_iter().map(move |share| {
            let words = vec![share.number.to_string(), share.state()];
            (group, [words, figures(group, &[share])].concat())
        })
    });
    groups.table(2, &[&["Worker", "State"], &FIGURES[..]].concat(), rows)
}

fn shares<'a>(group: &Group<'a>) -> Vec<Share<'a>> {
    let mut shares: BTreeMap<u32, Vec<&WorkerRecord>> = BTreeMap::new();
    for worker in group.blocks.iter().flat_map(|block| &block.workers) {
        shares.entry(worker.number).or_default().push(worker);
    }
    shares.into_iter().map(|(number, of_blocks)| Share { number, of_blocks }).collect()
}

fn figures(group: &Group<'_>, shares: &[Share<'_>]) -> Vec<String> {
    let active = || shares.iter().filter(|share| !share.is_idle());
    let sums = |of: fn(&WorkerRecord) -> u64| active().map(move |share| share.sum(of));
    let blocks = || active().flat_map(|share| &share.of_blocks);
    let percentile =
        |of: fn(&WorkerRecord) -> Option<u64>| range(blocks().filter_map(|block| of(block)), milliseconds);
    let most = blocks().map(|block| block.host).fold((0.0, 0, 0), |most: (f64, u64, u64), host| {
        let (thread, switches, reporting) = most;
        (
            thread.max(host.busiest_thread),
            switches.max(host.involuntary_switches),
            reporting.max(host.reporting_ns),
        )
    });
    vec![
        range(sums(|worker| worker.figures.requests), |count| count.to_string()),
        range(
            sums(|worker| worker.successes_in_window).filter_map(|count| group.figures.window.rate(count)),
            |throughput| rate(Some(throughput)),
        ),
        percentile(|worker| Some(worker.figures.response_time?.p50_ns)),
        percentile(|worker| Some(worker.figures.response_time?.p99_ns)),
        range(sums(|worker| worker.figures.failed), |count| count.to_string()),
        percent(most.0),
        most.1.to_string(),
        milliseconds(Some(most.2)),
    ]
}

/// From the least to the most, where they are not written alike.
fn range<T: PartialOrd + Copy, S: Display + PartialEq>(
    values: impl Iterator<Item = T>,
    written: impl Fn(T) -> S,
) -> String {
    let ends = values.fold(None, |ends: Option<(T, T)>, value| {
        let (least, most) = ends.unwrap_or((value, value));
        Some((if value < least { value } else { least }, if value > most { value } else { most }))
    });
    match ends.map(|(least, most)| (written(least), written(most))) {
        None => NONE.to_owned(),
        Some((least, most)) if least == most => least.to_string(),
        Some((least, most)) => format!("{least}–{most}"),
    }
}

/// How many there are of each kind.
fn states(shares: &[Share<'_>]) -> String {
    let lost = shares.iter().filter(|share| share.is_lost()).count();
    let idle = shares.iter().filter(|share| share.is_idle()).count();
    let counts = [(shares.len() - lost - idle, "finished"), (lost, "lost"), (idle, "idle")];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, state)| format!("{count} {state}")).collect::<Vec<_>>().join(", ")
}

impl Share<'_> {
    fn sum(&self, of: fn(&WorkerRecord) -> u64) -> u64 {
        self.of_blocks.iter().map(|worker| of(worker)).fold(0, u64::saturating_add)
    }

    fn is_idle(&self) -> bool {
        self.of_blocks.iter().all(|worker| worker.is_idle())
    }

    /// In whichever block.
    fn is_lost(&self) -> bool {
        self.of_blocks.iter().any(|worker| matches!(worker.end, WorkerEndRecord::Lost { .. }))
    }

    /// How it ended, each way once.
    fn state(&self) -> String {
        let mut states: Vec<String> = self.of_blocks.iter().map(|worker| state(&worker.end)).collect();
        states.sort_unstable();
        states.dedup();
        states.join("; ")
    }
}

fn state(end: &WorkerEndRecord) -> String {
    match end {
        WorkerEndRecord::Idle => "idle".into(),
        WorkerEndRecord::Finished { reason, .. } => format!("finished ({})", reason.name()),
        WorkerEndRecord::Lost { why } => format!("lost: {}", escape(why)),
    }
}
