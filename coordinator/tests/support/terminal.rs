//! A terminal of a test's own: a shell in tmux, on a socket of its own.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use super::clock::wait_until;
use super::process::{Bench, PROGRAM, ProcessId, descendants};

const A_WHILE: Duration = Duration::from_secs(30);

/// A terminal of its own, with a shell in it.
pub struct Terminal<'a> {
    bench: &'a Bench,
}

impl<'a> Terminal<'a> {
    /// In the folder and the environment of a bench. `None`, with a note, where tmux is not installed.
    pub fn open(bench: &'a Bench, (columns, rows): (u16, u16)) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "this cannot be skipped in CI: tmux is missing"
            );
            // Past the test runner, which keeps to itself what a test that passes prints.
            std::io::stderr().write_all(b"skipped: tmux is not installed (apt-get install tmux)\n").unwrap();
            return None;
        }
        let terminal = Self { bench };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let mut start =
            vec!["-f", "/dev/null", "-u", "new-session", "-d", "-x", &columns, "-y", &rows, "env"];
        let variables: Vec<String> =
            bench.variables().map(|(name, value)| format!("{name}={value}")).collect();
        start.extend(["LC_ALL=C.UTF-8", "PS1=$ "].into_iter().chain(variables.iter().map(String::as_str)));
        start.push("sh");
        terminal.tmux(&start);
        // A window of a fixed size goes by nobody's terminal.
        terminal.tmux(&["set-option", "-g", "window-size", "manual"]);
        Some(terminal)
    }

    /// Asks tmux; what it says.
    pub fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.bench.folder().join("tmux")).args(arguments);
        tmux.current_dir(self.bench.folder()).env_clear().env("HOME", self.bench.folder());
        tmux.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TERM", "xterm-256color");
        let done = tmux.output().unwrap();
        assert!(done.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Types a command, which then says with what it exited.
    pub fn run(&self, arguments: &str) {
        self.tmux(&["send-keys", "-l", &format!("{PROGRAM} {arguments}; echo exit=$?")]);
        self.press("Enter");
    }

    /// Presses a key, by tmux's name for it.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// What is on it.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// What is on it, as soon as all of `parts` are.
    pub fn wait_for(&self, parts: &[&str]) -> String {
        let mut screen = String::new();
        let found = wait_until(A_WHILE, || {
            screen = self.screen();
            parts.iter().all(|part| screen.contains(part))
        });
        assert!(found, "not all of {parts:?} in:\n{screen}");
        screen
    }

    /// Waits until the command has exited with `code`; everything that it has left on the terminal.
    pub fn wait_for_exit(&self, code: u8) -> String {
        let mut all = String::new();
        let is_over = wait_until(A_WHILE, || {
            all = self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]);
            all.contains(&format!("\nexit={code}\n"))
        });
        assert!(is_over, "no exit with {code}:\n{all}");
        all
    }

    /// Holds that it is as it was before the command.
    pub fn holds_no_trace(&self) {
        let flags = self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
        assert_eq!(flags.trim(), "0 1", "the alternate screen is left and the cursor is there");
        self.tmux(&["send-keys", "-l", "clear; stty -a; echo 'do''ne'"]);
        self.press("Enter");
        let modes = self.wait_for(&["done"]);
        let words: Vec<&str> =
            modes.split(|character: char| character == ';' || character.is_whitespace()).collect();
        for mode in ["echo", "icanon", "isig", "ixon", "opost"] {
            assert!(words.contains(&mode), "no {mode} in {modes}");
        }
        assert!(modes.contains("susp = ^Z") && modes.contains("quit = ^\\"), "{modes}");
    }

    /// Processes of this role below the shell.
    pub fn processes(&self, role: &str) -> Vec<ProcessId> {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]).trim().parse().unwrap();
        let plays = |process: &ProcessId| process.command_line().get(1).is_some_and(|word| word == role);
        descendants(shell).into_iter().filter(plays).collect()
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let left = shell.trim().parse().map(descendants).unwrap_or_default();
        self.tmux(&["kill-server"]);
        left.iter().for_each(|process| process.kill());
    }
}
