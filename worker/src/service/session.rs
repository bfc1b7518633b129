//! One `Run` stream: commands in, events out. It may end at any moment without harm to the block that it serves.

use std::sync::Arc;

use proto::assignment::Assignment;
use proto::interval::EndReason;
use proto::wire::{self, command, event};
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};

use super::Worker;
use super::block::Block;
use crate::clock::Nanos;

/// One `Run` stream.
pub(super) struct Session {
    worker: Arc<Worker>,
    events: mpsc::Sender<Result<wire::Event, Status>>,
    current: Option<Current>,
}

/// The block that this stream serves, and how much of it has been told here.
struct Current {
    block: Arc<Block>,
    changes: watch::Receiver<u64>,
    resumed: bool,
    told_ready: bool,
    told_end: bool,
    next_interval: u64,
}

/// The coordinator is gone.
struct Gone;

impl Session {
    pub(super) fn new(worker: Arc<Worker>, events: mpsc::Sender<Result<wire::Event, Status>>) -> Self {
        Self { worker, events, current: None }
    }

    /// Serves the stream until it ends.
    pub(super) async fn run(mut self, mut commands: Streaming<wire::Command>) {
        loop {
            tokio::select! {
                command = commands.message() => match command {
                    Ok(Some(wire::Command { command: Some(command) })) => {
                        if self.obey(command).await.is_err() { return }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return,
                },
                () = changed(self.current.as_mut()) => {
                    if self.tell().await.is_err() { return }
                }
            }
        }
    }

    async fn obey(&mut self, command: command::Command) -> Result<(), Gone> {
        let now = self.worker.clock.now();
        if let Some(current) = &self.current {
            current.block.heard();
        }
        match (command, &self.current) {
            (command::Command::Assignment(assignment), _) => self.assign(assignment).await?,
            (command::Command::Ping(ping), _) => {
                self.send(event::Event::Pong(wire::Pong { nonce: ping.nonce })).await?;
            }
            (command::Command::Start(start), Some(current)) => {
                current.block.start(now + Nanos(start.delay_ns))
            }
            (command::Command::Acknowledge(acknowledge), Some(current)) => {
                current.block.acknowledge(acknowledge.sequence);
            }
            (command::Command::Stop(_), Some(current)) => current.block.stop(EndReason::Stopped),
            // Nothing has been assigned on this stream: there is nothing to start or to stop.
            (_, None) => {}
        }
        Ok(())
    }

    async fn assign(&mut self, assignment: wire::Assignment) -> Result<(), Gone> {
        let id = assignment.id.clone();
        match Assignment::try_from(assignment) {
            Err(error) => {
                self.refuse(id, wire::FaultKind::Refused, format!("the assignment makes no sense: {error}"))
                    .await
            }
            Ok(assignment) => match self.worker.take_on(assignment) {
                Err(busy) => self.refuse(id, wire::FaultKind::Busy, busy.to_string()).await,
                Ok((block, resumed)) => {
                    let next_interval =
                        block.outbox().intervals.front().map_or(0, |interval| interval.sequence);
                    let changes = block.changes();
                    self.current = Some(Current {
                        block,
                        changes,
                        resumed,
                        told_ready: false,
                        told_end: false,
                        next_interval,
                    });
                    Ok(())
                }
            },
        }
    }

    async fn refuse(
        &self,
        assignment_id: String,
        kind: wire::FaultKind,
        message: String,
    ) -> Result<(), Gone> {
        self.send(event::Event::Fault(wire::Fault { assignment_id, kind: kind as i32, message })).await
    }

    /// Sends what the block has to tell and this stream has not told yet.
    async fn tell(&mut self) -> Result<(), Gone> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let news = current.news();
        for event in news {
            self.send(event).await?;
        }
        Ok(())
    }

    async fn send(&self, event: event::Event) -> Result<(), Gone> {
        self.events.send(Ok(wire::Event { event: Some(event) })).await.map_err(|_| Gone)
    }
}

impl Current {
    fn news(&mut self) -> Vec<event::Event> {
        let outbox = self.block.outbox();
        let mut news = Vec::new();
        if let Some(ready) = outbox.ready.as_ref().filter(|_| !self.told_ready) {
            self.told_ready = true;
            let (resumed, started) = (self.resumed, self.block.is_started());
            news.push(event::Event::Ready(wire::Ready { resumed, started, ..ready.clone() }));
        }
        for interval in outbox.intervals.iter().filter(|interval| interval.sequence >= self.next_interval) {
            news.push(event::Event::Interval(interval.clone()));
        }
        if let Some(last) = outbox.intervals.back() {
            self.next_interval = self.next_interval.max(last.sequence + 1);
        }
        if !self.told_end {
            if let Some(finished) = &outbox.finished {
                self.told_end = true;
                news.push(event::Event::Finished(finished.clone()));
            }
            if let Some(fault) = &outbox.fault {
                self.told_end = true;
                news.push(event::Event::Fault(fault.clone()));
            }
        }
        news
    }
}

/// Resolves when the block has more to tell; never without a block.
async fn changed(current: Option<&mut Current>) {
    let Some(current) = current else { return std::future::pending().await };
    if current.changes.changed().await.is_err() {
        std::future::pending().await
    }
}
