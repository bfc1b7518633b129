//! How much is asked of the target, until when, and what precedes it.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use proto::load::{Arrivals, Extent, Load, Pace, WarmUp};
use proto::stages::{Stage, Stages};
use proto::target::HttpVersion;
use proto::trace::Trace;

use super::ConfigError;
use super::error::QuestionError;
use crate::cli::{ArrivalKind, Given, Origin, RunArgs};
use crate::plan::Level;
use crate::scenario::TraceFile;

/// Ten.
const CONCURRENCY: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// A thousand.
const REQUESTS: NonZeroU64 = NonZeroU64::MIN.saturating_add(999);
const WARM_UP: Duration = Duration::from_secs(1);

/// Closed, or open where a rate, stages or a trace were given and nothing that beats them. Several where there are several
/// concurrencies or rates.
pub(super) fn loads(
    args: &RunArgs,
    given: &Given,
    workers: u32,
    trace: Option<&TraceFile>,
) -> Result<Vec<Load>, ConfigError> {
    let (id, paces) = match (chosen(args, given)?, trace) {
        (Some("trace"), Some(file)) => ("trace", vec![Pace::Trace(part_of(file, args, given)?)]),
        (Some("stages"), _) => ("stages", vec![Pace::Stages(stages(args, given)?)]),
        (Some("rate"), _) => {
            once(&args.rate, "rate", given)?;
            ("rate", args.rate.iter().copied().map(Pace::Steady).collect())
        }
        _ => return closed(args, given),
    };
    let refuse = |one: &str, cure| {
        let (one, other) = (given.place(one).into(), given.place(id).into());
        Err(ConfigError::Contradiction { one, other, cure })
    };
    if given.origin("think_time") == Origin::Flag {
        return refuse("think_time", "arrivals wait for no answer, so leave one of them out");
    }
    if id == "trace" && given.origin("arrivals") == Origin::Flag {
        return refuse("arrivals", "a trace says itself when requests arrive, so leave one of them out");
    }
    paces.into_iter().map(|pace| open(pace, args, given, workers)).collect()
}

/// A level that is there twice would be taken for two.
fn once<T: PartialEq>(levels: &[T], id: &str, given: &Given) -> Result<(), ConfigError> {
    let is_twice = |(number, level): (usize, &T)| levels[..number].contains(level);
    match levels.iter().enumerate().any(is_twice) {
        true => Err(QuestionError::LevelTwice { place: given.place(id).into() }.into()),
        false => Ok(()),
    }
}

/// The trace that the load goes by, if it does; read once.
pub(super) fn trace(args: &RunArgs, given: &Given) -> Result<Option<TraceFile>, ConfigError> {
    let is_chosen = chosen(args, given)? == Some("trace");
    if !is_chosen && given.origin("trace_speed") == Origin::Flag {
        return Err(ConfigError::NeedsTrace { flag: given.place("trace_speed").into() });
    }
    let path = args.shape.trace.as_deref().filter(|_| is_chosen);
    Ok(path.map(TraceFile::read).transpose()?)
}

/// As much of a trace as was asked for beside it.
fn part_of(file: &TraceFile, args: &RunArgs, given: &Given) -> Result<Trace, ConfigError> {
    let beside = |id: &str| given.origin(id) >= given.origin("trace");
    let most = args.requests.filter(|_| beside("requests")).map_or(u64::MAX, NonZeroU64::get);
    let end = args.duration.filter(|_| beside("duration")).map_or(u128::MAX, |end| end.as_nanos());
    Ok(file.at(args.shape.trace_speed, most, u64::try_from(end).unwrap_or(u64::MAX))?)
}

/// Stages say themselves how long they last, and a trace how many it holds. Otherwise a number of requests that was given, a duration that was given, or
/// else the default number.
pub(super) fn extent(args: &RunArgs, given: &Given, load: &Load) -> Result<Extent, ConfigError> {
    let stages = match load {
        Load::Open { pace: Pace::Stages(stages), .. } => stages,
        Load::Open { pace: Pace::Trace(trace), .. } => {
            return Ok(Extent::Requests(NonZeroU64::new(trace.requests()).unwrap_or(NonZeroU64::MIN)));
        }
        _ => return Ok(Extent::new(args.requests, args.duration).unwrap_or(Extent::Requests(REQUESTS))),
    };
    let also = [("requests", args.requests.is_some()), ("duration", args.duration.is_some())];
    let beside = |(id, is_given): &(&str, bool)| *is_given && given.origin(id) >= given.origin("stages");
    match also.into_iter().find(beside) {
        Some((id, _)) => Err(ConfigError::Contradiction {
            one: given.place("stages").into(),
            other: given.place(id).into(),
            cure: "the stages say how long the load lasts, so leave that out",
        }),
        None => Ok(Extent::Duration(stages.duration())),
    }
}

/// How many requests share a connection; in HTTP/1.1, none do.
pub(super) fn streams(args: &RunArgs, given: &Given) -> Result<NonZeroU32, ConfigError> {
    if args.http_version != HttpVersion::Http11 {
        if args.no_keepalive {
            return Err(ConfigError::NoKeepAliveInHttp2 { place: given.place("no_keepalive").into() });
        }
        return Ok(args.streams);
    }
    if given.origin("streams") == Origin::Flag && args.streams > NonZeroU32::MIN {
        return Err(ConfigError::NeedsHttp2 { flag: given.place("streams").into() });
    }
    Ok(NonZeroU32::MIN)
}

/// By default enough that every connection of a closed loop has been used; longer where small differences count.
fn warm_up(args: &RunArgs, load: &Load, is_compared: bool) -> WarmUp {
    args.warmup.unwrap_or(match load {
        Load::Closed { concurrency, .. } if !is_compared => WarmUp::Requests((*concurrency).into()),
        Load::Closed { .. } | Load::Open { .. } => WarmUp::Duration(WARM_UP),
    })
}

/// Each load with what goes before it.
pub(super) fn levels(args: &RunArgs, loads: Vec<Load>, is_compared: bool) -> Vec<Level> {
    let level = |load: Load| Level { warm_up: warm_up(args, &load, is_compared), load };
    loads.into_iter().map(level).collect()
}

/// What the load goes by, of those that exclude each other: the one from the greatest origin wins, and two from the same
/// are an error.
fn chosen(args: &RunArgs, given: &Given) -> Result<Option<&'static str>, ConfigError> {
    let all = [
        ("trace", args.shape.trace.is_some()),
        ("stages", !args.shape.stages.is_empty()),
        ("rate", !args.rate.is_empty()),
        ("concurrency", !args.concurrency.is_empty()),
    ];
    let found = all.into_iter().filter(|(_, is_given)| *is_given).map(|(id, _)| id);
    let greatest = found.clone().map(|id| given.origin(id)).max();
    let mut rivals = found.filter(|id| Some(given.origin(id)) == greatest);
    match (rivals.next(), rivals.next()) {
        (Some(one), Some(other)) => Err(ConfigError::Contradiction {
            one: given.place(one).into(),
            other: given.place(other).into(),
            cure: match (one, other) {
                ("trace", _) => "keep the trace for its own times, or leave it out",
                ("rate", _) => "keep the rate for an open loop, or the concurrency for a closed one",
                (_, "rate") => "keep the rate where it stays the same, or the stages where it changes",
                _ => "keep the stages for an open loop, or the concurrency for a closed one",
            },
        }),
        (winner, _) => Ok(winner),
    }
}

fn stages(args: &RunArgs, given: &Given) -> Result<Stages, ConfigError> {
    let mut before = 0;
    let stages = args.shape.stages.iter().map(|stage| {
        let from_millihertz = stage.from_millihertz.unwrap_or(before);
        before = stage.to_millihertz;
        Stage { duration: stage.duration, from_millihertz, to_millihertz: stage.to_millihertz }
    });
    Stages::new(stages)
        .map_err(|problem| ConfigError::Stages { place: given.place("stages").into(), problem })
}

fn closed(args: &RunArgs, given: &Given) -> Result<Vec<Load>, ConfigError> {
    let for_open_loop = ["arrivals", "connections", "max_in_flight"];
    if let Some(id) = for_open_loop.into_iter().find(|id| given.origin(id) == Origin::Flag) {
        return Err(ConfigError::NeedsRate { flag: given.place(id).into() });
    }
    once(&args.concurrency, "concurrency", given)?;
    let levels = if args.concurrency.is_empty() { vec![CONCURRENCY] } else { args.concurrency.clone() };
    let think_time = args.shape.think_time;
    Ok(levels.into_iter().map(|concurrency| Load::Closed { concurrency, think_time }).collect())
}

fn open(pace: Pace, args: &RunArgs, given: &Given, workers: u32) -> Result<Load, ConfigError> {
    let max_in_flight = args.max_in_flight;
    if let Some(max_in_flight) = max_in_flight.map(NonZeroU64::get).filter(|most| *most < u64::from(workers))
    {
        return Err(ConfigError::MaxInFlight {
            place: given.place("max_in_flight").into(),
            max_in_flight,
            workers,
        });
    }
    let arrivals = match args.arrivals {
        ArrivalKind::Constant => Arrivals::Constant,
        ArrivalKind::Poisson => Arrivals::Poisson,
    };
    Ok(Load::Open { pace, arrivals, connections: args.connections, max_in_flight })
}

#[cfg(test)]
mod tests;
