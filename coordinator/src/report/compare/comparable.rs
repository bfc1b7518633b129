//! Whether two runs differ in more than what is compared.

use std::fmt::Debug;

use super::{Group, groups};
use crate::report::record::{BlockRecord, RunRecord, ScenarioRecord};
use crate::statistics::verdict::Verdict;

/// Everything that makes two runs hard to compare, each in a clause; the targets may be others.
pub fn differences(old: &RunRecord, new: &RunRecord) -> Vec<String> {
    let mut found = Vec::new();
    differ(&mut found, "the report's schema version", &old.schema_version, &new.schema_version);
    differ(&mut found, "the kind of fleet", &old.run.fleet, &new.run.fleet);
    differ(&mut found, "the number of workers", &old.run.workers.len(), &new.run.workers.len());
    differ(&mut found, "the workers' machines", &machines(old), &machines(new));
    differ(
        &mut found,
        "whether the built-in mock is loaded",
        &old.run.target.is_built_in_mock,
        &new.run.target.is_built_in_mock,
    );
    for (which, record) in [("old", old), ("new", new)] {
        if record.verdict == Verdict::Invalid {
            found.push(format!("the {which} run's verdict is invalid"));
        }
        let was_aborted = record.blocks.iter().any(|block| block.aborted.is_some());
        if record.interrupted || was_aborted || record.run.finished.is_none() {
            found.push(format!("the {which} run did not come to its end"));
        }
    }
    let (was, is) = (groups(old), groups(new));
    differ(&mut found, "the scenarios", &names(&was), &names(&is));
    for group in &was {
        let Some(other) = group.partner(&was, &is) else { continue };
        blocks(&mut found, &group.name, group.blocks[0], other.blocks[0]);
    }
    found
}

fn blocks(found: &mut Vec<String>, name: &str, old: &BlockRecord, new: &BlockRecord) {
    let (was, is) = (WithRows::of(&old.scenario), WithRows::of(&new.scenario));
    if was.scenario != is.scenario {
        found.push(format!("{name}: what is sent, or what a good answer is"));
    } else if was.rows.zip(is.rows).is_some_and(|(was, is)| was != is) {
        found.push(format!("{name}: the rows of the dataset or the trace"));
    }
    let mut differ = |what: &str, old: &dyn Debug, new: &dyn Debug| {
        self::differ_as_text(found, &format!("{name}: {what}"), &format!("{old:?}"), &format!("{new:?}"));
    };
    differ("the weight in the mix", &old.weight, &new.weight);
    differ("the load", &old.load, &new.load);
    differ("the extent", &old.extent, &new.extent);
    differ("the warm-up", &old.warm_up, &new.warm_up);
    differ("the timeout in nanoseconds", &old.timeout_ns, &new.timeout_ns);
    differ("keep-alive", &old.keep_alive, &new.keep_alive);
    differ("the version of HTTP", &old.http_version, &new.http_version);
    differ("the streams of a connection", &old.streams, &new.streams);
    differ("the threads of a worker", &old.threads, &new.threads);
}

/// A scenario, and the digest of its rows apart: of what an old record does not tell, nothing is held against it.
struct WithRows {
    scenario: ScenarioRecord,
    rows: Option<String>,
}

impl WithRows {
    fn of(scenario: &ScenarioRecord) -> Self {
        let mut scenario = scenario.clone();
        let rows = scenario.variety.as_mut().and_then(|variety| variety.dataset_sha256.take());
        Self { scenario, rows }
    }
}

/// In an order of their own: with `--order random`, or levels that are given the other way round, the same ones come in another.
fn names(groups: &[Group<'_>]) -> String {
    let mut names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    names.sort_unstable();
    names.join(", ")
}

/// What kinds of machines there are; their names and addresses may be others.
fn machines(record: &RunRecord) -> String {
    let mut machines: Vec<String> = record
        .run
        .workers
        .iter()
        .map(|worker| format!("{}, {} cores, {}", worker.cpu_model, worker.cores, worker.architecture))
        .collect();
    machines.sort_unstable();
    machines.dedup();
    machines.join("; ")
}

fn differ<T: ToString + PartialEq>(found: &mut Vec<String>, what: &str, old: &T, new: &T) {
    differ_as_text(found, what, &old.to_string(), &new.to_string());
}

fn differ_as_text(found: &mut Vec<String>, what: &str, old: &str, new: &str) {
    // Traces are long.
    let short = |text: &str| text.chars().take(120).collect::<String>();
    if old != new {
        found.push(format!("{what} ({} and {})", short(old), short(new)));
    }
}
