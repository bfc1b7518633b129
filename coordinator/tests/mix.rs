//! A mix of scenarios in one load, end to end: what each is sent, what becomes of it, and what the record says.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use support::process::{Bench, Finished};
use support::request::{Purpose, Reply, Request};
use support::results::Results;
use support::target::Target;

/// What the load asked for: without tools, and with.
type Asked = Arc<Mutex<[u64; 2]>>;

fn with_tools(request: &Request) -> bool {
    request.json()["tools"].is_array()
}

/// A target that counts by scenario, and answers the load as it is told; `number` is of the scenario's own requests.
fn counting(answer: impl Fn(bool, u64, &Request) -> Reply + Send + Sync + 'static) -> (Target, Asked) {
    let asked = Asked::default();
    let counted = asked.clone();
    let target = Target::scripted(move |_, request| {
        if request.purpose() != Purpose::Load {
            return Reply::good(request);
        }
        let tools = with_tools(request);
        let number = {
            let mut counted = counted.lock().unwrap();
            counted[usize::from(tools)] += 1;
            counted[usize::from(tools)] - 1
        };
        answer(tools, number, request)
    });
    (target, asked)
}

const MIX: [&str; 3] = ["--mix", "simple_chat=7,chat_with_tools=3", "--quiet"];

fn run(bench: &Bench, target: &Target, flags: &[&str]) -> Finished {
    let url = target.url();
    let finished = bench.run(&[&["run", "--target", &url], &MIX[..], flags].concat());
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished
}

/// A count of each scenario of the first block, then of the whole.
fn counts(results: &Results, name: &str) -> Vec<u64> {
    let block = results.block(0);
    let all = block["parts"].as_array().unwrap().iter().chain([block]);
    all.map(|part| part["totals"][name].as_u64().unwrap()).collect()
}

fn rows<'a>(results: &'a Results, heading: &str) -> Vec<&'a str> {
    let section = results.summary.split(heading).nth(1).unwrap_or_default();
    let lines = section.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    lines.take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn each_scenario_is_sent_as_often_as_its_weight_says() {
    for shape in [
        &["--workers", "1", "--requests", "1000", "--concurrency", "9"][..],
        &["--workers", "3", "--requests", "1000", "--concurrency", "9", "--threads", "2"],
        &[
            "--workers",
            "3",
            "--requests",
            "1000",
            "--concurrency",
            "9",
            "--think-time",
            "0..2ms",
            "--warmup",
            "13",
        ],
        &["--workers", "3", "--rate", "2000", "--duration", "500ms", "--warmup", "none"],
    ] {
        let (bench, (target, asked)) = (Bench::new(), counting(|_, _, request| Reply::good(request)));
        let finished = run(&bench, &target, shape);
        assert_eq!(finished.code, Some(0), "{shape:?}: {}", finished.stderr);
        let results = Results::of(&bench);
        assert_eq!(
            (*asked.lock().unwrap(), counts(&results, "successes")),
            ([700, 300], vec![700, 300, 1000]),
            "{shape:?}"
        );

        let names: Vec<&Value> =
            results.report["results"].as_array().unwrap().iter().map(|result| &result["scenario"]).collect();
        assert_eq!(names, ["simple_chat", "chat_with_tools", "together"]);
        let rows = rows(&results, "**Workers**");
        let starts = ["| simple_chat | ", "| chat_with_tools | ", "| together | "];
        assert!(
            rows.len() == 3 && rows.iter().zip(starts).all(|(row, start)| row.starts_with(start)),
            "{rows:?}"
        );
        assert!(
            results.summary.contains("- **Mix**: simple_chat 7 : chat_with_tools 3"),
            "{}",
            results.summary
        );
        let verified = results.verify(&bench);
        assert_eq!(verified.code, Some(0), "{}", verified.stdout);
        assert!(
            verified.stdout.contains("together: the scenarios were dealt by their weights"),
            "{}",
            verified.stdout
        );
        assert_eq!(bench.run(&["report", results.report_path.to_str().unwrap()]).stdout, results.summary);
    }
}

#[test]
fn a_scenario_that_fails_fails_alone() {
    let (target, _) = counting(|tools, number, request| match tools && number % 2 == 0 {
        true => Reply::json(503, "{}"),
        false => Reply::good(request),
    });
    let bench = Bench::new();
    let finished = run(&bench, &target, &["--requests", "400", "--workers", "2"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!(counts(&results, "successes"), [280, 60, 340]);
    let failed = |part: &Value| part["figures"]["failed"].as_u64().unwrap();
    let block = results.block(0);
    assert_eq!([failed(&block["parts"][0]), failed(&block["parts"][1]), failed(block)], [0, 60, 60]);
    assert_eq!(results.failures(0, "status"), 60);
    assert_eq!(rows(&results, "## Failures"), ["| chat_with_tools | status | 503 | – | 60 |"]);
    let blamed = |part: &Value| {
        part["findings"].as_array().unwrap().iter().any(|finding| finding["rule"] == "failures")
    };
    assert!(!blamed(&block["parts"][0]) && blamed(&block["parts"][1]) && blamed(block));
    let report =
        |format| bench.run(&["report", results.report_path.to_str().unwrap(), "--format", format]).stdout;
    let csv = report("csv");
    let column = csv.lines().next().unwrap().split(',').position(|name| name == "failed_status").unwrap();
    let failed = csv.lines().skip(1).map(|row| row.split(',').nth(column).unwrap());
    assert_eq!(failed.collect::<Vec<_>>(), ["0", "60", "60"], "{csv}");
    assert!(report("hlog").contains("Tag=chat_with_tools/gateway/response_time,"));
    results.assert_verified(&bench);
}

#[test]
fn what_a_record_says_of_scenarios_must_add_up() {
    let (bench, (target, _)) = (Bench::new(), counting(|_, _, request| Reply::good(request)));
    assert_eq!(run(&bench, &target, &["--requests", "100", "--concurrency", "4"]).code, Some(0));
    let results = Results::of(&bench);
    let part = |record: &mut Value, number: usize| record["blocks"][0]["parts"][number].take();
    for (claim, forge) in [
        (
            "the scenarios were dealt by their weights",
            (&|record: &mut Value| {
                let weights = &mut record["blocks"][0]["parts"];
                (weights[0]["weight"], weights[1]["weight"]) = (1.into(), 1.into());
            }) as &dyn Fn(&mut Value),
        ),
        ("the scenarios add up to the whole", &|record| {
            let copy = part(record, 0);
            let mut twice = copy.clone();
            twice["scenario"]["name"] = "another".into();
            record["blocks"][0]["parts"] = vec![copy, twice].into();
        }),
        ("the scenarios are parts of this block", &|record| {
            record["blocks"][0]["parts"][1]["workers"][0]["end"]["last_completion_ns"] = 5.into();
        }),
        ("simple_chat: the figures follow from the histograms", &|record| {
            record["blocks"][0]["parts"][0]["figures"]["response_time"]["p95_ns"] = 5.into();
        }),
        ("simple_chat: the seconds add up", &|record| {
            record["blocks"][0]["parts"][0]["series"][0]["counters"]["successes"] = 5.into();
        }),
        ("it is whole", &|record| {
            let whole = record["blocks"][0].as_object_mut().unwrap();
            whole.remove("parts");
            whole.insert("weight".into(), 7.into());
        }),
    ] {
        let mut record = results.report.clone();
        forge(&mut record);
        std::fs::write(&results.report_path, record.to_string()).unwrap();
        let verified = results.verify(&bench);
        let found = verified.stdout.lines().any(|line| line.starts_with("FAILED") && line.contains(claim));
        assert!(verified.code == Some(1) && found, "no {claim}: {}", verified.stdout);
    }

    // Nor may the log say anything else.
    std::fs::write(&results.report_path, results.report.to_string()).unwrap();
    let log = results.report_path.with_file_name("intervals.jsonl");
    let lines = std::fs::read_to_string(&log).unwrap();
    let mut first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    first["parts"].as_array_mut().unwrap().reverse();
    std::fs::write(&log, lines.replacen(lines.lines().next().unwrap(), &first.to_string(), 1)).unwrap();
    let verified = results.verify(&bench);
    let said = "simple_chat: the interval log adds up to the scenario";
    assert!(verified.code == Some(1) && verified.stdout.contains(said), "{}", verified.stdout);
}

#[test]
fn thresholds_are_about_each_scenario_and_all_together() {
    let (target, _) = counting(|tools, _, request| {
        Reply::good(request).after(Duration::from_millis(if tools { 60 } else { 0 }))
    });
    let bench = Bench::new();
    let thresholds =
        ["--threshold", "p50<10s,chat_with_tools:p50<20ms,simple_chat:failed<=0,together:throughput>1/s"];
    let finished = run(&bench, &target, &[&["--requests", "60"][..], &thresholds].concat());
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    let results = Results::of(&bench);
    let judged = results.report["thresholds"].as_array().unwrap().iter();
    let judged: Vec<String> = judged
        .map(|judged| {
            format!("{} {}", judged["scenario"].as_str().unwrap(), judged["outcome"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        judged,
        [
            "simple_chat passed",
            "chat_with_tools passed",
            "together passed",
            "chat_with_tools missed",
            "simple_chat passed",
            "together passed"
        ]
    );
    let p50 = |number: usize| {
        results.report["results"][number]["gateway"]["figures"]["response_time"]["p50_ns"].as_u64().unwrap()
    };
    assert!(p50(1) >= 60_000_000 && p50(0) < p50(1), "{} and {}", p50(0), p50(1));
}

#[test]
fn both_arms_are_sent_the_same_mix() {
    let delayed =
        |millis| counting(move |_, _, request| Reply::good(request).after(Duration::from_millis(millis)));
    let (bench, (gateway, to_gateway), (upstream, to_upstream)) = (Bench::new(), delayed(8), delayed(2));
    let direct = upstream.url();
    let pairs = ["--direct", &direct, "--repeats", "3", "--cool-down", "10ms", "--warmup", "50ms"];
    let load = ["--requests", "100", "--rate", "400"];
    let finished = run(&bench, &gateway, &[&pairs[..], &load].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!((*to_gateway.lock().unwrap(), *to_upstream.lock().unwrap()), ([210, 90], [210, 90]));
    let results = Results::of(&bench);
    for (result, requests) in results.report["results"].as_array().unwrap().iter().zip([210, 90, 300]) {
        assert_eq!(result["direct"]["figures"]["successes"], requests, "{}", result["scenario"]);
        let added = &result["overhead"]["response_time"]["mean"];
        assert_eq!(added["pairs"], 3, "{added}");
        assert!(added["high_ns"].as_f64().unwrap() > 5_000_000.0, "{}: {added}", result["scenario"]);
    }
    let rows = rows(&results, "## What the gateway adds");
    assert!(rows.len() == 3 && rows[2].starts_with("| together | 400 req/s | +"), "{rows:?}");
    results.assert_verified(&bench);
}

#[test]
fn streams_levels_and_http2_are_mixed_as_anything_else() {
    let bench = Bench::new();
    let mock =
        bench.start(&["mock", "--listen", "127.0.0.1:0", "--latency", "1ms", "--chunk-interval", "1ms"]);
    mock.wait_for("listening on ", Duration::from_secs(20));
    let url = mock.stdout().trim().trim_start_matches("listening on ").to_owned();
    let mix = ["run", "--target", &url, "--mix", "simple_chat=1,simple_chat_stream=1", "--http-version", "2"];
    let load = ["--requests", "200", "--concurrency", "4,8", "--streams", "4", "--workers", "2", "--quiet"];
    let finished = bench.run(&[&mix[..], &load].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    assert_eq!(counts(&results, "successes"), [100, 100, 200]);
    assert_eq!(results.report["results"].as_array().unwrap().len(), 6);
    let [plain, stream] =
        [0, 1].map(|number| &results.block(0)["parts"][number]["figures"]["time_to_first_token"]);
    assert!(plain.is_null() && stream["count"] == 100, "{plain} {stream}");
    assert_eq!(results.block(0)["figures"]["time_to_first_token"]["count"], 100);
    assert_eq!(rows(&results, "## Streams").len(), 4, "{}", results.summary);
    results.assert_verified(&bench);
    let again = results.report_path.to_str().unwrap();
    let compared = bench.run(&["compare", again, again]);
    assert!(
        compared.code == Some(0) && compared.stdout.contains("together"),
        "{}{}",
        compared.stdout,
        compared.stderr
    );
}

#[test]
fn bodies_and_traces_keep_their_order() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let target = Target::scripted(move |_, request| {
        if request.purpose() == Purpose::Load {
            kept.lock().unwrap().push((with_tools(request), request.json()["max_tokens"].as_u64().unwrap()));
        }
        Reply::good(request)
    });
    let bench = Bench::new();
    let line =
        |n: u64| format!("{{\"timestamp\": {n}, \"input_length\": 9, \"output_length\": {}}}\n", 1_000 + n);
    bench.file("trace.jsonl", &(0..100).map(line).collect::<String>());
    let finished = run(&bench, &target, &["--trace", "trace.jsonl", "--workers", "3", "--warmup", "none"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let mut bodies = std::mem::take(&mut *bodies.lock().unwrap());
    assert_eq!(bodies.iter().filter(|body| body.0).count(), 30);
    bodies.sort_by_key(|body| body.1);
    assert!(bodies.iter().map(|body| body.1).eq(1_000..1_100), "each line is sent once: {bodies:?}");
    assert!(bodies.chunks(10).all(|ten| ten.iter().filter(|body| body.0).count() == 3), "{bodies:?}");
}

#[test]
fn a_condition_ends_a_mix_by_what_all_of_it_or_a_scenario_does() {
    for (condition, comes_true) in [
        ("failed>10%", "failed>10%"),
        ("simple_chat:failed>10%,chat_with_tools:failed>40%", "chat_with_tools:failed>40%"),
    ] {
        let (target, _) = counting(|tools, number, request| {
            let reply = if tools && number % 2 == 0 { Reply::json(500, "{}") } else { Reply::good(request) };
            reply.after(Duration::from_millis(5))
        });
        let bench = Bench::new();
        let finished = run(&bench, &target, &["--duration", "30s", "--abort-on", condition]);
        assert_eq!(finished.code, Some(4), "{}", finished.stderr);
        let results = Results::of(&bench);
        let block = results.block(0);
        let said = format!("`{comes_true}` came true");
        assert!(block["aborted"].as_str().unwrap().contains(&said), "{}", block["aborted"]);
        assert_eq!(block["parts"][0]["aborted"], block["aborted"]);
        assert!(counts(&results, "started")[2] < 30_000);
    }
}

#[test]
fn what_cannot_be_mixed_is_a_sentence_and_sends_nothing() {
    let (target, asked) = counting(|_, _, request| Reply::good(request));
    let (bench, url) =
        (Bench::new().variable("ARCHESTRA_BENCH_SCENARIOS", "simple_chat_stream"), target.url());
    bench.file("head.toml", "name = \"head\"\nmethod = \"HEAD\"\n");
    bench.file("named.toml", "name = \"together\"\nbody = \"{}\"\n");
    for (flags, said) in [
        (
            &["--mix", "simple_chta=7,chat_with_tools=3"][..],
            "there is no scenario `simple_chta`; did you mean `simple_chat`?",
        ),
        (&["--mix", "simple_chat=0,chat_with_tools=0"], "a weight is a whole number from 1 to 1000"),
        (&["--mix", "simple_chat,chat_with_tools"], "it has no `=`"),
        (&["--mix", "simple_chat=7"], "--mix names `simple_chat` alone, and a mix takes at least two"),
        (&["--mix", "simple_chat=7,simple_chat=3"], "--mix names `simple_chat` twice; give it one weight"),
        (&["--mix", "simple_chat=7,named.toml=3"], "--mix names a scenario called `together`"),
        (
            &["--mix", "simple_chat=1,chat_with_tools=1", "--scenario", "simple_chat"],
            "--mix and --scenario exclude each other",
        ),
        (
            &["--mix", "simple_chat=1,head.toml=1", "--http-version", "2"],
            "--mix mixes HEAD with other methods",
        ),
        (
            &["--mix", "simple_chat=1,chat_with_tools=1", "--threshold", "simple_chta:p95<1s"],
            "names the scenario `simple_chta`, which is not run; did you mean `simple_chat`?",
        ),
    ] {
        let finished = bench.run(&[&["run", "--target", &url], flags].concat());
        assert_eq!(finished.code, Some(2), "{flags:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(said), "no {said}: {}", finished.stderr);
    }
    assert_eq!(*asked.lock().unwrap(), [0, 0]);
}

#[test]
fn a_variable_mixes_too_and_a_flag_beats_it() {
    let (target, asked) = counting(|_, _, request| Reply::good(request));
    let variable = || Bench::new().variable("ARCHESTRA_BENCH_MIX", "simple_chat=1,chat_with_tools=1");
    let url = target.url();
    let common = ["run", "--target", &url, "--requests", "40", "--quiet"];
    let bench = variable();
    assert_eq!(bench.run(&common).code, Some(0));
    assert_eq!(*asked.lock().unwrap(), [20, 20]);
    let bench = variable();
    assert_eq!(bench.run(&[&common[..], &["--scenario", "simple_chat"]].concat()).code, Some(0));
    assert_eq!(*asked.lock().unwrap(), [60, 20]);
    assert!(Results::of(&bench).block(0)["parts"].is_null());
}
