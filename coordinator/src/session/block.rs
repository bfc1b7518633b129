//! One worker's part of one block, over a stream that may break and be taken up again.

use std::time::{Duration, Instant};

use proto::assignment::Assignment;
use proto::counters::Counters;
use proto::interval::{Finished, Interval};
use proto::target::HttpVersion;
use proto::wire::{self, command, event};
use tokio::sync::mpsc::{Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tonic::Streaming;

use super::WorkerSession;
use super::round_trip::RoundTrip;
use super::stream::{Left, broken, dismiss, nonsense, open, send};
use crate::clock;
use crate::merge::Arrival;

/// Between two pings until enough have been answered, and after that; a lease lasts several of them.
const FIRST_PINGS: Duration = Duration::from_millis(10);
const LATER_PINGS: Duration = Duration::from_millis(1000);
const PINGS_IN_A_LEASE: u32 = 4;
/// Answered pings that make a round trip known.
const PING_SAMPLES: u32 = 5;
/// Between two attempts to take up a broken stream.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// What a worker has to say about its part of a block.
#[derive(Debug)]
pub enum News {
    /// It is connected and warm.
    Ready {
        /// Threads of its engine.
        threads: u32,
        /// Connections that it was to open.
        connections: u32,
        /// What it speaks with the target.
        http_version: HttpVersion,
        /// Bodies that it has made; 0 where all requests are the same.
        bodies: u64,
        /// What the warm-up did.
        warm_up: Counters,
        /// How long a message takes to it and back.
        round_trip: Duration,
        /// Addresses of the target's name that accepted no connection, so that none goes there.
        left_out: Vec<String>,
    },
    /// It has been told to start, so that it begins at this moment.
    Started {
        /// On the coordinator's clock.
        planned_start: Instant,
    },
    /// One span is over.
    Interval {
        /// What the worker did in it.
        interval: Box<Interval>,
        /// When the report of it came, against the end of the span.
        arrival: Arrival,
    },
    /// It has ended.
    Finished(Box<Finished>),
    /// It does not take the assignment on.
    Refused(String),
    /// It will say nothing more.
    Lost(String),
}

/// What a worker is told about its part of a block.
#[derive(Debug)]
enum Order {
    Start(Instant),
    Acknowledge(u64),
    Stop,
}

/// One worker's part of one block, under way.
#[derive(Debug)]
pub struct BlockSession {
    orders: UnboundedSender<Order>,
    task: JoinHandle<()>,
}

impl WorkerSession {
    /// Has the worker prepare its part of a block. What it says goes to `news`, with the worker's number.
    pub fn begin(&self, assignment: Assignment, news: Sender<(u32, News)>) -> BlockSession {
        let (orders, given) = unbounded_channel();
        let course = Course {
            worker: self.clone(),
            assignment,
            news,
            round_trip: RoundTrip::default(),
            ready: None,
            told_ready: false,
            start: None,
            planned_start: None,
            stopped: false,
            has_ended: false,
            last_heard: clock::now(),
        };
        BlockSession { orders, task: tokio::spawn(course.run(given)) }
    }
}

impl BlockSession {
    /// Has the worker begin at `at`.
    pub fn start(&self, at: Instant) {
        self.order(Order::Start(at));
    }

    /// Everything up to this interval is stored.
    pub fn acknowledge(&self, sequence: u64) {
        self.order(Order::Acknowledge(sequence));
    }

    /// Has the worker stop its load and report what there is.
    pub fn stop(&self) {
        self.order(Order::Stop);
    }

    /// Lets go of the worker.
    pub async fn end(self) {
        drop(self.orders);
        // The task ends by itself once nobody gives orders; one that hangs is not waited for.
        let abort = self.task.abort_handle();
        if timeout(Duration::from_secs(1), self.task).await.is_err() {
            abort.abort();
        }
    }

    fn order(&self, order: Order) {
        // A session that has ended needs no orders.
        let _ = self.orders.send(order);
    }
}

/// Where a worker's part of a block stands.
struct Course {
    worker: WorkerSession,
    assignment: Assignment,
    news: Sender<(u32, News)>,
    round_trip: RoundTrip,
    ready: Option<wire::Ready>,
    told_ready: bool,
    /// When the block was told to begin; `None` before.
    start: Option<Instant>,
    /// When the worker's first span begins; `None` before it was told.
    planned_start: Option<Instant>,
    /// Whether the worker was told to stop.
    stopped: bool,
    /// Whether the worker has said that its part is over.
    has_ended: bool,
    last_heard: Instant,
}

impl Course {
    async fn run(mut self, mut orders: UnboundedReceiver<Order>) {
        loop {
            let left = match open(&self.worker, &self.assignment, self.stopped).await {
                Ok((commands, events)) => self.follow(&mut orders, &commands, events).await,
                Err(left) => left,
            };
            match left {
                Left::Over => return,
                Left::Refused(why) => return self.tell(News::Refused(why)).await,
                Left::Lost(why) | Left::Senseless(why) => return self.tell(News::Lost(why)).await,
                Left::Broken(why) => {
                    let silence = clock::now().saturating_duration_since(self.last_heard);
                    if silence >= self.assignment.lease {
                        return self.tell(News::Lost(why)).await;
                    }
                    let worker = self.worker.access.number;
                    tracing::warn!(worker, %why, "the stream to worker {worker} broke ({why}); it is taken up again");
                    self.round_trip.forget();
                    sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Follows one stream until it is left.
    async fn follow(
        &mut self,
        orders: &mut UnboundedReceiver<Order>,
        commands: &Sender<wire::Command>,
        mut events: Streaming<wire::Event>,
    ) -> Left {
        let mut pings = interval(FIRST_PINGS);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pings_are_slow = false;
        loop {
            tokio::select! {
                event = events.message() => match event {
                    Ok(Some(wire::Event { event: Some(event) })) => {
                        self.last_heard = clock::now();
                        if let Err(left) = self.take(event, commands).await {
                            if matches!(left, Left::Senseless(_)) {
                                dismiss(commands, &mut events).await;
                            }
                            return left;
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => return Left::Broken("it closed the stream".into()),
                    Err(status) => return Left::Broken(broken(&status)),
                },
                order = orders.recv() => match order {
                    Some(order) => self.pass_on(order, commands).await,
                    None => {
                        if !self.has_ended {
                            dismiss(commands, &mut events).await;
                        }
                        return Left::Over;
                    }
                },
                _ = pings.tick() => {
                    let now = clock::now();
                    if now.saturating_duration_since(self.last_heard) > self.assignment.lease {
                        return Left::Broken("it has gone silent".into());
                    }
                    let nonce = self.round_trip.ping(now);
                    send(commands, command::Command::Ping(wire::Ping { nonce })).await;
                    if !pings_are_slow && self.round_trip.known(PING_SAMPLES).is_some() {
                        pings_are_slow = true;
                        pings = interval(LATER_PINGS.min(self.assignment.lease / PINGS_IN_A_LEASE));
                        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
                        pings.reset();
                    }
                }
            }
        }
    }

    async fn pass_on(&mut self, order: Order, commands: &Sender<wire::Command>) {
        match order {
            Order::Stop => {
                self.stopped = true;
                send(commands, command::Command::Stop(wire::Stop {})).await;
            }
            Order::Acknowledge(sequence) => {
                send(commands, command::Command::Acknowledge(wire::Acknowledge { sequence })).await;
            }
            Order::Start(at) => {
                let there = clock::now() + self.round_trip.known(1).unwrap_or_default() / 2;
                let delay = at.saturating_duration_since(there);
                let start = wire::Start { delay_ns: delay.as_nanos() as u64 };
                send(commands, command::Command::Start(start)).await;
                self.start = Some(at);
                let planned_start = there + delay;
                self.planned_start = Some(planned_start);
                self.tell(News::Started { planned_start }).await;
            }
        }
    }

    async fn take(&mut self, event: event::Event, commands: &Sender<wire::Command>) -> Result<(), Left> {
        match event {
            event::Event::Pong(pong) => {
                self.round_trip.pong(pong.nonce, clock::now());
                self.tell_ready().await?;
            }
            event::Event::Ready(ready) => {
                if self.told_ready && !ready.resumed {
                    return Err(Left::Senseless("it was started anew in the middle of the block".into()));
                }
                // The order may have been lost with the stream before.
                if let Some(at) = self.start.filter(|_| !ready.started) {
                    self.pass_on(Order::Start(at), commands).await;
                }
                self.ready = Some(ready);
                self.tell_ready().await?;
            }
            event::Event::Interval(interval) => {
                let interval = Interval::try_from(interval).map_err(nonsense)?;
                let ended = self.planned_start.map(|start| start + interval.end);
                let arrival = ended.map_or_else(Arrival::default, |end| Arrival::of(end, self.last_heard));
                self.tell(News::Interval { interval: Box::new(interval), arrival }).await;
            }
            event::Event::Finished(finished) => {
                let finished = Finished::try_from(finished).map_err(nonsense)?;
                self.has_ended = true;
                self.tell(News::Finished(Box::new(finished))).await;
            }
            event::Event::Fault(fault) => {
                return Err(match fault.kind() {
                    wire::FaultKind::Busy | wire::FaultKind::Refused => Left::Refused(fault.message),
                    _ => Left::Lost(fault.message),
                });
            }
        }
        Ok(())
    }

    /// Says that the worker is ready, once, when the round trip is known too.
    async fn tell_ready(&mut self) -> Result<(), Left> {
        let Some(round_trip) = self.round_trip.known(PING_SAMPLES).filter(|_| !self.told_ready) else {
            return Ok(());
        };
        let Some(ready) = &self.ready else { return Ok(()) };
        let warm_up = Counters::try_from(ready.warm_up.clone().unwrap_or_default()).map_err(nonsense)?;
        let (threads, connections, bodies) = (ready.threads, ready.connections, ready.bodies);
        let http_version =
            HttpVersion::from_wire("ready.http_version", ready.http_version).map_err(nonsense)?;
        let left_out = ready.addresses_left_out.clone();
        self.told_ready = true;
        self.tell(News::Ready { threads, connections, http_version, bodies, warm_up, round_trip, left_out })
            .await;
        Ok(())
    }

    async fn tell(&self, news: News) {
        // Nobody listens when the block has been given up.
        let _ = self.news.send((self.worker.access.number, news)).await;
    }
}
