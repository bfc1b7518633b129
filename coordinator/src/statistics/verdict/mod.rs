//! Whether a block's figures can be trusted: rules that each know a name, a threshold and a reason. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Evidence, Figures};
use crate::plan::Purpose;

mod bursts;
#[cfg(test)]
mod bursts_tests;
mod results;
#[cfg(test)]
mod results_tests;
mod rules;
#[cfg(test)]
mod tests;

pub use results::{ResultEvidence, Side, judge_result};

/// Whether figures can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against them.
    Valid,
    /// Something may have bent them.
    Suspect,
    /// They mean nothing.
    Invalid,
}

impl Verdict {
    /// The name in JSON and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Suspect => "suspect",
            Self::Invalid => "invalid",
        }
    }

    /// The worst of the findings that nobody accepted; valid without any.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let counted = findings.into_iter().filter(|finding| !finding.accepted);
        counted.map(|finding| finding.verdict).max().unwrap_or(Self::Valid)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that a reader of the figures should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The rule's name.
    pub rule: String,
    /// What it makes of the block; `valid` for a mere note.
    pub verdict: Verdict,
    /// What was found, with the figures, in a sentence without its full stop.
    pub reason: String,
    /// The user accepts it, so that it leaves the verdict alone.
    #[serde(default)]
    pub accepted: bool,
}

impl Finding {
    fn new(rule: &str, verdict: Verdict, reason: String) -> Self {
        debug_assert!(crate::rules::RULES.contains(&rule), "{rule}");
        Self { rule: rule.to_owned(), verdict, reason, accepted: false }
    }

    /// Whether it only tells the reader something and leaves the verdict alone.
    pub fn is_note(&self) -> bool {
        self.verdict == Verdict::Valid
    }
}

/// Rules about the target, and not about how it was measured. Within a search for the highest rate they are what is asked.
const ABOUT_THE_TARGET: [&str; 8] = [
    "no_success",
    "aborted",
    "failures",
    "offered_load_not_reached",
    "send_lag",
    "not_settled",
    "too_few_samples",
    "bursts",
];

/// Rules about one scenario's own answers. Everything else that is found of a part of a mix is found of the whole as well.
const OF_A_PART: [&str; 5] = ["no_success", "failures", "not_settled", "too_few_samples", "bursts"];

/// Everything that speaks against a block's figures, in the order of the rules.
pub fn judge(evidence: &Evidence<'_>, figures: &Figures) -> Vec<Finding> {
    let found = rules::ALL.iter().filter_map(|rule| rule(evidence, figures));
    let is_search = evidence.purpose == Purpose::CapacityStep;
    let found = found.filter(|finding| !is_search || !ABOUT_THE_TARGET.contains(&finding.rule.as_str()));
    found.filter(|finding| !evidence.is_part || OF_A_PART.contains(&finding.rule.as_str())).collect()
}
