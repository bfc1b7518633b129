//! Metrics as Prometheus reads them: its text format, version 0.0.4.

use std::fmt::{Display, Write as _};

use super::families::{BOUNDS, Buckets, Family, Labels, Samples};

/// The type of what [`text`] makes.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics, each with its help and its type.
pub(super) fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { name, help, samples } in families {
        let kind = match samples {
            Samples::Counters(_) => "counter",
            Samples::Gauges(_) => "gauge",
            Samples::Histograms(_) => "histogram",
        };
        // Writing to memory cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        match samples {
            Samples::Counters(samples) => {
                samples.iter().for_each(|(labels, value)| line(&mut text, name, labels, value))
            }
            Samples::Gauges(samples) => {
                samples.iter().for_each(|(labels, value)| line(&mut text, name, labels, value))
            }
            Samples::Histograms(samples) => {
                samples.iter().for_each(|(labels, buckets)| histogram(&mut text, name, labels, buckets));
            }
        }
    }
    text
}

fn histogram(text: &mut String, name: &str, labels: &Labels, buckets: &Buckets) {
    let bounds = BOUNDS.iter().map(|bound| (*bound as f64 / 1e9).to_string());
    let all = bounds.zip(&buckets.at_most).chain([("+Inf".to_owned(), &buckets.count)]);
    for (bound, count) in all {
        let with_bound: Labels = labels.iter().cloned().chain([("le", bound)]).collect();
        line(text, &format!("{name}_bucket"), &with_bound, count);
    }
    line(text, &format!("{name}_sum"), labels, buckets.sum);
    line(text, &format!("{name}_count"), labels, buckets.count);
}

fn line(text: &mut String, name: &str, labels: &Labels, value: impl Display) {
    let labels: Vec<String> =
        labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(text, "{name}{labels} {value}");
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::families::families;
    use super::super::meters::Meters;
    use super::*;
    use crate::merge::fixtures::{block, closed, interval, requests};
    use proto::outcome::{Failure, FailureKind};

    /// 3 answers of 2, 20 and 200 ms, a failure, and one request still in flight.
    fn meters() -> Meters {
        let mut block = block(closed(10), requests(100));
        block.scenario.name = "a\"b\\c".into();
        let mut interval = interval(0, (0.0, 1.0), &[2_000_000, 20_000_000, 200_000_000]);
        let failure = Failure { kind: FailureKind::Status, status: Some(503), detail: "whatever".into() };
        interval.counters.failures.insert(failure, 1);
        (interval.counters.offered, interval.counters.started) = (7, 5);
        interval.host.process_cores = 0.25;
        let mut meters = Meters::default();
        meters.begin_block(1, Some(2), &block);
        meters.interval(3, &interval);
        meters
    }

    #[test]
    fn what_was_counted_is_written_with_its_labels() {
        let mut meters = meters();
        let text = text(&families(&meters));
        let labels = "scenario=\"a\\\"b\\\\c\",arm=\"gateway\",load=\"10 in flight\"";
        for line in [
            format!(
                "# TYPE archestra_bench_requests_succeeded_total counter\narchestra_bench_requests_succeeded_total{{{labels}}} 3\n"
            ),
            format!("archestra_bench_requests_failed_total{{{labels},kind=\"status\",status=\"503\"}} 1\n"),
            format!("archestra_bench_response_time_seconds_bucket{{{labels},le=\"0.001\"}} 0\n"),
            format!("archestra_bench_response_time_seconds_bucket{{{labels},le=\"0.025\"}} 2\n"),
            format!("archestra_bench_response_time_seconds_bucket{{{labels},le=\"+Inf\"}} 3\n"),
            format!("archestra_bench_response_time_seconds_count{{{labels}}} 3\n"),
            format!("archestra_bench_requests_in_flight{{{labels}}} 1\n"),
            format!("archestra_bench_requests_waiting{{{labels}}} 2\n"),
            "archestra_bench_worker_cpu_cores{worker=\"3\"} 0.25\n".to_owned(),
            "archestra_bench_blocks_planned 2\n".to_owned(),
        ] {
            assert!(text.contains(&line), "no {line} in:\n{text}");
        }
        let sum =
            text.lines().find(|line| line.starts_with("archestra_bench_response_time_seconds_sum")).unwrap();
        let sum: f64 = sum.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((sum - 0.222).abs() < 0.000_5, "{sum}");

        meters.end_block();
        let ended = super::text(&families(&meters));
        assert!(
            !ended.contains("in_flight{") && ended.contains(&format!("succeeded_total{{{labels}}} 3")),
            "{ended}"
        );
    }

    #[test]
    fn a_second_block_of_the_same_adds_to_the_first_and_starts_its_own_flight() {
        let mut meters = meters();
        meters.begin_block(2, Some(2), &block(closed(10), requests(100)));
        meters.interval(0, &interval(0, (0.0, 1.0), &[2_000_000]));
        let mut again = block(closed(10), requests(100));
        again.scenario.name = "a\"b\\c".into();
        meters.begin_block(3, Some(3), &again);
        meters.interval(0, &interval(0, (0.0, 1.0), &[2_000_000; 2]));
        let counts: Vec<u64> = meters.sums.values().map(|sum| sum.counters.successes).collect();
        assert_eq!(counts, [5, 1]);
        assert_eq!(meters.current.as_ref().unwrap().in_flight(), 0);
    }
}
