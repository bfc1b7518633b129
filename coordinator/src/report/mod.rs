//! What a run leaves behind: the only module that writes result files.
//!
//! - [`record`]: the whole run as data; [`json`] writes and reads it as `report.json`.
//! - [`markdown`]: the summary, made of the record alone.
//! - [`interval_log`]: every interval of every worker, as it came.
//! - [`files`]: where all of it lands, and how it gets there whole.
//! - `seal`: the digest at the end of `report.json`.
//! - [`verify`]: whether a record's figures follow from its counts and histograms.
//! - [`compare`]: two records beside each other.
//! - [`history`]: past records.
//! - [`documents`]: files that are written because they were asked for.
//! - [`progress`]: a line on the terminal while a block runs.

pub mod compare;
pub mod documents;
pub mod files;
pub mod history;
pub mod interval_log;
pub mod json;
pub mod markdown;
pub mod progress;
pub mod provisioning;
pub mod record;
mod seal;
pub mod verify;

#[cfg(test)]
mod fixtures;

use std::path::Path;

use json::ReadError;
pub(crate) use markdown::visible;

/// The record's name in a run's folder.
pub const REPORT_FILE: &str = "report.json";
/// The interval log's name in a run's folder.
pub const INTERVALS_FILE: &str = "intervals.jsonl";

/// The summary of a run, made again from the counts and histograms that its `report.json` holds.
///
/// # Errors
/// When the file cannot be read, or holds what no run can have written.
pub fn summarise_again(path: &Path) -> Result<String, ReadError> {
    let record = record::recompute(&json::read(path)?);
    let record = record.map_err(|source| ReadError::Unusable { path: path.to_owned(), source })?;
    Ok(markdown::summary(&record))
}
