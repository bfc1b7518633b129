//! What others see of a run while it goes on, end to end: a real Prometheus reads it.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use support::clock::wait_until;
use support::oracles::{has_program, python};
use support::process::{BOUND, Bench, PROGRAM, Running};
use support::request::{Purpose, Reply};
use support::results::Results;
use support::target::Target;

/// An address that nobody listens at.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Status and body of an answer; `None` where nobody answers.
fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Good answers, with a failure of one kind among them.
fn failing_target() -> Target {
    Target::scripted(|number, request| match number % 10 {
        0 if request.purpose() == Purpose::Load => Reply::json(503, "{}"),
        _ => Reply::good(request).after(Duration::from_millis(5)),
    })
}

/// The names of all metrics of an exposition.
fn names(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|rest| rest.split(' ').next().unwrap().to_owned()).collect()
}

/// A Prometheus that reads `target` twice a second.
fn prometheus(bench: &Bench, target: SocketAddr) -> (Running, SocketAddr) {
    let address = free_address();
    let config = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 400ms}}\n\
         scrape_configs: [{{job_name: bench, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    bench.file("prometheus.yml", &config);
    let listen = format!("--web.listen-address={address}");
    let flags = ["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", &listen];
    let running = bench.start_program("prometheus", &flags);
    let ready = wait_until(BOUND, || get(address, "/-/ready").is_some_and(|(status, _)| status == 200));
    assert!(ready, "{}", running.stderr());
    (running, address)
}

/// The sum of what an instant query finds.
fn query(prometheus: SocketAddr, query: &str) -> f64 {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let (status, body) = get(prometheus, &format!("/api/v1/query?query={encoded}")).unwrap();
    // The body may come in chunks, whose lengths stand on lines of their own.
    let json = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
    let answer: Value = serde_json::from_str(json).unwrap();
    assert_eq!((status, &answer["status"]), (200, &"success".into()), "{query}: {body}");
    let found = answer["data"]["result"].as_array().unwrap().iter();
    found.map(|sample| sample["value"][1].as_str().unwrap().parse::<f64>().unwrap()).sum()
}

#[test]
fn a_prometheus_that_follows_a_run_has_the_records_totals_in_the_end() {
    let test = "a_prometheus_that_follows_a_run_has_the_records_totals_in_the_end";
    if !has_program(test, "prometheus") {
        return;
    }
    let (bench, gateway, direct) = (Bench::new(), failing_target(), Target::good());
    let (metrics, beside) = (free_address(), Bench::new());
    let (_running, server) = prometheus(&beside, metrics);
    let (url, upstream, address) = (gateway.url(), direct.url(), metrics.to_string());
    let arms = ["run", "--target", &url, "--direct", &upstream, "--scenario", "simple_chat", "--quiet"];
    let flags = ["--duration", "2s", "--repeats", "1", "--cool-down", "10ms", "--queueing-check=false"];
    let finished = bench.run(&[&arms, &flags[..], &["--prometheus", &address]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&bench);
    let last = |metric: &str, selector: &str| {
        query(server, &format!("last_over_time(archestra_bench_{metric}{{{selector}}}[10m])"))
    };
    for (block, arm) in [(0, "gateway"), (1, "direct")] {
        assert_eq!(results.block(block)["arm"], arm);
        let selector = format!("scenario=\"simple_chat\",arm=\"{arm}\"");
        for (metric, count) in [
            ("requests_offered_total", results.count(block, "offered")),
            ("requests_started_total", results.count(block, "started")),
            ("requests_succeeded_total", results.count(block, "successes")),
            ("requests_failed_total", results.failures(block, "status")),
            ("response_time_seconds_count", results.count(block, "successes")),
            ("received_bytes_total", results.count(block, "bytes_received")),
        ] {
            assert_eq!(last(metric, &selector), count as f64, "{metric} of {arm}");
        }
        let of_kind = format!("{selector},kind=\"status\",status=\"503\"");
        assert_eq!(last("requests_failed_total", &of_kind), results.failures(block, "status") as f64);
        let mean =
            last("response_time_seconds_sum", &selector) / last("response_time_seconds_count", &selector);
        let ours = results.block(block)["figures"]["response_time"]["mean_ns"].as_f64().unwrap() / 1e9;
        assert!((mean - ours).abs() < ours / 100.0, "{mean} and {ours}");
    }
    assert!(results.failures(0, "status") > 10, "{}", results.summary);
    // It was followed while it went on: workers, and requests in flight.
    assert!(query(server, "max_over_time(archestra_bench_workers_alive[10m])") == 2.0);
    assert!(query(server, "count_over_time(archestra_bench_requests_in_flight[10m])") > 1.0);
    assert!(query(server, "max(max_over_time(archestra_bench_worker_cpu_cores[10m]))") > 0.0);
}

/// What streams tell of their tokens.
const OF_USAGE: [&str; 3] = [
    "archestra_bench_usage_reports_total",
    "archestra_bench_input_tokens_total",
    "archestra_bench_output_tokens_total",
];

#[test]
fn metrics_are_named_as_prometheus_asks_and_as_the_documents_say() {
    let test = "metrics_are_named_as_prometheus_asks_and_as_the_documents_say";
    let (bench, target, metrics) = (Bench::new(), failing_target(), free_address());
    let (url, address) = (target.url(), metrics.to_string());
    let flags = ["run", "--target", &url, "--scenario", "simple_chat_stream", "--duration", "30s", "--quiet"];
    let running = bench.start(&[&flags[..], &["--prometheus", &address]].concat());
    let mut text = String::new();
    let full = wait_until(BOUND, || {
        text = get(metrics, "/metrics").map(|(_, text)| text).unwrap_or_default();
        let tells = |name: &str| text.lines().any(|line| line.starts_with(name) && !line.ends_with(" 0"));
        text.contains("kind=\"status\"")
            && text.contains("worker_cpu_cores{")
            && OF_USAGE.into_iter().all(tells)
    });
    assert!(full, "{text}{}", running.stderr());
    assert_eq!(get(metrics, "/").unwrap().0, 404);
    running.signal(Signal::INT);
    assert_eq!(running.wait(BOUND).code, Some(130), "the end that is asked for waits for nobody");

    let exported = names(&text);
    let document = include_str!("../../docs/outputs.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `archestra_bench_"));
    let documented = rows.map(|rest| format!("archestra_bench_{}", rest.split('`').next().unwrap()));
    assert_eq!(documented.collect::<BTreeSet<_>>(), exported);

    let dashboard = include_str!("../../infra/grafana-dashboard.json");
    serde_json::from_str::<Value>(dashboard).unwrap();
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let named = dashboard.match_indices("archestra_bench_").map(|(at, _)| {
        let end = dashboard[at..].find(|character| !is_of_name(character)).unwrap();
        dashboard[at..at + end].trim_end_matches("_bucket").to_owned()
    });
    let named: BTreeSet<String> = named.collect();
    assert!(named.len() > 15 && named.is_subset(&exported), "{:?}", named.difference(&exported));
    assert!(OF_USAGE.into_iter().all(|name| named.contains(name)), "{named:?}");

    if has_program(test, "promtool") {
        let mut tool = Command::new("promtool");
        let mut tool =
            tool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let said = tool.wait_with_output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn silent_connections_keep_nobody_away() {
    let (bench, target, metrics) = (Bench::new(), Target::good(), free_address());
    let (url, address) = (target.url(), metrics.to_string());
    let run = ["run", "--target", &url, "--scenario", "simple_chat", "--duration", "60s", "--quiet"];
    let running = bench.start(&[&run[..], &["--prometheus", &address]].concat());
    assert!(wait_until(BOUND, || get(metrics, "/metrics").is_some()), "{}", running.stderr());
    // As many as there is room for.
    let silent: Vec<TcpStream> = (0..16).map(|_| TcpStream::connect(metrics).unwrap()).collect();
    let (status, _) = get(metrics, "/metrics").unwrap();
    assert_eq!((status, silent.len()), (200, 16));
}

#[test]
fn an_address_that_is_taken_ends_the_run_before_anything_is_sent() {
    let (bench, target) = (Bench::new(), Target::good());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let finished = bench.run(&["run", "--target", &target.url(), "--prometheus", &address]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains(&format!("--prometheus {address} cannot be listened at")),
        "{}",
        finished.stderr
    );
    assert_eq!(target.connections(), 0);
    assert_eq!(support::results::names(&bench), [""; 0], "nothing is left behind");
}

/// What OpenTelemetry's own messages find in requests, given in hex, one a line: how many there are; of the last one each
/// metric's sum by arm, its kind and its unit; and of all whether times and sums only grow.
const READ_OTLP: &str = r#"
import json, sys, uuid
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

requests, before, instances = [], {}, set()
for line in open(sys.argv[1]):
    request = ExportMetricsServiceRequest()
    request.ParseFromString(bytes.fromhex(line.strip()))
    metrics = {}
    [resource] = request.resource_metrics
    names = {item.key: item.value.string_value for item in resource.resource.attributes}
    assert names["service.name"] == "archestra-bench", names
    instances.add(str(uuid.UUID(names["service.instance.id"])))
    for metric in resource.scope_metrics[0].metrics:
        kind = metric.WhichOneof("data")
        data = getattr(metric, kind)
        if kind != "gauge":
            assert data.aggregation_temporality == 2
        assert kind != "sum" or data.is_monotonic
        sums = {}
        for point in data.data_points:
            labels = {item.key: item.value.string_value for item in point.attributes}
            assert point.start_time_unix_nano <= point.time_unix_nano
            if kind == "histogram":
                assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
                assert sum(point.bucket_counts) == point.count
                value = point.count
            else:
                value = getattr(point, point.WhichOneof("value"))
            arm = labels.get("arm", "")
            sums[arm] = sums.get(arm, 0) + value
        if kind != "gauge":
            for arm, value in before.get(metric.name, {}).items():
                assert sums[arm] >= value, f"{metric.name} fell"
            before[metric.name] = sums
        metrics[metric.name] = {"kind": kind, "unit": metric.unit, "sums": sums}
    requests.append(metrics)
assert len(instances) == 1, "a run is one source"
print(json.dumps({"requests": len(requests), "last": requests[-1]}))
"#;

#[test]
fn a_collector_is_told_the_records_totals_in_the_end() {
    let Some(python) = python("a_collector_is_told_the_records_totals_in_the_end") else { return };
    let told = Arc::new(Mutex::new(Vec::new()));
    let noting = Arc::clone(&told);
    let collector = Target::scripted(move |_, request| {
        let kind = request.header("content-type").unwrap_or_default().to_owned();
        let key = request.header("authorization").unwrap_or_default().to_owned();
        noting.lock().unwrap().push((request.path.clone(), kind, key, request.body.clone()));
        Reply::json(200, "{}")
    });
    let (target, base) = (failing_target(), collector.url());
    let bench = Bench::new().variable("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20sk-collector");
    let url = target.url();
    let run = ["run", "--target", &url, "--scenario", "simple_chat", "--duration", "2s", "--quiet"];
    let flags = ["--otlp", &base, "--otlp-interval", "500ms"];
    let finished = bench.run(&[&run[..], &flags].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let told = told.lock().unwrap();
    for (path, kind, key, _) in told.iter() {
        let said = (path.as_str(), kind.as_str(), key.as_str());
        assert_eq!(said, ("/v1/metrics", "application/x-protobuf", "Bearer sk-collector"));
    }
    let hex = |body: &Vec<u8>| body.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines: Vec<String> = told.iter().map(|(.., body)| hex(body)).collect();
    let path = bench.file("requests.txt", &lines.join("\n"));
    let read: Value = serde_json::from_str(&python.run(READ_OTLP, &[path.to_str().unwrap()])).unwrap();

    let results = Results::of(&bench);
    assert!(!std::fs::read_to_string(&results.report_path).unwrap().contains("sk-collector"));
    assert!(read["requests"].as_u64().unwrap() >= 3, "{read}");
    for (metric, kind, unit, count) in [
        ("requests_succeeded_total", "sum", "{request}", results.count(0, "successes")),
        ("requests_failed_total", "sum", "{request}", results.failures(0, "status")),
        ("received_bytes_total", "sum", "By", results.count(0, "bytes_received")),
        ("response_time_seconds", "histogram", "s", results.count(0, "successes")),
    ] {
        let found = &read["last"][format!("archestra_bench_{metric}")];
        assert_eq!((&found["kind"], &found["unit"]), (&kind.into(), &unit.into()), "{metric}");
        assert_eq!(found["sums"]["gateway"], count, "{metric}");
    }

    let nobody = format!("http://{}", free_address());
    let ignored = Bench::new().run(&[&run[..], &["--otlp", &nobody]].concat());
    assert_eq!(ignored.code, Some(0), "a collector that is not there fails nothing: {}", ignored.stderr);
    assert!(ignored.stderr.contains("metrics are not taken by 127.0.0.1 ("), "{}", ignored.stderr);
    let refused =
        Bench::new().variable("OTEL_EXPORTER_OTLP_HEADERS", "nonsense").run(&[&run[..], &flags].concat());
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
}

/// Takes the first metrics, and never answers what comes after them.
fn hanging_collector() -> Target {
    Target::scripted(|number, _| match number {
        0 => Reply::json(200, "{}"),
        _ => Reply::json(200, "{}").after(BOUND),
    })
}

#[test]
fn a_collector_that_hangs_keeps_nobody_from_the_summary() {
    let (bench, target, collector) = (Bench::new(), Target::good(), hanging_collector());
    let (url, otlp) = (target.url(), collector.url());
    // Both outputs are one, so that it shows what came first.
    let both = "exec \"$0\" \"$@\" 2>&1";
    let run = ["-c", both, PROGRAM, "run", "--target", &url, "--scenario", "simple_chat", "--requests", "40"];
    let flags = ["--quiet", "--otlp", &otlp, "--otlp-interval", "1h"];
    let finished = bench.start_program("sh", &[&run[..], &flags].concat()).wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stdout);
    let at =
        |text: &str| finished.stdout.find(text).unwrap_or_else(|| panic!("no {text}: {}", finished.stdout));
    assert!(
        at("\nReport:  ") < at("the run's last metrics were not taken by 127.0.0.1"),
        "{}",
        finished.stdout
    );
}

#[test]
fn a_collector_that_hangs_has_a_second_once_an_end_was_asked_for() {
    let (bench, target, collector) = (Bench::new(), Target::good(), hanging_collector());
    let (url, otlp) = (target.url(), collector.url());
    let run = ["run", "--target", &url, "--scenario", "simple_chat", "--duration", "60s", "--quiet"];
    let running = bench.start(&[&run[..], &["--otlp", &otlp, "--otlp-interval", "1h"]].concat());
    assert!(wait_until(BOUND, || target.counts().load > 20), "{}", running.stderr());
    running.signal(Signal::INT);
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    // Not the end of the five seconds that it has otherwise.
    assert!(finished.stderr.contains("(it took too long for a run that is to end)"), "{}", finished.stderr);
}
