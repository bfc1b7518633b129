//! Numbers, times and lines of a given width.

use std::time::Duration;

use ratatui_core::style::Style;
use ratatui_core::text::{Line, Span};

use super::look::Look;

/// A time in milliseconds, with three digits that mean something.
pub(super) fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    let decimals = match milliseconds {
        ..0.9995 => 3,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    if decimals == 0 { grouped(milliseconds.round() as u64) } else { format!("{milliseconds:.decimals$}") }
}

/// Something a second.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 999.95 { format!("{per_second:.1}") } else { grouped(per_second.round() as u64) }
}

/// Something a second in at most five characters.
pub(in crate::screen) fn compact(per_second: f64) -> String {
    match per_second {
        ..9_999.5 => grouped(per_second.round() as u64),
        ..999_500.0 => format!("{:.0}k", per_second / 1e3),
        _ => format!("{:.1}M", per_second / 1e6),
    }
}

/// `1,234,567`.
pub(in crate::screen) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// In whole seconds: what changes more often is no rest for the eye.
pub(in crate::screen) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {:02} s", seconds % 60),
        _ => format!("{hours} h {minutes:02} min"),
    }
}

/// `left` and `right` at the two ends of a line, where both have room; otherwise `left` alone.
pub(super) fn ends(left: Vec<Span<'static>>, right: Vec<Span<'static>>, width: usize) -> Line<'static> {
    let (left, right) = (Line::from(left), Line::from(right));
    let Some(gap) = width.checked_sub(left.width() + right.width()).filter(|gap| *gap >= 2) else {
        return left;
    };
    let mut spans = left.spans;
    spans.push(Span::raw(" ".repeat(gap)));
    spans.extend(right.spans);
    Line::from(spans)
}

/// `text` in at most `width` columns, and a mark where it was cut.
pub(super) fn cut(text: &str, width: usize, look: Look) -> String {
    if Span::raw(text).width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(Span::raw(look.more()).width());
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if Span::raw(kept.as_str()).width() > room {
            kept.pop();
            break;
        }
    }
    kept.push_str(look.more());
    kept
}

/// `text` to the left in `width` columns.
pub(super) fn left(text: &str, width: usize, look: Look) -> String {
    let text = cut(text, width, look);
    let gap = width.saturating_sub(Span::raw(text.as_str()).width());
    format!("{text}{}", " ".repeat(gap))
}

/// `text` to the right in `width` columns.
pub(super) fn right(text: &str, width: usize) -> String {
    format!("{text:>width$}")
}

/// `text` in at most `rows` lines of at most `width` columns, broken between words.
pub(super) fn wrapped(text: &str, width: usize, rows: usize, style: Style, look: Look) -> Vec<Line<'static>> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let is_full = Span::raw(line.as_str()).width() + 1 + Span::raw(word).width() > width;
        if !line.is_empty() && is_full && lines.len() + 1 < rows {
            // What goes on stands under what it belongs to.
            lines.push(std::mem::replace(&mut line, " ".into()));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.into_iter().map(|line| Line::styled(cut(&line, width, look), style)).collect()
}
