//! Lines on standard error while a block runs, where there is no terminal. Progress is a courtesy: whatever goes wrong with
//! it is ignored.

use std::io::Write;
use std::time::Duration;

use proto::load::Extent;

use super::title::Title;
use crate::merge::Live;

/// Between two lines.
const EVERY: Duration = Duration::from_secs(5);

/// Where lines go, and when the last one did.
#[derive(Debug)]
pub(super) struct Progress<W> {
    writer: W,
    quiet: bool,
    /// When the last line was written, from the start of the block.
    shown: Duration,
}

impl<W: Write> Progress<W> {
    /// Nothing when `quiet`.
    pub(super) fn new(writer: W, quiet: bool) -> Self {
        Self { writer, quiet, shown: Duration::ZERO }
    }

    /// Says how far a block is, when it is time to; `elapsed` is since its start.
    pub(super) fn update(&mut self, live: &Live, title: &Title, extent: Extent, elapsed: Duration) {
        // A line at once would say nothing yet.
        if elapsed >= self.shown.saturating_add(EVERY) {
            self.shown = elapsed;
            self.say(&line(live, title, extent, elapsed));
        }
    }

    /// Says something that is not about a block.
    pub(super) fn say(&mut self, line: &str) {
        if !self.quiet {
            let _ = writeln!(self.writer, "{line}");
            let _ = self.writer.flush();
        }
    }

    /// Ends a block: the next one has its own time.
    pub(super) fn end_block(&mut self) {
        self.shown = Duration::ZERO;
    }
}

/// How far a block is, in one line without its end.
fn line(live: &Live, title: &Title, extent: Extent, elapsed: Duration) -> String {
    let second = live.last_second;
    let throughput = second.map_or_else(|| "–".into(), |second| format!("{:.0}", second.throughput));
    let times = second.and_then(|second| second.response_time).or(live.so_far);
    let percentiles = times.map_or_else(String::new, |times| {
        let [p50, p95, p99] = [times.p50, times.p95, times.p99].map(milliseconds);
        format!("  P50 {p50} P95 {p95} P99 {p99} ms")
    });
    let dropped = match live.dropped {
        0 => String::new(),
        dropped => format!("  {dropped} dropped"),
    };
    format!(
        "{}  {}  {throughput} req/s{percentiles}  {} failed{dropped}  {}/{} workers",
        title.line(),
        done(live, extent, elapsed),
        live.failed,
        live.workers_alive,
        live.workers,
    )
}

fn done(live: &Live, extent: Extent, elapsed: Duration) -> String {
    let completed = live.successes.saturating_add(live.failed);
    match (extent.requests(), extent.duration()) {
        (Some(requests), Some(duration)) => {
            format!("{completed}/{requests}  {:.0}/{:.0} s", elapsed.as_secs_f64(), duration.as_secs_f64())
        }
        (Some(requests), None) => format!("{completed}/{requests}"),
        (None, Some(duration)) => format!("{:.0}/{:.0} s", elapsed.as_secs_f64(), duration.as_secs_f64()),
        (None, None) => completed.to_string(),
    }
}

fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    if milliseconds < 10.0 { format!("{milliseconds:.2}") } else { format!("{milliseconds:.0}") }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::title::Place;
    use super::*;
    use crate::merge::BlockMerge;
    use crate::merge::fixtures::{block, closed, interval, open, requests, seconds};
    use crate::plan::{Arm, Block};

    const ONLY: Place = Place { number: 1, of: Some(1), repeats: 1, has_arms: false };

    fn live(block: &Block) -> Live {
        let mut merge = BlockMerge::new(block.clone(), 2);
        merge.interval(0, &interval(0, (0.0, 1.0), &[5_000_000; 40])).unwrap();
        merge.interval(1, &interval(0, (0.0, 1.0), &[20_000_000; 10])).unwrap();
        merge.lost(1, "it was killed");
        merge.live()
    }

    fn said(block: &Block, live: &Live, place: Place, elapsed: f64) -> String {
        line(live, &Title::new(block, place), block.extent, seconds(elapsed))
    }

    fn shown(quiet: bool, at: &[f64]) -> String {
        let block = block(closed(10), requests(100));
        let mut written = Vec::new();
        let mut progress = Progress::new(&mut written, quiet);
        let title = Title::new(&block, ONLY);
        at.iter().for_each(|at| progress.update(&live(&block), &title, block.extent, seconds(*at)));
        progress.end_block();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn the_line_says_how_far_how_fast_and_how_well() {
        let counted = block(closed(10), requests(100));
        assert_eq!(
            said(&counted, &live(&counted), ONLY, 1.2),
            "simple_chat  50/100  50 req/s  P50 5.00 P95 20 P99 20 ms  0 failed  1/2 workers"
        );
        let timed = block(open(10), Extent::Duration(seconds(30.0)));
        assert!(said(&timed, &live(&timed), ONLY, 12.2).starts_with("simple_chat  12/30 s  50 req/s"));
        let crowded = Live { dropped: 3, ..live(&timed) };
        assert!(said(&timed, &crowded, ONLY, 12.2).contains("  0 failed  3 dropped  1/2 workers"));
        let fresh = BlockMerge::new(counted.clone(), 2).live();
        assert_eq!(said(&counted, &fresh, ONLY, 0.0), "simple_chat  0/100  – req/s  0 failed  2/2 workers");
    }

    #[test]
    fn one_of_many_blocks_says_which_it_is() {
        let direct = Block { arm: Arm::Direct, repeat: 2, ..block(open(10), requests(100)) };
        let place = Place { number: 4, of: Some(6), repeats: 3, has_arms: true };
        let said = said(&direct, &live(&direct), place, 1.2);
        assert!(
            said.starts_with("block 4 of 6, repeat 2 of 3  simple_chat  direct  10/s  50/100  50 req/s"),
            "{said}"
        );
    }

    #[test]
    fn a_log_of_two_blocks_reads_like_this() {
        let mut written = Vec::new();
        let mut progress = Progress::new(&mut written, false);
        progress.say("asks the target once from each worker");
        for (number, repeat, arm) in [(1, 1, Arm::Gateway), (2, 1, Arm::Direct)] {
            let block = Block { arm, repeat, ..block(open(10), Extent::Duration(seconds(12.0))) };
            let title = Title::new(&block, Place { number, of: Some(4), repeats: 2, has_arms: true });
            for at in [0.2, 4.9, 5.1, 9.0, 10.2] {
                progress.update(&live(&block), &title, block.extent, seconds(at));
            }
            progress.end_block();
        }
        let text = String::from_utf8(written).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/progress.txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(path).unwrap_or_default(), "{path}");
    }

    #[test]
    fn lines_are_few() {
        let ticks = [0.0, 0.5, 1.0, 2.0, 5.0, 6.0, 10.0];
        assert_eq!(shown(false, &ticks).lines().count(), 2);
        assert!(!shown(false, &ticks).contains('\x1b'));
        assert_eq!(shown(true, &ticks), "");
    }

    #[test]
    fn a_closed_standard_error_is_ignored() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let block = block(closed(10), requests(100));
        let mut progress = Progress::new(Closed, false);
        progress.update(&live(&block), &Title::new(&block, ONLY), block.extent, seconds(6.0));
        progress.end_block();
    }
}
