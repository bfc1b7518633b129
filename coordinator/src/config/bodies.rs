//! What makes bodies differ from request to request.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use proto::load::{Arrivals, Extent, Load, Pace};

use super::ConfigError;
use crate::cli::{Given, Origin, RunArgs};
use crate::scenario::{BODIES, DatasetFile, Scenario};

/// How many bodies a template makes, whatever the load: no more than there are requests, and one for each request of a
/// trace.
pub(super) fn number(args: &RunArgs, loads: &[Load], extent: Extent) -> u32 {
    loads.iter().map(|load| number_of(args, load, extent)).max().unwrap_or(BODIES)
}

fn number_of(args: &RunArgs, load: &Load, extent: Extent) -> u32 {
    let bodies = args.body.bodies.map_or(BODIES, NonZeroU32::get);
    let requests = requests(load, extent).map(|requests| u32::try_from(requests).unwrap_or(u32::MAX));
    let is_trace = matches!(load, Load::Open { pace: Pace::Trace(_), .. });
    requests.map_or(bodies, |requests| if is_trace { requests } else { requests.min(bodies) })
}

/// How many requests there will be at most, where that is known.
fn requests(load: &Load, extent: Extent) -> Option<u64> {
    let by_time = match load {
        Load::Open { pace: Pace::Stages(stages), arrivals: Arrivals::Constant, .. } => {
            Some(stages.requests().sum())
        }
        Load::Open { pace: Pace::Steady(rate), arrivals: Arrivals::Constant, .. } => {
            let due = |time: Duration| {
                (u128::from(rate.millihertz()) * time.as_nanos()).div_ceil(1_000_000_000_000)
            };
            extent.duration().and_then(|time| u64::try_from(due(time)).ok())
        }
        Load::Open { .. } | Load::Closed { .. } => None,
    };
    by_time.into_iter().chain(extent.requests().map(NonZeroU64::get)).min()
}

/// The rows of a dataset, unless a trace has rows of its own.
pub(super) fn dataset(
    args: &RunArgs,
    given: &Given,
    is_trace: bool,
) -> Result<Option<DatasetFile>, ConfigError> {
    let of_bodies = ["dataset", "bodies", "input_tokens", "output_tokens"].into_iter();
    let mut beside = of_bodies.filter(|id| is_trace && given.origin(id) == Origin::Flag);
    if let Some(id) = beside.next() {
        return Err(ConfigError::Contradiction {
            one: given.place("trace").into(),
            other: given.place(id).into(),
            cure: "a trace has a row for each request, so leave that out",
        });
    }
    let path = args.body.dataset.as_deref().filter(|_| !is_trace);
    Ok(path.map(DatasetFile::read).transpose()?)
}

/// How long the built-in scenarios' messages are to be; `None` where they come from elsewhere. Of a length and a dataset
/// the one from the greater origin wins, and two from the same are an error.
pub(super) fn input_tokens(args: &RunArgs, given: &Given) -> Result<Option<u32>, ConfigError> {
    let tokens = args.body.input_tokens.map(NonZeroU32::get);
    if tokens.is_none() || args.body.dataset.is_none() {
        return Ok(tokens);
    }
    let (of_tokens, of_dataset) = (given.origin("input_tokens"), given.origin("dataset"));
    if of_tokens == of_dataset {
        return Err(ConfigError::Contradiction {
            one: given.place("input_tokens").into(),
            other: given.place("dataset").into(),
            cure: "the user's message is made of words or comes from the dataset, so leave one of them out",
        });
    }
    Ok(tokens.filter(|_| of_tokens > of_dataset))
}

/// Refuses flags that no scenario has a use for.
pub(super) fn check(args: &RunArgs, given: &Given, scenarios: &[Scenario]) -> Result<(), ConfigError> {
    let is_flag = |id: &str| given.origin(id) == Origin::Flag;
    let of_files = [
        ("input_tokens", "{{ words(500) }} into a scenario file's body"),
        ("output_tokens", "max_tokens into a scenario file's body"),
    ];
    let any_built_in = args.scenarios.iter().any(|name| Scenario::is_built_in(name));
    if let Some((id, cure)) = of_files.into_iter().find(|(id, _)| is_flag(id) && !any_built_in) {
        return Err(ConfigError::NeedsBuiltIn { flag: given.place(id).into(), cure });
    }
    let varieties = || scenarios.iter().filter_map(|scenario| scenario.variety.as_deref());
    if is_flag("bodies") && varieties().next().is_none() {
        return Err(ConfigError::NoTemplate { flag: given.place("bodies").into() });
    }
    if is_flag("dataset") && varieties().all(|variety| variety.dataset.columns.is_empty()) {
        return Err(ConfigError::UnusedDataset { flag: given.place("dataset").into() });
    }
    Ok(())
}
