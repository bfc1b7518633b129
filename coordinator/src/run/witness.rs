//! The upstream's own word: how many completions it was asked for while a block ran. Only this project's mock gives it.

use std::time::Duration;

use proto::expectation::Expectation;
use proto::target::{Request, Target};
use serde::Deserialize;
use tokio::time::timeout;

use crate::merge::Witnessed;
use crate::session::WorkerSession;

/// Where the mock says it.
const PATH: &str = "/archestra-bench/witness";
/// By which it is known to be the mock.
const OBJECT: &str = "archestra-bench.witness";
/// How long the upstream may take. All workers wait for it with the load.
const LIMIT: Duration = Duration::from_secs(2);

/// An upstream that counts, and the worker that asks it: there may be no other way to where it is.
#[derive(Debug)]
pub(super) struct Witness<'a> {
    worker: &'a WorkerSession,
    target: &'a Target,
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
        let witness = Self { worker: workers.first()?, target: upstream? };
        witness.ask().await.map(|_| witness)
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
    fn others_say_nothing() {
        for answer in ["", "{}", "[1]", &said(1).replace("archestra", "another"), &said(1)[..60]] {
            assert_eq!(Testimony::read(answer), None, "{answer}");
        }
    }
}
