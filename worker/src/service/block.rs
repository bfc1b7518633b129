//! An assignment in progress: its engine, and everything that the coordinator has not acknowledged yet. It outlives the
//! stream that brought it, until it is over or the lease ends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::assignment::Assignment;
use proto::interval::EndReason;
use proto::wire;
use tokio::sync::watch;

use crate::clock::{Clock, Nanos};
use crate::engine::{Engine, EngineError, Output};

/// How often the lease is looked at.
const LEASE_CHECK: Duration = Duration::from_millis(250);

/// An assignment in progress.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) id: String,
    lease: Nanos,
    clock: Clock,
    last_heard: AtomicU64,
    engine: Mutex<Option<Engine>>,
    orders: Mutex<Orders>,
    outbox: Mutex<Outbox>,
    /// Counts changes of the outbox.
    changes: watch::Sender<u64>,
}

/// What has been ordered so far: the engine may still be in the making.
#[derive(Debug, Clone, Copy, Default)]
struct Orders {
    start: Option<Nanos>,
    stop: Option<EndReason>,
}

/// What there is to tell.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) ready: Option<wire::Ready>,
    /// Not acknowledged, in order.
    pub(super) intervals: VecDeque<wire::Interval>,
    pub(super) finished: Option<wire::Finished>,
    pub(super) fault: Option<wire::Fault>,
}

impl Outbox {
    fn is_over(&self) -> bool {
        self.finished.is_some() || self.fault.is_some()
    }
}

impl Block {
    /// Begins to prepare the assignment.
    pub(super) fn prepare(assignment: Assignment, clock: Clock) -> Arc<Self> {
        let block = Arc::new(Self {
            id: assignment.id.clone(),
            lease: assignment.lease.into(),
            clock,
            last_heard: AtomicU64::new(clock.now().0),
            engine: Mutex::new(None),
            orders: Mutex::default(),
            outbox: Mutex::new(Outbox::default()),
            changes: watch::Sender::new(0),
        });
        tokio::task::spawn_blocking({
            let block = block.clone();
            move || block.set_up(&assignment)
        });
        tokio::spawn(block.clone().watch_lease());
        block
    }

    fn set_up(self: Arc<Self>, assignment: &Assignment) {
        let listener = self.clone();
        match Engine::prepare(assignment, self.clock, move |output| listener.take(output)) {
            Ok(engine) => {
                *lock(&self.engine) = Some(engine);
                // What was ordered while the engine was being made.
                self.pass_on_orders();
            }
            Err(error) => {
                let kind = match error {
                    EngineError::Resolve(_) | EngineError::Tls(_) => wire::FaultKind::Target,
                    EngineError::Expectation(_)
                    | EngineError::Bodies(_)
                    | EngineError::Files { .. }
                    | EngineError::Places { .. }
                    | EngineError::Idle => wire::FaultKind::Refused,
                    EngineError::System(_) => wire::FaultKind::Internal,
                };
                self.fail(kind, error.to_string());
            }
        }
    }

    fn take(&self, output: Output) {
        match output {
            Output::Prepared { threads, connections, http_version, bodies, warm_up, left_out } => {
                let ready = wire::Ready {
                    assignment_id: self.id.clone(),
                    warm_up: Some((&warm_up).into()),
                    threads,
                    connections,
                    http_version: http_version.to_wire(),
                    bodies,
                    addresses_left_out: left_out,
                    ..wire::Ready::default()
                };
                self.change(|outbox| outbox.ready = Some(ready));
            }
            Output::Interval(interval) => {
                let interval = wire::Interval::from(&*interval);
                self.change(|outbox| outbox.intervals.push_back(interval));
            }
            Output::Finished(finished) => {
                let finished = wire::Finished::from(&*finished);
                self.change(|outbox| outbox.finished = Some(finished));
            }
            Output::Failed(problem) => self.fail(wire::FaultKind::Internal, problem),
        }
    }

    fn fail(&self, kind: wire::FaultKind, message: String) {
        let fault = wire::Fault { assignment_id: self.id.clone(), kind: kind as i32, message };
        self.change(|outbox| outbox.fault = Some(fault));
    }

    fn change(&self, how: impl FnOnce(&mut Outbox)) {
        how(&mut lock(&self.outbox));
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Stops the load when the coordinator has been silent for the length of the lease.
    async fn watch_lease(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LEASE_CHECK).await;
            if self.is_over() {
                return;
            }
            let last_heard = Nanos(self.last_heard.load(Ordering::Relaxed));
            if self.clock.now().since(last_heard) > self.lease {
                tracing::warn!(assignment = %self.id, "the coordinator has gone silent: stopping the load");
                return self.stop(EndReason::Lease);
            }
        }
    }

    /// The coordinator is there.
    pub(super) fn heard(&self) {
        self.last_heard.store(self.clock.now().0, Ordering::Relaxed);
    }

    /// Begins the prepared block at `at`; the first order stands.
    pub(super) fn start(&self, at: Nanos) {
        lock(&self.orders).start.get_or_insert(at);
        self.pass_on_orders();
    }

    /// Stops the load; the first reason stands.
    pub(super) fn stop(&self, reason: EndReason) {
        lock(&self.orders).stop.get_or_insert(reason);
        self.pass_on_orders();
    }

    /// Whether the order to start has been received.
    pub(super) fn is_started(&self) -> bool {
        lock(&self.orders).start.is_some()
    }

    /// Tells the engine, once there is one, what has been ordered. To be told twice changes nothing for it.
    fn pass_on_orders(&self) {
        let Orders { start, stop } = *lock(&self.orders);
        let engine = lock(&self.engine);
        let Some(engine) = &*engine else { return };
        if let Some(at) = start {
            engine.start(at);
        }
        if let Some(reason) = stop {
            engine.stop(reason);
        }
    }

    /// Forgets the intervals up to and with this one.
    pub(super) fn acknowledge(&self, sequence: u64) {
        let mut outbox = lock(&self.outbox);
        while outbox.intervals.front().is_some_and(|interval| interval.sequence <= sequence) {
            outbox.intervals.pop_front();
        }
    }

    /// Whether nothing more will come of it.
    pub(super) fn is_over(&self) -> bool {
        lock(&self.outbox).is_over()
    }

    /// What there is to tell, now.
    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        lock(&self.outbox)
    }

    /// Wakes whenever there is more to tell.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        let mut changes = self.changes.subscribe();
        changes.mark_changed();
        changes
    }
}

/// A lock whose holder cannot leave anything half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
