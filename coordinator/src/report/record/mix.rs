//! A mix: the record of one block holds one for each of its scenarios.

use std::num::NonZeroU32;

use proto::mix::Deal;

use super::{BlockRecord, RunRecord};

impl BlockRecord {
    /// Each scenario's part of a mix, then the whole; without a mix only that.
    pub fn with_parts(&self) -> impl Iterator<Item = &Self> {
        self.parts.iter().chain(Some(self))
    }

    /// Each scenario by itself: the parts of a mix, or the only one.
    pub fn scenarios(&self) -> &[Self] {
        if self.parts.is_empty() { std::slice::from_ref(self) } else { &self.parts }
    }

    /// Whether its scenario, or one of its mix, has bounds that requests were to keep to.
    pub(in crate::report) fn has_goal(&self) -> bool {
        self.scenario.goal.is_some() || self.parts.iter().any(Self::has_goal)
    }

    /// Which scenario of the mix each request was of; `None` where that is no mix, or not known.
    pub(in crate::report) fn deal(&self) -> Option<Deal> {
        let weights = self.parts.iter().map(|part| NonZeroU32::new(part.weight?));
        Deal::new(&weights.collect::<Option<Vec<_>>>()?, self.seed?)
    }
}

impl RunRecord {
    /// All blocks, each behind the parts of its mix.
    pub fn with_parts(&self) -> impl Iterator<Item = &BlockRecord> {
        self.blocks.iter().flat_map(BlockRecord::with_parts)
    }
}
