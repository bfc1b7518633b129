//! Thresholds against what the run will measure.

use super::ConfigError;
use crate::cli::{Given, RunArgs};
use crate::scenario::Scenario;
use crate::threshold::Threshold;

/// The thresholds, when every one of them can be judged.
pub(super) fn check(
    args: &RunArgs,
    given: &Given,
    scenarios: &[Scenario],
) -> Result<Vec<Threshold>, ConfigError> {
    let place = || given.place("thresholds").to_owned();
    for threshold in &args.judge.thresholds {
        if threshold.metric.is_overhead() {
            return Err(ConfigError::NeedsDirect { place: place(), threshold: threshold.to_string() });
        }
        let Some(named) = &threshold.scenario else { continue };
        if scenarios.iter().any(|scenario| scenario.name == *named) {
            continue;
        }
        let names = scenarios.iter().map(|scenario| scenario.name.as_str());
        let distance = |name: &&str| strsim::damerau_levenshtein(name, named);
        let cure = match names.clone().min_by_key(distance).filter(|nearest| distance(nearest) <= 3) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("name one of {}", names.collect::<Vec<_>>().join(", ")),
        };
        return Err(ConfigError::ThresholdOfNoScenario { place: place(), scenario: named.clone(), cure });
    }
    Ok(args.judge.thresholds.clone())
}
