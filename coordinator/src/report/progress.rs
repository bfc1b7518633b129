//! A line on standard error while a block runs. Progress is a courtesy: whatever goes wrong with it is ignored.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use proto::load::Extent;

use super::markdown::visible;
use crate::merge::Live;
use crate::plan::Block;

/// Between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Between two drawings of the one line.
const REDRAW_EVERY: Duration = Duration::from_millis(900);
/// Back to the first column, the line cleared, and no wrapping: a line that wrapped could not be drawn over.
const BEFORE: &str = "\r\x1b[2K\x1b[?7l";
const AFTER: &str = "\x1b[?7h";

/// Where progress goes, and how often.
#[derive(Debug)]
pub struct Progress<W> {
    writer: W,
    style: Style,
    /// When the last line was written, from the start of the block.
    shown: Option<Duration>,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One line, drawn over about each second.
    Redrawn,
    /// A line every five seconds.
    Plain,
    /// Nothing.
    Quiet,
}

impl Progress<io::Stderr> {
    /// On standard error: drawn over on a terminal, plain otherwise, nothing when `quiet`.
    pub fn on_stderr(quiet: bool) -> Self {
        let writer = io::stderr();
        let style = match (quiet, writer.is_terminal()) {
            (true, _) => Style::Quiet,
            (false, true) => Style::Redrawn,
            (false, false) => Style::Plain,
        };
        Self::new(writer, style)
    }
}

impl<W: Write> Progress<W> {
    /// On any writer.
    pub fn new(writer: W, style: Style) -> Self {
        Self { writer, style, shown: None }
    }

    /// Shows how far a block is, when it is time to; `elapsed` is since its start.
    pub fn update(&mut self, live: &Live, block: &Block, elapsed: Duration) {
        let every = match self.style {
            Style::Quiet => return,
            Style::Plain => PLAIN_EVERY,
            Style::Redrawn => REDRAW_EVERY,
        };
        let due = self.shown.map_or(Duration::ZERO, |shown| shown.saturating_add(every));
        // A plain line at once would say nothing yet.
        if elapsed < due || (self.shown.is_none() && self.style == Style::Plain && elapsed < every) {
            return;
        }
        self.shown = Some(elapsed);
        let line = line(live, block, elapsed);
        let _ = match self.style {
            Style::Redrawn => write!(self.writer, "{BEFORE}{line}{AFTER}"),
            Style::Plain | Style::Quiet => writeln!(self.writer, "{line}"),
        };
        let _ = self.writer.flush();
    }

    /// Ends a block: the next one starts its own line and its own time.
    pub fn end_block(&mut self) {
        if self.style == Style::Redrawn && self.shown.is_some() {
            let _ = write!(self.writer, "{BEFORE}{AFTER}");
            let _ = self.writer.flush();
        }
        self.shown = None;
    }
}

/// How far a block is, in one line without its end.
pub fn line(live: &Live, block: &Block, elapsed: Duration) -> String {
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
        visible(&block.scenario.name),
        done(live, block.extent, elapsed),
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
    use super::*;
    use crate::merge::BlockMerge;
    use crate::merge::fixtures::{block, closed, interval, open, requests, seconds};

    fn live(block: &Block) -> Live {
        let mut merge = BlockMerge::new(block.clone(), 2);
        merge.interval(0, &interval(0, (0.0, 1.0), &[5_000_000; 40])).unwrap();
        merge.interval(1, &interval(0, (0.0, 1.0), &[20_000_000; 10])).unwrap();
        merge.lost(1, "it was killed");
        merge.live()
    }

    fn shown(style: Style, at: &[f64]) -> String {
        let block = block(closed(10), requests(100));
        let mut written = Vec::new();
        let mut progress = Progress::new(&mut written, style);
        at.iter().for_each(|elapsed| progress.update(&live(&block), &block, seconds(*elapsed)));
        progress.end_block();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn the_line_says_how_far_how_fast_and_how_well() {
        let counted = block(closed(10), requests(100));
        assert_eq!(
            line(&live(&counted), &counted, seconds(1.2)),
            "simple_chat  50/100  50 req/s  P50 5.00 P95 20 P99 20 ms  0 failed  1/2 workers"
        );
        let timed = block(open(10), Extent::Duration(seconds(30.0)));
        assert!(line(&live(&timed), &timed, seconds(12.2)).starts_with("simple_chat  12/30 s  50 req/s"));
        let crowded = Live { dropped: 3, ..live(&timed) };
        assert!(line(&crowded, &timed, seconds(12.2)).contains("  0 failed  3 dropped  1/2 workers"));
        let fresh = BlockMerge::new(counted.clone(), 2).live();
        assert_eq!(
            line(&fresh, &counted, Duration::ZERO),
            "simple_chat  0/100  – req/s  0 failed  2/2 workers"
        );
    }

    #[test]
    fn a_terminal_has_its_line_drawn_over_and_a_file_gets_few_lines() {
        let ticks = [0.0, 0.5, 1.0, 2.0, 5.0, 6.0, 10.0];
        assert_eq!(shown(Style::Redrawn, &ticks).matches("simple_chat").count(), 6);
        assert!(!shown(Style::Redrawn, &ticks).contains('\n'));
        assert_eq!(shown(Style::Plain, &ticks).lines().count(), 2);
        assert!(!shown(Style::Plain, &ticks).contains('\x1b'));
        assert_eq!(shown(Style::Quiet, &ticks), "");
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
        let mut progress = Progress::new(Closed, Style::Redrawn);
        progress.update(&live(&block), &block, seconds(1.0));
        progress.end_block();
    }
}
