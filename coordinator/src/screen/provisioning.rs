//! How machines come up, in lines: one for each thing that becomes of one, and a total at the end.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use crate::fleet::news::{MachineNews, MachineState};
use crate::report::visible;

/// What has become of all machines so far.
#[derive(Debug)]
pub(super) struct Provisioning<W> {
    writer: W,
    quiet: bool,
    /// Machines that are neither ready nor failed.
    pending: BTreeSet<String>,
    ready: u32,
}

impl<W: Write> Provisioning<W> {
    /// Nothing but failures when `quiet`.
    pub(super) fn new(writer: W, quiet: bool) -> Self {
        Self { writer, quiet, pending: BTreeSet::new(), ready: 0 }
    }

    pub(super) fn tell(&mut self, news: &MachineNews) {
        let is_failure = matches!(news.state, MachineState::Failed(_) | MachineState::Log(_));
        if !self.quiet || is_failure {
            for line in lines(news) {
                // Whatever goes wrong with a courtesy is ignored.
                let _ = writeln!(self.writer, "{line}");
            }
        }
        self.count(news);
    }

    fn count(&mut self, news: &MachineNews) {
        match news.state {
            MachineState::Reused { .. } | MachineState::Creating { .. } => {
                self.pending.insert(news.machine.clone());
            }
            MachineState::Ready => {
                self.ready += 1;
                if self.pending.remove(&news.machine) && self.pending.is_empty() && !self.quiet {
                    let machines = if self.ready == 1 { "VM is" } else { "VMs are" };
                    let _ = writeln!(
                        self.writer,
                        "{} {machines} ready after {}",
                        self.ready,
                        seconds(news.elapsed)
                    );
                }
            }
            MachineState::Failed(_) => {
                self.pending.remove(&news.machine);
            }
            _ => {}
        }
    }
}

/// What a line of each kind says, without its end.
pub(super) fn lines(news: &MachineNews) -> Vec<String> {
    let MachineNews { machine, elapsed, state } = news;
    match state {
        MachineState::Log(lines) => {
            lines.iter().map(|line| format!("{machine} | {}", visible(line))).collect()
        }
        state => vec![format!("{:>7}  {machine} {}", seconds(*elapsed), words(state))],
    }
}

/// What has become of a machine, to be read after its name.
pub(super) fn words(state: &MachineState) -> String {
    match state {
        MachineState::Log(_) => "says why".to_owned(),
        MachineState::Reused { place } => format!("is there already, in {place}"),
        MachineState::Creating { place } => format!("is being made in {place}"),
        MachineState::Uploading { megabytes, seconds: 0 } => format!("is being uploaded ({megabytes} MB)"),
        MachineState::Uploading { megabytes, seconds } => {
            format!("is still being uploaded ({megabytes} MB), after {seconds} s")
        }
        MachineState::Booting => "boots".to_owned(),
        MachineState::Copying(bytes) => {
            format!("gets the worker's program ({:.0} MB)", *bytes as f64 / 1e6)
        }
        MachineState::Ready => "is ready".to_owned(),
        MachineState::Failed(problem) => format!("failed: {}", visible(problem)),
        MachineState::Deleting => "is being deleted".to_owned(),
        MachineState::Deleted => "is deleted".to_owned(),
    }
}

fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(quiet: bool, news: &[(&str, u64, MachineState)]) -> String {
        let mut bytes = Vec::new();
        let mut provisioning = Provisioning::new(&mut bytes, quiet);
        for (machine, elapsed, state) in news {
            provisioning.tell(&MachineNews {
                machine: (*machine).to_owned(),
                elapsed: Duration::from_millis(*elapsed),
                state: state.clone(),
            });
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_machine_has_its_lines_and_all_have_a_total() {
        let news = [
            ("vm-1", 100, MachineState::Reused { place: "europe-west1-b".into() }),
            ("vm-2", 200, MachineState::Creating { place: "europe-west1-b".into() }),
            ("vm-1", 1_500, MachineState::Ready),
            ("vm-2", 9_000, MachineState::Booting),
            ("vm-2", 41_040, MachineState::Ready),
        ];
        assert_eq!(
            shown(false, &news),
            "  0.1 s  vm-1 is there already, in europe-west1-b\n  0.2 s  vm-2 is being made in europe-west1-b\n  1.5 s  vm-1 is ready\n  \
             9.0 s  vm-2 boots\n 41.0 s  vm-2 is ready\n2 VMs are ready after 41.0 s\n"
        );
        assert_eq!(shown(true, &news), "");
    }

    #[test]
    fn a_copy_says_how_much_there_is_to_wait_for() {
        let news = [("me@h", 1_200, MachineState::Copying(31_400_000))];
        assert_eq!(shown(false, &news), "  1.2 s  me@h gets the worker's program (31 MB)\n");
    }

    #[test]
    fn what_failed_is_shown_with_its_last_words_also_to_those_who_want_quiet() {
        let news = [
            ("vm-1", 100, MachineState::Creating { place: "z".into() }),
            ("vm-1", 300_000, MachineState::Log(vec!["a".into(), "b\u{1b}[2J".into()])),
            ("vm-1", 300_000, MachineState::Failed("it is silent".into())),
        ];
        let text = shown(true, &news);
        assert!(text.starts_with("vm-1 | a\nvm-1 | b") && !text.contains('\u{1b}'), "{text}");
        assert!(text.ends_with("300.0 s  vm-1 failed: it is silent\n"), "{text}");
    }
}
