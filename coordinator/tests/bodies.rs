//! Bodies that differ from request to request, end to end: what the target receives, and what the record says of it.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use support::process::{Bench, Finished};
use support::request::{Purpose, Reply};
use support::results::Results;
use support::target::Target;

/// A target that keeps the body of every request.
struct Keeping {
    target: Target,
    bodies: Arc<Mutex<Vec<(Purpose, String)>>>,
}

impl Keeping {
    fn start() -> Self {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = bodies.clone();
        let target = Target::scripted(move |_, request| {
            let body = String::from_utf8(request.body.clone()).unwrap();
            kept.lock().unwrap().push((request.purpose(), body));
            Reply::good(request)
        });
        Self { target, bodies }
    }

    fn run(&self, bench: &Bench, flags: &[&str]) -> Finished {
        let url = self.target.url();
        let finished = bench.run(&[&["run", "--target", &url], flags].concat());
        assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
        finished
    }

    /// Takes the bodies that were sent for this, sorted; all are JSON.
    fn taken(&self, wanted: Purpose) -> Vec<Value> {
        let all = std::mem::take(&mut *self.bodies.lock().unwrap());
        let mut bodies: Vec<String> =
            all.into_iter().filter(|(purpose, _)| *purpose == wanted).map(|(_, body)| body).collect();
        bodies.sort();
        bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }
}

/// How often each occurs.
fn counts(values: impl Iterator<Item = Value>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value.to_string()).or_default() += 1;
    }
    counts
}

const SCENARIO: &str = r#"
body = """{"id": {{ seq }}, "key": "{{ uuid }}", "dice": {{ random_int(1, 6) }}, "prompt": "{{ prompt }}"}"""
[expect]
exists = ["/choices"]
"#;

fn rows(count: usize) -> String {
    (0..count).map(|row| format!("{{\"prompt\": \"say \\\"{row}\\\"\\n\"}}\n")).collect()
}

#[test]
fn no_body_is_sent_twice_and_the_rows_are_taken_in_turn() {
    let (bench, target) = (Bench::new(), Keeping::start());
    bench.file("varied.toml", SCENARIO);
    bench.file("rows.jsonl", &rows(30));
    let flags = ["--scenario", "varied.toml", "--dataset", "rows.jsonl", "--requests", "60", "--seed", "5"];
    let shape = ["--workers", "3", "--concurrency", "5", "--threads", "2"];
    let finished = target.run(&bench, &[&flags[..], &shape].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let bodies = target.taken(Purpose::Load);
    let ids: BTreeSet<u64> = bodies.iter().map(|body| body["id"].as_u64().unwrap()).collect();
    assert_eq!((bodies.len(), ids), (60, (0..60).collect()));
    assert_eq!(counts(bodies.iter().map(|body| body["key"].clone())).len(), 60);
    assert!(bodies.iter().all(|body| (1..=6).contains(&body["dice"].as_u64().unwrap())));
    let prompts = counts(bodies.iter().map(|body| body["prompt"].clone()));
    assert_eq!((prompts.len(), prompts.values().all(|count| *count == 2)), (30, true), "{prompts:?}");

    let results = Results::of(&bench);
    let scenario = &results.block(0)["scenario"];
    assert_eq!(
        (&scenario["variety"]["bodies"], &scenario["variety"]["dataset_rows"]),
        (&60.into(), &30.into())
    );
    assert!(scenario["body"].as_str().unwrap().contains("{{ prompt }}"));
    let said =
        "60 bodies were made from 30 rows in turn before the load, and each was sent 1.00 times on average";
    assert!(results.summary.contains(said), "{}", results.summary);
}

#[test]
fn a_seed_makes_the_same_bodies_whoever_makes_them_and_the_warm_up_has_others() {
    let target = Keeping::start();
    let sent = |seed: &str, workers: &str, purpose| {
        let bench = Bench::new();
        bench.file("varied.toml", SCENARIO);
        bench.file("rows.jsonl", &rows(30));
        let flags =
            ["--scenario", "varied.toml", "--dataset", "rows.jsonl", "--requests", "60", "--warmup", "40"];
        let finished = target.run(&bench, &[&flags[..], &["--seed", seed, "--workers", workers]].concat());
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        target.taken(purpose)
    };
    let bodies = sent("5", "1", Purpose::Load);
    assert_eq!(sent("5", "3", Purpose::Load), bodies);
    assert_ne!(sent("6", "1", Purpose::Load), bodies);
    let warm_up = sent("5", "2", Purpose::WarmUp);
    assert_eq!(warm_up.len(), 40);
    assert!(warm_up.iter().all(|body| body["id"].as_u64().unwrap() >= 60), "{warm_up:?}");
}

#[test]
fn bodies_come_again_after_the_last_and_the_summary_says_how_often() {
    let (bench, target) = (Bench::new(), Keeping::start());
    bench.file("rows.csv", "prompt,answer\n\"one, or \"\"two\"\"\",1\nthree,2\n");
    let flags = ["--scenario", "simple_chat", "--dataset", "rows.csv", "--bodies", "20", "--warmup", "none"];
    let finished = target.run(&bench, &[&flags[..], &["--requests", "60", "--concurrency", "5"]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let asked = counts(target.taken(Purpose::Load).iter().map(|body| body["messages"][1]["content"].clone()));
    let expected = [("\"one, or \\\"two\\\"\"", 30), ("\"three\"", 30)];
    assert_eq!(asked, expected.map(|(prompt, count)| (prompt.to_owned(), count)).into());
    let said =
        "20 bodies were made from 2 rows in turn before the load, and each was sent 3.00 times on average";
    assert!(Results::of(&bench).summary.contains(said), "{}", Results::of(&bench).summary);
}

#[test]
fn an_open_loop_takes_bodies_in_the_order_of_its_arrivals() {
    let (bench, target) = (Bench::new(), Keeping::start());
    bench.file("varied.toml", "body = { id = \"{{ seq }}\" }\n[expect]\nexists = [\"/choices\"]");
    let flags = ["--scenario", "varied.toml", "--rate", "200", "--duration", "500ms", "--bodies", "1000"];
    let finished = target.run(&bench, &[&flags[..], &["--workers", "3", "--warmup", "none"]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let bodies = target.taken(Purpose::Load);
    let ids = bodies.iter().map(|body| body["id"].as_str().unwrap().parse().unwrap());
    assert_eq!(ids.collect::<BTreeSet<u64>>(), (0..100).collect());
    // No more than there are arrivals.
    assert!(
        Results::of(&bench)
            .summary
            .contains("100 bodies were made before the load, and each was sent 1.00 times")
    );
}

#[test]
fn prompts_are_as_long_as_asked_for_and_no_two_are_alike() {
    let (bench, target) = (Bench::new(), Keeping::start());
    let flags = ["--input-tokens", "300", "--output-tokens", "12", "--requests", "40", "--warmup", "none"];
    let finished =
        target.run(&bench, &[&flags[..], &["--scenario", "simple_chat,chat_with_tools_stream"]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let bodies = target.taken(Purpose::Load);
    let prompts: Vec<&str> =
        bodies.iter().map(|body| body["messages"][1]["content"].as_str().unwrap()).collect();
    assert!(prompts.iter().all(|prompt| prompt.split(' ').count() == 300), "{prompts:?}");
    assert!(bodies.iter().all(|body| body["max_tokens"] == 12));
    // Two scenarios of one run may ask the same.
    let ones = bodies.iter().filter(|body| body.get("tools").is_none());
    assert_eq!(counts(ones.map(|body| body["messages"][1]["content"].clone())).len(), 40);
}

#[test]
fn what_cannot_be_rendered_is_a_sentence_and_sends_nothing() {
    let (bench, target) = (Bench::new(), Keeping::start());
    bench.file("a.toml", "body = '''{\n\"a\": \"{{ promt }}\"}'''");
    bench.file("large.toml", "body = { a = \"{{ words(50000) }}\" }");
    bench.file("rows.jsonl", "{\"prompt\": \"x\"}\n{\"prompt\": \n");
    bench.file("good.jsonl", "{\"prompt\": \"x\"}\n");
    let good = ["--dataset", "good.jsonl", "--scenario"];
    for (flags, code, said) in [
        (&[&good[..], &["a.toml"]].concat()[..], 2, "line 2: there is no `promt`; there are seq, uuid"),
        (&["--dataset", "rows.jsonl"], 2, "the file rows.jsonl has a line 2 that is no JSON object"),
        (&["--dataset", "missing.csv"], 2, "failed to read the file of rows missing.csv"),
        (
            &["--dataset", "good.jsonl", "--input-tokens", "9"],
            2,
            "--input-tokens and --dataset exclude each other",
        ),
        (
            &["--scenario", "large.toml", "--input-tokens", "9"],
            2,
            "--input-tokens is for built-in scenarios, and none",
        ),
        (
            &["--scenario", "large.toml", "--output-tokens", "9"],
            2,
            "--output-tokens is for built-in scenarios, and none",
        ),
        (&["--bodies", "5"], 2, "--bodies is for scenarios whose body is a template, and none is"),
        (&[&good[..], &["large.toml"]].concat(), 2, "--dataset names a dataset of which no scenario"),
        (
            &["--scenario", "large.toml", "--duration", "1s"],
            1,
            "the bodies of this worker take more than 256 MiB",
        ),
    ] {
        let finished = target.run(&bench, flags);
        assert_eq!(finished.code, Some(code), "{}", finished.stderr);
        assert!(finished.stderr.contains(said), "no {said}: {}", finished.stderr);
    }
    assert_eq!(target.taken(Purpose::Load), Vec::<Value>::new());
}
