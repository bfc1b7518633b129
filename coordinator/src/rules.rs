//! The names of the verdict's rules, so that one can be accepted by name. What each of them looks at is in
//! `statistics/verdict`.

/// In the order in which findings are shown: those of one block, then those of all blocks of a scenario and load.
pub const RULES: [&str; 23] = [
    "no_success",
    "totals_disagree",
    "worker_lost",
    "stopped_early",
    "interrupted",
    "failures",
    "offered_load_not_reached",
    "send_lag",
    "generator_cpu",
    "starved",
    "stalled",
    "clock_stepped",
    "start_skew",
    "not_settled",
    "too_few_samples",
    "bursts",
    "queueing",
    "upstream_saturated",
    "drift",
    "too_few_pairs",
    "gateway_faster",
    "upstream_count",
    "aborted",
];
