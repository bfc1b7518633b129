//! What a screen shows, as texts and tables for whoever shows it otherwise. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use serde::Serialize;

use super::state::{BlockState, MINUTE, MachineEnd, State};
use super::view::text::{compact, grouped, span};
use super::view::{block, figures, people};
use crate::merge::{Live, WorkerState};
use crate::report::found::Found;
use crate::report::visible;

/// In the place of a figure that nobody knows yet.
const NONE: &str = "–";
/// How wide the picture of the last minute is: a second is 1.
pub const SECONDS: usize = MINUTE;
/// How high it is.
pub const HEIGHT: f64 = 20.0;

/// What there is to be seen. Nothing in it is markup.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// By name; what is not there has nothing to say.
    pub texts: BTreeMap<&'static str, String>,
    /// By name, row by row; what is not there has no row.
    pub tables: BTreeMap<&'static str, Vec<Row>>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Texts, from the left.
    pub cells: Vec<String>,
    /// How it is to be taken.
    pub tone: Tone,
}

/// How something is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// As it is.
    Plain,
    /// As it should be.
    Good,
    /// As it should not be.
    Bad,
}

impl Tone {
    /// As it is called where it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

/// What is to be seen of `state` as it is `now`.
pub(super) fn facts(state: &State, now: Instant) -> Facts {
    let mut facts = Facts::default();
    facts.text("command", format!("archestra-bench {}", state.command));
    facts.text("subject", state.subject.clone());
    facts.text("elapsed", span(now.saturating_duration_since(state.began)));
    let stopping = state.is_stopping.then(|| "stopping".to_owned());
    facts.text("doing", stopping.or_else(|| state.doing.clone()).unwrap_or_default());
    // Once there is a block, machines that are as they should be are of no interest.
    let are_shown = |machine: MachineEnd| state.block.is_none() || machine != MachineEnd::Good;
    let machines = state.machines.iter().filter(|machine| are_shown(machine.end));
    facts.table(
        "machines",
        machines.map(|machine| {
            let tone = match machine.end {
                MachineEnd::Pending => Tone::Plain,
                MachineEnd::Good => Tone::Good,
                MachineEnd::Bad => Tone::Bad,
            };
            Row::new([machine.name.clone(), machine.words.clone(), span(machine.elapsed)], tone)
        }),
    );
    facts.table(
        "tried",
        state.tried.iter().map(|trial| {
            let (rate, outcome) = people::trial(trial);
            Row::new([rate, outcome], if trial.failure.is_some() { Tone::Bad } else { Tone::Good })
        }),
    );
    facts.table("findings", state.found.iter().map(finding));
    facts.table("log", state.notices.iter().map(|line| Row::new([visible(line)], Tone::Plain)));
    if let Some(block) = &state.block {
        facts.block(state, block, now);
    }
    facts
}

fn finding(found: &Found) -> Row {
    let Found { about, judged, reason, is_bad } = found;
    let cells = [about, judged, reason].map(|text| visible(text));
    Row::new(cells, if *is_bad { Tone::Bad } else { Tone::Plain })
}

impl Facts {
    fn text(&mut self, name: &'static str, text: String) {
        if !text.is_empty() {
            self.texts.insert(name, text);
        }
    }

    fn table(&mut self, name: &'static str, rows: impl Iterator<Item = Row>) {
        let rows: Vec<Row> = rows.collect();
        if !rows.is_empty() {
            self.tables.insert(name, rows);
        }
    }

    fn block(&mut self, state: &State, block: &BlockState, now: Instant) {
        self.text("scenario", block.title.scenario.clone());
        self.text("traits", block.title.traits.join(", "));
        self.text("place", block.title.place.clone().unwrap_or_default());
        let progress = block::so_far(block, now);
        self.text("progress", progress.words.clone());
        self.text("share", format!("{:.4}", progress.share.unwrap_or(0.0)));
        let Some(live) = &block.live else { return };
        let rows = [("last second", figures::last_second(live)), ("block so far", figures::so_far(live))];
        self.text("said", said(block, &progress.words, &rows[0].1, live));
        self.table(
            "figures",
            rows.into_iter().map(|(name, figures)| {
                Row::new([name.to_owned()].into_iter().chain(figures.into_iter().map(known)), Tone::Plain)
            }),
        );
        let parts = block.title.parts.iter().zip(&live.parts);
        self.table("parts", parts.map(|(name, part)| self::part(name, part)));
        self.table("answers", answers(live).into_iter());
        self.table(
            "workers",
            live.of_workers.iter().map(|worker| {
                let tone = match worker.state {
                    WorkerState::Lost => Tone::Bad,
                    WorkerState::Ready | WorkerState::Running => Tone::Good,
                    WorkerState::Idle | WorkerState::Preparing | WorkerState::Finished => Tone::Plain,
                };
                let address = state.workers.get(worker.number as usize).cloned().unwrap_or_default();
                let first = [worker.number.to_string(), address, people::words(&worker.state).to_owned()];
                Row::new(first.into_iter().chain(people::readings(worker).map(known)), tone)
            }),
        );
        let seconds = figures::seconds(state, block);
        let highest = seconds.iter().copied().filter(|rate| !rate.is_nan()).fold(0.0, f64::max);
        self.text("minute", picture(&seconds, highest));
        self.text("highest", compact(highest));
    }
}

impl Row {
    fn new(cells: impl IntoIterator<Item = String>, tone: Tone) -> Self {
        Self { cells: cells.into_iter().collect(), tone }
    }
}

fn known(figure: Option<String>) -> String {
    figure.unwrap_or_else(|| NONE.into())
}

/// One scenario of a mix: its rate in the last second, and of the block so far its response times and what came of requests.
fn part(name: &str, live: &Live) -> Row {
    let [_, rate, ..] = figures::last_second(live);
    let [_, _, times @ ..] = figures::so_far(live);
    let kinds: Vec<String> = figures::by_kind(live)
        .into_iter()
        .map(|(kind, count)| format!("{kind} {}", grouped(count)))
        .collect();
    let failed = match kinds.as_slice() {
        [] => grouped(live.failed),
        kinds => format!("{} ({})", grouped(live.failed), kinds.join(", ")),
    };
    let figures = [rate].into_iter().chain(times).map(known);
    let cells = [name.to_owned()].into_iter().chain(figures).chain([grouped(live.successes), failed]);
    Row::new(cells, if live.failed > 0 { Tone::Bad } else { Tone::Plain })
}

/// Good answers, and each kind of what is none.
fn answers(live: &Live) -> Vec<Row> {
    let bad = |name: String, count: u64| {
        Row::new([name, grouped(count)], if count == 0 { Tone::Plain } else { Tone::Bad })
    };
    let mut rows = vec![
        Row::new(["good answers".to_owned(), grouped(live.successes)], Tone::Plain),
        bad("failed".into(), live.failed),
    ];
    rows.extend(
        figures::by_kind(live).into_iter().map(|(kind, count)| bad(format!("failed: {kind}"), count)),
    );
    if live.dropped > 0 {
        rows.push(bad("dropped".into(), live.dropped));
    }
    rows
}

/// The most of it in a sentence, for who cannot see it.
fn said(block: &BlockState, progress: &str, last_second: &[Option<String>; 5], live: &Live) -> String {
    let [_, achieved, _, p95, _] = last_second;
    let rate = achieved.as_ref().map_or_else(String::new, |rate| format!("; {rate} answers a second"));
    let time = p95.as_ref().map_or_else(String::new, |time| format!(", P95 {time} ms"));
    let failed = if live.failed > 0 { format!("; {} failed", grouped(live.failed)) } else { String::new() };
    format!("{}: {progress}{rate}{time}{failed}", block.title.scenario)
}

/// A bar for each second, the newest at the right, as the path of an SVG.
fn picture(seconds: &[f64], highest: f64) -> String {
    let mut path = String::new();
    let first = MINUTE.saturating_sub(seconds.len());
    for (at, rate) in seconds.iter().enumerate().filter(|(_, rate)| **rate > 0.0) {
        let top = HEIGHT * (1.0 - rate / highest);
        // Writing to memory cannot fail.
        let _ = write!(path, "M{} {HEIGHT}V{top:.2}h.85V{HEIGHT}z", first + at);
    }
    path
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proto::outcome::{Failure, FailureKind};

    use super::super::title::{Place, Title};
    use super::super::view::tests::{busy, now};
    use super::*;
    use crate::clock;
    use crate::merge::BlockMerge;
    use crate::merge::fixtures::{block, closed, mixed_block, mixed_interval, requests};

    #[test]
    fn a_busy_run_is_told_as_the_screen_tells_it() {
        let facts = facts(&busy(), now());
        let text = |name| facts.texts[name].as_str();
        assert_eq!((text("command"), text("subject")), ("archestra-bench run", "http://127.0.0.1:9000"));
        assert_eq!((text("scenario"), text("traits")), ("simple_chat", "direct, 500/s"));
        assert_eq!(text("place"), "block 3 of 12, repeat 2 of 3");
        assert_eq!((text("progress"), text("share")), ("1 min 05 s, 25 s left", "0.7267"));
        let rows = |name| {
            let rows: &Vec<Row> = &facts.tables[name];
            rows.iter().map(|row| (row.cells.join(" | "), row.tone)).collect::<Vec<_>>()
        };
        let row = |cells: &str, tone| (cells.to_owned(), tone);
        assert_eq!(
            rows("figures"),
            [
                row("last second | 460.0 | 460.0 | 15.3 | 24.6 | 25.4", Tone::Plain),
                row("block so far | 516.4 | 516.4 | 14.4 | 23.4 | 25.2", Tone::Plain),
            ]
        );
        assert_eq!(
            rows("answers"),
            [
                row("good answers | 33,566", Tone::Plain),
                row("failed | 12", Tone::Bad),
                row("failed: status | 9", Tone::Bad),
                row("failed: timeout | 3", Tone::Bad),
            ]
        );
        assert_eq!(rows("workers")[0], row("0 | 127.0.0.1:41234 | runs | 230.0 | 20 | 0.001", Tone::Good));
        assert_eq!(rows("workers")[2], row("2 | load-3.example.com:7000 | lost | – | – | –", Tone::Bad));
        assert_eq!((text("minute").matches('M').count(), text("highest")), (60, "720"));
        let said = "simple_chat: 1 min 05 s, 25 s left; 460.0 answers a second, P95 24.6 ms; 12 failed";
        assert_eq!(text("said"), said);
    }

    #[test]
    fn each_scenario_of_a_mix_has_its_own_figures() {
        const MS: u64 = 1_000_000;
        let mut state = State::new("run", String::new(), clock::now());
        let mut mixed = mixed_block(closed(10), requests(1_000));
        mixed.mix[1].scenario.name = "<b>\u{202e}tools</b>".into();
        let place = Place { number: 1, of: Some(1), repeats: 1, has_arms: false };
        state.begin_block(Title::new(&mixed, place), mixed.extent);
        let mut merge = BlockMerge::new(mixed, 1);
        let mut first = mixed_interval(0, (0.0, 1.0), [&[2 * MS; 70], &[9 * MS; 30]]);
        let failure = Failure { kind: FailureKind::Status, status: Some(503), detail: String::new() };
        for counters in [&mut first.counters, &mut first.parts[1].counters] {
            counters.failures.insert(failure.clone(), 4);
        }
        merge.interval(0, &first).unwrap();
        state.update(merge.live(), Some(Duration::from_secs(1)), clock::now());
        let facts = facts(&state, clock::now());
        let rows: Vec<_> = facts.tables["parts"].iter().map(|row| row.cells.join(" | ")).collect();
        assert_eq!(rows[0], "simple_chat | 70.0 | 2.00 | 2.00 | 2.00 | 70 | 0");
        assert!(rows[1].ends_with("tools</b> | 30.0 | 9.00 | 9.00 | 9.00 | 30 | 4 (status 4)"), "{rows:?}");
        assert!(!rows[1].contains('\u{202e}'), "what turns text round is shown as what it is");
    }

    #[test]
    fn findings_and_log_lines_are_told_as_they_are_in_visible_characters() {
        let mut state = busy();
        state.notices.push("warning: \u{1b}[31m<img src=x>\u{202e}".into());
        let found = |is_bad| Found {
            about: "block 1, simple_chat".into(),
            judged: "suspect: failures".into(),
            reason: "12 of 100 failed".into(),
            is_bad,
        };
        state.found = vec![found(true), found(false)];
        let facts = facts(&state, now());
        let tones: Vec<Tone> = facts.tables["findings"].iter().map(|row| row.tone).collect();
        assert_eq!(tones, [Tone::Bad, Tone::Plain]);
        assert_eq!(facts.tables["findings"][0].cells[1], "suspect: failures");
        let log = &facts.tables["log"];
        assert!(log[0].cells[0].starts_with("warning: worker 2 was lost ("), "{log:?}");
        let last = &log[1].cells[0];
        assert!(last.contains("<img src=x>") && !last.contains(['\u{1b}', '\u{202e}']), "{last}");
    }

    #[test]
    fn what_nobody_knows_yet_is_not_there() {
        let state = State::new("capacity", String::new(), clock::now());
        let facts = facts(&state, clock::now());
        assert_eq!(facts.texts.keys().copied().collect::<Vec<_>>(), ["command", "elapsed"]);
        assert!(facts.tables.is_empty());
    }

    #[test]
    fn workers_that_prepare_have_no_figures() {
        let mut state = State::new("run", String::new(), clock::now());
        let block = block(closed(10), requests(1_000));
        let place = Place { number: 1, of: Some(1), repeats: 1, has_arms: false };
        state.begin_block(Title::new(&block, place), block.extent);
        state.update(BlockMerge::new(block, 2).live(), None, clock::now());
        let facts = facts(&state, clock::now());
        assert_eq!(facts.texts["progress"], "workers prepare and warm up: 0 of 2 ready");
        assert_eq!(facts.tables["figures"][0].cells, ["last second", "–", "–", "–", "–", "–"]);
        assert!(!facts.texts.contains_key("minute"));
    }
}
