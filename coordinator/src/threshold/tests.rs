use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Threshold {
    text.parse().unwrap()
}

#[test]
fn thresholds_name_a_scenario_a_figure_and_a_bound() {
    let threshold = read("simple_chat:p95<80ms");
    assert_eq!(threshold.scenario.as_deref(), Some("simple_chat"));
    assert_eq!(threshold.metric, Metric::Time(Times::Response, Statistic::P95));
    assert_eq!((threshold.comparison, threshold.bound), (Comparison::Below, Quantity::Nanos(80e6)));
    assert_eq!(read("a:b : p50 <= 5 us").scenario.as_deref(), Some("a:b"));

    for name in ["a<b", "k=v", "x >= y: z", "a:p95<80ms"] {
        let threshold = read(&format!("{name}:failed<=0"));
        assert_eq!((threshold.scenario.as_deref(), threshold.metric), (Some(name), Metric::Failed));
        assert_eq!(read(&threshold.to_string()), threshold, "{name}");
    }

    for (text, metric, bound) in [
        ("overhead.p50<5ms", Metric::Added(Times::Response, Statistic::P50), Quantity::Nanos(5e6)),
        ("overhead.gap.mean<=-1.5ns", Metric::Added(Times::Gap, Statistic::Mean), Quantity::Nanos(-1.5)),
        ("ttft.p99.9<2s", Metric::Time(Times::FirstToken, Statistic::P999), Quantity::Nanos(2e9)),
        ("gap.max<5µs", Metric::Time(Times::Gap, Statistic::Max), Quantity::Nanos(5e3)),
        ("failed<=0", Metric::Failed, Quantity::Count(0.0)),
        ("failed<0.5%", Metric::Failed, Quantity::Share(0.005)),
        ("dropped<1", Metric::Dropped, Quantity::Count(1.0)),
        ("throughput>=400/s", Metric::Throughput, Quantity::PerSecond(400.0)),
        ("goodput>99%", Metric::Goodput, Quantity::Share(0.99)),
    ] {
        let threshold = read(text);
        assert_eq!((threshold.metric, threshold.bound), (metric, bound), "{text}");
        assert_eq!(read(&threshold.to_string()), threshold, "{text}");
    }
}

#[test]
fn what_is_wrong_is_shown_with_a_caret_under_it() {
    for (text, at, problem) in [
        ("p95<80", 6, "p95 is a time: expected ns, us, ms or s after the number"),
        ("simple_chat:p59<80ms", 12, "`p59` is no figure; did you mean `p50`?"),
        ("trough_put>1/s", 0, "`trough_put` is no figure; did you mean `throughput`?"),
        ("latency<1s", 0, "`latency` is no figure; there are mean, p50"),
        ("overhead.p99.9<1s", 0, "`overhead.p99.9` is no figure; did you mean `overhead.p99`?"),
        ("p95", 3, "expected <, <=, > or >= and a bound after the figure"),
        ("p95=1s", 3, "expected <, <=, > or >="),
        ("p95==1s", 3, "expected <, <=, > or >="),
        ("<1s", 0, "expected a figure, such as p95, failed or throughput"),
        (":p95<1s", 0, "expected a scenario before `:`"),
        ("p95<", 4, "expected a number"),
        ("p95<=>5ms", 5, "expected a number"),
        ("p95<1.2.3ms", 4, "expected a number"),
        ("failed<1ms", 8, "failed is a number of requests or a share of them: expected % or nothing"),
        ("throughput>400", 14, "throughput is successes a second: expected /s after the number"),
        ("a<b:p95", 7, "expected <, <=, > or >= and a bound after the figure"),
        ("a<b:p59<1s", 4, "`p59` is no figure; did you mean `p50`?"),
        ("", 0, "expected <, <=, > or >= and a bound after the figure"),
    ] {
        let message = text.parse::<Threshold>().unwrap_err().to_string();
        let lines: Vec<&str> = message.lines().collect();
        assert!(lines[0].contains(problem), "{message}");
        assert_eq!(lines[1..], [format!("  {text}"), format!("  {}^", " ".repeat(at))], "{message}");
    }
}

#[test]
fn comparisons_hold_or_do_not_at_the_bound() {
    let hold = Comparison::ALL
        .map(|(written, comparison)| (written, [1.0, 2.0, 3.0].map(|at| comparison.holds(at, 2.0))));
    assert_eq!(
        hold,
        [
            ("<=", [true, true, false]),
            (">=", [false, true, true]),
            ("<", [true, false, false]),
            (">", [false, false, true]),
        ]
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_its_place(text in ".{0,40}") {
        match text.parse::<Threshold>() {
            Ok(threshold) => prop_assert!(threshold.bound.number().is_finite()),
            Err(error) => prop_assert!(error.to_string().starts_with("must be a threshold"), "{}", error),
        }
    }

    #[test]
    fn nearly_thresholds_never_panic(text in "[a-z:.]{0,8}(p95|failed)?[<>=]{0,3}[-0-9.µ]{0,6}(ms|%|/s|µs)?") {
        let _ = text.parse::<Threshold>().map_err(|error| error.to_string());
    }
}
