//! What a gateway is held against, and how often.

use std::num::NonZeroU32;
use std::time::Duration;

use proto::target::Target;

use super::error::QuestionError;
use super::{ConfigError, Secret};
use crate::cli::{Given, OrderKind, Origin, RunArgs};
use crate::plan::Order;
use crate::scenario::{Scenario, ScenarioOptions};

/// Five pairs, with which an interval of Student's t has four degrees of freedom: 2.8 standard errors to each side.
const PAIRS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
/// For connections to close and queues to empty.
const COOL_DOWN: Duration = Duration::from_millis(500);

/// The upstream, and what it is sent.
#[derive(Debug, Clone)]
pub struct Direct {
    /// Where requests go.
    pub target: Target,
    /// The gateway's, in the same order, with the path, the model, the headers and the key of the upstream.
    pub scenarios: Vec<Scenario>,
    /// The upstream's bearer key, which is never the gateway's.
    pub api_key: Secret,
}

impl Direct {
    /// `options` are the gateway's.
    pub(super) fn new(
        target: Target,
        args: &RunArgs,
        given: &Given,
        options: &ScenarioOptions<'_>,
    ) -> Result<Self, ConfigError> {
        let api_key = Secret::direct_api_key(given)?;
        let arms = &args.arms;
        let options = ScenarioOptions {
            path: &arms.direct_path,
            model: arms.direct_model.as_deref().unwrap_or(&args.model),
            headers: &arms.direct_headers,
            api_key: api_key.expose(),
            is_direct: true,
            ..*options
        };
        let scenarios = Scenario::load_all(&args.scenarios, &options)?;
        Ok(Self { target, scenarios, api_key })
    }
}

/// Refuses flags that mean nothing without an upstream.
pub(super) fn check(given: &Given, is_compared: bool) -> Result<(), ConfigError> {
    let of_direct = ["direct_path", "direct_model", "direct_headers", "order", "identical_prompts"];
    let is_flag = |id: &&str| given.origin(id) == Origin::Flag;
    if let Some(id) = of_direct.into_iter().find(is_flag).filter(|_| !is_compared) {
        return Err(QuestionError::NeedsDirect { flag: given.place(id).into() }.into());
    }
    Ok(())
}

pub(super) fn repeats(args: &RunArgs, is_compared: bool) -> NonZeroU32 {
    args.arms.repeats.unwrap_or(if is_compared { PAIRS } else { NonZeroU32::MIN })
}

pub(super) fn cool_down(args: &RunArgs, is_compared: bool) -> Duration {
    args.arms.cool_down.unwrap_or(if is_compared { COOL_DOWN } else { Duration::ZERO })
}

pub(super) fn order(args: &RunArgs) -> Order {
    match args.arms.order {
        OrderKind::Abba => Order::Abba,
        OrderKind::Random => Order::Random,
    }
}
