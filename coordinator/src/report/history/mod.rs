//! Past results: what a results folder holds, run by run, the newest first. A folder that holds no whole record is named
//! and keeps nobody from the others.

mod formats;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::record::{BlockRecord, ResultRecord, RunRecord};
use super::{PAGE_FILE, REPORT_FILE, json};
use crate::causes::sentence;
use crate::nearest::question;
use crate::plan::{Arm, Purpose};
use crate::statistics::Figures;
use crate::statistics::overhead::{Added, Cell, Estimate};
use crate::statistics::thresholds::Judged;
use crate::statistics::verdict::Verdict;

pub use formats::{json as to_json, text};

/// What a results folder holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// The newest first; of two from the same moment, the one with the greater name.
    pub runs: Vec<PastRun>,
    /// Folders that cannot be told of, the last by name first.
    pub unusable: Vec<Unusable>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastRun {
    /// The name of its folder.
    pub run: String,
    /// RFC 3339, in the zone of whoever asks.
    pub started: String,
    /// Whether it came to its end; `false` where it was killed, or goes on.
    pub is_finished: bool,
    /// Whether the user ended it early.
    pub interrupted: bool,
    /// The worst of all findings.
    pub verdict: Verdict,
    /// Thresholds that were missed.
    pub missed_thresholds: usize,
    /// What was loaded.
    pub target: String,
    /// It is the built-in mock upstream.
    pub is_built_in_mock: bool,
    /// The upstream that it was held against.
    pub direct: Option<String>,
    /// In the order in which they were measured.
    pub scenarios: Vec<PastScenario>,
    #[serde(skip)]
    when: Timestamp,
}

/// One scenario at one load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastScenario {
    /// Its name.
    pub scenario: String,
    /// Such as `10 in flight`.
    pub load: String,
    /// Successes a second.
    pub throughput: Option<f64>,
    /// Median of the response time.
    pub p50_ns: Option<u64>,
    /// 95th percentile of the response time.
    pub p95_ns: Option<u64>,
    /// What the gateway adds to the median, with its interval; `None` without an upstream, or without a figure.
    pub added_p50: Option<Estimate>,
    /// What it adds to the 95th percentile.
    pub added_p95: Option<Estimate>,
}

/// A folder that cannot be told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// Its name.
    pub run: String,
    /// What is wrong with it, and what that may come from.
    pub problem: String,
}

/// Results that cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Something else is there.
    #[error("{} is a file and no results folder: name the folder that runs are in with --results-dir", path.display())]
    NoFolder {
        /// Which.
        path: PathBuf,
    },
    /// The folder is there, but cannot be read.
    #[error(
        "the results folder {} cannot be read ({problem}): change its permissions, or name another one with --results-dir",
        path.display()
    )]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why, in a clause.
        problem: String,
    },
    /// Nothing is there.
    #[error("there are no results in {}: `archestra-bench run` makes some, and --results-dir names another folder", path.display())]
    Nothing {
        /// Where.
        path: PathBuf,
    },
    /// No such run.
    #[error("there is no run {run} in {}{meant}; `archestra-bench list` names those that there are", path.display())]
    NoSuchRun {
        /// As it was asked for.
        run: String,
        /// Where it was looked for.
        path: PathBuf,
        /// The one that was probably meant, as a question.
        meant: String,
    },
    /// The run has neither a page nor a summary.
    #[error("the run {} has no report yet: it goes on, or ended before anything was measured", path.display())]
    NoReport {
        /// Its folder.
        path: PathBuf,
    },
}

impl HistoryError {
    fn unreadable(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotADirectory => Self::NoFolder { path },
            io::ErrorKind::PermissionDenied => {
                Self::Unreadable { path, problem: "it belongs to another user".into() }
            }
            _ => Self::Unreadable { path, problem: error.to_string() },
        }
    }
}

/// Everything that a results folder holds; nothing where there is no such folder.
///
/// # Errors
/// When it cannot be read.
pub fn read(results_dir: &Path, zone: &TimeZone) -> Result<History, HistoryError> {
    let (mut runs, mut unusable) = (Vec::new(), Vec::new());
    for name in names(results_dir)? {
        let path = results_dir.join(&name).join(REPORT_FILE);
        let read = match path.exists() {
            true => json::read(&path).map_err(|error| sentence(&error)),
            false => Err(format!("{REPORT_FILE} is not there: the run goes on, or was killed early")),
        };
        match read.and_then(|record| PastRun::new(&name, &record, zone)) {
            Ok(run) => runs.push(run),
            Err(problem) => unusable.push(Unusable { run: name, problem }),
        }
    }
    runs.sort_by(|left, right| (right.when, &right.run).cmp(&(left.when, &left.run)));
    Ok(History { runs, unusable })
}

/// The page or the summary of a run, or of the last one that has any.
///
/// # Errors
/// When there is no such run, or it has neither.
pub fn report_of(results_dir: &Path, run: Option<&Path>) -> Result<PathBuf, HistoryError> {
    let Some(run) = run else {
        let found = names(results_dir)?.into_iter().find_map(|name| report_in(&results_dir.join(name)));
        return found.ok_or_else(|| HistoryError::Nothing { path: results_dir.to_owned() });
    };
    let name = run.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_prefix("summary_").unwrap_or(&name);
    let name = name.strip_suffix(".md").unwrap_or(name);
    let places = [run.to_owned(), run.with_file_name(name), results_dir.join(name)];
    let Some(folder) = places.into_iter().find(|place| place.is_dir()) else {
        let known = names(results_dir)?;
        let meant = question(name, known.iter().map(String::as_str));
        return Err(HistoryError::NoSuchRun { run: name.to_owned(), path: results_dir.to_owned(), meant });
    };
    report_in(&folder).ok_or(HistoryError::NoReport { path: folder })
}

fn report_in(folder: &Path) -> Option<PathBuf> {
    let name = folder.file_name()?.to_string_lossy();
    let summary = folder.with_file_name(format!("summary_{name}.md"));
    [folder.join(PAGE_FILE), summary].into_iter().find(|file| file.is_file())
}

/// The names of folders that are runs', the last first: those named as runs are, and others that hold a record.
fn names(results_dir: &Path) -> Result<Vec<String>, HistoryError> {
    let entries = match fs::read_dir(results_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HistoryError::unreadable(results_dir, &error)),
    };
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    let is_run = |name: &String| is_stamp(name) || results_dir.join(name).join(REPORT_FILE).exists();
    let names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(is_run).collect();
    names.sort_by(|left, right| right.cmp(left));
    Ok(names)
}

/// Such as `20261124_063521`.
fn is_stamp(name: &str) -> bool {
    let shape: Vec<bool> = name.bytes().map(|byte| byte.is_ascii_digit()).collect();
    let digits = |parts: &[bool]| parts.iter().all(|is_digit| *is_digit);
    name.len() == 15 && name.as_bytes()[8] == b'_' && digits(&shape[..8]) && digits(&shape[9..])
}

impl PastRun {
    fn new(name: &str, record: &RunRecord, zone: &TimeZone) -> Result<Self, String> {
        let when: Timestamp =
            record.run.started.parse().map_err(|_| "it does not say when it began".to_owned())?;
        let started = when.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        Ok(Self {
            run: name.to_owned(),
            started,
            is_finished: record.run.finished.is_some(),
            interrupted: record.interrupted,
            verdict: record.verdict,
            missed_thresholds: record.thresholds.iter().filter(|judged| Judged::is_missed(judged)).count(),
            target: record.run.target.url.clone(),
            is_built_in_mock: record.run.target.is_built_in_mock,
            direct: record.run.direct.as_ref().map(|direct| direct.url.clone()),
            scenarios: scenarios(record),
            when,
        })
    }
}

/// Records of earlier versions have blocks alone.
fn scenarios(record: &RunRecord) -> Vec<PastScenario> {
    if !record.results.is_empty() {
        return record.results.iter().map(of_result).collect();
    }
    let is_measurement =
        |block: &&BlockRecord| block.arm == Arm::Gateway && block.purpose == Purpose::Measurement;
    let of_block = |block: &BlockRecord| past(&block.scenario.name, block.load.level(), &block.figures);
    record.blocks.iter().filter(is_measurement).map(of_block).collect()
}

fn of_result(result: &ResultRecord) -> PastScenario {
    let known = |cell: fn(&Added) -> Cell<Estimate>| match result
        .overhead
        .as_ref()
        .map(|added| cell(&added.response_time))
    {
        Some(Cell::Known(estimate)) => Some(estimate),
        Some(Cell::Unknown(_)) | None => None,
    };
    PastScenario {
        added_p50: known(|added| added.p50),
        added_p95: known(|added| added.p95),
        ..past(&result.scenario, result.load.level(), &result.gateway.figures)
    }
}

fn past(scenario: &str, load: String, figures: &Figures) -> PastScenario {
    PastScenario {
        scenario: scenario.to_owned(),
        load,
        throughput: figures.throughput,
        p50_ns: figures.response_time.map(|times| times.p50_ns),
        p95_ns: figures.response_time.map(|times| times.p95_ns),
        added_p50: None,
        added_p95: None,
    }
}
