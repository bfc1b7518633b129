//! What the summary says of a mix.

use super::RunRecord;
use super::format::escape;
use crate::plan::TOGETHER;
use crate::report::record::BlockRecord;

/// Such as `simple_chat 7 : chat_with_tools 3`.
pub(super) fn in_words(block: &BlockRecord) -> Option<String> {
    let part =
        |part: &BlockRecord| format!("{} {}", escape(&part.scenario.name), part.weight.unwrap_or_default());
    let parts: Vec<String> = block.parts.iter().map(part).collect();
    (!parts.is_empty()).then(|| parts.join(" : "))
}

/// What the rows of the tables are.
pub(super) fn note(record: &RunRecord) -> Option<String> {
    let is_mix = record.blocks.iter().any(|block| !block.parts.is_empty());
    is_mix.then(|| {
        format!(
            "The scenarios were mixed in one load. The row `{TOGETHER}` is all of them: its latency is that of their merged \
             histograms, and throughputs are over the same window. Bytes and connections, which they share, are only there."
        )
    })
}
