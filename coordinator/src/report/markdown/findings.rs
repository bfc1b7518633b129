//! What speaks against the figures: of each rule a line or two, however many blocks it speaks of.

use super::format::escape;
use super::scenario;
use crate::report::record::{BlockRecord, ResultRecord, RunRecord};
use crate::statistics::verdict::Finding;

/// Where a rule speaks of more results than these, one of them stands for all.
const FEW: usize = 2;

/// Each finding that is to be shown, and what it is about, rule by rule.
pub(super) fn findings(record: &RunRecord) -> Vec<(String, &Finding)> {
    let of_blocks: Vec<(&BlockRecord, &Finding)> = record
        .judged()
        .flat_map(|block| block.findings.iter().map(move |finding| (block, finding)))
        .collect();
    let of_results: Vec<(&ResultRecord, &Finding)> = record
        .results
        .iter()
        .flat_map(|result| result.findings.iter().map(move |finding| (result, finding)))
        .collect();
    let has_levels = ResultRecord::has_levels(record);
    let mut found = Vec::new();
    for alike in by_rule(&of_blocks) {
        found.extend(about_blocks(&alike, has_levels));
    }
    for alike in by_rule(&of_results) {
        found.extend(about_results(&alike, has_levels));
    }
    found
}

/// Those of the same rule and weight together, in the order of the first of each.
fn by_rule<'a, T: Copy>(all: &[(T, &'a Finding)]) -> Vec<Vec<(T, &'a Finding)>> {
    let mut rules: Vec<Vec<(T, &Finding)>> = Vec::new();
    for (about, finding) in all.iter().copied() {
        let is_same = |rule: &&mut Vec<(T, &Finding)>| {
            rule.iter().any(|(_, other)| (&other.rule, other.verdict) == (&finding.rule, finding.verdict))
        };
        match rules.iter_mut().find(is_same) {
            Some(rule) => rule.push((about, finding)),
            None => rules.push(vec![(about, finding)]),
        }
    }
    rules
}

/// The first of those that most is found of.
fn worst<'b, 'a>(found: &[(&'b BlockRecord, &'a Finding)]) -> Option<(&'b BlockRecord, &'a Finding)> {
    let most = found.iter().map(|(block, _)| block.findings.len()).max()?;
    found.iter().copied().find(|(block, _)| block.findings.len() == most)
}

/// Of blocks that differ in their repeat alone the worst is shown, with the numbers of all.
fn about_blocks<'a>(
    found: &[(&'a BlockRecord, &'a Finding)],
    has_levels: bool,
) -> Vec<(String, &'a Finding)> {
    let kind = |block: &'a BlockRecord| (&block.scenario.name, block.arm, block.purpose, &block.load);
    let mut kinds: Vec<Vec<(&BlockRecord, &Finding)>> = Vec::new();
    for (block, finding) in found.iter().copied() {
        let known = kinds.iter_mut().find(|alike| alike.iter().any(|(other, _)| kind(other) == kind(block)));
        match known {
            Some(alike) => alike.push((block, finding)),
            None => kinds.push(vec![(block, finding)]),
        }
    }
    let name = |block: &BlockRecord| match has_levels {
        true => format!("{}, {}", scenario(block), block.load.level()),
        false => scenario(block),
    };
    let numbers = |found: &[(&BlockRecord, &Finding)]| numbers(found.iter().map(|(block, _)| block.number));
    if let (Some((worst, finding)), true) = (worst(found), kinds.len() > FEW) {
        let about = format!("Blocks {}; in block {}, {}", numbers(found), worst.number, name(worst));
        return vec![(about, finding)];
    }
    let line = |alike: Vec<(&BlockRecord, &'a Finding)>| {
        let (worst, finding) = worst(&alike)?;
        let about = match alike.len() {
            1 => format!("Block {}, {}", worst.number, name(worst)),
            _ => format!("Blocks {}, {}; in block {}", numbers(&alike), name(worst), worst.number),
        };
        Some((about, finding))
    };
    kinds.into_iter().filter_map(line).collect()
}

fn about_results<'a>(
    found: &[(&'a ResultRecord, &'a Finding)],
    has_levels: bool,
) -> Vec<(String, &'a Finding)> {
    let name = |result: &ResultRecord| match has_levels {
        true => format!("{}, {}", escape(&result.scenario), result.load.level()),
        false => escape(&result.scenario),
    };
    match found {
        [(first, finding), .., _, _] => {
            vec![(format!("{} results, such as {}", found.len(), name(first)), *finding)]
        }
        few => few.iter().map(|(result, finding)| (name(result), *finding)).collect(),
    }
}

/// Such as `1, 4–7, 9`.
fn numbers(all: impl Iterator<Item = u32>) -> String {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for number in all {
        match spans.last_mut() {
            Some((_, last)) if *last == number || last.checked_add(1) == Some(number) => *last = number,
            _ => spans.push((number, number)),
        }
    }
    let span = |(first, last): (u32, u32)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}–{last}"),
    };
    spans.into_iter().map(span).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_a_span() {
        assert_eq!(numbers([1, 1, 2, 4, 5, 6, 9].into_iter()), "1, 2, 4–6, 9");
        assert_eq!(numbers([].into_iter()), "");
        assert_eq!(numbers([u32::MAX, 0].into_iter()), "4294967295, 0", "as no run counts, but a file may");
    }
}
