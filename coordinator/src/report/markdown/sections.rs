//! The summary in its parts, in the order in which they are read.

use super::groups::Groups;
use super::{
    RunRecord, arms, blocks, capacity, goodput, levels, notes, phases, proof, stages, streams, tables,
    thresholds, visible, workers,
};
use super::{files, head, title, verdict};

/// What is known before the first look is over; what follows it is for a second one.
pub(in crate::report) const NOTES: &str = "Notes";

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
    let groups = &Groups::of(record);
    let sections = [
        beginning(title(record)),
        beginning(verdict(record)),
        beginning(head(record)),
        beginning(tables::latency(record)),
        section("Capacity", capacity::knees(record)),
        section("What the gateway adds", arms::added(record)),
        section(NOTES, Some(notes::notes(groups))),
        section("Thresholds", thresholds::table_of(record)),
        section("Arms", arms::arms(record)),
        section("By level", levels::table_of(record)),
        section("Latency by rate", capacity::curve(record)),
        section("Upstream", arms::upstream(record)),
        section("Load", tables::load(groups)),
        section("Phases", phases::table_of(groups)),
        section("Connections", tables::connections(groups)),
        section("Stages", stages::table_of(groups)),
        section("Failures", tables::failures(groups)),
        section("Streams", streams::table_of(groups)),
        section("Goodput", goodput::table_of(groups)),
        section("Workers", workers::table_of(groups)),
        section("Blocks", blocks::table_of(groups)),
        section("Merge proof", proof::table_of(groups)),
        section("Environment", Some(tables::environment(record))),
        section("Files", Some(files(record))),
        section("Command", Some(format!("    {}", visible(&record.run.command_line)))),
    ];
    sections.into_iter().flatten().collect()
}

fn section(heading: &'static str, content: Option<String>) -> Option<Section> {
    content.map(|content| Section { heading: Some(heading), content })
}
