//! How much is asked of the target, until when, and what precedes it.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use proto::load::{Arrivals, Extent, Load, Rate, WarmUp};
use proto::target::HttpVersion;

use super::ConfigError;
use crate::cli::{ArrivalKind, Given, Origin, RunArgs};

/// Ten.
const CONCURRENCY: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// A thousand.
const REQUESTS: NonZeroU64 = NonZeroU64::MIN.saturating_add(999);
const OPEN_LOOP_WARM_UP: Duration = Duration::from_secs(1);

/// Closed, or open where a rate was given and nothing that beats it.
pub(super) fn load(args: &RunArgs, given: &Given, workers: u32) -> Result<Load, ConfigError> {
    match open_loop_rate(args, given)? {
        Some(rate) => open(rate, args, given, workers),
        None => closed(args, given),
    }
}

/// A number of requests that was given, a duration that was given, or else the default number.
pub(super) fn extent(args: &RunArgs) -> Extent {
    Extent::new(args.requests, args.duration).unwrap_or(Extent::Requests(REQUESTS))
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

/// By default enough that every connection of a closed loop has been used.
pub(super) fn warm_up(args: &RunArgs, load: Load) -> WarmUp {
    args.warmup.unwrap_or(match load {
        Load::Closed { concurrency } => WarmUp::Requests(concurrency.into()),
        Load::Open { .. } => WarmUp::Duration(OPEN_LOOP_WARM_UP),
    })
}

/// Rate and concurrency exclude each other: the one from the greater origin wins, and two from the same are an error.
fn open_loop_rate(args: &RunArgs, given: &Given) -> Result<Option<Rate>, ConfigError> {
    if args.rate.is_none() || args.concurrency.is_none() {
        return Ok(args.rate);
    }
    let (rate, concurrency) = (given.origin("rate"), given.origin("concurrency"));
    if rate == concurrency {
        return Err(ConfigError::TwoLoads {
            rate: given.place("rate").into(),
            concurrency: given.place("concurrency").into(),
        });
    }
    Ok(args.rate.filter(|_| rate > concurrency))
}

fn closed(args: &RunArgs, given: &Given) -> Result<Load, ConfigError> {
    let for_open_loop = ["arrivals", "connections", "max_in_flight"];
    if let Some(id) = for_open_loop.into_iter().find(|id| given.origin(id) == Origin::Flag) {
        return Err(ConfigError::NeedsRate { flag: given.place(id).into() });
    }
    Ok(Load::Closed { concurrency: args.concurrency.unwrap_or(CONCURRENCY) })
}

fn open(rate: Rate, args: &RunArgs, given: &Given, workers: u32) -> Result<Load, ConfigError> {
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
    Ok(Load::Open { rate, arrivals, connections: args.connections, max_in_flight })
}
