//! Who takes part: machines that come up, the workers of a block, and the rates that a search has tried.

use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};

use super::super::state::{BlockState, Machine, MachineEnd, State};
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
    let (words, style) = match worker.state {
        WorkerState::Idle => ("idle", frame.look.label()),
        WorkerState::Preparing => ("prepares", Style::new()),
        WorkerState::Ready => ("ready", frame.look.good()),
        WorkerState::Running => ("runs", frame.look.good()),
        WorkerState::Finished => ("finished", frame.look.label()),
        WorkerState::Lost => ("lost", frame.look.bad()),
    };
    let name = format!("{:<3} {address}", worker.number);
    let shown = worker.reading.filter(|_| worker.state == WorkerState::Running);
    let figures = match shown {
        None => [const { None }; 3],
        Some(reading) => [
            Some(rate(reading.throughput)),
            Some(format!("{:.0}", reading.cores * 100.0)),
            reading.send_lag.map(milliseconds),
        ],
    };
    let [of_state, of_figures @ ..] = widths;
    let figures = figures
        .iter()
        .zip(of_figures)
        .map(|(figure, width)| right(figure.as_deref().unwrap_or(frame.look.none()), width));
    let name = if room < 12 { worker.number.to_string() } else { name };
    let named = Span::raw(left(&cut(&name, room.saturating_sub(1), frame.look), room, frame.look));
    let said = Span::styled(left(words, of_state, frame.look), style);
    [named, said].into_iter().chain(figures.map(Span::raw)).collect()
}

/// What came of each rate that was tried.
pub(super) fn tried(state: &State, frame: Frame) -> Vec<Line<'static>> {
    let lines = state.tried.iter().map(|trial| {
        let tried = right(&format!("{}/s", rate(trial.rate)), 10);
        let (words, style) = match &trial.failure {
            None => ("holds".to_owned(), frame.look.good()),
            Some(why) => (format!("does not hold: {why}"), frame.look.bad()),
        };
        Line::from(vec![
            Span::raw(format!("{tried}  ")),
            Span::styled(cut(&words, frame.width.saturating_sub(12), frame.look), style),
        ])
    });
    lines.collect()
}
