//! A named request and what a good answer is: the built-in ones, and files in TOML or JSON.

mod builtin;
mod dataset;
mod error;
mod file;
mod headers;
mod json_value;
#[cfg(test)]
mod tests;
mod trace;
mod variety;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use proto::expectation::Expectation;
use proto::goal::Goal;
use proto::target::Request;
use proto::variety::Variety;
use proto::variety::template::is_template;

pub use dataset::DatasetFile;
pub use error::ScenarioError;
pub use headers::{Header, sounds_secret};
pub use trace::{TraceFile, TraceSpeed};
pub use variety::BODIES;

/// A named request and what a good answer is, complete with the headers that every request of it carries.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// As reports name it: any text without commas and control characters.
    pub name: String,
    /// What is sent; where bodies differ, with one that the load does not send.
    pub request: Request,
    /// What the load's bodies are made of, where they differ.
    pub variety: Option<Arc<Variety>>,
    /// What a good answer is.
    pub expectation: Expectation,
}

/// What all scenarios of a run share.
#[derive(Clone, Copy)]
pub struct ScenarioOptions<'a> {
    /// Path and query of the built-in scenarios and of files that name none.
    pub path: &'a str,
    /// The model that the built-in scenarios ask for.
    pub model: &'a str,
    /// Headers that beat all others of the same name.
    pub headers: &'a [Header],
    /// Sent as `Authorization: Bearer KEY`.
    pub api_key: &'a str,
    /// What templates put into bodies.
    pub dataset: Option<&'a DatasetFile>,
    /// Whether it is a trace, whose rows say more of a request than what is asked.
    pub is_trace: bool,
    /// How many different bodies a template makes.
    pub bodies: u32,
    /// Built-in scenarios: so many words as the user's message, in place of a dataset's prompt or their own question.
    pub input_tokens: Option<u32>,
    /// Built-in scenarios: most tokens of an answer.
    pub output_tokens: Option<u32>,
    /// Built-in scenarios: whether each request asks something of its own, all equally long.
    pub varied: bool,
    /// Whether they are sent to the upstream in the place of the gateway: files then have another path, and keep what
    /// may be a secret of the gateway's.
    pub is_direct: bool,
    /// What is random in them follows from it.
    pub seed: u64,
    /// What a success that is not late keeps to.
    pub goal: Goal,
}

impl<'a> ScenarioOptions<'a> {
    /// Bodies as they are, which nobody changes.
    pub const fn new(path: &'a str, model: &'a str, headers: &'a [Header], api_key: &'a str) -> Self {
        let (dataset, input_tokens, output_tokens) = (None, None, None);
        Self {
            path,
            model,
            headers,
            api_key,
            dataset,
            is_trace: false,
            bodies: BODIES,
            input_tokens,
            output_tokens,
            varied: false,
            is_direct: false,
            seed: 0,
            goal: Goal::NONE,
        }
    }
}

/// A scenario before it has the headers that all share.
struct Draft {
    name: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Whether `{{` and `{%` in the body mean something.
    may_be_template: bool,
    expectation: Expectation,
}

impl Scenario {
    /// Finds built-in scenarios by name and reads the files among `names` (`.toml` or `.json`).
    ///
    /// # Errors
    /// Which name or file cannot be used, and how to mend it.
    pub fn load_all(names: &[String], options: &ScenarioOptions<'_>) -> Result<Vec<Self>, ScenarioError> {
        let scenarios: Vec<_> =
            names.iter().map(|name| Self::load(name, options)).collect::<Result<_, _>>()?;

        let mut seen = BTreeSet::new();
        match scenarios.iter().find(|scenario| !seen.insert(&scenario.name)) {
            Some(twice) => Err(ScenarioError::Duplicate { name: twice.name.clone() }),
            None => Ok(scenarios),
        }
    }

    /// Those that are built in, and what each sends.
    pub const BUILT_IN: [(&'static str, &'static str); 4] = builtin::ALL;

    /// Whether a built-in scenario has this name.
    pub fn is_built_in(name: &str) -> bool {
        builtin::NAMES.contains(&name)
    }

    fn load(name: &str, options: &ScenarioOptions<'_>) -> Result<Self, ScenarioError> {
        let draft = match builtin::find(name, options) {
            Some(draft) => draft,
            None if file::is_file_name(name) => file::read(Path::new(name), options)?,
            None => return Err(error::unknown(name)),
        };
        draft.complete(name, options)
    }
}

impl Draft {
    /// Adds what every request carries and checks the whole. `source` is what the user wrote.
    fn complete(self, source: &str, options: &ScenarioOptions<'_>) -> Result<Scenario, ScenarioError> {
        let headers = headers::merge(&self, options);
        let is_json = headers::is_json(&headers);
        let (variety, body) = match String::from_utf8(self.body) {
            Ok(text) if self.may_be_template && is_template(&text) => {
                let (variety, body) = variety::of_template(source, text, is_json, options)?;
                (Some(Arc::new(variety)), body)
            }
            Ok(text) => (None, text.into_bytes()),
            Err(binary) => (None, binary.into_bytes()),
        };
        let request = Request { method: self.method, path: self.path, headers, body };

        let checked = request.check().and_then(|()| self.expectation.check());
        checked.map_err(|invalid| ScenarioError::Invalid {
            scenario: source.into(),
            problem: error::problem(&invalid),
        })?;
        let expectation = Expectation { goal: options.goal, ..self.expectation };
        Ok(Scenario { name: self.name, request, variety, expectation })
    }
}
