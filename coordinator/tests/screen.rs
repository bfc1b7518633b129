//! The screen on a real terminal: a run in tmux is seen, resized and ended, and leaves the terminal as it was.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rustix::process::Signal;
use support::clock::wait_until;
use support::cloud::Cloud;
use support::gce::Pace;
use support::process::Bench;
use support::results::Results;
use support::terminal::Terminal;

const A_WHILE: Duration = Duration::from_secs(30);
/// Nobody waits for its end.
const LONG_RUN: &str = "run --duration 90s --concurrency 4 --workers 2 --scenario simple_chat";

#[test]
fn a_run_is_seen_at_any_size_and_q_ends_it_with_its_summary() {
    let bench = Bench::new();
    let Some(terminal) = Terminal::open(&bench, (80, 24)) else { return };
    terminal.run(LONG_RUN);
    let screen = terminal.wait_for(&["block so far", "last minute", " runs ", " left\n"]);
    for part in [
        "archestra-bench run  the built-in mock",
        "simple_chat  4 in flight",
        "offered/s  achieved/s",
        "P50 ms    P95 ms    P99 ms",
        "answers ",
        "failed 0",
        "send lag P99 ms",
        "\n 0   127.0.0.1:",
        "\n 1   127.0.0.1:",
        "q or Ctrl-C stops and keeps what was measured",
    ] {
        assert!(screen.contains(part), "no `{part}` in:\n{screen}");
    }

    terminal.tmux(&["resize-window", "-x", "40", "-y", "20"]);
    let small = terminal.wait_for(&["last second block so far", "q stops and keeps", "\n achieved/s"]);
    assert!(small.lines().all(|line| line.chars().count() <= 40), "{small}");
    assert!(small.contains("0    runs") && small.contains("lag ms"), "{small}");
    terminal.tmux(&["resize-window", "-x", "100", "-y", "30"]);
    terminal.wait_for(&["send lag P99 ms", "q or Ctrl-C stops"]);

    terminal.press("q");
    let left = terminal.wait_for_exit(130);
    assert!(left.contains("| simple_chat (interrupted) |") && left.contains("\nSummary: "), "{left}");
    for trace in ["q or Ctrl-C", "achieved/s ", "━"] {
        assert!(!left.contains(trace), "{left}");
    }
    terminal.holds_no_trace();
    assert_eq!(Results::of(&bench).report["interrupted"], true);
}

#[test]
fn the_live_pages_address_is_on_the_screen_and_above_it_when_that_is_gone() {
    let bench = Bench::new();
    let Some(terminal) = Terminal::open(&bench, (80, 24)) else { return };
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    terminal.run(&format!("{LONG_RUN} --ui {address}"));
    let screen = terminal.wait_for(&["block so far", " runs "]);
    assert!(screen.contains(&format!("live page  http://{address}/")), "{screen}");
    assert!(TcpStream::connect(address).is_ok());
    terminal.press("q");
    let left = terminal.wait_for_exit(130);
    assert!(left.contains(&format!("live page: http://{address}/\n")), "{left}");
    assert!(!left.contains("live page  "), "{left}");
    terminal.holds_no_trace();
}

#[test]
fn a_warning_is_shown_on_the_screen_and_said_again_after_it() {
    let bench = Bench::new().variable("NO_COLOR", "1");
    let Some(terminal) = Terminal::open(&bench, (80, 24)) else { return };
    terminal.run(LONG_RUN);
    terminal.wait_for(&["block so far", " runs "]);
    let painted = terminal.tmux(&["capture-pane", "-p", "-e"]);
    let codes = painted.split("\u{1b}[").skip(1).filter_map(|rest| rest.split('m').next());
    let is_colour = |code: &str| matches!(code.parse(), Ok(30..=37 | 90..=97));
    assert!(!codes.flat_map(|codes| codes.split(';')).any(is_colour), "NO_COLOR has colours: {painted:?}");

    terminal.processes("worker")[1].kill();
    let screen = terminal.wait_for(&["warning: worker 1 was lost", " lost ", "the others go"]);
    assert!(screen.contains("archestra-bench run") && screen.contains("block so far"), "torn:\n{screen}");
    terminal.press("C-c");
    let left = terminal.wait_for_exit(130);
    assert_eq!(left.matches("warning: worker 1 was lost").count(), 1, "{left}");
    assert!(left.contains("| simple_chat (interrupted) |"), "{left}");
    terminal.holds_no_trace();
}

#[test]
fn a_second_interruption_leaves_at_once_and_a_clean_terminal() {
    let bench = Bench::new();
    let Some(terminal) = Terminal::open(&bench, (80, 24)) else { return };
    terminal.run(LONG_RUN);
    terminal.wait_for(&["block so far", " runs "]);
    // So that the first has something to wait for.
    terminal.processes("worker").iter().for_each(|worker| worker.signal(Signal::STOP));
    terminal.press("q");
    terminal.wait_for(&["stopping; once more leaves at once"]);
    terminal.press("C-c");
    let left = terminal.wait_for_exit(130);
    assert!(!left.contains("Summary: "), "it left at once: {left}");
    terminal.holds_no_trace();
}

#[test]
fn errors_and_sigterm_leave_a_clean_terminal() {
    let bench = Bench::new();
    let Some(terminal) = Terminal::open(&bench, (80, 24)) else { return };
    // Nobody listens there: three tries, for which there is a screen.
    terminal.run("run --target http://127.0.0.1:1 --scenario simple_chat");
    let left = terminal.wait_for_exit(1);
    assert!(left.contains("\nerror: "), "{left}");
    terminal.holds_no_trace();

    terminal.tmux(&["send-keys", "-l", "clear"]);
    terminal.press("Enter");
    terminal.run(LONG_RUN);
    terminal.wait_for(&["block so far", " runs "]);
    terminal.processes("run").iter().for_each(|run| run.signal(Signal::TERM));
    let left = terminal.wait_for_exit(130);
    assert!(left.contains("\nSummary: "), "{left}");
    terminal.holds_no_trace();
}

#[test]
fn a_terminal_that_takes_no_screen_gets_lines_and_a_quiet_one_nothing() {
    let bench = Bench::new().variable("TERM", "dumb");
    let Some(terminal) = Terminal::open(&bench, (120, 24)) else { return };
    terminal.run("run --duration 6s --concurrency 2 --scenario simple_chat");
    let left = terminal.wait_for_exit(0);
    assert!(left.contains("\nsimple_chat  5/6 s  "), "{left}");

    let bench = Bench::new();
    let Some(terminal) = Terminal::open(&bench, (120, 24)) else { return };
    terminal.run("run --quiet --duration 90s --concurrency 2 --scenario simple_chat");
    assert!(wait_until(A_WHILE, || terminal.processes("worker").len() == 2));
    std::thread::sleep(Duration::from_secs(2));
    let screen = terminal.screen();
    assert!(!screen.contains("block so far") && !screen.contains("req/s"), "{screen}");
    assert_eq!(terminal.tmux(&["display-message", "-p", "#{alternate_on}"]).trim(), "0");
    terminal.press("C-c");
    terminal.wait_for_exit(130);
}

#[test]
fn machines_that_come_up_are_seen_and_q_takes_them_away_again() {
    let cloud = Cloud::new();
    let Some(terminal) = Terminal::open(&cloud.bench, (80, 24)) else { return };
    cloud.gce.set_pace(Pace::Takes(Duration::from_secs(4)));
    terminal.run("run --fleet gcp --workers 2 --target http://127.0.0.1:9 --requests 10");
    let screen = terminal.wait_for(&["loadtest-vm-1 ", "loadtest-vm-2 ", "is being made in "]);
    assert!(screen.contains("\n machines ") && screen.contains("0 of "), "{screen}");
    terminal.press("q");
    let left = terminal.wait_for_exit(130);
    assert!(left.contains("error: interrupted"), "{left}");
    assert_eq!(cloud.vms(), 0);
    terminal.holds_no_trace();
}

#[test]
fn ctrl_c_is_heard_where_it_is_asked_whether_to_go_on_and_nothing_is_made() {
    let cloud = Cloud::new();
    let Some(terminal) = Terminal::open(&cloud.bench, (100, 24)) else { return };
    let run = "run --fleet gcp --workers 5 --target http://127.0.0.1:9 --requests 10";
    terminal.run(run);
    terminal.wait_for(&["5 VMs will be made, which cost money until they are deleted. Go on? [y/N]"]);
    terminal.press("C-c");
    let left = terminal.wait_for_exit(130);
    assert!(left.contains("\nerror: interrupted; nothing was made\n"), "{left}");
    assert_eq!(cloud.vms(), 0);
    terminal.holds_no_trace();

    // Whoever agrees sees the machines come up.
    cloud.gce.set_pace(Pace::Takes(Duration::from_secs(4)));
    terminal.run(run);
    terminal.wait_for(&["Go on? [y/N]"]);
    terminal.press("y");
    terminal.press("Enter");
    terminal.wait_for(&["loadtest-vm-5 ", "is being made in "]);
    terminal.press("C-c");
    terminal.wait_for_exit(130);
    assert_eq!(cloud.vms(), 0);
}
