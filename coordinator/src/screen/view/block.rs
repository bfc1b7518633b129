//! Which block runs, and how far it is.

use std::time::{Duration, Instant};

use ratatui_core::text::{Line, Span};

use super::super::state::BlockState;
use super::Frame;
use super::text::{cut, ends, grouped, right, span};
use crate::merge::{Live, WorkerState};

/// The room for the words beside the bar, so that it keeps its length.
const BESIDE: usize = 28;
const BESIDE_COUNTS: usize = 36;

/// Scenario, arm, load, and which of how many it is.
pub(super) fn title(block: &BlockState, frame: Frame) -> Vec<Line<'static>> {
    let title = &block.title;
    let traits = title.traits.join("  ");
    let place = title.place.clone().unwrap_or_default();
    let (strong, label) = (frame.look.strong(), frame.look.label());
    let room = frame.width.saturating_sub(traits.chars().count() + 2);
    let name = Span::styled(cut(&title.scenario, room.max(8), frame.look), strong);
    let left = vec![name, Span::raw(format!("  {traits}"))];
    let place = vec![Span::styled(place, label)];
    let together = Line::from(left.clone()).width() + Line::from(place.clone()).width() + 2;
    if title.place.is_none() || together <= frame.width {
        return vec![ends(left, place, frame.width)];
    }
    vec![Line::from(left), Line::from(place)]
}

/// How far a block is.
pub(in crate::screen) struct Progress {
    /// What has gone by and what is left.
    pub(in crate::screen) words: String,
    /// From 0 to 1; `None` before it has begun.
    pub(in crate::screen) share: Option<f64>,
}

/// How far a block is `now`.
pub(in crate::screen) fn so_far(block: &BlockState, now: Instant) -> Progress {
    let Some(start) = block.start else {
        return Progress { words: preparing(block.live.as_ref()), share: None };
    };
    let elapsed = block.end.unwrap_or(now).saturating_duration_since(start);
    Progress { words: words(block, elapsed), share: Some(share(block, elapsed)) }
}

/// A bar, what has gone by and what is left.
pub(super) fn progress(block: &BlockState, frame: Frame) -> Vec<Line<'static>> {
    let Progress { words, share } = so_far(block, frame.now);
    let Some(share) = share else { return vec![Line::styled(words, frame.look.label())] };
    if frame.is_narrow() {
        return vec![bar(share, frame.width, frame), Line::from(words)];
    }
    let usual = if block.extent.requests().is_some() { BESIDE_COUNTS } else { BESIDE };
    let beside = usual.max(words.len() + 2);
    let mut line = bar(share, frame.width.saturating_sub(beside), frame);
    line.spans.push(Span::raw(right(&words, beside)));
    vec![line]
}

fn preparing(live: Option<&Live>) -> String {
    let Some(live) = live.filter(|live| live.workers > 0) else { return "workers prepare".into() };
    let ready = live.of_workers.iter().filter(|worker| worker.state == WorkerState::Ready).count();
    format!("workers prepare and warm up: {ready} of {} ready", live.workers)
}

fn words(block: &BlockState, elapsed: Duration) -> String {
    let gone = match block.extent.requests() {
        Some(requests) => format!("{} of {}", grouped(ended(block)), grouped(requests.get())),
        None => span(elapsed),
    };
    if block.end.is_some() {
        return format!("{gone}, ended");
    }
    match left(block, elapsed) {
        Some(Duration::ZERO) => format!("{gone}, draining"),
        // Rounded up: nothing is left only when nothing is.
        Some(left) => format!("{gone}, {} left", span(left + Duration::from_millis(999))),
        None => gone,
    }
}

/// Until the end: exactly where it has a duration, as the rate so far lets expect where it has a count.
fn left(block: &BlockState, elapsed: Duration) -> Option<Duration> {
    let of_duration = block.extent.duration().map(|duration| duration.saturating_sub(elapsed));
    let of_requests = block.extent.requests().and_then(|requests| {
        let (ended, seconds) = (ended(block), elapsed.as_secs_f64());
        let left = requests.get().saturating_sub(ended) as f64;
        (ended > 0).then(|| Duration::try_from_secs_f64(left * seconds / ended as f64).ok())?
    });
    of_duration.into_iter().chain(of_requests).min()
}

/// From 0 to 1.
fn share(block: &BlockState, elapsed: Duration) -> f64 {
    let of_duration = block.extent.duration().map(|duration| elapsed.as_secs_f64() / duration.as_secs_f64());
    let of_requests = block.extent.requests().map(|requests| ended(block) as f64 / requests.get() as f64);
    of_duration.into_iter().chain(of_requests).fold(0.0, f64::max).clamp(0.0, 1.0)
}

fn ended(block: &BlockState) -> u64 {
    block.live.as_ref().map_or(0, |live| live.successes.saturating_add(live.failed))
}

fn bar(share: f64, width: usize, frame: Frame) -> Line<'static> {
    let (done, rest) = frame.look.bar();
    let length = (share * width as f64).floor() as usize;
    Line::from(vec![
        Span::styled(done.repeat(length), frame.look.moving()),
        Span::styled(rest.repeat(width.saturating_sub(length)), frame.look.label()),
    ])
}
