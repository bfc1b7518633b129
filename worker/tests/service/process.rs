//! The worker as a process of its own.

use std::process::Stdio;
use std::time::Duration;

use proto::wire::ProbeRequest;
use proto::wire::load_worker_client::LoadWorkerClient;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;
use tonic::transport::Endpoint;

use super::support::{Counting, steady};

/// What no test takes unless something is stuck.
const BOUND: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_worker_does_not_outlive_its_coordinator_for_a_probe() {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_archestra-bench-worker"))
        .args(["--listen", "127.0.0.1:0", "--exit-with-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(worker.stdout.take().unwrap()).lines();
    let line = timeout(BOUND, said.next_line()).await.unwrap().unwrap().unwrap();
    let url = line.strip_prefix("listening on ").unwrap().to_owned();

    let target = Counting::hanging().await;
    let assignment = steady(&target, "a", Duration::from_secs(1));
    let request = ProbeRequest {
        target: Some((&assignment.target).into()),
        request: Some((&assignment.request).into()),
        expectation: None,
        timeout_ns: 300_000_000_000,
    };
    let endpoint = Endpoint::from_shared(url).unwrap();
    let mut client = LoadWorkerClient::new(endpoint.connect().await.unwrap());
    let probing = tokio::spawn(async move { client.probe(request).await });
    target.wait_for(1).await;

    drop(worker.stdin.take());
    let status = timeout(BOUND, worker.wait()).await.expect("the worker waits for its probe").unwrap();
    assert!(status.success(), "{status}");
    assert!(probing.await.unwrap().is_err());
}

#[tokio::test]
async fn a_worker_that_never_gets_its_credentials_ends() {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_archestra-bench-worker"))
        .args(["--listen", "127.0.0.1:0", "--credentials", "-", "--exit-with-stdin", "--stdin-silence", "1s"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let _held = worker.stdin.take();
    let status = timeout(BOUND, worker.wait()).await.expect("the worker waits for ever").unwrap();
    assert!(!status.success(), "{status}");
}
