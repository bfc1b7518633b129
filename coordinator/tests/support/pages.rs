//! The documents that people read, taken apart: blocks of commands, what stands before them, links and headings.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// All commands, in the order in which help lists them.
pub const COMMANDS: [&str; 17] = [
    "run",
    "capacity",
    "report",
    "verify",
    "compare",
    "list",
    "open",
    "pki",
    "setup",
    "status",
    "cleanup",
    "init",
    "scenarios",
    "completions",
    "man",
    "worker",
    "mock",
];

/// What stands before a block that `coordinator/tests/docs_ssh.rs` runs; elsewhere it is told what it would do.
pub const OVER_SSH: &str = "run over ssh";

/// One document.
pub struct Page {
    /// From the root of the repository, such as `docs/load.md`.
    pub name: String,
    /// As it is stored.
    pub text: String,
}

/// A fenced block.
pub struct Block<'a> {
    /// The word behind the fence.
    pub language: &'a str,
    /// The comment on the line before the fence, such as `not run: builds everything`.
    pub marker: Option<&'a str>,
    /// Its lines.
    pub lines: Vec<&'a str>,
}

/// README.md and what lies under docs, but for the pages of commands: those are made, and held against the program.
pub fn pages() -> Vec<Page> {
    let mut names = vec!["README.md".to_owned()];
    names.extend(markdown_under("docs").into_iter().filter(|name| !name.starts_with("docs/commands/")));
    names.into_iter().map(Page::read).collect()
}

/// Every document of the repository.
pub fn all_pages() -> Vec<Page> {
    let mut names: Vec<String> =
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "infra/README.md"].map(str::to_owned).into();
    names.extend(markdown_under("docs"));
    names.into_iter().map(Page::read).collect()
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A command for a fifth of a second or for a hundred requests, and not too many at once.
pub fn shortened(line: &str) -> String {
    let mut flag = "";
    let words = line.split(' ').map(|word| {
        let is_for = std::mem::replace(&mut flag, word);
        match is_for {
            "--duration" | "--ui-linger" => "200ms".to_owned(),
            "--warmup" => "20ms".to_owned(),
            "--requests" | "--bodies" => "100".to_owned(),
            "--max-rate" => "200".to_owned(),
            "--rate" if word.len() > 3 && !word.contains(',') => "400".to_owned(),
            "--stage" => {
                let stages =
                    word.split(',').map(|stage| format!("100ms:{}", stage.split_once(':').unwrap().1));
                stages.collect::<Vec<_>>().join(",")
            }
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

impl Page {
    /// The page of this name.
    pub fn read(name: String) -> Self {
        let text = fs::read_to_string(root().join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, text }
    }

    /// Its fenced blocks, in order.
    pub fn blocks(&self) -> Vec<Block<'_>> {
        let (mut blocks, mut open, mut before) = (Vec::new(), None::<Block<'_>>, "");
        for line in self.text.lines() {
            let is_hidden = line.starts_with("~~~") || line != line.trim_start() && line.contains("```");
            assert!(!is_hidden, "{}: begin fences with ``` at the start of a line: {line}", self.name);
            match (line.strip_prefix("```"), open.take()) {
                (Some(language), None) => {
                    let marker = before.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                    open = Some(Block { language, marker, lines: Vec::new() });
                }
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some(mut block)) => {
                    block.lines.push(line);
                    open = Some(block);
                }
                (None, None) => before = line,
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.name);
        blocks
    }

    /// Its lines outside fenced blocks.
    pub fn prose(&self) -> Vec<&str> {
        let mut is_code = false;
        let outside = self.text.lines().filter(|line| {
            is_code ^= line.starts_with("```");
            !is_code && !line.starts_with("```")
        });
        outside.collect()
    }

    /// Where its links and pictures lead, as they are written.
    pub fn links(&self) -> Vec<&str> {
        let behind = self.prose().into_iter().flat_map(|line| line.split("](").skip(1));
        behind.filter_map(|rest| rest.split(')').next()).collect()
    }

    /// What its headings are called in links, as GitHub makes it.
    pub fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose().into_iter().filter(|line| line.starts_with('#'));
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn markdown_under(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(markdown_under(&name));
        } else if name.ends_with(".md") {
            found.push(name);
        }
    }
    found.sort();
    found
}
