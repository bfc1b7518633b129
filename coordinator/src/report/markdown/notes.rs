//! What a reader must know of the figures: notes under the first table.

use super::format::{escape, milliseconds, seconds};
use super::groups::{Group, Groups};
use super::{block_name, findings, mix};
use crate::report::record::BlockRecord;

pub(super) fn notes(groups: &Groups<'_>) -> String {
    let record = groups.record;
    let mut notes = vec![
        "Latency is the response time of successes: from when a request was due to its last byte. \
         Percentiles come from the merged histograms of all workers."
            .to_owned(),
        "Throughput is successes over a common window: its length is under Load.".to_owned(),
    ];
    notes.extend(mix::note(record));
    if record.run.direct.is_some() {
        notes.push(
            "The figures above are the gateway's, over all its blocks; those of the upstream are under Arms."
                .to_owned(),
        );
    }
    notes.extend(
        record.run.preflight_warnings.iter().map(|warning| format!("Preflight: {}", escape(warning))),
    );
    let of_findings = findings(record).into_iter().filter(|(_, finding)| finding.is_note());
    notes.extend(of_findings.map(|(about, finding)| format!("{about}: {}.", escape(&finding.reason))));
    notes.extend(tail(groups));
    notes.extend(of_groups(groups));
    let lines: Vec<String> = notes.iter().map(|note| format!("- {note}")).collect();
    lines.join("\n")
}

/// The longest of any block.
fn tail(groups: &Groups<'_>) -> Option<String> {
    let blocks = groups.whole().flat_map(|group| &group.blocks);
    let tails: Vec<_> =
        blocks.filter_map(|block| Some((block.figures.tail_ns.filter(|tail| *tail > 0)?, *block))).collect();
    let (tail, block) = tails.iter().max_by_key(|(tail, _)| *tail)?;
    let (time, name) = (seconds_or_milliseconds(*tail), block_name(block));
    Some(match tails.len() {
        1 => format!("{name}: in the last {time} not all workers were active (the tail)."),
        blocks => format!(
            "In the last moments of {blocks} blocks not all workers were active (the tail): at most {time}, in {name}."
        ),
    })
}

/// Each thing once, with all that it is said of.
fn of_groups(groups: &Groups<'_>) -> Vec<String> {
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for group in groups.whole() {
        let name = groups.in_words(group);
        for note in of_group(group) {
            match said.iter_mut().find(|(other, _)| *other == note) {
                Some((_, names)) => names.push(name.clone()),
                None => said.push((note, vec![name.clone()])),
            }
        }
    }
    let all = groups.whole().count();
    let about = |names: &[String]| match names {
        [_, _, ..] if names.len() == all => "Each block".to_owned(),
        names => names.join("; "),
    };
    said.iter().map(|(note, names)| format!("{}: {note}.", about(names))).collect()
}

/// Each to be read after the group's name.
fn of_group(group: &Group<'_>) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    // The other blocks of its kind make as many.
    notes.extend(bodies(group.first));
    let idle = |block: &BlockRecord| block.workers.iter().filter(|worker| worker.is_idle()).count();
    let most = group.blocks.iter().map(|block| idle(block)).max().unwrap_or_default();
    if most > 0 {
        notes.push(format!(
            "{most} of {} workers were idle: fewer connections than workers",
            group.first.workers.len()
        ));
    }
    let workers = || group.blocks.iter().flat_map(|block| &block.workers);
    let mut left_out: Vec<&String> = workers().flat_map(|worker| &worker.addresses_left_out).collect();
    left_out.sort_unstable();
    left_out.dedup();
    notes.extend(
        left_out
            .into_iter()
            .map(|address| format!("nothing was sent to {}, which accepted no connection", escape(address))),
    );
    let beyond = group.figures.response_time.map_or(0, |response_time| response_time.above_range);
    if beyond > 0 {
        notes.push(format!("{beyond} response times above 1 h are counted as 1 h"));
    }
    notes
}

/// How many bodies there were, and how often each was used.
fn bodies(block: &BlockRecord) -> Option<String> {
    let variety = block.scenarios().iter().find_map(|part| part.scenario.variety.as_ref())?;
    let made = block.workers.iter().fold(0, |sum: u64, worker| sum.saturating_add(worker.bodies));
    let rows = match variety.dataset_rows {
        0 => String::new(),
        rows => format!(" from {rows} rows in turn"),
    };
    let times = block.figures.requests as f64 / made.max(1) as f64;
    Some(format!(
        "{made} bodies were made{rows} before the load, and each was sent {times:.2} times on average"
    ))
}

fn seconds_or_milliseconds(nanos: u64) -> String {
    if nanos < 1_000_000_000 { format!("{} ms", milliseconds(nanos)) } else { seconds(nanos) }
}
