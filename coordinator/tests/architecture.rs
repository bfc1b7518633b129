//! Keeps the invariants of ARCHITECTURE.md that can be seen in the sources: who names whom.
//!
//! Comments, unit tests and fixtures are left out, because they run in no product.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The coordinator's modules: each may name those above it and no other.
const FLOORS: [&str; 31] = [
    "nearest",
    "causes",
    "clock",
    "interrupt",
    "server",
    "environment",
    "rules",
    "starter",
    "viewer",
    "scenario",
    "threshold",
    "trust",
    "cli",
    "manual",
    "plan",
    "capacity",
    "config",
    "catalogue",
    "forecast",
    "merge",
    "statistics",
    "fleet",
    "session",
    "preflight",
    "report",
    "screen",
    "telemetry",
    "ui",
    "run",
    "setup",
    "command",
];

/// What runs for every request.
const HOT_PATH: [&str; 8] = [
    "worker/src/engine",
    "worker/src/connection",
    "worker/src/http1",
    "worker/src/http2",
    "worker/src/json",
    "worker/src/answer",
    "worker/src/sse",
    "worker/src/eight",
];

#[test]
fn the_coordinators_modules_rest_on_floors() {
    let sources = sources("coordinator/src");
    for source in &sources {
        let Some(floor) = FLOORS.iter().position(|module| *module == source.module) else {
            assert!(["lib", "main"].contains(&source.module.as_str()), "{} is on no floor", source.path);
            continue;
        };
        assert!(!source.code.contains("crate::{"), "{}: this test reads one name per use", source.path);
        for (above, module) in FLOORS.iter().enumerate().skip(floor + 1) {
            assert!(
                !source.names(&["crate", module]),
                "{} on floor {floor} names {module} on {above}",
                source.path
            );
        }
    }
    assert!(sources.iter().any(|source| source.module == "run" && source.names(&["crate", "session"])));
}

#[test]
fn only_main_names_the_worker() {
    let naming = who(&sources("coordinator/src"), |source| source.names(&["worker", ""]));
    assert_eq!(naming, ["coordinator/src/main.rs"]);
}

#[test]
fn generated_types_stay_at_the_edges() {
    let mut sources = sources("coordinator/src");
    sources.extend(self::sources("worker/src"));
    let naming = who(&sources, |source| source.names(&["wire"]));
    let at_an_edge = |path: &String| {
        path.starts_with("coordinator/src/session/") || path.starts_with("worker/src/service/")
    };
    assert!(naming.iter().all(at_an_edge), "{naming:?}");
    assert!(naming.len() >= 2, "{naming:?}");
}

#[test]
fn the_hot_path_knows_no_runtime_no_wire_and_no_terminal() {
    let foreign = [
        "tokio", "tonic", "hyper", "wire", "println", "print", "eprintln", "eprint", "stdout", "stderr",
        "Mutex", "RwLock",
    ];
    for source in HOT_PATH.iter().flat_map(|path| sources(path)) {
        for name in foreign {
            assert!(!source.names(&[name]), "{} names {name}", source.path);
        }
    }
    assert!(sources("worker/src/service").iter().any(|source| source.names(&["tonic"])));
}

#[test]
fn only_the_gcp_fleet_knows_google() {
    let knows = |source: &Source| {
        source.names(&["reqwest"])
            || source.names(&["google_cloud_auth"])
            || source.code.contains("googleapis.com/")
    };
    let knowing = who(&sources("coordinator/src"), knows);
    // The address of the API, which an environment variable may replace, is part of the configuration. Metrics go to a
    // collector by the same HTTP client.
    let may_know = |path: &String| {
        path.starts_with("coordinator/src/fleet/gcp/")
            || ["coordinator/src/config/gcp.rs", "coordinator/src/telemetry/otlp.rs"].contains(&path.as_str())
    };
    assert!(knowing.len() > 2 && knowing.iter().all(may_know), "{knowing:?}");
}

#[test]
fn only_clocks_ask_the_system_for_the_time() {
    let readings = [
        ["Instant", "now"],
        ["SystemTime", "now"],
        ["ZonedDateTime", "now"],
        ["Zoned", "now"],
        ["Timestamp", "now"],
    ];
    let asks = |source: &Source| {
        readings.iter().any(|reading| source.names(reading))
            || source.code.contains(".elapsed()")
            || source.names(&["disallowed_methods"])
    };
    let sources: Vec<_> =
        ["proto/src", "worker/src", "coordinator/src"].into_iter().flat_map(sources).collect();
    assert_eq!(who(&sources, asks), ["worker/src/clock.rs", "coordinator/src/clock.rs"]);
}

#[test]
fn only_reports_keys_and_logs_are_written() {
    let writes = |source: &Source| {
        let ways = [&["fs", "write"][..], &["File", "create"], &["OpenOptions"], &["DirBuilder"]];
        ways.iter().any(|way| source.names(way)) || source.code.contains("fs::create_dir")
    };
    let writing = who(&sources("coordinator/src"), writes);
    // A child's log is made by the process that starts it; a journal must be written before machines are made; a tunnel
    // needs a folder for its socket.
    let may_write = |path: &String| {
        ["coordinator/src/report/", "coordinator/src/trust/"].iter().any(|folder| path.starts_with(folder))
            || [
                "coordinator/src/fleet/child.rs",
                "coordinator/src/fleet/gcp/journal.rs",
                "coordinator/src/fleet/ssh/folder.rs",
            ]
            .contains(&path.as_str())
    };
    assert!(writing.iter().all(may_write), "{writing:?}");
    assert!(writing.iter().any(|path| path == "coordinator/src/report/files.rs"), "{writing:?}");
    // The certificate that a worker has made itself, where it is told to.
    assert_eq!(who(&sources("worker/src"), writes), ["worker/src/credentials.rs"]);
}

#[test]
fn the_contract_knows_no_runtime_no_client_and_no_cloud() {
    let manifest = read("proto/Cargo.toml");
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    assert!(dependencies.contains("prost"), "{dependencies}");
    for foreign in ["tokio", "mio", "hyper", "reqwest", "rustls", "clap", "transport"] {
        assert!(!dependencies.contains(foreign), "{foreign}");
    }
}

/// Names between backticks in ARCHITECTURE.md are files of the tree, or tests, where they look like either.
#[test]
fn the_page_names_what_there_is() {
    let page = read("ARCHITECTURE.md");
    let all: String = ["proto", "worker", "coordinator"].into_iter().flat_map(all_text).collect();
    let (mut files, mut tests) = (0, 0);
    for name in page.split('`').skip(1).step_by(2) {
        if name.contains('/') && name.chars().all(is_of_a_path) {
            assert!(root().join(name).exists(), "ARCHITECTURE.md names {name}, which is not there");
            files += 1;
        } else if name.matches('_').count() >= 3 {
            assert!(all.contains(&format!("fn {name}(")), "ARCHITECTURE.md names {name}, which is no test");
            tests += 1;
        }
    }
    assert!(files > 50 && tests > 20, "only {files} files and {tests} tests were found on the page");
}

#[test]
fn names_are_whole_words_and_tests_are_no_product() {
    let text = "use worker::cli;\n// tonic\nlet my_wire = rewire(x);\n#[cfg(test)]\nmod tests;\n\
                super::worker::x();std::fs::write();\n#[cfg(test)]\nmod tests {\n    println!();\n}";
    let source = Source { path: String::new(), module: String::new(), code: product_code(text) };
    assert!(source.names(&["worker", ""]) && source.names(&["worker", "cli"]));
    assert!(source.names(&["fs", "write"]));
    for absent in [&["tonic"][..], &["wire"], &["println"], &["worker", "x"], &["worker", "cl"]] {
        assert!(!source.names(absent), "{absent:?}");
    }
}

/// One source file, without its comments and its tests.
struct Source {
    /// From the root of the workspace.
    path: String,
    /// The module of its crate that it belongs to.
    module: String,
    code: String,
}

impl Source {
    /// Whether the path of these names, joined by `::`, occurs as whole words; an empty last one stands for anything.
    fn names(&self, path: &[&str]) -> bool {
        let wanted = path.join("::");
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        self.code.match_indices(&wanted).any(|(at, _)| {
            let (before, after) = (&self.code[..at], &self.code[at + wanted.len()..]);
            // A module of the same name within this crate.
            let is_own = before.ends_with("super::") || before.ends_with("self::");
            let starts = !before.ends_with(is_word) && !is_own;
            starts && (wanted.ends_with(':') || !after.starts_with(is_word))
        })
    }
}

fn who(sources: &[Source], does: impl Fn(&Source) -> bool) -> Vec<String> {
    sources.iter().filter(|source| does(source)).map(|source| source.path.clone()).collect()
}

/// The sources in the module or folder `place`, in order.
fn sources(place: &str) -> Vec<Source> {
    let mut files = rust_files(&root().join(place));
    files.extend(Some(root().join(format!("{place}.rs"))).filter(|file| file.exists()));
    let paths = files.iter().map(|file| file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
    let is_of_tests = |path: &str| path.contains("/tests/") || path.ends_with("/tests.rs");
    let product = paths.filter(|path| !is_of_tests(path) && !path.ends_with("/fixtures.rs"));
    let sources: Vec<_> = product.map(source).collect();
    assert!(!sources.is_empty(), "{place} holds no source");
    sources
}

fn source(path: String) -> Source {
    let within = path.split_once("/src/").unwrap().1;
    let module = within.split(['/', '.']).next().unwrap().to_owned();
    Source { module, code: product_code(&read(&path)), path }
}

/// Without lines that are comments, and without what follows `#[cfg(test)]` when that is a module's body.
fn product_code(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let is_tests =
        |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{');
    let end = lines.windows(2).position(is_tests).unwrap_or(lines.len());
    lines[..end].join("\n")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn all_text(folder: &str) -> Vec<String> {
    let files = ["src", "tests"].into_iter().flat_map(|part| rust_files(&root().join(folder).join(part)));
    files.map(|file| fs::read_to_string(file).unwrap()).collect()
}

fn is_of_a_path(character: char) -> bool {
    character.is_ascii_alphanumeric() || "/._-".contains(character)
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
