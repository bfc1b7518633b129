//! The page: what there is to be seen now, and the report as far as it is. It is whole without its script, which brings
//! it up to date.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::events::News;
use crate::report::html::{SCRIPT, STYLE, content, source};
use crate::report::{PAGE_FILE, visible};
use crate::screen::{Facts, HEIGHT, Row, SECONDS};

const LIVE_STYLE: &str = include_str!("live.css");
const LIVE_SCRIPT: &str = include_str!("live.js");

/// Name, caption and columns of each table.
const TABLES: [(&str, &str, &[&str]); 8] = [
    ("figures", "Rates and response times", &["", "offered/s", "achieved/s", "P50 ms", "P95 ms", "P99 ms"]),
    (
        "parts",
        "Scenarios of the mix",
        &["scenario", "achieved/s", "P50 ms", "P95 ms", "P99 ms", "good answers", "failed"],
    ),
    ("answers", "Answers", &["answers", "count"]),
    ("workers", "Workers", &["worker", "address", "state", "answers/s", "CPU %", "send lag P99 ms"]),
    ("findings", "Found so far", &["found so far", "verdict and rule", "why"]),
    ("log", "Log", &["log, the newest first"]),
    ("tried", "Rates that were tried", &["rate", "what came of it"]),
    ("machines", "Machines", &["machine", "state", "after"]),
];

/// The whole page of a run; `report` is an element.
pub(super) fn page(run: &str, folder: &str, facts: &Facts, news: &News, report: Option<String>) -> String {
    let ended = news.end.as_ref().map(|end| end.words.as_str());
    let has_report = report.is_some();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (text(facts, "command")) " " (text(facts, "subject")) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
                style { (PreEscaped(LIVE_STYLE)) }
            }
            body {
                main {
                    section #live data-run=(run) data-folder=(visible(folder)) data-revision=(news.revision)
                        data-ended[ended.is_some()] {
                        p #status role="status" hidden[ended.is_none()] { (ended.unwrap_or_default()) }
                        div #now hidden[ended.is_some()] { (now(facts)) }
                        p #so-far hidden[ended.is_some() || !has_report] {
                            "Below is the report of what has ended; the run goes on."
                        }
                        p .unseen #said aria-live="polite" {}
                    }
                    (PreEscaped(report.unwrap_or_else(no_report)))
                }
                script { (PreEscaped(SCRIPT)) }
                script { (PreEscaped(LIVE_SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// What there is to be seen now. The script knows these places by their names.
fn now(facts: &Facts) -> Markup {
    let share = facts.texts.get("share");
    let minute = facts.texts.get("minute");
    let size = format!("0 0 {SECONDS} {HEIGHT}");
    html! {
        h1 { (fact(facts, "command")) " " (fact(facts, "subject")) " " (fact(facts, "elapsed")) }
        p { (fact(facts, "doing")) }
        p .block { (fact(facts, "scenario")) " " (fact(facts, "traits")) " " (fact(facts, "place")) }
        p .bar {
            progress #share max="1" value=[share] hidden[share.is_none()] aria-label="How far the block is" {}
            " " (fact(facts, "progress"))
        }
        div #minute .minute hidden[minute.is_none()] {
            svg viewBox=(size) preserveAspectRatio="none" role="img" aria-label="Answers a second in the last minute" {
                path .f4 d=[minute] {}
            }
            span { "highest of the last minute: " (fact(facts, "highest")) "/s" }
        }
        @for (name, caption, columns) in TABLES {
            (table(name, caption, columns, facts.tables.get(name).map_or(&[], Vec::as_slice)))
        }
    }
}

fn text<'a>(facts: &'a Facts, name: &str) -> &'a str {
    facts.texts.get(name).map_or("", String::as_str)
}

fn fact(facts: &Facts, name: &str) -> Markup {
    let text = text(facts, name);
    html! { span data-fact=(name) hidden[text.is_empty()] { (text) } }
}

fn table(name: &str, caption: &str, columns: &[&str], rows: &[Row]) -> Markup {
    html! {
        div .scroll tabindex="0" role="region" aria-label=(caption) hidden[rows.is_empty()] {
            table {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody data-table=(name) {
                    @for row in rows {
                        tr class=(row.tone.name()) { @for cell in &row.cells { td { (cell) } } }
                    }
                }
            }
        }
    }
}

/// The report within a page that the run has written, as an element of this one.
pub(super) fn report(page: &str) -> Option<String> {
    let (verdict, main) = content(page)?;
    Some(html! { div #report class=(verdict) { (PreEscaped(main)) } }.into_string())
}

/// In the report's place.
pub(super) fn no_report() -> String {
    html! { div #report { p { "The report appears here when the first block has ended." } } }.into_string()
}

/// How a run has ended, in a sentence.
pub(super) fn ended(is_measured: bool, has_report: bool, folder: &str) -> String {
    let place = format!("{}/{PAGE_FILE}", visible(folder));
    match (is_measured, has_report) {
        (true, _) => format!("The run has ended. This is its report, which {place} holds as well."),
        (false, true) => {
            format!(
                "The run has failed. This is the report of what it had measured, which {place} holds as well."
            )
        }
        (false, false) => "The run has ended before anything was measured.".into(),
    }
}

/// Nothing may be fetched but from here, nothing runs but what is written here, and nobody frames it.
pub(super) fn policy() -> String {
    format!(
        "default-src 'none'; style-src {} {}; script-src {} {}; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        source(STYLE),
        source(LIVE_STYLE),
        source(SCRIPT),
        source(LIVE_SCRIPT)
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::events::End;
    use super::*;
    use crate::screen::Tone;

    const HOSTILE: &str = "<script>alert(1)</script>&\"'日本";

    fn facts() -> Facts {
        let mut facts = Facts::default();
        for name in ["command", "subject", "scenario", "progress", "doing", "minute"] {
            facts.texts.insert(name, HOSTILE.into());
        }
        let row = Row { cells: vec![HOSTILE.into(), "1".into()], tone: Tone::Bad };
        for name in ["answers", "log", "parts", "findings"] {
            facts.tables.insert(name, vec![row.clone()]);
        }
        facts
    }

    #[test]
    fn text_of_others_is_text_on_the_live_page_too() {
        let page = page(HOSTILE, HOSTILE, &facts(), &News::default(), None);
        assert_eq!(page.matches("<script>").count(), 2, "its own");
        assert_eq!(
            page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;'日本</td>").count(),
            4,
            "{page}"
        );
    }

    #[test]
    fn what_is_not_known_is_hidden_and_what_is_known_is_not() {
        let page = page("1", "results/1", &facts(), &News::default(), None);
        for part in [
            "<span data-fact=\"place\" hidden></span>",
            "<span data-fact=\"scenario\">&lt;script",
            "aria-label=\"Workers\" hidden>",
            "aria-label=\"Answers\"><table>",
            "<tr class=\"bad\"><td>&lt;script",
            "<p id=\"status\" role=\"status\" hidden></p>",
            "The report appears here",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        assert!(!page.contains("data-ended"));
    }

    #[test]
    fn a_run_that_has_ended_shows_its_report_alone() {
        let report = report("<body class=\"suspect\"><main><section>all</section></main></body>");
        assert_eq!(
            report.as_deref(),
            Some("<div id=\"report\" class=\"suspect\"><section>all</section></div>")
        );
        assert!(super::report("{}").is_none());
        let end = End { words: ended(true, true, "results/1"), report: None };
        let news = News { revision: 7, end: Some(Arc::new(end)), ..News::default() };
        let page = page("1", "results/1", &facts(), &news, report);
        for part in [
            " data-revision=\"7\" data-ended>",
            "<p id=\"status\" role=\"status\">The run has ended. This is its report, which results/1/report.html holds as well.</p>",
            "<div id=\"now\" hidden>",
            "<div id=\"report\" class=\"suspect\"><section>all</section></div>",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
    }
}
