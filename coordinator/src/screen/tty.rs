//! The terminal while a screen is on it: taken over, drawn on, read from, and given back as it was.

use std::io::{self, IsTerminal as _, Stderr, Stdin, Write as _};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::style::{Attribute, Print, SetAttribute, SetForegroundColor};
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::style::{Color, Modifier};
use rustix::process::getpgrp;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcgetwinsize,
    tcsetattr,
};

/// What a terminal has that does not know.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Standard error as a screen. It is given back when this is dropped.
pub(super) struct Tty {
    stderr: Stderr,
    /// How it was.
    saved: Termios,
    /// What is on it; `None` when that is not known.
    shown: Option<Buffer>,
}

/// Whether standard error is a terminal that takes a screen, and whose keys are meant for this process.
pub(super) fn is_there() -> bool {
    let stderr = io::stderr();
    let can_be_drawn_on = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    // A process in the background that changed its terminal would be stopped.
    stderr.is_terminal() && can_be_drawn_on && tcgetpgrp(&stderr).is_ok_and(|group| group == getpgrp())
}

impl Tty {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When it is none, or is gone.
    pub(super) fn enter() -> io::Result<Self> {
        let stderr = io::stderr();
        let saved = tcgetattr(&stderr)?;
        let mut modes = saved.clone();
        // Keys come at once and are not shown. Ctrl-C stays a signal, whatever becomes of this process; Ctrl-S, Ctrl-Z and
        // Ctrl-\ would leave the screen behind.
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        modes.input_modes -= InputModes::IXON;
        for code in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VQUIT] {
            modes.special_codes[code] = 0;
        }
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&stderr, OptionalActions::Now, &modes)?;
        let mut tty = Self { stderr, saved, shown: None };
        let mut bytes = Vec::new();
        queue!(bytes, EnterAlternateScreen, Hide)?;
        tty.write(&bytes)?;
        Ok(tty)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (u16, u16) {
        let size = tcgetwinsize(&self.stderr).ok().map(|size| (size.ws_col, size.ws_row));
        size.filter(|(columns, rows)| *columns > 0 && *rows > 0).unwrap_or(USUAL_SIZE)
    }

    /// Draws what differs from what is there, in one piece.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn draw(&mut self, next: Buffer) -> io::Result<()> {
        let mut bytes = Vec::new();
        let before = self.shown.take().filter(|shown| shown.area() == next.area());
        let before = match before {
            Some(before) => before,
            None => {
                queue!(bytes, SetAttribute(Attribute::Reset), Clear(ClearType::All))?;
                Buffer::empty(*next.area())
            }
        };
        changes(&mut bytes, &before, &next)?;
        if !bytes.is_empty() {
            self.write(&bytes)?;
        }
        self.shown = Some(next);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stderr.write_all(bytes)?;
        self.stderr.flush()
    }

    fn leave(&mut self) -> io::Result<()> {
        // What was typed meanwhile is for nobody else.
        tcsetattr(&self.stderr, OptionalActions::Flush, &self.saved)?;
        let mut bytes = Vec::new();
        queue!(bytes, SetAttribute(Attribute::Reset), LeaveAlternateScreen, Show)?;
        self.write(&bytes)
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = self.leave();
    }
}

/// What turns a screen of `before` into one of `next`.
fn changes(bytes: &mut Vec<u8>, before: &Buffer, next: &Buffer) -> io::Result<()> {
    let mut place = None;
    let mut style = None;
    for (x, y, cell) in before.diff(next) {
        if place != Some((x, y)) {
            queue!(bytes, MoveTo(x, y))?;
        }
        let of_cell = (cell.fg, cell.modifier);
        if style != Some(of_cell) {
            dress(bytes, cell)?;
            style = Some(of_cell);
        }
        queue!(bytes, Print(cell.symbol()))?;
        place = Some((x + 1, y));
    }
    if style.is_some() {
        queue!(bytes, SetAttribute(Attribute::Reset))?;
    }
    Ok(())
}

fn dress(bytes: &mut Vec<u8>, cell: &Cell) -> io::Result<()> {
    use crossterm::style::Color as Ink;
    queue!(bytes, SetAttribute(Attribute::Reset))?;
    for (modifier, attribute) in [(Modifier::BOLD, Attribute::Bold), (Modifier::DIM, Attribute::Dim)] {
        if cell.modifier.contains(modifier) {
            queue!(bytes, SetAttribute(attribute))?;
        }
    }
    let ink = match cell.fg {
        Color::Cyan => Ink::DarkCyan,
        Color::Green => Ink::DarkGreen,
        Color::Red => Ink::DarkRed,
        Color::Yellow => Ink::DarkYellow,
        _ => return Ok(()),
    };
    queue!(bytes, SetForegroundColor(ink))
}

/// The keyboard, where it is standard input.
pub(super) struct Keys(Stdin);

impl Keys {
    /// `None` where standard input is something else.
    pub(super) fn of_stdin() -> Option<Self> {
        let stdin = io::stdin();
        stdin.is_terminal().then_some(Self(stdin))
    }

    /// Whether one of the keys that are there is a `q`.
    ///
    /// # Errors
    /// When nothing more will come.
    pub(super) fn has_q(&self) -> io::Result<bool> {
        let mut keys = [0; 64];
        let count = rustix::io::read(&self.0, &mut keys)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Keys such as the arrows are several bytes after an escape.
        Ok(keys[0] != 0x1b && keys[..count].iter().any(|key| matches!(key, b'q' | b'Q')))
    }
}

impl std::os::fd::AsFd for Keys {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::layout::Rect;
    use ratatui_core::style::Style;

    use super::*;

    #[test]
    fn only_what_differs_is_written_with_a_move_for_each_stretch() {
        let area = Rect::new(0, 0, 10, 2);
        let (mut before, mut next) = (Buffer::empty(area), Buffer::empty(area));
        before.set_string(0, 0, "req/s 100", Style::new());
        next.set_string(0, 0, "req/s 120", Style::new());
        next.set_string(2, 1, "lost", Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
        let mut bytes = Vec::new();
        changes(&mut bytes, &before, &next).unwrap();
        let written = String::from_utf8(bytes).unwrap();
        let (first, second) = written.split_once("\x1b[2;3H").unwrap();
        assert!(first.starts_with("\x1b[1;8H") && first.ends_with('2'), "{written:?}");
        assert!(
            second.contains("lost") && second.contains("\x1b[1m") && second.ends_with("\x1b[0m"),
            "{written:?}"
        );
        let mut nothing = Vec::new();
        changes(&mut nothing, &next, &next).unwrap();
        assert!(nothing.is_empty());
    }
}
