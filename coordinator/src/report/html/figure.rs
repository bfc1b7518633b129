//! A chart on the page: its pictures, what it says in words, its legend, and the table of what it shows.
//!
//! The table is all that the page's script knows: rows (or cells) say where in the picture they lie, and what is shown when
//! the pointer or an arrow key comes there is their text.

use maud::{Markup, PreEscaped, html};

use super::charts::{Ink, Picture};

/// A chart.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    /// What it shows.
    pub(super) caption: String,
    /// The most of it in words, for who cannot see it.
    pub(super) said: String,
    pub(super) legend: Vec<(Ink, String)>,
    /// The same in several widths.
    pub(super) pictures: Vec<Picture>,
    /// A small picture for each of the first rows, in place of one picture.
    pub(super) panels: Option<Vec<Picture>>,
    pub(super) table: Table,
}

/// What a chart shows.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    /// How far down each column's cells lie, from 0 to 1, where the table is a grid; else empty.
    pub(super) heights: Vec<Option<f64>>,
    pub(super) rows: Vec<Row>,
}

/// A row, and where it lies in the picture, from 0 to 1.
#[derive(Debug, Clone)]
pub(super) struct Row {
    x: Option<f64>,
    y: Option<f64>,
    cells: Vec<String>,
}

impl Table {
    pub(super) fn new(columns: impl IntoIterator<Item = String>) -> Self {
        Self { columns: columns.into_iter().collect(), heights: Vec::new(), rows: Vec::new() }
    }
}

impl Row {
    pub(super) fn new(cells: impl IntoIterator<Item = String>) -> Self {
        Self { x: None, y: None, cells: cells.into_iter().collect() }
    }

    /// From the left.
    pub(super) fn at_x(x: f64, cells: impl IntoIterator<Item = String>) -> Self {
        Self { x: Some(x), ..Self::new(cells) }
    }

    /// From the top.
    pub(super) fn at_y(y: f64, cells: impl IntoIterator<Item = String>) -> Self {
        Self { y: Some(y), ..Self::new(cells) }
    }
}

impl Figure {
    pub(super) fn markup(&self) -> Markup {
        let how = format!("{}. Arrow keys go from value to value.", self.caption);
        html! {
            figure {
                figcaption { (self.caption) }
                @if !self.legend.is_empty() {
                    ul.legend {
                        @for (ink, name) in &self.legend {
                            li { span class={ "key k" (*ink as u8) } {} (name) }
                        }
                    }
                }
                div.chart tabindex="0" role="group" aria-roledescription="chart" aria-label=(how) {
                    @if let Some(panels) = &self.panels {
                        div.panels role="img" aria-label=(self.said) {
                            @for panel in panels { (svg(panel, None)) }
                        }
                    } @else {
                        @for (place, picture) in self.pictures.iter().enumerate() {
                            (svg(picture, Some((place, &self.said))))
                        }
                    }
                    div.cursor hidden {}
                    output.tip hidden {}
                }
                details {
                    summary { "The values" }
                    (self.table.markup(&self.caption))
                }
            }
        }
    }
}

/// The first is the wide one, the second the narrow one.
fn svg(picture: &Picture, said: Option<(usize, &str)>) -> Markup {
    let size = format!("0 0 {} {}", picture.width, picture.height);
    let frame = picture.frame.map(|end| end.to_string()).join(" ");
    let class = match said {
        None => "panel",
        Some((0, _)) => "wide",
        Some(_) => "narrow",
    };
    let said = said.map(|(_, said)| said);
    html! {
        svg class=(class) viewBox=(size) data-frame=(frame) role=[said.map(|_| "img")] aria-label=[said] {
            (PreEscaped(&picture.content))
        }
    }
}

impl Table {
    fn markup(&self, about: &str) -> Markup {
        let height = |column: usize| self.heights.get(column).copied().flatten().map(place);
        html! {
            div.scroll tabindex="0" role="region" aria-label=(format!("{about}: the values")) {
                table {
                    thead { tr {
                        @for (number, name) in self.columns.iter().enumerate() {
                            th scope="col" data-y=[height(number)] { (name) }
                        }
                    } }
                    tbody {
                        @for row in &self.rows {
                            tr data-x=[row.x.map(place)] data-y=[row.y.map(place)] {
                                @for cell in &row.cells { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn place(share: f64) -> String {
    format!("{share:.4}")
}
