use super::*;
use crate::report::files::tests::TemporaryFolder;
use crate::report::fixtures;
use crate::report::json::to_json as record_json;

fn store(folder: &Path, name: &str, started: &str, change: impl Fn(&mut RunRecord)) {
    let mut record = fixtures::record();
    started.clone_into(&mut record.run.started);
    change(&mut record);
    fs::create_dir_all(folder.join(name)).unwrap();
    fs::write(folder.join(name).join(REPORT_FILE), record_json(&record).unwrap()).unwrap();
    fs::write(folder.join(format!("summary_{name}.md")), "# A summary\n").unwrap();
}

fn zone() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(3))
}

#[test]
fn runs_stand_newest_first_in_the_users_zone_and_broken_ones_are_named() {
    let folder = TemporaryFolder::new("history");
    let path = folder.path();
    store(path, "20261001_120059", "2026-10-01T12:00:59+02:00", |_| {});
    store(path, "20261001_110000", "2026-10-01T11:00:00+00:00", |record| record.run.finished = None);
    store(path, "20260901_000000", "2026-09-01T00:00:00+00:00", |record| record.interrupted = true);
    store(path, "renamed", "2026-08-01T00:00:00+00:00", |_| {});
    for name in ["20261002_000000", "20261003_000000", "screenshots"] {
        fs::create_dir_all(path.join(name)).unwrap();
    }
    fs::write(path.join("20261003_000000").join(REPORT_FILE), "{\"schema_version\": 3, \"run\"").unwrap();

    let history = read(path, &zone()).unwrap();
    let runs: Vec<&str> = history.runs.iter().map(|run| run.run.as_str()).collect();
    // By the moment, not by the name: one of them began elsewhere.
    assert_eq!(runs, ["20261001_110000", "20261001_120059", "20260901_000000", "renamed"]);
    assert_eq!(history.runs[0].started, "2026-10-01T14:00:00+03:00");
    let unusable: Vec<&str> = history.unusable.iter().map(|unusable| unusable.run.as_str()).collect();
    assert_eq!(unusable, ["20261003_000000", "20261002_000000"]);

    let text = text(&history);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("RUN ") && lines[0].ends_with("P95 (ms)"), "{text}");
    assert!(lines[1].starts_with("20261001_110000  2026-10-01 14:00:00 +03:00  "), "{text}");
    assert!(lines[1].contains(", incomplete"), "{text}");
    assert!(text.contains("interrupted"), "{text}");
    assert!(text.contains("20261002_000000: report.json is not there"), "{text}");
    assert!(text.contains("20261003_000000: "), "{text}");

    let json: serde_json::Value = serde_json::from_str(&to_json(&history).unwrap()).unwrap();
    assert_eq!(json["runs"][0]["run"], "20261001_110000");
    assert!(json["runs"][0]["scenarios"][0]["p50_ns"].as_u64().unwrap() > 0);
    assert_eq!(json["unusable"].as_array().unwrap().len(), 2);
}

#[test]
fn an_empty_folder_or_none_is_no_failure() {
    let folder = TemporaryFolder::new("no_history");
    let history = read(&folder.path().join("results"), &zone()).unwrap();
    assert_eq!(text(&history), "no results yet\n");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(read(&file, &zone()), Err(HistoryError::NoFolder { .. })));
    assert!(matches!(report_of(folder.path(), None), Err(HistoryError::Nothing { .. })));
}

#[test]
fn a_run_is_found_by_any_of_its_names_and_its_page_goes_before_its_summary() {
    let folder = TemporaryFolder::new("find_report");
    let path = folder.path();
    store(path, "20261001_120000", "2026-10-01T12:00:00+00:00", |_| {});
    store(path, "20261001_130000", "2026-10-01T13:00:00+00:00", |_| {});
    fs::create_dir_all(path.join("20261001_140000")).unwrap();
    let summary = path.join("summary_20261001_120000.md");
    for name in [PathBuf::from("20261001_120000"), path.join("20261001_120000"), summary.clone()] {
        assert_eq!(report_of(path, Some(&name)).unwrap(), summary, "{}", name.display());
    }
    let last = path.join("summary_20261001_130000.md");
    assert_eq!(report_of(path, None).unwrap(), last, "the last one has nothing yet");
    let page = path.join("20261001_130000").join(PAGE_FILE);
    fs::write(&page, "<html>").unwrap();
    assert_eq!(report_of(path, None).unwrap(), page);

    let none = report_of(path, Some(Path::new("20261001_120001"))).unwrap_err().to_string();
    assert!(
        none.contains("did you mean `20261001_130000`?") || none.contains("did you mean `20261001_120000`?"),
        "{none}"
    );
    let nothing = report_of(path, Some(Path::new("20261001_140000"))).unwrap_err().to_string();
    assert!(nothing.contains("has no report yet"), "{nothing}");
}
