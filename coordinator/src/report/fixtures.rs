//! Records for tests.

use serde_json::json;

use proto::description::WorkerDescription;
use proto::interval::EndReason;
use proto::load::{Extent, Load, Pace};
use proto::outcome::{Failure, FailureKind};
use proto::stages::{Stage, Stages};
use proto::target::HttpVersion;

use super::record::{FleetWorkerRecord, RunHead, RunRecord, TargetRecord, ToolRecord};
use crate::merge::fixtures::{block, closed, interval, open, requests, seconds, totals};
use crate::merge::{BlockMerge, MeasuredBlock};

const MS: u64 = 1_000_000;

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
    shape.scenario.expectation.stream = true;
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

pub(super) fn record_of(blocks: &[MeasuredBlock]) -> RunRecord {
    let mut record = RunRecord::new(head());
    for block in blocks {
        record.add(block);
    }
    record
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
