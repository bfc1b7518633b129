//! The summary in its parts, in the order in which they are read.

use super::{
    RunRecord, arms, capacity, goodput, levels, phases, proof, stages, streams, tables, thresholds, visible,
};
use super::{files, head, notes, title, verdict};

/// A part of the summary.
pub(in crate::report) struct Section {
    /// What it is about; `None` for what stands at the beginning.
    pub(in crate::report) heading: Option<&'static str>,
    content: String,
}

impl Section {
    /// With its heading.
    pub(in crate::report) fn markdown(&self) -> String {
        match self.heading {
            Some(heading) => format!("## {heading}\n\n{}", self.content),
            None => self.content.clone(),
        }
    }
}

/// The summary of a run, as `summary_<timestamp>.md` holds it.
pub fn summary(record: &RunRecord) -> String {
    let sections: Vec<String> = sections(record).iter().map(Section::markdown).collect();
    sections.join("\n\n") + "\n"
}

/// The summary in its parts, in order.
pub(in crate::report) fn sections(record: &RunRecord) -> Vec<Section> {
    let beginning = |content| Some(Section { heading: None, content });
    let sections = [
        beginning(title(record)),
        beginning(verdict(record)),
        beginning(head(record)),
        beginning(tables::latency(record)),
        section("Capacity", capacity::knees(record)),
        section("What the gateway adds", arms::added(record)),
        beginning(notes(record)),
        section("Thresholds", thresholds::table_of(record)),
        section("Arms", arms::arms(record)),
        section("By level", levels::table_of(record)),
        section("Latency by rate", capacity::curve(record)),
        section("Upstream", arms::upstream(record)),
        section("Load", tables::load(record)),
        section("Phases", phases::table_of(record)),
        section("Connections", tables::connections(record)),
        section("Stages", stages::table_of(record)),
        section("Failures", tables::failures(record)),
        section("Streams", streams::table_of(record)),
        section("Goodput", goodput::table_of(record)),
        section("Workers", tables::workers(record)),
        section("Merge proof", proof::table_of(record)),
        section("Environment", Some(tables::environment(record))),
        section("Files", Some(files(record))),
        section("Command", Some(format!("    {}", visible(&record.run.command_line)))),
    ];
    sections.into_iter().flatten().collect()
}

fn section(heading: &'static str, content: Option<String>) -> Option<Section> {
    content.map(|content| Section { heading: Some(heading), content })
}
