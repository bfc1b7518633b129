//! A named request and what a good answer is: the built-in ones, and files in TOML or JSON.

mod builtin;
mod error;
mod file;
mod headers;
mod json_value;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use proto::expectation::Expectation;
use proto::target::Request;

pub use error::ScenarioError;
pub use headers::Header;

/// A named request and what a good answer is, complete with the headers that every request of it carries.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// As reports name it: any text without control characters.
    pub name: String,
    /// What is sent.
    pub request: Request,
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
}

/// A scenario before it has the headers that all share.
struct Draft {
    name: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
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
        let request = Request { method: self.method, path: self.path, headers, body: self.body };

        let checked = request.check().and_then(|()| self.expectation.check());
        checked.map_err(|invalid| ScenarioError::Invalid {
            scenario: source.into(),
            problem: error::problem(&invalid),
        })?;
        Ok(Scenario { name: self.name, request, expectation: self.expectation })
    }
}
