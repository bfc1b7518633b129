//! One request per scenario from every worker, before the load: a wrong target, key or path is found here.

use std::time::Duration;

use proto::outcome::{Failure, FailureKind};
use proto::route::Route;
use proto::target::{HttpVersion, Target};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::config::Redactor;
use crate::plan::{Arm, Block};
use crate::session::{Probed, SessionError, WorkerSession};

/// How often a target that may recover is tried.
const TRIES: u32 = 3;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// A target that will not answer the load any better.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// The answer shows that something is wrong.
    #[error("{0}")]
    Refused(String),
    /// A worker could not send its request.
    #[error(transparent)]
    Worker(#[from] SessionError),
}

/// What to do about one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judgement {
    Good,
    /// It may be better in a moment.
    TryAgain,
    /// It will not get better.
    Stop,
}

/// Probes each block's target from each worker, all workers at once. Returns what is worth a warning.
///
/// # Errors
/// The first answer that shows that something is wrong.
pub async fn preflight(
    workers: &[WorkerSession],
    blocks: &[Block],
    redactor: &Redactor,
) -> Result<Vec<String>, PreflightError> {
    let mut warnings = Vec::new();
    let parts: Vec<Block> = blocks.iter().flat_map(Block::parts).collect();
    let mut probed: Vec<(Arm, &str)> = Vec::new();
    for block in &parts {
        if probed.contains(&(block.arm, &block.scenario.name)) {
            continue;
        }
        probed.push((block.arm, &block.scenario.name));
        let mut probes = JoinSet::new();
        for worker in workers {
            probes.spawn(probe(worker.clone(), block.clone(), redactor.clone()));
        }
        let mut found = Vec::new();
        while let Some(probed) = probes.join_next().await {
            // A probe that panicked or was aborted has said nothing, and there are none of either.
            if let Ok((number, warning)) = probed {
                found.extend(warning?.map(|warning| (number, warning)));
            }
        }
        found.sort();
        warnings.extend(found.into_iter().map(|(_, warning)| warning));
    }
    Ok(warnings)
}

async fn probe(
    worker: WorkerSession,
    block: Block,
    redactor: Redactor,
) -> (u32, Result<Option<String>, PreflightError>) {
    let number = worker.access.number;
    for attempt in 1.. {
        let scenario = &block.scenario;
        let probed = match worker
            .probe(&block.target, &scenario.request, &scenario.expectation, block.timeout)
            .await
        {
            Ok(probed) => probed,
            Err(error) => return (number, Err(error.into())),
        };
        match judge(&probed) {
            Judgement::Good => break,
            Judgement::TryAgain if attempt < TRIES => sleep(PAUSE).await,
            Judgement::TryAgain => return (number, Ok(Some(sentence(number, &block, &probed, &redactor)))),
            Judgement::Stop => {
                return (number, Err(PreflightError::Refused(sentence(number, &block, &probed, &redactor))));
            }
        }
    }
    (number, Ok(None))
}

fn judge(probed: &Probed) -> Judgement {
    let Some(failure) = &probed.failure else { return Judgement::Good };
    match (failure.kind, failure.status) {
        (FailureKind::Timeout, _) | (FailureKind::Status, Some(429 | 500..)) => Judgement::TryAgain,
        // A server that is just starting may close connections, or refuse streams.
        (FailureKind::Reset | FailureKind::Refused, _) => Judgement::TryAgain,
        _ => Judgement::Stop,
    }
}

/// A target may answer with what it was sent.
fn sentence(worker: u32, block: &Block, probed: &Probed, redactor: &Redactor) -> String {
    let failure = probed.failure.as_ref().map_or_else(String::new, in_words);
    let answer = match probed.answer_start.as_str() {
        "" => String::new(),
        start => format!("; the answer begins: {}", redactor.cut_text(start)),
    };
    let joint = if matches!(block.target.route, Route::UnixSocket(_)) { ", path " } else { "" };
    redactor.text(&format!(
        "the preflight of {} from worker {worker} to {}{joint}{} failed: {failure} ({}){answer}",
        block.scenario.name,
        block.target.shown(),
        redactor.url(&block.scenario.request.path),
        cure(probed, &block.target, block.arm),
    ))
}

fn in_words(failure: &Failure) -> String {
    match (failure.kind, failure.status) {
        (FailureKind::Status, Some(status)) => format!("status {status}"),
        (FailureKind::Body, _) => format!("an answer that the scenario does not expect, {}", failure.detail),
        (FailureKind::Connect, _) => format!("no connection, {}", failure.detail),
        (FailureKind::Timeout, _) => format!("no answer in time, {}", failure.detail),
        (kind, _) => format!("{kind}, {}", failure.detail),
    }
}

fn cure(probed: &Probed, target: &Target, arm: Arm) -> &'static str {
    let Some(failure) = &probed.failure else { return "" };
    match (failure.kind, failure.status) {
        _ if arm == Arm::Gateway => {}
        (FailureKind::Status, Some(401 | 403)) => return "check the upstream's key in DIRECT_API_KEY",
        (FailureKind::Status, Some(300..=399)) => {
            return "redirects are not followed: give --direct and --direct-path of where it leads";
        }
        (FailureKind::Status, Some(404 | 405)) => return "check --direct and --direct-path",
        (FailureKind::Status, Some(400 | 422)) => {
            return "check --direct-path, --direct-model and the scenario's body";
        }
        (FailureKind::Connect, _) => {
            return "check --direct, and that the upstream runs and can be reached from the worker";
        }
        (FailureKind::Body | FailureKind::Truncated, _) => {
            return "check --direct-path and what the scenario expects";
        }
        _ => {}
    }
    match (failure.kind, failure.status) {
        (FailureKind::Status, Some(401 | 403)) => "check the key in ARCHESTRA_BENCHMARK_API_KEY",
        (FailureKind::Status, Some(300..=399)) => {
            "redirects are not followed: give --target and --path of where it leads"
        }
        (FailureKind::Status, Some(404 | 405)) => "check --target and --path",
        (FailureKind::Status, Some(400 | 422)) => "check --path, --model and the scenario's body",
        (FailureKind::Status, Some(429)) => "the target limits the rate: raise its limit or lower the load",
        (FailureKind::Status, _) => "look into the target's own log",
        (FailureKind::Connect, _) => {
            "check --target, and that the target runs and can be reached from the worker"
        }
        (FailureKind::Tls, _) => {
            "check that the target speaks TLS, --target-ca, and what it wants to be shown (--tls-client-certificate)"
        }
        (FailureKind::Timeout, _) => "raise --timeout, or look into the target's own log",
        (FailureKind::Body | FailureKind::Truncated, _) => "check --path and what the scenario expects",
        (FailureKind::Refused, _) => "look into the target's own log",
        (FailureKind::Reset | FailureKind::Protocol, _) => match target.http_version {
            HttpVersion::Http2 => "check that --target speaks HTTP/2, or give --http-version 1.1",
            _ if target.is_tls() => "check that --target is an HTTP/1.1 server",
            HttpVersion::Http11 | HttpVersion::Auto => {
                "check that --target is an HTTP/1.1 server, and not one that wants https:// or --http-version 2"
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(kind: FailureKind, status: Option<u16>) -> Judgement {
        let failure = Some(Failure { kind, status, detail: String::new() });
        judge(&Probed { failure, status, answer_start: String::new() })
    }

    #[test]
    fn what_may_recover_is_tried_again_and_what_will_not_stops_at_once() {
        for status in [429, 500, 502, 503, 504] {
            assert_eq!(judged(FailureKind::Status, Some(status)), Judgement::TryAgain, "{status}");
        }
        for status in [301, 400, 401, 403, 404, 422] {
            assert_eq!(judged(FailureKind::Status, Some(status)), Judgement::Stop, "{status}");
        }
        assert_eq!(judged(FailureKind::Timeout, None), Judgement::TryAgain);
        for kind in [FailureKind::Connect, FailureKind::Tls, FailureKind::Body, FailureKind::Protocol] {
            assert_eq!(judged(kind, None), Judgement::Stop, "{kind}");
        }
        assert_eq!(
            judge(&Probed { failure: None, status: Some(200), answer_start: String::new() }),
            Judgement::Good
        );
    }

    #[test]
    fn redirects_and_servers_of_another_kind_have_their_cures() {
        let cure_of = |kind, status, url: &str| {
            let failure = Some(Failure { kind, status, detail: String::new() });
            let probed = Probed { failure, status, answer_start: String::new() };
            let target = Target::new(url.parse().unwrap());
            [Arm::Gateway, Arm::Direct].map(|arm| cure(&probed, &target, arm))
        };
        for (told, flag) in
            cure_of(FailureKind::Status, Some(307), "http://a").iter().zip(["--target", "--direct"])
        {
            assert!(told.contains("redirects are not followed") && told.contains(flag), "{told}");
        }
        let [plain, _] = cure_of(FailureKind::Reset, None, "http://a");
        let [tls, _] = cure_of(FailureKind::Reset, None, "https://a");
        assert!(plain.contains("https://") && !tls.contains("https://"), "{plain}; {tls}");
    }
}
