//! What makes bodies differ from request to request.

use std::num::NonZeroU32;

use proto::load::Extent;

use super::ConfigError;
use crate::cli::{Given, Origin, RunArgs};
use crate::scenario::{BODIES, Scenario};

/// How many bodies a template makes: no more than there are requests.
pub(super) fn number(args: &RunArgs, extent: Extent) -> u32 {
    let bodies = args.body.bodies.map_or(BODIES, NonZeroU32::get);
    let requests = extent.requests().and_then(|requests| u32::try_from(requests.get()).ok());
    requests.map_or(bodies, |requests| requests.min(bodies))
}

/// Refuses flags that no scenario has a use for.
pub(super) fn check(given: &Given, scenarios: &[Scenario]) -> Result<(), ConfigError> {
    let is_flag = |id: &str| given.origin(id) == Origin::Flag;
    let varieties = || scenarios.iter().filter_map(|scenario| scenario.variety.as_deref());
    if is_flag("bodies") && varieties().next().is_none() {
        return Err(ConfigError::NoTemplate { flag: given.place("bodies").into() });
    }
    if is_flag("dataset") && varieties().all(|variety| variety.dataset.columns.is_empty()) {
        return Err(ConfigError::UnusedDataset { flag: given.place("dataset").into() });
    }
    Ok(())
}
