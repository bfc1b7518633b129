//! The documents against the program: `.env.example` names what help names, pages name every flag and every rule and no
//! others, and links lead somewhere. That what they have a reader type can be typed is held by `docs.rs`.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use coordinator::rules::RULES;
use support::pages::{COMMANDS, Page, all_pages, pages, root};
use support::process::Bench;

#[test]
fn the_example_file_holds_every_variable_and_no_other() {
    let example = include_str!("../../.env.example");
    let listed: Vec<&str> = example.lines().filter_map(variable).collect();

    // Four that have no flag.
    let keys =
        ["ARCHESTRA_BENCHMARK_API_KEY", "OPENAI_API_KEY", "DIRECT_API_KEY", "OTEL_EXPORTER_OTLP_HEADERS"];
    let mut known: BTreeSet<String> = keys.map(str::to_owned).into();
    for command in ["run", "capacity", "setup", "pki", "worker", "mock"] {
        let help = Bench::new().run(&[command, "--help"]).stdout;
        let named = help.split("[env: ").skip(1).filter_map(|rest| rest.split([']', '=']).next());
        let before = known.len();
        known.extend(named.map(str::to_owned));
        assert!(known.len() > before || command == "pki", "{help}");
    }
    // Two that no file may set.
    for program in ["ARCHESTRA_BENCH_SSH", "ARCHESTRA_BENCH_WORKER_BINARY"] {
        assert!(known.remove(program) && example.contains(program), "{program}");
    }
    assert_eq!(listed.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), known);
    assert_eq!(listed.len(), known.len(), "each is listed once");
}

#[test]
fn flags_that_pages_name_exist() {
    let help: Vec<String> = COMMANDS.iter().map(|command| help(command)).collect();
    let known: BTreeSet<&str> = help.iter().flat_map(|text| flags(text)).chain(OF_OTHERS).collect();
    let pages = topics();
    let mut count = 0;
    for page in &pages {
        let named: BTreeSet<&str> = flags(&page.text).collect();
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", page.name);
        count += named.len();
    }
    assert!(count > 150, "only {count} flags were found");
}

/// The commands' pages have every flag, because they are made of them; each is explained to people as well.
#[test]
fn every_flag_is_on_a_page_for_people() {
    let pages = topics();
    let named: BTreeSet<&str> = pages.iter().flat_map(|page| flags(&page.text)).collect();
    for command in COMMANDS {
        let help = help(command);
        let flags: BTreeSet<&str> = flags(&help).filter(|flag| *flag != "--help").collect();
        let missing: Vec<_> = flags.difference(&named).collect();
        assert!(missing.is_empty(), "{command}: no page under docs says what {missing:?} are for");
    }
    let index = page("docs/commands/README.md");
    let listed: BTreeSet<&str> = index.links().iter().filter_map(|link| link.strip_suffix(".md")).collect();
    assert_eq!(listed, COMMANDS.into(), "the commands that there are");
}

#[test]
fn the_pages_of_commands_are_those_of_the_program() {
    let bench = Bench::new();
    assert_eq!(bench.run(&["man", "--format", "markdown", "pages"]).code, Some(0));
    let (made, stored) = (names(&bench.folder().join("pages")), names(&root().join("docs/commands")));
    assert_eq!(made, stored, "run: archestra-bench man --format markdown docs/commands");
    for name in made {
        let made = fs::read_to_string(bench.folder().join("pages").join(&name)).unwrap();
        let stored = page(&format!("docs/commands/{name}")).text;
        assert_eq!(made, stored, "{name} is old: run archestra-bench man --format markdown docs/commands");
    }
}

#[test]
fn the_page_of_the_verdict_has_every_rule() {
    let verdicts = page("docs/verdicts.md").text;
    let rows = verdicts.lines().skip_while(|line| !line.starts_with("## About single blocks"));
    let named: BTreeSet<&str> = rows.filter_map(|row| row.strip_prefix("| ")?.split(' ').next()).collect();
    let known: BTreeSet<&str> = RULES.into_iter().chain(["Rule", "---"]).collect();
    assert_eq!(named, known, "the rules that there are");
}

#[test]
fn links_lead_somewhere() {
    let mut found = 0;
    for page in all_pages() {
        let folder = root().join(&page.name).parent().unwrap().to_owned();
        for link in page.links().into_iter().filter(|link| !link.contains("://")) {
            let (path, anchor) =
                link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
            let file = if path.is_empty() { root().join(&page.name) } else { folder.join(path) };
            assert!(file.exists(), "{} links to {link}", page.name);
            if let Some(anchor) = anchor {
                let name = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                let has_it = Page::read(name).anchors().contains(anchor);
                assert!(has_it, "{} links to {link}, where no heading is called that", page.name);
            }
            found += 1;
        }
    }
    assert!(found > 60, "only {found} links");
}

#[test]
fn the_readme_leads_to_every_page() {
    let readme = page("README.md");
    let linked: BTreeSet<&str> = readme.links().into_iter().collect();
    for page in topics() {
        let is_linked = page.name == "README.md" || linked.contains(page.name.as_str());
        assert!(is_linked, "README.md does not lead to {}", page.name);
    }
    assert!(readme.text.lines().count() <= 250, "README.md is to be understood in two minutes");
}

/// Flags of cargo and of a validator of JSON Schema, which pages show as well.
const OF_OTHERS: [&str; 3] = ["--release", "--workspace", "--instance"];

fn help(command: &str) -> String {
    Bench::new().run(&[command, "--help"]).stdout
}

/// What people read to use the program; why it is as it is may name flags of anybody's.
fn topics() -> Vec<Page> {
    pages().into_iter().filter(|page| !page.name.starts_with("docs/decisions/")).collect()
}

fn page(name: &str) -> Page {
    Page::read(name.to_owned())
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn flags(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !(character.is_ascii_lowercase() || character == '-'));
    words.filter(|word| word.strip_prefix("--").is_some_and(|name| name.starts_with(char::is_alphabetic)))
}

/// The variable that a line sets, commented out or not.
fn variable(line: &'static str) -> Option<&'static str> {
    let (name, _) = line.strip_prefix('#').unwrap_or(line).split_once('=')?;
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    is_name.then_some(name)
}
