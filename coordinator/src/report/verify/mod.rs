//! Whether a record's figures follow from its counts and histograms, and whether those add up.

use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::INTERVALS_FILE;
use super::json::read_with_bytes;
use super::markdown::visible;
use super::missing::ReadError;
use super::record::{BlockRecord, RunRecord, recompute};
use super::seal;
use crate::plan::Purpose;
use blocks::check_block;

mod blocks;
mod intervals;
mod parts;
mod spans;
#[cfg(test)]
mod tests;
mod whole;

pub use intervals::verify_intervals;

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What should be so.
    pub name: String,
    /// Why it is not; `None` when it is.
    pub problem: Option<String>,
}

impl Check {
    fn new(name: impl Into<String>, problem: Option<String>) -> Self {
        Self { name: name.into(), problem }
    }

    fn of_block(block: &BlockRecord, claim: &str, problem: Option<String>) -> Self {
        Self::new(format!("block {}, {}: {claim}", block.number, block.scenario.name), problem)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            None => write!(f, "ok      {}", visible(&self.name)),
            Some(problem) => write!(f, "FAILED  {}: {}", visible(&self.name), visible(problem)),
        }
    }
}

/// Checks the record of a run, which is named as for [`super::load`], and the interval log beside it when there is one.
///
/// # Errors
/// When the file cannot be read at all; whatever is wrong inside it is a failed check.
pub fn verify_file(path: &Path) -> Result<Vec<Check>, ReadError> {
    let path = &super::report_of(path);
    let (record, json) = read_with_bytes(path)?;
    let mut checks = verify(&record);
    let problem = seal::problem(&json, record.schema_version);
    checks.push(Check::new("the file is as the run wrote it", problem));
    let log = path.with_file_name(INTERVALS_FILE);
    if log.exists() {
        let file = File::open(&log).map_err(|error| ReadError::new(&log, &error))?;
        checks.extend(verify_intervals(&record, BufReader::new(file).lines()));
    }
    Ok(checks)
}

/// Checks a record by itself.
pub fn verify(record: &RunRecord) -> Vec<Check> {
    let again = match recompute(record) {
        Ok(again) => again,
        Err(error) => return vec![Check::new("every histogram can be read", Some(error.to_string()))],
    };
    let mut checks = vec![Check::new("every histogram can be read", None)];
    checks.push(Check::new("the blocks are those that were planned", whole::out_of_order(record)));
    for (stored, again) in record.blocks.iter().zip(&again.blocks) {
        checks.extend(check_block(record.schema_version, stored, again));
        checks.extend(parts::check(record.schema_version, stored, again));
    }
    let is_search = record.blocks.iter().any(|block| block.purpose == Purpose::CapacityStep);
    if is_search || !record.capacities.is_empty() {
        let problem = whole::searches(record, &again);
        checks.push(Check::new("the search follows from its steps", problem));
    }
    if record.schema_version > 2 {
        let problem = (record.results != again.results).then(|| results_problem(record, &again));
        checks.push(Check::new("the results follow from the blocks", problem));
    }
    let verdict = (record.verdict != again.verdict)
        .then(|| format!("it says {}, and the findings make it {}", record.verdict, again.verdict));
    checks.push(Check::new("the verdict follows from the findings", verdict));
    let interrupted = (record.interrupted != again.interrupted)
        .then(|| format!("it says {}, and the blocks make it {}", record.interrupted, again.interrupted));
    checks.push(Check::new("the run was interrupted only where a block was, or is missing", interrupted));
    let thresholds = (record.thresholds != again.thresholds)
        .then(|| "what it says of them does not follow from the blocks".to_owned());
    checks.push(Check::new("the thresholds are judged by the figures", thresholds));
    checks
}

/// The first result that differs.
fn results_problem(stored: &RunRecord, again: &RunRecord) -> String {
    if stored.results.len() != again.results.len() {
        return format!("there are {} and should be {}", stored.results.len(), again.results.len());
    }
    let mut pairs = stored.results.iter().zip(&again.results);
    let differs = pairs.find_map(|(stored, again)| Some((stored, blocks::fields(stored, again)?)));
    differs.map_or_else(String::new, |(stored, differ)| format!("{}: {differ}", stored.scenario))
}
