//! What an answer must be, compiled for a quick look.

use std::time::Duration;

use proto::expectation::{Expectation, JsonExpectation};

use crate::answer::{StreamTimes, formats};
use crate::clock::Nanos;
use crate::json::{Expected, Pattern, Pointers, Test, Wants};
use crate::outcome::{BodyFault, Fault};

/// The scenario's JSON expectations are wanted under their own numbers, from 0; these come after them.
const FINISH_REASON: u8 = 16;
pub(super) const STREAM_ERROR: u8 = 17;
pub(super) const CONTENT: u8 = 18;
pub(super) const INPUT_TOKENS: u8 = 19;
pub(super) const OUTPUT_TOKENS: u8 = 20;
pub(super) const END: u8 = 21;

/// What an answer must be. Compiled once a block and shared by its connections.
#[derive(Debug, Clone)]
pub struct Criteria {
    expectation: Expectation,
    pointers: Vec<String>,
    wanted: Pointers,
    /// Whether an event ends a stream, in place of `data: [DONE]`.
    pub(super) ends_by_event: bool,
}

impl Criteria {
    /// Compiles an expectation.
    ///
    /// # Errors
    /// Which part of it makes no sense.
    pub fn new(expectation: &Expectation) -> Result<Self, String> {
        expectation.check().map_err(|error| error.to_string())?;

        let mut patterns = Vec::new();
        for (number, json) in (0..).zip(&expectation.json) {
            patterns.push(Pattern::at(&json.pointer, test(json)?, number));
        }
        if let Some(reason) = &expectation.finish_reason {
            let equals = Test::Equals(Expected::string(reason));
            patterns.push(Pattern::at("/choices/0/finish_reason", equals, FINISH_REASON));
        }
        if let Some(format) = expectation.stream {
            patterns.extend(formats::patterns(format));
        }
        Ok(Self {
            ends_by_event: expectation.stream.is_some_and(formats::ends_by_event),
            expectation: expectation.clone(),
            pointers: expectation.json.iter().map(|json| json.pointer.clone()).collect(),
            wanted: Pointers::new(&patterns),
        })
    }

    /// The scenario's JSON pointers, in order, as [`Fault::describe`] wants them.
    pub fn pointers(&self) -> &[String] {
        &self.pointers
    }

    /// Whether the answer must be a stream of server-sent events.
    #[inline]
    pub fn is_stream(&self) -> bool {
        self.expectation.is_stream()
    }

    /// Whether a success that was due at `due` and complete at `done` went beyond the goal.
    #[inline]
    pub fn is_late(&self, due: Nanos, done: Nanos, stream: Option<StreamTimes<'_>>) -> bool {
        let goal = self.expectation.goal;
        if goal.is_none() {
            return false;
        }
        let is_beyond =
            |bound: Option<Duration>, taken: u128| bound.is_some_and(|bound| taken > bound.as_nanos());
        let of_stream = stream.is_some_and(|stream| {
            let first = stream.first_content.map_or(0, |first| u128::from(first.since(due).0));
            let gaps = stream.gaps.iter().map(|gap| u128::from(gap.0)).sum::<u128>();
            is_beyond(goal.time_to_first_token, first)
                || is_beyond(goal.mean_gap, gaps / (stream.gaps.len() as u128).max(1))
        });
        of_stream || is_beyond(goal.response_time, u128::from(done.since(due).0))
    }

    #[inline]
    pub(super) fn is_status_only(&self) -> bool {
        self.expectation.is_status_only()
    }

    #[inline]
    pub(super) fn accepts_status(&self, status: u16) -> bool {
        self.expectation.accepts_status(status)
    }

    /// What is looked for in each JSON text.
    #[inline]
    pub(super) fn wanted(&self) -> &Pointers {
        &self.wanted
    }

    /// Whether what was found in the whole answer is enough.
    #[inline]
    pub(super) fn judge(&self, met: Wants, seen: Wants) -> Result<(), Fault> {
        for number in 0..self.pointers.len() as u8 {
            let want = Wants::only(number);
            if !met.contains(want) {
                let differs = seen.contains(want);
                let fault = if differs { BodyFault::Differs(number) } else { BodyFault::Missing(number) };
                return Err(Fault::Body(fault));
            }
        }
        if self.expectation.finish_reason.is_some() && !met.contains(Self::FINISH_REASON) {
            return Err(Fault::Body(BodyFault::FinishReason));
        }
        Ok(())
    }

    const FINISH_REASON: Wants = Wants::only(FINISH_REASON);
    /// What ends a stream, where an event does.
    pub(super) const END: Wants = Wants::only(END);
    /// An object within a stream that says that something went wrong.
    pub(super) const STREAM_ERROR: Wants = Wants::only(STREAM_ERROR);
    /// Content: what makes an event of a stream a content event.
    pub(super) const CONTENT: Wants = Wants::only(CONTENT);
    /// What every event of a stream may bring anew.
    pub(super) const OF_EACH_EVENT: Wants =
        Self::CONTENT.and(Wants::only(INPUT_TOKENS)).and(Wants::only(OUTPUT_TOKENS));
    /// Where a scan keeps the tokens of the request.
    pub(super) const INPUT_COUNT: usize = 0;
    /// Where a scan keeps the tokens of the answer.
    pub(super) const OUTPUT_COUNT: usize = 1;
}

fn test(json: &JsonExpectation) -> Result<Test, String> {
    let Some(text) = &json.equals else { return Ok(Test::Exists) };
    let expected = Expected::new(text).map_err(|problem| {
        let pointer = &json.pointer;
        format!("the value `{text}` expected at `{pointer}` {problem}; a string needs double quotes")
    })?;
    Ok(Test::Equals(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(pointer: &str, equals: &str) -> String {
        let json = vec![JsonExpectation { pointer: pointer.into(), equals: Some(equals.into()) }];
        Criteria::new(&Expectation { json, ..Expectation::default() }).unwrap_err()
    }

    #[test]
    fn nonsense_is_refused_in_a_sentence() {
        let sentence = problem("/object", "chat");
        assert!(sentence.starts_with("the value `chat` expected at `/object` is not JSON: "), "{sentence}");
        assert!(sentence.ends_with("; a string needs double quotes"), "{sentence}");
        assert!(problem("object", "1").contains("`object` does not start with /"));
    }
}
