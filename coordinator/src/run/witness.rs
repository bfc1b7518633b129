//! The upstream's own word: how many completions it was asked for while a block ran. Only this project's mock gives it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proto::expectation::Expectation;
use proto::target::{Request, Target};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use crate::merge::Witnessed;
use crate::session::WorkerSession;

/// Where the mock says it.
const PATH: &str = "/archestra-bench/witness";
/// By which it is known to be the mock.
const OBJECT: &str = "archestra-bench.witness";
/// How long the upstream may take. All workers wait for it with the load.
const LIMIT: Duration = Duration::from_secs(2);
/// Between two looks at whether it is still asked for what was given up: longer than a gateway takes to ask for the next.
const SHORTEST_LOOK: Duration = Duration::from_millis(250);
/// Where answers take longer than half of it.
const LONGEST_LOOK: Duration = Duration::from_millis(1_500);
/// How long that may go on. All workers wait for it, with connections that nobody uses.
const STILL_LIMIT: Duration = Duration::from_secs(3);

/// An upstream that counts, and the worker that asks it: there may be no other way to where it is.
#[derive(Debug)]
pub(super) struct Witness<'a> {
    worker: &'a WorkerSession,
    target: &'a Target,
    /// Whether a gateway may still hold requests that an earlier block gave up.
    is_owed: AtomicBool,
}

/// What it has seen since it began.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Testimony {
    object: String,
    requests: u64,
    answered: u64,
    service_time_ns: u64,
}

impl<'a> Witness<'a> {
    /// `None` where there is no upstream beside the gateway, or it is not the mock.
    pub(super) async fn find(workers: &'a [WorkerSession], upstream: Option<&'a Target>) -> Option<Self> {
        let witness = Self { worker: workers.first()?, target: upstream?, is_owed: AtomicBool::new(false) };
        witness.ask().await.map(|_| witness)
    }

    /// What it has seen when a load is about to begin. Where requests were given up, a gateway may ask for them yet: their
    /// counts would be taken for the next block's, so that it is waited for until none comes any more.
    ///
    /// # Errors
    /// Why nothing can be held against what comes next, in a clause.
    pub(super) async fn before(&self, has_given_up: bool) -> Result<Option<Testimony>, String> {
        let is_owed = self.is_owed.load(Ordering::Relaxed) || has_given_up;
        let Some(mut seen) = self.ask().await else { return Ok(None) };
        let mut waited = Duration::ZERO;
        let mut is_still = !is_owed;
        while !is_still && waited < STILL_LIMIT {
            let look = seen.look();
            sleep(look).await;
            waited += look;
            let Some(now) = self.ask().await else { return Ok(None) };
            is_still = (now.requests, now.answered) == (seen.requests, seen.answered);
            seen = now;
        }
        self.is_owed.store(!is_still, Ordering::Relaxed);
        is_still.then_some(Some(seen)).ok_or_else(|| {
            format!(
                "requests that had been given up still came to the upstream {} s after its warm-up",
                STILL_LIMIT.as_secs()
            )
        })
    }

    /// A block has ended, and whether it gave requests up.
    pub(super) fn after(&self, has_given_up: bool) {
        self.is_owed.fetch_or(has_given_up, Ordering::Relaxed);
    }

    /// `None` when it does not say.
    pub(super) async fn ask(&self) -> Option<Testimony> {
        let request =
            Request { method: "GET".into(), path: PATH.into(), headers: Vec::new(), body: Vec::new() };
        let expectation = Expectation { status: Some(200), ..Expectation::default() };
        let probing = self.worker.probe(self.target, &request, &expectation, LIMIT);
        let probed = timeout(LIMIT, probing).await.ok()?.ok()?;
        probed.failure.is_none().then(|| Testimony::read(&probed.answer_start))?
    }
}

impl Testimony {
    fn read(answer: &str) -> Option<Self> {
        serde_json::from_str(answer).ok().filter(|said: &Self| said.object == OBJECT)
    }

    /// Twice as long as an answer takes it, so that what is in hand has an end meanwhile.
    fn look(&self) -> Duration {
        let mean = Duration::from_nanos(self.service_time_ns.checked_div(self.answered).unwrap_or_default());
        mean.saturating_mul(2).clamp(SHORTEST_LOOK, LONGEST_LOOK)
    }

    /// What it saw since `before`; `None` when it began anew meanwhile.
    pub(super) fn since(&self, before: &Self) -> Option<Witnessed> {
        Some(Witnessed {
            requests: self.requests.checked_sub(before.requests)?,
            answered: self.answered.checked_sub(before.answered)?,
            service_time: Duration::from_nanos(self.service_time_ns.checked_sub(before.service_time_ns)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(requests: u64) -> String {
        format!(
            r#"{{"object":"archestra-bench.witness","requests":{requests},"of_load":0,"answered":{requests},"service_time_ns":{}}}"#,
            requests * 5_000
        )
    }

    #[test]
    fn what_was_seen_in_between_is_what_counts() {
        let [before, after] = [40, 140].map(|requests| Testimony::read(&said(requests)).unwrap());
        let witnessed = Witnessed { requests: 100, answered: 100, service_time: Duration::from_micros(500) };
        assert_eq!(after.since(&before), Some(witnessed));
        assert_eq!(before.since(&after), None, "it was started anew");
    }

    #[test]
    fn a_look_takes_as_long_as_the_upstream_needs() {
        let look = |mean_ns: u64| {
            let (object, requests, answered) = (OBJECT.into(), 10, 10);
            Testimony { object, requests, answered, service_time_ns: 10 * mean_ns }.look()
        };
        assert_eq!(look(5_000_000), SHORTEST_LOOK);
        assert_eq!(look(400_000_000), Duration::from_millis(800));
        assert_eq!(look(60_000_000_000), LONGEST_LOOK);
        assert_eq!(Testimony::read(&said(0)).unwrap().look(), SHORTEST_LOOK);
    }

    #[test]
    fn others_say_nothing() {
        for answer in ["", "{}", "[1]", &said(1).replace("archestra", "another"), &said(1)[..60]] {
            assert_eq!(Testimony::read(answer), None, "{answer}");
        }
    }
}
