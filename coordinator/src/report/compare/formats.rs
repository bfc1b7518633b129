//! A comparison as text, Markdown, JSON and JUnit.

use super::{Comparison, ScenarioComparison};
use crate::report::junit::{Case, State, suite};
use crate::report::markdown::{escape, visible};
use crate::statistics::compare::{Difference, Figure, Outcome};

/// A line for each scenario, and one for each reason against comparing at all.
pub fn text(comparison: &Comparison) -> String {
    let waved = comparison.differences.iter().map(|difference| format!("differs: {}\n", visible(difference)));
    let lines = comparison.scenarios.iter().map(|scenario| {
        let figures: Vec<String> = scenario.figures.iter().map(figure).collect();
        format!("{:<7} {}: {}\n", state(scenario), visible(&scenario.name), figures.join(", "))
    });
    waved.chain(lines).collect()
}

/// A row for each scenario.
pub fn markdown(comparison: &Comparison) -> String {
    let names: Vec<&str> = Figure::ALL.iter().map(|figure| figure.name()).collect();
    let mut text = format!("# {} against {}\n\n", escape(&comparison.new), escape(&comparison.old));
    text.extend(
        comparison.differences.iter().map(|difference| format!("- differs: {}\n", escape(difference))),
    );
    if !comparison.differences.is_empty() {
        text.push('\n');
    }
    text += &format!(
        "| Test Scenario | Outcome | {} |\n| --- | --- |{}\n",
        names.join(" | "),
        " ---: |".repeat(names.len())
    );
    text.extend(comparison.scenarios.iter().map(|scenario| {
        let figures: Vec<String> = scenario.figures.iter().map(change).collect();
        format!("| {} | {} | {} |\n", escape(&scenario.name), state(scenario), figures.join(" | "))
    }));
    text
}

/// Everything.
///
/// # Errors
/// When it holds what JSON cannot say.
pub fn json(comparison: &Comparison) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(comparison)? + "\n")
}

/// A test case for each scenario; one that cannot be judged is skipped.
pub fn junit(comparison: &Comparison) -> String {
    let cases = comparison.scenarios.iter().map(|scenario| {
        let all = |figures: &mut dyn Iterator<Item = &Difference>| {
            figures.map(figure).collect::<Vec<_>>().join(", ")
        };
        let figures = all(&mut scenario.figures.iter());
        let state = match state(scenario) {
            "WORSE" => State::Failed(all(&mut scenario.worse())),
            "unknown" => State::Skipped(figures.clone()),
            _ => State::Passed,
        };
        Case { class: "archestra-bench", name: scenario.name.clone(), state, text: figures }
    });
    suite("archestra-bench compare", &cases.collect::<Vec<_>>())
}

fn state(scenario: &ScenarioComparison) -> &'static str {
    match scenario.worse().next() {
        Some(_) => "WORSE",
        None if scenario.is_unknown() => "unknown",
        None => "ok",
    }
}

/// `p99 +10.2 % [+8.1, +12.4], WORSE than 5 %`.
fn figure(difference: &Difference) -> String {
    let name = difference.figure.name();
    let why = difference.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let worse = match difference.outcome {
        Outcome::Worse => format!(", WORSE than {} %", (difference.tolerance * 1e4).round() / 1e2),
        Outcome::Tolerated | Outcome::Unknown => String::new(),
    };
    format!("{name} {}{why}{worse}", change(difference))
}

/// `+10.2 % [+8.1, +12.4]`; of failures, in percentage points.
fn change(difference: &Difference) -> String {
    let Some(change) = difference.change else { return "–".into() };
    let unit = if difference.figure == Figure::Failed { "pp" } else { "%" };
    // What rounds to nothing has no sign of its own.
    let percent = |share: f64| format!("{:+.1}", (share * 1e3).round() / 10.0 + 0.0);
    let interval = difference.interval.map(|[low, high]| format!(" [{}, {}]", percent(low), percent(high)));
    format!("{} {unit}{}", percent(change), interval.unwrap_or_default())
}
