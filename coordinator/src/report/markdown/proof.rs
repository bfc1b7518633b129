//! What each worker counted, and the digests of its histograms.

use super::format::{NONE, table};
use super::{RunRecord, scenario};
use crate::report::record::BlockRecord;
use crate::statistics::Figures;

/// Enough to tell two apart by eye.
const SHOWN: usize = 16;

/// `None` for a record from before there were digests.
pub(super) fn table_of(record: &RunRecord) -> Option<String> {
    let columns = ["Block", "Test Scenario", "Worker", "SHA-256", "Requests", "Successes", "Failures"];
    let row = |block: &BlockRecord, worker: String, digest: &Option<String>, figures: &Figures| {
        let digest = digest.as_ref().and_then(|digest| digest.get(..SHOWN)).unwrap_or(NONE).to_owned();
        let counts = [figures.requests, figures.successes, figures.failed].map(|count| count.to_string());
        [vec![block.number.to_string(), scenario(block), worker, super::escape(&digest)], counts.to_vec()]
            .concat()
    };
    let proven = record.blocks.iter().filter(|block| block.histograms_sha256.is_some());
    let rows = proven.flat_map(|block| {
        let workers = block
            .workers
            .iter()
            .map(|worker| row(block, worker.number.to_string(), &worker.histograms_sha256, &worker.figures));
        workers.chain([row(block, "all".into(), &block.histograms_sha256, &block.figures)])
    });
    let table = table(4, &columns, &rows.collect::<Vec<_>>())?;
    Some(format!(
        "{table}\n\nThe digests are of the histograms as report.json holds them (the first {SHOWN} of 64 digits): each \
         worker's own, and those that were merged from them. `archestra-bench verify` works each out again, and whether the \
         workers add up to all."
    ))
}
