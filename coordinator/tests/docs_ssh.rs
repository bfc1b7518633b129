//! The commands for machines that ssh reaches, as readers type them: against real OpenSSH servers, which have the very
//! addresses that the pages name.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::network::Network;
use support::pages::{OVER_SSH, pages, shortened};
use support::process::BOUND;
use support::request::Reply;
use support::results::Results;
use support::ssh_fleet::{bench, no_sockets_are_left, nothing_is_left};

/// What the page about ssh calls a file of hosts.
const HOSTS: &str = "# those in the rack\nme@10.0.0.2\nme@10.0.0.3:2222\n";
/// Less of everything that a flag does not say.
const SETTINGS: &str = "export PATH=$PWD/bin:$PATH ARCHESTRA_BENCH_WARMUP=20ms NUM_REQUESTS=60\n";
/// How many there are.
const COMMANDS: usize = 4;

#[test]
fn commands_for_machines_that_ssh_reaches_load_the_target_from_each_of_them() {
    let Some(network) = Network::of_pages("commands_for_machines") else { return };
    let target = network.target_at(9000, |_, request| Reply::good(request));
    let mut lines = Vec::new();
    for page in pages() {
        for block in page.blocks().into_iter().filter(|block| block.marker == Some(OVER_SSH)) {
            lines.extend(block.lines.into_iter().map(str::to_owned));
        }
    }
    assert_eq!(lines.len(), COMMANDS, "{lines:#?}");

    for line in lines {
        let (bench, before) = (bench(&network), target.counts().load);
        bench.file("hosts.txt", HOSTS);
        bench.program_on_path();
        let script = format!("{SETTINGS}{}", shortened(&line));
        let finished = network.inside(&bench, "bash", &["-c", &script]).wait(BOUND);
        assert_eq!(finished.code, Some(0), "{line}: {}", finished.stderr);

        let results = Results::of(&bench);
        assert_eq!(results.report["run"]["fleet"], "ssh", "{line}");
        let workers = results.report["run"]["workers"].as_array().unwrap();
        let addresses: Vec<_> = workers.iter().map(|worker| worker["address"].as_str().unwrap()).collect();
        assert_eq!(addresses, expected(&line), "{line}");
        let blocks = 0..results.report["blocks"].as_array().unwrap().len();
        let sent: u64 = blocks.map(|block| results.count(block, "successes")).sum();
        assert!(sent > 0 && sent == target.counts().load - before, "{line}: {sent}");
        nothing_is_left(&network, &[0, 1], Duration::from_secs(5));
        no_sockets_are_left(&bench);
    }
}

/// Where a command wants its workers: on each host that it names, or so many of those in the file, in turn.
fn expected(line: &str) -> Vec<&str> {
    let after = |flag: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        words.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1]).collect::<Vec<_>>()
    };
    match after("--workers").first() {
        None => after("--host"),
        Some(workers) => {
            let hosts = HOSTS.lines().filter(|host| !host.starts_with('#'));
            hosts.cycle().take(workers.parse().unwrap()).collect()
        }
    }
}
