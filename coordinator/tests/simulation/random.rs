//! Numbers that look random and follow from a seed.

use std::f64::consts::TAU;

use proto::random::mix;

/// A sequence of random numbers.
#[derive(Debug)]
pub struct Random {
    seed: u64,
    drawn: u64,
    /// The second number of a pair of normal ones.
    spare: Option<f64>,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { seed: mix(seed), drawn: 0, spare: None }
    }

    /// Above 0, at most 1.
    pub fn uniform(&mut self) -> f64 {
        self.drawn += 1;
        ((mix(self.seed.wrapping_add(self.drawn)) >> 11) as f64 + 1.0) / (1u64 << 53) as f64
    }

    /// With mean 0 and standard deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (radius, angle) = ((-2.0 * self.uniform().ln()).sqrt(), TAU * self.uniform());
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }
}

/// Normal numbers of which each follows the one before it: an autoregressive process of the first order.
#[derive(Debug)]
pub struct Correlated {
    correlation: f64,
    last: f64,
}

impl Correlated {
    pub fn new(correlation: f64, random: &mut Random) -> Self {
        Self { correlation, last: random.normal() }
    }

    pub fn next(&mut self, random: &mut Random) -> f64 {
        let fresh = (1.0 - self.correlation * self.correlation).sqrt();
        self.last = self.correlation * self.last + fresh * random.normal();
        self.last
    }
}
