use super::summary;
use crate::report::fixtures;
use crate::report::record::recompute;

#[test]
fn a_calm_run_reads_like_this() {
    let record = fixtures::record_of(&[fixtures::calm_block()]);
    assert_eq!(summary(&record), include_str!("../../../tests/snapshots/summary_calm.md"));
}

#[test]
fn a_rough_run_reads_like_this() {
    assert_eq!(summary(&fixtures::record()), include_str!("../../../tests/snapshots/summary_rough.md"));
}

#[test]
fn a_summary_made_again_is_the_same() {
    let record = fixtures::record();
    assert_eq!(summary(&recompute(&record).unwrap()), summary(&record));
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
fn a_hostile_scenario_name_stays_in_its_cell() {
    let mut block = fixtures::calm_block();
    block.block.scenario.name = "a | b\n# <script>".into();
    let text = summary(&fixtures::record_of(&[block]));
    assert!(text.contains("\n| a \\| b\u{fffd}# &lt;script&gt; | 1000.0 | "), "{text}");
    assert!(!text.contains("<script>"));
}
