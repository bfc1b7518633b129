//! Where results land: a folder for each run and a summary beside it, and files that are whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, ZonedDateTime};

use super::hlog::GrowingLog;
use super::html::page;
use super::json::GrowingJson;
use super::markdown::summary;
use super::record::RunRecord;
use super::{HLOG_FILE, INTERVALS_FILE, PAGE_FILE, REPORT_FILE};

/// How many seconds are tried when other runs took the same name.
const MAX_TAKEN: i64 = 60;

/// Results that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The folder of all results, or the one of this run.
    #[error(
        "the results folder {} cannot be made: name one that can be written with --results-dir",
        path.display()
    )]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Every name was taken.
    #[error("{} already holds a run for each of the {MAX_TAKEN} seconds from {first} on: try again later", path.display())]
    Taken {
        /// The folder of all results.
        path: PathBuf,
        /// The first name tried.
        first: String,
    },
    /// A result file.
    #[error("{} cannot be written: check that the disk has room and the folder can be written", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl FilesError {
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}

/// What the files of a record that grows hold of the blocks that have been saved.
#[derive(Debug, Default)]
pub struct Saved {
    json: GrowingJson,
    log: GrowingLog,
}

/// A run's folder, and the summary beside it, named after the second in which the run started.
#[derive(Debug, Clone)]
pub struct ResultsFolder {
    results_dir: PathBuf,
    name: String,
}

impl ResultsFolder {
    /// Makes `<results_dir>/<YYYYMMDD_HHMMSS>/`, or the folder of a later second when another run took that one.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn create(results_dir: &Path, started: &ZonedDateTime) -> Result<Self, FilesError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| FilesError::Folder { path, source }
        };
        fs::create_dir_all(results_dir).map_err(failed(results_dir))?;
        for second in 0..MAX_TAKEN {
            let folder = Self { results_dir: results_dir.to_owned(), name: name(started, second) };
            if folder.summary_path().exists() {
                continue;
            }
            match fs::create_dir(folder.path()) {
                Ok(()) => return Ok(folder),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&folder.path())(error)),
            }
        }
        Err(FilesError::Taken { path: results_dir.to_owned(), first: name(started, 0) })
    }

    /// The name that the folder and the summary share, such as `20261001_120000`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The run's folder.
    pub fn path(&self) -> PathBuf {
        self.results_dir.join(&self.name)
    }

    /// The summary, beside the run's folder.
    pub fn summary_path(&self) -> PathBuf {
        self.results_dir.join(format!("summary_{}.md", self.name))
    }

    /// The record.
    pub fn report_path(&self) -> PathBuf {
        self.path().join(REPORT_FILE)
    }

    /// The page.
    pub fn page_path(&self) -> PathBuf {
        self.path().join(PAGE_FILE)
    }

    /// The log of all intervals.
    pub fn interval_log_path(&self) -> PathBuf {
        self.path().join(INTERVALS_FILE)
    }

    /// The log of histograms.
    pub fn hlog_path(&self) -> PathBuf {
        self.path().join(HLOG_FILE)
    }

    /// Writes the record, the log of histograms and the summary, in the place of earlier ones. Called after every block, so
    /// that whatever goes wrong later loses nothing; `saved` is of the earlier calls for the same record.
    ///
    /// # Errors
    /// When one of them cannot be written.
    pub fn save(&self, record: &RunRecord, saved: &mut Saved) -> Result<(), FilesError> {
        // A disk that has no room for a large file may have some for a small one.
        let (report, log) =
            (self.save_report(record, &mut saved.json), self.save_log(record, &mut saved.log));
        let summary = write_atomically(&self.summary_path(), summary(record).as_bytes());
        report.and(log).and(summary)
    }

    fn save_report(&self, record: &RunRecord, json: &mut GrowingJson) -> Result<(), FilesError> {
        let path = self.report_path();
        let json = json.to_json(record).map_err(|error| FilesError::write(&path, error.into()))?;
        write_atomically(&path, &json)
    }

    fn save_log(&self, record: &RunRecord, log: &mut GrowingLog) -> Result<(), FilesError> {
        let path = self.hlog_path();
        let log = log.log(record).map_err(|error| FilesError::write(&path, io::Error::other(error)))?;
        write_atomically(&path, log.as_bytes())
    }

    /// Writes the page, in the place of an earlier one. It reads every histogram of the record, which takes longer than all
    /// the other files.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_page(&self, record: &RunRecord) -> Result<(), FilesError> {
        write_atomically(&self.page_path(), page(record).as_bytes())
    }

    /// Takes away what a run that measured nothing left: empty logs, and the folder if nothing else is in it.
    pub fn remove_unused(&self) {
        // Whatever cannot be taken away stays, and does no harm.
        for entry in fs::read_dir(self.path()).into_iter().flatten().flatten() {
            if entry.metadata().is_ok_and(|file| file.is_file() && file.len() == 0) {
                let _ = fs::remove_file(entry.path());
            }
        }
        let _ = fs::remove_dir(self.path());
    }
}

/// Writes a file that is seen whole or not at all, and survives a power cut once this returns. What is there and is no file,
/// such as a pipe or `/dev/null`, stays what it is, and takes what is written.
///
/// # Errors
/// When it cannot be written; what was there before is then still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        let opened = OpenOptions::new().write(true).open(path);
        let written = opened.and_then(|mut there| there.write_all(bytes));
        return written.map_err(|source| FilesError::write(path, source));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = write_and_sync(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.and_then(|()| sync_folder(path)).map_err(|source| FilesError::write(path, source))
}

fn write_and_sync(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the renaming itself last, where the file system can: some, such as those of networks, sync no folder.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match File::open(folder.unwrap_or(Path::new(".")))?.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

fn name(started: &ZonedDateTime, seconds_later: i64) -> String {
    let later = started.saturating_add(SignedDuration::from_secs(seconds_later));
    later.strftime("%Y%m%d_%H%M%S").to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::report::json::from_json;
    use crate::report::{load, write_page};

    /// A folder that goes away with the test.
    pub(in crate::report) struct TemporaryFolder(PathBuf);

    impl TemporaryFolder {
        pub(in crate::report) fn new(test: &str) -> Self {
            let name = format!("archestra-bench-{test}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(in crate::report) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for TemporaryFolder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn noon() -> ZonedDateTime {
        "2026-10-01T12:00:59+02:00[+02:00]".parse().unwrap()
    }

    #[test]
    fn runs_of_the_same_second_get_their_own_folders() {
        let folder = TemporaryFolder::new("same_second");
        let results = folder.path().join("made/as/needed");
        fs::create_dir_all(&results).unwrap();
        fs::write(results.join("summary_20261001_120100.md"), "another run's").unwrap();
        let names = [(); 2].map(|()| ResultsFolder::create(&results, &noon()).unwrap().name().to_owned());
        assert_eq!(names, ["20261001_120059", "20261001_120101"]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_sentence() {
        let folder = TemporaryFolder::new("not_a_folder");
        let file = folder.path().join("results");
        fs::write(&file, "a file").unwrap();
        let message = ResultsFolder::create(&file, &noon()).unwrap_err().to_string();
        assert!(
            message.ends_with("cannot be made: name one that can be written with --results-dir"),
            "{message}"
        );
    }

    #[test]
    fn what_was_saved_is_whole_and_nothing_else_is_left() {
        let folder = TemporaryFolder::new("save");
        let results = ResultsFolder::create(folder.path(), &noon()).unwrap();
        let (record, mut saved) = (fixtures::record(), Saved::default());
        for _ in 0..2 {
            results.save(&record, &mut saved).unwrap();
            results.save_page(&record).unwrap();
        }
        assert_eq!(from_json(&fs::read(results.report_path()).unwrap()).unwrap(), record);
        assert_eq!(fs::read_to_string(results.summary_path()).unwrap(), summary(&record));
        fs::remove_file(results.page_path()).unwrap();
        let again = load(&results.report_path()).unwrap();
        write_page(&results.report_path(), &again).unwrap();
        assert_eq!(summary(&again), summary(&record));
        assert_eq!(fs::read_to_string(results.page_path()).unwrap(), page(&record));
        let names = |path: &Path| {
            let mut names: Vec<_> =
                fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&results.path()), ["histograms.hlog", "report.html", "report.json"]);
        assert_eq!(names(folder.path()), ["20261001_120059", "summary_20261001_120059.md"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_no_file_stays_what_it_is_and_takes_what_is_written() {
        use std::io::Read as _;
        use std::os::fd::AsRawFd as _;

        let (mut reader, writer) = io::pipe().unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
        write_atomically(&path, b"a line\n").unwrap();
        drop(writer);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "a line\n");

        let folder = TemporaryFolder::new("no_file");
        let link = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        write_atomically(&link, b"a line\n").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "it was replaced");
    }

    #[test]
    fn a_file_that_cannot_be_written_keeps_no_other_from_it() {
        let folder = TemporaryFolder::new("one_of_three");
        let results = ResultsFolder::create(folder.path(), &noon()).unwrap();
        // Nothing is renamed over folders.
        fs::create_dir(results.hlog_path()).unwrap();
        let (record, mut saved) = (fixtures::record(), Saved::default());
        let problem = results.save(&record, &mut saved).unwrap_err().to_string();
        assert!(problem.contains("histograms.hlog cannot be written"), "{problem}");
        assert_eq!(fs::read_to_string(results.summary_path()).unwrap(), summary(&record));
        fs::remove_file(results.report_path()).unwrap();
        fs::create_dir(results.report_path()).unwrap();
        fs::remove_file(results.summary_path()).unwrap();
        let problem = results.save(&record, &mut saved).unwrap_err().to_string();
        assert!(problem.contains("report.json cannot be written"), "the first: {problem}");
        assert!(results.summary_path().exists());
    }

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let folder = TemporaryFolder::new("failed_write");
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert!(write_atomically(&taken, b"a file over a folder").is_err());
        assert!(taken.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_system_that_syncs_no_folder_is_good_enough() {
        let refused = File::open("/proc").unwrap().sync_all().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        sync_folder(Path::new("/proc/file")).unwrap();
        assert!(
            sync_folder(Path::new("/proc/nowhere/file")).is_err(),
            "a folder that is not there is a problem"
        );
    }

    #[test]
    fn an_empty_folder_can_be_taken_back() {
        let folder = TemporaryFolder::new("take_back");
        let results = ResultsFolder::create(folder.path(), &noon()).unwrap();
        let log = results.path().join("worker-0.log");
        fs::write(&log, "a line").unwrap();
        results.remove_unused();
        assert!(results.path().exists());
        fs::remove_file(log).unwrap();
        results.remove_unused();
        assert!(!results.path().exists());
    }
}
