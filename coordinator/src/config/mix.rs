//! Scenarios that are mixed in one load.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::num::NonZeroU32;

use proto::mix::MAX_PARTS;
use proto::target::HttpVersion;

use super::ConfigError;
use super::error::MixError;
use crate::cli::{Given, RunArgs};
use crate::plan::TOGETHER;
use crate::scenario::Scenario;

/// The arguments with the scenarios of the mix as those of the run, or without the mix: of `--mix` and `--scenario` the one
/// from the greater origin wins, and two from the same are an error.
pub(super) fn settled<'a>(args: &'a RunArgs, given: &Given) -> Result<Cow<'a, RunArgs>, ConfigError> {
    let mix = &args.mixed.mix;
    let (of_mix, of_scenarios) = (given.origin("mix"), given.origin("scenarios"));
    if mix.is_empty() {
        return Ok(Cow::Borrowed(args));
    }
    let place = || given.place("mix").to_owned();
    if of_mix == of_scenarios {
        return Err(ConfigError::Contradiction {
            one: place(),
            other: given.place("scenarios").into(),
            cure: "keep the mix for one load of all, or the scenarios for one after another",
        });
    }
    let mut settled = args.clone();
    if of_mix < of_scenarios {
        settled.mixed.mix.clear();
        return Ok(Cow::Owned(settled));
    }
    settled.scenarios = mix.iter().map(|weighted| weighted.scenario.clone()).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = settled.scenarios.iter().find(|scenario| !seen.insert(*scenario)) {
        return Err(MixError::Twice { place: place(), scenario: twice.clone() }.into());
    }
    match settled.scenarios.as_slice() {
        [scenario] => Err(MixError::OfOne { place: place(), scenario: scenario.clone() }.into()),
        all if all.len() > MAX_PARTS => Err(MixError::OfTooMany { place: place(), parts: all.len() }.into()),
        _ => Ok(Cow::Owned(settled)),
    }
}

/// The weights of the scenarios; empty where they are not mixed.
pub(super) fn weights(args: &RunArgs) -> Vec<NonZeroU32> {
    args.mixed.mix.iter().map(|weighted| weighted.weight).collect()
}

/// Refuses what cannot be mixed.
pub(super) fn check(args: &RunArgs, given: &Given, scenarios: &[Scenario]) -> Result<(), ConfigError> {
    if args.mixed.mix.is_empty() {
        return Ok(());
    }
    let place = || given.place("mix").to_owned();
    if scenarios.iter().any(|scenario| scenario.name == TOGETHER) {
        return Err(MixError::NameIsTaken { place: place() }.into());
    }
    let heads = scenarios.iter().filter(|scenario| scenario.request.method == "HEAD").count();
    if args.http_version != HttpVersion::Http11 && heads != 0 && heads != scenarios.len() {
        return Err(MixError::HeadOverHttp2 { place: place() }.into());
    }
    Ok(())
}

/// What thresholds may name.
pub(super) fn names<'a>(args: &RunArgs, scenarios: &'a [Scenario]) -> Vec<&'a str> {
    let all = (!args.mixed.mix.is_empty()).then_some(TOGETHER);
    scenarios.iter().map(|scenario| scenario.name.as_str()).chain(all).collect()
}
