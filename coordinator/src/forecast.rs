//! What a run would do, told without doing any of it: its blocks in order, each worker's share, how long they take, what
//! they send, and which machines they need. Pure.

mod share;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

use proto::load::{Load, Pace, WarmUp};
use proto::target::Target;
use url::Url;

use crate::config::{CapacityConfig, FleetChoice, RunConfig, TargetChoice};
use crate::plan::{Block, Purpose};

/// What is foreseen of one block.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Foreseen {
    /// Without what precedes it; `None` where the target decides.
    lasts: Option<Duration>,
    /// Over all workers; `None` where the target decides.
    requests: Option<u64>,
}

/// The plan of a run or of a search, for a person.
pub fn forecast(config: &RunConfig) -> String {
    let mut text = "Dry run: nothing is sent and nothing is made.\n\n".to_owned();
    let target = match &config.target {
        TargetChoice::Url(target) => config.redactor.url(&target.shown()),
        TargetChoice::BuiltInMock => "the built-in mock upstream, started for the run".into(),
    };
    let _ = writeln!(text, "Target:  {target}");
    if let Some(direct) = &config.direct {
        let _ = writeln!(text, "Direct:  {}", config.redactor.url(&direct.target.shown()));
    }
    let _ = writeln!(text, "Workers: {}", workers(config));
    let blocks = blocks(config);
    let time = match &config.capacity {
        Some(search) => of_search(&mut text, search, &blocks),
        None => of_blocks(&mut text, config, &blocks),
    };
    machines(&mut text, config, time);
    text
}

fn workers(config: &RunConfig) -> String {
    let number = config.fleet.workers();
    match &config.fleet {
        FleetChoice::Local { .. } => format!("{number}, child processes on this machine"),
        FleetChoice::Addresses { .. } => format!("{number}, which stand already"),
        FleetChoice::Ssh(ssh) => format!("{number} on {} hosts over ssh", ssh.hosts.len()),
        FleetChoice::Gcp { config, .. } => {
            format!("{number}, each on a VM {} in {}", config.machine_type, config.zones.join(" or "))
        }
    }
}

/// The blocks, against the target or in the mock's stead any other: it is in no figure here.
fn blocks(config: &RunConfig) -> Vec<Block> {
    let stand_in = || Url::parse("http://127.0.0.1/").ok().map(Target::new);
    let target = match &config.target {
        TargetChoice::Url(target) => Some(target.clone()),
        TargetChoice::BuiltInMock => stand_in(),
    };
    target.map(|target| config.plan(&target).blocks).unwrap_or_default()
}

/// Tells of each block, then of what they share. Returns how long they take at least.
fn of_blocks(text: &mut String, config: &RunConfig, blocks: &[Block]) -> Duration {
    let foreseen: Vec<Foreseen> = blocks.iter().map(Foreseen::of).collect();
    text.push_str("\nBlocks:\n");
    for (number, (block, foreseen)) in blocks.iter().zip(&foreseen).enumerate() {
        let check = if block.purpose == Purpose::QueueingCheck { " (queueing check)" } else { "" };
        let warm_up = match block.warm_up {
            WarmUp::None => "no warm-up".into(),
            WarmUp::Requests(requests) => format!("{requests} requests of warm-up"),
            WarmUp::Duration(time) => format!("{} of warm-up", shown(time)),
        };
        let _ = writeln!(
            text,
            "  {:>3}  {}{check}, {}: {}; {}, {}; after {warm_up}",
            number + 1,
            name(block),
            block.arm.name(),
            load(&block.load),
            foreseen
                .requests
                .map_or("as many requests as it carries".into(), |all| format!("{all} requests")),
            foreseen.lasts.map_or("as long as it takes".into(), |time| format!("{} long", shown(time))),
        );
    }
    share::tell(text, blocks, &foreseen, config.fleet.workers());
    totals(text, config, blocks, &foreseen)
}

/// Of a mix every scenario with its weight.
fn name(block: &Block) -> String {
    let parts = block.mix.iter().map(|mixed| format!("{} {}", mixed.scenario.name, mixed.weight));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { block.scenario.name.clone() } else { parts.join(" : ") }
}

/// Of one request, on average.
fn body_bytes(block: &Block) -> f64 {
    let weight = |part: &Block| part.weight.map_or(1.0, |weight| f64::from(weight.get()));
    let (bytes, weights) = block.parts().iter().fold((0.0, 0.0), |(bytes, weights), part| {
        let weight = weight(part);
        (bytes + weight * part.scenario.request.body.len() as f64, weights + weight)
    });
    bytes / weights
}

/// How long everything takes, how many requests that is, and how much they send.
fn totals(text: &mut String, config: &RunConfig, blocks: &[Block], foreseen: &[Foreseen]) -> Duration {
    let warm_ups = blocks.iter().map(|block| match block.warm_up {
        WarmUp::Duration(time) => time,
        WarmUp::None | WarmUp::Requests(_) => Duration::ZERO,
    });
    let rests = config.cool_down.saturating_mul((blocks.len() as u32).saturating_sub(1));
    let time = foreseen.iter().filter_map(|block| block.lasts).chain(warm_ups).sum::<Duration>() + rests;
    let open_ends = foreseen.iter().filter(|block| block.lasts.is_none()).count();
    let beyond = match open_ends {
        0 => String::new(),
        blocks => format!(", and {blocks} blocks that take as long as the target does"),
    };
    let _ = writeln!(
        text,
        "\nTime:     {}{beyond}; the requests at the end of each may take {} more",
        shown(time),
        shown(config.timeout)
    );

    let requests = foreseen.iter().filter_map(|block| block.requests).fold(0, u64::saturating_add);
    let bodies = blocks
        .iter()
        .zip(foreseen)
        .filter_map(|(block, foreseen)| Some((foreseen.requests? as f64 * body_bytes(block)).round() as u64));
    let bytes = bodies.fold(0, u64::saturating_add);
    let counted = foreseen.iter().filter(|block| block.requests.is_some()).count();
    let of = if counted == foreseen.len() {
        String::new()
    } else {
        format!(" in {counted} of {} blocks", foreseen.len())
    };
    let varies = |block: &Block| block.parts().iter().any(|part| part.scenario.variety.is_some());
    let about = if blocks.iter().any(varies) { "about " } else { "" };
    let _ =
        writeln!(text, "Requests: {requests}{of}, warm-ups and one of each scenario from each worker apart");
    let _ = writeln!(
        text,
        "Traffic:  {about}{} of bodies up{of}; heads, and what comes down, are not known",
        size(bytes)
    );
    time
}

/// Tells of a search with each scenario. Returns how long all of them take at most.
fn of_search(text: &mut String, search: &CapacityConfig, blocks: &[Block]) -> Duration {
    let bounds = &search.bounds;
    let objectives: Vec<String> = search.objectives.iter().map(ToString::to_string).collect();
    let scenarios: Vec<String> = blocks.iter().map(name).collect();
    let doublings = (bounds.most.per_second() / bounds.start.per_second()).log2().ceil().max(0.0);
    let time = bounds.time.saturating_mul(blocks.len() as u32);
    let requests = bounds.requests.saturating_mul(blocks.len() as u64);
    let _ = write!(
        text,
        "\nSearches: one after another with {}\n  \
         Each step must hold {}.\n  \
         The first offers {} req/s for {}, and each the double of the one before until one fails: at most {doublings} times, \
         to {} req/s.\n  \
         Then the middle between the highest that held and the lowest that failed, until they are {} % apart.\n\n\
         Time:     at most {}, which is {} for each search\n\
         Requests: at most {requests}, which is {} for each search\n",
        scenarios.join(", "),
        objectives.join(", "),
        bounds.start,
        shown(bounds.step),
        bounds.most,
        (bounds.precision * 1e3).round() / 10.0,
        shown(time),
        shown(bounds.time),
        bounds.requests,
    );
    time
}

/// The VMs that it takes, and for how long.
fn machines(text: &mut String, config: &RunConfig, time: Duration) {
    let FleetChoice::Gcp { workers, config: gcp, cleanup_after } = &config.fleet else { return };
    let hours = |time: Duration| time.as_secs_f64() / 3600.0 * f64::from(workers.get());
    let (within, most) = (hours(time), hours(gcp.max_run_duration));
    let end = match cleanup_after {
        true => "they are deleted when the run has ended".to_owned(),
        false => format!(
            "they stay for the next run, or until `archestra-bench cleanup`, at most {}",
            shown(gcp.max_run_duration)
        ),
    };
    let spot = if gcp.spot { "spot " } else { "" };
    let _ = write!(
        text,
        "VMs:      {workers} {spot}VMs {}; those that stand already are used again, which is not looked up now; {end}\n\
         VM-hours: {within:.2} for the blocks alone, without the time in which the VMs come up; at most {most:.2}\n",
        gcp.machine_type,
    );
}

impl Foreseen {
    fn of(block: &Block) -> Self {
        let (time, requests) = match &block.load {
            Load::Closed { .. } => (block.extent.duration(), None),
            Load::Open { pace: Pace::Stages(stages), .. } => {
                (Some(stages.duration()), Some(stages.requests().sum()))
            }
            Load::Open { pace: Pace::Trace(trace), .. } => (Some(trace.duration()), Some(trace.requests())),
            Load::Open { pace: Pace::Steady(rate), .. } => {
                let of_count = block
                    .extent
                    .requests()
                    .map(|all| Duration::from_secs_f64((all.get() as f64 / rate.per_second()).min(1e9)));
                let lasts = block.extent.duration().into_iter().chain(of_count).min();
                // As many as are due before the end, the first at once.
                let due = |time: Duration| {
                    (u128::from(rate.millihertz()) * time.as_nanos()).div_ceil(1_000_000_000_000)
                };
                let due = block.extent.duration().and_then(|time| u64::try_from(due(time)).ok());
                (lasts, due)
            }
        };
        let requests = requests.into_iter().chain(block.extent.requests().map(|all| all.get())).min();
        Self { lasts: time, requests }
    }
}

fn load(load: &Load) -> String {
    match load {
        Load::Closed { concurrency, think_time: None } => format!("{concurrency} in flight"),
        Load::Closed { concurrency, think_time: Some(think) } => {
            format!(
                "{concurrency} in flight, each resting {} to {}",
                shown(think.shortest()),
                shown(think.longest())
            )
        }
        Load::Open { pace: Pace::Steady(rate), arrivals, .. } => format!("{rate} req/s, {}", arrivals.name()),
        Load::Open { pace: Pace::Stages(stages), arrivals, .. } => {
            format!("{} stages, {}", stages.iter().count(), arrivals.name())
        }
        Load::Open { pace: Pace::Trace(_), .. } => "a trace".into(),
    }
}

/// As a person says it, to the millisecond.
fn shown(time: Duration) -> String {
    humantime::format_duration(Duration::from_millis(time.as_millis() as u64)).to_string()
}

/// With three digits or so.
fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}
