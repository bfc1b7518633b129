//! One block's work for one worker: the wire's message and its validated form.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use crate::expectation::Expectation;
use crate::load::{Extent, Load, Pace, WarmUp};
use crate::mix::{self, MixPart};
use crate::share::{Share, requests_of};
use crate::target::{HttpVersion, Request, Target};
use crate::variety::Variety;
use crate::{InvalidMessage, wire};

/// The longest span that the wire accepts.
pub const MAX_SPAN: Duration = Duration::from_secs(7 * 24 * 3600);

/// One block's work for one worker. Numbers in `load`, `extent` and `warm_up` are the whole fleet's; `share` says which
/// part is this worker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Unique among all assignments of all coordinators.
    pub id: String,
    /// Where requests go.
    pub target: Target,
    /// What is sent.
    pub request: Request,
    /// What a good answer is.
    pub expectation: Expectation,
    /// How requests come about.
    pub load: Load,
    /// When the block ends.
    pub extent: Extent,
    /// What goes before it.
    pub warm_up: WarmUp,
    /// Which worker this is, of how many.
    pub share: Share,
    /// From the moment a request is given a connection until its last byte.
    pub timeout: Duration,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// HTTP/2: the most requests that are in flight on a connection.
    pub streams: NonZeroU32,
    /// Threads; `None` for one per core that the worker may use.
    pub threads: Option<NonZeroU32>,
    /// Seeds Poisson arrivals, think times, what is random in bodies, and back-off.
    pub seed: u64,
    /// The worker stops its load when it hears nothing for this long.
    pub lease: Duration,
    /// Bodies that differ, in place of the request's own.
    pub variety: Option<Arc<Variety>>,
    /// Scenarios that are mixed, in place of the request, the expectation and the variety; empty for no mix.
    pub mix: Vec<MixPart>,
}

impl Assignment {
    /// Connections that this worker holds, when each carries as many requests as its streams allow.
    pub fn connections(&self) -> u32 {
        match self.load {
            // A share of a u32 is a u32.
            Load::Closed { .. } => self.share.of(u64::from(self.load.connections(self.streams))) as u32,
            Load::Open { connections, .. } => connections.get(),
        }
    }

    /// Requests that this worker can have in flight.
    pub fn places(&self) -> u32 {
        match self.load {
            Load::Closed { concurrency, .. } => {
                let connections = self.load.connections(self.streams);
                requests_of(self.share, connections, u64::from(concurrency.get())) as u32
            }
            Load::Open { connections, .. } => connections.get().saturating_mul(self.streams.get()),
        }
    }
}

/// Nanoseconds on the wire.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

impl From<&Assignment> for wire::Assignment {
    fn from(assignment: &Assignment) -> Self {
        wire::Assignment {
            id: assignment.id.clone(),
            target: Some((&assignment.target).into()),
            request: Some((&assignment.request).into()),
            expectation: Some((&assignment.expectation).into()),
            load: Some((&assignment.load).into()),
            requests: assignment.extent.requests().map(NonZeroU64::get),
            duration_ns: assignment.extent.duration().map(nanos),
            warm_up: match assignment.warm_up {
                WarmUp::None => None,
                WarmUp::Requests(requests) => Some(wire::assignment::WarmUp::WarmUpRequests(requests.get())),
                WarmUp::Duration(duration) => {
                    Some(wire::assignment::WarmUp::WarmUpDurationNs(nanos(duration)))
                }
            },
            worker_index: assignment.share.index(),
            worker_count: assignment.share.count(),
            timeout_ns: nanos(assignment.timeout),
            keep_alive: assignment.keep_alive,
            threads: assignment.threads.map_or(0, NonZeroU32::get),
            seed: assignment.seed,
            lease_ns: nanos(assignment.lease),
            streams: assignment.streams.get(),
            variety: assignment.variety.as_deref().map(Into::into),
            mix: assignment.mix.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<wire::Assignment> for Assignment {
    type Error = InvalidMessage;

    fn try_from(wire: wire::Assignment) -> Result<Self, InvalidMessage> {
        if wire.id.is_empty() || wire.id.len() > 64 {
            return Err(InvalidMessage::new("assignment.id", "is empty or longer than 64 bytes"));
        }
        let requests = wire.requests.map(|requests| non_zero("assignment.requests", requests)).transpose()?;
        let duration = wire.duration_ns.map(|nanos| span("assignment.duration_ns", nanos)).transpose()?;
        let target: Target = wire.target.ok_or(InvalidMessage::missing("assignment.target"))?.try_into()?;
        if target.http_version != HttpVersion::Http11 && !wire.keep_alive {
            return Err(InvalidMessage::new(
                "assignment.keep_alive",
                "is false, which HTTP/2 has no place for",
            ));
        }
        let load = wire.load.ok_or(InvalidMessage::missing("assignment.load"))?.try_into()?;
        let extent = Extent::new(requests, duration).ok_or(InvalidMessage::new(
            "assignment.requests",
            "and assignment.duration_ns are both missing",
        ))?;
        check_extent(&load, extent)?;
        let mix = wire.mix.into_iter().map(MixPart::try_from).collect::<Result<Vec<_>, _>>()?;
        mix::check(&mix, target.http_version)?;
        Ok(Self {
            id: wire.id,
            target,
            request: wire.request.ok_or(InvalidMessage::missing("assignment.request"))?.try_into()?,
            expectation: wire.expectation.unwrap_or_default().try_into()?,
            load,
            extent,
            warm_up: match wire.warm_up {
                None => WarmUp::None,
                Some(wire::assignment::WarmUp::WarmUpRequests(requests)) => {
                    WarmUp::Requests(non_zero("assignment.warm_up_requests", requests)?)
                }
                Some(wire::assignment::WarmUp::WarmUpDurationNs(nanos)) => {
                    WarmUp::Duration(span("assignment.warm_up_duration_ns", nanos)?)
                }
            },
            share: Share::new(wire.worker_index, wire.worker_count).ok_or(InvalidMessage::new(
                "assignment.worker_index",
                "is not below assignment.worker_count",
            ))?,
            timeout: span("assignment.timeout_ns", wire.timeout_ns)?,
            keep_alive: wire.keep_alive,
            streams: streams(wire.streams)?,
            threads: NonZeroU32::new(wire.threads),
            seed: wire.seed,
            lease: span("assignment.lease_ns", wire.lease_ns)?,
            variety: wire.variety.map(Variety::try_from).transpose()?.map(Arc::new),
            mix,
        })
    }
}

/// Stages say themselves how long they last, and a trace how many it holds.
fn check_extent(load: &Load, extent: Extent) -> Result<(), InvalidMessage> {
    match load {
        Load::Open { pace: Pace::Stages(stages), .. } if extent != Extent::Duration(stages.duration()) => {
            Err(InvalidMessage::new("assignment.duration_ns", "is not how long open.stages last"))
        }
        Load::Open { pace: Pace::Trace(trace), .. }
            if extent.requests().map(NonZeroU64::get) != Some(trace.requests()) =>
        {
            Err(InvalidMessage::new("assignment.requests", "is not how many open.trace_deflate holds"))
        }
        _ => Ok(()),
    }
}

/// The most streams that a connection may be asked to carry.
pub const MAX_STREAMS: u32 = 10_000;

fn streams(streams: u32) -> Result<NonZeroU32, InvalidMessage> {
    if streams > MAX_STREAMS {
        return Err(InvalidMessage::new("assignment.streams", format!("is more than {MAX_STREAMS}")));
    }
    Ok(NonZeroU32::new(streams).unwrap_or(NonZeroU32::MIN))
}

pub(crate) fn non_zero(field: &'static str, number: u64) -> Result<NonZeroU64, InvalidMessage> {
    NonZeroU64::new(number).ok_or(InvalidMessage::new(field, "is 0"))
}

pub(crate) fn span(field: &'static str, nanos: u64) -> Result<Duration, InvalidMessage> {
    let span = Duration::from_nanos(nanos);
    if span.is_zero() || span > MAX_SPAN {
        return Err(InvalidMessage::new(field, "is 0 or longer than a week"));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expectation::{JsonExpectation, StreamFormat};
    use crate::goal::Goal;
    use crate::load::{Arrivals, Rate, ThinkTime};
    use crate::route::Route;
    use crate::stages::{Stage, Stages};
    use crate::tls::ClientIdentity;
    use crate::trace::Trace;
    use url::Url;

    fn assignment(load: Load, extent: Extent, warm_up: WarmUp) -> Assignment {
        Assignment {
            id: "an-id".into(),
            target: Target {
                extra_roots: Some("PEM".into()),
                insecure: true,
                http_version: HttpVersion::Auto,
                route: Route::ConnectTo { host: "::1".into(), port: 65_535 },
                local_addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
                server_name: Some("other.example".into()),
                session_resumption: true,
                client_identity: Some(ClientIdentity {
                    certificate_pem: "PEM".into(),
                    key_pem: "PEM".into(),
                }),
                ..Target::new(Url::parse("https://gateway.example:9000").unwrap())
            },
            request: Request {
                method: "POST".into(),
                path: "/v1/chat/completions".into(),
                headers: vec![("authorization".into(), "Bearer x".into())],
                body: b"{}".to_vec(),
            },
            expectation: Expectation {
                status: Some(201),
                json: vec![JsonExpectation { pointer: "/a".into(), equals: Some("1".into()) }],
                finish_reason: Some("stop".into()),
                stream: Some(StreamFormat::OpenAiChat),
                goal: Goal { mean_gap: Some(Duration::from_millis(7)), ..Goal::NONE },
            },
            load,
            extent,
            warm_up,
            share: Share::new(2, 3).unwrap(),
            timeout: Duration::from_secs(30),
            keep_alive: true,
            streams: NonZeroU32::new(25).unwrap(),
            threads: NonZeroU32::new(2),
            seed: 7,
            lease: Duration::from_secs(10),
            variety: None,
            mix: Vec::new(),
        }
    }

    fn every_kind() -> Vec<Assignment> {
        let (some, second) = (NonZeroU64::new(5).unwrap(), Duration::from_secs(1));
        let connections = NonZeroU32::new(64).unwrap();
        let pace = Pace::Steady(Rate::from_millihertz(1500).unwrap());
        let stage = Stage { duration: second, from_millihertz: 0, to_millihertz: 1500 };
        let trace = Pace::Trace(Trace::new(vec![0, 7]).unwrap());
        let stages = Pace::Stages(Stages::new([stage, stage]).unwrap());
        vec![
            assignment(
                Load::Closed { concurrency: connections, think_time: None },
                Extent::Requests(some),
                WarmUp::None,
            ),
            assignment(
                Load::Open {
                    pace: pace.clone(),
                    arrivals: Arrivals::Constant,
                    connections,
                    max_in_flight: None,
                },
                Extent::Duration(second),
                WarmUp::Requests(some),
            ),
            assignment(
                Load::Open { pace, arrivals: Arrivals::Poisson, connections, max_in_flight: Some(some) },
                Extent::Either(some, second),
                WarmUp::Duration(second),
            ),
            assignment(
                Load::Open { pace: stages, arrivals: Arrivals::Poisson, connections, max_in_flight: None },
                Extent::Duration(2 * second),
                WarmUp::None,
            ),
            assignment(
                Load::Open { pace: trace, arrivals: Arrivals::Constant, connections, max_in_flight: None },
                Extent::Requests(NonZeroU64::new(2).unwrap()),
                WarmUp::None,
            ),
            assignment(
                Load::Closed { concurrency: connections, think_time: ThinkTime::new(second / 2, second) },
                Extent::Requests(some),
                WarmUp::None,
            ),
        ]
    }

    #[test]
    fn every_kind_survives_the_wire() {
        for assignment in every_kind() {
            assert_eq!(Assignment::try_from(wire::Assignment::from(&assignment)).unwrap(), assignment);
        }
        let Assignment { request, expectation, .. } = every_kind().remove(0);
        let part = |weight| {
            let (request, expectation) = (request.clone(), expectation.clone());
            MixPart { weight, request, expectation, variety: None }
        };
        let weights = [7, 3].map(|weight| NonZeroU32::new(weight).unwrap());
        let mixed = Assignment { mix: weights.map(part).into(), ..every_kind().remove(0) };
        assert_eq!(Assignment::try_from(wire::Assignment::from(&mixed)).as_ref(), Ok(&mixed));
        assert_eq!(mixed.sent().len(), 2);
        assert!(mixed.deal().is_some() && every_kind()[0].deal().is_none());
    }

    #[test]
    fn connections_and_their_places_are_dealt_exactly() {
        let load = Load::Closed { concurrency: NonZeroU32::new(110).unwrap(), think_time: None };
        let of = |index, count| {
            let share = Share::new(index, count).unwrap();
            let extent = Extent::Duration(Duration::from_secs(1));
            let assignment = Assignment { share, ..assignment(load.clone(), extent, WarmUp::None) };
            (assignment.connections(), assignment.places())
        };
        assert_eq!(of(0, 1), (5, 110));
        assert_eq!([of(0, 2), of(1, 2)], [(3, 66), (2, 44)]);
        assert_eq!(of(6, 7), (0, 0));
    }

    #[test]
    fn nonsense_is_refused_by_field() {
        let spoil = |change: &dyn Fn(&mut wire::Assignment)| {
            let mut message = wire::Assignment::from(&every_kind()[0]);
            change(&mut message);
            Assignment::try_from(message).unwrap_err().field
        };
        assert_eq!(spoil(&|m| m.id.clear()), "assignment.id");
        assert_eq!(spoil(&|m| m.target = None), "assignment.target");
        assert_eq!(spoil(&|m| m.target.as_mut().unwrap().url = "nowhere".into()), "target.url");
        assert_eq!(spoil(&|m| m.request.as_mut().unwrap().path = "/ HTTP/1.1\r\n".into()), "request.path");
        assert_eq!(spoil(&|m| m.load = None), "assignment.load");
        assert_eq!(
            spoil(&|m| m.load = Some(wire::assignment::Load::Closed(wire::ClosedLoad::default()))),
            "closed.concurrency"
        );
        assert_eq!(spoil(&|m| m.streams = MAX_STREAMS + 1), "assignment.streams");
        assert_eq!(spoil(&|m| m.target.as_mut().unwrap().http_version = 9), "target.http_version");
        let without_keep_alive = |m: &mut wire::Assignment| {
            m.target.as_mut().unwrap().http_version = HttpVersion::Http2.to_wire();
            m.keep_alive = false;
        };
        assert_eq!(spoil(&without_keep_alive), "assignment.keep_alive");
        assert_eq!(spoil(&|m| m.requests = None), "assignment.requests");
        let backwards = wire::ClosedLoad { concurrency: 1, think_time_min_ns: 2, think_time_max_ns: 1 };
        assert_eq!(
            spoil(&|m| m.load = Some(wire::assignment::Load::Closed(backwards))),
            "closed.think_time_max_ns"
        );
        let spoil_stages = |change: &dyn Fn(&mut wire::Assignment, &mut wire::OpenLoad)| {
            let mut message = wire::Assignment::from(&every_kind()[3]);
            let Some(wire::assignment::Load::Open(mut open)) = message.load.take() else { panic!() };
            change(&mut message, &mut open);
            message.load = Some(wire::assignment::Load::Open(open));
            Assignment::try_from(message).unwrap_err().field
        };
        assert_eq!(spoil_stages(&|_, open| open.rate_millihertz = 1), "open.rate_millihertz");
        assert_eq!(spoil_stages(&|_, open| open.trace_deflate = vec![1]), "open.trace_deflate");
        let trace = Trace::new(vec![0, 7]).unwrap().encode();
        let spoil_trace = |m: &mut wire::Assignment, open: &mut wire::OpenLoad, requests| {
            open.stages.clear();
            open.trace_deflate = trace.clone();
            (m.duration_ns, m.requests) = (None, Some(requests));
        };
        assert_eq!(spoil_stages(&|m, open| spoil_trace(m, open, 3)), "assignment.requests");
        assert_eq!(spoil_stages(&|_, open| open.stages.clear()), "open.rate_millihertz");
        assert_eq!(spoil_stages(&|_, open| open.stages[0].duration_ns = 0), "open.stages");
        assert_eq!(spoil_stages(&|m, _| m.duration_ns = Some(1)), "assignment.duration_ns");
        assert_eq!(spoil_stages(&|m, _| m.requests = Some(1)), "assignment.duration_ns");
        assert_eq!(spoil(&|m| m.worker_index = 3), "assignment.worker_index");
        assert_eq!(spoil(&|m| m.timeout_ns = u64::MAX), "assignment.timeout_ns");
        assert_eq!(spoil(&|m| m.expectation.as_mut().unwrap().status = 404), "expectation.status");
    }
}
