use super::*;
use crate::engine::deal::Dealer;
use crate::engine::schedule::{Limit, Schedule, lanes};
use proptest::prelude::*;
use proto::expectation::Expectation;
use proto::load::{Arrivals, Extent, Load, Pace, WarmUp};
use proto::mix::MixPart;
use proto::share::Share;
use proto::target::Target;
use proto::variety::Dataset;
use std::num::NonZeroU32;
use std::time::Duration;

fn assignment(load: Load, share: Share, template: &str, bodies: u32) -> Assignment {
    Assignment {
        id: "test".into(),
        target: Target::new("http://h:1".parse().unwrap()),
        request: Request { method: "POST".into(), path: "/".into(), headers: Vec::new(), body: Vec::new() },
        expectation: Expectation::default(),
        load,
        extent: Extent::Duration(Duration::from_secs(1)),
        warm_up: WarmUp::None,
        share,
        timeout: Duration::from_secs(1),
        keep_alive: true,
        threads: None,
        streams: NonZeroU32::MIN,
        seed: 7,
        lease: Duration::from_secs(1),
        variety: Some(Arc::new(Variety {
            template: template.into(),
            escapes_json: true,
            dataset: Dataset::default(),
            bodies,
        })),
        mix: Vec::new(),
    }
}

fn load(is_open: bool, connections: u32) -> Load {
    let connections = NonZeroU32::new(connections).unwrap();
    match is_open {
        false => Load::Closed { concurrency: connections, think_time: None },
        true => Load::Open {
            pace: Pace::Steady("9".parse().unwrap()),
            arrivals: Arrivals::Constant,
            connections,
            max_in_flight: None,
        },
    }
}

fn part(assignment: &Assignment, (template, weight): (&str, u32), bodies: u32) -> MixPart {
    let (template, dataset) = (template.into(), Dataset::default());
    MixPart {
        weight: NonZeroU32::new(weight).unwrap(),
        request: assignment.request.clone(),
        expectation: Expectation::default(),
        variety: Some(Arc::new(Variety { template, escapes_json: true, dataset, bodies })),
    }
}

fn texts(ring: &Http1Ring) -> Vec<String> {
    (0..ring.len() as u64).map(|number| String::from_utf8(ring.get(number).to_vec()).unwrap()).collect()
}

#[test]
fn every_request_is_whole_and_has_its_own_length() {
    let assignment =
        assignment(load(true, 1), Share::WHOLE, "{{ seq }}{% if seq == 1 %}, long{% endif %}", 2);
    let rings = Rings::<Http1Ring>::new(&assignment, &lanes(&assignment, 1)).unwrap();
    assert_eq!((rings.bodies, rings.lanes.len()), (2, 1));
    let [warm_up, load] = rings.lanes.into_iter().next().unwrap();
    let (warm_up, ring) = (&warm_up[0], &load[0]);
    assert!(texts(ring)[0].ends_with("(load)\r\nAccept-Encoding: identity\r\nContent-Length: 1\r\n\r\n0"));
    assert!(texts(ring)[1].ends_with("Content-Length: 7\r\n\r\n1, long"));
    assert_eq!((ring.get(2), ring.get(7)), (ring.get(0), ring.get(1)));
    assert!(texts(warm_up)[0].contains("(warm-up)") && texts(warm_up)[0].ends_with("\r\n2"));
}

#[test]
fn what_takes_too_much_memory_or_makes_no_sense_is_refused() {
    let large = assignment(load(true, 1), Share::WHOLE, "{{ words(100000) }}", 1_000);
    let refused = |assignment: &Assignment| {
        Rings::<Http1Ring>::new(assignment, &lanes(assignment, 1)).err().unwrap().to_string()
    };
    assert!(refused(&large).starts_with("the bodies of this worker take more than 256 MiB: ask for fewer"));
    let broken = assignment(load(true, 1), Share::WHOLE, "{{ nothing }}", 1);
    assert!(
        refused(&broken).starts_with("the body's template cannot be used: line 1: there is no `nothing`")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Each scenario of a mix has the bodies of its own requests, in the order in which a lane deals them.
    #[test]
    fn a_mix_has_the_body_of_each_request_once_and_in_order(
        is_open: bool, workers in 1u32..4, connections in 1u32..9, bodies in 12u32..60, weight in 1u32..9,
    ) {
        let load = load(is_open, connections);
        let active = if is_open { workers } else { workers.min(connections) };
        let mut made = Vec::new();
        for share in (0..active).filter_map(|index| Share::new(index, active)) {
            let mut assignment = assignment(load.clone(), share, "", bodies);
            assignment.mix = [("{{ seq }}", weight), ("{{ seq }}", 3)].map(|of| part(&assignment, of, bodies)).into();
            let (lanes, deal) = (lanes(&assignment, 2), assignment.deal().unwrap());
            let rings = Rings::<Http1Ring>::new(&assignment, &lanes).unwrap();
            for (lane, [_, rings]) in lanes.iter().zip(&rings.lanes) {
                let mut dealer = Dealer::new(&deal, 2, &load, *lane);
                for n in 0..lane.requests_of(&load, bodies.into()) {
                    let (ticket, number) = (dealer.next(), lane.number(load.concurrency(), n));
                    prop_assert_eq!(ticket.part(), deal.part(number));
                    let sent = rings[ticket.part()].get(ticket.number());
                    prop_assert!(sent.ends_with(format!("\n{number}").as_bytes()), "{number}");
                    made.push(number);
                }
            }
        }
        made.sort_unstable();
        prop_assert_eq!(made, (0..u64::from(bodies)).collect::<Vec<_>>());
    }

    /// All lanes of all workers together have the bodies 0 to `bodies`, each once, and each lane has as many as it
    /// has requests.
    #[test]
    fn no_body_is_made_twice_in_a_fleet_and_none_is_left_out(
        is_open: bool, workers in 1u32..5, threads in 1u32..4, connections in 1u32..9, bodies in 12u32..60,
        streams in 1u32..5,
    ) {
        let (load, streams) = (load(is_open, connections), NonZeroU32::new(streams).unwrap());
        let active = if is_open { workers } else { workers.min(load.connections(streams)) };
        let (mut made, mut warm_up, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for k in 0..active {
            let share = Share::new(k, active).unwrap();
            let assignment = Assignment { streams, ..assignment(load.clone(), share, "{{ seq }}", bodies) };
            let lanes = lanes(&assignment, threads);
            let rings = Rings::<Http1Ring>::new(&assignment, &lanes).unwrap();
            for (lane, [before, ring]) in lanes.iter().zip(&rings.lanes) {
                let number = |text: &String| text.rsplit('\n').next().unwrap().parse::<u64>().unwrap();
                made.extend(texts(&ring[0]).iter().map(number));
                warm_up.extend(texts(&before[0]).iter().map(number));
                places.extend((0..u64::from(lane.places)).map(|place| lane.place(place)));
                let limit = Limit { requests: Some(u64::from(bodies)), end: None };
                let mut schedule = Schedule::new(&load, *lane, limit, 1);
                schedule.advance(crate::clock::Nanos::MAX);
                let requests = std::iter::from_fn(|| schedule.take(crate::clock::Nanos::ZERO)).count();
                prop_assert_eq!(requests, ring[0].len());
            }
        }
        made.sort_unstable();
        prop_assert_eq!(made, (0..u64::from(bodies)).collect::<Vec<_>>());
        prop_assert!(warm_up.iter().all(|number| *number >= u64::from(bodies)));
        places.sort_unstable();
        prop_assert!(is_open || places.iter().copied().eq(0..u64::from(connections)), "{:?}", places);
    }
}
