//! One worker's part of a block, as it comes in.

use std::time::Duration;

use proto::counters::Counters;
use proto::interval::{Finished, HostReading, Interval};
use proto::latencies::Latencies;

use super::{
    Arrival, LiveWorker, MeasuredWorker, WorkerEnd, WorkerReading, WorkerState, completion_problem,
    counters_difference, latencies_difference,
};

/// A share of a shorter interval is noise: in 20 ms, a single preemption of 2 ms would read as a tenth.
const SHORTEST_READING: Duration = Duration::from_millis(200);

/// One worker's part of a block, as it comes in.
#[derive(Debug)]
pub(super) struct WorkerMerge {
    /// What there is so far.
    pub(super) measured: MeasuredWorker,
    /// Whether more may come.
    pub(super) running: bool,
    /// When it was to start, against the fleet's first.
    pub(super) planned_start: Option<Duration>,
    /// The last interval in which a request came to its end, from its start to its end.
    pub(super) last_ended: Option<(Duration, Duration)>,
    /// Of the last interval that was long enough.
    reading: Option<WorkerReading>,
}

impl WorkerMerge {
    pub(super) fn new(number: u32, active: bool) -> Self {
        // Until it says otherwise.
        let end = if active {
            WorkerEnd::Lost { why: "it never reported its totals".into() }
        } else {
            WorkerEnd::Idle
        };
        let measured = MeasuredWorker {
            number,
            end,
            connections: 0,
            http_version: None,
            threads: 0,
            addresses_left_out: Vec::new(),
            bodies: 0,
            warm_up: Counters::default(),
            totals: Counters::default(),
            successes_in_window: 0,
            started_in_window: 0,
            latencies: Latencies::default(),
            intervals: 0,
            last_interval_end: Duration::ZERO,
            start_offset: None,
            round_trip: Duration::ZERO,
            report_delay: Duration::ZERO,
            clock_advance: Duration::ZERO,
            host: HostReading::default(),
            mismatch: None,
        };
        Self { measured, running: active, planned_start: None, last_ended: None, reading: None }
    }

    /// Adds the next interval. `duration` is the block's, if it has one.
    pub(super) fn add(&mut self, interval: &Interval, duration: Option<Duration>) {
        let measured = &mut self.measured;
        measured.intervals += 1;
        measured.last_interval_end = measured.last_interval_end.max(interval.end);
        measured.totals.add(&interval.counters);
        measured.latencies.merge(&interval.latencies);
        if duration.is_none_or(|duration| interval.end <= duration) {
            let (successes, started) = (interval.counters.successes, interval.counters.started);
            measured.successes_in_window = measured.successes_in_window.saturating_add(successes);
            measured.started_in_window = measured.started_in_window.saturating_add(started);
        }
        if interval.counters.successes > 0 || interval.counters.failed() > 0 {
            self.last_ended = Some((interval.start, interval.end));
        }
        let span = interval.end.saturating_sub(interval.start);
        raise(&mut measured.host, &interval.host, span);
        if span >= SHORTEST_READING {
            self.reading = Some(WorkerReading {
                throughput: interval.counters.successes as f64 / span.as_secs_f64(),
                cores: interval.host.process_cores,
                send_lag: interval.latencies.send_lag.quantile(0.99).map(Duration::from_nanos),
            });
        }
    }

    /// How far it is.
    pub(super) fn live(&self) -> LiveWorker {
        let state = match &self.measured.end {
            WorkerEnd::Idle => WorkerState::Idle,
            WorkerEnd::Finished { .. } => WorkerState::Finished,
            WorkerEnd::Lost { .. } if !self.running => WorkerState::Lost,
            WorkerEnd::Lost { .. } if self.measured.intervals > 0 => WorkerState::Running,
            WorkerEnd::Lost { .. } if self.planned_start.is_some() => WorkerState::Ready,
            WorkerEnd::Lost { .. } => WorkerState::Preparing,
        };
        LiveWorker { number: self.measured.number, state, reading: self.reading }
    }

    /// Notes when an interval's report came.
    pub(super) fn arrived(&mut self, arrival: Arrival) {
        let MeasuredWorker { report_delay, clock_advance, .. } = &mut self.measured;
        let furthest = Arrival { delay: *report_delay, advance: *clock_advance }.max(arrival);
        (*report_delay, *clock_advance) = (furthest.delay, furthest.advance);
    }

    /// Takes the worker's own totals, and notes whether its intervals add up to them.
    pub(super) fn finish(&mut self, finished: &Finished) {
        self.running = false;
        self.measured.mismatch = self.mismatch(finished);
        self.measured.end = WorkerEnd::Finished {
            reason: finished.end_reason,
            last_completion: finished.last_completion,
            start_lateness_min: finished.start_lateness_min,
            start_lateness_max: finished.start_lateness_max,
        };
    }

    /// Gives the worker up; what it had sent counts.
    pub(super) fn lose(&mut self, why: String) {
        self.running = false;
        self.measured.end = WorkerEnd::Lost { why };
    }

    /// When its first and its last thread began, against the first planned start of the fleet.
    pub(super) fn start(&self) -> Option<(Duration, Duration)> {
        let planned = self.planned_start?;
        match self.measured.end {
            WorkerEnd::Finished { start_lateness_min, start_lateness_max, .. } => {
                Some((planned.saturating_add(start_lateness_min), planned.saturating_add(start_lateness_max)))
            }
            WorkerEnd::Idle | WorkerEnd::Lost { .. } => None,
        }
    }

    fn mismatch(&self, finished: &Finished) -> Option<String> {
        let MeasuredWorker { number, intervals, totals, latencies, .. } = &self.measured;
        let difference = (*intervals != finished.intervals)
            .then(|| format!("{intervals} intervals against {}", finished.intervals))
            .or_else(|| counters_difference(totals, &finished.totals))
            .or_else(|| latencies_difference(latencies, &finished.latencies))
            .or_else(|| completion_problem(self.last_ended, finished.last_completion))?;
        Some(format!(
            "what worker {number} sent second by second does not add up to its totals: {difference}"
        ))
    }
}

/// Keeps the higher of each reading.
fn raise(highest: &mut HostReading, reading: &HostReading, span: Duration) {
    highest.resident_bytes = highest.resident_bytes.max(reading.resident_bytes);
    if reading.wall_step_ns.unsigned_abs() > highest.wall_step_ns.unsigned_abs() {
        highest.wall_step_ns = reading.wall_step_ns;
    }
    if span < SHORTEST_READING {
        return;
    }
    highest.process_cores = highest.process_cores.max(reading.process_cores);
    highest.busiest_thread = highest.busiest_thread.max(reading.busiest_thread);
    highest.scheduler_lag = highest.scheduler_lag.max(reading.scheduler_lag);
    highest.steal = highest.steal.max(reading.steal);
    highest.voluntary_switches = highest.voluntary_switches.max(reading.voluntary_switches);
    highest.involuntary_switches = highest.involuntary_switches.max(reading.involuntary_switches);
    highest.reporting = highest.reporting.max(reading.reporting);
}
