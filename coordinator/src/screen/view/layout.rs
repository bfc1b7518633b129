//! What has room: parts of a screen, one below the other, cut down to its height.

use ratatui_core::text::Line;

use super::look::Look;

/// Lines that belong together.
#[derive(Debug)]
pub(super) struct Part {
    lines: Vec<Line<'static>>,
    /// Fewer than these are not worth a place.
    least: usize,
    /// What is dropped first where there is no room has the lowest.
    weight: u8,
    /// Whether the first lines are those that may be left out.
    keeps_end: bool,
    /// Whether an empty line goes before it where there is room.
    stands_apart: bool,
}

impl Part {
    /// All of it or nothing.
    pub(super) fn whole(weight: u8, lines: Vec<Line<'static>>) -> Self {
        Self { least: lines.len(), lines, weight, keeps_end: false, stands_apart: true }
    }

    /// At least the first `least` lines.
    pub(super) fn list(weight: u8, least: usize, lines: Vec<Line<'static>>) -> Self {
        Self { least: least.min(lines.len()), ..Self::whole(weight, lines) }
    }

    /// At least the last `least` lines.
    pub(super) fn log(weight: u8, least: usize, lines: Vec<Line<'static>>) -> Self {
        Self { keeps_end: true, ..Self::list(weight, least, lines) }
    }

    /// Without an empty line before it.
    pub(super) fn close(self) -> Self {
        Self { stands_apart: false, ..self }
    }
}

/// As much of `parts` as `height` has room for.
pub(super) fn fit(parts: Vec<Part>, height: usize, look: Look) -> Vec<Line<'static>> {
    let mut parts: Vec<Part> = parts.into_iter().filter(|part| !part.lines.is_empty()).collect();
    let used = |parts: &[Part]| parts.iter().map(|part| part.least).sum::<usize>();
    while used(&parts) > height {
        let lightest = parts.iter().enumerate().min_by_key(|(_, part)| part.weight).map(|(at, _)| at);
        match lightest {
            Some(lightest) if parts.len() > 1 => drop(parts.remove(lightest)),
            _ => break,
        }
    }
    let mut room = height.saturating_sub(used(&parts));
    let gaps = parts.iter().skip(1).filter(|part| part.stands_apart).count();
    let has_gaps = gaps <= room;
    if has_gaps {
        room -= gaps;
    }
    let mut lines = Vec::with_capacity(height);
    for (at, part) in parts.into_iter().enumerate() {
        if has_gaps && at > 0 && part.stands_apart {
            lines.push(Line::default());
        }
        let more = (part.lines.len() - part.least).min(room);
        room -= more;
        lines.extend(part.cut(more, look));
    }
    lines.truncate(height);
    lines
}

impl Part {
    /// Its least lines and `more`, the last of them for how many there is no room for.
    fn cut(self, more: usize, look: Look) -> Vec<Line<'static>> {
        let (all, kept) = (self.lines.len(), self.least + more);
        if kept >= all {
            return self.lines;
        }
        if self.keeps_end {
            return self.lines.into_iter().skip(all - kept).collect();
        }
        let mut lines: Vec<_> = self.lines.into_iter().take(kept.saturating_sub(1)).collect();
        lines.push(Line::styled(format!("{} {} more", look.more(), all - lines.len()), look.label()));
        lines
    }
}
