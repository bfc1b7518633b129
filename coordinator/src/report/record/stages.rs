//! Stages: as they were asked for, and what came of each, worked out from the spans between their ends.

use std::time::Duration;

use proto::load::{Load, Pace};
use proto::stages::Stage;
use serde::{Deserialize, Serialize};

use super::{BlockRecord, LoadRecord, RecordError, SeriesRecord, nanos};
use crate::statistics::{StageFigures, StageSum, Window};

/// A span in which the rate went in a straight line from one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StageRecord {
    /// How long it lasted.
    pub duration_ns: u64,
    /// Thousandths of a request a second, over the whole fleet.
    pub from_millihertz: u64,
    /// Thousandths of a request a second, over the whole fleet.
    pub to_millihertz: u64,
}

impl From<Stage> for StageRecord {
    fn from(stage: Stage) -> Self {
        let Stage { duration, from_millihertz, to_millihertz } = stage;
        Self { duration_ns: nanos(duration), from_millihertz, to_millihertz }
    }
}

impl From<&StageRecord> for Stage {
    fn from(record: &StageRecord) -> Self {
        let StageRecord { duration_ns, from_millihertz, to_millihertz } = *record;
        Self { duration: Duration::from_nanos(duration_ns), from_millihertz, to_millihertz }
    }
}

/// What came of each stage; nothing for a load without. Spans end with stages, so each is in one stage or behind them all.
pub(super) fn stage_figures(
    load: &Load,
    window: Window,
    series: &[SeriesRecord],
) -> Result<Vec<StageFigures>, RecordError> {
    let Load::Open { pace: Pace::Stages(stages), .. } = load else { return Ok(Vec::new()) };
    let figures = stages.spans().map(|(start, end)| {
        let (start, end) = (nanos(start), nanos(end));
        let mut sum = StageSum::default();
        add_within((start, end), series, &mut sum)?;
        Ok(StageFigures::of((start, end), [window], &sum))
    });
    figures.collect()
}

/// What came of each stage over several blocks of the same load.
pub(in crate::report) fn stages_of(blocks: &[&BlockRecord]) -> Result<Vec<StageFigures>, RecordError> {
    let Some(LoadRecord::Open { stages, .. }) = blocks.first().map(|block| &block.load) else {
        return Ok(Vec::new());
    };
    let mut start: u64 = 0;
    let figures = stages.iter().map(|stage| {
        let span = (start, start.saturating_add(stage.duration_ns));
        start = span.1;
        let mut sum = StageSum::default();
        for block in blocks {
            add_within(span, &block.series, &mut sum)?;
        }
        Ok(StageFigures::of(span, blocks.iter().map(|block| block.figures.window), &sum))
    });
    figures.collect()
}

fn add_within(
    (start, end): (u64, u64),
    series: &[SeriesRecord],
    sum: &mut StageSum,
) -> Result<(), RecordError> {
    let mut within = series.iter().filter(|second| start <= second.start_ns && second.end_ns <= end);
    within.try_for_each(|second| second.add_to(sum))
}

impl SeriesRecord {
    fn add_to(&self, sum: &mut StageSum) -> Result<(), RecordError> {
        let place = format!("the second from {} ns", self.start_ns);
        sum.counters.add(&self.counters.content());
        sum.response_time.merge(&self.response_time_histogram.content(&place)?);
        if let Some(histogram) = &self.time_to_first_token_histogram {
            sum.time_to_first_token.merge(&histogram.content(&place)?);
        }
        Ok(())
    }
}
