//! What came of the thresholds of a run.

use super::RunRecord;
use crate::plan::Arm;
use crate::statistics::thresholds::{Judged, Measured, judge};

/// They are about the system under test, so about the blocks of its arm.
pub(super) fn of(record: &RunRecord) -> Vec<Judged> {
    let blocks = record.blocks.iter().filter(|block| block.arm == Arm::Gateway);
    let measured = blocks.map(|block| Measured {
        scenario: &block.scenario.name,
        block: block.number,
        figures: &block.figures,
    });
    judge(&record.run.thresholds, &measured.collect::<Vec<_>>(), &[])
}
