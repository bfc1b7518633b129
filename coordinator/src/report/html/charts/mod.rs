//! The charts: plotters lays them out, [`svg`] writes them, and each comes with a table of what it shows.

mod axis;
mod curve;
mod failures;
mod heat;
mod overhead;
mod percentiles;
mod shares;
mod svg;
mod timeline;
mod workers;

use std::convert::Infallible;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::style::{Color as _, IntoFont as _, RGBColor, TRANSPARENT, TextStyle};

pub(super) use curve::{by_level, by_rate};
pub(super) use failures::failures;
pub(super) use heat::heat_map;
pub(super) use overhead::overhead;
pub(super) use percentiles::{response_times, send_lags};
pub(super) use shares::shares;
pub(super) use svg::Ink;
pub(super) use timeline::timeline;
pub(super) use workers::workers;

use axis::Axis;
use svg::Svg;

/// Units of a picture in one pixel of the page: plotters knows whole numbers only.
const UNIT: i32 = 4;
/// Widths of the two pictures that each chart is drawn as: for a page, and for a phone.
const WIDTHS: [i32; 2] = [760, 340];
/// The size of all text.
const TEXT: i32 = 12;

type Area<'a> = DrawingArea<Svg<'a>, Shift>;
type Plot<'a, 'b> = ChartContext<'b, Svg<'a>, Cartesian2d<Axis, Axis>>;
type Drawn<T> = Result<T, DrawingAreaErrorKind<Infallible>>;

/// A picture: the elements within its `<svg>`, and where in it values lie.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// In units.
    pub(super) width: i32,
    /// In units.
    pub(super) height: i32,
    /// Left, top, right and bottom of where values are drawn, in units.
    pub(super) frame: [i32; 4],
    /// Elements.
    pub(super) content: String,
}

/// How much fits into a picture.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// In pixels.
    width: i32,
    /// In pixels.
    height: i32,
}

impl Room {
    /// About how many labels fit beside each other.
    fn labels(self) -> usize {
        (self.width / 80).max(3) as usize
    }
}

/// The same chart in each of the two widths; `paint` gives back the frame of its values.
fn pictures(height: i32, paint: impl Fn(&Area<'_>, Room) -> Drawn<[i32; 4]>) -> Vec<Picture> {
    WIDTHS.iter().filter_map(|width| picture(Room { width: *width, height }, &paint)).collect()
}

/// `None` when plotters refuses, which it has no reason to.
fn picture(room: Room, paint: impl Fn(&Area<'_>, Room) -> Drawn<[i32; 4]>) -> Option<Picture> {
    let (width, height) = (room.width * UNIT, room.height * UNIT);
    let mut content = String::new();
    let painted = {
        let area = Svg::new(&mut content, (width as u32, height as u32)).into_drawing_area();
        paint(&area, room).and_then(|frame| area.present().map(|()| frame))
    };
    debug_assert!(painted.is_ok());
    Some(Picture { width, height, frame: painted.ok()?, content })
}

/// Where a panel leaves room for what stands at its axes, in pixels.
#[derive(Debug, Clone, Copy)]
struct Margins {
    left: i32,
    bottom: i32,
    top: i32,
}

const MARGINS: Margins = Margins { left: 46, bottom: 22, top: 24 };
/// With room for the numbers of blocks.
const NUMBERED: Margins = Margins { top: 36, ..MARGINS };

/// Axes with their grid and a title; what is drawn on it comes after.
fn plot<'a, 'b>(area: &'b Area<'a>, title: &str, margins: Margins, x: Axis, y: Axis) -> Drawn<Plot<'a, 'b>> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(margins.top * UNIT)
        .margin_right(22 * UNIT)
        .y_label_area_size(margins.left * UNIT)
        .x_label_area_size(margins.bottom * UNIT)
        .build_cartesian_2d(x.clone(), y.clone())?;
    let (x_label, y_label) = (|value: &f64| x.label(*value), |value: &f64| y.label(*value));
    chart
        .configure_mesh()
        .set_all_tick_mark_size(3 * UNIT)
        .light_line_style(TRANSPARENT)
        .bold_line_style(Ink::Grid.color())
        .axis_style(Ink::Grid.color())
        .label_style(text(Ink::Label))
        .x_label_formatter(&x_label)
        .y_label_formatter(&y_label)
        .draw()?;
    area.draw(&Text::new(title.to_owned(), (4 * UNIT, 2 * UNIT), text(Ink::Title)))?;
    Ok(chart)
}

fn text(ink: Ink) -> TextStyle<'static> {
    ("sans-serif", TEXT * UNIT).into_font().color(&ink.color())
}

/// Left, top, right and bottom of where a plot's values are drawn.
fn frame(plot: &Plot<'_, '_>) -> [i32; 4] {
    let (x, y) = plot.plotting_area().get_pixel_range();
    [x.start, y.start, x.end, y.end]
}

fn line(plot: &mut Plot<'_, '_>, ink: Ink, points: Vec<(f64, f64)>) -> Drawn<()> {
    plot.draw_series([PathElement::new(points, ink.color())])?;
    Ok(())
}

fn dots(plot: &mut Plot<'_, '_>, ink: Ink, points: impl IntoIterator<Item = (f64, f64)>) -> Drawn<()> {
    plot.draw_series(points.into_iter().map(|point| Circle::new(point, 3 * UNIT, ink.color().filled())))?;
    Ok(())
}

fn boxes(
    plot: &mut Plot<'_, '_>,
    color: RGBColor,
    corners: impl IntoIterator<Item = [(f64, f64); 2]>,
) -> Drawn<()> {
    plot.draw_series(corners.into_iter().map(|corners| Rectangle::new(corners, color.filled())))?;
    Ok(())
}

/// Nanoseconds in milliseconds.
fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
