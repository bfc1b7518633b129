//! The summary: a record as Markdown, for a person. It is made of the record alone, so that it can be made again.

use super::record::{BlockRecord, LoadRecord, RunRecord, TargetRecord, WarmUpRecord};
use super::{HLOG_FILE, INTERVALS_FILE, PAGE_FILE, REPORT_FILE};
use crate::plan::{Arm, Purpose};
use crate::statistics::verdict::Verdict;
use proto::target::HttpVersion;

mod arms;
mod blocks;
pub(super) mod capacity;
mod findings;
pub(super) mod format;
mod goodput;
mod groups;
mod levels;
mod mix;
mod notes;
mod phases;
mod proof;
mod sections;
mod stages;
mod streams;
mod tables;
#[cfg(test)]
mod tests;
mod thresholds;
mod workers;

pub(crate) use format::{escape, visible};
pub use sections::summary;
pub(super) use sections::{NOTES, Section, sections};

use findings::findings;
use format::{address, seconds};

fn title(record: &RunRecord) -> String {
    let state = match &record.run.finished {
        None => " (incomplete)",
        Some(_) if record.interrupted => " (interrupted)",
        Some(_) => "",
    };
    format!("# Load test of {}{state}", escape(&record.run.started))
}

fn verdict(record: &RunRecord) -> String {
    let said = match record.verdict {
        Verdict::Valid => "nothing speaks against these figures.",
        Verdict::Suspect => "something may have bent these figures.",
        Verdict::Invalid if record.is_empty() => "nothing was measured.",
        Verdict::Invalid => "these figures mean nothing.",
    };
    let lines = findings(record).into_iter().filter(|(_, finding)| !finding.is_note());
    let lines = lines.map(|(about, finding)| {
        let accepted = if finding.accepted { "accepted, else " } else { "" };
        let (reason, rule) = (escape(&finding.reason), escape(&finding.rule));
        format!("- {about}: {reason} ({accepted}{}: {rule})", finding.verdict)
    });
    let lines: Vec<String> = lines.chain(missing(record)).collect();
    let verdict = format!("**Verdict: {}**: {said}", record.verdict);
    if lines.is_empty() { verdict } else { format!("{verdict}\n\n{}", lines.join("\n")) }
}

/// What was to be measured and was not. Of a scenario that has some of its blocks only blocks are missing.
fn missing(record: &RunRecord) -> Option<String> {
    let mut names: Vec<&String> = Vec::new();
    for name in record.missing() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let has_blocks = |name: &&String| record.blocks.iter().any(|block| block.scenario.name == **name);
    let is_in_part = names.iter().any(has_blocks);
    let names: Vec<String> = names.into_iter().map(|name| escape(name)).collect();
    let (names, lacks) = (names.join(", "), record.missing().len());
    let blocks = format!("{lacks} of {} blocks ({names})", record.run.planned.len());
    let ended = if record.abort_reason().is_some() { "ended" } else { "interrupted" };
    match (&record.run.finished, lacks) {
        (None, 0) => Some("- This run has not come to its end".into()),
        (None, _) if is_in_part => Some(format!("- This run has not come to its end: it lacks {blocks}")),
        (None, _) => Some(format!("- This run has not come to its end: {names} is missing")),
        (Some(_), 0) => None,
        (Some(_), _) if is_in_part => Some(format!("- The run was {ended} before {blocks}")),
        (Some(_), _) => Some(format!("- The run was {ended} before {names}, which was not measured")),
    }
}

fn head(record: &RunRecord) -> String {
    let run = &record.run;
    let lines = [
        ("Date", Some(escape(&run.started))),
        ("Target", Some(target(&record.run.target))),
        ("Direct", record.run.direct.as_ref().map(target)),
        ("Mix", distinct(record, mix::in_words)),
        ("Requests", distinct(record, requests)),
        ("Duration", distinct(record, |block| block.extent.duration_ns.map(seconds))),
        ("Concurrency", distinct(record, concurrency)),
        ("Rate", capacity::rates(record).or_else(|| distinct(record, |block| offered_rate(&block.load)))),
        ("HTTP", distinct(record, |block| Some(http(block)))),
        ("Mode", distinct(record, |block| Some(mode(block)))),
        ("Warm-up", distinct(record, |block| Some(warm_up(&block.warm_up)))),
        ("Repeats", repeats(record)),
        ("Workers", Some(format!("{} ({})", run.workers.len(), escape(&run.fleet)))),
    ];
    let lines = lines.into_iter().filter_map(|(name, value)| Some(format!("- **{name}**: {}", value?)));
    let lines: Vec<String> = lines.collect();
    lines.join("\n")
}

fn target(target: &TargetRecord) -> String {
    let mut text = address(&target.url);
    if target.is_built_in_mock {
        text +=
            ", the built-in mock upstream — not a gateway: these figures measure this tool and this machine";
    }
    if target.insecure_target {
        text += ", any certificate accepted";
    }
    if target.extra_roots {
        text += ", extra root certificates trusted";
    }
    if target.tls_client_certificate {
        text += ", a client certificate shown";
    }
    if target.tls_session_resumption == Some(true) {
        text += ", TLS sessions resumed";
    }
    if let Some(name) = &target.tls_server_name {
        text += &format!(", TLS server name {}", escape(name));
    }
    if let Some(there) = &target.connect_to {
        text += &format!(", connected to {}", escape(there));
    }
    if !target.local_addresses.is_empty() {
        text += &format!(", from {}", escape(&target.local_addresses.join(", ")));
    }
    text
}

/// What the blocks say, each thing once; `None` when none says anything.
fn distinct(record: &RunRecord, say: impl Fn(&BlockRecord) -> Option<String>) -> Option<String> {
    let mut said: Vec<String> = Vec::new();
    let blocks = record.blocks.iter().filter(|block| block.purpose != Purpose::QueueingCheck);
    for text in blocks.filter_map(say) {
        if !said.contains(&text) {
            said.push(text);
        }
    }
    (!said.is_empty()).then(|| said.join("; "))
}

fn requests(block: &BlockRecord) -> Option<String> {
    let of = if block.parts.is_empty() { "per scenario" } else { "together" };
    block.extent.requests.map(|requests| format!("{requests} {of}"))
}

fn concurrency(block: &BlockRecord) -> Option<String> {
    match &block.load {
        LoadRecord::Closed { concurrency, think_time: None } => Some(format!("{concurrency} in flight")),
        LoadRecord::Closed { concurrency, think_time: Some(time) } => {
            let [shortest, longest] = [time.min_ns, time.max_ns].map(seconds);
            let time = if shortest == longest { shortest } else { format!("{shortest} to {longest}") };
            let places = if block.streams > 1 { "streams" } else { "connections" };
            Some(format!("{concurrency} {places}, each resting {time} after an answer"))
        }
        LoadRecord::Open { .. } => None,
    }
}

fn offered_rate(load: &LoadRecord) -> Option<String> {
    match load {
        LoadRecord::Closed { .. } => None,
        LoadRecord::Open { trace: Some(trace), .. } => {
            Some(format!("a trace of {} requests over {}", trace.requests, seconds(trace.duration_ns)))
        }
        LoadRecord::Open { rate_millihertz, stages, arrivals, .. } => {
            let pace = match rate_millihertz {
                Some(rate) => format!("{} req/s", *rate as f64 / 1e3),
                None => stages::in_words(stages),
            };
            Some(format!("{pace}, {} arrivals", arrivals.name()))
        }
    }
}

/// What was spoken, what was asked for where that is not the same, and how requests shared connections.
fn http(block: &BlockRecord) -> String {
    let asked = HttpVersion::from(block.http_version).name();
    let mut spoken: Vec<&str> = block
        .workers
        .iter()
        .filter_map(|worker| Some(HttpVersion::from(worker.http_version?).name()))
        .collect();
    spoken.sort_unstable();
    spoken.dedup();
    let mut text = spoken.join(" and ");
    match spoken.as_slice() {
        [] => text = format!("{asked} asked for"),
        [one] if *one == asked => {}
        _ => text += &format!(" ({asked} asked for)"),
    }
    if spoken.contains(&HttpVersion::Http2.name()) {
        let plural = if block.streams == 1 { "stream" } else { "streams" };
        text += &format!(", at most {} {plural} a connection", block.streams);
    }
    text
}

fn mode(block: &BlockRecord) -> String {
    let connections = if block.keep_alive { "keep-alive" } else { "a connection per request" };
    let timeout = seconds(block.timeout_ns);
    match &block.load {
        LoadRecord::Closed { .. } => format!("closed loop, {connections}, timeout {timeout}"),
        LoadRecord::Open { connections: each, max_in_flight, .. } => {
            let limit = max_in_flight.map(|most| format!(", at most {most} in flight")).unwrap_or_default();
            format!("open loop, {connections}, {each} connections a worker{limit}, timeout {timeout}")
        }
    }
}

fn warm_up(warm_up: &WarmUpRecord) -> String {
    match warm_up {
        WarmUpRecord::None => "none".into(),
        WarmUpRecord::Requests { requests } => format!("{requests} requests"),
        WarmUpRecord::Duration { duration_ns } => seconds(*duration_ns),
    }
}

fn repeats(record: &RunRecord) -> Option<String> {
    let measurements = record.blocks.iter().filter(|block| block.purpose == Purpose::Measurement);
    let most = measurements.map(|block| block.repeat).max()?;
    match record.run.direct {
        Some(_) => Some(format!("{most} pairs of blocks")),
        None => (most > 1).then(|| format!("{most} blocks")),
    }
}

/// How sentences name a block.
fn block_name(block: &BlockRecord) -> String {
    format!("Block {}, {}", block.number, scenario(block))
}

/// How sentences name what a block measured.
fn scenario(block: &BlockRecord) -> String {
    match block.arm {
        Arm::Gateway => named(block),
        Arm::Direct => format!("{} (direct)", named(block)),
    }
}

/// How tables name it, beside its load and its arm.
fn named(block: &BlockRecord) -> String {
    let mut name = escape(&block.scenario.name);
    if block.purpose == Purpose::QueueingCheck {
        name += " (at half the concurrency)";
    }
    if block.interrupted {
        name += " (interrupted)";
    }
    name
}

fn files(record: &RunRecord) -> String {
    let folder = escape(&record.run.results_folder);
    let mut lines = vec![
        format!("- {folder}/{REPORT_FILE}: everything above, and every histogram that it comes from"),
        format!("- {folder}/{PAGE_FILE}: this summary with charts, for a browser"),
        format!("- {folder}/{INTERVALS_FILE}: every interval of every worker"),
        format!("- {folder}/{HLOG_FILE}: the histograms of every second, for tools of HdrHistogram"),
    ];
    if record.run.fleet == "local" {
        lines.push(format!("- {folder}/worker-N.log: what each worker logged"));
    }
    lines.join("\n")
}
