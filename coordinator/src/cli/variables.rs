//! Variables from the environment and from two files, and which of them wins.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use super::env_file::{self, BrokenLine, FileVariable, ProcessVariables};
use super::error::UsageError;
use crate::nearest::nearest;
use crate::starter::SETTINGS;

/// The variables of this process, but for those whose names are no text.
pub fn process_variables() -> ProcessVariables {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
}

/// Files that are looked for in the current directory: the first that sets a variable wins.
pub(crate) const FILES: [&str; 2] = [".env", "benchmark-config.env"];

/// Where a setting comes from; what is greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Nobody gave it.
    Default,
    /// `benchmark-config.env`.
    BenchmarkConfigFile,
    /// `.env`.
    EnvFile,
    /// The environment of the process.
    Process,
    /// The command line.
    Flag,
}

/// A variable that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variable<'a> {
    pub(crate) value: &'a OsStr,
    pub(crate) place: Place,
}

/// Where a variable is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) origin: Origin,
    line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::EnvFile => write!(f, "{}, line {},", FILES[0], self.line),
            Origin::BenchmarkConfigFile => write!(f, "{}, line {},", FILES[1], self.line),
            Origin::Process | Origin::Flag | Origin::Default => f.write_str("the environment"),
        }
    }
}

/// All variables. Empty ones count as unset.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    process: ProcessVariables,
    files: [BTreeMap<String, FileVariable>; 2],
}

impl Variables {
    /// Reads the files in `directory`; a file that is not there sets nothing.
    pub(crate) fn read(process: ProcessVariables, directory: &Path) -> Result<Self, UsageError> {
        let [first, second] = FILES.map(|name| read_file(&directory.join(name), name, &process));
        let files = [first?, second?];
        Ok(Self { process, files })
    }

    /// The one that wins.
    pub(crate) fn get(&self, name: &str) -> Option<Variable<'_>> {
        self.find(name, |value| !value.is_empty())
    }

    /// The one that wins among those that `says_something`.
    pub(crate) fn find(&self, name: &str, says_something: impl Fn(&OsStr) -> bool) -> Option<Variable<'_>> {
        let process = self.process.get(name).map(|value| Variable {
            value: value.as_os_str(),
            place: Place { origin: Origin::Process, line: 0 },
        });
        let in_file = |file: usize, origin| {
            self.files[file].get(name).map(|variable| Variable {
                value: OsStr::new(&variable.value),
                place: Place { origin, line: variable.line },
            })
        };
        [process, in_file(0, Origin::EnvFile), in_file(1, Origin::BenchmarkConfigFile)]
            .into_iter()
            .flatten()
            .find(|variable| says_something(variable.value))
    }

    /// Refuses a variable that is named as this program's are and is none of them: what it was to set would not be set.
    /// In the environment of the process, which others fill too, only one that is nearly one of them.
    pub(crate) fn refuse_unknown(&self) -> Result<(), UsageError> {
        let near = |name: &str| nearest(ending(name)?, known().filter_map(ending));
        let process = self.process.keys().map(|name| (name, Place { origin: Origin::Process, line: 0 }));
        let files = [Origin::EnvFile, Origin::BenchmarkConfigFile].into_iter().zip(&self.files);
        let files = files.flat_map(|(origin, file)| {
            file.iter().map(move |(name, variable)| (name, Place { origin, line: variable.line }))
        });
        for (name, place) in process.chain(files) {
            if ending(name).is_none() || known().any(|known| known == name) {
                continue;
            }
            let meant = near(name);
            if meant.is_some() || place.origin != Origin::Process {
                let meant = meant.map(|meant| format!("{PREFIX}{meant}"));
                return Err(UsageError::UnknownVariable {
                    name: name.clone(),
                    place: place.to_string(),
                    meant,
                });
            }
        }
        Ok(())
    }

    /// One that only the process can set, such as `HOME`.
    pub(crate) fn of_process(&self, name: &str) -> Option<&OsStr> {
        self.process.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }
}

/// How the names of most variables begin.
const PREFIX: &str = "ARCHESTRA_BENCH_";

/// What follows the prefix.
fn ending(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

/// The variables that the example file names: those that it sets, and those that its comments tell of.
fn known() -> impl Iterator<Item = &'static str> {
    let is_of_a_name =
        |character: char| character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_';
    SETTINGS.split(move |character| !is_of_a_name(character)).filter(|word| word.starts_with(PREFIX))
}

fn read_file(
    path: &Path,
    name: &'static str,
    process: &ProcessVariables,
) -> Result<BTreeMap<String, FileVariable>, UsageError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(UsageError::UnreadableFile { name, source }),
    };
    env_file::parse(&text, process).map_err(|broken| match broken {
        BrokenLine::NoVariable(line) => UsageError::BrokenLine { name, line },
        BrokenLine::Dollar(line) => UsageError::Dollar { name, line },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(process: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Variables, UsageError> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let process =
            process.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        Variables::read(process, directory.path())
    }

    #[test]
    fn the_environment_beats_the_first_file_which_beats_the_second() {
        let variables = read(
            &[("A", "process"), ("B", "")],
            &[
                (".env", "A=env\nB=env\nC="),
                ("benchmark-config.env", "A=config\nB=config\nexport C=config\nD=config"),
            ],
        )
        .unwrap();
        let found =
            |name| variables.get(name).map(|found| (found.value.to_str().unwrap(), found.place.to_string()));
        assert_eq!(found("A"), Some(("process", "the environment".into())));
        assert_eq!(found("B"), Some(("env", ".env, line 2,".into())), "an empty one counts as unset");
        assert_eq!(found("C"), Some(("config", "benchmark-config.env, line 3,".into())));
        assert_eq!(found("D"), Some(("config", "benchmark-config.env, line 4,".into())));
        assert_eq!(found("E"), None);
        assert_eq!(variables.of_process("D"), None);
    }

    #[test]
    fn a_variable_that_is_nearly_one_of_ours_is_refused_and_others_are_left_alone() {
        let refused = |process: &[(&str, &str)], file: &str| {
            read(process, &[(".env", file)]).unwrap().refuse_unknown().err().map(|error| error.to_string())
        };
        assert_eq!(
            refused(&[], "\nARCHESTRA_BENCH_SCENARIO=x").unwrap(),
            "ARCHESTRA_BENCH_SCENARIO in .env, line 2, is no setting; did you mean `ARCHESTRA_BENCH_SCENARIOS`?"
        );
        assert_eq!(
            refused(&[], "ARCHESTRA_BENCH_MOON=1").unwrap(),
            "ARCHESTRA_BENCH_MOON in .env, line 1, is no setting; `archestra-bench init` writes a file with all that there are"
        );
        let process = refused(&[("ARCHESTRA_BENCH_RTAE", "5")], "").unwrap();
        assert!(
            process.ends_with("in the environment is no setting; did you mean `ARCHESTRA_BENCH_RATE`?"),
            "{process}"
        );
        assert_eq!(
            refused(
                &[("ARCHESTRA_BENCH_MOON", "5"), ("ARCHESTRA_BENCH_SSH", "ssh")],
                "ARCHESTRA_URL=x\nRATE=1"
            ),
            None
        );
        for line in known() {
            assert_eq!(refused(&[(line, "")], &format!("{line}=")), None, "{line}");
        }
    }

    #[test]
    fn broken_and_unreadable_files_are_named() {
        let broken = read(&[], &[(".env", "A=1\nOPENAI_API_KEY sk-secret\n")]).unwrap_err();
        assert_eq!(
            broken.to_string(),
            "line 2 of .env is no NAME=value; correct it, put values with blanks or quotes in them between quotes, \
             or start the line with # to leave it out"
        );

        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("benchmark-config.env")).unwrap();
        let unreadable = Variables::read(ProcessVariables::new(), directory.path()).unwrap_err();
        assert_eq!(
            unreadable.to_string(),
            "failed to read benchmark-config.env in the current directory (make it a readable text file, or move it away)"
        );
        assert!(std::error::Error::source(&unreadable).is_some());
    }
}
