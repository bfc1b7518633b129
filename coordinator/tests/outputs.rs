//! What other programs read of a run, end to end: tables, logs of histograms, test results.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use support::oracles::{Python, python};
use support::process::Bench;
use support::request::{Purpose, Reply};
use support::results::Results;
use support::target::Target;

/// A gateway beside its upstream, in three pairs of blocks.
fn compared() -> (Bench, Results) {
    let bench = Bench::new();
    let gateway = Target::with_latencies(vec![Duration::from_millis(8)]);
    let direct = Target::with_latencies(vec![Duration::from_millis(2)]);
    let arms = ["run", "--target", &gateway.url(), "--direct", &direct.url(), "--scenario", "simple_chat"];
    let flags = ["--requests", "150", "--repeats", "3", "--cool-down", "10ms", "--warmup", "4", "--quiet"];
    let finished = bench.run(&[&arms, &flags[..]].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    (bench, results)
}

/// What `report` prints of the run in this format.
fn report(bench: &Bench, results: &Results, format: &str) -> String {
    let folder = results.report_path.parent().unwrap().to_str().unwrap();
    let finished = bench.run(&["report", folder, "--format", format]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    finished.stdout
}

fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(|row| row.unwrap()).collect()
}

fn number(row: &BTreeMap<String, String>, header: &str) -> f64 {
    row[header].parse().unwrap()
}

#[test]
fn tables_hold_what_the_record_holds() {
    let (bench, results) = compared();
    let table = rows(&report(&bench, &results, "csv"));
    let arms: Vec<&str> = table.iter().map(|row| row["arm"].as_str()).collect();
    assert_eq!(arms, ["gateway", "direct"]);
    let result = &results.report["results"][0];
    for row in &table {
        let figures = &result[&row["arm"]]["figures"];
        assert_eq!((number(row, "successes"), number(row, "blocks")), (450.0, 3.0));
        assert_eq!(number(row, "throughput_per_s"), figures["throughput"].as_f64().unwrap());
        let p95 = (number(row, "response_time_p95_ms") * 1e6).round();
        assert_eq!(p95, figures["response_time"]["p95_ns"].as_f64().unwrap());
    }
    let added = result["overhead"]["response_time"]["p50"]["added_ns"].as_f64().unwrap() / 1e6;
    assert_eq!((number(&table[0], "added_p50_ms"), table[1]["added_p50_ms"].as_str()), (added, ""));

    let seconds = rows(&report(&bench, &results, "csv-seconds"));
    let successes = |arm: &str| -> f64 {
        let of_arm = seconds.iter().filter(|row| row["arm"] == arm && row["purpose"] == "measurement");
        of_arm.map(|row| number(row, "successes")).sum()
    };
    assert_eq!((successes("gateway"), successes("direct")), (450.0, 450.0));
    let (started, run) = (&seconds[0]["block_started"], results.report["run"]["started"].as_str().unwrap());
    assert_eq!(started[..13], run[..13], "the hour in which the run began; tests begin at no other");

    let record: Value = serde_json::from_str(&report(&bench, &results, "json")).unwrap();
    assert_eq!(record, results.report);
    assert_eq!(report(&bench, &results, "markdown"), results.summary);
}

/// How GitHub's own renderer reads Markdown: each table's cells as they are seen, and which elements there are.
const RENDER: &str = r#"
import html.parser, json, sys
import cmarkgfm
from cmarkgfm.cmark import Options

class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.elements, self.tables, self.cell, self.outside = set(), [], None, ""
        self.within, self.acting, self.links = [], "", []
    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)
        self.within.append(tag)
        self.links += [value for name, value in attributes if name == "href"]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.cell = ""
    def handle_endtag(self, tag):
        self.within.pop()
        if tag in ("td", "th"):
            self.tables[-1][-1].append(self.cell)
            self.cell = None
    def handle_data(self, data):
        if "code" not in self.within:
            self.acting += data
        if self.cell is None:
            self.outside += data
        else:
            self.cell += data

page = Page()
text = open(sys.argv[1], encoding="utf-8").read()
page.feed(cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE))
print(json.dumps({"elements": sorted(page.elements), "tables": page.tables, "outside": page.outside,
                  "acting": page.acting, "links": page.links}))
"#;

/// Every table of the page is read as one; nothing else is on it than what we write, and the name is seen as it is. Of what a
/// target answered nothing is a link, and outside of code is nothing that GitHub makes one of.
fn renders(python: &Python, markdown: &str, name: &str) {
    let bench = Bench::new();
    let path = bench.file("page.md", markdown);
    let page: Value = serde_json::from_str(&python.run(RENDER, &[path.to_str().unwrap()])).unwrap();
    // Addresses become links by themselves.
    let known = [
        "a", "code", "h1", "h2", "li", "p", "pre", "strong", "table", "tbody", "td", "th", "thead", "tr",
        "ul",
    ];
    let elements = page["elements"].as_array().unwrap();
    assert!(elements.iter().all(|element| known.contains(&element.as_str().unwrap())), "{elements:?}");

    let tables = page["tables"].as_array().unwrap();
    assert_eq!(tables.len(), markdown.lines().filter(|line| line.starts_with("| --")).count());
    let rows = || tables.iter().flat_map(|table| table.as_array().unwrap());
    assert_eq!(rows().count() + tables.len(), markdown.lines().filter(|line| line.starts_with('|')).count());
    for table in tables {
        let widths = table.as_array().unwrap().iter().map(|row| row.as_array().unwrap().len());
        assert!(widths.collect::<std::collections::BTreeSet<_>>().len() == 1, "{table}");
    }
    assert!(!page["outside"].as_str().unwrap().contains("\n| "), "a table was read as text: {page}");
    let named = rows().filter(|row| row[0].as_str().unwrap().starts_with(name));
    assert!(named.count() > 0, "{name}: {tables:?}");
    let acting = page["acting"].as_str().unwrap();
    for active in ["@org", "evil.example", "#1"] {
        assert!(!acting.contains(active), "{active} in {acting}");
    }
    let links = page["links"].as_array().unwrap().iter();
    assert!(links.clone().all(|link| link.as_str().unwrap().starts_with("http://127.0.0.1:")), "{links:?}");
}

#[test]
fn summaries_and_comparisons_render_on_github_and_names_do_nothing() {
    let test = "summaries_and_comparisons_render_on_github_and_names_do_nothing";
    let Some(python) = python(test) else { return };
    let name = "a|b <img src=x> `c` *d* _e_ [f](g) \\| ~~h~~ $i$ & &lt; <!-- j";
    let scenario = format!("name = '{name}'\n[body]\nmodel = \"m\"\nmessages = []\n");
    let page = "page.md";
    let bench = Bench::new().variable("GITHUB_STEP_SUMMARY", page);
    bench.file("evil.toml", &scenario);
    const ANSWER: &str = "@org/team see https://evil.example or www.evil.example #1";
    let target = Target::scripted(|number, request| match (request.purpose(), number % 5) {
        (Purpose::Preflight, _) => Reply::json(503, ANSWER),
        (Purpose::Load, 0) => Reply::json(500, "{}"),
        _ => Reply::good(request),
    });
    let (url, levels) = (target.url(), ["--concurrency", "2,4", "--requests", "40", "--quiet"]);
    let measured = ["run", "--target", &url, "--direct", &url, "--scenario", "evil.toml", "--repeats", "1"];
    let judged = ["--threshold", "failed<50%,p95<10s", "--junit", "junit.xml", "--warmup", "none"];
    let finished = bench.run(&[&measured, &judged[..], &levels].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);

    let results = Results::of(&bench);
    let shown = std::fs::read_to_string(bench.folder().join(page)).unwrap();
    assert_eq!(shown, format!("{}\n", results.summary));
    assert!(shown.contains("`@org/team` see `https://evil.example`"), "{shown}");
    renders(&python, &shown, name);

    let folder = results.report_path.parent().unwrap().to_str().unwrap();
    let compared = bench.run(&["compare", folder, folder, "--force"]);
    assert_eq!(compared.code, Some(0), "{}", compared.stderr);
    let both = std::fs::read_to_string(bench.folder().join(page)).unwrap();
    renders(&python, both.strip_prefix(&shown).unwrap(), name);
}

/// What Python's own parser reads in JUnit's XML: the suite's counts, and each case with what came of it.
const READ_JUNIT: &str = r#"
import json, sys
import xml.etree.ElementTree as tree

suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
state = lambda case: next((inner.tag for inner in case if inner.tag in ("failure", "skipped")), "passed")
cases = {f"{case.get('classname')} {case.get('name')}": state(case) for case in suite}
for name, state in (("failures", "failure"), ("skipped", "skipped")):
    assert int(suite.get(name)) == list(cases.values()).count(state)
assert int(suite.get("tests")) == len(cases)
print(json.dumps(cases))
"#;

#[test]
fn thresholds_and_rules_are_test_cases_that_fail_where_the_run_does() {
    let Some(python) = python("thresholds_and_rules_are_test_cases_that_fail_where_the_run_does") else {
        return;
    };
    let (bench, target) = (Bench::new(), Target::good());
    let url = target.url();
    let run = ["run", "--target", &url, "--scenario", "simple_chat", "--requests", "40", "--quiet"];
    let finished = bench.run(&[&run, &["--threshold", "p95<10s,p50<1ns", "--junit", "a.xml"][..]].concat());
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    let path = bench.folder().join("a.xml");
    let cases: Value = serde_json::from_str(&python.run(READ_JUNIT, &[path.to_str().unwrap()])).unwrap();
    assert_eq!(cases["archestra-bench.run the run comes to its end"], "passed");
    assert_eq!(cases["archestra-bench.threshold p95<10s of simple_chat"], "passed");
    assert_eq!(cases["archestra-bench.threshold p50<1ns of simple_chat"], "failure");
    assert_eq!(cases["archestra-bench.verdict no_success"], "passed");
    assert_eq!(cases.as_object().unwrap().values().filter(|state| *state == "failure").count(), 1);

    let results = Results::of(&bench);
    let again = bench.run(&["report", results.report_path.to_str().unwrap(), "--junit", "b.xml"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let read = |name: &str| std::fs::read_to_string(bench.folder().join(name)).unwrap();
    assert_eq!(read("a.xml"), read("b.xml"));
    let nowhere = bench.run(&[&run, &["--junit", "nowhere/a.xml"][..]].concat());
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.contains("nowhere/a.xml cannot be written"), "{}", nowhere.stderr);
}

/// What HdrHistogram's Python port reads in a log: of each tag how many lines and values, P50, P99 and the largest, and the
/// largest that the lines say; and when the log starts.
const READ_HLOG: &str = r#"
import json, sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

said = {}
for line in open(sys.argv[1]):
    if line.startswith("Tag="):
        tag, _, _, most, _ = line[4:].split(",")
        said[tag] = max(said.get(tag, 0), float(most))
merged, last = {}, 0
reader = HistogramLogReader(sys.argv[1], HdrHistogram(100, 3600 * 10**9, 3))
while histogram := reader.get_next_interval_histogram():
    lines, whole = merged.setdefault(histogram.get_tag(), [0, HdrHistogram(100, 3600 * 10**9, 3)])
    whole.add(histogram)
    merged[histogram.get_tag()][0] += 1
    assert histogram.get_start_time_stamp() >= last, "lines are in order"
    last = histogram.get_start_time_stamp()
tags = {
    tag: {"lines": lines, "count": whole.get_total_count(), "said": said[tag], "max": whole.get_max_value(),
          "p50": whole.get_value_at_percentile(50), "p99": whole.get_value_at_percentile(99)}
    for tag, (lines, whole) in merged.items()
}
print(json.dumps({"start": reader.get_start_time_sec(), "base": reader.base_time_sec, "last": last / 1000, "tags": tags}))
"#;

#[test]
fn tools_of_hdrhistogram_read_the_log() {
    let Some(python) = python("tools_of_hdrhistogram_read_the_log") else { return };
    let (bench, results) = compared();
    let path = results.report_path.with_file_name("histograms.hlog");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(report(&bench, &results, "hlog"), text);
    let read: Value = serde_json::from_str(&python.run(READ_HLOG, &[path.to_str().unwrap()])).unwrap();

    let tags = read["tags"].as_object().unwrap();
    let close = |said: &Value, ours: &Value| {
        let (said, ours) = (said.as_f64().unwrap(), ours.as_f64().unwrap());
        assert!((said - ours).abs() <= ours / 1000.0 + 64.0, "{said} and {ours}");
    };
    for arm in ["gateway", "direct"] {
        let of_tag = &tags[&format!("simple_chat/{arm}/response_time")];
        let times = &results.report["results"][0][arm]["figures"]["response_time"];
        assert_eq!((&of_tag["count"], &times["count"]), (&450.into(), &450.into()));
        close(&of_tag["p50"], &times["p50_ns"]);
        close(&of_tag["p99"], &times["p99_ns"]);
        close(&of_tag["max"], &times["max_ns"]);
        assert!((of_tag["said"].as_f64().unwrap() * 1e6 - times["max_ns"].as_f64().unwrap()).abs() < 1e3);
        let seconds = |block: &&Value| block["arm"] == arm && block["purpose"] == "measurement";
        let blocks = results.report["blocks"].as_array().unwrap().iter().filter(seconds);
        assert_eq!(
            of_tag["lines"],
            blocks.map(|block| block["series"].as_array().unwrap().len()).sum::<usize>()
        );
    }
    assert!(tags.contains_key("simple_chat/gateway/5_in_flight/queueing_check/response_time"), "{tags:?}");

    let began: jiff::Timestamp = results.block(0)["started"].as_str().unwrap().parse().unwrap();
    assert_eq!(read["start"].as_f64().unwrap(), began.as_millisecond() as f64 / 1e3);
    assert_eq!(read["base"], read["start"]);
    let last: jiff::Timestamp = results.report["run"]["finished"].as_str().unwrap().parse().unwrap();
    assert!(read["last"].as_f64().unwrap() < last.as_second() as f64 + 1.0);
}
