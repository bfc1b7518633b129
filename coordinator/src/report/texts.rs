//! Texts for tests: what records are told in, held against what somebody has read. Summaries are in `markdown/tests.rs`.

use std::fs;
use std::path::Path;

use super::{csv, fixtures, junit};

/// Holds a text against the stored one of this name. `BLESS=1` writes that anew, to be read.
pub(super) fn holds(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/texts").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
}

#[test]
fn tables_and_test_cases_read_like_this() {
    let record = fixtures::record();
    holds("results.csv", &csv::results(&record));
    holds("seconds.csv", &csv::seconds(&record));
    holds("run.xml", &junit::run(&record));
}
