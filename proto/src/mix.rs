//! A mix: requests of several scenarios in one block, and which of them a request is of. Pure, in whole numbers.
//!
//! The fleet's requests are dealt in cycles of as many as the weights add up to. Each cycle holds each scenario as often as
//! its weight says, as evenly as smooth weighted round-robin spreads it. The seed draws where in that order each cycle
//! begins: were it always the same place, every second request of a mix of 1 to 1 would be of one scenario, and so all that
//! one of two workers sends. (Places that are spread evenly, by the golden ratio, fall into step with some worker as well.)

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::assignment::Assignment;
use crate::expectation::Expectation;
use crate::random::{below, mix};
use crate::target::{HttpVersion, Request};
use crate::variety::Variety;
use crate::{InvalidMessage, wire};

/// The most scenarios of a mix.
pub const MAX_PARTS: usize = 16;
/// The largest weight.
pub const MAX_WEIGHT: u32 = 1_000;

/// One scenario of a mix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MixPart {
    /// So many of as many requests as all weights add up to are of it.
    pub weight: NonZeroU32,
    /// What is sent.
    pub request: Request,
    /// What a good answer is.
    pub expectation: Expectation,
    /// Bodies that differ, in place of the request's own.
    pub variety: Option<Arc<Variety>>,
}

/// What is sent of one scenario, and what a good answer is.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// What is sent.
    pub request: &'a Request,
    /// What a good answer is.
    pub expectation: &'a Expectation,
    /// Bodies that differ, in place of the request's own.
    pub variety: Option<&'a Variety>,
}

impl Assignment {
    /// What is sent: of the one scenario, or of each of a mix.
    pub fn sent(&self) -> Vec<Sent<'_>> {
        let Self { request, expectation, variety, mix, .. } = self;
        if mix.is_empty() {
            return vec![Sent { request, expectation, variety: variety.as_deref() }];
        }
        let part = |part| {
            let MixPart { request, expectation, variety, .. }: &MixPart = part;
            Sent { request, expectation, variety: variety.as_deref() }
        };
        mix.iter().map(part).collect()
    }

    /// Which scenario of a mix each request is of; `None` for no mix.
    pub fn deal(&self) -> Option<Deal> {
        let weights: Vec<NonZeroU32> = self.mix.iter().map(|part| part.weight).collect();
        Deal::new(&weights, self.seed)
    }
}

/// Which scenario each of the fleet's requests is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// The order of a cycle.
    order: Arc<[u8]>,
    /// Where each cycle begins within it follows from this.
    seed: u64,
}

impl Deal {
    /// `None` unless there are 2 to [`MAX_PARTS`] weights, each at most [`MAX_WEIGHT`].
    pub fn new(weights: &[NonZeroU32], seed: u64) -> Option<Self> {
        let fit = weights.iter().all(|weight| weight.get() <= MAX_WEIGHT);
        if !(2..=MAX_PARTS).contains(&weights.len()) || !fit {
            return None;
        }
        let common = weights.iter().fold(0, |common, weight| greatest_common_divisor(common, weight.get()));
        let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight.get() / common)).collect();
        Some(Self { order: smooth(&weights), seed: mix(seed) })
    }

    /// Which scenario the fleet's request `number` is of, from 0.
    #[inline]
    pub fn part(&self, number: u64) -> usize {
        let length = self.order.len() as u64;
        let (cycle, place) = (number / length, number % length);
        let begin = below(length, mix(self.seed ^ cycle));
        let at = place + begin;
        self.order[if at < length { at } else { at - length } as usize].into()
    }

    /// After so many requests the order begins again, at another place.
    pub fn cycle(&self) -> u64 {
        self.order.len() as u64
    }

    /// How many of the fleet's requests `from..to` are of this scenario.
    pub fn between(&self, part: usize, from: u64, to: u64) -> u64 {
        self.before(part, to).saturating_sub(self.before(part, from))
    }

    fn before(&self, part: usize, end: u64) -> u64 {
        let length = self.order.len() as u64;
        let of_cycle = self.order.iter().filter(|of| usize::from(**of) == part).count() as u64;
        let rest = (end - end % length..end).filter(|number| self.part(*number) == part).count() as u64;
        end / length * of_cycle + rest
    }
}

fn greatest_common_divisor(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { greatest_common_divisor(other, one % other) }
}

/// Smooth weighted round-robin, as nginx has it: each turn everyone gains their weight, and who has the most is next and
/// pays what all gained.
fn smooth(weights: &[i64]) -> Arc<[u8]> {
    let all: i64 = weights.iter().sum();
    let mut credit = vec![0; weights.len()];
    let turn = |_| {
        credit.iter_mut().zip(weights).for_each(|(credit, weight)| *credit += weight);
        let mut next = 0;
        for (part, held) in credit.iter().enumerate() {
            if *held > credit[next] {
                next = part;
            }
        }
        credit[next] -= all;
        next as u8
    };
    (0..all).map(turn).collect()
}

/// Checks what types cannot. Over HTTP/2 a connection is for answers with a body or for those without.
pub(crate) fn check(mix: &[MixPart], http_version: HttpVersion) -> Result<(), InvalidMessage> {
    if mix.is_empty() {
        return Ok(());
    }
    let weights: Vec<NonZeroU32> = mix.iter().map(|part| part.weight).collect();
    if Deal::new(&weights, 0).is_none() {
        let problem =
            format!("is of one scenario, of more than {MAX_PARTS}, or has a weight beyond {MAX_WEIGHT}");
        return Err(InvalidMessage::new("assignment.mix", problem));
    }
    let heads = mix.iter().filter(|part| part.request.method == "HEAD").count();
    if http_version != HttpVersion::Http11 && heads != 0 && heads != mix.len() {
        return Err(InvalidMessage::new("assignment.mix", "mixes HEAD with other methods over HTTP/2"));
    }
    Ok(())
}

impl From<&MixPart> for wire::MixPart {
    fn from(part: &MixPart) -> Self {
        wire::MixPart {
            weight: part.weight.get(),
            request: Some((&part.request).into()),
            expectation: Some((&part.expectation).into()),
            variety: part.variety.as_deref().map(Into::into),
        }
    }
}

impl TryFrom<wire::MixPart> for MixPart {
    type Error = InvalidMessage;

    fn try_from(wire: wire::MixPart) -> Result<Self, InvalidMessage> {
        Ok(Self {
            weight: NonZeroU32::new(wire.weight).ok_or(InvalidMessage::new("mix.weight", "is 0"))?,
            request: wire.request.ok_or(InvalidMessage::missing("mix.request"))?.try_into()?,
            expectation: wire.expectation.unwrap_or_default().try_into()?,
            variety: wire.variety.map(Variety::try_from).transpose()?.map(Arc::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::Share;
    use proptest::prelude::*;

    fn deal(weights: &[u32], seed: u64) -> Deal {
        let weights: Vec<NonZeroU32> =
            weights.iter().map(|weight| NonZeroU32::new(*weight).unwrap()).collect();
        Deal::new(&weights, seed).unwrap()
    }

    #[test]
    fn a_cycle_is_as_even_as_it_can_be() {
        assert_eq!(*smooth(&[7, 3]), [0, 1, 0, 0, 0, 1, 0, 0, 1, 0][..]);
        assert_eq!(*smooth(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0][..]);
        assert_eq!(deal(&[700, 300], 1), deal(&[7, 3], 1));
    }

    #[test]
    fn what_is_no_mix_is_none() {
        let weights = |weights: &[u32]| {
            let weights: Vec<NonZeroU32> =
                weights.iter().filter_map(|weight| NonZeroU32::new(*weight)).collect();
            Deal::new(&weights, 0).is_some()
        };
        assert!(weights(&[1, 1]) && weights(&[1; MAX_PARTS]) && weights(&[MAX_WEIGHT, 1]));
        assert!(!weights(&[]) && !weights(&[1]) && !weights(&[1; MAX_PARTS + 1]));
        assert!(!weights(&[MAX_WEIGHT + 1, 1]));
    }

    fn part(weight: u32, method: &str) -> MixPart {
        let weight = NonZeroU32::new(weight).unwrap();
        let request =
            Request { method: method.into(), path: "/".into(), headers: Vec::new(), body: Vec::new() };
        MixPart { weight, request, expectation: Expectation::default(), variety: None }
    }

    #[test]
    fn a_mix_survives_the_wire() {
        let part = part(7, "POST");
        assert_eq!(MixPart::try_from(wire::MixPart::from(&part)), Ok(part.clone()));
        let weightless = wire::MixPart { weight: 0, ..(&part).into() };
        assert_eq!(MixPart::try_from(weightless).unwrap_err().field, "mix.weight");
    }

    #[test]
    fn what_cannot_be_mixed_is_refused() {
        let of = |methods: &[&str]| methods.iter().map(|method| part(1, method)).collect::<Vec<_>>();
        let is_fine = |methods: &[&str], version| check(&of(methods), version).is_ok();
        assert!(is_fine(&[], HttpVersion::Http2) && is_fine(&["HEAD", "HEAD"], HttpVersion::Http2));
        assert!(is_fine(&["HEAD", "POST"], HttpVersion::Http11));
        assert!(!is_fine(&["HEAD", "POST"], HttpVersion::Auto) && !is_fine(&["POST"], HttpVersion::Http11));
    }

    proptest! {
        #[test]
        fn each_cycle_holds_each_scenario_as_often_as_its_weight_says(
            weights in prop::collection::vec(1u32..30, 2..6), seed: u64, cycle in 0u64..1 << 40,
        ) {
            let deal = deal(&weights, seed);
            let common = weights.iter().fold(0, |common, weight| greatest_common_divisor(common, *weight));
            let length = u64::from(weights.iter().sum::<u32>() / common);
            let numbers = cycle * length..(cycle + 1) * length;
            for (part, weight) in weights.iter().enumerate() {
                let dealt = numbers.clone().filter(|number| deal.part(*number) == part).count();
                prop_assert_eq!(dealt as u32, weight / common);
                prop_assert_eq!(deal.between(part, numbers.start, numbers.end), dealt as u64);
            }
        }

        #[test]
        fn whoever_sends_them_the_shares_add_up(
            weights in prop::collection::vec(1u32..30, 2..6), seed: u64, total in 0u64..600, workers in 1u32..9,
        ) {
            let deal = deal(&weights, seed);
            let mut dealt = vec![0; weights.len()];
            for share in (0..workers).filter_map(|index| Share::new(index, workers)) {
                (0..share.of(total)).for_each(|n| dealt[deal.part(share.item(n))] += 1);
            }
            let expected: Vec<u64> = (0..weights.len()).map(|part| deal.between(part, 0, total)).collect();
            prop_assert_eq!(&dealt, &expected);
            prop_assert_eq!(dealt.iter().sum::<u64>(), total);
        }

        #[test]
        fn no_worker_is_left_with_a_mix_of_its_own(
            weights in prop::collection::vec(1u32..12, 2..4), seed: u64, workers in 1u32..13,
        ) {
            const MANY: u64 = 6_000;
            let (deal, workers_f) = (deal(&weights, seed), f64::from(workers));
            let (all, cycle) = (f64::from(weights.iter().sum::<u32>()), deal.cycle() as f64);
            for share in (0..workers).filter_map(|index| Share::new(index, workers)) {
                for (part, weight) in weights.iter().enumerate() {
                    let dealt = (0..MANY).filter(|n| deal.part(share.item(*n)) == part).count() as f64;
                    let portion = f64::from(*weight) / all;
                    // At worst all that a worker has of one cycle is of one scenario. Six standard deviations.
                    let variance = MANY as f64 * portion * (1.0 - portion) * (cycle / workers_f).max(1.0);
                    let wanted = MANY as f64 * portion;
                    prop_assert!((dealt - wanted).abs() < 6.0 * variance.sqrt() + cycle, "{dealt} and not {wanted}");
                }
            }
        }
    }
}
