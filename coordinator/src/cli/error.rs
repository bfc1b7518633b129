//! What can be wrong with a command line or a file of variables.

/// A command line, or a file of variables, that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// Help or version, which were asked for or are shown for want of a command; printed as they are.
    #[error(transparent)]
    Clap(#[from] clap::Error),
    /// A flag, command or argument that does not exist, or one that is missing.
    #[error("{problem}; see `{command} --help`")]
    CommandLine {
        /// In clap's words.
        problem: String,
        /// What was typed, as far as it is a command.
        command: String,
    },
    /// A flag has a wrong value.
    #[error("{flag} {problem}")]
    Flag {
        /// Such as `--requests`.
        flag: String,
        /// Reads on from the flag.
        problem: String,
    },
    /// A variable has a wrong value.
    #[error("{name} in {place} {problem}")]
    Variable {
        /// Such as `NUM_REQUESTS`.
        name: String,
        /// Where it is set.
        place: String,
        /// Reads on from the place.
        problem: String,
    },
    /// A variable is named as this program's are, and is none of them.
    #[error("{name} in {place} is no setting{}", all_or_meant(meant.as_deref()))]
    UnknownVariable {
        /// Such as `ARCHESTRA_BENCH_SCENARIO`.
        name: String,
        /// Where it is set.
        place: String,
        /// The one that was probably meant.
        meant: Option<String>,
    },
    /// A file of variables, which may be somebody else's, names a program.
    #[error(
        "{place} names a program to run, which no file may do; give it as {flag} or in the process's environment"
    )]
    ProgramInFile {
        /// The variable, and where it is set.
        place: String,
        /// Its flag.
        flag: &'static str,
    },
    /// A file of variables is there but cannot be read.
    #[error("failed to read {name} in the current directory (make it a readable text file, or move it away)")]
    UnreadableFile {
        /// Its name.
        name: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A file of variables holds something else.
    #[error(
        "line {line} of {name} is no NAME=value; correct it, put values with blanks or quotes in them between quotes, \
         or start the line with # to leave it out"
    )]
    BrokenLine {
        /// The file's name.
        name: &'static str,
        /// From 1.
        line: usize,
    },
    /// A file of variables has a `$` that would not be what the user means.
    #[error(
        "line {line} of {name} has a $ that names no variable; write $NAME, ${{NAME}} or ${{NAME:-default}}, or put a value \
         that has a $ in it between single quotes"
    )]
    Dollar {
        /// The file's name.
        name: &'static str,
        /// From 1.
        line: usize,
    },
}

fn all_or_meant(meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => "; `archestra-bench init` writes a file with all that there are".into(),
    }
}

impl UsageError {
    /// What the process exits with: 0 when help or the version was asked for, else 2.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Clap(error) => error.exit_code() as u8,
            _ => 2,
        }
    }
}
