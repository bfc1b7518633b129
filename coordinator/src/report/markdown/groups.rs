//! What the rows of tables are about: the blocks of one scenario, load and arm, as one.

use super::format::table;
use super::{block_name, named, scenario};
use crate::plan::{Arm, Purpose};
use crate::report::record::{BlockRecord, LoadRecord, ResultRecord, RunRecord, figures_of};
use crate::statistics::Figures;

/// All blocks of a record, those that differ in their repeat alone put together.
pub(super) struct Groups<'a> {
    pub(super) record: &'a RunRecord,
    /// By scenario, then by level, the lowest first, then by arm.
    all: Vec<Group<'a>>,
    has_levels: bool,
    has_arms: bool,
}

/// Blocks of one scenario (or a mix), arm, load and purpose.
pub(super) struct Group<'a> {
    pub(super) first: &'a BlockRecord,
    /// In the order in which they ran; the first is among them.
    pub(super) blocks: Vec<&'a BlockRecord>,
    /// Of all of them together.
    pub(super) figures: Figures,
}

impl<'a> Groups<'a> {
    pub(super) fn of(record: &'a RunRecord) -> Self {
        let mut alike: Vec<Vec<&BlockRecord>> = Vec::new();
        for block in record.with_parts() {
            match alike.iter_mut().find(|group| group.iter().any(|other| is_alike(other, block))) {
                Some(group) => group.push(block),
                None => alike.push(vec![block]),
            }
        }
        let mut all: Vec<Group<'_>> =
            alike.into_iter().filter_map(|blocks| Group::new(record, blocks)).collect();
        let place = |scenario: &str| record.with_parts().position(|block| block.scenario.name == scenario);
        all.sort_by_key(|group| {
            let BlockRecord { scenario, purpose, load, arm, .. } = group.first;
            let is_check = *purpose == Purpose::QueueingCheck;
            (place(&scenario.name), is_check, height(load), *arm == Arm::Direct)
        });
        Self {
            record,
            all,
            has_levels: ResultRecord::has_levels(record) || !record.capacities.is_empty(),
            has_arms: record.blocks.iter().any(|block| block.arm == Arm::Direct),
        }
    }

    /// Of a mix each of its scenarios, then all of them together.
    pub(super) fn with_parts(&self) -> impl Iterator<Item = &Group<'a>> {
        self.all.iter()
    }

    /// As [`Self::with_parts`], but of a search only the rate that held, where one did.
    pub(super) fn of_results(&self) -> impl Iterator<Item = &Group<'a>> {
        let is_in_result = |group: &Group<'_>| {
            let results = self.record.results.iter();
            let mut of_scenario = results.filter(|result| result.scenario == group.first.scenario.name);
            let first = of_scenario.next();
            first
                .is_none_or(|first| first.holds(group.first) || of_scenario.any(|one| one.holds(group.first)))
        };
        self.all
            .iter()
            .filter(move |group| group.first.purpose != Purpose::CapacityStep || is_in_result(group))
    }

    /// Of a mix all of its scenarios together.
    pub(super) fn whole(&self) -> impl Iterator<Item = &Group<'a>> {
        self.all.iter().filter(|group| group.first.weight.is_none())
    }

    /// Of a mix each of its scenarios.
    pub(super) fn scenarios(&self) -> impl Iterator<Item = &Group<'a>> {
        self.all.iter().filter(|group| group.first.parts.is_empty())
    }

    /// Whether a row is of more than one block. A search has a table of its steps.
    pub(super) fn have_repeats(&self) -> bool {
        self.record.capacities.is_empty() && self.all.iter().any(|group| group.blocks.len() > 1)
    }

    /// A row for each group under what tells it from the others; `left` of the further columns hold words.
    pub(super) fn table<'g>(
        &self,
        left: usize,
        columns: &[&str],
        rows: impl IntoIterator<Item = (&'g Group<'g>, Vec<String>)>,
    ) -> Option<String> {
        let names = self.columns();
        let row = |(group, cells): (&Group<'_>, Vec<String>)| [self.names(group), cells].concat();
        let rows: Vec<_> = rows.into_iter().map(row).collect();
        table(names.len() + left, &[&names, columns].concat(), &rows)
    }

    /// What names a row.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let columns = [("Test Scenario", true), ("Load", self.has_levels), ("Arm", self.has_arms)];
        columns.into_iter().filter_map(|(column, is_told)| is_told.then_some(column)).collect()
    }

    /// The cells under [`Self::columns`].
    pub(super) fn names_of(&self, block: &BlockRecord) -> Vec<String> {
        let cells =
            [(named(block), true), (level(block), self.has_levels), (block.arm.name().into(), self.has_arms)];
        cells.into_iter().filter_map(|(cell, is_told)| is_told.then_some(cell)).collect()
    }

    fn names(&self, group: &Group<'_>) -> Vec<String> {
        // Whichever of its blocks was cut short.
        let cut = group.blocks.iter().find(|block| block.interrupted);
        self.names_of(cut.copied().unwrap_or(group.first))
    }

    /// How sentences name a group.
    pub(super) fn in_words(&self, group: &Group<'_>) -> String {
        let name = scenario(group.first);
        match group.blocks.as_slice() {
            [only] => block_name(only),
            _ if self.has_levels => format!("{name}, {}", level(group.first)),
            _ => name,
        }
    }
}

impl<'a> Group<'a> {
    /// `None` without a block.
    fn new(record: &RunRecord, blocks: Vec<&'a BlockRecord>) -> Option<Self> {
        let first = *blocks.first()?;
        let numbers = || blocks.iter().map(|block| block.number);
        let arms = record.results.iter().filter(|result| result.scenario == first.scenario.name);
        let arms = arms.flat_map(|result| std::iter::once(&result.gateway).chain(&result.direct));
        let known = arms.into_iter().find(|arm| arm.blocks.iter().copied().eq(numbers()));
        let figures = match (known, blocks.as_slice()) {
            (_, [only]) => only.figures.clone(),
            (Some(arm), _) => arm.figures.clone(),
            // A record whose histograms cannot be read has been refused by whoever read it.
            (None, _) => figures_of(&blocks).ok().flatten().unwrap_or_else(|| first.figures.clone()),
        };
        Some(Self { first, blocks, figures })
    }

    /// A sum over its blocks.
    pub(super) fn sum(&self, of: impl Fn(&BlockRecord) -> u64) -> u64 {
        self.blocks.iter().map(|block| of(block)).fold(0, u64::saturating_add)
    }
}

fn is_alike(one: &BlockRecord, other: &BlockRecord) -> bool {
    one.scenario.name == other.scenario.name
        && (one.arm, one.purpose, one.weight) == (other.arm, other.purpose, other.weight)
        && one.load == other.load
}

fn level(block: &BlockRecord) -> String {
    block.load.level()
}

/// Larger for a higher load of the same kind.
fn height(load: &LoadRecord) -> u64 {
    match load {
        LoadRecord::Closed { concurrency, .. } => (*concurrency).into(),
        LoadRecord::Open { rate_millihertz, .. } => rate_millihertz.unwrap_or_default(),
    }
}

/// The results by scenario, then by level, the lowest first.
pub(super) fn by_level(record: &RunRecord) -> Vec<&ResultRecord> {
    let place = |scenario: &str| record.results.iter().position(|result| result.scenario == scenario);
    let mut results: Vec<&ResultRecord> = record.results.iter().collect();
    results.sort_by_key(|result| (place(&result.scenario), height(&result.load)));
    results
}
