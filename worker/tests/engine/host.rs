//! What the engine says of its own machine.

use std::time::Duration;

use proto::assignment::Assignment;
use proto::load::Extent;

use super::load::{begin, closed};
use super::server::{Server, ok};

/// The threads are gone soon after their last interval: they must have been read before.
#[test]
fn the_threads_of_a_short_block_are_seen_at_work() {
    let server = Server::answering(ok("{}"), false);
    let extent = Extent::Duration(Duration::from_millis(250));
    for _ in 0..8 {
        let assignment = Assignment { extent, threads: 2.try_into().ok(), ..closed(&server.url(), 8, 1) };
        let (intervals, _) = begin(&assignment).finish_with_intervals();
        let host = intervals[0].host;
        assert!(host.busiest_thread > 0.01 && host.busiest_thread < 1.1, "{host:?}");
        assert!(host.process_cores >= host.busiest_thread / 2.0, "{host:?}");
        // The server has the same cores, so that threads wait for it.
        assert!(host.voluntary_switches + host.involuntary_switches > 0, "{host:?}");
        assert!(host.reporting > Duration::ZERO && host.reporting < Duration::from_secs(1), "{host:?}");
    }
}
