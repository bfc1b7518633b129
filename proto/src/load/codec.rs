//! A load on the wire.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::{Arrivals, Load, Pace, Rate, ThinkTime};
use crate::assignment::{nanos, non_zero};
use crate::stages::{Stage, Stages};
use crate::trace::Trace;
use crate::{InvalidMessage, wire};

impl From<&Load> for wire::assignment::Load {
    fn from(load: &Load) -> Self {
        match load {
            Load::Closed { concurrency, think_time } => {
                let (shortest, longest) =
                    think_time.map(|time| (time.shortest(), time.longest())).unwrap_or_default();
                wire::assignment::Load::Closed(wire::ClosedLoad {
                    concurrency: concurrency.get(),
                    think_time_min_ns: nanos(shortest),
                    think_time_max_ns: nanos(longest),
                })
            }
            Load::Open { pace, arrivals, connections, max_in_flight } => {
                let (rate, stages, trace) = match pace {
                    Pace::Steady(rate) => (rate.millihertz(), Vec::new(), Vec::new()),
                    Pace::Stages(stages) => (0, stages.iter().map(stage_to_wire).collect(), Vec::new()),
                    Pace::Trace(trace) => (0, Vec::new(), trace.encode()),
                };
                let arrivals = match arrivals {
                    Arrivals::Constant => wire::Arrivals::Constant,
                    Arrivals::Poisson => wire::Arrivals::Poisson,
                };
                wire::assignment::Load::Open(wire::OpenLoad {
                    rate_millihertz: rate,
                    arrivals: arrivals as i32,
                    connections: connections.get(),
                    max_in_flight: max_in_flight.map(NonZeroU64::get),
                    stages,
                    trace_deflate: trace,
                })
            }
        }
    }
}

impl TryFrom<wire::assignment::Load> for Load {
    type Error = InvalidMessage;

    fn try_from(load: wire::assignment::Load) -> Result<Self, InvalidMessage> {
        match load {
            wire::assignment::Load::Closed(closed) => Ok(Load::Closed {
                concurrency: NonZeroU32::new(closed.concurrency)
                    .ok_or(InvalidMessage::new("closed.concurrency", "is 0"))?,
                think_time: think_time_from_wire(closed.think_time_min_ns, closed.think_time_max_ns)?,
            }),
            wire::assignment::Load::Open(open) => Ok(Load::Open {
                pace: pace_from_wire(open.rate_millihertz, open.stages, &open.trace_deflate)?,
                arrivals: match wire::Arrivals::try_from(open.arrivals) {
                    Ok(wire::Arrivals::Constant) => Arrivals::Constant,
                    Ok(wire::Arrivals::Poisson) => Arrivals::Poisson,
                    Ok(wire::Arrivals::Unspecified) | Err(_) => {
                        return Err(InvalidMessage::new(
                            "open.arrivals",
                            "is a kind that this version does not know",
                        ));
                    }
                },
                connections: NonZeroU32::new(open.connections)
                    .ok_or(InvalidMessage::new("open.connections", "is 0"))?,
                max_in_flight: open
                    .max_in_flight
                    .map(|most| non_zero("open.max_in_flight", most))
                    .transpose()?,
            }),
        }
    }
}

fn think_time_from_wire(shortest: u64, longest: u64) -> Result<Option<ThinkTime>, InvalidMessage> {
    if (shortest, longest) == (0, 0) {
        return Ok(None);
    }
    let time = ThinkTime::new(Duration::from_nanos(shortest), Duration::from_nanos(longest));
    let problem = "is below closed.think_time_min_ns or longer than a week";
    time.map(Some).ok_or(InvalidMessage::new("closed.think_time_max_ns", problem))
}

fn stage_to_wire(stage: Stage) -> wire::Stage {
    wire::Stage {
        duration_ns: nanos(stage.duration),
        from_millihertz: stage.from_millihertz,
        to_millihertz: stage.to_millihertz,
    }
}

fn pace_from_wire(
    rate_millihertz: u64,
    stages: Vec<wire::Stage>,
    trace_deflate: &[u8],
) -> Result<Pace, InvalidMessage> {
    if stages.is_empty() && trace_deflate.is_empty() {
        let problem = "is 0 or beyond a thousand million a second";
        let rate = Rate::from_millihertz(rate_millihertz);
        return rate.map(Pace::Steady).ok_or(InvalidMessage::new("open.rate_millihertz", problem));
    }
    if rate_millihertz != 0 {
        return Err(InvalidMessage::new("open.rate_millihertz", "is given beside stages or a trace"));
    }
    if stages.is_empty() {
        let trace = Trace::decode(trace_deflate);
        return trace.map(Pace::Trace).map_err(|problem| InvalidMessage::new("open.trace_deflate", problem));
    }
    if !trace_deflate.is_empty() {
        return Err(InvalidMessage::new("open.trace_deflate", "is given beside open.stages"));
    }
    let stages = stages.into_iter().map(|stage| Stage {
        duration: Duration::from_nanos(stage.duration_ns),
        from_millihertz: stage.from_millihertz,
        to_millihertz: stage.to_millihertz,
    });
    Stages::new(stages).map(Pace::Stages).map_err(|problem| InvalidMessage::new("open.stages", problem))
}
