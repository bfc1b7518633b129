//! What a new folder begins with.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::process::Bench;

#[test]
fn what_init_writes_runs_at_once() {
    let bench = Bench::new();
    let written = bench.run(&["init"]);
    assert_eq!((written.code, written.stderr.as_str()), (Some(0), ""));
    assert!(written.stdout.contains("archestra-bench run --scenario scenario.toml"), "{}", written.stdout);
    let settings = fs::read_to_string(bench.folder().join(".env")).unwrap();
    assert_eq!(settings, include_str!("../../.env.example"));

    let finished = bench.run(&["run", "--scenario", "scenario.toml", "--requests", "20", "--quiet"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stdout.contains("| my_scenario |"), "{}", finished.stdout);

    // What the comments promise holds as well.
    let scenario = fs::read_to_string(bench.folder().join("scenario.toml")).unwrap();
    let all: String = scenario.lines().map(|line| format!("{}\n", without_comment_mark(line))).collect();
    bench.file("all.toml", &all.replace("body_file", "#body_file"));
    let finished = bench.run(&["run", "--scenario", "all.toml", "--requests", "20", "--quiet"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[test]
fn init_overwrites_nothing_and_then_writes_nothing() {
    for (there, absent) in [(".env", "scenario.toml"), ("scenario.toml", ".env")] {
        let bench = Bench::new();
        bench.file(there, "mine");
        let refused = bench.run(&["init"]);
        assert_eq!(refused.code, Some(1));
        assert_eq!(
            refused.stderr,
            format!(
                "error: {there} would be overwritten, so nothing is written: move what is there away, or begin in another folder\n"
            )
        );
        assert_eq!(fs::read_to_string(bench.folder().join(there)).unwrap(), "mine");
        assert!(!bench.folder().join(absent).exists());
    }
}

/// `#name = value` is a key that is commented out; `# text` is a comment.
fn without_comment_mark(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(key) if key.starts_with(|first: char| first.is_ascii_lowercase()) => key,
        _ => line,
    }
}
