//! What was about to be made, written down before it is asked for: whoever cleans up after a crash looks there as well.
//!
//! Labels find everything that exists. What they cannot find is what Google had been asked for and not yet made when the
//! coordinator was killed; the journal names it. It holds names and places, and nothing secret.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The file of one fleet, in the state folder.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
    /// Opened when something is written: whoever only deletes may have no folder to write to.
    file: Arc<Mutex<Option<File>>>,
}

/// A journal that cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("the journal {} cannot be written: check that the folder can be written, or name another with --state-dir", path.display())]
pub struct JournalError {
    path: PathBuf,
    source: io::Error,
}

/// A machine that may exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Intent {
    /// Whose it would be.
    pub project: String,
    /// Where it would be.
    pub zone: String,
    /// What it would be called.
    pub instance: String,
}

impl Journal {
    /// A fleet's journal; `None` when another command on this machine has it. It is held until it is dropped, or its
    /// process ends in whatever way. Where the folder cannot be written, nobody can hold it.
    pub fn take(state_dir: &Path, fleet: &str) -> Option<Self> {
        let path = state_dir.join("journals").join(format!("{fleet}.jsonl"));
        let journal = Self { path, file: Arc::default() };
        if let Ok(file) = journal.open() {
            if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                return None;
            }
            *journal.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        }
        Some(journal)
    }

    fn open(&self) -> io::Result<File> {
        self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        // Whatever a crash cut short must not swallow the next line.
        let ended = fs::read(&self.path).is_ok_and(|bytes| bytes.last().is_none_or(|last| *last == b'\n'));
        if !ended {
            file.write_all(b"\n")?;
        }
        Ok(file)
    }

    fn with_file(&self, work: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), JournalError> {
        let mut opened = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match opened.as_mut() {
            Some(file) => Ok(file),
            None => self.open().map(|file| opened.insert(file)),
        };
        file.and_then(work).map_err(|source| JournalError { path: self.path.clone(), source })
    }

    /// Writes down that a machine is about to be asked for.
    ///
    /// # Errors
    /// When it cannot be written; then nothing must be asked for.
    pub fn intend(&self, intent: &Intent) -> Result<(), JournalError> {
        let failed = |source| JournalError { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(intent).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        self.with_file(|file| file.write_all(&line).and_then(|()| file.sync_data()))
    }

    /// Everything that was written down since the last clearing, each once.
    pub fn intents(&self) -> Vec<Intent> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        // A line that a crash cut short was followed by no request.
        let mut intents: Vec<Intent> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        intents.sort();
        intents.dedup();
        intents
    }

    /// Forgets what was intended in a project: nothing of it exists any more.
    ///
    /// # Errors
    /// When the file cannot be changed.
    pub fn forget(&self, project: &str) -> Result<(), JournalError> {
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            self.intents().into_iter().partition(|intent| intent.project == project);
        if here.is_empty() {
            return Ok(());
        }
        self.with_file(|file| file.set_len(0))?;
        elsewhere.iter().try_for_each(|intent| self.intend(intent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_intended_is_found_again_also_after_a_line_that_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let intent = |number: u32| Intent {
            project: "p".into(),
            zone: "europe-west1-b".into(),
            instance: format!("loadtest-vm-{number}"),
        };
        let take = |fleet: &str| Journal::take(folder.path(), fleet);
        let journal = take("blue").unwrap();
        assert!(take("blue").is_none(), "two commands have it");
        for number in [2, 1, 2] {
            journal.intend(&intent(number)).unwrap();
        }
        fs::OpenOptions::new().append(true).open(&journal.path).unwrap().write_all(b"{\"project\":").unwrap();
        drop(journal);
        let again = take("blue").unwrap();
        again.intend(&intent(3)).unwrap();
        assert_eq!(again.intents(), [intent(1), intent(2), intent(3)]);
        assert_eq!(take("green").unwrap().intents(), []);
        let elsewhere = Intent { project: "q".into(), ..intent(1) };
        again.intend(&elsewhere).unwrap();
        again.forget("p").unwrap();
        drop(again);
        assert_eq!(take("blue").unwrap().intents(), [elsewhere]);
    }

    #[test]
    fn only_writing_takes_a_folder_that_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        // Nobody, not even root, makes a folder below a file.
        let state = folder.path().join("file");
        fs::write(&state, "").unwrap();
        let journal = Journal::take(&state, "blue").unwrap();
        assert_eq!(journal.intents(), []);
        journal.forget("p").unwrap();
        let intent = Intent { project: "p".into(), zone: "z".into(), instance: "i".into() };
        assert!(journal.intend(&intent).unwrap_err().to_string().contains("--state-dir"));
    }
}
