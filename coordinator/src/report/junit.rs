//! Test results as CI systems read them (JUnit's XML): of a run, a case for each threshold and for each rule of the verdict.

use super::markdown::visible;
use super::record::RunRecord;
use crate::rules::RULES;
use crate::statistics::thresholds::Judged;
use crate::statistics::verdict::{Finding, Verdict};

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    /// What it is one of.
    pub(super) class: &'static str,
    /// What it is about.
    pub(super) name: String,
    /// What came of it.
    pub(super) state: State,
    /// More about it, for whoever looks.
    pub(super) text: String,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It holds.
    Passed,
    /// It does not, and why.
    Failed(String),
    /// It cannot be said, and why.
    Skipped(String),
}

/// A suite of tests as a file.
pub(super) fn suite(name: &str, cases: &[Case]) -> String {
    let count = |is: fn(&State) -> bool| cases.iter().filter(|case| is(&case.state)).count();
    let (failed, skipped) =
        (count(|state| matches!(state, State::Failed(_))), count(|state| matches!(state, State::Skipped(_))));
    let head = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" \
         errors=\"0\" skipped=\"{skipped}\">\n",
        escape(name),
        cases.len(),
    );
    let cases: String = cases.iter().map(case).collect();
    head + &cases + "  </testsuite>\n</testsuites>\n"
}

fn case(case: &Case) -> String {
    let text = escape(&case.text);
    let inner = match &case.state {
        State::Passed if text.is_empty() => String::new(),
        State::Passed => format!("<system-out>{text}</system-out>"),
        State::Failed(why) => format!("<failure message=\"{}\">{text}</failure>", escape(why)),
        State::Skipped(why) => format!("<skipped message=\"{}\"/>", escape(why)),
    };
    let (class, name) = (escape(case.class), escape(&case.name));
    format!("    <testcase classname=\"{class}\" name=\"{name}\">{inner}</testcase>\n")
}

fn escape(text: &str) -> String {
    // Control characters, which XML has no way to write, are replaced already.
    let text = visible(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A run: whether it came to its end, its thresholds, what was searched for, and the rules of its verdict. There is a failure
/// exactly where the process exits with 3, 4 or 130.
pub fn run(record: &RunRecord) -> String {
    let mut cases = vec![Case {
        class: "archestra-bench.run",
        name: "the run comes to its end".into(),
        state: ended(record),
        text: format!("verdict: {}", record.verdict),
    }];
    cases.extend(record.thresholds.iter().map(|judged| threshold(record, judged)));
    cases.extend(record.capacities.iter().map(|capacity| Case {
        class: "archestra-bench.capacity",
        name: format!("{} holds {}", capacity.scenario, capacity.objectives.join(", ")),
        state: match capacity.conclusion {
            Some(_) if capacity.holds_nothing() => State::Failed("no rate held the objectives".into()),
            Some(_) => State::Passed,
            None => State::Skipped("the search was interrupted".into()),
        },
        text: String::new(),
    }));
    cases.extend(RULES.iter().map(|name| rule(record, name)));
    suite("archestra-bench run", &cases)
}

fn ended(record: &RunRecord) -> State {
    match record.abort_reason() {
        Some(why) => State::Failed(format!("it was ended early, because {why}")),
        None if record.interrupted => State::Failed("it was interrupted".into()),
        None if record.is_empty() => State::Failed("nothing was measured".into()),
        None => State::Passed,
    }
}

/// Figures that mean nothing neither pass a threshold nor miss it.
fn threshold(record: &RunRecord, judged: &Judged) -> Case {
    let at = judged.load.as_ref().map(|load| format!(" at {load}")).unwrap_or_default();
    let of = judged.scenario.as_ref().map(|scenario| format!(" of {scenario}{at}")).unwrap_or_default();
    let state = match record.verdict {
        Verdict::Invalid => State::Skipped("the verdict is invalid: these figures mean nothing".into()),
        _ if record.interrupted => State::Skipped("the run was interrupted".into()),
        _ if judged.is_missed() => State::Failed(judged.sentence()),
        _ => State::Passed,
    };
    Case {
        class: "archestra-bench.threshold",
        name: format!("{}{of}", judged.threshold),
        state,
        text: judged.found.clone(),
    }
}

/// What makes figures suspect fails no run, and is shown as a test that could not be judged.
fn rule(record: &RunRecord, name: &str) -> Case {
    let found: Vec<&Finding> = record.findings().filter(|finding| finding.rule == name).collect();
    let counts = |finding: &&&Finding| !finding.is_note() && !finding.accepted;
    let worst = found.iter().filter(counts).max_by_key(|finding| finding.verdict);
    let state = match worst {
        None => State::Passed,
        Some(finding) if finding.verdict == Verdict::Invalid => State::Failed(finding.reason.clone()),
        Some(finding) => State::Skipped(format!("suspect: {}", finding.reason)),
    };
    let reasons: Vec<String> = found.iter().map(|finding| finding.reason.clone()).collect();
    Case { class: "archestra-bench.verdict", name: name.to_owned(), state, text: reasons.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::statistics::thresholds::Outcome;

    fn judged(outcome: Outcome) -> Judged {
        Judged {
            threshold: "p95<80ms".into(),
            scenario: Some("a<b>".into()),
            load: Some("10 in flight".into()),
            outcome,
            measured: None,
            found: "91 ms".into(),
        }
    }

    fn finding(rule: &str, verdict: Verdict, accepted: bool) -> Finding {
        Finding { rule: rule.into(), verdict, reason: format!("{rule} was \"seen\""), accepted }
    }

    #[test]
    fn thresholds_and_rules_are_test_cases() {
        let mut record = fixtures::record();
        record.verdict = Verdict::Suspect;
        record.interrupted = false;
        record.thresholds = vec![judged(Outcome::Passed), judged(Outcome::Missed), judged(Outcome::Unknown)];
        record.blocks.iter_mut().for_each(|block| block.findings.clear());
        record.results.iter_mut().for_each(|result| result.findings.clear());
        record.blocks[0].findings = vec![
            finding("drift", Verdict::Suspect, false),
            finding("starved", Verdict::Suspect, true),
            finding("too_few_samples", Verdict::Valid, false),
            finding("no_success", Verdict::Invalid, false),
        ];
        let xml = run(&record);
        let tests = 1 + 3 + RULES.len();
        assert!(
            xml.contains(&format!("tests=\"{tests}\" failures=\"3\" errors=\"0\" skipped=\"1\">")),
            "{xml}"
        );
        assert!(
            xml.contains("name=\"p95&lt;80ms of a&lt;b&gt; at 10 in flight\"><system-out>91 ms</system-out>"),
            "{xml}"
        );
        assert!(
            xml.contains("name=\"drift\"><skipped message=\"suspect: drift was &quot;seen&quot;\"/>"),
            "{xml}"
        );
        assert!(xml.contains("name=\"starved\"><system-out>"), "what is accepted passes: {xml}");
        assert!(xml.contains("name=\"no_success\"><failure message="), "{xml}");
        assert!(xml.contains("name=\"stalled\"></testcase>"), "{xml}");
    }

    #[test]
    fn figures_that_mean_nothing_are_not_held_against_thresholds() {
        let mut record = fixtures::record();
        record.thresholds = vec![judged(Outcome::Missed)];
        record.verdict = Verdict::Invalid;
        assert!(run(&record).contains("10 in flight\"><skipped message=\"the verdict is invalid"));
        record.verdict = Verdict::Valid;
        record.interrupted = true;
        let xml = run(&record);
        assert!(xml.contains("<failure message=\"it was interrupted\">"), "{xml}");
        assert!(xml.contains("10 in flight\"><skipped message=\"the run was interrupted\"/>"), "{xml}");
    }
}
