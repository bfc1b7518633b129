//! Workers on machines that the user's own `ssh` reaches.
//!
//! Each host is connected once ([`client`]), says what it is ([`facts`]), gets the worker's program where that is missing
//! ([`host`]), and starts its workers ([`remote`]). Their credentials go over the processes' standard input, and the wire
//! goes through sockets in a private [`folder`], still with certificates on both sides. Everything on a host ends with its
//! connection, and the connection ends with the coordinator, whatever way that ends.

mod client;
mod error;
mod facts;
mod folder;
mod host;
mod remote;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::binary::WorkerBinary;
use super::news::News;
use super::{Fleet, FleetError, Machines, Trust, WorkerAccess, trust_of};
use crate::cli::{OnPartial, SshHost};
use crate::clock;
use crate::config::SshChoice;
use crate::trust::{Authority, Role};

pub use error::{HostError, HostProblem, SshError};

use client::Client;
use folder::Folder;
use host::{Host, Program};
use remote::{Start, Worker};

/// How many connect at once: sshd by default closes the tenth connection on which nobody has logged in yet, and all hosts
/// may be behind one.
const DOORS: usize = 8;

/// What an ssh fleet holds on to.
#[derive(Debug)]
pub(super) struct SshMachines {
    /// By number.
    workers: Vec<Worker>,
    hosts: Vec<Host>,
    /// Last: it is taken away when nobody needs it any more.
    _folder: Folder,
}

/// Connects all hosts at once, then starts all workers at once, dealt out to the hosts in turn.
pub(super) async fn open(choice: &SshChoice, logs: &Path, news: &News) -> Result<Fleet, FleetError> {
    let binary = WorkerBinary::read(choice.worker_binary.as_deref()).map_err(SshError::from)?;
    let sha256 = binary.sha256.clone();
    let authority = Authority::ephemeral(&clock::local_now())?;
    let folder = Folder::create().map_err(|(path, source)| SshError::Folder { path, source })?;

    let trust = trust_of(&authority)?;
    let (mut hosts, failed) = bring_up(choice, &folder, Arc::new(Program::new(binary)), news).await;
    if let Err(error) = settle(failed, choice.on_partial, hosts.len()) {
        end_all(hosts, Host::end).await;
        return Err(error.into());
    }
    let mut round = 0;
    let workers = loop {
        round += 1;
        let starting = starting(choice, &hosts, round, &sha256, &authority, &trust, [folder.path(), logs])?;
        let (workers, failed) = all(starting.into_iter().map(Start::start).collect()).await;
        if failed.is_empty() {
            break workers;
        }
        // Workers are numbered without a gap, so that the others begin again without the hosts that failed.
        end_all(workers, Worker::end).await;
        let lost: BTreeSet<SshHost> = failed.iter().map(|error| error.host.clone()).collect();
        let (lost, left) = hosts.into_iter().partition(|host| lost.contains(host.client.host()));
        hosts = left;
        end_all(lost, Host::end).await;
        if let Err(error) = settle(failed, choice.on_partial, hosts.len()) {
            end_all(hosts, Host::end).await;
            return Err(error.into());
        }
    };

    Ok(Fleet {
        kind: "ssh",
        workers: workers.iter().map(|worker| worker.access.clone()).collect(),
        threads: threads_for_each(&hosts, &workers),
        machines: Machines::Ssh(SshMachines { workers, hosts, _folder: folder }),
    })
}

impl SshMachines {
    /// How a worker died, if it did.
    pub(super) fn epitaph(&mut self, worker: u32) -> Option<String> {
        self.workers.get_mut(worker as usize)?.epitaph()
    }

    /// Ends the workers, and then the connections.
    pub(super) async fn end(self) {
        end_all(self.workers, Worker::end).await;
        end_all(self.hosts, Host::end).await;
    }
}

/// The hosts that came up, in order, and those that did not.
async fn bring_up(
    choice: &SshChoice,
    folder: &Folder,
    program: Arc<Program>,
    news: &News,
) -> (Vec<Host>, Vec<HostError>) {
    let doors = Arc::new(Semaphore::new(DOORS));
    let coming = choice.hosts.iter().zip(0..).map(|(host, number)| {
        let own = folder.path().join(format!("h{number}"));
        let client = Client::new(choice.program.clone(), host.clone(), own.with_extension("s"));
        Host::bring_up(client, Arc::clone(&program), own, Arc::clone(&doors), news.clone())
    });
    all(coming.collect()).await
}

/// What it takes to start each worker, by number. A socket of an earlier round is still its master's, so each round has
/// names of its own.
fn starting(
    choice: &SshChoice,
    hosts: &[Host],
    round: u32,
    sha256: &str,
    authority: &Authority,
    trust: &Trust,
    [folder, logs]: [&Path; 2],
) -> Result<Vec<Start>, FleetError> {
    let dealt = (0..choice.workers.get()).map(|number| &choice.hosts[number as usize % choice.hosts.len()]);
    let dealt = dealt.filter_map(|name| hosts.iter().find(|host| host.client.host() == name));
    let start = |(number, host): (u32, &Host)| {
        let socket = folder.join(format!("r{round}w{number}.s"));
        let name = host.client.host().to_string();
        Ok(Start {
            client: host.client.clone(),
            sha256: sha256.to_owned(),
            bundle: authority.issue(Role::Worker, &clock::local_now())?.bundle(),
            log: logs.join(format!("worker-{number}.log")),
            access: WorkerAccess::through(number, name, socket.clone(), trust)?,
            socket,
        })
    };
    (0..).zip(dealt).map(start).collect()
}

/// Does all at once; what came of it in order, and what failed.
async fn all<T: Send + 'static>(
    work: Vec<impl Future<Output = Result<T, HostError>> + Send + 'static>,
) -> (Vec<T>, Vec<HostError>) {
    let mut tasks = JoinSet::new();
    for (number, work) in work.into_iter().enumerate() {
        tasks.spawn(async move { (number, work.await) });
    }
    let mut done = Vec::new();
    while let Some(task) = tasks.join_next().await {
        // A task that was aborted has done nothing, and none is.
        done.extend(task);
    }
    done.sort_by_key(|(number, _)| *number);
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    for (_, result) in done {
        match result {
            Ok(result) => good.push(result),
            Err(error) => failed.push(error),
        }
    }
    (good, failed)
}

async fn end_all<T: Send + 'static, F: Future<Output = ()> + Send + 'static>(
    these: Vec<T>,
    end: impl Fn(T) -> F,
) {
    let mut ending = JoinSet::new();
    for one in these {
        ending.spawn(end(one));
    }
    ending.join_all().await;
}

/// Whether the run goes on without the hosts that failed.
fn settle(failed: Vec<HostError>, on_partial: OnPartial, left: usize) -> Result<(), SshError> {
    if failed.is_empty() {
        return Ok(());
    }
    if on_partial == OnPartial::Fail || left == 0 {
        return Err(SshError::Hosts(failed));
    }
    for error in failed {
        tracing::warn!(host = %error.host, "{error}; the run goes on without it");
    }
    Ok(())
}

fn threads_for_each(hosts: &[Host], workers: &[Worker]) -> Option<NonZeroU32> {
    let of_host = |host: &Host| {
        let workers = workers.iter().filter(|worker| worker.host == *host.client.host()).count() as u32;
        (host.machine.clone(), workers, host.cores.get())
    };
    smallest_part(hosts.iter().map(of_host))
}

/// Where a machine has several workers, under one name or several, they divide its cores. All workers have the same number
/// of threads, so the smallest part counts.
fn smallest_part(hosts: impl Iterator<Item = (String, u32, u32)>) -> Option<NonZeroU32> {
    let mut machines = BTreeMap::new();
    for (machine, workers, cores) in hosts {
        let (all_workers, all_cores) = machines.entry(machine).or_insert((0, cores));
        *all_workers += workers;
        *all_cores = cores.max(*all_cores);
    }
    let shared = machines.values().any(|(workers, _)| *workers > 1);
    let parts = machines.values().map(|(workers, cores)| cores / (*workers).max(1));
    shared.then(|| parts.min().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_divide_the_cores_of_a_machine_under_whatever_names() {
        let part = |hosts: &[(&str, u32, u32)]| {
            let hosts =
                hosts.iter().map(|(machine, workers, cores)| ((*machine).to_owned(), *workers, *cores));
            smallest_part(hosts).map(NonZeroU32::get)
        };
        assert_eq!(part(&[("a", 1, 8), ("b", 1, 4)]), None, "each has its own");
        assert_eq!(part(&[("a", 2, 8), ("b", 1, 16)]), Some(4));
        assert_eq!(part(&[("a", 1, 8), ("a", 1, 8)]), Some(4), "one machine under two names");
        assert_eq!(part(&[("a", 3, 2)]), Some(1));
    }
}
