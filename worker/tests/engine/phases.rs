//! Where the time of a request goes: its connection, the wait for the first byte, the rest.

use std::thread;
use std::time::Duration;

use proto::assignment::Assignment;

use super::load::{assert_all_good, closed, run};
use super::server::{Server, ok};

const THINKING: Duration = Duration::from_millis(20);
const TALKING: Duration = Duration::from_millis(10);
/// Histograms are exact to a thousandth.
const EXACT: f64 = 0.999;

/// Thinks, begins to answer, and takes its time for the rest.
fn thoughtful() -> Server {
    Server::start(|peer| {
        while peer.request()?.is_some() {
            thread::sleep(THINKING);
            let answer = ok("{\"a\":1}");
            let (start, rest) = answer.split_at(20);
            peer.send(start.as_bytes())?;
            thread::sleep(TALKING);
            peer.send(rest.as_bytes())?;
        }
        Ok(())
    })
}

fn at_least(nanos: f64, span: Duration) -> bool {
    nanos >= EXACT * span.as_nanos() as f64
}

#[test]
fn waiting_and_transfer_make_up_the_service_time() {
    let server = thoughtful();
    let finished = run(&closed(&server.url(), 2, 20));
    assert_all_good(&finished, 20, "thoughtful");
    let latencies = &finished.latencies;
    let (waiting, transfer) = (&latencies.time_to_first_byte, &latencies.transfer_time);
    // The server thinks after the send. It talks after the first byte, which may be seen late.
    assert!(at_least(waiting.min().unwrap() as f64, THINKING), "{:?}", waiting.min());
    assert!(at_least(transfer.mean().unwrap(), TALKING / 2), "{:?}", transfer.mean());
    let parts = waiting.mean().unwrap() + transfer.mean().unwrap();
    let whole = latencies.service_time.mean().unwrap();
    assert!((parts / whole - 1.0).abs() < 2.0 * (1.0 - EXACT), "{parts} against {whole}");
    // Connections that stood before the block have no time in it.
    assert!(latencies.connect_time.is_empty() && latencies.tls_handshake_time.is_empty());
}

#[test]
fn an_answer_in_one_read_has_no_transfer() {
    let server = Server::answering(ok("{}"), false);
    let finished = run(&Assignment { keep_alive: false, ..closed(&server.url(), 2, 20) });
    assert_all_good(&finished, 20, "at once");
    let latencies = &finished.latencies;
    assert_eq!((latencies.transfer_time.count(), latencies.transfer_time.below_range()), (20, 20));
    assert!(latencies.time_to_first_byte.max() <= latencies.service_time.max());
    assert_eq!((latencies.connect_time.count(), latencies.tls_handshake_time.count()), (20, 0));
    // Making a connection is no part of the service: it is waited for before the send.
    assert!(latencies.connect_time.min() <= latencies.send_lag.max());
}
