//! Faults that a test scripts: which call goes wrong, and how.

use std::time::Duration;

use super::call::{Answer, Call};
use super::errors::OperationError;

/// Says which calls go wrong, and how. Rules are tried in the order in which they were given; the first that fits is taken.
#[derive(Debug, Clone)]
pub struct Rule {
    method: String,
    path: String,
    name: Option<String>,
    /// So many fitting calls pass first.
    after: u64,
    /// So many fitting calls go wrong then; `None` is all of them.
    times: Option<u64>,
    fault: Fault,
}

/// How a call goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing is done, and this is the answer.
    Answer(Answer),
    /// All is done, and the connection is closed in place of an answer.
    LoseAnswer,
    /// Nothing is done, and the connection is closed.
    Close,
    /// Nothing is done, and no answer comes before the fake ends.
    Hang,
    /// All is done, and no answer comes before the fake ends.
    HangAfter,
    /// The call is accepted, and its operation fails.
    FailOperation(OperationError),
    /// The call does what it should, so much later.
    Delay(Duration),
    /// Waiting for an operation ends at once.
    WaitNot,
}

impl Rule {
    /// The next call of this method and path. A `*` in the path stands for anything; the method may be `*` too.
    pub fn next(method: &str, path: &str, fault: Fault) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), name: None, after: 0, times: Some(1), fault }
    }

    /// The `number`th of these calls from now on, counted from 1.
    pub fn nth(method: &str, path: &str, number: u64, fault: Fault) -> Self {
        Self { after: number - 1, ..Self::next(method, path, fault) }
    }

    /// All of these calls.
    pub fn every(method: &str, path: &str, fault: Fault) -> Self {
        Self { times: None, ..Self::next(method, path, fault) }
    }

    /// So many in place of one.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Only calls whose body names the resource so.
    pub fn of_name(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    fn fits(&self, call: &Call) -> bool {
        let is_named = || self.name.as_ref().is_none_or(|name| call.body()["name"] == name.as_str());
        (self.method == "*" || self.method == call.method) && glob(&self.path, &call.path) && is_named()
    }
}

/// What goes wrong with this call; each rule that it fits counts it.
pub fn fault_of(rules: &mut [Rule], call: &Call) -> Option<Fault> {
    let mut fault = None;
    for rule in rules.iter_mut().filter(|rule| rule.fits(call)) {
        if rule.after > 0 {
            rule.after -= 1;
        } else if fault.is_none() && rule.times != Some(0) {
            rule.times = rule.times.map(|times| times - 1);
            fault = Some(rule.fault.clone());
        }
    }
    fault
}

/// Whether `text` is what `pattern` says, in which `*` stands for anything.
pub fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => text.strip_prefix(before).is_some_and(|text| {
            (0..=text.len()).any(|at| text.is_char_boundary(at) && glob(rest, &text[at..]))
        }),
    }
}
