use super::page;
use crate::clock;
use crate::merge::BlockMerge;
use crate::merge::fixtures::{block, closed, interval, open, seconds};
use crate::plan::Arm;
use crate::report::fixtures;
use crate::report::record::recompute;
use proto::load::Extent;
use proto::outcome::{Failure, FailureKind};

/// A page without what is the same on each, and with a line for each element.
fn body(page: &str) -> String {
    let (_, main) = page.split_once("<main>").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    main.replace("><", ">\n<") + "\n"
}

#[test]
fn a_rough_run_looks_like_this() {
    fixtures::holds("page_rough.html", &body(&page(&fixtures::record())));
}

#[test]
fn what_a_page_says_is_found_in_it_again() {
    let (mut rough, name) = (fixtures::rough_block(), "</main><body class=\"x\"><main>");
    rough.block.scenario.name = name.into();
    let page = page(&fixtures::record_of(&[rough]));
    let (verdict, main) = super::content(&page).unwrap();
    assert_eq!(verdict, "suspect");
    assert_eq!(main.trim(), body(&page).replace(">\n<", "><").trim());
    assert!(main.starts_with("<section>") && main.ends_with("</section>"), "{main}");
    assert_eq!(super::content("<body class=\"x\">"), None);
}

#[test]
fn a_page_made_again_is_the_same() {
    let record = fixtures::record();
    assert_eq!(page(&recompute(&record).unwrap()), page(&record));
}

#[test]
fn a_run_without_a_block_has_a_page_that_says_so() {
    let page = page(&fixtures::record_of(&[]));
    assert!(page.contains("<strong>Verdict: invalid</strong>: nothing was measured."), "{page}");
    assert!(!page.contains("<figure>"), "{page}");
}

#[test]
fn text_of_others_is_text_wherever_it_stands() {
    let hostile = "<script>alert(1)</script>&\"'_x_|`<!--\u{202e}日本";
    let mut rough = fixtures::rough_block();
    rough.block.scenario.name = hostile.into();
    let mut record = fixtures::record_of(&[rough, fixtures::calm_block()]);
    record.run.command_line = format!("archestra-bench run --scenario {hostile}");
    record.run.fleet = hostile.into();
    record.run.environment = serde_json::json!({ hostile: hostile });
    record.run.preflight_warnings = vec![hostile.into(), "see @org/team|<b>".into()];
    record.blocks[0].workers[0].mismatch = Some(hostile.into());
    let page = page(&record);
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    assert!(!page.contains("<!--") && !page.contains('\u{202e}') && !page.contains("<em>"));
    assert!(page.contains("<li>Preflight: see <code>@org/team</code>|&lt;b&gt;</li>"), "{page}");
    assert!(
        page.contains("<h2>&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;'_x_|`&lt;!--\u{fffd}日本</h2>"),
        "{page}"
    );
}

#[test]
fn what_a_gateway_adds_is_drawn_beside_both_arms() {
    let of_pair = |repeat| {
        [Arm::Gateway, Arm::Direct].map(|arm| {
            let mut measured = fixtures::calm_block();
            (measured.block.arm, measured.block.repeat) = (arm, repeat);
            measured
        })
    };
    let page = page(&fixtures::record_of(&(1..=3).flat_map(of_pair).collect::<Vec<_>>()));
    assert!(page.contains("<figcaption>simple_chat: what the gateway adds</figcaption>"), "{page}");
    // Both curves in both widths, and shades behind the upstream's blocks.
    assert_eq!(page.matches("<path class=\"s5\"").count(), 4, "response times and send lag");
    assert!(page.contains("<path class=\"f11\""), "{page}");
}

#[test]
fn levels_and_the_rates_of_a_search_have_their_curves() {
    let level = |concurrency| {
        let mut measured = fixtures::calm_block();
        measured.block.load = closed(concurrency);
        measured
    };
    let levels = page(&fixtures::record_of(&[level(10), level(40)]));
    assert!(levels.contains("<figcaption>simple_chat: response time and throughput by level</figcaption>"));
    assert_eq!(levels.matches("simple_chat, 40 in flight</h2>").count(), 1);

    let search = page(&fixtures::search_record());
    for part in [
        "<figcaption>simple_chat: response time by offered rate</figcaption>",
        "the highest rate that held, 100 req/s",
        "<path class=\"s9\"",
        "<td>no: p99 is &lt;10&gt; ms</td>",
    ] {
        assert!(search.contains(part), "no {part} in: {search}");
    }
}

#[test]
fn ten_minutes_of_sixteen_workers_are_less_than_a_megabyte() {
    let record = fixtures::long_record();
    let begun = clock::now();
    let page = page(&record);
    let took = clock::now().saturating_duration_since(begun);
    eprintln!("{} bytes in {took:?}, where nothing is optimized", page.len());
    assert_eq!(page.matches("<svg class=\"panel\"").count(), 2 * 16, "two small charts for each worker");
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

#[test]
fn each_worker_is_drawn_over_time_with_its_blocks() {
    let record = fixtures::paired_record();
    let page = page(&record);
    let figures = page
        .split("<figcaption>")
        .filter(|part| part.starts_with("Throughput (req/s) of each worker over time"));
    let figures: Vec<&str> = figures.map(|part| part.split("</figure>").next().unwrap()).collect();
    assert_eq!(figures.len(), 2, "a figure for each level");
    let panels: Vec<&str> = figures[0].split("<svg class=\"panel\"").skip(1).collect();
    assert_eq!(panels.len(), 2);
    for (number, panel) in panels.into_iter().enumerate() {
        assert!(panel.contains(&format!(">worker {number}</text>")), "{panel}");
        // Ticks with their unit, the upstream's blocks shaded.
        assert!(panel.contains(">0</text>") && panel.contains(" s</text>"), "{panel}");
        assert!(panel.contains("<path class=\"f11\""), "{panel}");
    }
    // Half of 1,000 answers a second, in each block.
    assert!(figures[0].contains("<td>1</td><td>500.0</td><td>500.0</td><td>500.0</td>"), "{}", figures[0]);
}

#[test]
fn a_worker_that_was_lost_does_nothing_from_then_on_whichever_it_is() {
    let row = |lost: u32| {
        let mut merge = BlockMerge::new(block(open(100), Extent::Duration(seconds(3.0))), 2);
        for (second, start) in (0..3).zip([0.0, 1.0, 2.0]) {
            let told = interval(second, (start, start + 1.0), &[5_000_000; 60]);
            let alive = (0..2).filter(|worker| second == 0 || *worker != lost);
            alive.for_each(|worker| assert_eq!(merge.interval(worker, &told), Ok(true)));
            merge.lost(lost, "it was killed");
        }
        let page = page(&fixtures::record_of(&[merge.finish(false)]));
        let figure = page.split("<figcaption>Throughput (req/s) of each worker over time").nth(1).unwrap();
        let mut rows = figure.split("<tbody>").nth(1).unwrap().split("<tr>");
        let row = rows.find(|row| row.starts_with(&format!("<td>{lost}</td>"))).unwrap();
        row.split_once("</td>").unwrap().1.split("</tr>").next().unwrap().to_owned()
    };
    assert_eq!(row(0), "<td>0.00</td><td>20.00</td><td>60.00</td>");
    assert_eq!(row(1), row(0));
}

#[test]
fn each_kind_of_failure_has_its_bar_and_its_row() {
    let mut measured = fixtures::calm_block();
    for (kind, count) in FailureKind::ALL.into_iter().zip(101..) {
        let failure = Failure { kind, status: None, detail: String::new() };
        measured.workers[0].totals.failures.insert(failure, count);
    }
    let page = page(&fixtures::record_of(&[measured]));
    let figure =
        page.split("<figcaption>Failures by kind").nth(1).unwrap().split("</figure>").next().unwrap();
    for (kind, count) in FailureKind::ALL.into_iter().zip(101..) {
        assert!(figure.contains(&format!("<td>{kind}</td><td>{count}</td>")), "no {kind} in {figure}");
    }
    let bars = |picture: &str| picture.split("<path class=\"f4\" d=\"").nth(1).unwrap().matches('z').count();
    assert_eq!(bars(figure), FailureKind::ALL.len(), "{figure}");
}

#[test]
fn a_folded_table_is_folded_and_nothing_else_of_html_gets_through() {
    let page = page(&fixtures::paired_record());
    let blocks = "<details><summary>Each of the 12 blocks, in the order in which they ran</summary><div";
    assert!(page.contains(blocks), "{page}");
    let evil = super::prose::html("<details>\n<summary>a <b>\n<img src=x>\n\n</details>").into_string();
    assert_eq!(evil, "<details>&lt;summary&gt;a &lt;b&gt;&lt;img src=x&gt;</details>");
}
