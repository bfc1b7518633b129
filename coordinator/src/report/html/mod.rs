//! `report.html`: a record as one page that needs nothing else, with the summary's words and tables, and charts.

mod arms;
mod charts;
mod figure;
mod prose;
mod slices;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};

use super::markdown::{NOTES, Section, sections, visible};
use super::record::{ResultRecord, RunRecord};
use arms::Arms;
use figure::Figure;

/// What pages look like.
pub const STYLE: &str = include_str!("style.css");
/// What charts answer to.
pub const SCRIPT: &str = include_str!("script.js");

/// The page of a run.
pub fn page(record: &RunRecord) -> String {
    let title = format!("Load test of {}", visible(&record.run.started));
    let sections = sections(record);
    // The charts come before what only a second look asks for.
    let introduction = sections.iter().position(|section| section.heading == Some(NOTES)).unwrap_or_default();
    let (first, rest) = sections.split_at((introduction + 1).min(sections.len()));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body class=(record.verdict.name()) {
                main {
                    @for section in first { (self::section(record, section)) }
                    @for figure in &by_level(record) { section { (figure.markup()) } }
                    @for result in &record.results { (of_result(record, result)) }
                    @for section in rest { (self::section(record, section)) }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// The verdict and what stands in the `main` element of a page that [`page`] has made; `None` of anything else.
pub fn content(page: &str) -> Option<(&str, &str)> {
    let (_, body) = page.split_once("<body class=\"")?;
    let (verdict, rest) = body.split_once("\"><main>")?;
    // Other people's text holds no element.
    let (main, _) = rest.split_once("</main>")?;
    Some((verdict, main))
}

/// Nothing may be fetched, and nothing runs but what is written here.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        source(STYLE),
        source(SCRIPT)
    )
}

/// How a policy names a script or a style that stands in the page.
pub fn source(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(digest(&SHA256, text.as_bytes())))
}

fn section(record: &RunRecord, section: &Section) -> Markup {
    let figures = match section.heading {
        Some("Capacity") => {
            record.capacities.iter().flat_map(|capacity| charts::by_rate(record, capacity)).collect()
        }
        Some("What the gateway adds") => added(record),
        _ => Vec::new(),
    };
    html! {
        section {
            (prose::html(&section.markdown()))
            @for figure in &figures { (figure.markup()) }
        }
    }
}

fn added(record: &RunRecord) -> Vec<Figure> {
    let figure = |result: &ResultRecord| charts::overhead(&name(record, result), result.overhead.as_ref()?);
    record.results.iter().filter_map(figure).collect()
}

/// Of each scenario that was measured at several.
fn by_level(record: &RunRecord) -> Vec<Figure> {
    let mut scenarios: Vec<&str> = record.results.iter().map(|result| result.scenario.as_str()).collect();
    scenarios.sort_unstable();
    scenarios.dedup();
    scenarios.into_iter().filter_map(|scenario| charts::by_level(record, scenario)).collect()
}

fn of_result(record: &RunRecord, result: &ResultRecord) -> Markup {
    let arms = Arms::of(record, result);
    let (slices, spans) = slices::of_result(record, result);
    let figures = [
        charts::response_times(&arms),
        charts::timeline(&slices, &spans),
        charts::heat_map(&slices, &spans),
        charts::failures(&arms),
        charts::send_lags(&arms),
        charts::workers(&arms),
        charts::shares(&slices, &spans),
    ];
    html! {
        section {
            h2 { (name(record, result)) }
            @for figure in figures.iter().flatten() { (figure.markup()) }
        }
    }
}

fn name(record: &RunRecord, result: &ResultRecord) -> String {
    let level =
        if ResultRecord::has_levels(record) { format!(", {}", result.load.level()) } else { String::new() };
    format!("{}{level}", visible(&result.scenario))
}
