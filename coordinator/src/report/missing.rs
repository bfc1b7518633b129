//! Why a run that somebody has named cannot be read, each in a sentence with what to do about it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::REPORT_FILE;
use super::record::RecordError;
use crate::nearest::nearest;

/// Where results are unless somebody says otherwise.
const RESULTS: &str = "results";

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing is there.
    #[error("there is no {}: name a run's folder, its {REPORT_FILE} or its summary{hint}", path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
        /// The one that was probably meant, or where there are some.
        hint: String,
    },
    /// A folder that is no run's.
    #[error("{} holds no {REPORT_FILE}: {hint}", path.display())]
    NoReport {
        /// The folder.
        path: PathBuf,
        /// What it is, and what to name in its place.
        hint: String,
    },
    /// It belongs to somebody else.
    #[error("{} may not be read by this user: change its permissions, or read it as the user who ran the load", path.display())]
    Forbidden {
        /// Which.
        path: PathBuf,
    },
    /// A folder where a file is to be.
    #[error("{} is a folder and not a file: name the {REPORT_FILE} that a run wrote", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
    },
    /// The system has another reason.
    #[error("{} cannot be read ({problem}): copy it to a disk that can be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// In the system's words.
        problem: String,
    },
    /// It was read and makes no sense.
    #[error("{} cannot be used", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: RecordError,
    },
}

impl ReadError {
    /// Of a file that the system does not let be read.
    pub(super) fn new(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::not_found(path),
            io::ErrorKind::PermissionDenied => Self::Forbidden { path },
            io::ErrorKind::IsADirectory => Self::Folder { path },
            _ => Self::Unreadable { path, problem: error.to_string() },
        }
    }

    fn not_found(path: PathBuf) -> Self {
        let folder = parent(&path);
        if path.ends_with(REPORT_FILE) && folder.is_dir() {
            let hint = match runs(folder).first() {
                Some(newest) => format!(
                    "it holds the results of runs, of which one must be named, such as the newest, {}",
                    quoted(&folder.join(newest))
                ),
                None => "its run goes on or was killed early, or it is no run's folder; \
                         `archestra-bench list` names those that there are"
                    .into(),
            };
            return Self::NoReport { path: folder.to_owned(), hint };
        }
        Self::Missing { hint: hint(&path), path }
    }
}

/// The end of a sentence about a run that is not there.
fn hint(path: &Path) -> String {
    // Of `results/20261001_120000/report.json` it is the folder that is not there.
    let missing = path.ancestors().take_while(|part| !part.as_os_str().is_empty() && !part.exists()).last();
    let missing = missing.unwrap_or(path);
    let name = missing.file_name().unwrap_or_default().to_string_lossy();
    let stamp = name.strip_prefix("summary_").unwrap_or(&name);
    let stamp = stamp.strip_suffix(".md").unwrap_or(stamp);
    let folders = [parent(missing), Path::new(RESULTS)];
    for folder in folders {
        let runs = runs(folder);
        if let Some(meant) = nearest(stamp, runs.iter().map(String::as_str)) {
            let place = if folder == Path::new(".") { PathBuf::from(meant) } else { folder.join(meant) };
            return format!("; did you mean {}?", quoted(&place));
        }
    }
    match folders.into_iter().find(|folder| !runs(folder).is_empty()) {
        Some(folder) if folder == Path::new(RESULTS) => {
            "; `archestra-bench list` names those that there are".into()
        }
        Some(folder) => {
            let command = format!("archestra-bench list --results-dir {}", folder.display());
            format!("; `{command}` names those that there are")
        }
        None => String::new(),
    }
}

/// The names of the runs in a folder, the newest first; none where it cannot be read.
fn runs(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let runs = entries.filter(|entry| entry.path().join(REPORT_FILE).is_file());
    let mut names: Vec<String> = runs.map(|run| run.file_name().to_string_lossy().into_owned()).collect();
    names.sort_by(|left, right| right.cmp(left));
    names
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn quoted(path: &Path) -> String {
    format!("`{}`", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::sentence;
    use crate::report::files::tests::TemporaryFolder;

    fn said(path: &Path, kind: io::ErrorKind) -> String {
        sentence(&ReadError::new(path, &kind.into()))
    }

    #[test]
    fn what_is_not_there_is_told_with_what_was_probably_meant() {
        let folder = TemporaryFolder::new("missing");
        for run in ["20261001_120000", "20261002_120000"] {
            fs::create_dir(folder.path().join(run)).unwrap();
            fs::write(folder.path().join(run).join(REPORT_FILE), "{}").unwrap();
        }
        fs::create_dir(folder.path().join("empty")).unwrap();
        let missing = |name: &str| said(&folder.path().join(name), io::ErrorKind::NotFound);
        let meant = format!("; did you mean `{}`?", folder.path().join("20261001_120000").display());
        for name in ["20261001_12000", "20261001_12000/report.json", "summary_20261001_12000.md"] {
            let said = missing(name);
            assert!(said.starts_with("there is no ") && said.ends_with(&meant), "{said}");
        }
        let list = format!("; `archestra-bench list --results-dir {}` names", folder.path().display());
        assert!(missing("nothing").contains(&list), "{}", missing("nothing"));
        let newest = format!("such as the newest, `{}`", folder.path().join("20261002_120000").display());
        assert!(missing(REPORT_FILE).ends_with(&newest), "{}", missing(REPORT_FILE));
        let empty = missing("empty/report.json");
        assert!(empty.contains("empty holds no report.json: its run goes on or was killed"), "{empty}");
        let nowhere = said(Path::new("/nowhere/at/all"), io::ErrorKind::NotFound);
        assert_eq!(
            nowhere,
            "there is no /nowhere/at/all: name a run's folder, its report.json or its summary"
        );
    }

    #[test]
    fn the_system_has_its_say_only_where_nothing_better_is_known() {
        for (kind, words) in [
            (io::ErrorKind::PermissionDenied, "a may not be read by this user: change its permissions"),
            (io::ErrorKind::IsADirectory, "a is a folder and not a file: name the report.json"),
            (io::ErrorKind::TimedOut, "a cannot be read (timed out): copy it to a disk"),
        ] {
            let said = said(Path::new("a"), kind);
            assert!(said.starts_with(words), "{said}");
        }
    }
}
