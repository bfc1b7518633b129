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
    let has_added = comparison.scenarios.iter().any(|scenario| scenario.figures.len() > Figure::OF_ARM.len());
    let added = Figure::ADDED.iter().filter(|_| has_added);
    let names: Vec<&str> = Figure::OF_ARM.iter().chain(added).map(|figure| figure.name()).collect();
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
        let mut figures: Vec<String> = scenario.figures.iter().map(change).collect();
        figures.resize(names.len(), "–".into());
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
        _ if scenario.is_control => "control",
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
        Outcome::Worse => format!(", WORSE than {}", tolerated(difference)),
        Outcome::Tolerated | Outcome::Unknown => String::new(),
    };
    format!("{name} {}{why}{worse}", change(difference))
}

fn tolerated(difference: &Difference) -> String {
    match Figure::ADDED.contains(&difference.figure) {
        true => format!("{:.3} ms", difference.tolerance / 1e6),
        false => format!("{} %", (difference.tolerance * 1e4).round() / 1e2),
    }
}

/// `+10.2 % [+8.1, +12.4]`; of failures in percentage points, of what is added in milliseconds.
fn change(difference: &Difference) -> String {
    let Some(change) = difference.change else { return "–".into() };
    let (unit, scale, decimals) = match difference.figure {
        figure if Figure::ADDED.contains(&figure) => ("ms", 1e-6, 3),
        Figure::Failed => ("pp", 1e2, 1),
        _ => ("%", 1e2, 1),
    };
    // What rounds to nothing has no sign of its own.
    let round = 10f64.powi(decimals);
    let digits = decimals as usize;
    let number = |value: f64| format!("{:+.digits$}", (value * scale * round).round() / round + 0.0);
    let interval = difference.interval.map(|[low, high]| format!(" [{}, {}]", number(low), number(high)));
    format!("{} {unit}{}", number(change), interval.unwrap_or_default())
}
