//! What the program says of itself: completions that a shell takes, and pages that a pager reads.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use std::fs;

use support::process::{BOUND, Bench, Finished};

/// Runs a shell's script in the bench's folder.
fn bash(bench: &Bench, script: &str) -> Finished {
    bench.start_program("bash", &["--norc", "--noprofile", "-c", script]).wait(BOUND)
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let bench = Bench::new();
    let script = bench.run(&["completions", "bash"]);
    assert_eq!((script.code, script.stderr.as_str()), (Some(0), ""));
    bench.file("completions.bash", &script.stdout);
    let completed = |words: &str, last: &str, before: &str| {
        let count = words.split(' ').count();
        let script = format!(
            "source completions.bash; COMP_WORDS=({words} '{last}'); COMP_CWORD={count}; \
             _archestra__bench archestra-bench '{last}' '{before}'; echo \"${{COMPREPLY[@]}}\""
        );
        let finished = bash(&bench, &script);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished.stdout.trim().to_owned()
    };
    assert_eq!(completed("archestra-bench run", "--thresh", "run"), "--threshold");
    assert_eq!(completed("archestra-bench", "capa", "archestra-bench"), "capacity");
    assert_eq!(completed("archestra-bench run --fleet", "ad", "--fleet"), "addresses");
    let registered = bash(&bench, "source completions.bash; complete -p archestra-bench");
    assert!(registered.stdout.contains("-F _archestra__bench"), "{}", registered.stdout);
}

#[test]
fn every_shell_has_completions_and_others_are_told_which() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let finished = Bench::new().run(&["completions", shell]);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stdout.contains("think-time"), "{shell}");
    }
    let refused = Bench::new().run(&["completions", "tcsh"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("must be one of bash, elvish, fish, powershell, zsh"),
        "{}",
        refused.stderr
    );
}

#[test]
fn the_man_page_is_one_and_there_is_one_for_each_command() {
    let bench = Bench::new();
    let page = bench.run(&["man"]);
    assert_eq!(page.code, Some(0), "{}", page.stderr);
    assert!(page.stdout.contains(".TH archestra-bench 1"), "{}", page.stdout);

    let written = bench.run(&["man", "made/as/needed"]);
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    let folder = bench.folder().join("made/as/needed");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.contains(&"archestra-bench.1".to_owned()), "{names:?}");
    for command in ["run", "capacity", "compare", "setup", "worker", "mock"] {
        assert!(names.contains(&format!("archestra-bench-{command}.1")), "{command} in {names:?}");
    }
    assert_eq!(bench.run(&["man", "made/as/needed"]).code, Some(0), "pages are made again");

    for name in ["archestra-bench.1", "archestra-bench-run.1"] {
        let finished = formatted(&bench, &format!("made/as/needed/{name}"));
        let Some(finished) = finished else { return };
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{name}");
        let said = if name.contains("run") { "--threshold" } else { "capacity" };
        assert!(finished.stdout.contains(said), "{}", finished.stdout);
    }
}

/// As a pager shows it; `None` where nothing formats pages here, which CI has.
fn formatted(bench: &Bench, page: &str) -> Option<Finished> {
    let script = format!(
        "if command -v groff >/dev/null; then groff -man -Tascii -P-cbou -ww {page}; \
         elif command -v mandoc >/dev/null; then mandoc -T ascii -W warning {page} | sed 's/.\\x08//g'; else exit 77; fi"
    );
    let finished = bash(bench, &script);
    if finished.code == Some(77) {
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "CI has no groff");
        eprintln!("skipped: the man pages are not formatted, for want of groff and mandoc");
        return None;
    }
    Some(finished)
}
