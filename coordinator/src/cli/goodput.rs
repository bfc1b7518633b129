//! The flag that says what a request must keep to.

use std::time::Duration;

use clap::Args;
use proto::goal::Goal;

use super::values;
use crate::nearest::question;

/// What a request must keep to.
#[derive(Debug, Clone, Args)]
pub struct GoodputArgs {
    /// What one request must keep to in order to count as good: response<2s (due to last byte), and of streams ttft<300ms
    /// (due to first token) and gap<50ms (mean gap between tokens); the share that keeps to all of them is the goodput;
    /// repeatable, or separated by commas [default: none]
    #[arg(long, value_name = "BOUND", value_parser = bound, value_delimiter = ',')]
    #[arg(env = "ARCHESTRA_BENCH_GOODPUT", help_heading = super::OUTPUT)]
    pub goodput: Vec<GoalBound>,
}

/// One bound of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoalBound {
    of: Bounded,
    most: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bounded {
    Response,
    FirstToken,
    Gap,
}

const BOUNDED: [(&str, Bounded); 3] =
    [("response", Bounded::Response), ("ttft", Bounded::FirstToken), ("gap", Bounded::Gap)];

impl GoodputArgs {
    /// All bounds together; of two for the same the last counts.
    pub fn goal(&self) -> Goal {
        let mut goal = Goal::NONE;
        for bound in &self.goodput {
            let place = match bound.of {
                Bounded::Response => &mut goal.response_time,
                Bounded::FirstToken => &mut goal.time_to_first_token,
                Bounded::Gap => &mut goal.mean_gap,
            };
            *place = Some(bound.most);
        }
        goal
    }
}

/// `ttft<300ms` or `ttft<=300ms`.
fn bound(text: &str) -> Result<GoalBound, String> {
    let text = text.trim();
    let wrong = |why: String| {
        format!("must be a bound such as response<2s, ttft<300ms or gap<50ms, not `{text}`{why}")
    };
    let (name, most) = text.split_once('<').ok_or_else(|| wrong(String::new()))?;
    let known = BOUNDED.into_iter().find(|(known, _)| *known == name.trim());
    let (_, of) = known.ok_or_else(|| wrong(question(name, BOUNDED.map(|(known, _)| known))))?;
    let (most, is_at_most) = most.strip_prefix('=').map_or((most, false), |most| (most, true));
    let most = values::duration(most).map_err(|problem| wrong(format!(": its time {problem}")))?;
    // A nanosecond below, as bounds include themselves.
    let most = if is_at_most { most } else { most.saturating_sub(Duration::from_nanos(1)) };
    if most.is_zero() {
        return Err(wrong(": nothing takes no time".into()));
    }
    Ok(GoalBound { of, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_make_a_goal_and_what_is_none_is_named() {
        let goodput = ["response<=2s", " ttft < 300ms ", "gap<1us", "gap<50ms"]
            .map(|text| bound(text).unwrap())
            .to_vec();
        let nanos = |nanos| Some(Duration::from_nanos(nanos));
        assert_eq!(
            GoodputArgs { goodput }.goal(),
            Goal {
                response_time: nanos(2_000_000_000),
                time_to_first_token: nanos(299_999_999),
                mean_gap: nanos(49_999_999)
            }
        );
        assert!(bound("tfft<1s").unwrap_err().ends_with("not `tfft<1s`; did you mean `ttft`?"));
        for bad in ["", "ttft", "ttft>1s", "ttft<1", "ttft<0s", "p99<1s"] {
            assert!(bound(bad).unwrap_err().starts_with("must be a bound such as"), "{bad}");
        }
    }
}
