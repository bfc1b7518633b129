//! A block of several scenarios, of which each has a weight.

use std::num::NonZeroU32;

use proto::expectation::Expectation;
use proto::mix::MixPart;
use proto::target::Request;

use super::Block;
use crate::scenario::Scenario;

/// How all scenarios of a mix are called where they are looked at together.
pub const TOGETHER: &str = "together";

/// A scenario of a mix.
#[derive(Debug, Clone)]
pub struct Mixed {
    /// What is sent, and what a good answer is.
    pub scenario: Scenario,
    /// So many of as many requests as all weights add up to are of it.
    pub weight: NonZeroU32,
}

/// What stands for all scenarios of a mix; nothing of it is sent.
pub(super) fn together(mix: &[Mixed]) -> Scenario {
    let nothing = || String::new();
    Scenario {
        name: TOGETHER.into(),
        request: Request { method: nothing(), path: nothing(), headers: Vec::new(), body: Vec::new() },
        variety: None,
        expectation: Expectation {
            stream: mix.iter().find_map(|mixed| mixed.scenario.expectation.stream),
            ..Expectation::default()
        },
    }
}

impl Block {
    /// The block of one scenario of the mix.
    pub fn part(&self, mixed: &Mixed) -> Self {
        let Mixed { scenario, weight } = mixed.clone();
        Self { scenario, weight: Some(weight), mix: Vec::new(), ..self.clone() }
    }

    /// A block of each scenario: of those of the mix, or of the only one.
    pub fn parts(&self) -> Vec<Self> {
        if self.mix.is_empty() {
            return vec![self.clone()];
        }
        self.mix.iter().map(|mixed| self.part(mixed)).collect()
    }

    /// As workers are told of the mix.
    pub(super) fn assigned_mix(&self) -> Vec<MixPart> {
        let part = |Mixed { scenario, weight }: &Mixed| MixPart {
            weight: *weight,
            request: scenario.request.clone(),
            expectation: scenario.expectation.clone(),
            variety: scenario.variety.clone(),
        };
        self.mix.iter().map(part).collect()
    }
}
