//! `report.html` of real runs in a real browser: it draws, it answers to pointer and keys, and it asks nobody for anything.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::browser::Browser;
use support::clock::wait_until;
use support::process::{BOUND, Bench, Running};
use support::request::{Purpose, Reply};
use support::results::Results;
use support::target::Target;

/// What a scenario may be called.
const HOSTILE: &str = "<img src=x onerror='document.title=1'>&\"日本 _x_ | </script>";

fn page_of(bench: &Bench) -> PathBuf {
    Results::of(bench).report_path.with_file_name("report.html")
}

/// What must hold of every page, whatever was measured.
fn check(browser: &mut Browser, page: &Path) {
    assert!(fs::metadata(page).unwrap().len() < 1_000_000);
    browser.resize(1_000);
    browser.open_file(page);
    // The second is the empty icon.
    let own = format!("file://{}", page.display());
    assert!(
        browser.fetched().iter().all(|url| *url == own || url.starts_with("data:,")),
        "{:?}",
        browser.fetched()
    );

    let blank = "[...document.querySelectorAll('.chart')].filter(chart => ![...chart.querySelectorAll('svg')]
        .every(svg => svg.querySelector('path:not(.s1), circle'))).map(chart => chart.ariaLabel)";
    assert_eq!(browser.evaluate(blank), json!([]), "charts without a mark");
    let mute = "[...document.querySelectorAll('[role=img]')].filter(image => !image.ariaLabel).length";
    assert_eq!(browser.evaluate(mute), 0, "pictures without words");
    let tables =
        "[...document.querySelectorAll('figure')].every(figure => figure.querySelector('details tbody tr'))";
    assert_eq!(browser.evaluate(tables), true);

    for width in [360, 1_000] {
        browser.resize(width);
        let fits = browser.evaluate("document.documentElement.scrollWidth <= innerWidth");
        assert_eq!(fits, true, "{width}: it scrolls sideways");
        let shown = "[...document.querySelectorAll('svg:not(.panel)')].filter(svg => svg.checkVisibility()).map(svg => svg.classList[0])";
        let shown = browser.evaluate(shown);
        let wanted = if width == 360 { "narrow" } else { "wide" };
        assert!(shown.as_array().unwrap().iter().all(|class| class == wanted), "{width}: {shown}");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn captions(browser: &mut Browser) -> Vec<String> {
    let captions =
        browser.evaluate("[...document.querySelectorAll('figcaption')].map(caption => caption.textContent)");
    captions.as_array().unwrap().iter().map(|caption| caption.as_str().unwrap().to_owned()).collect()
}

/// The chart with this caption, as an expression.
fn chart(caption: &str) -> String {
    let caption = json!(caption);
    format!(
        "[...document.querySelectorAll('figure')].find(figure => figure.querySelector('figcaption').textContent.startsWith({caption})).querySelector('.chart')"
    )
}

/// What is said beside the pointer; `null` when nothing is.
fn tip(browser: &mut Browser, chart: &str) -> Value {
    browser.evaluate(&format!(
        "(tip => tip.checkVisibility() ? tip.textContent : null)({chart}.querySelector('.tip'))"
    ))
}

#[test]
fn a_page_draws_both_arms_and_answers_to_pointer_and_keys() {
    let Some(mut browser) = Browser::start() else { return };
    let bench = Bench::new();
    let name = json!(HOSTILE).to_string();
    bench.file("hostile.toml", &format!("name = {name}\n[body]\nmodel = \"m\"\n"));
    let gateway = Target::scripted(|number, request| match request.purpose() {
        Purpose::Load if number % 20 == 3 => Reply::json(503, "{}"),
        _ => Reply::good(request).after(Duration::from_millis(9 + number % 7)),
    });
    let upstream = Target::with_latencies(vec![Duration::from_millis(5)]);
    let (gateway_url, upstream_url) = (gateway.url(), upstream.url());
    let finished = bench.run(&[
        "run",
        "--scenario",
        "hostile.toml",
        "--target",
        &gateway_url,
        "--direct",
        &upstream_url,
        "--quiet",
        "--rate",
        "200",
        "--duration",
        "2s",
        "--repeats",
        "3",
        "--warmup",
        "100ms",
        "--cool-down",
        "20ms",
    ]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let page = page_of(&bench);
    check(&mut browser, &page);
    let captions = captions(&mut browser);
    let adds = format!("{HOSTILE}: what the gateway adds");
    let wanted = [
        adds.as_str(),
        "Response time by percentile",
        "Throughput and response time over time",
        "Response times over time: the darker, the more answers",
        "Failures by kind",
        "Send lag by percentile",
        "Response time (ms) by percentile of each worker",
        "Throughput (req/s) of each worker over time under load",
    ];
    assert_eq!(captions, wanted);
    assert_eq!(
        browser.evaluate("document.images.length + document.scripts.length"),
        1,
        "the page's own script"
    );
    assert_eq!(
        browser.evaluate("document.querySelector('main > section:nth-of-type(4) td').textContent"),
        HOSTILE
    );

    // The pointer.
    let percentiles = chart("Response time by percentile");
    browser.evaluate(&format!("{percentiles}.scrollIntoView({{block: 'center'}})"));
    let place = browser.evaluate(&format!(
        "(box => [box.left + box.width / 2, box.top + box.height / 2])({percentiles}.getBoundingClientRect())"
    ));
    assert_eq!(tip(&mut browser, &percentiles), Value::Null);
    browser.point(place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    let said = tip(&mut browser, &percentiles);
    let said = said.as_str().unwrap();
    assert!(
        said.starts_with("Percentile: ")
            && said.contains("\ngateway (ms): ")
            && said.contains("\ndirect (ms): "),
        "{said}"
    );
    browser.point(1.0, 1.0);
    assert_eq!(tip(&mut browser, &percentiles), Value::Null);

    // The keys: each chart is reached, and its values one after another.
    for caption in &captions {
        let chart = chart(caption);
        let is_reached = format!("document.activeElement === {chart}");
        let reached = (0..60).any(|_| {
            browser.press("Tab");
            browser.evaluate(&is_reached) == true
        });
        assert!(reached, "{caption}");
        let first = tip(&mut browser, &chart);
        browser.press("ArrowRight");
        let second = tip(&mut browser, &chart);
        assert!(first.is_string() && second.is_string() && first != second, "{caption}: {first} {second}");
        browser.press("Home");
        let beginning = tip(&mut browser, &chart);
        browser.press("ArrowLeft");
        assert_eq!(tip(&mut browser, &chart), beginning, "{caption}");
        browser.press("Escape");
        assert_eq!(tip(&mut browser, &chart), Value::Null, "{caption}");
    }

    // The reader's liking, and paper.
    let color = "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.querySelector('.s4')).stroke";
    let [light, dark] = ["light", "dark"].map(|scheme| {
        browser.prefer(scheme);
        browser.evaluate(color)
    });
    assert_ne!(light, dark);
    let printed = browser.call("Page.printToPDF", json!({}));
    // `%PDF` in base64.
    assert!(printed["data"].as_str().unwrap().starts_with("JVBER"), "{printed}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_lost_worker_and_a_run_that_means_nothing_have_pages_too() {
    let Some(mut browser) = Browser::start() else { return };
    let (bench, target) = (Bench::new(), Target::with_latencies(vec![Duration::from_millis(5)]));
    let url = target.url();
    let running = bench.start(&[
        "run",
        "--scenario",
        "simple_chat",
        "--target",
        &url,
        "--duration",
        "3s",
        "--workers",
        "3",
    ]);
    assert!(wait_until(BOUND, || target.counts().load > 500), "{}", running.stderr());
    kill_process(Pid::from_raw(a_worker_of(&running)).unwrap(), Signal::KILL).unwrap();
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    check(&mut browser, &page_of(&bench));
    let panels = browser.evaluate(
        "[...document.querySelectorAll('.panel')].map(panel => panel.textContent.match(/^.*lost/) ? 1 : 0)",
    );
    assert_eq!(panels.as_array().unwrap().iter().filter(|lost| **lost == 1).count(), 1, "{panels}");

    let (bench, target) = (
        Bench::new(),
        Target::scripted(|_, request| match request.purpose() {
            Purpose::Load => Reply::json(500, "{}"),
            _ => Reply::good(request),
        }),
    );
    let url = target.url();
    let finished =
        bench.run(&["run", "--scenario", "simple_chat", "--target", &url, "--requests", "50", "--quiet"]);
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    let page = page_of(&bench);
    check(&mut browser, &page);
    assert_eq!(browser.evaluate("document.body.className"), "invalid");
    assert_eq!(
        captions(&mut browser),
        ["Throughput and response time over time", "Failures by kind", "Send lag by percentile"]
    );

    // Made again from the record.
    let written = fs::read_to_string(&page).unwrap();
    fs::remove_file(&page).unwrap();
    let again = bench.run(&["report", page.with_file_name("report.json").to_str().unwrap()]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(fs::read_to_string(&page).unwrap(), written);
}

#[test]
fn a_mix_has_a_part_for_each_scenario_and_one_for_all_together() {
    let Some(mut browser) = Browser::start() else { return };
    let (bench, target) = (Bench::new(), Target::with_latencies(vec![Duration::from_millis(4)]));
    let url = target.url();
    let mix = ["run", "--mix", "simple_chat=2,chat_with_tools=1", "--target", &url, "--quiet"];
    let load = ["--requests", "300", "--concurrency", "6", "--workers", "2", "--goodput", "response<10s"];
    let finished = bench.run(&[&mix[..], &load].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    check(&mut browser, &page_of(&bench));

    // The first table, the sections with charts, and what kept to the goal.
    let names = json!(["simple_chat", "chat_with_tools", "together"]);
    let first = "[...document.querySelector('main table').querySelectorAll('tbody td:first-child')].map(cell => cell.textContent)";
    assert_eq!(browser.evaluate(first), names);
    let sections =
        "[...document.querySelectorAll('section:has(figure) > h2')].map(heading => heading.textContent)";
    assert_eq!(browser.evaluate(sections), names);
    let goodput = "[...[...document.querySelectorAll('section')].find(section => section.querySelector('h2')?.textContent === 'Goodput')
        .querySelectorAll('tbody tr')].map(row => [row.cells[0], row.cells[2], row.cells[4]].map(cell => cell.textContent))";
    let kept = [("simple_chat", "200"), ("chat_with_tools", "100"), ("together", "300")]
        .map(|(name, successes)| json!([name, successes, "100.0 %"]));
    assert_eq!(browser.evaluate(goodput), json!(kept));
    let captions = captions(&mut browser);
    let of_workers =
        captions.iter().filter(|caption| caption.starts_with("Throughput (req/s) of each worker"));
    assert_eq!(of_workers.count(), 3, "{captions:?}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn a_worker_of(running: &Running) -> i32 {
    let is_worker = |pid: &i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains("worker")
    };
    running.descendants().into_iter().map(|process| process.pid).find(is_worker).unwrap()
}
