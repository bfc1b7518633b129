//! The end-to-end tests' own support, tried before anything is proved with it.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;

use support::clock::now;
use support::process::{Bench, orphans};
use support::request::{Reply, Request};
use support::target::{Counts, Target};

const LOAD: &str = "archestra-bench/0.1.0 (load)";
const A_WHILE: Duration = Duration::from_secs(10);

struct Client {
    stream: TcpStream,
}

impl Client {
    fn of(target: &Target) -> Self {
        let stream = TcpStream::connect(target.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(A_WHILE)).unwrap();
        Self { stream }
    }

    fn send(&mut self, user_agent: &str, body: &str) {
        let length = body.len();
        let request = format!(
            "POST /v1/x?y HTTP/1.1\r\nUser-Agent: {user_agent}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).unwrap();
    }

    /// One answer, head and body.
    fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        loop {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
            if let Some(head) = answer.strip_suffix(b"\r\n\r\n") {
                let head = std::str::from_utf8(head).unwrap();
                let length = head.split_once("content-length: ").unwrap().1.split("\r\n").next().unwrap();
                let mut body = vec![0; length.parse().unwrap()];
                self.stream.read_exact(&mut body).unwrap();
                return format!("{head}\r\n\r\n{}", String::from_utf8(body).unwrap());
            }
        }
    }

    fn ask(&mut self, user_agent: &str, body: &str) -> String {
        self.send(user_agent, body);
        self.answer()
    }

    fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0))
    }
}

#[test]
fn requests_are_counted_by_purpose_over_all_connections() {
    let target = Target::good();
    for _ in 0..2 {
        let mut client = Client::of(&target);
        client.ask("archestra-bench/0.1.0 (preflight)", "{}");
        client.ask("archestra-bench/0.1.0 (warm-up)", "{}");
        client.ask(LOAD, "{}");
        client.ask(LOAD, "{}");
        client.ask("curl/8 (load)", "{}");
    }
    assert_eq!(target.counts(), Counts { preflight: 2, warm_up: 2, load: 4, other: 2 });
    assert_eq!((target.connections(), target.service_times().len()), (2, 4));
}

#[test]
fn a_good_target_answers_as_it_is_asked() {
    let target = Target::good();
    let mut client = Client::of(&target);
    assert!(client.ask(LOAD, r#"{"model":"m"}"#).contains(r#""content":"Hello""#));
    let tools = r#""tools":[{"type":"function","function":{"name":"weather"}}]"#;
    assert!(client.ask(LOAD, &format!("{{{tools}}}")).contains(r#""name":"weather""#));
    let stream = client.ask(LOAD, r#"{"stream":true}"#);
    assert!(stream.contains("text/event-stream") && stream.ends_with("data: [DONE]\n\n"), "{stream}");
}

#[test]
fn latencies_are_taken_in_turn_and_never_cut_short() {
    let latencies = [Duration::from_micros(12_345), Duration::ZERO, Duration::from_micros(700)];
    let target = Target::with_latencies(latencies.to_vec());
    let mut client = Client::of(&target);
    client.ask("archestra-bench/0.1.0 (preflight)", "{}");
    let mut seen = Vec::new();
    for _ in 0..6 {
        let sent = now();
        client.ask(LOAD, "{}");
        seen.push(now().duration_since(sent));
    }
    let served = target.service_times();
    for (index, (seen, served)) in seen.iter().zip(&served).enumerate() {
        let asked = latencies[index % 3];
        assert!(
            asked <= *served && served <= seen,
            "{index}: asked {asked:?}, took {served:?}, seen {seen:?}"
        );
    }
    assert_eq!(served.len(), 6);
}

#[test]
fn a_script_says_what_happens() {
    let target = Target::scripted(|number, request| {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/x?y"));
        match number {
            0 => Reply::json(503, r#"{"error":"busy"}"#),
            1 => Reply { close: true, ..Reply::json(200, "{}") },
            _ => Reply::nothing(),
        }
    });
    let mut client = Client::of(&target);
    assert!(client.ask(LOAD, "{}").starts_with("HTTP/1.1 503 "));
    assert!(client.ask(LOAD, "{}").starts_with("HTTP/1.1 200 "));
    assert!(client.is_closed());
    let mut client = Client::of(&target);
    client.send(LOAD, "{}");
    assert!(client.is_closed());
    assert_eq!((target.counts().load, target.service_times().len()), (3, 2));
}

#[test]
fn a_target_ends_while_it_owes_an_answer() {
    let target = Target::with_latencies(vec![Duration::from_secs(3600)]);
    let mut client = Client::of(&target);
    client.send(LOAD, "{}");
    assert!(support::clock::wait_until(A_WHILE, || target.counts().load == 1));
    let address = target.address();
    drop(target);
    assert!(client.is_closed());
    TcpStream::connect(address).unwrap_err();
}

#[test]
fn a_request_that_breaks_off_is_an_error() {
    let read = |text: &str| Request::read(&mut BufReader::new(text.as_bytes()));
    assert!(read("").unwrap().is_none());
    assert_eq!(read("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi").unwrap().unwrap().body, b"hi");
    for broken in ["POST", "POST / HTTP/1.1\r\nA: b\r\n", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nhi"] {
        read(broken).unwrap_err();
    }
}

#[test]
fn a_process_is_run_in_its_own_folder_and_environment() {
    let bench = Bench::new().variable("GREETING", "hello");
    bench.file("some/file", "contents");
    let script = "echo $GREETING; cat some/file; env | grep -c CARGO; echo oops >&2; exit 3";
    let finished = bench.start_program("sh", &["-c", script]).wait(A_WHILE);
    assert_eq!((finished.code, finished.signal), (Some(3), None));
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("hello\ncontents0\n", "oops\n"));
}

#[test]
fn an_endless_output_is_cut_and_holds_nobody_up() {
    let finished = Bench::new().start_program("sh", &["-c", "yes | head -c 3000000"]).wait(A_WHILE);
    assert_eq!((finished.code, finished.stdout.len()), (Some(0), 1024 * 1024));
}

#[test]
fn a_signal_and_the_processes_that_survive_it_are_seen() {
    let bench = Bench::new();
    let running = bench.start_program("sh", &["-c", "sleep 600 & sh -c 'sleep 600; :' & echo started; wait"]);
    running.wait_for("started", A_WHILE);
    assert!(support::clock::wait_until(A_WHILE, || running.descendants().len() == 3));
    let descendants = running.descendants();
    running.signal(Signal::TERM);
    let finished = running.wait(A_WHILE);
    assert_eq!((finished.code, finished.signal), (None, Some(Signal::TERM.as_raw())));
    assert_eq!(orphans(&descendants, Duration::ZERO).len(), 3);
    assert!(orphans(&descendants, A_WHILE).is_empty());
}

#[test]
fn nothing_outlives_a_test() {
    let bench = Bench::new();
    let running = bench.start_program("sh", &["-c", "trap '' TERM; sleep 600 & echo started; wait"]);
    running.wait_for("started", A_WHILE);
    assert!(support::clock::wait_until(A_WHILE, || running.descendants().len() == 1));
    let descendants = running.descendants();
    drop(running);
    assert!(orphans(&descendants, A_WHILE).is_empty());
}
