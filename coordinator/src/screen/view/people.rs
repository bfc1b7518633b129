//! Who takes part: machines that come up, the workers of a block, and the rates that a search has tried.

use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};

use super::super::state::{BlockState, Machine, MachineEnd, State, Trial};
use super::Frame;
use super::text::{cut, ends, left, milliseconds, rate, right, span};
use crate::merge::{LiveWorker, WorkerState};

/// The room for each figure of a worker: its state, its rate, its CPU, its send lag.
const WIDTHS: [usize; 4] = [10, 10, 9, 17];
const WIDTHS_NARROW: [usize; 4] = [9, 9, 7, 8];

/// How many machines are there, and a line for each.
pub(super) fn machines(state: &State, frame: Frame) -> Vec<Line<'static>> {
    if state.machines.is_empty() {
        return Vec::new();
    }
    let are_good = state.machines.iter().filter(|machine| machine.end == MachineEnd::Good).count();
    let head = vec![Span::styled("machines", frame.look.label())];
    let count = Span::styled(format!("{are_good} of {} done", state.machines.len()), frame.look.label());
    let widest = state.machines.iter().map(|machine| machine.name.chars().count()).max().unwrap_or_default();
    let widest = widest.min(frame.width / 2);
    let lines = state.machines.iter().map(|machine| line(machine, widest, frame));
    [ends(head, vec![count], frame.width)].into_iter().chain(lines).collect()
}

fn line(machine: &Machine, widest: usize, frame: Frame) -> Line<'static> {
    let style = match machine.end {
        MachineEnd::Pending => Style::new(),
        MachineEnd::Good => frame.look.good(),
        MachineEnd::Bad => frame.look.bad(),
    };
    let elapsed = span(machine.elapsed);
    let name = left(&machine.name, widest, frame.look);
    let room = frame.width.saturating_sub(widest + 2 + elapsed.len() + 2);
    let said = vec![Span::raw(name + "  "), Span::styled(cut(&machine.words, room, frame.look), style)];
    ends(said, vec![Span::styled(elapsed, frame.look.label())], frame.width)
}

/// A line for each worker, and one that says what is in them.
pub(super) fn workers(state: &State, block: &BlockState, frame: Frame) -> Vec<Line<'static>> {
    let Some(live) = &block.live else { return Vec::new() };
    let widths = if frame.is_narrow() { WIDTHS_NARROW } else { WIDTHS };
    let room = frame.width.saturating_sub(widths.iter().sum()).max(2);
    let heads = if frame.is_narrow() {
        ["", "answers/s", "CPU %", "lag ms"]
    } else {
        ["", "answers/s", "CPU %", "send lag P99 ms"]
    };
    let [_, figures @ ..] = widths;
    let named: String = heads[1..].iter().zip(figures).map(|(head, width)| right(head, width)).collect();
    let first = left("worker", room + widths[0], frame.look);
    let head = Line::styled(first + &named, frame.look.label());
    let lines = live.of_workers.iter().map(|worker| {
        let address = state.workers.get(worker.number as usize).map_or("", String::as_str);
        self::worker(worker, address, room, widths, frame)
    });
    [head].into_iter().chain(lines).collect()
}

fn worker(
    worker: &LiveWorker,
    address: &str,
    room: usize,
    widths: [usize; 4],
    frame: Frame,
) -> Line<'static> {
    let style = match worker.state {
        WorkerState::Idle | WorkerState::Finished => frame.look.label(),
        WorkerState::Preparing => Style::new(),
        WorkerState::Ready | WorkerState::Running => frame.look.good(),
        WorkerState::Lost => frame.look.bad(),
    };
    let name = format!("{:<3} {address}", worker.number);
    let [of_state, of_figures @ ..] = widths;
    let figures = readings(worker);
    let figures = figures
        .iter()
        .zip(of_figures)
        .map(|(figure, width)| right(figure.as_deref().unwrap_or(frame.look.none()), width));
    let name = if room < 12 { worker.number.to_string() } else { name };
    let named = Span::raw(left(&cut(&name, room.saturating_sub(1), frame.look), room, frame.look));
    let said = Span::styled(left(words(&worker.state), of_state, frame.look), style);
    [named, said].into_iter().chain(figures.map(Span::raw)).collect()
}

/// How far a worker is, in a word.
pub(in crate::screen) fn words(state: &WorkerState) -> &'static str {
    match state {
        WorkerState::Idle => "idle",
        WorkerState::Preparing => "prepares",
        WorkerState::Ready => "ready",
        WorkerState::Running => "runs",
        WorkerState::Finished => "finished",
        WorkerState::Lost => "lost",
    }
}

/// The rate of a worker that runs, its CPU in percent of a core, and its send lag.
pub(in crate::screen) fn readings(worker: &LiveWorker) -> [Option<String>; 3] {
    match worker.reading.filter(|_| worker.state == WorkerState::Running) {
        None => [const { None }; 3],
        Some(reading) => [
            Some(rate(reading.throughput)),
            Some(format!("{:.0}", reading.cores * 100.0)),
            reading.send_lag.map(milliseconds),
        ],
    }
}

/// What came of each rate that was tried.
pub(super) fn tried(state: &State, frame: Frame) -> Vec<Line<'static>> {
    let lines = state.tried.iter().map(|trial| {
        let (tried, words) = self::trial(trial);
        let style = if trial.failure.is_some() { frame.look.bad() } else { frame.look.good() };
        Line::from(vec![
            Span::raw(format!("{}  ", right(&tried, 10))),
            Span::styled(cut(&words, frame.width.saturating_sub(12), frame.look), style),
        ])
    });
    lines.collect()
}

/// A rate that was tried, and what came of it.
pub(in crate::screen) fn trial(trial: &Trial) -> (String, String) {
    let outcome = trial.failure.as_ref().map_or("holds".to_owned(), |why| format!("does not hold: {why}"));
    (format!("{}/s", rate(trial.rate)), outcome)
}
