//! The documents as a reader types them: blocks of docs/*.md are run as they stand, commands of the README are held against
//! the program, pages of commands are made again, links lead somewhere.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coordinator::rules::RULES;
use support::process::{BOUND, Bench, PROGRAM};

/// What cannot be run here, by the beginning of its command, and why. Its flags are looked up all the same.
const NOT_HERE: [(&str, &str); 12] = [
    ("cargo ", "builds or tests all of this"),
    ("export ", "sets what the test sets itself"),
    (
        "archestra-bench mock --listen 127.0.0.1:9",
        "serves until it is ended; in docs/tutorial.md it runs in the background",
    ),
    ("archestra-bench worker ", "serves until it is ended"),
    ("archestra-bench report results/2026", "names a run of somebody's own"),
    ("archestra-bench verify results/2026", "names a run of somebody's own"),
    ("archestra-bench compare results/2026", "names runs of somebody's own"),
    ("archestra-bench setup", "takes a real Google Cloud project"),
    ("archestra-bench status", "takes a real Google Cloud project"),
    ("archestra-bench cleanup", "takes a real Google Cloud project"),
    ("archestra-bench run --fleet gcp --workers 4", "takes a real Google Cloud project"),
    (
        "archestra-bench run --fleet ssh --host me@10.0.0.2 --host me@10.0.0.3 --target",
        "takes machines that ssh reaches",
    ),
];

fn is_not_here(line: &str) -> bool {
    NOT_HERE.iter().any(|(beginning, _)| line.starts_with(beginning))
}

#[test]
fn the_blocks_of_the_tutorial_can_be_run() {
    run_document("docs/tutorial.md", 18);
}

#[test]
fn the_blocks_of_the_scenario_reference_can_be_run() {
    let bench = run_document("docs/scenarios.md", 3);
    let text = read("docs/scenarios.md");
    for (number, file) in text.split("```toml\n").skip(1).enumerate() {
        let name = format!("example{number}.toml");
        bench.file(&name, file.split("```").next().unwrap());
        let finished = bench.run(&["run", "--scenario", &name, "--requests", "20", "--quiet"]);
        assert_eq!(finished.code, Some(0), "{name}: {}", finished.stderr);
    }
}

#[test]
fn the_blocks_about_figures_can_be_run() {
    run_document("docs/figures.md", 1);
    let text = read("docs/figures.md");
    let rows = text.split("## The verdict").nth(1).unwrap().split("\n## ").next().unwrap().lines();
    let named: BTreeSet<&str> = rows.filter_map(|row| row.strip_prefix("| ")?.split(' ').next()).collect();
    let known: BTreeSet<&str> = RULES.into_iter().chain(["Rule", "---"]).collect();
    assert_eq!(named, known, "the rules that there are");
}

/// Runs all blocks of a document as one script, in a folder of its own, with free ports in the place of its own. As many
/// commands must have been run at least.
fn run_document(name: &str, least: usize) -> Bench {
    let bench = Bench::new();
    let text = read(name);
    let lines: Vec<&str> =
        text.split("```sh\n").skip(1).flat_map(|block| block.split("```").next().unwrap().lines()).collect();
    // Both at once, so that they differ, and free again.
    let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let ports = ports.map(|port| port.local_addr().unwrap().to_string());
    let (mut script, mut commands) =
        (String::from("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"), 0);
    for line in lines {
        check_flags(line);
        if is_not_here(line) && !line.ends_with('&') {
            continue;
        }
        commands += 1;
        let line = line.replace("127.0.0.1:9000", &ports[0]).replace("127.0.0.1:9100", &ports[1]);
        script += &format!("{line}\n");
        if let Some(address) =
            line.strip_suffix('&').and_then(|line| line.split("--listen ").nth(1)?.split(' ').next())
        {
            let (host, port) = address.split_once(':').unwrap();
            script += &format!("until (echo > /dev/tcp/{host}/{port}) 2>/dev/null; do sleep 0.05; done\n");
        }
    }
    assert!(commands >= least, "only {commands} commands in {name}");
    bench.file("bin/.keep", "");
    std::os::unix::fs::symlink(PROGRAM, bench.folder().join("bin/archestra-bench")).unwrap();
    let script = format!("PATH=$PWD/bin:$PATH\n{script}");
    let finished = bench.start_program("bash", &["-c", &script]).wait(Duration::from_secs(180));
    assert_eq!(finished.code, Some(0), "{name}\n{}\n{}", finished.stdout, finished.stderr);
    bench
}

#[test]
fn the_readmes_commands_can_be_typed() {
    // Each is told its plan: that takes every flag and every file, and neither the network nor time.
    let bench = Bench::new()
        .variable("ARCHESTRA_BENCH_DRY_RUN", "true")
        .variable("GCP_PROJECT_ID", "my-project")
        .variable("GCP_ZONE", "europe-west1-b");
    let readme = read("README.md");
    bench.file("capital.toml", readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap());
    bench.file("varied.toml", "body = '{\"prompt\": \"{{ prompt }}\"}'\n");
    bench.file("prompts.jsonl", "{\"prompt\": \"Why?\"}\n");
    bench.file("prompts.csv", "prompt\nWhy?\n");
    bench.file("trace.jsonl", "{\"timestamp\": 0, \"input_length\": 3, \"output_length\": 2}\n");
    bench.file("hosts.txt", "me@10.0.0.2\n");
    let commands: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with("archestra-bench "))
        .map(|line| line.split("  #").next().unwrap().trim_end())
        .collect();
    let mut typed = 0;
    for command in commands {
        check_flags(command);
        if is_not_here(command) {
            continue;
        }
        typed += 1;
        let script = command.replacen("archestra-bench", PROGRAM, 1);
        let finished = bench.start_program("bash", &["-c", &script]).wait(BOUND);
        assert_eq!(finished.code, Some(0), "{command}\n{}", finished.stderr);
    }
    assert!(typed > 25, "only {typed} commands");
}

/// Every flag of a command is one of its subcommand's.
fn check_flags(line: &str) {
    let words: Vec<&str> = line.split(' ').skip_while(|word| *word != "archestra-bench").collect();
    let Some(subcommand) = words.get(1).filter(|_| line.starts_with("archestra-bench ")) else { return };
    let page = read(&format!("docs/commands/{subcommand}.md"));
    for flag in words.iter().filter(|word| word.starts_with("--")) {
        let name = flag.split('=').next().unwrap();
        let is_known = page.split('`').any(|code| code.split([' ', '[', '=']).next() == Some(name));
        assert!(is_known, "{subcommand} has no {name}, which `{line}` gives");
    }
}

#[test]
fn the_pages_of_commands_are_those_of_the_program() {
    let bench = Bench::new();
    assert_eq!(bench.run(&["man", "--format", "markdown", "pages"]).code, Some(0));
    let (made, stored) = (names(&bench.folder().join("pages")), names(&root().join("docs/commands")));
    assert_eq!(made, stored, "run: archestra-bench man --format markdown docs/commands");
    for name in made {
        let page = fs::read_to_string(bench.folder().join("pages").join(&name)).unwrap();
        assert_eq!(
            page,
            read(&format!("docs/commands/{name}")),
            "{name} is old: run archestra-bench man --format markdown docs/commands"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    let mut found = 0;
    for name in
        ["README.md", "docs/tutorial.md", "docs/scenarios.md", "docs/figures.md", "docs/commands/README.md"]
    {
        let folder = root().join(name).parent().unwrap().to_owned();
        let text = read(name);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            assert!(folder.join(path).exists(), "{name} links to {link}");
            found += 1;
        }
    }
    assert!(found > 10, "only {found} links");
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
