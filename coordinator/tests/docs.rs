//! The documents as a reader types them: every block of commands in README.md and under docs is run, in a folder of its own
//! for each page. Loads are cut short; VMs are those of the fake cloud; what cannot be run says why, and is counted.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod support;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use support::cloud::Cloud;
use support::pages::{Block, OVER_SSH, Page, pages, shortened};
use support::process::Bench;
use support::providers::{self, PROVIDERS};
use support::results::Results;

/// What is told instead of done, or left out, and how many blocks are.
const LEFT_OUT: [(&str, usize); 4] = [
    ("dry run: needs a gateway with TLS", 1),
    ("dry run: needs workers on other machines", 1),
    ("not run: builds everything", 2),
    ("not run: needs a validator of JSON Schema, which coordinator/tests/schema.rs has", 1),
];
/// What nobody types.
const NO_COMMANDS: [&str; 3] = ["markdown", "text", "json"];
/// Addresses that pages name; each page gets free ones in their place.
const ADDRESSES: [&str; 6] = [
    "127.0.0.1:9000",
    "127.0.0.1:9100",
    "127.0.0.1:9464",
    "127.0.0.1:9470",
    "0.0.0.0:7700",
    "127.0.0.1:7701",
];
/// Runs of somebody's own, as pages call them.
const RUNS: [&str; 2] = ["20261124_063521", "20261125_063502"];
/// A gateway on a network of the cloud.
const FAR: &str = "http://10.132.0.9:8080";
/// What pages presuppose.
const FILES: [(&str, &str); 4] = [
    ("prompts.jsonl", "{\"prompt\": \"Why?\"}\n"),
    ("prompts.csv", "prompt\nWhy?\n"),
    ("trace.jsonl", "{\"timestamp\": 0, \"input_length\": 3, \"output_length\": 2}\n"),
    ("hosts.txt", "me@10.0.0.2\n"),
];
/// Less of everything that a flag does not say.
const SETTINGS: &str = "set -euo pipefail
PATH=$PWD/bin:$PATH
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
export ARCHESTRA_BENCH_QUIET=true ARCHESTRA_BENCH_WARMUP=20ms ARCHESTRA_BENCH_COOL_DOWN=10ms
export ARCHESTRA_BENCH_MAX_RATE=200 ARCHESTRA_BENCH_STEP=500ms NUM_REQUESTS=100
";
/// How long the commands of one page may take.
const BOUND: Duration = Duration::from_secs(180);

#[test]
fn every_block_of_every_page_is_run() {
    // What takes longest begins first; five at once, because most of a command's time is waiting.
    let mut pages: Vec<_> = pages().into_iter().filter(|page| !steps(page).is_empty()).collect();
    pages.sort_by_key(|page| (has_vms(page), steps(page).len()));
    let (pages, done) = (Mutex::new(pages), Mutex::new((0, Vec::new())));
    let next = || pages.lock().unwrap().pop();
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                while let Some(page) = next() {
                    let ended = run(&page);
                    let mut done = done.lock().unwrap();
                    match ended {
                        Ok(commands) => done.0 += commands,
                        Err(why) => done.1.push(why),
                    }
                }
            });
        }
    });
    let (commands, failed) = done.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert!(commands > 60, "only {commands} commands were run");
}

#[test]
fn what_is_left_out_says_why_and_is_counted() {
    let mut found = BTreeMap::new();
    for page in pages() {
        for line in page.prose().windows(2).filter(|lines| lines[0].trim().is_empty()).map(|lines| lines[1]) {
            assert!(!line.starts_with("    "), "{}: put `{}` between fences", page.name, line.trim());
        }
        for block in page.blocks() {
            let is_known = ["sh", "env", "toml"].contains(&block.language);
            let is_output = NO_COMMANDS.contains(&block.language);
            assert!(is_known || is_output, "{}: a block of `{}`", page.name, block.language);
            for line in block.lines.iter().filter(|_| is_output) {
                let typed = ["archestra-bench ", "cargo ", "$ "].iter().any(|start| line.starts_with(start));
                assert!(!typed, "{}: `{line}` would not be run", page.name);
            }
            block.lines.iter().filter(|_| block.language == "sh").for_each(|line| check_flags(line));
            if let Some(why) = left_out(&block) {
                *found.entry(why.to_owned()).or_insert(0) += 1;
            }
        }
    }
    let known: BTreeMap<_, _> = LEFT_OUT.map(|(why, count)| (why.to_owned(), count)).into();
    assert_eq!(found, known);
}

#[test]
fn the_lines_of_the_merge_proof_say_what_the_record_says() {
    let bench = Bench::new();
    let finished = bench.run(&["run", "--requests", "50", "--scenario", "simple_chat", "--quiet"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    let page = Page::read("docs/trust.md".into());
    let blocks = page.blocks();
    let says = |program: &str| {
        let line =
            blocks.iter().flat_map(|block| &block.lines).find(|line| line.starts_with(program)).unwrap();
        let script = format!("cd results/2* && {line}");
        let told = bench.start_program("bash", &["-c", &script]).wait(BOUND).stdout;
        told.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(results.report["sha256"], says("head "));
    if has_jq() {
        let (digest, worker) = (says("jq "), &results.block(0)["workers"][0]);
        assert!(digest.len() == 64 && worker.to_string().contains(&digest), "{digest}");
    }
}

/// Every flag of a command is one of its subcommand's.
fn check_flags(line: &str) {
    let words: Vec<&str> = line.split(' ').skip_while(|word| *word != "archestra-bench").collect();
    let Some(subcommand) = words.get(1).filter(|_| line.starts_with("archestra-bench ")) else { return };
    let page = Page::read(format!("docs/commands/{subcommand}.md")).text;
    for flag in words.iter().take_while(|word| **word != "#").filter(|word| word.starts_with("--")) {
        let name = flag.split('=').next().unwrap();
        let is_known = page.split('`').any(|code| code.split([' ', '[', '=']).next() == Some(name));
        assert!(is_known, "{subcommand} has no {name}, which `{line}` gives");
    }
}

fn left_out<'a>(block: &Block<'a>) -> Option<&'a str> {
    block.marker.filter(|marker| marker.starts_with("not run: ") || marker.starts_with("dry run: "))
}

/// What a page has a reader do, in order.
enum Step<'a> {
    Type { line: &'a str, is_told: bool },
    Append { file: String, lines: Vec<&'a str> },
}

fn steps(page: &Page) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for block in page.blocks() {
        let why = left_out(&block);
        match block.language {
            "sh" if why.is_some_and(|why| why.starts_with("not run")) => {}
            "sh" => {
                let is_told = why.is_some() || block.marker == Some(OVER_SSH);
                steps.extend(block.lines.into_iter().map(|line| Step::Type { line, is_told }));
            }
            "env" => steps.push(Step::Append { file: ".env".into(), lines: block.lines }),
            "toml" => {
                let name = block.lines[0].split('"').nth(1).unwrap();
                steps.push(Step::Append { file: format!("{name}.toml"), lines: block.lines });
            }
            _ => {}
        }
    }
    steps
}

/// Runs all blocks of a page as one script; how many commands that were.
fn run(page: &Page) -> Result<usize, String> {
    let (steps, alone) = (steps(page), Bench::new());
    let cloud = has_vms(page).then(Cloud::new);
    let bench = cloud.as_ref().map_or(&alone, |cloud| &cloud.bench);
    for (name, text) in FILES {
        bench.file(name, text);
    }
    bench.program_on_path();

    // All at once, so that they differ, and free again.
    let ports = ADDRESSES.map(|_| listener_that_no_connection_takes());
    let ports = ports.map(|port| port.local_addr().unwrap().port());
    let far = cloud.as_ref().filter(|_| page.text.contains(FAR)).map(Cloud::upstream);
    let here = |line: &str| {
        let near = ADDRESSES.iter().zip(ports).fold(line.to_owned(), |line, (address, port)| {
            line.replace(address, &format!("{}:{port}", address.split(':').next().unwrap()))
        });
        far.iter().fold(near, |line, url| line.replace(FAR, url))
    };

    let mut script = SETTINGS.to_owned();
    for address in &ADDRESSES[..2] {
        let mock = format!("archestra-bench mock --listen {address} ");
        let is_typed = |step: &Step<'_>| matches!(step, Step::Type { line, .. } if line.starts_with(&mock));
        if !steps.iter().any(is_typed) {
            script += &in_background(&here(&format!("{mock}--latency 2ms &")));
        }
    }
    script += &runs_of_ones_own(page);
    let providers = providers::target();
    let mut commands = 0;
    for step in steps {
        match step {
            Step::Append { file, lines } => {
                script += &format!("cat >>{file} <<'END'\n{}\nEND\n", lines.join("\n"));
                script += &loaded(&file, &lines, &providers.url());
            }
            Step::Type { line, .. } if line.starts_with("jq ") && !has_jq() => {}
            Step::Type { line, is_told } => {
                commands += 1;
                let line = here(&shortened(line));
                script += &match line.ends_with('&') {
                    true => in_background(&line),
                    false => format!("{}{line}{}\n", told(is_told), judged(&line)),
                };
            }
        }
    }
    let finished = bench.start_program("bash", &["-c", &script]).wait(BOUND);
    match finished.code {
        Some(0) => Ok(commands),
        code => Err(format!("{}: {code:?}\n{script}\n{}\n{}", page.name, finished.stdout, finished.stderr)),
    }
}

fn has_vms(page: &Page) -> bool {
    page.text.contains("archestra-bench setup")
}

/// Two runs under the names that pages give them, where the page names them.
fn runs_of_ones_own(page: &Page) -> String {
    let named = RUNS.iter().filter(|run| page.text.contains(**run));
    let made = named.clone().map(|run| {
        let load = "--requests 50 --scenario simple_chat --seed 1";
        format!("archestra-bench run {load} >/dev/null\nmv results/2* kept-{run}\n")
    });
    made.chain(named.map(|run| format!("mv kept-{run} results/{run}\n"))).collect()
}

/// A scenario file is run, and the summary names it.
fn loaded(file: &str, lines: &[&str], providers: &str) -> String {
    let Some(name) = file.strip_suffix(".toml") else { return String::new() };
    let needs_rows = lines.iter().any(|line| line.contains("{{ prompt }}"));
    let rows = if needs_rows { " --dataset prompts.csv" } else { "" };
    // The mock streams chat completions alone.
    let is_of = |format| lines.contains(&format!("stream = \"{format}\"").as_str());
    let is_of_provider = PROVIDERS.iter().any(|provider| is_of(provider.format));
    let target = if is_of_provider { format!(" --target {providers}") } else { String::new() };
    format!("archestra-bench run --scenario {file}{rows}{target} --requests 20 | grep '| {name} |'\n")
}

fn has_jq() -> bool {
    let is_there = Command::new("jq").arg("--version").output().is_ok_and(|told| told.status.success());
    assert!(is_there || std::env::var("CI").as_deref() != Ok("true"), "there is no jq here");
    if !is_there {
        eprintln!("skipped: the line with jq, which is not installed (apt-get install jq)");
    }
    is_there
}

fn told(is_told: bool) -> &'static str {
    if is_told { "ARCHESTRA_BENCH_DRY_RUN=true " } else { "" }
}

/// What figures decide may come out either way on a machine that does other things as well.
fn judged(line: &str) -> &'static str {
    let by_figures = ["--threshold", "--slo", "--abort-on", "archestra-bench compare"];
    if by_figures.iter().any(|part| line.contains(part)) { " || [ $? = 4 ]" } else { "" }
}

/// Listens below the ports that the system gives to connections: one of those could be taken before the page is run.
fn listener_that_no_connection_takes() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let mut next = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed)).take(10_000);
    next.find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).unwrap()
}

/// Starts what serves, and waits until it does.
fn in_background(line: &str) -> String {
    let address = line.split("--listen ").nth(1).unwrap().split(' ').next().unwrap();
    let port = address.split(':').nth(1).unwrap();
    format!("{line}\nuntil (echo > /dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done\n")
}
