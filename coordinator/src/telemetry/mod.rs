//! What others can follow of a run while it goes on. It subscribes to the merged intervals, as the progress does; the
//! workers know nothing of it.
//!
//! - [`meters`]: what has been counted and measured so far.
//! - [`families`]: the same as metrics, each with its name, its unit and its labels.
//! - [`exposition`]: as Prometheus reads them; [`endpoint`]: where it does so.
//! - [`otlp`]: as they are sent to an OpenTelemetry collector.

mod endpoint;
mod exposition;
mod families;
mod meters;
mod otlp;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::interval::Interval;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::clock;
use crate::config::{OtlpConfig, PrometheusConfig, TelemetryConfig};
use crate::interrupt::Interrupt;
use crate::merge::Live;
use crate::plan::Block;
use crate::server;

use families::families;
use meters::Meters;
use otlp::Exporter;

/// How long the collector may still take when the user has asked for an end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// For the last answer to be on its way when the process ends.
const ANSWER_LEAVES: Duration = Duration::from_millis(250);

/// Metrics that cannot be offered.
#[derive(Debug, thiserror::Error)]
#[error(
    "--prometheus {address} cannot be listened at: name an address of this machine with a port that is free"
)]
pub struct TelemetryError {
    /// Where.
    address: SocketAddr,
    /// Why.
    source: io::Error,
}

/// Of one run; does nothing where nobody is to follow it.
#[derive(Debug, Default)]
pub struct Telemetry {
    meters: Option<Arc<Mutex<Meters>>>,
    scrapes: Option<(watch::Receiver<u64>, Duration)>,
    url: Option<String>,
    sending: Option<Sending>,
}

/// What is sent now and then.
#[derive(Debug)]
struct Sending {
    exporter: Arc<Exporter>,
    task: JoinHandle<()>,
}

impl Telemetry {
    /// Offers the metrics of a run until the process ends, and sends them, as is asked for.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub async fn begin(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        if config.prometheus.is_none() && config.otlp.is_none() {
            return Ok(Self::default());
        }
        let meters = Arc::new(Mutex::new(Meters::default()));
        let mut telemetry = Self::default();
        if let Some(PrometheusConfig { address, linger }) = config.prometheus {
            let listening = server::listen(address).await;
            let (listener, taken) = listening.map_err(|source| TelemetryError { address, source })?;
            let (scraped, scrapes) = watch::channel(0);
            tokio::spawn(endpoint::serve(listener, Arc::clone(&meters), scraped));
            telemetry.scrapes = Some((scrapes, linger));
            telemetry.url = Some(format!("http://{}/metrics", server::host(taken)));
        }
        telemetry.sending = config.otlp.as_ref().and_then(|config| Sending::begin(config, &meters));
        Ok(Self { meters: Some(meters), ..telemetry })
    }

    /// Where Prometheus can read them; `None` where nobody asked for that.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// A block begins: the `number`th of so many that are planned; `None` in a search.
    pub fn begin_block(&self, number: u32, planned: Option<u32>, block: &Block) {
        self.with(|meters| meters.begin_block(number, planned, block));
    }

    /// One worker's interval, which was merged.
    pub fn interval(&self, worker: u32, interval: &Interval) {
        self.with(|meters| meters.interval(worker, interval));
    }

    /// The block as it stands.
    pub fn look(&self, live: &Live) {
        self.with(|meters| meters.look(live));
    }

    /// The block has ended: nothing is in flight any more.
    pub fn end_block(&self) {
        self.with(Meters::end_block);
    }

    /// Sends everything once more, and gives those who follow the run one last look, if there are any; the user's end comes
    /// first. It may take a while, so that whoever waits for the results should have them before.
    pub async fn end(self, interrupt: &mut Interrupt) {
        if let (Some(Sending { exporter, task }), Some(meters)) = (self.sending, &self.meters) {
            task.abort();
            let _ = task.await;
            let enough = async {
                interrupt.asked().await;
                sleep(LAST_WORDS).await;
            };
            let sent = tokio::select! {
                sent = send(&exporter, meters) => sent,
                () = enough => Err("it took too long for a run that is to end".into()),
            };
            if let Err(problem) = sent {
                tracing::warn!("the run's last metrics were not taken by {} ({problem})", exporter.place());
            }
        }
        let Some((mut scrapes, linger)) = self.scrapes else { return };
        let seen = *scrapes.borrow_and_update();
        if seen > 0 {
            let again = scrapes.wait_for(|scrapes| *scrapes > seen);
            let looked = interrupt.or(timeout(linger, again)).await;
            if matches!(looked, Some(Ok(Ok(_)))) {
                sleep(ANSWER_LEAVES).await;
            }
        }
    }

    fn with(&self, note: impl FnOnce(&mut Meters)) {
        if let Some(meters) = &self.meters {
            note(&mut lock(meters));
        }
    }
}

impl Sending {
    /// `None`, with a warning, where nothing can be sent.
    fn begin(config: &OtlpConfig, meters: &Arc<Mutex<Meters>>) -> Option<Self> {
        let exporter = Arc::new(Exporter::new(config, nanos_since_1970())?);
        let mut ticks = interval(config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (meters, of_task) = (Arc::clone(meters), Arc::clone(&exporter));
        let task = tokio::spawn(async move {
            let mut has_warned = false;
            loop {
                ticks.tick().await;
                let sent = send(&of_task, &meters).await;
                if let (Err(problem), false) = (sent, has_warned) {
                    tracing::warn!(
                        "metrics are not taken by {} ({problem}); the run goes on",
                        of_task.place()
                    );
                    has_warned = true;
                }
            }
        });
        Some(Self { exporter, task })
    }
}

async fn send(exporter: &Exporter, meters: &Mutex<Meters>) -> Result<(), String> {
    let families = families(&lock(meters));
    exporter.send(&families, nanos_since_1970()).await
}

fn nanos_since_1970() -> u64 {
    u64::try_from(clock::local_now().timestamp().as_nanosecond()).unwrap_or_default()
}

/// Whoever panicked while it held the meters left them whole: they are only added to.
fn lock(meters: &Mutex<Meters>) -> MutexGuard<'_, Meters> {
    meters.lock().unwrap_or_else(PoisonError::into_inner)
}
