//! Streams of other APIs than OpenAI's chat completions, with the scenario files that docs/scenarios.md shows for them.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use support::pages::Page;
use support::process::Bench;
use support::providers::{PROVIDERS, Provider, streamed};
use support::request::{Purpose, Reply, Request};
use support::results::Results;
use support::target::Target;

/// The scenario file of a provider, as the page shows it.
fn file(provider: &Provider) -> String {
    let page = Page::read("docs/scenarios.md".into());
    let streams = format!("stream = \"{}\"", provider.format);
    let blocks = page.blocks();
    let block =
        blocks.iter().find(|block| block.language == "toml" && block.lines.contains(&streams.as_str()));
    block.unwrap().lines.join("\n")
}

/// Loads with that file whatever answers so.
fn load(
    provider: &'static Provider,
    flags: &[&str],
    answer: impl Fn(u64, &Request) -> Reply + Send + Sync + 'static,
) -> (Bench, Results) {
    let target = Target::scripted(move |number, request| match provider.is_asked_by(request) {
        true => answer(number, request),
        false => Reply::json(400, &format!("{request:?}")),
    });
    let (bench, url) = (Bench::new(), target.url());
    bench.file("provider.toml", &file(provider));
    let run = ["run", "--quiet", "--warmup", "none", "--target", &url, "--scenario", "provider.toml"];
    let finished = bench.run(&[&run[..], flags].concat());
    assert_eq!(finished.code, Some(0), "{}: {}", provider.format, finished.stderr);
    let results = Results::of(&bench);
    (bench, results)
}

#[test]
fn content_and_usage_of_each_provider_are_counted() {
    for provider in &PROVIDERS {
        let (bench, results) = load(provider, &["--requests", "30"], |_, _| streamed(provider.stream));
        let [content, input, output] = provider.told;
        let counts = ["successes", "content_events", "usage_reports", "input_tokens", "output_tokens"];
        let counts = counts.map(|name| results.count(0, name));
        assert_eq!(counts, [30, 30 * content, 30, 30 * input, 30 * output], "{}", provider.format);
        assert_eq!(results.block(0)["scenario"]["stream_format"], provider.format);
        assert!(results.summary.contains("| Output tokens (1/s) |"), "{}", results.summary);
        results.assert_verified(&bench);
    }
}

#[test]
fn a_provider_that_fails_within_a_stream_or_ends_early_has_not_answered() {
    for provider in &PROVIDERS {
        let cut = &provider.stream[..provider.stream.find(provider.end).unwrap()];
        let failed = format!("{cut}{}", provider.error);
        // Some gateways end every stream as a chat completion ends.
        let with_mark = format!("{cut}data: [DONE]\n\n");
        let (_, results) = load(provider, &["--requests", "40"], move |number, request| {
            match (request.purpose(), number % 4) {
                (Purpose::Load, 0) => streamed(&failed),
                (Purpose::Load, 1) => streamed(cut),
                (Purpose::Load, 2) => streamed(&with_mark),
                _ => streamed(provider.stream),
            }
        });
        let failures = ["body", "truncated"].map(|kind| results.failures(0, kind));
        assert_eq!((failures, results.count(0, "successes")), ([10, 20], 10), "{}", results.summary);
        assert_eq!(results.count(0, "output_tokens"), 10 * provider.told[2], "of those that were good");
        assert!(results.summary.contains("an error within the stream"), "{}", results.summary);
    }
}

#[test]
fn a_scenario_says_how_its_streams_end() {
    let bench = Bench::new();
    for (provider, end) in PROVIDERS.iter().zip(["message_stop", "response.completed or ", "a finishReason"])
    {
        bench.file("provider.toml", &file(provider));
        let shown = bench.run(&["scenarios", "provider.toml"]);
        let good = format!("Good is an answer that has a status of 2xx, events with content, up to {end}");
        assert!(shown.code == Some(0) && shown.stdout.contains(&good), "{}{}", shown.stdout, shown.stderr);
    }
}
