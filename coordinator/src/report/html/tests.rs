use super::page;
use crate::merge::BlockMerge;
use crate::merge::fixtures::{block, closed, interval, open, seconds, totals};
use crate::plan::{Arm, Purpose};
use crate::report::fixtures;
use crate::report::record::{CapacityRecord, StepKindRecord, StepRecord, recompute};
use proto::interval::EndReason;
use proto::load::Extent;
use proto::target::HttpVersion;

const MS: u64 = 1_000_000;

/// A page without what is the same on each, and with a line for each element.
fn body(page: &str) -> String {
    let (_, main) = page.split_once("<main>").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    main.replace("><", ">\n<") + "\n"
}

#[test]
fn a_rough_run_looks_like_this() {
    assert_eq!(
        body(&page(&fixtures::record())),
        std::fs::read_to_string("tests/snapshots/page_rough.html").unwrap()
    );
}

#[test]
fn a_page_made_again_is_the_same() {
    let record = fixtures::record();
    assert_eq!(page(&recompute(&record).unwrap()), page(&record));
}

#[test]
fn a_run_without_a_block_has_a_page_that_says_so() {
    let page = page(&fixtures::record_of(&[]));
    assert!(page.contains("<strong>Verdict: invalid</strong>: nothing was measured."), "{page}");
    assert!(!page.contains("<figure>"), "{page}");
}

#[test]
fn text_of_others_is_text_wherever_it_stands() {
    let hostile = "<script>alert(1)</script>&\"'_x_|`<!--\u{202e}日本";
    let mut rough = fixtures::rough_block();
    rough.block.scenario.name = hostile.into();
    let mut record = fixtures::record_of(&[rough, fixtures::calm_block()]);
    record.run.command_line = format!("archestra-bench run --scenario {hostile}");
    record.run.fleet = hostile.into();
    record.run.environment = serde_json::json!({ hostile: hostile });
    record.run.preflight_warnings = vec![hostile.into(), "see @org/team|<b>".into()];
    record.blocks[0].workers[0].mismatch = Some(hostile.into());
    let page = page(&record);
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    assert!(!page.contains("<!--") && !page.contains('\u{202e}') && !page.contains("<em>"));
    assert!(page.contains("<li>Preflight: see <code>@org/team</code>|&lt;b&gt;</li>"), "{page}");
    assert!(
        page.contains("<h2>&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;'_x_|`&lt;!--\u{fffd}日本</h2>"),
        "{page}"
    );
}

#[test]
fn what_a_gateway_adds_is_drawn_beside_both_arms() {
    let of_pair = |repeat| {
        [Arm::Gateway, Arm::Direct].map(|arm| {
            let mut measured = fixtures::calm_block();
            (measured.block.arm, measured.block.repeat) = (arm, repeat);
            measured
        })
    };
    let page = page(&fixtures::record_of(&(1..=3).flat_map(of_pair).collect::<Vec<_>>()));
    assert!(page.contains("<figcaption>simple_chat: what the gateway adds</figcaption>"), "{page}");
    // Both curves in both widths, and shades behind the upstream's blocks.
    assert_eq!(page.matches("<path class=\"s5\"").count(), 4, "response times and send lag");
    assert!(page.contains("<path class=\"f11\""), "{page}");
}

#[test]
fn levels_and_the_rates_of_a_search_have_their_curves() {
    let level = |concurrency| {
        let mut measured = fixtures::calm_block();
        measured.block.load = closed(concurrency);
        measured
    };
    let levels = page(&fixtures::record_of(&[level(10), level(40)]));
    assert!(levels.contains("<figcaption>simple_chat: response time and throughput by level</figcaption>"));
    assert_eq!(levels.matches("simple_chat, 40 in flight</h2>").count(), 1);

    let step = |rate| {
        let mut measured = fixtures::calm_block();
        (measured.block.load, measured.block.purpose) = (open(rate), Purpose::CapacityStep);
        measured
    };
    let mut record = fixtures::record_of(&[step(100), step(200)]);
    let mut capacity = CapacityRecord::new("simple_chat", &["p99<5ms".into()]);
    capacity.steps = [(1, 100_000, None), (2, 200_000, Some("p99 is <10> ms".into()))]
        .map(|(block, rate_millihertz, failure)| StepRecord {
            block,
            rate_millihertz,
            duration_ns: 1_000 * MS,
            kind: StepKindRecord::Coarse,
            failure,
            is_generators_fault: false,
            is_too_short: false,
            was_interrupted: false,
        })
        .to_vec();
    capacity.highest_passing_millihertz = Some(100_000);
    record.capacities.push(capacity);
    let search = page(&record);
    for part in [
        "<figcaption>simple_chat: response time by offered rate</figcaption>",
        "the highest rate that held, 100 req/s",
        "<path class=\"s9\"",
        "<td>no: p99 is &lt;10&gt; ms</td>",
    ] {
        assert!(search.contains(part), "no {part} in: {search}");
    }
}

#[test]
fn ten_minutes_of_sixteen_workers_are_less_than_a_megabyte() {
    const WORKERS: u32 = 16;
    const SECONDS: u64 = 600;
    let mut merge = BlockMerge::new(block(open(1_000), Extent::Duration(seconds(600.0))), WORKERS);
    for worker in 0..WORKERS {
        let second = |number: u64| {
            let start = number as f64;
            let time = |request: u64| {
                5 * MS + (number * 7_919 + request * 104_729 + u64::from(worker) * 31) % 97 * 400_000
            };
            let slow = 100 * MS + number % 13 * 70 * MS;
            let times: Vec<u64> = (0..12).map(time).chain([slow]).collect();
            interval(number, (start, start + 1.0), &times)
        };
        let intervals: Vec<_> = (0..SECONDS).map(second).collect();
        merge.ready(worker, 1, Default::default(), 64, HttpVersion::Http11);
        for interval in &intervals {
            merge.interval(worker, interval).unwrap();
        }
        merge.finished(worker, totals(&intervals, EndReason::Duration));
    }
    let page = page(&fixtures::record_of(&[merge.finish(false)]));
    assert_eq!(page.matches("<svg").count(), 4 * 2 + WORKERS as usize);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}
