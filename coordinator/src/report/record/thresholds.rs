//! What came of the thresholds of a run.

use super::{ResultRecord, RunRecord};
use crate::statistics::thresholds::{Compared, Judged, Measured, judge};

/// They are about the system under test: over all its blocks of a scenario and load.
pub(super) fn of(record: &RunRecord) -> Vec<Judged> {
    let has_levels = ResultRecord::has_levels(record);
    let levels: Vec<Option<String>> =
        record.results.iter().map(|result| has_levels.then(|| result.load.level())).collect();
    let results = || record.results.iter().zip(&levels);
    let measured = results().map(|(result, load)| Measured {
        scenario: &result.scenario,
        load: load.as_deref(),
        figures: &result.gateway.figures,
    });
    let compared = results().filter_map(|(result, load)| {
        let overhead = result.overhead.as_ref()?;
        Some(Compared { scenario: &result.scenario, load: load.as_deref(), overhead })
    });
    judge(&record.run.thresholds, &measured.collect::<Vec<_>>(), &compared.collect::<Vec<_>>())
}
