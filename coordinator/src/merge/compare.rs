//! Whether two sums agree, and where they do not, in words.

use std::time::Duration;

use proto::counters::Counters;
use proto::latencies::Latencies;

/// The first count that differs, to be read as a part of a sentence ("10 started against 11").
pub(crate) fn counters_difference(left: &Counters, right: &Counters) -> Option<String> {
    let unequal = rows(left).into_iter().zip(rows(right)).find(|(left, right)| left != right);
    if let Some(((name, left), (_, right))) = unequal {
        return Some(format!("{left} {name} against {right}"));
    }
    if left.failures != right.failures {
        return Some("the same number of failures, but of other kinds".to_owned());
    }
    (left.connections != right.connections)
        .then(|| "the same number of connections, but not the same ones".to_owned())
}

/// The first histogram that differs, to be read as a part of a sentence.
pub(crate) fn latencies_difference(left: &Latencies, right: &Latencies) -> Option<String> {
    let mut pairs = left.each().into_iter().zip(right.each());
    let ((name, left), (_, right)) = pairs.find(|((_, left), (_, right))| left != right)?;
    if left.count() != right.count() {
        return Some(format!("{} values of {name} against {}", left.count(), right.count()));
    }
    Some(format!("{} values of {name} on both sides, but not the same ones", left.count()))
}

/// The last completion ends the window of a count, so that it must lie where the intervals have it: in the last one in
/// which a request came to its end.
pub(crate) fn completion_problem(
    last_ended: Option<(Duration, Duration)>,
    last_completion: Option<Duration>,
) -> Option<String> {
    match (last_ended, last_completion) {
        (None, None) => None,
        (Some((start, end)), Some(completion)) if (start..=end).contains(&completion) => None,
        (Some((start, end)), completion) => {
            let said =
                completion.map_or_else(|| "none".to_owned(), |completion| format!("at {completion:?}"));
            Some(format!("a last completion between {start:?} and {end:?} against {said}"))
        }
        (None, Some(completion)) => Some(format!("no completion against one at {completion:?}")),
    }
}

fn rows(counters: &Counters) -> [(&'static str, u64); 17] {
    [
        ("offered", counters.offered),
        ("started", counters.started),
        ("successes", counters.successes),
        ("failures", counters.failed()),
        ("dropped", counters.dropped),
        ("unsent", counters.unsent),
        ("abandoned", counters.abandoned),
        ("bytes sent", counters.bytes_sent),
        ("bytes received", counters.bytes_received),
        ("connections opened", counters.connections_opened),
        ("content events", counters.content_events),
        ("coalesced events", counters.coalesced_events),
        ("streams with usage", counters.usage_reports),
        ("input tokens", counters.input_tokens),
        ("output tokens", counters.output_tokens),
        ("late", counters.late),
        ("resent", counters.resent),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::outcome::{Failure, FailureKind};

    #[test]
    fn the_first_difference_is_named_with_both_numbers() {
        let left = Counters { started: 10, successes: 9, ..Counters::default() };
        let right = Counters { started: 10, successes: 8, ..Counters::default() };
        assert_eq!(counters_difference(&left, &left), None);
        assert_eq!(counters_difference(&left, &right).unwrap(), "9 successes against 8");
    }

    #[test]
    fn failures_of_another_kind_differ() {
        let failed = |kind| Counters {
            failures: [(Failure { kind, status: None, detail: String::new() }, 1)].into(),
            ..Counters::default()
        };
        assert!(counters_difference(&failed(FailureKind::Reset), &failed(FailureKind::Timeout)).is_some());
    }

    #[test]
    fn histograms_of_equal_length_may_still_differ() {
        let (mut left, mut right) = (Latencies::default(), Latencies::default());
        left.send_lag.record(1_000);
        assert_eq!(latencies_difference(&left, &right).unwrap(), "1 values of send_lag against 0");
        right.send_lag.record(2_000);
        assert!(latencies_difference(&left, &right).unwrap().contains("not the same"));
    }
}
