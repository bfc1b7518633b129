//! What commands print, but for figures that are measured, against what somebody has looked at.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use support::cloud::{Cloud, Fate};
use support::process::{BOUND, Bench, Finished};
use support::request::{Purpose, Reply};
use support::results::Results;
use support::target::Target;

/// What a command prints. `BLESS=1` writes that anew, to be looked at.
fn holds(name: &str, bench: &Bench, arguments: &[&str]) {
    let finished = bench.run(arguments);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    holds_text(name, &finished.stdout.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

fn holds_text(name: &str, told: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, told).unwrap();
    }
    assert_eq!(told, fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
}

#[test]
fn scenarios_and_one_of_them() {
    let bench = Bench::new();
    holds("scenarios.txt", &bench, &["scenarios"]);
    holds("scenario_tools.txt", &bench, &["scenarios", "chat_with_tools_stream", "--model", "a-model"]);
}

#[test]
fn plans_that_are_told_and_not_carried_out() {
    let bench = Bench::new();
    let run = ["run", "--dry-run", "--scenario", "simple_chat,chat_with_tools"];
    let arms = ["--target", "http://gateway:9000", "--direct", "http://upstream:8000", "--workers", "3"];
    holds("dry_run_arms.txt", &bench, &[&run[..], &arms, &["--repeats", "2", "--threads", "2"]].concat());
    let mix = ["run", "--dry-run", "--mix", "simple_chat=7,simple_chat_stream=3", "--threads", "1"];
    let load = ["--target", "http://gateway:9000", "--rate", "50,200", "--duration", "30s", "--workers", "2"];
    holds("dry_run_mix.txt", &bench, &[&mix[..], &load].concat());
    let search = ["capacity", "--dry-run", "--scenario", "simple_chat", "--target", "http://gateway:9000"];
    let bounds = ["--max-rate", "800", "--slo", "p95<50ms", "--workers", "1", "--threads", "1"];
    holds("dry_run_search.txt", &bench, &[&search[..], &bounds].concat());
}

#[test]
fn what_init_tells() {
    holds("init.txt", &Bench::new(), &["init"]);
}

#[test]
fn no_results_yet() {
    holds("list_none.txt", &Bench::new(), &["list"]);
}

#[test]
fn a_platform_in_the_cloud_from_its_making_to_its_end() {
    let cloud = Cloud::new();
    let mut told = String::new();
    for command in ["setup", "status", "cleanup", "status", "cleanup"] {
        let settings = cloud.bench.folder().join("benchmark-config.env");
        told += &told_by(&cloud.bench, &[command]);
        if command == "setup" {
            told += &format!(
                "benchmark-config.env:\n{}\n",
                normalised(&cloud.bench, &fs::read_to_string(settings).unwrap())
            );
        }
    }
    holds_text("told_cloud.txt", &told);
}

#[test]
fn a_platform_that_does_not_come_up() {
    let cloud = Cloud::new();
    cloud.doom("archestra-platform-vm", Fate::Failed("docker was not found".into()));
    holds_text("told_cloud_failed.txt", &told_by(&cloud.bench, &["setup"]));
}

#[test]
fn records_that_are_true_forged_and_no_records() {
    let (bench, target) = (Bench::new(), Target::good());
    let run = ["run", "--quiet", "--scenario", "simple_chat", "--requests", "20", "--threshold", "failed<=0"];
    let finished = bench.run(&[&run[..], &["--target", &target.url()]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let folder = bench.folder().join("a-run");
    fs::rename(Results::of(&bench).report_path.parent().unwrap(), &folder).unwrap();
    let record = folder.join("report.json");
    let text = fs::read_to_string(&record).unwrap();
    let mut told = told_by(&bench, &["verify", "a-run/report.json"]);
    fs::write(&record, text.replacen("\"outcome\": \"passed\"", "\"outcome\": \"missed\"", 1)).unwrap();
    told += &told_by(&bench, &["verify", "a-run/report.json"]);
    fs::write(&record, "{}").unwrap();
    told += &told_by(&bench, &["verify", "a-run/report.json"]);
    holds_text("told_verify.txt", &told);
}

#[test]
fn thresholds_that_are_missed() {
    let target = Target::scripted(|number, request| match (request.purpose(), number % 2) {
        (Purpose::Load, 0) => Reply::json(503, "{}"),
        _ => Reply::good(request),
    });
    let bench = Bench::new();
    let thresholds = ["--threshold", "failed<=60%,failed<=0", "--threshold", "simple_chat:failed<5%"];
    let run = ["run", "--quiet", "--scenario", "simple_chat", "--requests", "20", "--target", &target.url()];
    let finished = bench.run(&[&run[..], &thresholds].concat());
    let (_, section) = finished.stdout.split_once("## Thresholds\n").unwrap();
    let section = section.split("\n## ").next().unwrap().trim();
    let told = format!("{section}\n\n{}(exits with {})\n", finished.stderr, finished.code.unwrap());
    holds_text("told_missed.txt", &normalised(&bench, &told));
}

#[test]
fn what_a_search_has_found() {
    let searched = |objective: &str| {
        let (bench, target) = (Bench::new(), Target::with_latencies(vec![Duration::from_millis(5)]));
        let (url, load) = (target.url(), ["--start-rate", "50", "--max-rate", "100", "--step", "200ms"]);
        let search =
            ["capacity", "--quiet", "--warmup", "none", "--scenario", "simple_chat", "--target", &url];
        let finished = bench.run(&[&search[..], &load, &["--slo", objective]].concat());
        let (_, section) = finished.stdout.split_once("## Capacity\n").unwrap();
        let section = section.split("\n## ").next().unwrap().trim();
        format!("{section}\n\n{}(exits with {})\n\n", finished.stderr, finished.code.unwrap())
    };
    let [held, missed] = thread::scope(|scope| {
        // Most of a search is waiting.
        ["p99<20s", "p99<1ms"].map(|slo| scope.spawn(move || searched(slo))).map(|one| one.join().unwrap())
    });
    holds_text("told_capacity.txt", &(held + &missed));
}

#[test]
fn what_serves_says_where_and_ends_when_asked() {
    let bench = Bench::new();
    let mut told = String::new();
    for command in [["mock", "--listen", "127.0.0.1:0"], ["worker", "--listen", "127.0.0.1:0"]] {
        let serving = bench.start(&command);
        serving.wait_for("listening on ", BOUND);
        serving.signal(Signal::INT);
        told += &told_at_the_end(&bench, &command, &serving.wait(BOUND));
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    told += &told_by(&bench, &["mock", "--listen", &taken.local_addr().unwrap().to_string()]);
    holds_text("told_serving.txt", &told);
}

#[test]
fn credentials_for_workers_on_other_machines() {
    let bench = Bench::new();
    let made = told_by(&bench, &["pki", "--out", "keys"]);
    let refused = told_by(&bench, &["pki", "--out", "keys"]);
    let anew = told_by(
        &bench,
        &["pki", "--out", "keys", "--force", "--fleet-name", "blue", "--state-dir", "a state"],
    );
    holds_text("told_pki.txt", &(made + &refused + &anew));
}

/// What a command writes to both outputs, and how it ends.
fn told_by(bench: &Bench, command: &[&str]) -> String {
    told_at_the_end(bench, command, &bench.run(command))
}

fn told_at_the_end(bench: &Bench, command: &[&str], finished: &Finished) -> String {
    // What happens at once is told in any order.
    let mut notices: Vec<String> = finished.stderr.lines().map(|line| normalised(bench, line)).collect();
    if command == ["cleanup"] {
        notices.sort();
    }
    let told = format!("$ archestra-bench {}\n{}", command.join(" "), finished.stdout);
    let end = format!("{}\n(exits with {})\n\n", notices.join("\n"), finished.code.unwrap());
    normalised(bench, &told) + end.trim_start_matches('\n')
}

/// Without what differs from one time to the next: folders, versions, addresses, times and names that are drawn.
fn normalised(bench: &Bench, text: &str) -> String {
    let text = text.replace(bench.folder().to_str().unwrap(), "FOLDER");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let cell = |cell: &str| {
        let words: Vec<String> = cell.split(' ').filter(|word| !word.is_empty()).map(word).collect();
        words.join(" ").replace("SPAN SPAN", "SPAN").replace("SPAN s", "SPAN")
    };
    let line = |line: &str| {
        let cells = line.split("  ").map(str::trim).filter(|text| !text.is_empty());
        cells.map(cell).collect::<Vec<_>>().join("  ")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn word(word: &str) -> String {
    let is_made_of = |text: &str, others: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit() || others.contains(letter))
    };
    let is_span = ["ms", "s", "m", "h"]
        .iter()
        .any(|unit| word.strip_suffix(unit).is_some_and(|number| is_made_of(number, ".")));
    let is_drawn = word.len() == 8 && is_made_of(word, "abcdef");
    let is_clock = word.len() >= 6 && is_made_of(word, "+-:;") && word.contains(['-', ':']);
    let Some((before, address)) = word.split_once("127.") else {
        return match () {
            () if is_span || is_made_of(word, ".") && word.contains('.') => "SPAN".into(),
            () if is_clock => "TIME".into(),
            () if is_drawn => "ID".into(),
            () => word.to_owned(),
        };
    };
    let end = |text: &str, others: &str| {
        text.find(|letter: char| !letter.is_ascii_digit() && !others.contains(letter)).unwrap_or(text.len())
    };
    let rest = &address[end(address, ".")..];
    // Those that programs have of their own are shorter.
    let port = rest.strip_prefix(':').map(|port| &port[..end(port, "")]).filter(|port| port.len() == 5);
    let rest = port.map_or_else(|| rest.to_owned(), |port| rest.replacen(port, "PORT", 1));
    format!("{before}ADDRESS{rest}")
}
