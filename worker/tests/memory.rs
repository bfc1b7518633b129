//! A body of 64 MiB passes through the engine without being stored. Alone in its process, whose memory it looks at.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "engine/load.rs"]
mod load;
#[allow(dead_code)]
#[path = "engine/server.rs"]
mod server;

use proto::assignment::Assignment;

use load::{assert_all_good, closed, json_at, run};
use server::Server;

static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];
const PIECES: usize = 1024;

#[test]
fn a_body_of_64_mib_is_streamed_and_not_stored() {
    let (before, after) = ("{\"b\":\"", "\",\"a\":1}");
    let length = before.len() + PIECES * PIECE.len() + after.len();
    let server = Server::start(move |peer| {
        while peer.request()?.is_some() {
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{before}").as_bytes())?;
            for _ in 0..PIECES {
                peer.send(&PIECE)?;
            }
            peer.send(after.as_bytes())?;
        }
        Ok(())
    });
    let assignment = Assignment { expectation: json_at("/a"), ..closed(&server.url(), 2, 4) };
    let memory = peak_memory();
    let finished = run(&assignment);
    assert_all_good(&finished, 4, "64 MiB each");
    let grown = peak_memory() - memory;
    assert!(grown < 16 << 20, "the process grew by {} KiB", grown >> 10);
    assert!(finished.totals.bytes_received > 4 * length as u64);
}

/// The most memory that this process has had, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
