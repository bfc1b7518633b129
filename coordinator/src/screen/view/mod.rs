//! What is seen of a state on a screen of some size. Pure.

pub(super) mod block;
pub(super) mod figures;
mod layout;
mod look;
pub(super) mod people;
pub(super) mod text;

#[cfg(test)]
pub(super) mod tests;

use std::time::Instant;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::text::{Line, Span};

use super::state::{MachineEnd, State};
use layout::{Part, fit};
pub(super) use look::Look;
use text::{cut, ends, span, wrapped};

/// Columns left free at both sides.
const MARGIN: usize = 1;
/// Wider lines are hard to follow with the eye.
const WIDEST: usize = 100;
/// With fewer columns things stand below each other.
const NARROW: usize = 66;
/// So many rows of the log are shown at most while there is something else.
const NOTICES: usize = 6;
/// And of one line of it, which can be read whole when the screen is gone.
const ROWS_OF_A_NOTICE: usize = 2;

/// How much room there is, and what it can show.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Columns between the margins.
    width: usize,
    look: Look,
    now: Instant,
}

impl Frame {
    fn is_narrow(&self) -> bool {
        self.width < NARROW
    }
}

/// The screen of `state` as it is `now`.
pub(super) fn view(state: &State, now: Instant, (width, height): (u16, u16), look: Look) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let frame = Frame { width: usize::from(width).saturating_sub(2 * MARGIN).min(WIDEST), look, now };
    let Some(last_row) = height.checked_sub(1) else { return buffer };
    let lines = fit(parts(state, frame), usize::from(last_row), look);
    for (row, line) in (0..last_row).zip(&lines) {
        buffer.set_line(MARGIN as u16, row, line, frame.width as u16);
    }
    buffer.set_line(MARGIN as u16, last_row, &footer(state, frame), frame.width as u16);
    buffer
}

fn parts(state: &State, frame: Frame) -> Vec<Part> {
    let mut parts = vec![Part::whole(9, vec![head(state, frame)])];
    // Cut, it would be no address any more.
    let address =
        state.address.iter().map(|address| Line::styled(format!("live page  {address}"), frame.look.label()));
    parts.push(Part::whole(2, address.filter(|line| line.width() <= frame.width).collect()).close());
    // Once there is a block, machines that are as they should be are of no interest.
    let are_shown =
        state.block.is_none() || state.machines.iter().any(|machine| machine.end != MachineEnd::Good);
    if are_shown {
        parts.push(Part::list(5, 3, people::machines(state, frame)));
    }
    if let Some(block) = &state.block {
        parts.push(Part::whole(8, block::title(block, frame)));
        parts.push(Part::whole(8, block::progress(block, frame)).close());
        parts.push(Part::whole(7, figures::table(block, frame)));
        parts.push(Part::whole(3, figures::last_minute(state, block, frame)).close());
        parts.push(Part::whole(6, figures::answers(block, frame)));
        parts.push(Part::log(4, 2, people::tried(state, frame)));
        parts.push(Part::list(5, 3, people::workers(state, block, frame)));
    }
    parts.extend(state.doing.iter().map(|doing| Part::whole(8, vec![Line::raw(doing.clone())])));
    parts.push(Part::log(6, 2, notices(state, frame)));
    parts
}

/// What is done to what, and for how long.
fn head(state: &State, frame: Frame) -> Line<'static> {
    let command = format!("archestra-bench {}", state.command);
    let elapsed = span(frame.now.saturating_duration_since(state.began));
    let room = frame.width.saturating_sub(command.len() + elapsed.len() + 4);
    let subject = if room < 12 { String::new() } else { cut(&state.subject, room, frame.look) };
    let label = frame.look.label();
    let left = vec![Span::styled(command, frame.look.strong()), Span::styled(format!("  {subject}"), label)];
    ends(left, vec![Span::styled(elapsed, label)], frame.width)
}

fn notices(state: &State, frame: Frame) -> Vec<Line<'static>> {
    let style = frame.look.warning();
    let of_each = |notice: &String| wrapped(notice, frame.width, ROWS_OF_A_NOTICE, style, frame.look);
    let mut lines: Vec<_> = state.notices.iter().flat_map(of_each).collect();
    let too_many = lines.len().saturating_sub(NOTICES);
    lines.drain(..too_many);
    lines
}

fn footer(state: &State, frame: Frame) -> Line<'static> {
    let (long, short) = match (state.is_stopping, state.block.is_some()) {
        (false, true) => ("q or Ctrl-C stops and keeps what was measured", "q stops and keeps what there is"),
        (false, false) => ("q or Ctrl-C stops", "q stops"),
        (true, _) => ("stopping; once more leaves at once", "stopping; once more leaves at once"),
    };
    let words = if frame.is_narrow() { short } else { long };
    let style = if state.is_stopping { frame.look.warning() } else { frame.look.label() };
    Line::styled(words, style)
}
