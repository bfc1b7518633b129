//! Runs that are named wrongly, or whose files are no records, to every command that reads one: each is told in one sentence
//! what is wrong, where, and how to mend it.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use support::process::Bench;
use support::target::Target;

/// What the system says; none of it is a sentence with a cure.
const SYSTEMS_WORDS: [&str; 3] = ["os error", "No such file", "Is a directory"];

/// A run in `results`, and its name.
fn run(bench: &Bench) -> String {
    let target = Target::good();
    let finished =
        bench.run(&["run", "--target", &target.url(), "--scenario", "simple_chat", "--requests", "20"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let entries = fs::read_dir(bench.folder().join("results")).unwrap().map(|entry| entry.unwrap().path());
    let folder = entries.into_iter().find(|path| path.is_dir()).unwrap();
    folder.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Runs a command and expects one line of error that holds these words.
fn refused(bench: &Bench, arguments: &[&str], words: &str) {
    let finished = bench.run(arguments);
    let stderr = finished.stderr.trim_end();
    assert_eq!(finished.code, Some(1), "{arguments:?}: {stderr}");
    assert!(stderr.starts_with("error: ") && !stderr.contains('\n'), "{arguments:?}: {stderr}");
    assert!(stderr.contains(words), "{arguments:?}: `{words}` is not in: {stderr}");
    assert!(!SYSTEMS_WORDS.iter().any(|words| stderr.contains(words)), "{arguments:?}: {stderr}");
}

#[test]
fn whatever_is_named_in_the_place_of_a_run_is_told_in_a_sentence_with_its_cure() {
    let bench = Bench::new();
    let run = run(&bench);
    let report = format!("results/{run}/report.json");
    let json = fs::read_to_string(bench.folder().join(&report)).unwrap();
    let mut later: Value = serde_json::from_str(&json).unwrap();
    later["schema_version"] = 99.into();
    bench.file("empty.json", "");
    bench.file("cut.json", &json[..json.len() / 2]);
    bench.file("k6.json", r#"{"metrics": {"http_reqs": {"count": 100, "rate": 10.0}}}"#);
    bench.file("later.json", &later.to_string());
    bench.file("words.json", "Requests per second: 100\n");
    for folder in ["bare", "nested/report.json"] {
        fs::create_dir_all(bench.folder().join(folder)).unwrap();
    }
    let meant = format!("; did you mean `results/{run}`?");
    let short = &run[..run.len() - 1];
    let cases = [
        (
            "nowhere.json".to_owned(),
            "there is no nowhere.json: name a run's folder, its report.json or its summary; `arch",
        ),
        (format!("results/{short}"), meant.as_str()),
        (format!("results/{short}/report.json"), &meant),
        (format!("results/summary_{short}.md"), &meant),
        (run.clone(), &meant),
        (
            "results".into(),
            "results holds no report.json: it holds the results of runs, of which one must be named",
        ),
        (
            "bare".into(),
            "bare holds no report.json: its run goes on or was killed early, or it is no run's folder; `arch",
        ),
        ("nested".into(), "nested/report.json is a folder and not a file: name the report.json"),
        ("cut.json/report.json".into(), "there is no cut.json/report.json: name a run's folder"),
        ("empty.json".into(), "empty.json cannot be used: it is empty: copy it again"),
        ("cut.json".into(), "cut.json cannot be used: it ends in the middle of line "),
        (
            "k6.json".into(),
            "k6.json cannot be used: it is JSON, and of another program: name the report.json",
        ),
        ("words.json".into(), "words.json cannot be used: it is no report.json of archestra-bench ("),
        (
            "later.json".into(),
            "later.json cannot be used: it has schema version 99, and this version reads 1 to 3: use",
        ),
    ];
    for (named, words) in &cases {
        for command in ["report", "verify"] {
            refused(&bench, &[command, named], words);
        }
        refused(&bench, &["compare", named, &report], words);
        refused(&bench, &["compare", &report, named], words);
    }
    for named in [format!("results/{run}"), format!("results/summary_{run}.md"), report] {
        let finished = bench.run(&["verify", &named]);
        assert_eq!(finished.code, Some(0), "{named}: {}{}", finished.stdout, finished.stderr);
    }
}

#[test]
fn a_file_that_this_user_may_not_read_is_said_to_be_so() {
    if rustix::process::geteuid().is_root() {
        let note =
            b"skipped: a_file_that_this_user_may_not_read_is_said_to_be_so: root may read everything\n";
        std::io::stderr().write_all(note).unwrap();
        return;
    }
    let bench = Bench::new();
    bench.file("closed.json", "{}");
    let closed = bench.folder().join("closed.json");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    for command in ["report", "verify"] {
        refused(
            &bench,
            &[command, "closed.json"],
            "closed.json may not be read by this user: change its permissions",
        );
    }
}

#[test]
fn a_results_folder_that_is_none_and_a_run_that_is_not_in_it_are_named() {
    let bench = Bench::new();
    let run = run(&bench);
    bench.file("file", "");
    let is_file = "file is a file and no results folder: name the folder that runs are in with --results-dir";
    for command in ["list", "open"] {
        refused(&bench, &[command, "--results-dir", "file"], is_file);
    }
    refused(&bench, &["open", &run[..run.len() - 1]], &format!("did you mean `{run}`?"));
    refused(
        &bench,
        &["open", "nothing"],
        "there is no run nothing in results; `archestra-bench list` names those",
    );
    refused(
        &bench,
        &["open", "--results-dir", "nowhere"],
        "there are no results in nowhere: `archestra-bench run` makes some",
    );
}
