//! The summary: a record as Markdown, for a person. It is made of the record alone, so that it can be made again.

use super::record::{BlockRecord, LoadRecord, ResultRecord, RunRecord, TargetRecord, WarmUpRecord};
use super::{HLOG_FILE, INTERVALS_FILE, PAGE_FILE, REPORT_FILE};
use crate::plan::{Arm, Purpose};
use crate::statistics::verdict::{Finding, Verdict};
use proto::target::HttpVersion;

mod arms;
mod capacity;
pub(super) mod format;
mod goodput;
mod levels;
mod mix;
mod phases;
mod proof;
mod sections;
mod stages;
mod streams;
mod tables;
#[cfg(test)]
mod tests;
mod thresholds;

pub(crate) use format::{escape, visible};
pub use sections::summary;
pub(super) use sections::{Section, sections};

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

/// Each finding, and what it is about. Of blocks of the same kind only the first that a rule speaks of is shown, with how
/// many there are.
fn findings(record: &RunRecord) -> Vec<(String, &Finding)> {
    let mut found: Vec<(String, &Finding)> = Vec::new();
    for block in record.judged() {
        for finding in &block.findings {
            let is_same = |other: &&BlockRecord| {
                (other.arm, other.purpose) == (block.arm, block.purpose)
                    && other.scenario.name == block.scenario.name
                    && other.load == block.load
                    && other.findings.iter().any(|found| found.rule == finding.rule)
            };
            let alike: Vec<u32> = record.judged().filter(is_same).map(|other| other.number).collect();
            if alike.first() != Some(&block.number) {
                continue;
            }
            let name = scenario(block);
            let about = match alike.as_slice() {
                [only] => format!("Block {only}, {name}"),
                several => {
                    let numbers: Vec<String> = several.iter().map(ToString::to_string).collect();
                    format!("Blocks {}, {name}; in block {}", numbers.join(", "), block.number)
                }
            };
            found.push((about, finding));
        }
    }
    let has_levels = ResultRecord::has_levels(record);
    for result in &record.results {
        let mut about = escape(&result.scenario);
        if has_levels {
            about += &format!(", {}", result.load.level());
        }
        found.extend(result.findings.iter().map(|finding| (about.clone(), finding)));
    }
    found
}

/// What was to be measured and was not.
fn missing(record: &RunRecord) -> Option<String> {
    let mut names: Vec<String> = record.missing().iter().map(|name| escape(name)).collect();
    names.dedup();
    let names = names.join(", ");
    match (&record.run.finished, names.as_str()) {
        (None, "") => Some("- This run has not come to its end".into()),
        (None, _) => Some(format!("- This run has not come to its end: {names} is missing")),
        (Some(_), "") => None,
        (Some(_), _) => Some(format!("- The run was interrupted before {names}, which was not measured")),
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

fn notes(record: &RunRecord) -> String {
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
    for block in &record.blocks {
        notes.extend(block_notes(block));
    }
    let lines: Vec<String> = notes.iter().map(|note| format!("- {note}")).collect();
    lines.join("\n")
}

fn block_notes(block: &BlockRecord) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let name = block_name(block);
    if let Some(tail) = block.figures.tail_ns.filter(|tail| *tail > 0) {
        notes.push(format!(
            "{name}: in the last {} not all workers were active (the tail).",
            seconds_or_milliseconds(tail)
        ));
    }
    // The other blocks of its kind make as many.
    let made = bodies(block).filter(|_| block.repeat == 1);
    notes.extend(made.map(|made| format!("{name}: {made}.")));
    let idle = block.workers.iter().filter(|worker| worker.is_idle()).count();
    if idle > 0 {
        notes.push(format!(
            "{name}: {idle} of {} workers were idle: fewer connections than workers.",
            block.workers.len()
        ));
    }
    let mut left_out: Vec<&String> =
        block.workers.iter().flat_map(|worker| &worker.addresses_left_out).collect();
    left_out.sort_unstable();
    left_out.dedup();
    notes.extend(left_out.into_iter().map(|address| {
        format!("{name}: nothing was sent to {}, which accepted no connection.", escape(address))
    }));
    let beyond = block.figures.response_time.map_or(0, |response_time| response_time.above_range);
    if beyond > 0 {
        notes.push(format!("{name}: {beyond} response times above 1 h are counted as 1 h."));
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
    if nanos < 1_000_000_000 { format!("{} ms", format::milliseconds(nanos)) } else { seconds(nanos) }
}

/// How sentences name a block.
fn block_name(block: &BlockRecord) -> String {
    format!("Block {}, {}", block.number, scenario(block))
}

/// How tables name a block.
fn scenario(block: &BlockRecord) -> String {
    let mut name = escape(&block.scenario.name);
    if block.arm == Arm::Direct {
        name += " (direct)";
    }
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
