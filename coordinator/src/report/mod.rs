//! What a run leaves behind: the only module that writes result files.
//!
//! - [`record`]: the whole run as data; [`json`] writes and reads it as `report.json`.
//! - [`markdown`]: the summary, made of the record alone.
//! - [`csv`]: results, and seconds, as tables for other programs.
//! - [`hlog`]: the histograms of each second, for HdrHistogram's own tools.
//! - [`junit`]: thresholds and rules as test results; [`step_summary`]: the page that GitHub shows of a step.
//! - [`html`]: the page `report.html`, with the summary's words and with charts.
//! - [`interval_log`]: every interval of every worker, as it came.
//! - [`files`]: where all of it lands, and how it gets there whole.
//! - `seal`: the digest at the end of `report.json`.
//! - [`verify`]: whether a record's figures follow from its counts and histograms.
//! - [`compare`]: two records beside each other.
//! - [`history`]: past records.
//! - [`missing`]: why a run that somebody has named cannot be read.
//! - [`found`]: what speaks against the figures of a run that goes on.
//! - [`documents`]: files that are written because they were asked for.

pub mod compare;
pub mod csv;
pub mod documents;
pub mod files;
pub mod found;
pub mod history;
pub mod hlog;
pub mod html;
pub mod interval_log;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod missing;
pub mod record;
mod seal;
pub mod step_summary;
pub mod verify;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod texts;

use std::path::{Path, PathBuf};

use files::FilesError;
pub(crate) use markdown::visible;
use missing::ReadError;
use record::RunRecord;

/// The record's name in a run's folder.
pub const REPORT_FILE: &str = "report.json";
/// The page's name in a run's folder.
pub const PAGE_FILE: &str = "report.html";
/// The interval log's name in a run's folder.
pub const INTERVALS_FILE: &str = "intervals.jsonl";
/// The log of histograms' name in a run's folder.
pub const HLOG_FILE: &str = "histograms.hlog";

/// Reads a run, which is named by its folder, its report or its summary, with every figure worked out again from its
/// histograms.
///
/// # Errors
/// When it is not there, or holds what no run can have written.
pub fn load(path: &Path) -> Result<RunRecord, ReadError> {
    let path = report_of(path);
    let record = record::recompute(&json::read(&path)?);
    record.map_err(|source| ReadError::Unusable { path, source })
}

/// The report of a run that is named by its folder, its report, or its summary with or without the ending.
fn report_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".md").unwrap_or(&name);
    if path.is_dir() {
        return path.join(REPORT_FILE);
    }
    match stem.strip_prefix("summary_") {
        Some(stamp) => path.with_file_name(stamp).join(REPORT_FILE),
        None => path.to_owned(),
    }
}

/// Writes the page of a run, which is named as for [`load`], beside its report.
///
/// # Errors
/// When it cannot be written.
pub fn write_page(path: &Path, record: &RunRecord) -> Result<(), FilesError> {
    files::write_atomically(&report_of(path).with_file_name(PAGE_FILE), html::page(record).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_folder_its_report_or_its_summary() {
        for named in ["results/summary_1.md", "results/summary_1", "results/1/report.json"] {
            assert_eq!(report_of(Path::new(named)), Path::new("results/1/report.json"));
        }
        let folder = std::env::temp_dir();
        assert_eq!(report_of(&folder), folder.join("report.json"));
    }
}
