use super::*;
use proptest::prelude::*;
use proto::latencies::Histogram;
use proto::load::{Arrivals, Pace};
use std::num::{NonZeroU32, NonZeroU64};

const SECOND: u64 = 1_000_000_000;

fn open(rate: &str, arrivals: Arrivals, share: Share, limit: Limit, max_in_flight: Option<u64>) -> Schedule {
    let load = Load::Open {
        pace: Pace::Steady(rate.parse().unwrap()),
        arrivals,
        connections: NonZeroU32::new(64).unwrap(),
        max_in_flight: max_in_flight.and_then(NonZeroU64::new),
    };
    Schedule::new(&load, Lane { share, connections: 64, places: 64, of_connections: 64 }, limit, 7)
}

fn due_times(schedule: &mut Schedule) -> Vec<u64> {
    schedule.advance(Nanos::MAX);
    std::iter::from_fn(|| schedule.take(Nanos::ZERO)).map(|due| due.0).collect()
}

fn for_duration(seconds: u64) -> Limit {
    Limit { requests: None, end: Some(Nanos(seconds * SECOND)) }
}

#[test]
fn a_constant_rate_is_exact() {
    let mut schedule = open("3", Arrivals::Constant, Share::WHOLE, for_duration(2), None);
    assert_eq!(due_times(&mut schedule), [0, 333_333_333, 666_666_666, SECOND, 1_333_333_333, 1_666_666_666]);
    assert!(schedule.is_exhausted(Nanos::MAX));
    assert_eq!(schedule.take_counts(), Counts { offered: 6, dropped: 0 });
}

#[test]
fn a_poisson_process_has_the_rate_and_the_spread_that_it_should() {
    let times = due_times(&mut open("1000", Arrivals::Poisson, Share::WHOLE, for_duration(100), None));
    // 100,000 expected with a standard deviation of 316.
    assert!((98_700..101_300).contains(&times.len()), "{}", times.len());
    // The share of gaps longer than the mean gap is 1/e.
    let long = times.windows(2).filter(|pair| pair[1] - pair[0] > SECOND / 1000).count() as f64;
    assert!((long / times.len() as f64 - (-1f64).exp()).abs() < 0.01);
}

#[test]
fn arrivals_beyond_the_limit_in_flight_are_dropped_and_counted() {
    let mut schedule = open("10", Arrivals::Constant, Share::WHOLE, for_duration(1), Some(3));
    schedule.advance(Nanos(SECOND / 2));
    assert_eq!(schedule.take_counts(), Counts { offered: 6, dropped: 3 });
    assert!(schedule.take(Nanos::ZERO).is_some());
    schedule.complete();
    schedule.advance(Nanos(SECOND));
    assert_eq!(schedule.take_counts(), Counts { offered: 4, dropped: 3 });
    assert_eq!(schedule.abandon().len(), 3);
}

/// A rate that nothing carries, or a target that has stood still for hours.
#[test]
fn a_queue_is_bounded_even_where_no_limit_was_asked_for() {
    let more = MOST_WAITING + 1_000;
    for max_in_flight in [None, Some(u64::MAX)] {
        let mut schedule =
            open("1000000000", Arrivals::Constant, Share::WHOLE, for_duration(9), max_in_flight);
        schedule.advance(Nanos(more - 1));
        assert_eq!(schedule.take_counts(), Counts { offered: more, dropped: 1_000 });
        assert_eq!(schedule.abandon().len() as u64, MOST_WAITING);
    }
}

#[test]
fn a_request_keeps_its_number_when_others_are_dropped() {
    let mut schedule = open("10", Arrivals::Constant, Share::WHOLE, for_duration(1), Some(2));
    schedule.advance(Nanos(SECOND / 2));
    let mut taken = || schedule.take(Nanos::ZERO).map(|_| schedule.taken().number());
    assert_eq!((taken(), taken(), taken()), (Some(0), Some(1), None));
    schedule.complete();
    schedule.complete();
    schedule.advance(Nanos(SECOND));
    assert_eq!((schedule.take(Nanos::ZERO), schedule.taken().number()), (Some(Nanos(SECOND * 6 / 10)), 6));
}

#[test]
fn a_closed_loop_is_due_when_its_connection_is_free() {
    let load = Load::Closed { concurrency: NonZeroU32::new(2).unwrap(), think_time: None };
    let limit = Limit { requests: Some(3), end: Some(Nanos(100)) };
    let mut schedule = Schedule::new(
        &load,
        Lane { share: Share::WHOLE, connections: 2, places: 2, of_connections: 2 },
        limit,
        0,
    );
    assert_eq!(schedule.take(Nanos(5)), Some(Nanos(5)));
    assert_eq!(schedule.take(Nanos(100)), None);
    assert_eq!((schedule.take(Nanos(99)), schedule.taken().number()), (Some(Nanos(99)), 1));
    assert!(!schedule.is_exhausted(Nanos(99)));
    assert_eq!(schedule.take(Nanos(6)), Some(Nanos(6)));
    assert!(schedule.is_exhausted(Nanos(7)) && schedule.ended_by_requests());
}

#[test]
fn what_is_due_is_drained_for_one_timeout() {
    let timeout = Nanos(30 * SECOND);
    let mut timed = open("10", Arrivals::Constant, Share::WHOLE, for_duration(1), None);
    assert_eq!(timed.drain_end(timeout), None);
    timed.advance(Nanos(SECOND));
    assert_eq!(timed.drain_end(timeout), Some(Nanos(31 * SECOND)));

    let limit = Limit { requests: Some(3), end: None };
    let mut counted = open("10", Arrivals::Constant, Share::WHOLE, limit, None);
    counted.advance(Nanos(SECOND));
    assert_eq!(counted.drain_end(timeout), Some(Nanos(200_000_000) + timeout));
}

/// A server with `connections` places that answers in `service` but sleeps through the first `stall` of every
/// `period`, driven by scripted time. Returns the response times.
fn against_a_stalling_server(rate: &str, seconds: u64, service: u64, stall: u64, period: u64) -> Histogram {
    let connections = 64;
    let mut schedule = open(rate, Arrivals::Constant, Share::WHOLE, for_duration(seconds), None);
    let mut busy: VecDeque<(u64, u64)> = VecDeque::new();
    let mut served_until = 0u64;
    let mut responses = Histogram::new();
    loop {
        let arrival = schedule.next_arrival().map(|due| due.0);
        let completion = busy.front().map(|(done, _)| *done);
        let Some(now) = arrival.into_iter().chain(completion).min() else { break };
        schedule.advance(Nanos(now));
        while let Some((_, due)) = busy.pop_front_if(|(done, _)| *done <= now) {
            responses.record(now - due);
            schedule.complete();
        }
        while busy.len() < connections {
            let Some(due) = schedule.take(Nanos(now)) else { break };
            // One request after the other; the server is awake from `stall` to `period`.
            let mut begin = served_until.max(now);
            if begin % period < stall {
                begin += stall - begin % period;
            }
            served_until = begin + service;
            busy.push_back((served_until, due.0));
        }
    }
    responses
}

/// The formula of an M/D/1-like stall: with rate R and drain capacity C the fraction f = (stall ÷ period) ÷ (1 − R÷C)
/// of requests waits, evenly between 0 and the stall, so that P_q = stall × (1 − (1 − q) ÷ f).
#[test]
fn a_stall_is_charged_to_every_request_that_was_due_in_it() {
    let (stall, period) = (200_000_000u64, 2 * SECOND);
    for rate in [2_000u64, 5_000, 20_000] {
        let service = SECOND / 100_000;
        let responses = against_a_stalling_server(&rate.to_string(), 20, service, stall, period);
        assert_eq!(responses.count(), rate * 20, "every request is sent and answered");

        let waiting = (stall as f64 / period as f64) / (1.0 - rate as f64 * service as f64 / SECOND as f64);
        for q in [0.95, 0.99, 0.999] {
            let on_paper = stall as f64 * (1.0 - (1.0 - q) / waiting);
            let measured = responses.quantile(q).unwrap() as f64;
            let error = (measured - on_paper).abs();
            assert!(error < 0.01 * on_paper + 100_000.0, "{rate}/s P{q}: {measured} against {on_paper}");
        }
        assert!(responses.quantile(0.5).unwrap() < 100_000);
    }
}

proptest! {
    #[test]
    fn shares_of_a_schedule_make_up_the_whole(workers in 1u32..5, threads in 1u32..4, poisson: bool, requests in 0u64..300) {
        let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Constant };
        let limit = Limit { requests: Some(requests), end: Some(Nanos(SECOND / 4)) };
        let whole = due_times(&mut open("700", arrivals, Share::WHOLE, limit, None));
        let mut parts = Vec::new();
        for k in 0..workers {
            for j in 0..threads {
                let share = Share::new(k, workers).unwrap().sub(j, threads).unwrap();
                parts.extend(due_times(&mut open("700", arrivals, share, limit, None)));
            }
        }
        parts.sort_unstable();
        prop_assert_eq!(parts, whole);
    }
}
