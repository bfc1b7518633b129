//! One block on all workers: prepared by all, begun at one moment, merged as it comes.

use std::time::{Duration, Instant};

use jiff::ZonedDateTime;
use proto::share::Share;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use uuid::Uuid;

use crate::clock;
use crate::config::Redactor;
use crate::fleet::Fleet;
use crate::interrupt::Interrupt;
use crate::merge::{BlockMerge, Live, MeasuredBlock};
use crate::plan::Block;
use crate::screen::Screen;
use crate::session::{BlockSession, News, WorkerSession};
use crate::telemetry::Telemetry;

use super::keeper::Keeper;
use super::witness::{Testimony, Witness};

/// From the order to start until the start: several round trips, and never less than this.
const SHORTEST_START_DELAY: Duration = Duration::from_millis(25);
/// News that may wait to be merged.
const NEWS_IN_FLIGHT: usize = 256;
/// Between two looks at the progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// How long workers may take to report after a stop.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// Why a block was not measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// Before anything was measured.
    #[error("worker {number} at {address} does not take on its part of the load: {problem}")]
    Refused {
        /// From 0.
        number: u32,
        /// Host and port.
        address: String,
        /// In the worker's words.
        problem: String,
    },
}

/// Everything that a block needs beside its plan.
pub(super) struct Measurement<'a> {
    pub(super) number: u32,
    pub(super) block: &'a Block,
    pub(super) fleet: &'a mut Fleet,
    pub(super) workers: &'a [WorkerSession],
    pub(super) lease: Duration,
    pub(super) keeper: &'a mut Keeper,
    pub(super) screen: &'a Screen,
    pub(super) telemetry: &'a Telemetry,
    pub(super) redactor: &'a Redactor,
    pub(super) interrupt: Interrupt,
    /// Looks at the block while it runs, and says why it is to be ended.
    pub(super) watch: Watch<'a>,
    /// The upstream that counts, where there is one.
    pub(super) witness: Option<&'a Witness<'a>>,
}

/// Says why a block is to be ended early; `None` as long as it is not.
pub(super) type Watch<'a> = Box<dyn FnMut(&Live) -> Option<String> + Send + 'a>;

/// A block under way.
struct Course<'a> {
    measurement: Measurement<'a>,
    merge: BlockMerge,
    sessions: Vec<Option<BlockSession>>,
    news: Receiver<(u32, News)>,
    /// Workers that have not said that they are ready, nor ended.
    preparing: Vec<bool>,
    longest_round_trip: Duration,
    /// What the upstream had seen when all were ready.
    before: Option<Testimony>,
    /// Why that could not be told from what came before.
    unwitnessed: Option<String>,
    start: Option<Instant>,
    /// The same by the wall clock.
    started: Option<ZonedDateTime>,
    stopped: bool,
    /// Why the watch ended it.
    aborted: Option<String>,
}

impl Measurement<'_> {
    /// Runs the block.
    ///
    /// # Errors
    /// When a worker refuses the first block; the workers are stopped then.
    pub(super) async fn run(self) -> Result<MeasuredBlock, MeasureError> {
        let mut course = Course::begin(self);
        let followed = course.follow().await;
        if followed.is_err() {
            course.stop();
        }
        course.show();
        course.measurement.screen.end_block();
        course.end().await;
        followed?;
        let after = course.ask_upstream().await;
        let witness = after.zip(course.before.take()).and_then(|(after, before)| after.since(&before));
        if let Some(witness) = course.measurement.witness {
            witness.after(course.merge.has_given_up());
        }
        let (aborted, started) = (course.aborted.take(), course.started.take());
        let unwitnessed = course.unwitnessed.take();
        let measured = course.merge.finish(course.stopped);
        let interrupted = measured.interrupted && aborted.is_none();
        Ok(MeasuredBlock { interrupted, aborted, started, witness, unwitnessed, ..measured })
    }
}

impl<'a> Course<'a> {
    /// Hands every active worker its part.
    fn begin(measurement: Measurement<'a>) -> Self {
        let workers = measurement.workers.len() as u32;
        let active = measurement.block.active_workers(workers);
        let (sender, news) = channel(NEWS_IN_FLIGHT);
        let session = |worker: &WorkerSession| {
            let share = Share::new(worker.access.number, active)?;
            let id = Uuid::new_v4().to_string();
            let assignment = measurement.block.assignment(id, share, measurement.lease);
            Some(worker.begin(assignment, sender.clone()))
        };
        let sessions: Vec<_> = measurement.workers.iter().map(session).collect();
        Self {
            merge: BlockMerge::new(measurement.block.clone(), workers),
            preparing: sessions.iter().map(Option::is_some).collect(),
            sessions,
            news,
            longest_round_trip: Duration::ZERO,
            before: None,
            unwitnessed: None,
            start: None,
            started: None,
            stopped: false,
            aborted: None,
            measurement,
        }
    }

    /// Takes in what comes until nothing more can come.
    async fn follow(&mut self) -> Result<(), MeasureError> {
        let mut ticks = interval(PROGRESS_EVERY);
        let mut interrupt = self.measurement.interrupt.clone();
        while !self.merge.is_complete() {
            tokio::select! {
                Some((worker, news)) = self.news.recv() => self.take(worker, news).await?,
                _ = ticks.tick() => {
                    if self.look() {
                        self.stop();
                        return self.follow_to_the_end().await;
                    }
                }
                () = interrupt.asked() => {
                    self.stop();
                    return self.follow_to_the_end().await;
                }
            }
        }
        Ok(())
    }

    /// After a stop: takes in the workers' last words, for a bounded time.
    async fn follow_to_the_end(&mut self) -> Result<(), MeasureError> {
        let deadline = clock::now() + STOP_LIMIT;
        while !self.merge.is_complete() {
            let left = deadline.saturating_duration_since(clock::now());
            match timeout(left, self.news.recv()).await {
                Ok(Some((worker, news))) => self.take(worker, news).await?,
                Ok(None) | Err(_) => break,
            }
        }
        Ok(())
    }

    async fn take(&mut self, worker: u32, news: News) -> Result<(), MeasureError> {
        match public(news, self.measurement.redactor) {
            News::Ready { threads, connections, http_version, bodies, warm_up, round_trip, left_out } => {
                self.merge.left_out(worker, left_out);
                self.merge.ready(worker, threads, warm_up, connections, http_version);
                self.merge.made(worker, bodies);
                self.merge.started(worker, Duration::ZERO, round_trip);
                self.longest_round_trip = self.longest_round_trip.max(round_trip);
                self.is_prepared(worker).await;
            }
            News::Started { planned_start } => {
                let offset =
                    self.start.map_or(Duration::ZERO, |start| planned_start.saturating_duration_since(start));
                self.merge.planned_start(worker, offset);
            }
            News::Interval { interval, arrival } => match self.merge.interval(worker, &interval) {
                Ok(is_new) => {
                    if is_new {
                        self.merge.arrived(worker, arrival);
                        self.measurement.telemetry.interval(worker, &interval);
                        self.measurement.keeper.interval(self.measurement.number, worker, &interval, arrival);
                    }
                    if let Some(session) = &self.sessions[worker as usize] {
                        session.acknowledge(interval.sequence);
                    }
                }
                Err(error) => self.lose(worker, error.to_string()).await,
            },
            News::Finished(finished) => {
                self.merge.finished(worker, *finished);
                self.is_prepared(worker).await;
            }
            // Once something has been measured, the others go on with what is left.
            News::Refused(problem) if self.measurement.number == 1 => {
                let address = self.measurement.workers[worker as usize].access.address.clone();
                return Err(MeasureError::Refused { number: worker, address, problem });
            }
            News::Refused(why) | News::Lost(why) => self.lose(worker, why).await,
        }
        Ok(())
    }

    async fn lose(&mut self, worker: u32, why: String) {
        let epitaph = self.measurement.fleet.epitaph(worker).await;
        let why = epitaph.unwrap_or(why);
        tracing::warn!(worker, %why, "worker {worker} was lost ({why}); the others go on");
        self.merge.lost(worker, why);
        if let Some(session) = &self.sessions[worker as usize] {
            session.stop();
        }
        self.is_prepared(worker).await;
    }

    /// Nothing more is to be waited for from this worker before the start; the last one starts them all.
    async fn is_prepared(&mut self, worker: u32) {
        self.preparing[worker as usize] = false;
        if self.start.is_some() || self.preparing.contains(&true) {
            return;
        }
        // The warm-up is over, and nothing of the load has been sent: from here on the counts must agree.
        match self.ask_upstream_before().await {
            Ok(before) => self.before = before,
            Err(why) => {
                tracing::warn!(
                    "what the upstream sees of block {} is left out: {why}",
                    self.measurement.number
                );
                self.unwitnessed = Some(why);
            }
        }
        let delay = SHORTEST_START_DELAY.max(4 * self.longest_round_trip);
        let at = clock::now() + delay;
        self.start = Some(at);
        self.started = clock::local_now().checked_add(delay).ok();
        for session in self.sessions.iter().flatten() {
            session.start(at);
        }
    }

    /// `None` where there is no upstream that would say, or no time to ask it.
    async fn ask_upstream(&self) -> Option<Testimony> {
        let mut interrupt = self.measurement.interrupt.clone();
        interrupt.or(self.measurement.witness?.ask()).await.flatten()
    }

    /// The same, where nothing of what came before can be among what it sees next.
    async fn ask_upstream_before(&self) -> Result<Option<Testimony>, String> {
        let Some(witness) = self.measurement.witness else { return Ok(None) };
        let mut interrupt = self.measurement.interrupt.clone();
        interrupt.or(witness.before(self.merge.has_given_up())).await.unwrap_or(Ok(None))
    }

    fn stop(&mut self) {
        self.stopped = true;
        for session in self.sessions.iter().flatten() {
            session.stop();
        }
    }

    /// Lets go of all workers at once: one that is still at work has to be told to stop, and may be slow to do so.
    async fn end(&mut self) {
        self.news.close();
        let sessions = self.sessions.drain(..).flatten();
        let mut ending: JoinSet<()> = sessions.map(BlockSession::end).collect();
        while ending.join_next().await.is_some() {}
    }

    /// Shows how far it is, and whether it is to be ended.
    fn look(&mut self) -> bool {
        let live = self.show();
        self.measurement.telemetry.look(&live);
        if self.start.is_none() {
            return false;
        }
        self.aborted = (self.measurement.watch)(&live);
        self.aborted.is_some()
    }

    fn show(&self) -> Live {
        let live = self.merge.live();
        let now = clock::now();
        // The start is agreed on before it comes.
        let elapsed = self.start.and_then(|start| now.checked_duration_since(start));
        self.measurement.screen.update(&live, elapsed);
        live
    }
}

/// A worker knows the key, and what it says in words is stored and shown.
fn public(mut news: News, redactor: &Redactor) -> News {
    match &mut news {
        News::Interval { interval, .. } => {
            redactor.counters(&mut interval.counters);
            interval.parts.iter_mut().for_each(|part| redactor.counters(&mut part.counters));
        }
        News::Finished(finished) => {
            redactor.counters(&mut finished.totals);
            finished.parts.iter_mut().for_each(|part| redactor.counters(&mut part.counters));
        }
        News::Refused(words) | News::Lost(words) => *words = redactor.text(words),
        News::Ready { warm_up, .. } => redactor.counters(warm_up),
        News::Started { .. } => {}
    }
    news
}
