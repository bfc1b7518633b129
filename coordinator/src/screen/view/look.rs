//! How things look: few colours, none where they are not wanted, and plain characters where there are no others.

use ratatui_core::style::{Color, Modifier, Style};

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::screen) struct Look {
    /// Whether colours are wanted.
    pub(in crate::screen) colour: bool,
    /// Whether it takes more than ASCII.
    pub(in crate::screen) unicode: bool,
}

impl Look {
    /// What names something else.
    pub(super) fn label(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What is looked for first.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What moves.
    pub(super) fn moving(self) -> Style {
        self.coloured(Color::Cyan, Modifier::empty())
    }

    /// What is well.
    pub(super) fn good(self) -> Style {
        self.coloured(Color::Green, Modifier::empty())
    }

    /// What is to be read soon.
    pub(super) fn warning(self) -> Style {
        self.coloured(Color::Yellow, Modifier::BOLD)
    }

    /// What went wrong.
    pub(super) fn bad(self) -> Style {
        self.coloured(Color::Red, Modifier::BOLD)
    }

    /// The colour, or what stands in its place.
    fn coloured(self, colour: Color, otherwise: Modifier) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new().add_modifier(otherwise) }
    }

    /// What is done of a bar, and what is left.
    pub(super) fn bar(self) -> (&'static str, &'static str) {
        if self.unicode { ("━", "─") } else { ("=", "-") }
    }

    /// From the lowest rate above nothing to the highest.
    pub(super) fn heights(self) -> &'static [&'static str] {
        if self.unicode {
            &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        } else {
            &[".", ":", "-", "=", "+", "*", "#"]
        }
    }

    /// A second in which nothing succeeded.
    pub(super) fn nothing(self) -> &'static str {
        if self.unicode { "·" } else { "_" }
    }

    /// Where there is no figure.
    pub(super) fn none(self) -> &'static str {
        if self.unicode { "–" } else { "-" }
    }

    /// Where something was cut off.
    pub(super) fn more(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }
}
