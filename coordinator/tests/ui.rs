//! The live page of real runs, as a program reads it: the page, its events, its end, and whom it refuses.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use support::clock::wait_until;
use support::process::{BOUND, Bench, Running};
use support::request::{Purpose, Reply};
use support::results::{Results, names};
use support::target::Target;

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Sends a request; `None` where nobody listens.
fn ask(address: SocketAddr, request: &str, headers: &str) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(BOUND)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\n{headers}\r\n").ok()?;
    Some(stream)
}

/// Status, head and body of an answer to a request with these headers; `None` where nobody answers.
fn answer(address: SocketAddr, request: &str, headers: &str) -> Option<(u16, String, String)> {
    let mut stream = ask(address, request, &format!("{headers}Connection: close\r\n"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, head.to_ascii_lowercase(), body.to_owned()))
}

/// The same as a browser on this machine asks.
fn get(address: SocketAddr, path: &str) -> Option<(u16, String, String)> {
    answer(address, &format!("GET {path}"), &format!("Host: {address}\r\n"))
}

/// A page's events, one after another.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(address: SocketAddr, path: &str) -> Self {
        let stream = ask(address, &format!("GET {path}"), &format!("Host: {address}\r\n")).unwrap();
        let mut events = Self(BufReader::new(stream));
        assert_eq!(events.line().unwrap(), "HTTP/1.1 200 OK");
        events
    }

    /// `None` at their end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.0.read_line(&mut line).unwrap();
        (length > 0).then(|| line.trim_end().to_owned())
    }

    /// Name and data of the next one; `None` at their end.
    fn next(&mut self) -> Option<(String, String)> {
        let mut name = None;
        while let Some(line) = self.line() {
            match line.split_once(": ") {
                Some(("event", event)) => name = Some(event.to_owned()),
                Some(("data", data)) => return Some((name?, data.to_owned())),
                _ => {}
            }
        }
        None
    }

    /// The data of the next one of this name that is as wanted; the test fails where there is none.
    fn find(&mut self, name: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        while let Some((event, data)) = self.next() {
            let data: Value = serde_json::from_str(&data).unwrap();
            if event == name && is_wanted(&data) {
                return data;
            }
        }
        unreachable!("no such event {name}");
    }
}

/// A good target that answers nothing before it is told to begin.
fn held_target() -> (Target, Arc<AtomicBool>) {
    let begun = Arc::new(AtomicBool::new(false));
    let may_begin = Arc::clone(&begun);
    let target = Target::scripted(move |_, request| {
        wait_until(BOUND, || may_begin.load(Ordering::SeqCst));
        Reply::good(request).after(Duration::from_millis(5))
    });
    (target, begun)
}

fn wait_for_page(address: SocketAddr, running: &Running) {
    assert!(wait_until(BOUND, || get(address, "/").is_some()), "{}", running.stderr());
}

/// What stands in the main element of the page that a run has written.
fn written(bench: &Bench) -> String {
    let page = fs::read_to_string(Results::of(bench).report_path.with_file_name("report.html")).unwrap();
    page.split_once("<main>").unwrap().1.split_once("</main>").unwrap().0.to_owned()
}

#[test]
fn a_page_follows_a_run_from_before_its_first_block_to_its_end() {
    let (bench, address, (target, begun)) = (Bench::new(), free_address(), held_target());
    let (url, ui) = (target.url(), address.to_string());
    let run = ["run", "--target", &url, "--scenario", "simple_chat,chat_with_tools", "--duration", "4s"];
    let running = bench.start(&[&run[..], &["--quiet", "--ui", &ui]].concat());
    wait_for_page(address, &running);
    let (status, head, page) = get(address, "/").unwrap();
    assert_eq!(status, 200);
    for part in [
        "content-type: text/html; charset=utf-8",
        "cache-control: no-store",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
    ] {
        assert!(head.contains(part), "no {part} in {head}");
    }
    assert!(page.contains("The report appears here when the first block has ended."), "{page}");

    let mut events = Events::open(address, "/events");
    let mut late = Events::open(address, "/events");
    begun.store(true, Ordering::SeqCst);
    let first = events.find("live", |live| {
        live["tables"]["figures"][0]["cells"][2] != "–" && live["texts"]["scenario"] == "simple_chat"
    });
    let then = events.find("live", |live| live["texts"]["progress"] != first["texts"]["progress"]);
    for live in [&first, &then] {
        assert_eq!(live["tables"]["figures"][0]["cells"][0], "last second", "{live}");
        assert_eq!(live["tables"]["workers"].as_array().map(Vec::len), Some(2), "{live}");
        assert_eq!(live["texts"]["subject"], target.url());
    }
    assert_ne!(first["tables"]["answers"][0], then["tables"]["answers"][0]);

    // A block has ended; a page that is opened now has its report and the next block.
    events.find("report", |revision| *revision == 1);
    let (_, _, report) = get(address, "/report").unwrap();
    assert!(
        report.starts_with("<div id=\"report\" class=\"") && report.contains("<h2>simple_chat</h2>"),
        "{report}"
    );
    assert!(!report.contains("<h2>chat_with_tools</h2>"));
    let (_, _, again) = get(address, "/").unwrap();
    assert!(again.contains(&report) && again.contains(" data-revision=\"1\""), "{again}");
    let second = Events::open(address, "/events").find("live", |_| true);
    assert_eq!(second["run"], first["run"]);

    let end = events.find("end", |_| true);
    assert!(
        end["words"].as_str().unwrap().starts_with("The run has ended. This is its report, which results/"),
        "{end}"
    );
    assert!(events.next().is_none());
    // Whoever has read nothing meanwhile gets the end as well.
    assert_eq!(late.find("end", |_| true), end);
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains(&format!("live page: http://{address}/\n")), "{}", finished.stderr);
    let report = end["report"].as_str().unwrap();
    assert!(report.contains(&written(&bench)), "{report}");
    assert!(get(address, "/").is_none());
}

#[test]
fn a_page_that_lingers_shows_the_report_until_ctrl_c_and_the_exit_code_stays_the_runs() {
    let (bench, target, address) = (Bench::new(), Target::good(), free_address());
    let (url, ui) = (target.url(), address.to_string());
    let run =
        ["run", "--target", &url, "--scenario", "simple_chat", "--requests", "50", "--threshold", "p95<1ns"];
    let running = bench.start(&[&run[..], &["--ui", &ui, "--ui-linger", "10m"]].concat());
    running.wait_for("the live page stays for 10m, or until Ctrl-C", BOUND);
    assert!(
        running.stdout().contains("\nSummary: "),
        "what there is to say is said before: {}",
        running.stdout()
    );
    let (status, _, page) = get(address, "/").unwrap();
    assert!(status == 200 && page.contains(&written(&bench)) && page.contains(" data-ended>"), "{page}");
    let mut events = Events::open(address, "/events");
    let end = events.find("end", |_| true);
    assert!(end["report"].is_null() && events.next().is_none(), "it is fetched: nobody looked when it ended");

    let own = format!("Host: {address}\r\n");
    for (request, headers, status, words) in [
        ("POST /", own.as_str(), 405, "only GET and HEAD are answered"),
        ("DELETE /report", &own, 405, "only GET and HEAD are answered"),
        ("GET /", "Host: evil.example\r\n", 403, "open http://127.0.0.1:"),
        ("GET /events", "Host: evil.example\r\n", 403, "open http://127.0.0.1:"),
        ("GET /report.json", &own, 404, "the run is shown at /"),
        ("HEAD /", &own, 200, ""),
        ("HEAD /events", &own, 200, ""),
    ] {
        let (found, head, body) = answer(address, request, headers).unwrap();
        assert_eq!(found, status, "{request}: {body}");
        assert!(body.contains(words) && (!words.is_empty() || body.is_empty()), "{request}: {body}");
        assert!(head.contains("cache-control: no-store") && head.contains("default-src 'none'"), "{head}");
        assert!(status != 405 || head.contains("allow: get, head"), "{head}");
    }
    running.signal(Signal::INT);
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(4), "the threshold was missed: {}", finished.stderr);
}

#[test]
fn elsewhere_than_on_loopback_the_printed_token_is_wanted() {
    // It is on loopback all the same, and not known as such.
    let Ok(probe) = TcpListener::bind("[::ffff:127.0.0.1]:0") else {
        let note = b"skipped: elsewhere_than_on_loopback_the_printed_token_is_wanted needs IPv6\n";
        std::io::stderr().write_all(note).unwrap();
        return;
    };
    let port = probe.local_addr().unwrap().port();
    drop(probe);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let ((target, begun), bench) = (held_target(), Bench::new());
    let bench = bench.variable("ARCHESTRA_BENCH_UI", &format!("[::ffff:127.0.0.1]:{port}"));
    let url = target.url();
    let running = bench.start(&["run", "--target", &url, "--scenario", "simple_chat", "--requests", "50"]);
    running.wait_for("live page: http://[::ffff:127.0.0.1]:", BOUND);
    let stderr = running.stderr();
    let query = stderr.lines().find_map(|line| line.split_once("/?token=")).unwrap().1.to_owned();
    assert!(query.len() >= 22, "{query}");
    for path in ["/", "/?token=", "/report?token=x", "/events", "/nothing"] {
        let (status, _, words) = get(address, path).unwrap();
        assert_eq!((status, words.contains("wants its token")), (403, true), "{path}: {words}");
        assert!(!words.contains(&query));
    }
    let (status, _, page) = get(address, &format!("/?token={query}")).unwrap();
    assert_eq!(status, 200);
    assert!(!page.contains(&query), "it stays in the address");
    let mut events = Events::open(address, &format!("/events?token={query}"));
    begun.store(true, Ordering::SeqCst);
    let end = events.find("end", |_| true);
    assert!(end["report"].is_string(), "{end}");
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let results = Results::of(&bench);
    let files = fs::read_dir(results.report_path.parent().unwrap()).unwrap();
    for file in files.map(|file| file.unwrap().path()) {
        assert!(!String::from_utf8_lossy(&fs::read(&file).unwrap()).contains(&query), "{}", file.display());
    }
    assert!(!finished.stdout.contains(&query));
}

#[test]
fn as_many_pages_as_may_be_hold_up_neither_the_run_nor_who_comes_when_one_has_left() {
    let (bench, address, (target, begun)) = (Bench::new(), free_address(), held_target());
    let (url, ui) = (target.url(), address.to_string());
    let running = bench.start(&[
        "run",
        "--target",
        &url,
        "--scenario",
        "simple_chat",
        "--requests",
        "300",
        "--ui",
        &ui,
    ]);
    wait_for_page(address, &running);
    // None of them reads on.
    let mut open: Vec<Events> = (0..48).map(|_| Events::open(address, "/events")).collect();
    let (status, head, words) = get(address, "/events").unwrap();
    assert_eq!((status, head.contains("retry-after: 5")), (503, true), "{words}");
    assert_eq!(get(address, "/").unwrap().0, 200);
    drop(open.pop());
    let mut next = None;
    let has_room = || {
        let mut stream = ask(address, "GET /events", &format!("Host: {address}\r\n")).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        let is_let_in = &status == b"HTTP/1.1 200";
        next = is_let_in.then_some(Events(BufReader::new(stream)));
        is_let_in
    };
    assert!(wait_until(BOUND, has_room), "the place of one that has left is free");
    begun.store(true, Ordering::SeqCst);
    let end = next.unwrap().find("end", |_| true);
    assert!(end["report"].as_str().unwrap().contains("<h2>simple_chat</h2>"), "{end}");
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(Results::of(&bench).count(0, "successes"), 300);
}

#[test]
fn a_run_that_measures_nothing_says_so_and_so_does_one_that_cannot_listen() {
    let (bench, address) = (Bench::new(), free_address());
    let begun = Arc::new(AtomicBool::new(false));
    let may_begin = Arc::clone(&begun);
    let target = Target::scripted(move |_, request| {
        wait_until(BOUND, || may_begin.load(Ordering::SeqCst));
        if request.purpose() == Purpose::Preflight { Reply::json(401, "{}") } else { Reply::good(request) }
    });
    let (url, ui) = (target.url(), address.to_string());
    let running = bench.start(&["run", "--target", &url, "--scenario", "simple_chat", "--ui", &ui]);
    wait_for_page(address, &running);
    let mut events = Events::open(address, "/events");
    begun.store(true, Ordering::SeqCst);
    let end = events.find("end", |_| true);
    assert_eq!(end["words"], "The run has ended before anything was measured.");
    assert_eq!(running.wait(BOUND).code, Some(1));

    let (bench, target) = (Bench::new(), Target::good());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let finished = bench.run(&["run", "--target", &target.url(), "--ui", &address]);
    assert_eq!(finished.code, Some(1));
    let sentence = format!(
        "--ui {address} cannot be listened at: name an address of this machine with a port that is free"
    );
    assert!(finished.stderr.contains(&sentence), "{}", finished.stderr);
    assert_eq!(target.connections(), 0);
    assert_eq!(names(&bench), [""; 0], "nothing is left behind");
}

#[test]
fn a_port_that_is_left_open_is_a_free_one_which_is_printed() {
    let (bench, (target, begun)) = (Bench::new(), held_target());
    let url = target.url();
    let run = ["run", "--target", &url, "--scenario", "simple_chat", "--requests", "50", "--quiet"];
    let running = bench.start(&[&run[..], &["--ui", "127.0.0.1:0", "--prometheus", "127.0.0.1:0"]].concat());
    running.wait_for("live page: http://127.0.0.1:", BOUND);
    let stderr = running.stderr();
    let printed = |name: &str, path: &str| -> SocketAddr {
        let line = stderr.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.strip_prefix("http://").and_then(|rest| rest.strip_suffix(path)).unwrap().parse().unwrap()
    };
    let (page, metrics) = (printed("live page: ", "/"), printed("metrics: ", "/metrics"));
    assert!(page.port() != 0 && metrics.port() != 0 && page != metrics, "{stderr}");
    let (status, _, shown) = get(page, "/").unwrap();
    assert!(status == 200 && shown.contains("The report appears here"), "{shown}");
    let (status, _, text) = get(metrics, "/metrics").unwrap();
    assert!(status == 200 && text.contains("archestra_bench_build_info"), "{text}");
    // Only under the port that was taken.
    assert_eq!(answer(page, "GET /", "Host: 127.0.0.1:0\r\n").unwrap().0, 403);
    begun.store(true, Ordering::SeqCst);
    let finished = running.wait(BOUND);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[test]
fn a_search_is_followed_rate_by_rate() {
    let (bench, address, (target, begun)) = (Bench::new(), free_address(), held_target());
    let (url, ui) = (target.url(), address.to_string());
    let search =
        ["capacity", "--target", &url, "--scenario", "simple_chat", "--step", "1s", "--max-rate", "100"];
    let running = bench.start(&[&search[..], &["--start-rate", "50", "--quiet", "--ui", &ui]].concat());
    wait_for_page(address, &running);
    let mut events = Events::open(address, "/events");
    begun.store(true, Ordering::SeqCst);
    let live = events.find("live", |live| live["tables"]["tried"].is_array());
    assert_eq!(live["texts"]["command"], "archestra-bench capacity");
    let first = &live["tables"]["tried"][0]["cells"];
    assert!(first[0] == "50.0/s" && first[1].as_str().unwrap().contains("hold"), "{live}");
    events.find("report", |revision| revision.as_u64().unwrap() > 0);
    let end = events.find("end", |_| true);
    assert!(end["report"].as_str().unwrap().contains("Capacity"), "{end}");
    let finished = running.wait(BOUND);
    assert!(matches!(finished.code, Some(0 | 3)), "{}", finished.stderr);
}
