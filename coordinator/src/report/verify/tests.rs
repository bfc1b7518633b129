use std::fs;

use super::{Check, verify, verify_file, verify_intervals};
use proto::interval::EndReason;
use proto::target::HttpVersion;

use crate::merge::fixtures::{block, closed, interval, requests, totals};
use crate::merge::{Arrival, BlockMerge};
use crate::report::files::tests::TemporaryFolder;
use crate::report::fixtures;
use crate::report::interval_log::IntervalRecord;
use crate::report::json::{from_json, to_json};
use crate::report::record::{BlockRecord, HistogramRecord, LoadRecord, RunRecord, WorkerEndRecord};
use crate::statistics::verdict::Verdict;

mod whole;

fn failed(checks: &[Check]) -> Vec<String> {
    checks.iter().filter(|check| check.problem.is_some()).map(Check::to_string).collect()
}

/// The checks that fail after a change.
fn after(change: impl FnOnce(&mut RunRecord)) -> String {
    let mut record = fixtures::record();
    change(&mut record);
    failed(&verify(&record)).join("\n")
}

#[test]
fn an_honest_record_passes_every_check() {
    let checks = verify(&fixtures::record());
    assert_eq!(failed(&checks), [""; 0]);
    assert_eq!(checks.len(), 34);
    assert_eq!(checks[2].to_string(), "ok      block 1, simple_chat: the figures follow from the histograms");
}

/// Takes out what the first version did not know, wherever it is.
fn forget(value: &mut serde_json::Value) {
    const NEW: [&str; 13] = [
        "histograms_sha256",
        "seconds_sha256",
        "connect_time",
        "tls_handshake_time",
        "time_to_first_byte",
        "transfer_time",
        "connections_by_address",
        "addresses_left_out",
        "connect_to",
        "local_addresses",
        "tls_server_name",
        "tls_session_resumption",
        "tls_client_certificate",
    ];
    if let Some(fields) = value.as_object_mut() {
        NEW.iter().for_each(|name| drop(fields.remove(*name)));
        fields.values_mut().for_each(forget);
    }
    value.as_array_mut().into_iter().flatten().for_each(forget);
}

fn as_version(version: u32, record: &RunRecord) -> RunRecord {
    let mut json = serde_json::to_value(record).unwrap();
    forget(&mut json);
    json["schema_version"] = version.into();
    from_json(json.to_string().as_bytes()).unwrap()
}

#[test]
fn an_older_record_can_be_read_and_passes_every_check() {
    let mut record = fixtures::record();
    // The first version counted connections, and did not know where they went.
    record.blocks.iter_mut().for_each(|block| {
        block.totals.connections_opened = 5;
        block.workers[0].totals.connections_opened = 5;
        block.series[0].counters.connections_opened = 5;
    });
    assert_eq!(failed(&verify(&as_version(1, &record))), [""; 0]);
    let newer = failed(&verify(&as_version(2, &record))).join("");
    assert!(newer.contains("it is known where 0 of 5 connections went"), "{newer}");
    assert!(newer.contains("0 values of time_to_first_byte for 500 successes"), "{newer}");
}

#[test]
fn an_older_log_adds_up_to_its_older_record() {
    let older = |line: String| {
        let mut json = serde_json::from_str(&line).unwrap();
        forget(&mut json);
        Ok(json.to_string())
    };
    let record = as_version(1, &fixtures::record_of(&[fixtures::calm_block()]));
    assert_eq!(failed(&verify_intervals(&record, log_lines().into_iter().map(older))), [""; 0]);
}

#[test]
fn a_figure_that_was_touched_is_named_with_what_it_should_be() {
    let said = after(|record| record.blocks[0].figures.throughput = Some(2_000.0));
    assert_eq!(
        said,
        "FAILED  block 1, simple_chat: the figures follow from the histograms: \
         throughput is 2000.0 and should be 1000.0"
    );
    assert!(
        after(|record| record.verdict = Verdict::Valid).contains("it says valid, and the findings make it")
    );
    assert!(after(|record| record.blocks[1].findings.clear()).contains("they say nothing"));
    assert!(after(|record| record.blocks[1].workers[0].figures.failed = 0).contains("worker 0: failed is 0"));
    assert!(after(|record| record.blocks[1].series[1].throughput = None).contains("throughput is null"));
}

#[test]
fn a_count_that_was_touched_is_found_wherever_it_is() {
    let workers = after(|record| record.blocks[0].workers[0].totals.successes += 1);
    assert!(
        workers
            .contains("the workers' counts and histograms add up: the sum holds 1000 successes against 1001")
    );
    assert!(workers.contains("500 started against 501 ended"), "{workers}");
    assert!(workers.contains("500 values of response_time for 501 successes"), "{workers}");

    let seconds = after(|record| record.blocks[0].series[0].counters.started -= 1);
    assert!(seconds.contains("the seconds hold 999 started against 1000 in the totals"), "{seconds}");

    let told = after(|record| record.blocks[0].series[0].successes_by_worker[1] += 1);
    assert!(told.contains("the workers' successes in the second from 0 ns are 1001 of 1000"), "{told}");
    let told = after(|record| record.blocks[0].series[0].successes_by_worker = vec![499, 501]);
    assert!(told.contains("the seconds hold 499 of 500 successes of worker 0"), "{told}");

    let window = after(|record| record.blocks[1].workers[0].successes_in_window -= 1);
    assert!(
        window.contains("the window's seconds hold 14 successes and 17 started, and its workers 13 and 17")
    );

    let offered = after(|record| record.blocks[0].workers[1].totals.offered += 1);
    assert!(offered.contains("worker 1: 501 offered against 500"), "{offered}");
}

#[test]
fn a_histogram_that_was_swapped_is_found() {
    let said = after(|record| {
        let other = record.blocks[1].latencies.response_time.clone();
        record.blocks[0].latencies.response_time = other;
    });
    assert!(said.contains("the sum holds 14 values of response_time against 1000 of the workers"), "{said}");
    let many = after(|record| {
        record.blocks[0].workers[0].latencies.send_lag = record.blocks[0].latencies.send_lag.clone();
    });
    assert!(many.contains("1000 values of send_lag, of which there can be 500"), "{many}");
}

#[test]
fn a_histogram_that_cannot_be_read_is_named() {
    for broken in ["not base64!", "AAAA", "HISTFAAAAAE="] {
        let said = after(|record| {
            record.blocks[1].workers[0].latencies.service_time =
                HistogramRecord { v2_deflate: broken.into(), ..HistogramRecord::default() };
        });
        assert!(
            said.starts_with(
                "FAILED  every histogram can be read: the histogram service_time of block 2, worker 0 cannot be read"
            ),
            "{said}"
        );
    }
    let outside = after(|record| record.blocks[0].workers[0].latencies.response_time.above_range = u64::MAX);
    assert!(outside.contains("more values out of range than there are values"), "{outside}");
}

#[test]
fn what_the_window_and_the_verdict_rest_on_cannot_be_moved() {
    let end = |record: &mut RunRecord, change: fn(&mut Option<u64>, &mut u64)| {
        for worker in &mut record.blocks[0].workers {
            if let WorkerEndRecord::Finished { last_completion_ns, start_lateness_max_ns, .. } =
                &mut worker.end
            {
                change(last_completion_ns, start_lateness_max_ns);
            }
        }
    };
    let late = after(|record| end(record, |completion, _| *completion = Some(2_000_000_000)));
    assert!(
        late.contains("its last completion is at 2000000000 ns, and its last interval ends at 1000000000")
    );
    let (mut short, _) = three_seconds();
    end(&mut short, |completion, _| *completion = Some(2_001_000_000));
    let early = failed(&verify(&short)).join("\n");
    assert!(
        early.contains("its last completion is at 2001000000 ns, and its last interval ends at 2010000000")
    );
    let none = after(|record| end(record, |completion, _| *completion = None));
    assert!(none.contains("the last completion is at 0 ns"), "{none}");
    let lateness = after(|record| end(record, |_, lateness| *lateness = 400_000_000));
    assert!(
        lateness.contains("the start skew is 15000 ± 100000 ns, and the workers' starts make it 399995000")
    );
    let skew = after(|record| record.blocks[0].start_skew.spread_ns = 1);
    assert!(skew.contains("the start skew is 1 ± 100000 ns"), "{skew}");

    assert!(after(|record| record.interrupted = true).contains("it says true, and the blocks make it false"));
    let fewer = after(|record| record.blocks[0].extent.requests = Some(100));
    assert!(fewer.contains("all workers ended with their requests, 1000 together, and 100 was asked for"));
    let narrower =
        after(|record| record.blocks[0].load = LoadRecord::Closed { concurrency: 1, think_time: None });
    assert!(narrower.contains("1 were to be in flight, and the workers had 10 connections"), "{narrower}");
}

/// Two workers and three seconds, the requests of the last of which ended within 10 ms.
fn three_seconds() -> (RunRecord, Vec<String>) {
    let mut merge = BlockMerge::new(block(closed(10), requests(24)), 2);
    let mut lines = Vec::new();
    let spans = [(0.0, 1.0, 5), (1.0, 2.0, 5), (2.0, 2.01, 2)];
    for worker in 0..2 {
        let of = |(sequence, (start, end, count)): (usize, (f64, f64, usize))| {
            interval(sequence as u64, (start, end), &vec![10_000_000; count])
        };
        let intervals: Vec<_> = spans.into_iter().enumerate().map(of).collect();
        merge.ready(worker, 1, Default::default(), 5, HttpVersion::Http11);
        for interval in &intervals {
            merge.interval(worker, interval).unwrap();
            lines.push(
                serde_json::to_string(&IntervalRecord::new(1, worker, interval, Arrival::default())).unwrap(),
            );
        }
        merge.finished(worker, totals(&intervals, EndReason::Requests));
    }
    (fixtures::record_of(&[merge.finish(false)]), lines)
}

#[test]
fn what_the_record_says_of_workers_and_seconds_must_be_in_the_log() {
    let (record, lines) = three_seconds();
    type Change = fn(&mut BlockRecord);
    let check = |change: Change| {
        let mut record = record.clone();
        change(&mut record.blocks[0]);
        failed(&verify_intervals(&record, lines.iter().cloned().map(Ok))).join("\n")
    };
    assert_eq!(check(|_| {}), "");
    let changes: [(&str, Change); 12] = [
        ("a last completion between 2s and 2.01s against at 200ms", |block| {
            for worker in &mut block.workers {
                if let WorkerEndRecord::Finished { last_completion_ns, .. } = &mut worker.end {
                    *last_completion_ns = Some(200_000_000);
                }
            }
        }),
        ("highest readings of", |block| block.workers[1].host.busiest_thread = 0.0),
        ("2010000000 ns to the end of the last interval against 1", |block| {
            block.workers[0].last_interval_end_ns = 1
        }),
        ("0 ns of delay at most against 5", |block| block.workers[0].report_delay_ns = 5),
        ("0 ns ahead at most against 6", |block| block.workers[0].clock_advance_ns = 6),
        ("12 successes in the window against 13", |block| {
            block.workers[0].successes_in_window += 1;
            block.workers[1].successes_in_window -= 1;
        }),
        ("12 started in the window against 11", |block| block.workers[0].started_in_window -= 1),
        ("the log holds 3 seconds, and the record 2", |block| block.series.truncate(2)),
        ("10 successes against 5", |block| block.series[1].counters.successes /= 2),
        ("the log holds successes of [5, 5] and the record of [6, 4]", |block| {
            block.series[1].successes_by_worker = vec![6, 4];
        }),
        ("has another span", |block| block.series[1].end_ns -= 500_000_000),
        ("other latencies", |block| {
            block.series[1].response_time_histogram = block.series[2].response_time_histogram.clone();
        }),
    ];
    for (named, change) in changes {
        let said = check(change);
        assert!(said.contains(named), "`{named}` is not in: {said}");
    }
}

#[test]
fn the_log_of_a_run_that_was_killed_may_go_on_beyond_the_record() {
    let mut record = fixtures::record_of(&[fixtures::calm_block()]);
    let next = interval(0, (0.0, 1.0), &[10_000_000]);
    let next = serde_json::to_string(&IntervalRecord::new(2, 0, &next, Arrival::default())).unwrap();
    let lines = [log_lines(), vec![next.clone(), next[..50].to_owned()]].concat();
    let check = |record: &RunRecord, lines: &[String]| {
        failed(&verify_intervals(record, lines.iter().cloned().map(Ok)))
    };
    assert!(check(&record, &lines)[0].contains("line 3 speaks of block 2, which the record lacks"));
    record.run.finished = None;
    assert_eq!(check(&record, &lines), [""; 0]);
    let broken_within = [&lines[..2], &lines[3..], &lines[2..3]].concat();
    assert!(check(&record, &broken_within)[0].contains("line 3 is no interval"));
}

fn log_lines() -> Vec<String> {
    let only = interval(0, (0.0, 1.0), &[10_000_000; 500]);
    let line =
        |worker| serde_json::to_string(&IntervalRecord::new(1, worker, &only, Arrival::default())).unwrap();
    vec![line(0), line(1)]
}

fn check_log(lines: &[String]) -> Vec<String> {
    let record = fixtures::record_of(&[fixtures::calm_block()]);
    failed(&verify_intervals(&record, lines.iter().cloned().map(Ok)))
}

#[test]
fn the_interval_log_must_add_up() {
    let lines = log_lines();
    assert_eq!(check_log(&lines), [""; 0]);
    assert!(
        check_log(&lines[..1])[0].contains("worker 1: the log holds 0 intervals against 1 in the record")
    );

    let twice = [lines.clone(), lines.clone()].concat();
    assert!(check_log(&twice)[0].contains("line 3 holds interval 0 of worker 0 where 1 was due"));
    assert!(
        check_log(&[lines[0].replace("\"worker\":0", "\"worker\":7")])[0].contains("which the record lacks")
    );
    assert!(check_log(&[lines[0][..40].to_owned()])[0].contains("line 1 is no interval"));
    let touched = lines[0].replace("\"started\":500", "\"started\":501");
    assert!(check_log(&[touched, lines[1].clone()])[0].contains("501 started against 500"));
}

#[test]
fn a_file_is_checked_with_the_log_beside_it() {
    let folder = TemporaryFolder::new("verify");
    let path = folder.path().join("report.json");
    assert!(verify_file(&path).unwrap_err().to_string().contains("holds no report.json"));

    fs::write(&path, to_json(&fixtures::record_of(&[fixtures::calm_block()])).unwrap()).unwrap();
    let alone = verify_file(&path).unwrap();
    assert_eq!(failed(&alone), [""; 0]);

    fs::write(folder.path().join("intervals.jsonl"), "no interval\n").unwrap();
    let both = verify_file(&path).unwrap();
    assert_eq!((both.len(), failed(&both).len()), (alone.len() + 1, 1));
}

#[test]
fn stages_are_what_their_seconds_and_the_schedule_say() {
    let honest = fixtures::record_of(&[fixtures::staged_block()]);
    assert_eq!(failed(&verify(&honest)), [""; 0]);
    let figures = |stage: usize| {
        let stage = &honest.blocks[0].stages[stage];
        (stage.offered, stage.successes, stage.measured_ns, stage.offered_rate)
    };
    assert_eq!(figures(0), (10, 10, 1_000_000_000, Some(10.0)));
    assert_eq!(figures(1), (10, 8, 500_000_000, Some(20.0)));

    let after = |change: fn(&mut BlockRecord)| {
        let mut record = honest.clone();
        change(&mut record.blocks[0]);
        failed(&verify(&record)).join("\n")
    };
    let touched = after(|block| block.stages[1].successes = 9);
    assert!(
        touched.contains("the stages follow from the seconds: stage 2: successes is 9 and should be 8"),
        "{touched}"
    );
    assert!(after(|block| block.stages.truncate(1)).contains("there are 1 and should be 2"));
    let steeper = after(|block| {
        let LoadRecord::Open { stages, .. } = &mut block.load else { panic!() };
        stages[1].to_millihertz = 34_000;
    });
    assert!(steeper.contains("stage 2 offered 10 requests, and it asks for 11"), "{steeper}");
    // A span within a second is honest only where a stage ends.
    let longer = after(|block| block.workers[0].last_interval_end_ns = 1_400_000_000);
    assert!(longer.contains("the workers' starts and ends fit together"), "{longer}");
}
