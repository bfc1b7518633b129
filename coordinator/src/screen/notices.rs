//! Log lines of this process: to standard error at once, or, while a screen is there, onto it and to standard error after it;
//! and the newest, for whoever shows them otherwise.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More are never kept; a log at `debug` writes for a long time.
const MOST: usize = 10_000;
/// So many stay known when they have been written.
const NEWEST: usize = 100;

/// Where log lines go. Its clones are one.
#[derive(Clone, Default)]
pub struct Notices(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    /// Whether a screen is there, which lines would tear.
    is_holding: bool,
    lines: VecDeque<String>,
    left_out: u64,
    newest: VecDeque<String>,
}

impl Notices {
    /// One more line of the log, without its end.
    pub(super) fn tell(&self, line: &str) {
        let mut held = self.held();
        if held.newest.len() == NEWEST {
            held.newest.pop_front();
        }
        held.newest.push_back(line.to_owned());
        drop(held);
        self.say(line);
    }

    /// One more line, for who reads standard error alone.
    pub(super) fn say(&self, line: &str) {
        let mut held = self.held();
        if !held.is_holding {
            // With standard error closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "{line}");
            return;
        }
        if held.lines.len() == MOST {
            held.lines.pop_front();
            held.left_out += 1;
        }
        held.lines.push_back(line.to_owned());
    }

    /// From here on lines are kept.
    pub(super) fn hold(&self) {
        self.held().is_holding = true;
    }

    /// Writes what was kept; from here on lines go where they belong at once.
    pub(super) fn release(&self, mut to: impl Write) {
        let mut held = self.held();
        held.is_holding = false;
        if held.left_out > 0 {
            let _ = writeln!(to, "({} earlier lines of the log are left out)", held.left_out);
        }
        held.left_out = 0;
        for line in held.lines.drain(..) {
            let _ = writeln!(to, "{line}");
        }
        let _ = to.flush();
    }

    /// The newest `count` lines that are kept, the oldest first.
    pub(super) fn newest(&self, count: usize) -> Vec<String> {
        let held = self.held();
        held.lines.iter().skip(held.lines.len().saturating_sub(count)).cloned().collect()
    }

    /// The newest lines of the log, whether they are kept or were written, the newest first.
    pub(super) fn log(&self) -> Vec<String> {
        self.held().newest.iter().rev().cloned().collect()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole lines.
impl Write for Notices {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        String::from_utf8_lossy(bytes).lines().for_each(|line| self.tell(line));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_while_a_screen_is_there_comes_after_it_and_whole() {
        let mut notices = Notices::default();
        notices.hold();
        write!(notices.clone(), "warning: one\nwarning: two\n").unwrap();
        notices.write_all(b"warning: three\n").unwrap();
        assert_eq!(notices.newest(2), ["warning: two", "warning: three"]);
        let mut after = Vec::new();
        notices.release(&mut after);
        assert_eq!(String::from_utf8(after).unwrap(), "warning: one\nwarning: two\nwarning: three\n");
        assert!(notices.newest(9).is_empty());
        assert_eq!(notices.log(), ["warning: three", "warning: two", "warning: one"], "they stay known");
    }

    #[test]
    fn of_the_log_the_newest_lines_are_known_and_what_is_said_beside_it_is_none_of_it() {
        let notices = Notices::default();
        notices.hold();
        notices.say("live page: http://10.0.0.1/?token=x");
        (0..NEWEST + 2).for_each(|number| notices.tell(&number.to_string()));
        let log = notices.log();
        assert_eq!((log.len(), log[0].as_str(), log[NEWEST - 1].as_str()), (NEWEST, "101", "2"));
        assert_eq!(notices.newest(NEWEST + 9).len(), NEWEST + 3);
    }

    #[test]
    fn a_log_without_end_takes_no_memory_without_end_and_says_so() {
        let notices = Notices::default();
        notices.hold();
        (0..MOST + 3).for_each(|number| notices.tell(&number.to_string()));
        let mut after = Vec::new();
        notices.release(&mut after);
        let after = String::from_utf8(after).unwrap();
        assert!(after.starts_with("(3 earlier lines of the log are left out)\n3\n"), "{}", &after[..60]);
        assert_eq!(after.lines().count(), MOST + 1);
    }
}
