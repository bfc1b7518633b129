//! How often each value was seen, in HdrHistogram's slots. Slots are kept in blocks that are there once a value falls into
//! them: the times of one scenario lie close together, and a range that is never used costs nothing.

use super::{HIGHEST_NANOS, LOWEST_NANOS};

/// The layout that follows from the bounds and three digits: values below 2^UNIT_MAGNITUDE share the first slot.
const UNIT_MAGNITUDE: u32 = LOWEST_NANOS.ilog2();
const HALF_MAGNITUDE: u32 = 10;
/// Values up to here have slots of one size; above, slots are twice as large with each power of two.
const EVEN_MASK: u64 = (1 << (UNIT_MAGNITUDE + HALF_MAGNITUDE + 1)) - 1;
/// Up to the power of two above the highest value.
const SLOTS: usize =
    ((HIGHEST_NANOS.ilog2() - UNIT_MAGNITUDE - HALF_MAGNITUDE + 2) as usize) << HALF_MAGNITUDE;
/// A kilobyte each.
const BLOCK_SLOTS: usize = 128;

type Block = [u64; BLOCK_SLOTS];

/// How often each value was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// None at all until there is a value.
    blocks: Vec<Option<Box<Block>>>,
    total: u64,
}

/// The slot of a value.
#[inline]
pub(super) fn slot_of(nanos: u64) -> usize {
    let magnitude = EVEN_MASK.count_ones();
    let doublings = u64::BITS - magnitude - (nanos | EVEN_MASK).leading_zeros();
    ((doublings as usize) << HALF_MAGNITUDE) + (nanos >> (doublings + UNIT_MAGNITUDE)) as usize
}

/// The smallest value of a slot, and how many values it holds.
pub(super) fn range_of(slot: usize) -> (u64, u64) {
    let doublings = (slot >> HALF_MAGNITUDE).saturating_sub(1);
    let within = slot - (doublings << HALF_MAGNITUDE);
    let size = 1u64 << (doublings as u32 + UNIT_MAGNITUDE);
    (within as u64 * size, size)
}

/// The largest value of a slot.
pub(super) fn upper_end(slot: usize) -> u64 {
    let (lowest, size) = range_of(slot);
    lowest + (size - 1)
}

impl Counts {
    /// One more at a slot that there is. Allocates only for a block that had no value before.
    #[inline]
    pub(super) fn count(&mut self, slot: usize) {
        match self.blocks.get_mut(slot / BLOCK_SLOTS) {
            Some(Some(block)) => block[slot % BLOCK_SLOTS] += 1,
            _ => self.block_mut(slot / BLOCK_SLOTS)[slot % BLOCK_SLOTS] = 1,
        }
        self.total += 1;
    }

    /// So many more at a slot; whether there is such a slot.
    pub(super) fn add(&mut self, slot: usize, count: u64) -> bool {
        if slot >= SLOTS {
            return false;
        }
        let there = &mut self.block_mut(slot / BLOCK_SLOTS)[slot % BLOCK_SLOTS];
        *there = there.saturating_add(count);
        self.total = self.total.saturating_add(count);
        true
    }

    /// All that another has.
    pub(super) fn merge(&mut self, other: &Counts) {
        for (number, theirs) in other.used_blocks() {
            let mine = self.block_mut(number);
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
        }
        self.total = self.total.saturating_add(other.total);
    }

    /// Forgets all values and keeps the memory.
    pub(super) fn clear(&mut self) {
        if self.total > 0 {
            self.blocks.iter_mut().flatten().for_each(|block| block.fill(0));
        }
        self.total = 0;
    }

    /// How many values there are.
    #[inline]
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The slots that have values, in order, with how many.
    pub(super) fn used(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> + '_ {
        self.used_blocks().flat_map(|(number, block)| {
            let slots = block.iter().enumerate().filter(|(_, count)| **count > 0);
            slots.map(move |(within, count)| (number * BLOCK_SLOTS + within, *count))
        })
    }

    #[cfg(test)]
    pub(super) fn blocks_held(&self) -> usize {
        self.blocks.iter().flatten().count()
    }

    fn used_blocks(&self) -> impl DoubleEndedIterator<Item = (usize, &Block)> + '_ {
        let there =
            self.blocks.iter().enumerate().filter_map(|(number, block)| Some((number, &**block.as_ref()?)));
        there.filter(|(_, block)| **block != [0; BLOCK_SLOTS])
    }

    #[cold]
    fn block_mut(&mut self, number: usize) -> &mut Block {
        if self.blocks.is_empty() {
            self.blocks.resize(SLOTS / BLOCK_SLOTS, None);
        }
        self.blocks[number].get_or_insert_with(|| Box::new([0; BLOCK_SLOTS]))
    }
}

/// Blocks without a value say nothing.
impl PartialEq for Counts {
    fn eq(&self, other: &Self) -> bool {
        self.total == other.total && self.used().eq(other.used())
    }
}
