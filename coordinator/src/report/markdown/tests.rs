use super::summary;
use crate::report::fixtures;
use crate::report::record::recompute;
use crate::statistics::verdict::Verdict;

#[test]
fn a_calm_run_reads_like_this() {
    fixtures::holds("summary_calm.md", &summary(&fixtures::record_of(&[fixtures::calm_block()])));
}

#[test]
fn a_rough_run_reads_like_this() {
    fixtures::holds("summary_rough.md", &summary(&fixtures::record()));
}

#[test]
fn pairs_at_two_levels_read_like_this() {
    fixtures::holds("summary_pairs.md", &summary(&fixtures::paired_record()));
}

#[test]
fn a_mix_with_a_goal_reads_like_this() {
    fixtures::holds("summary_mix.md", &summary(&fixtures::mixed_record()));
}

#[test]
fn a_search_reads_like_this() {
    fixtures::holds("summary_search.md", &summary(&fixtures::search_record()));
}

/// The rows of a section's tables.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let section = text.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with('|') && !line.starts_with("| --"));
    lines.filter(|line| !line.contains("| Test Scenario |")).collect()
}

#[test]
fn a_row_is_of_a_result_and_levels_are_in_order_and_blocks_have_a_table_of_their_own() {
    let text = summary(&fixtures::paired_record());
    for (heading, count) in [("Load", 4), ("Phases", 8), ("Failures", 2), ("By level", 2), ("Blocks", 12)] {
        assert_eq!(rows(&text, heading).len(), count, "{heading}: {text}");
    }
    assert_eq!(rows(&text, "Workers").len(), 4 + 8, "each result, then each worker of it");
    assert!(rows(&text, "By level")[0].starts_with("| simple_chat | 10 in flight |"), "{text}");
    // Three blocks of 1,000 answers each, and a failure in one of them.
    let load = rows(&text, "Load")[0];
    assert!(
        load.contains("| 3 s, to the last completion of each of 3 blocks |") && load.contains("| 3001 |"),
        "{load}"
    );
    assert!(!summary(&fixtures::record()).contains("## Blocks"));
}

#[test]
fn the_goodput_of_a_mix_counts_each_request_once() {
    let text = summary(&fixtures::mixed_record());
    let goodput = rows(&text, "Goodput").join("\n");
    for part in
        ["| 700 | 14 | 98.0 % |", "| 300 | 100 | 66.7 % |", "| together | ", "| 1000 | 114 | 88.6 % |"]
    {
        assert!(goodput.contains(part), "{part} in {goodput}");
    }
}

#[test]
fn a_summary_made_again_is_the_same() {
    let record = fixtures::record();
    assert_eq!(summary(&recompute(&record).unwrap()), summary(&record));
}

#[test]
fn slow_answers_of_one_second_are_told() {
    use crate::merge::fixtures::{block, closed, interval, requests, totals};
    // 10 seconds of 200 answers of 10 ms and a little, and so many of a second each.
    let of = |slow: fn(u64) -> u64| {
        let mut merge = crate::merge::BlockMerge::new(block(closed(10), requests(2_000)), 1);
        let time = |at: u64, slow: u64| if at < slow { 1_000_000_000 } else { 10_000_000 + at * 10_000 };
        let intervals: Vec<_> = (0..10u64)
            .map(|second| {
                let times: Vec<u64> = (0..200u64).map(|at| time(at, slow(second))).collect();
                interval(second, (second as f64, second as f64 + 1.0), &times)
            })
            .collect();
        intervals.iter().for_each(|interval| assert!(merge.interval(0, interval).unwrap()));
        merge.finished(0, totals(&intervals, proto::interval::EndReason::Requests));
        fixtures::record_of(&[merge.finish(false)])
    };
    let record = of(|second| if second == 4 { 40 } else { 0 });
    let findings = &record.blocks[0].findings;
    assert_eq!(findings.iter().map(|finding| finding.rule.as_str()).collect::<Vec<_>>(), ["bursts"]);
    assert_eq!(recompute(&record).unwrap().blocks[0].findings, *findings);
    let text = summary(&record);
    assert!(
        text.contains("P99 rests on few moments: half of the 20 answers beyond it came within 1 of 10"),
        "{text}"
    );
    assert_eq!(of(|_| 4).blocks[0].findings, []);
}

#[test]
fn a_run_without_a_block_says_so() {
    let text = summary(&fixtures::record_of(&[]));
    assert!(text.contains("**Verdict: invalid**: nothing was measured."), "{text}");
    assert!(text.contains("| – | – | – | – | – | – | – |"), "{text}");
}

#[test]
fn an_interrupted_run_is_marked_in_the_title_and_in_its_row() {
    let mut block = fixtures::calm_block();
    block.interrupted = true;
    let text = summary(&fixtures::record_of(&[block]));
    assert!(text.starts_with("# Load test of 2026-10-01T12:00:00+02:00 (interrupted)\n"), "{text}");
    assert!(text.contains("\n| simple_chat (interrupted) | "), "{text}");
}

#[test]
fn an_interruption_between_two_blocks_names_what_is_missing() {
    let mut record = fixtures::record_of(&[fixtures::calm_block()]);
    record.run.planned = vec!["simple_chat".into(), "chat_with_tools".into()];
    record.finish("2026-10-01T12:00:04+02:00".into());
    assert!(record.interrupted);
    let text = summary(&record);
    assert!(text.starts_with("# Load test of 2026-10-01T12:00:00+02:00 (interrupted)\n\n**Verdict: valid**"));
    assert!(
        text.contains("\n- The run was interrupted before chat_with_tools, which was not measured\n"),
        "{text}"
    );
}

#[test]
fn what_was_measured_in_part_is_not_said_to_be_missing() {
    let mut record = fixtures::record_of(&[fixtures::calm_block()]);
    record.run.planned =
        ["simple_chat", "simple_chat", "simple_chat", "chat_with_tools", "simple_chat", "chat_with_tools"]
            .map(str::to_owned)
            .into();
    record.run.finished = None;
    let text = summary(&record);
    let lacks = "5 of 6 blocks (simple_chat, chat_with_tools)\n";
    assert!(text.contains(&format!("\n- This run has not come to its end: it lacks {lacks}")), "{text}");
    record.finish("2026-10-01T12:00:04+02:00".into());
    let text = summary(&record);
    assert!(text.contains(&format!("\n- The run was interrupted before {lacks}")), "{text}");
    // Whoever ends a run with a condition has not interrupted it.
    record.blocks[0].aborted = Some("`p50>1ms` came true".into());
    let text = summary(&record);
    assert!(text.contains(&format!("\n- The run was ended before {lacks}")), "{text}");
}

#[test]
fn a_run_that_has_not_come_to_its_end_says_so() {
    let mut record = fixtures::record_of(&[fixtures::calm_block()]);
    record.run.finished = None;
    record.run.planned = vec!["simple_chat".into(), "chat_with_tools".into()];
    let text = summary(&record);
    assert!(text.starts_with("# Load test of 2026-10-01T12:00:00+02:00 (incomplete)\n"), "{text}");
    assert!(text.contains("\n- This run has not come to its end: chat_with_tools is missing\n"), "{text}");
}

#[test]
fn a_block_that_never_began_leaves_the_others_figures_alone() {
    let not_begun = || {
        let mut measured = fixtures::calm_block();
        measured.interrupted = true;
        for worker in &mut measured.workers {
            (worker.totals, worker.latencies) = Default::default();
        }
        measured
    };
    assert_eq!(fixtures::record_of(&[fixtures::calm_block(), not_begun()]).verdict, Verdict::Suspect);
    let nothing = fixtures::record_of(&[not_begun()]);
    assert!(summary(&nothing).contains("**Verdict: invalid**: nothing was measured."));
}

#[test]
fn a_hostile_scenario_name_stays_in_its_cell() {
    let mut block = fixtures::calm_block();
    block.block.scenario.name = "a | b\n# <script>".into();
    let text = summary(&fixtures::record_of(&[block]));
    assert!(text.contains("\n| a \\| b\u{fffd}# &lt;script&gt; | 1000.0 | "), "{text}");
    assert!(!text.contains("<script>"));
}

#[test]
fn stages_are_shown_as_they_were_asked_for_and_what_came_of_them() {
    let text = summary(&fixtures::record_of(&[fixtures::staged_block()]));
    let rate = "- **Rate**: 1 s at 10 req/s, 0.5 s from 10 to 30 req/s, constant arrivals\n";
    assert!(text.contains(rate), "{text}");
    let second = "| simple_chat | 2 | 1 | 0.5 s from 10 to 30 req/s | 20.00 | 20.00 | 16.00 | 7.000 | 7.000 | 7.000 | 0 | 0 |\n";
    assert!(text.contains("## Stages\n") && text.contains(second), "{text}");
    assert!(!summary(&fixtures::record()).contains("## Stages"));
    // Of several blocks, all of them together.
    let mut again = fixtures::staged_block();
    again.block.repeat = 2;
    let twice = summary(&fixtures::record_of(&[fixtures::staged_block(), again]));
    assert!(twice.contains("## Stages\n") && twice.contains(second), "{twice}");
}
