//! Shows a file with whatever the user's desktop shows such files with.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// What opens a file with the program that is meant for it.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Whether the file was opened. Without a terminal nobody is there to look, and what is printed goes into something else.
pub fn open(path: &Path) -> bool {
    if !io::stdout().is_terminal() {
        return false;
    }
    // What it has to say about a desktop that it does not find, the path says better.
    let opened = Command::new(OPENER).arg(path).stdout(Stdio::null()).stderr(Stdio::null()).status();
    opened.is_ok_and(|status| status.success())
}
