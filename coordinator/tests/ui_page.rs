//! The live page of real runs in a real browser: figures move, the report appears and is made anew under the reader's
//! eyes, the end is told, and a run that vanishes is missed.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// A target that begins when it is told to, and fails now and then.
fn held_target() -> (Target, Arc<AtomicBool>) {
    let begun = Arc::new(AtomicBool::new(false));
    let may_begin = Arc::clone(&begun);
    let target = Target::scripted(move |number, request| {
        wait_until(BOUND, || may_begin.load(Ordering::SeqCst));
        match request.purpose() {
            Purpose::Load if number % 20 == 3 => Reply::json(503, "{}"),
            _ => Reply::good(request).after(Duration::from_millis(5 + number % 5)),
        }
    });
    (target, begun)
}

/// Starts a run with a page, and opens it.
fn begin(bench: &Bench, browser: &mut Browser, target: &Target, flags: &[&str]) -> Running {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let url = target.url();
    let running = bench.start(&[&["run", "--target", &url, "--ui", &address][..], flags].concat());
    running.wait_for("live page: ", BOUND);
    browser.resize(1_000);
    browser.open(&format!("http://{address}/"));
    running
}

/// Waits until an expression is true in the page.
fn wait_for(browser: &mut Browser, running: &Running, expression: &str) {
    let came = wait_until(BOUND, || browser.evaluate(expression) == true);
    let page = browser.evaluate("document.querySelector('main').innerText");
    assert!(came, "not {expression}\n{page}\n{}", running.stderr());
}

fn text(browser: &mut Browser, selector: &str) -> String {
    let selector = json!(selector);
    let text = browser.evaluate(&format!("document.querySelector({selector})?.textContent ?? ''"));
    text.as_str().unwrap().to_owned()
}

const HEADINGS: &str = "[...document.querySelectorAll('#report h2')].map(heading => heading.textContent)";

fn headings(browser: &mut Browser) -> Vec<String> {
    let headings = browser.evaluate(HEADINGS);
    headings.as_array().unwrap().iter().map(|heading| heading.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_page_that_is_open_shows_the_run_block_by_block_and_its_end() {
    let Some(mut browser) = Browser::start() else { return };
    let (bench, (target, begun)) = (Bench::new(), held_target());
    let name = json!(HOSTILE).to_string();
    bench.file("hostile.toml", &format!("name = {name}\n[body]\nmodel = \"m\"\n"));
    let scenarios =
        ["--scenario", "hostile.toml", "--scenario", "simple_chat", "--scenario", "chat_with_tools"];
    let flags = [&scenarios[..], &["--rate", "100", "--duration", "6s", "--quiet"]].concat();
    let running = begin(&bench, &mut browser, &target, &flags);
    assert_eq!(text(&mut browser, "#report"), "The report appears here when the first block has ended.");
    begun.store(true, Ordering::SeqCst);

    // Figures that move.
    let second = "document.querySelector('[data-table=figures]').rows[0]?.cells[2].textContent ?? '–'";
    wait_for(&mut browser, &running, &format!("!isNaN(parseFloat({second}))"));
    assert_eq!(text(&mut browser, "[data-fact=scenario]"), HOSTILE);
    let progress = json!(text(&mut browser, "[data-fact=progress]"));
    wait_for(
        &mut browser,
        &running,
        &format!("document.querySelector('[data-fact=progress]').textContent !== {progress}"),
    );
    let rows = browser.evaluate("document.querySelector('[data-table=workers]').rows.length");
    let shown = browser
        .evaluate("document.querySelector('[data-table=answers]').innerText.includes('failed: status')");
    let picture =
        browser.evaluate("document.querySelector('#minute path').getBoundingClientRect().width > 0");
    let share = browser.evaluate("(share => share > 0 && share < 1)(document.querySelector('#share').value)");
    assert_eq!([rows, shown, picture, share], [json!(2), json!(true), json!(true), json!(true)]);

    // The first report: it can be read at once.
    let has = |scenario: &str| format!("{HEADINGS}.includes({})", json!(scenario));
    wait_for(&mut browser, &running, &has(HOSTILE));
    assert!(!headings(&mut browser).contains(&"simple_chat".to_owned()));
    assert_eq!(browser.evaluate("document.querySelector('#so-far').hidden"), false);
    let chart = "document.querySelector('#report .chart')";
    browser.evaluate(&format!(
        "{chart}.closest('figure').querySelector('details').open = true;
         {chart}.scrollIntoView({{block: 'start'}}); {chart}.focus({{preventScroll: true}})"
    ));
    browser.press("ArrowRight");
    let tip = browser.evaluate(&format!("{chart}.querySelector('.tip').textContent"));
    assert!(tip.as_str().unwrap().starts_with("Percentile: "), "{tip}");

    // The second one takes its place, and leaves the reader where they are.
    let place = format!("{chart}.getBoundingClientRect().top");
    let before = browser.evaluate(&place).as_f64().unwrap();
    wait_for(&mut browser, &running, &has("simple_chat"));
    let after = browser.evaluate(&place).as_f64().unwrap();
    assert!((before - after).abs() < 3.0, "it went from {before} to {after}");
    let kept = format!(
        "[{chart}.closest('figure').querySelector('details').open, document.activeElement === {chart}]"
    );
    assert_eq!(browser.evaluate(&kept), json!([true, true]));
    let tips = browser.evaluate("document.querySelectorAll('#report .tip').length");
    browser.press("ArrowRight");
    assert_eq!(browser.evaluate(&format!("{chart}.querySelector('.tip').checkVisibility()")), true, "{tips}");

    // A page that is opened anew is the same.
    let shown = headings(&mut browser);
    browser.call("Page.reload", json!({}));
    wait_for(
        &mut browser,
        &running,
        "document.readyState === 'complete' && document.querySelector('#live') !== null",
    );
    assert_eq!(headings(&mut browser)[..2], shown[..2]);

    // The end, which finds the browser narrow and dark.
    browser.resize(360);
    browser.prefer("dark");
    wait_for(
        &mut browser,
        &running,
        "document.querySelector('#status').textContent.startsWith('The run has ended. ')",
    );
    assert_eq!(browser.evaluate("document.querySelector('#now').checkVisibility()"), false);
    assert_eq!(browser.evaluate("document.querySelector('#so-far').checkVisibility()"), false);
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let written = fs::read_to_string(Results::of(&bench).report_path.with_file_name("report.html")).unwrap();
    let same = format!(
        "new DOMParser().parseFromString({}, 'text/html').querySelector('main').textContent === document.querySelector('#report').textContent",
        json!(written)
    );
    assert_eq!(browser.evaluate(&same), true, "the report that the run has written");
    assert_eq!(
        browser.evaluate("document.documentElement.scrollWidth <= innerWidth"),
        true,
        "it scrolls sideways"
    );
    let title = browser.evaluate("document.title");
    assert!(title.as_str().unwrap().starts_with("archestra-bench run http://127.0.0.1:"), "{title}");
    assert_eq!(browser.evaluate("document.images.length"), 0);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// The cells of a table, row by row.
fn rows(browser: &mut Browser, table: &str) -> Vec<Vec<String>> {
    let rows = browser.evaluate(&format!(
        "[...document.querySelector('[data-table={table}]').rows].map(row => [...row.cells].map(cell => cell.textContent))"
    ));
    serde_json::from_value(rows).unwrap()
}

#[test]
fn scenarios_of_a_mix_log_lines_and_findings_appear_while_a_run_goes_on() {
    let Some(mut browser) = Browser::start() else { return };
    let (bench, (target, begun)) = (Bench::new(), held_target());
    let name = json!(HOSTILE).to_string();
    bench.file("hostile.toml", &format!("name = {name}\n[body]\nmodel = \"m\"\n"));
    let mix = ["--mix", "simple_chat=1,hostile.toml=1", "--repeats", "2"];
    let flags = [&mix[..], &["--rate", "100", "--duration", "8s", "--quiet"]].concat();
    let running = begin(&bench, &mut browser, &target, &flags);
    begun.store(true, Ordering::SeqCst);

    // Each scenario with its own figures.
    let parts = "[...document.querySelector('[data-table=parts]').rows]";
    let is_known = format!(
        "{parts}.length === 2 && {parts}.every(row => [1, 2, 3, 4].every(at => parseFloat(row.cells[at].textContent) > 0))"
    );
    wait_for(&mut browser, &running, &is_known);
    let shown = rows(&mut browser, "parts");
    assert_eq!([&shown[0][0], &shown[1][0]], ["simple_chat", HOSTILE]);
    let of_kind = format!("{parts}.some(row => row.cells[6].textContent.includes('(status '))");
    wait_for(&mut browser, &running, &of_kind);
    let visible = "document.querySelector('[data-table=parts]').checkVisibility()";
    assert_eq!(browser.evaluate(visible), true);
    assert_eq!(rows(&mut browser, "findings"), Vec::<Vec<String>>::new(), "no block has ended");

    // A worker that is lost is told of.
    let is_worker = |pid: &i32| {
        String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default())
            .contains("worker")
    };
    let worker = running.descendants().iter().map(|process| process.pid).find(is_worker).unwrap();
    kill_process(Pid::from_raw(worker).unwrap(), Signal::KILL).unwrap();
    let is_told = "document.querySelector('[data-table=log]').rows[0]?.textContent.includes('was lost')";
    wait_for(&mut browser, &running, is_told);
    let states = rows(&mut browser, "workers");
    assert!(states.iter().any(|cells| cells[2] == "lost"), "{states:?}");

    // When the first block has ended, what was found of it is there while the next one runs.
    wait_for(&mut browser, &running, "document.querySelector('[data-table=findings]').rows.length > 0");
    let found = rows(&mut browser, "findings");
    assert!(found.iter().any(|cells| cells[1].ends_with(": worker_lost")), "{found:?}");
    assert_eq!(browser.evaluate("document.querySelector('#now').checkVisibility()"), true);
    assert_eq!(browser.evaluate("document.querySelectorAll('#live img, #live script').length"), 0);
    assert_eq!(
        browser.evaluate("document.documentElement.scrollWidth <= innerWidth"),
        true,
        "it scrolls sideways"
    );
    let title = browser.evaluate("document.title");
    assert!(title.as_str().unwrap().starts_with("archestra-bench run http://127.0.0.1:"), "{title}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    running.signal(Signal::INT);
    running.wait(BOUND);
}

#[test]
fn a_browser_leaves_nothing_behind() {
    let Some(browser) = Browser::start() else { return };
    let folder = browser.folder().to_owned();
    assert!(fs::read_dir(folder.join("profile")).unwrap().next().is_some());
    let temporary = fs::read_dir(folder.join("temporary")).unwrap().count();
    assert!(temporary > 0, "its temporary files are not where they were to be");
    drop(browser);
    assert!(!folder.exists());
}

#[test]
fn a_run_that_vanishes_is_missed() {
    let Some(mut browser) = Browser::start() else { return };
    let (bench, (target, begun)) = (Bench::new(), held_target());
    begun.store(true, Ordering::SeqCst);
    let flags = ["--scenario", "simple_chat", "--duration", "60s", "--quiet"];
    let running = begin(&bench, &mut browser, &target, &flags);
    wait_for(
        &mut browser,
        &running,
        "document.querySelector('[data-fact=scenario]').textContent === 'simple_chat'",
    );
    assert_eq!(browser.evaluate("document.querySelector('#status').hidden"), true);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    running.kill();
    wait_for(
        &mut browser,
        &running,
        "document.querySelector('#status').textContent.startsWith('Nothing has been heard of the run since ')",
    );
    let words = text(&mut browser, "#status");
    assert!(words.contains("/report.html holds its report"), "{words}");
    assert_ne!(browser.evaluate("document.querySelector('[data-table=workers]').rows.length"), Value::Null);
    assert_eq!(text(&mut browser, "[data-fact=scenario]"), "simple_chat", "its last state stays");
}
