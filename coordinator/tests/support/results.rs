//! What a run left in its results folder.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::process::{Bench, Finished};

/// The files of one run.
pub struct Results {
    /// The summary's text.
    pub summary: String,
    /// The record.
    pub report: Value,
    /// Where the record is.
    pub report_path: PathBuf,
}

impl Results {
    /// Of the only run in the bench's folder; the test fails when there is none, or another.
    pub fn of(bench: &Bench) -> Self {
        let names = names(bench);
        let summaries: Vec<_> = names.iter().filter(|name| name.starts_with("summary_")).collect();
        assert_eq!(summaries.len(), 1, "{names:?}");
        let results = bench.folder().join("results");
        let stamp = summaries[0].trim_start_matches("summary_").trim_end_matches(".md");
        let report_path = results.join(stamp).join("report.json");
        Self {
            summary: fs::read_to_string(results.join(summaries[0])).unwrap(),
            report: serde_json::from_slice(&fs::read(&report_path).unwrap()).unwrap(),
            report_path,
        }
    }

    /// What `verify` says of the record.
    pub fn verify(&self, bench: &Bench) -> Finished {
        bench.run(&["verify", self.report_path.to_str().unwrap()])
    }

    /// Expects `verify` to find nothing against the record.
    pub fn assert_verified(&self, bench: &Bench) {
        let verified = self.verify(bench);
        assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    }

    /// A block, from 0.
    pub fn block(&self, number: usize) -> &Value {
        &self.report["blocks"][number]
    }

    /// A count of a block's totals.
    pub fn count(&self, block: usize, name: &str) -> u64 {
        self.block(block)["totals"][name].as_u64().unwrap()
    }

    /// How many requests of a block failed in this way.
    pub fn failures(&self, block: usize, kind: &str) -> u64 {
        let failures = self.block(block)["totals"]["failures"].as_array().unwrap().iter();
        failures
            .filter(|failure| failure["kind"] == kind)
            .map(|failure| failure["count"].as_u64().unwrap())
            .sum()
    }

    /// Whether this rule speaks against the run. Others may as well, on a machine that is busy with more than one test.
    pub fn is_blamed_by(&self, rule: &str) -> bool {
        let blocks = self.report["blocks"].as_array().unwrap().iter();
        let mut findings = blocks.flat_map(|block| block["findings"].as_array().unwrap());
        findings.any(|finding| finding["rule"] == rule && finding["verdict"] != "valid")
    }
}

/// What is in the results folder; nothing when there is none.
pub fn names(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.folder().join("results")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
