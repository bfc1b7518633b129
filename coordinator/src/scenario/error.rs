//! What can be wrong with a scenario: each error one sentence that says how to mend it.

use std::path::PathBuf;

use proto::InvalidMessage;

use super::builtin;
use crate::nearest::{nearest, question};

/// A scenario that cannot be used. The process exits with 2.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a built-in scenario nor a file.
    #[error("there is no scenario `{name}`; {hint}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        hint: String,
    },
    /// Two of one name, which reports could not tell apart.
    #[error("there are two scenarios named `{name}`; give each its own `name`, or leave one out")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The scenario's file, or the file of its body, cannot be read.
    #[error("failed to read {what} {} (check the path and that this user may read it)", .path.display())]
    Unreadable {
        /// Such as "the scenario file".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML or JSON, or has a key or type that scenarios do not have.
    #[error("{}, line {line}: {problem}; docs/scenarios.md lists the keys of scenario files", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The parser's words.
        problem: String,
    },
    /// A file of rows cannot be used: a dataset or a trace.
    #[error("the file {} {problem}", .path.display())]
    Dataset {
        /// The file.
        path: PathBuf,
        /// Reads on from the file, with the cure.
        problem: String,
    },
    /// The file's content contradicts itself, or cannot be sent.
    #[error("the scenario `{scenario}` {problem}")]
    Invalid {
        /// What was asked for: a built-in name or a path.
        scenario: String,
        /// Reads on from the scenario, with the cure.
        problem: String,
    },
}

/// For a name that nobody knows: the nearest one that exists, and all of them.
pub(super) fn unknown(name: &str) -> ScenarioError {
    let all = builtin::NAMES.join(", ");
    let near =
        nearest(name, builtin::NAMES).map(|known| format!("did you mean `{known}`? ")).unwrap_or_default();
    let hint = format!("{near}built in are {all}; a file's name ends in .toml or .json");
    ScenarioError::Unknown { name: name.escape_debug().to_string(), hint }
}

/// A parser's words, and where they are about a key that scenarios do not have, the one that was probably meant.
pub(super) fn with_nearest_key(problem: String) -> String {
    let mut names = problem.split('`').skip(1).step_by(2);
    match names.next().filter(|_| problem.starts_with("unknown field")) {
        Some(typed) => format!("{problem}{}", question(typed, names)),
        None => problem,
    }
}

/// The wire's words for a request or an expectation that makes no sense, as a user of scenarios knows the parts.
pub(super) fn problem(invalid: &InvalidMessage) -> String {
    let part = match invalid.field {
        "request.method" => "`method`",
        "request.path" => "`path`",
        "request.headers" => "`headers`",
        "expectation.status" => "`expect.status`",
        "expectation.json" => "`exists` and `equals` under `expect` together",
        "expectation.json.pointer" => "a JSON pointer under `expect`",
        "expectation.finish_reason" => "`expect.finish_reason`",
        other => other,
    };
    format!("cannot be sent as it is: {part} {}; correct it there", invalid.problem)
}
