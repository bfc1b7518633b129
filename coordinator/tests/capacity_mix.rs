//! The search for the highest rate of a mix of scenarios, end to end.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::Duration;

use serde_json::Value;

use support::process::{Bench, Finished};
use support::request::Reply;
use support::results::Results;
use support::target::Target;

/// Answers at once, but for requests that offer tools, which take their time.
fn slow_with_tools() -> Target {
    Target::scripted(|_, request| {
        let takes = if request.json()["tools"].is_array() { 60 } else { 0 };
        Reply::good(request).after(Duration::from_millis(takes))
    })
}

fn search(bench: &Bench, target: &Target, flags: &[&str]) -> Finished {
    let url = target.url();
    let mix = ["capacity", "--mix", "simple_chat=7,chat_with_tools=3", "--target", &url, "--quiet"];
    bench.run(&[&mix[..], &["--step", "1s", "--workers", "1"], flags].concat())
}

#[test]
fn the_rate_is_that_of_the_whole_mix_and_objectives_are_about_all_of_it_or_the_part_that_they_name() {
    let (bench, target) = (Bench::new(), slow_with_tools());
    // Of all together seven in ten are fast.
    let slos = ["--slo", "p50<50ms", "--slo", "chat_with_tools:p50<5s", "--slo", "together:failed<1%"];
    let finished =
        search(&bench, &target, &[&["--start-rate", "50", "--max-rate", "100"], &slos[..]].concat());
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stderr, finished.stdout);
    let results = Results::of(&bench);
    let searches = results.report["capacities"].as_array().unwrap();
    assert_eq!(searches.len(), 1, "one search of all");
    assert_eq!(
        (&searches[0]["scenario"], &searches[0]["conclusion"]),
        (&"together".into(), &"beyond_most".into())
    );
    assert_eq!(searches[0]["highest_passing_millihertz"], 100_000);
    // The parts of the last step are those of a rate of 100, for two and a half seconds.
    let parts = results.block(2)["parts"].as_array().unwrap();
    let offered: Vec<&Value> = parts.iter().map(|part| &part["totals"]["offered"]).collect();
    assert_eq!(offered, [175, 75]);
    let results_of: Vec<&Value> =
        results.report["results"].as_array().unwrap().iter().map(|result| &result["scenario"]).collect();
    assert_eq!(results_of, ["simple_chat", "chat_with_tools", "together"]);
    for (name, held) in [("simple_chat", "–"), ("chat_with_tools", "yes"), ("together", "yes")] {
        let begins = format!("| {name} | confirmation | 100.0 | 2.5 s | ");
        let mut rows = results.summary.lines().filter(|line| line.starts_with(&begins));
        assert!(rows.next().unwrap().ends_with(&format!(" | {held} |")), "{}", results.summary);
    }
    let page = fs::read_to_string(results.report_path.with_file_name("report.html")).unwrap();
    for caption in [
        "simple_chat: response time by offered rate of the whole mix",
        "chat_with_tools: response time by offered rate of the whole mix",
        "together: response time by offered rate",
    ] {
        assert!(page.contains(caption), "no {caption}");
    }
    results.assert_verified(&bench);
}

#[test]
fn a_part_that_misses_its_own_objective_ends_it_for_all() {
    let (bench, target) = (Bench::new(), slow_with_tools());
    // There is time for one step.
    let bounds = ["--start-rate", "50", "--max-time", "2s"];
    let slos = ["--slo", "chat_with_tools:p50<50ms", "--slo", "p50<50ms"];
    let finished = search(&bench, &target, &[&bounds[..], &slos].concat());
    assert_eq!(finished.code, Some(4), "{}\n{}", finished.stderr, finished.stdout);
    let results = Results::of(&bench);
    let step = &results.report["capacities"][0]["steps"][0];
    let failure = step["failure"].as_str().unwrap();
    assert!(failure.contains("`chat_with_tools:p50<50ms` of chat_with_tools is missed"), "{failure}");
    results.assert_verified(&bench);

    let unknown = search(&bench, &target, &["--slo", "chat_with_tolls:p50<50ms"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("did you mean `chat_with_tools`?"), "{}", unknown.stderr);
}
