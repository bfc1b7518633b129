//! Which rate is tried next.

use std::time::Duration;

use proto::load::Rate;

/// How far a search may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The first rate.
    pub start: Rate,
    /// The highest rate that is tried.
    pub most: Rate,
    /// The search ends when the lowest rate that failed is at most this part above the highest that passed.
    pub precision: f64,
    /// How long the first steps take; later ones take longer.
    pub step: Duration,
    /// How long all steps may take together.
    pub time: Duration,
    /// How many requests all steps may offer together.
    pub requests: u64,
}

/// One rate for one while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is offered.
    pub rate: Rate,
    /// For how long.
    pub duration: Duration,
    /// Why it is tried.
    pub kind: StepKind,
}

/// Why a rate is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Twice the one before, to find a rate that fails.
    Coarse,
    /// Between one that passed and one that failed.
    Fine,
    /// The highest that passed, or the lowest that failed, once more and for longer.
    Confirmation,
}

/// A step, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The step.
    pub step: Step,
    /// Why it failed, in a clause; `None` when it held every objective.
    pub failure: Option<String>,
    /// What of the machines that carry the load made it fail; `None` where the target did, or it held.
    pub limit: Option<Limit>,
    /// Which share of its requests failed, where it failed for that.
    pub failed_share: Option<f64>,
    /// How long a step has to be to tell a queue that grows from answers that take their time.
    pub needs: Duration,
    /// How long it took, with what it takes to begin and to end it.
    pub took: Duration,
    /// How many requests it offered.
    pub offered: u64,
}

/// What keeps the machines that carry the load from carrying more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// An engine thread had no room left.
    Threads,
    /// Something else wanted the cores of the engine threads.
    Cores,
    /// Every connection waited for its answer.
    Connections,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// The highest rate that passes and the lowest that fails are confirmed, and close together.
    Found,
    /// Even the highest allowed rate passed.
    BeyondMost,
    /// Not even the lowest rate passed.
    NothingPasses,
    /// The machines that carry the load could not carry more.
    Generator,
    /// The time, or the requests, were used up.
    OutOfBudget,
}

/// A search under way.
#[derive(Debug, Clone)]
pub struct Search {
    bounds: Bounds,
    tried: Vec<Tried>,
    passed: Option<Mark>,
    failed: Option<Mark>,
    /// The longest that a step needed which held every objective.
    needed: Duration,
}

impl Tried {
    /// Whether it held every objective and was over before the queue could be seen to grow.
    pub fn is_too_short(&self) -> bool {
        self.failure.is_none() && self.step.duration < self.needs
    }

    /// Whether it tells something of the target.
    pub fn is_conclusive(&self) -> bool {
        self.limit.is_none() && !self.is_too_short()
    }
}

/// A rate of which it is known what comes of it.
#[derive(Debug, Clone, Copy)]
struct Mark {
    rate: Rate,
    is_confirmed: bool,
}

/// A step that fails because of the machines that carry the load says nothing of the target, and what else they were busy
/// with may be over soon: so often it is tried before they count as the limit.
pub(super) const ATTEMPTS: usize = 3;
/// Where even the start fails, lower rates are tried down to this part of it.
const LOWEST_SHARE: u64 = 64;
/// How likely a share of failures may be not to show.
const BY_CHANCE: f64 = 0.05;
/// No step that looks for failures takes longer than so many first ones.
const MOST_STEPS: u32 = 10;

impl Search {
    /// Nothing is tried yet.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, tried: Vec::new(), passed: None, failed: None, needed: Duration::ZERO }
    }

    /// Everything that was tried, in order.
    pub fn tried(&self) -> &[Tried] {
        &self.tried
    }

    /// The highest rate that passed.
    pub fn highest_passing(&self) -> Option<Rate> {
        self.passed.map(|mark| mark.rate)
    }

    /// The lowest rate that failed.
    pub fn lowest_failing(&self) -> Option<Rate> {
        self.failed.map(|mark| mark.rate)
    }

    /// What is tried next, or why there is nothing more to try.
    pub fn next(&self) -> Result<Step, Conclusion> {
        let step = self.wanted()?;
        let spent: Duration = self.tried.iter().map(|tried| tried.took).sum();
        let offered = self.tried.iter().fold(0, |sum: u64, tried| sum.saturating_add(tried.offered));
        let to_come = step.rate.per_second() * step.duration.as_secs_f64();
        let is_affordable = spent + step.duration <= self.bounds.time
            && offered as f64 + to_come <= self.bounds.requests as f64;
        match (is_affordable, self.hindered()) {
            (true, _) => Ok(step),
            (false, 0) => Err(Conclusion::OutOfBudget),
            (false, _) => Err(Conclusion::Generator),
        }
    }

    /// Takes in what came of the step that [`Search::next`] said.
    pub fn took(&mut self, tried: Tried) {
        self.tried.push(tried);
        let Some(tried) = self.tried.last() else { return };
        if tried.failure.is_none() {
            self.needed = self.needed.max(tried.needs);
        }
        if !tried.is_conclusive() {
            return;
        }
        let (rate, kind) = (tried.step.rate, tried.step.kind);
        let is_confirmed = kind == StepKind::Confirmation;
        let mark = Mark { rate, is_confirmed };
        if tried.failure.is_none() {
            self.passed = Some(mark);
            // What failed below it failed by chance.
            self.failed = self.failed.filter(|failed| failed.rate > rate);
        } else {
            self.failed = Some(mark);
            self.passed = self.passed.filter(|passed| passed.rate < rate);
            if self.passed.is_none() {
                self.passed = self.highest_below(rate);
            }
        }
    }

    /// How many of the last steps the generator spoilt, which are attempts at one and the same.
    pub fn hindered(&self) -> usize {
        self.tried.iter().rev().take_while(|tried| tried.limit.is_some()).count()
    }

    /// Of those that passed and never failed.
    fn highest_below(&self, rate: Rate) -> Option<Mark> {
        let told = || self.tried.iter().filter(|tried| tried.is_conclusive());
        let has_failed = |rate: Rate| told().any(|tried| tried.step.rate == rate && tried.failure.is_some());
        let passed = told().filter(|tried| tried.failure.is_none());
        let below =
            passed.map(|tried| tried.step.rate).filter(|passed| *passed < rate && !has_failed(*passed));
        below.max().map(|rate| Mark { rate, is_confirmed: false })
    }

    fn wanted(&self) -> Result<Step, Conclusion> {
        if let Some((last, limit)) = self.tried.last().and_then(|last| Some((last, last.limit?))) {
            // There are no more connections the next time.
            let is_over = limit == Limit::Connections || self.hindered() >= ATTEMPTS;
            return if is_over { Err(Conclusion::Generator) } else { Ok(last.step) };
        }
        let step = |rate, kind| Ok(Step { rate, duration: self.duration(kind), kind });
        if let Some(last) = self.tried.last().filter(|tried| tried.is_too_short()) {
            return step(last.step.rate, last.step.kind);
        }
        match (self.passed, self.failed) {
            (None, None) => step(self.bounds.start.min(self.bounds.most), StepKind::Coarse),
            (Some(passed), None) if passed.rate >= self.bounds.most => match passed.is_confirmed {
                true => Err(Conclusion::BeyondMost),
                false => step(passed.rate, StepKind::Confirmation),
            },
            (Some(passed), None) => step(scaled(passed.rate, 2.0).min(self.bounds.most), StepKind::Coarse),
            (None, Some(failed)) => {
                let lower = scaled(failed.rate, 0.5);
                let lowest = self.bounds.start.millihertz() / LOWEST_SHARE;
                let duration = self.duration(StepKind::Coarse).max(self.telling(lower));
                let is_too_low = lower.millihertz() < lowest.max(1) || lower >= failed.rate;
                let is_too_long = duration > self.bounds.step.saturating_mul(MOST_STEPS)
                    && duration > self.needed.saturating_mul(2);
                match is_too_low || is_too_long {
                    true => Err(Conclusion::NothingPasses),
                    false => Ok(Step { rate: lower, duration, kind: StepKind::Coarse }),
                }
            }
            (Some(passed), Some(failed)) => {
                let ratio = failed.rate.per_second() / passed.rate.per_second();
                let between = scaled(passed.rate, ratio.sqrt());
                let is_close =
                    ratio <= 1.0 + self.bounds.precision || between <= passed.rate || between >= failed.rate;
                match (is_close, passed.is_confirmed, failed.is_confirmed) {
                    (false, ..) => step(between, StepKind::Fine),
                    (true, false, _) => step(passed.rate, StepKind::Confirmation),
                    (true, true, false) => step(failed.rate, StepKind::Confirmation),
                    (true, true, true) => Err(Conclusion::Found),
                }
            }
        }
    }

    /// Where no rate has held and requests fail, a lower rate must offer enough of them for as large a share to show: a target
    /// that fails at any rate holds every one that is low enough by chance.
    fn telling(&self, rate: Rate) -> Duration {
        let failed = self.tried.iter().rev().filter(|tried| tried.is_conclusive());
        let Some(share) = failed.filter_map(|tried| tried.failed_share).next() else { return Duration::ZERO };
        let requests = (BY_CHANCE.ln() / (1.0 - share).max(f64::MIN_POSITIVE).ln()).max(0.0);
        Duration::try_from_secs_f64(requests / rate.per_second()).unwrap_or(Duration::MAX)
    }

    /// Steps grow longer towards the knee, where a queue grows slowly, and have half as much again as answers need: where it is
    /// a queue that makes them slow they grow slower still.
    fn duration(&self, kind: StepKind) -> Duration {
        let factor = match kind {
            StepKind::Coarse => 1.0,
            StepKind::Fine => 1.5,
            StepKind::Confirmation => 2.5,
        };
        self.bounds.step.mul_f64(factor).max(self.needed.saturating_mul(3) / 2)
    }
}

fn scaled(rate: Rate, factor: f64) -> Rate {
    let millihertz = (rate.millihertz() as f64 * factor).round() as u64;
    Rate::from_millihertz(millihertz.max(1)).unwrap_or(rate)
}
