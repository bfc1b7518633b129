//! Every figure worked out again, from a record's counts and histograms alone.

use proto::latencies::Latencies;

use super::encode::whole_seconds;
use super::proof::sha256_of_seconds;
use super::stages::stage_figures;
use super::tally::Tally;
use super::{BlockRecord, PercentilesRecord, RecordError, RunRecord, SeriesRecord};
use crate::statistics::verdict::judge;
use crate::statistics::{Distribution, Figures, Merged, Window};

/// The same record with every sum, figure, finding and verdict worked out again from what each worker counted and from
/// the histograms of each second.
///
/// # Errors
/// When a histogram or a number cannot be read.
pub fn recompute(record: &RunRecord) -> Result<RunRecord, RecordError> {
    let blocks = record.blocks.iter().map(recompute_block).collect::<Result<Vec<_>, _>>()?;
    let capacities = record.capacities.iter().map(|search| search.again(&blocks)).collect();
    let mut again = RunRecord { blocks, capacities, results: Vec::new(), ..record.clone() };
    again.conclude(&mut Tally::default())?;
    Ok(again)
}

fn recompute_block(block: &BlockRecord) -> Result<BlockRecord, RecordError> {
    let mut content = block.content()?;
    let mut series = block.series.clone();
    for second in &mut series {
        second.work_out()?;
    }
    let mut again = block.clone();
    let window = Window::of(&content.evidence(&[]));
    let mut merged = Merged::default();
    for (record, worker) in again.workers.iter_mut().zip(&mut content.workers) {
        worker.latencies = record.histograms(&block.place())?;
        merged.add(&Merged::of(std::slice::from_ref(worker)));
        record.figures = Figures::of_worker(window, worker);
        record.histograms_sha256 = record.histograms_sha256.as_ref().map(|_| record.latencies.sha256());
        worker.latencies = Latencies::default();
    }
    let seconds = whole_seconds(&series, &merged.latencies.response_time);
    let evidence = content.evidence(&seconds);
    let figures = Figures::of_block(&evidence, &merged);
    again.findings = judge(&evidence, &figures);
    again.totals = (&merged.totals).into();
    again.latencies = (&merged.latencies).into();
    again.histograms_sha256 = block.histograms_sha256.as_ref().map(|_| block.latencies.sha256());
    again.seconds_sha256 = block.seconds_sha256.as_ref().map(|_| sha256_of_seconds(&series));
    again.series = series;
    again.stages = stage_figures(evidence.load, figures.window, &again.series)?;
    again.figures = figures;
    again.parts = block.parts.iter().map(recompute_block).collect::<Result<_, _>>()?;
    Ok(again)
}

impl SeriesRecord {
    /// Works out the figures from the counts and the histograms.
    pub(super) fn work_out(&mut self) -> Result<(), RecordError> {
        let length = self.end_ns.saturating_sub(self.start_ns);
        self.throughput = (length > 0).then(|| self.counters.successes as f64 * 1e9 / length as f64);
        let place = format!("the second from {} ns", self.start_ns);
        let percentiles = |name: &str, histogram: &super::HistogramRecord| {
            let histogram = histogram.content(&format!("{name} of {place}"))?;
            Ok(Distribution::of(&histogram).map(PercentilesRecord::from))
        };
        self.response_time = percentiles("response_time", &self.response_time_histogram)?;
        self.time_to_first_token = match &self.time_to_first_token_histogram {
            Some(histogram) => percentiles("time_to_first_token", histogram)?,
            None => None,
        };
        Ok(())
    }
}
