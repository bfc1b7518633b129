//! What plotters lays out, as SVG. Marks have classes and no colours of their own: those are the page's, light or dark.
//!
//! Neighbouring shapes of one class share an element, and points are written from one to the next, so that a heat map of
//! some thousand cells takes some ten thousand bytes.

use std::convert::Infallible;
use std::fmt::Write as _;

use maud::Escaper;
use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontTransform,
};

type Done = Result<(), DrawingErrorKind<Infallible>>;

/// What a mark stands for; the style sheet has a colour for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report::html) enum Ink {
    /// Lines behind everything.
    Grid = 1,
    /// What stands at axes.
    Label = 2,
    /// What a panel shows.
    Title = 3,
    /// The system under test.
    Gateway = 4,
    /// The upstream.
    Direct = 5,
    /// The median.
    P50 = 6,
    /// The 95th percentile.
    P95 = 7,
    /// The 99th percentile.
    P99 = 8,
    /// What is pointed out.
    Mark = 9,
    /// What failed.
    Failed = 10,
    /// Behind the upstream's blocks.
    Shade = 11,
    /// All workers, behind one.
    Fleet = 12,
}

/// The darkest of a heat map's shades; the palest is 1.
pub(in crate::report::html) const SHADES: u8 = 7;
const FIRST_SHADE: u8 = 20;

impl Ink {
    /// As plotters carries it to the backend.
    pub(in crate::report::html) fn color(self) -> RGBColor {
        RGBColor(0, 0, self as u8)
    }

    /// A shade of a heat map, from 1 to [`SHADES`].
    pub(in crate::report::html) fn shade(shade: u8) -> RGBColor {
        RGBColor(0, 0, FIRST_SHADE + shade.clamp(1, SHADES))
    }
}

/// Writes the elements of one picture.
pub(in crate::report::html) struct Svg<'a> {
    out: &'a mut String,
    size: (u32, u32),
    /// The class of the path that is not closed yet.
    open: Option<String>,
}

impl<'a> Svg<'a> {
    pub(in crate::report::html) fn new(out: &'a mut String, size: (u32, u32)) -> Self {
        Self { out, size, open: None }
    }

    /// Begins a path, or goes on with the one that is open where it is of this class.
    fn path(&mut self, kind: char, color: BackendColor) {
        let class = format!("{kind}{}", color.rgb.2);
        if self.open.as_ref() != Some(&class) {
            self.close();
            let _ = write!(self.out, "<path class=\"{class}\" d=\"");
            self.open = Some(class);
        }
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.out.push_str("\"/>");
        }
    }

    fn points(&mut self, points: impl IntoIterator<Item = BackendCoord>) {
        let mut points = points.into_iter();
        let Some(mut last) = points.next() else { return };
        let _ = write!(self.out, "M{} {}", last.0, last.1);
        for (number, (x, y)) in points.enumerate() {
            let command = if number == 0 { 'l' } else { ' ' };
            let _ = write!(self.out, "{command}{} {}", x - last.0, y - last.1);
            last = (x, y);
        }
    }
}

fn is_seen(color: BackendColor) -> bool {
    color.alpha > 0.0
}

impl DrawingBackend for Svg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        self.close();
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Done {
        if is_seen(color) {
            self.path('f', color);
            let _ = write!(self.out, "M{x} {y}h1v1h-1z");
        }
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Done {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Done {
        if is_seen(style.color()) {
            self.path(if fill { 'f' } else { 's' }, style.color());
            let (width, height) = (right - left, bottom - top);
            let _ = write!(self.out, "M{left} {top}h{width}v{height}h{}z", -width);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Done {
        if is_seen(style.color()) {
            self.path('s', style.color());
            self.points(path);
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Done {
        if is_seen(style.color()) {
            self.close();
            let (kind, ink) = (if fill { 'f' } else { 's' }, style.color().rgb.2);
            let _ = write!(self.out, "<circle class=\"{kind}{ink}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>");
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Done {
        if is_seen(style.color()) {
            self.path('f', style.color());
            self.points(corners);
            self.out.push('z');
        }
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, (x, y): BackendCoord) -> Done {
        self.close();
        let anchor = match style.anchor().h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        // Not every reader knows baselines other than the alphabetic one.
        let lower = match style.anchor().v_pos {
            VPos::Top => 0.76,
            VPos::Center => 0.34,
            VPos::Bottom => -0.2,
        };
        let y = y + (style.size() * lower) as i32;
        debug_assert!(matches!(style.transform(), FontTransform::None));
        let ink = style.color().rgb.2;
        let _ = write!(self.out, "<text class=\"t{ink}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">");
        let _ = Escaper::new(self.out).write_str(text);
        self.out.push_str("</text>");
        Ok(())
    }
}
