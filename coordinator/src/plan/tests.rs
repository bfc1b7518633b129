use proto::load::{Extent, Load, WarmUp};
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use proto::share::Share;
use proto::target::Target;
use url::Url;

use super::{Arm, Block, Design, Level, Order, Plan, Purpose};
use crate::merge::fixtures::{block, closed, open, requests};
use crate::scenario::Scenario;

fn scenarios(path: &str) -> Vec<Scenario> {
    ["one", "two"]
        .map(|name| {
            let mut scenario = block(closed(1), requests(1)).scenario;
            scenario.name = name.into();
            scenario.request.path = path.into();
            scenario
        })
        .to_vec()
}

fn level(load: Load) -> Level {
    Level { load, warm_up: WarmUp::Requests(NonZeroU64::new(10).unwrap()) }
}

fn plan(levels: &[Level], with_direct: bool, change: impl Fn(&mut Design<'_>)) -> Plan {
    let (gateway, direct) = (scenarios("/gateway"), scenarios("/direct"));
    let target = |url: &str| Target::new(Url::parse(url).unwrap());
    let (there, upstream) = (target("http://127.0.0.1:1"), target("http://127.0.0.1:2"));
    let mut design = Design {
        scenarios: &gateway,
        weights: &[],
        target: &there,
        direct: with_direct.then_some((direct.as_slice(), &upstream)),
        levels,
        repeats: NonZeroU32::new(3).unwrap(),
        order: Order::Abba,
        queueing_check: false,
        extent: requests(1_001),
        timeout: Duration::from_secs(1),
        keep_alive: true,
        streams: NonZeroU32::MIN,
        threads: None,
        seed: 7,
    };
    change(&mut design);
    design.plan()
}

fn arms(plan: &Plan) -> String {
    plan.blocks.iter().map(|block| if block.arm == Arm::Gateway { 'G' } else { 'D' }).collect()
}

#[test]
fn pairs_run_in_abba_order_each_arm_with_its_own_target_and_request() {
    let plan = plan(&[level(closed(10))], true, |_| {});
    assert_eq!(arms(&plan), "GDDGGDGDDGGD");
    for block in &plan.blocks {
        let expected = match block.arm {
            Arm::Gateway => ("/gateway", Some(1)),
            Arm::Direct => ("/direct", Some(2)),
        };
        assert_eq!((block.scenario.request.path.as_str(), block.target.url.port()), expected);
    }
    let repeats: Vec<u32> = plan.blocks.iter().map(|block| block.repeat).collect();
    assert_eq!(repeats, [1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]);
}

#[test]
fn a_mix_is_one_block_of_all_its_scenarios() {
    const WEIGHTS: [NonZeroU32; 2] = [NonZeroU32::new(7).unwrap(), NonZeroU32::new(3).unwrap()];
    let plan = plan(&[level(closed(10))], true, |design| {
        (design.weights, design.queueing_check) = (&WEIGHTS, true);
    });
    assert_eq!(arms(&plan), "GDDGGDGD");
    for block in &plan.blocks {
        let parts: Vec<Block> = block.parts();
        let names: Vec<&str> = parts.iter().map(|part| part.scenario.name.as_str()).collect();
        assert_eq!((block.scenario.name.as_str(), names), ("together", vec!["one", "two"]));
        assert!(parts.iter().all(|part| part.mix.is_empty() && part.repeat == block.repeat));
        let assignment = block.assignment("an-id".into(), Share::WHOLE, Duration::from_secs(10));
        let path = if block.arm == Arm::Gateway { "/gateway" } else { "/direct" };
        assert!(assignment.mix.iter().all(|part| part.request.path == path));
        assert_eq!(assignment.mix.iter().map(|part| part.weight).collect::<Vec<_>>(), WEIGHTS);
    }
}

#[test]
fn the_blocks_of_a_pair_send_the_same_and_no_other_pair_does() {
    let plan = plan(&[level(closed(10))], true, |_| {});
    let seeds: Vec<u64> = plan.blocks[..6].iter().map(|block| block.seed).collect();
    assert_eq!((seeds[0], seeds[1]), (7, 7));
    assert_eq!((seeds[2], seeds[4]), (seeds[3], seeds[5]));
    assert!(seeds[0] != seeds[2] && seeds[2] != seeds[4] && seeds[0] != seeds[4]);
}

#[test]
fn each_level_sends_something_else() {
    let plan = plan(&[level(closed(1)), level(closed(10)), level(closed(50))], true, |_| {});
    let of_scenario = plan.blocks.iter().filter(|block| block.scenario.name == "one");
    let mut seeds: Vec<u64> = of_scenario.map(|block| block.seed).collect();
    let blocks = seeds.len();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!((blocks, seeds.len()), (18, 9), "a cache that has seen one level knows nothing of the next");
}

#[test]
fn a_random_order_follows_from_the_seed_and_has_both_beginnings() {
    let ordered = |seed| {
        arms(&plan(&[level(closed(10))], true, |design| {
            (design.order, design.seed) = (Order::Random, seed);
            design.repeats = NonZeroU32::new(32).unwrap();
        }))
    };
    assert_eq!(ordered(1), ordered(1));
    assert_ne!(ordered(1), ordered(2));
    let pairs: Vec<String> =
        ordered(1).as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into()).collect();
    assert!(pairs.iter().all(|pair| pair == "GD" || pair == "DG"));
    let first = pairs.iter().filter(|pair| *pair == "GD").count();
    assert!((10..=54).contains(&first), "{first} of 64 begin with the gateway");
}

#[test]
fn without_a_direct_arm_each_level_is_repeated() {
    let levels = [level(closed(1)), level(closed(10))];
    let plan = plan(&levels, false, |_| {});
    assert_eq!(arms(&plan), "G".repeat(12));
    let shape: Vec<_> = plan
        .blocks
        .iter()
        .map(|block| (block.scenario.name.as_str(), block.load.clone(), block.repeat))
        .collect();
    assert_eq!(shape[2], ("one", closed(1), 3));
    assert_eq!(shape[3], ("one", closed(10), 1));
    assert_eq!(shape[6], ("two", closed(1), 1));
}

#[test]
fn a_single_closed_level_is_held_against_half_of_it() {
    let checks = |levels: &[Level]| {
        let plan = plan(levels, true, |design| design.queueing_check = true);
        plan.blocks.into_iter().filter(|block| block.purpose == Purpose::QueueingCheck).collect::<Vec<_>>()
    };
    let found = checks(&[level(closed(11))]);
    assert_eq!(found.len(), 4, "one of each arm for each of two scenarios");
    assert_eq!((&found[0].load, found[0].extent), (&closed(5), requests(501)));
    assert_eq!(found[0].warm_up, WarmUp::Requests(NonZeroU64::new(5).unwrap()));
    assert_eq!((found[0].arm, found[1].arm), (Arm::Gateway, Arm::Direct));

    assert!(checks(&[level(closed(1))]).is_empty(), "there is no half of one");
    assert!(checks(&[level(closed(2)), level(closed(4))]).is_empty(), "two levels say it themselves");
    assert!(checks(&[level(open(100))]).is_empty());
}

#[test]
fn half_of_a_duration_is_half_as_long() {
    let plan = plan(&[level(closed(4))], false, |design| {
        (design.queueing_check, design.extent) = (true, Extent::Duration(Duration::from_secs(30)));
    });
    let check = plan.blocks.iter().find(|block| block.purpose == Purpose::QueueingCheck).unwrap();
    assert_eq!(check.extent, Extent::Duration(Duration::from_secs(15)));
}
