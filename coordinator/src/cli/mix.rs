//! The flag that mixes scenarios in one load.

use std::num::NonZeroU32;

use clap::Args;
use proto::mix::MAX_WEIGHT;

/// What is mixed.
#[derive(Debug, Clone, Args)]
pub struct MixArgs {
    /// Mix requests of several scenarios in one load, by their weights, in place of --scenario:
    /// simple_chat=7,chat_with_tools=3 sends 7 of one for 3 of the other; repeatable, or separated by commas
    /// [default: each scenario by itself]
    #[arg(long, value_name = "NAME|FILE=WEIGHT", value_parser = weighted, value_delimiter = ',')]
    #[arg(env = "ARCHESTRA_BENCH_MIX", help_heading = super::REQUESTS)]
    pub mix: Vec<Weighted>,
}

/// A scenario and its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighted {
    /// A built-in scenario's name, or a file.
    pub scenario: String,
    /// So many of as many requests as all weights add up to are of it.
    pub weight: NonZeroU32,
}

/// `NAME=WEIGHT`.
fn weighted(text: &str) -> Result<Weighted, String> {
    let text = text.trim();
    let wrong = |problem: String| {
        format!("must be a scenario and its weight, such as simple_chat=7, not `{text}`: {problem}")
    };
    let (scenario, weight) = text.rsplit_once('=').ok_or_else(|| wrong("it has no `=`".into()))?;
    let (scenario, weight) = (scenario.trim(), weight.trim());
    if scenario.is_empty() {
        return Err(wrong("it names no scenario".into()));
    }
    let weight = weight.parse().ok().filter(|weight: &NonZeroU32| weight.get() <= MAX_WEIGHT);
    let weight = weight.ok_or_else(|| wrong(format!("a weight is a whole number from 1 to {MAX_WEIGHT}")))?;
    Ok(Weighted { scenario: scenario.into(), weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_has_a_whole_weight() {
        let read = |text| weighted(text).map(|weighted| (weighted.scenario, weighted.weight.get()));
        assert_eq!(read("simple_chat=7"), Ok(("simple_chat".into(), 7)));
        assert_eq!(read(" a=b.toml = 1000 "), Ok(("a=b.toml".into(), 1_000)));
        for (bad, problem) in [
            ("simple_chat", "it has no `=`"),
            ("=7", "it names no scenario"),
            ("a=0", "a weight is a whole number from 1 to 1000"),
            ("a=1001", "a weight is a whole number from 1 to 1000"),
            ("a=0.5", "a weight is a whole number from 1 to 1000"),
            ("a=-1", "a weight is a whole number from 1 to 1000"),
            ("a=", "a weight is a whole number from 1 to 1000"),
        ] {
            let sentence =
                format!("must be a scenario and its weight, such as simple_chat=7, not `{bad}`: {problem}");
            assert_eq!(read(bad), Err(sentence));
        }
    }
}
