//! What each worker counted, and the digests of its histograms.

use super::format::{NONE, escape, folded, table};
use super::groups::Groups;
use super::scenario;
use crate::report::record::{BlockRecord, WorkerRecord};
use crate::statistics::Figures;

/// Enough to tell two apart by eye.
const SHOWN: usize = 16;

const COLUMNS: [&str; 7] =
    ["Block", "Test Scenario", "Worker", "SHA-256", "Requests", "Successes", "Failures"];

/// Where results are of several blocks, only what all workers of each come to. `None` for a record from before there were
/// digests.
pub(super) fn table_of(groups: &Groups<'_>) -> Option<String> {
    let proven = groups.record.blocks.iter().filter(|block| block.histograms_sha256.is_some());
    let rows = proven.flat_map(|block| {
        let row = |worker: &WorkerRecord| {
            row(block, worker.number.to_string(), worker.histograms_sha256.as_deref(), &worker.figures)
        };
        let workers = block.workers.iter().filter(|_| !groups.have_repeats()).map(row);
        let all = self::row(block, "all".into(), block.histograms_sha256.as_deref(), &block.figures);
        workers.chain([all]).collect::<Vec<_>>()
    });
    let table = table(4, &COLUMNS, &rows.collect::<Vec<_>>())?;
    let those_of_workers = if groups.have_repeats() {
        "those that were merged from all workers'; each worker's own are in report.json."
    } else {
        "each worker's own, and those that were merged from them."
    };
    let about = format!(
        "The digests are of the histograms as report.json holds them (the first {SHOWN} of 64 digits): {those_of_workers} \
         `archestra-bench verify` works each out again, and whether the workers add up to all."
    );
    Some(format!("{about}\n\n{}", folded("What was counted, and the digests", &table)))
}

fn row(block: &BlockRecord, worker: String, digest: Option<&str>, figures: &Figures) -> Vec<String> {
    let digest = digest.and_then(|digest| digest.get(..SHOWN)).unwrap_or(NONE);
    let counts = [figures.requests, figures.successes, figures.failed].map(|count| count.to_string());
    [vec![block.number.to_string(), scenario(block), worker, escape(digest)], counts.to_vec()].concat()
}
