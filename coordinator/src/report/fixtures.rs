//! Records for tests.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use proto::description::WorkerDescription;
use proto::goal::Goal;
use proto::interval::EndReason;
use proto::load::{Extent, Load, Pace, Rate};
use proto::outcome::{Failure, FailureKind};
use proto::stages::{Stage, Stages};
use proto::target::HttpVersion;

use super::record::{
    CapacityRecord, ConclusionRecord, FleetWorkerRecord, GrowingRecord, RunHead, RunRecord, StepKindRecord,
    StepRecord, TargetRecord, ToolRecord,
};
use crate::capacity::Bounds;
use crate::merge::fixtures::{
    block, closed, interval, mixed_block, mixed_interval, open, requests, seconds, totals,
};
use crate::merge::{BlockMerge, MeasuredBlock};
use crate::plan::{Arm, Block, Purpose};

const MS: u64 = 1_000_000;

/// Holds a text against what somebody has looked at. `BLESS=1` writes that anew, to be looked at.
pub(super) fn holds(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
}

pub(super) fn head() -> RunHead {
    RunHead {
        tool: ToolRecord { version: "0.1.0".into(), commit: Some("abc1234".into()) },
        started: "2026-10-01T12:00:00+02:00".into(),
        finished: Some("2026-10-01T12:00:04+02:00".into()),
        command_line: "archestra-bench run --workers 2".into(),
        results_folder: "20261001_120000".into(),
        fleet: "local".into(),
        target: TargetRecord::new(&block(closed(10), requests(1_000)).target, true),
        direct: None,
        order: None,
        accepted: Vec::new(),
        seed: 7,
        environment: json!({"cpu_model": "A processor", "cores": 2}),
        workers: (0..2).map(fleet_worker).collect(),
        preflight_warnings: Vec::new(),
        planned: Vec::new(),
        thresholds: Vec::new(),
    }
}

fn fleet_worker(number: u32) -> FleetWorkerRecord {
    let description = WorkerDescription {
        software_version: "0.1.0".into(),
        commit: "abc1234".into(),
        hostname: "laptop".into(),
        cpu_model: "A processor".into(),
        architecture: "x86_64".into(),
        kernel: "6.18".into(),
        cores: 1,
        memory_bytes: 8 << 30,
        open_files_limit: 1_048_576,
    };
    FleetWorkerRecord::new(number, format!("127.0.0.1:{}", 40_000 + number), &description)
}

/// 2 workers, 500 successes of 10 ms each in the first second.
pub(super) fn calm_block() -> MeasuredBlock {
    let mut merge = BlockMerge::new(block(closed(10), requests(1_000)), 2);
    for worker in 0..2 {
        let only = interval(0, (0.0, 1.0), &[10 * MS; 500]);
        merge.started(worker, seconds(0.0), seconds(0.000_2));
        merge.ready(worker, 1, Default::default(), 5, HttpVersion::Http11);
        merge.interval(worker, &only).unwrap();
        merge.finished(worker, totals(&[only], EndReason::Requests));
    }
    merge.finish(false)
}

/// An open loop over streams, in which worker 0 met failures and worker 1 was lost.
pub(super) fn rough_block() -> MeasuredBlock {
    let mut shape = block(open(10), Extent::Duration(seconds(2.0)));
    shape.scenario.name = "simple_chat_stream".into();
    shape.scenario.expectation.stream = Some(proto::expectation::StreamFormat::OpenAiChat);
    let mut merge = BlockMerge::new(shape, 2);
    let mut intervals = [interval(0, (0.0, 1.0), &[5 * MS; 5]), interval(1, (1.0, 2.0), &[7 * MS; 4])];
    for interval in &mut intervals {
        let good = interval.counters.successes;
        (0..good).for_each(|_| interval.latencies.time_to_first_token.record(2 * MS));
        (0..good).for_each(|_| interval.latencies.inter_token_gap.record(MS));
        interval.counters.content_events = 4 * good;
        interval.counters.coalesced_events = good;
        // One stream of each second does not tell its usage.
        interval.counters.usage_reports = good - 1;
        interval.counters.input_tokens = 20 * (good - 1);
        interval.counters.output_tokens = 6 * (good - 1);
    }
    for (status, detail, count) in [(Some(429), "", 2), (None, "closed | before <the> answer", 1)] {
        let kind = if status.is_some() { FailureKind::Status } else { FailureKind::Reset };
        let failure = Failure { kind, status, detail: detail.into() };
        intervals[1].counters.failures.insert(failure, count);
        intervals[1].counters.offered += count;
        intervals[1].counters.started += count;
    }
    for interval in &intervals {
        merge.interval(0, interval).unwrap();
    }
    merge.interval(1, &intervals[0]).unwrap();
    merge.finished(0, totals(&intervals, EndReason::Duration));
    merge.lost(1, "its connection was closed");
    merge.finish(false)
}

/// One worker, and two stages that end within a second: 10 requests at 10 a second, 10 more up to 30 a second.
pub(super) fn staged_block() -> MeasuredBlock {
    let stage = |millis, from_millihertz, to_millihertz| Stage {
        duration: seconds(millis as f64 / 1e3),
        from_millihertz,
        to_millihertz,
    };
    let stages = Stages::new([stage(1_000, 10_000, 10_000), stage(500, 10_000, 30_000)]).unwrap();
    let mut shape = block(open(10), Extent::Duration(stages.duration()));
    if let Load::Open { pace, .. } = &mut shape.load {
        *pace = Pace::Stages(stages);
    }
    let mut merge = BlockMerge::new(shape, 1);
    // The last two are answered after the stages.
    let mut intervals = [
        interval(0, (0.0, 1.0), &[5 * MS; 10]),
        interval(1, (1.0, 1.5), &[7 * MS; 8]),
        interval(2, (1.5, 1.6), &[70 * MS; 2]),
    ];
    for (interval, begun) in [(1, 10), (2, 0)] {
        let counters = &mut intervals[interval].counters;
        (counters.offered, counters.started) = (begun, begun);
    }
    for interval in &intervals {
        merge.interval(0, interval).unwrap();
    }
    merge.finished(0, totals(&intervals, EndReason::Duration));
    merge.finish(false)
}

/// A gateway and its upstream in three pairs of blocks at each of two levels, of which the higher one came first.
pub(super) fn paired_record() -> RunRecord {
    let mut blocks = Vec::new();
    for concurrency in [40, 10] {
        for repeat in 1..=3 {
            let arms = [Arm::Gateway, Arm::Direct];
            let order = if repeat == 2 { [arms[1], arms[0]] } else { arms };
            blocks.extend(order.map(|arm| paired_block(concurrency, repeat, arm)));
        }
    }
    let mut record = record_of(&blocks);
    record.run.direct = Some(TargetRecord::new(&block(closed(10), requests(1_000)).target, false));
    record.run.order = Some("abba".into());
    record.run.target.is_built_in_mock = false;
    record
}

/// Some milliseconds more through the gateway, and one failure in its second block.
pub(super) fn paired_block(concurrency: u32, repeat: u32, arm: Arm) -> MeasuredBlock {
    let least = match arm {
        Arm::Gateway => 9 * MS + u64::from(repeat) * 100_000,
        Arm::Direct => 6 * MS,
    };
    let mut merge = BlockMerge::new(Block { arm, repeat, ..block(closed(concurrency), requests(1_000)) }, 2);
    for worker in 0..2 {
        let time =
            |request: u64| least + u64::from(concurrency + worker) * 50_000 + request * 7_919 % 500 * 4_000;
        let times: Vec<u64> = (0..500).map(time).collect();
        let mut only = interval(0, (0.0, 1.0), &times);
        if (arm, repeat, worker) == (Arm::Gateway, 2, 1) {
            let failure = Failure { kind: FailureKind::Status, status: Some(503), detail: String::new() };
            only.counters.failures.insert(failure, 1);
            (only.counters.offered, only.counters.started) = (501, 501);
        }
        merge.started(worker, seconds(0.0), seconds(0.000_2));
        merge.ready(worker, 1, Default::default(), concurrency / 2, HttpVersion::Http11);
        merge.interval(worker, &only).unwrap();
        merge.finished(worker, totals(&[only], EndReason::Requests));
    }
    merge.finish(false)
}

/// A mix of two scenarios, each with the same goal: 14 of 700 are late, and 100 of 300.
pub(super) fn mixed_record() -> RunRecord {
    record_of(&[two_scenarios()])
}

/// Its only block.
pub(super) fn two_scenarios() -> MeasuredBlock {
    let mut shape = mixed_block(closed(10), requests(1_000));
    for mixed in &mut shape.mix {
        mixed.scenario.expectation.goal =
            Goal { response_time: Some(Duration::from_millis(8)), ..Goal::NONE };
    }
    let mut merge = BlockMerge::new(shape, 2);
    for worker in 0..2 {
        let mut only = mixed_interval(0, (0.0, 1.0), [&[5 * MS; 350], &[9 * MS; 150]]);
        (only.counters.late, only.parts[0].counters.late, only.parts[1].counters.late) = (57, 7, 50);
        merge.started(worker, seconds(0.0), seconds(0.000_2));
        merge.ready(worker, 1, Default::default(), 5, HttpVersion::Http11);
        merge.interval(worker, &only).unwrap();
        merge.finished(worker, totals(&[only], EndReason::Requests));
    }
    merge.finish(false)
}

/// Of a search from 100 a second on.
pub(super) fn bounds() -> Bounds {
    let rate = |per_second: u64| Rate::from_millihertz(per_second * 1_000).unwrap();
    let (step, time) = (seconds(1.0), seconds(300.0));
    Bounds { start: rate(100), most: rate(10_000), precision: 0.02, step, time, requests: 1_000_000 }
}

/// A search that found 100 requests a second, and that 200 are too many.
pub(super) fn search_record() -> RunRecord {
    let step = |rate| {
        let mut measured = calm_block();
        (measured.block.load, measured.block.purpose) = (open(rate), Purpose::CapacityStep);
        measured
    };
    let mut record = GrowingRecord::new(head());
    let mut capacity = CapacityRecord::new("simple_chat", &["p99<5ms".into()], bounds());
    capacity.steps = [(1, 100_000, None), (2, 200_000, Some("p99 is <10> ms".into()))]
        .map(|(block, rate_millihertz, failure)| StepRecord {
            block,
            rate_millihertz,
            duration_ns: 1_000 * MS,
            kind: StepKindRecord::Coarse,
            failure,
            is_generators_fault: false,
            limit: None,
            is_too_short: false,
            was_interrupted: false,
            took_ns: 1_600 * MS,
        })
        .to_vec();
    capacity.highest_passing_millihertz = Some(100_000);
    capacity.lowest_failing_millihertz = Some(200_000);
    capacity.conclusion = Some(ConclusionRecord::Found);
    record.search(capacity);
    record.add(&step(100));
    record.add(&step(200));
    record.into_record()
}

/// 16 workers for 10 minutes: 5 pairs of blocks of a minute, with answers as far apart as real ones are.
pub(super) fn long_record() -> RunRecord {
    const WORKERS: u32 = 16;
    const SECONDS: u64 = 60;
    let long_block = |arm: Arm, repeat: u32| {
        let shape = Block { arm, repeat, ..block(open(1_000), Extent::Duration(seconds(60.0))) };
        let mut merge = BlockMerge::new(shape, WORKERS);
        let fastest = if arm == Arm::Gateway { 5 * MS } else { 3 * MS };
        for worker in 0..WORKERS {
            let second = |number: u64| {
                let start = number as f64;
                let time = |request: u64| {
                    let place = number * 7_919 + request * 104_729 + u64::from(worker * 31 + repeat * 17);
                    fastest + place % 97 * 400_000 + place % 1_009 * 900
                };
                let slow = 100 * MS + (number + u64::from(repeat)) % 13 * 70 * MS;
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
        merge.finish(false)
    };
    let blocks = (1..=5).flat_map(|repeat| [Arm::Gateway, Arm::Direct].map(|arm| long_block(arm, repeat)));
    record_of(&blocks.collect::<Vec<_>>())
}

pub(super) fn record_of(blocks: &[MeasuredBlock]) -> RunRecord {
    let mut record = GrowingRecord::new(head());
    for block in blocks {
        record.add(block);
    }
    record.into_record()
}

/// A run of one calm and one rough block.
pub(super) fn record() -> RunRecord {
    record_of(&[calm_block(), rough_block()])
}

/// One worker and one second, quick to work out.
pub(super) fn small_record() -> RunRecord {
    let mut merge = BlockMerge::new(block(open(10), Extent::Duration(seconds(1.0))), 1);
    let only = interval(0, (0.0, 1.0), &[5 * MS, 7 * MS]);
    merge.interval(0, &only).unwrap();
    merge.finished(0, totals(&[only], EndReason::Duration));
    record_of(&[merge.finish(false)])
}
