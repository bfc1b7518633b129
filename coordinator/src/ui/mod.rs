//! The live page: what the screen shows, and the report as far as it is, for browsers. It only reads.
//!
//! - [`access`]: who may read it.
//! - [`endpoint`]: which requests are answered, and with what.
//! - [`events`]: what a page that is open is told, about once a second.
//! - [`page`]: the page itself; its script is `live.js`.
//!
//! A run tells when its report is newer, and when it has ended. Nothing of a viewer reaches it: who is slow misses
//! what was in between, and the report is what the run has written anyway.

mod access;
mod endpoint;
mod events;
mod page;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::config::UiConfig;
use crate::interrupt::Interrupt;
use crate::report::files::ResultsFolder;
use crate::screen::{Facts, Screen};
use crate::server;

use access::Access;
use events::{End, News};

/// Between two looks at the run.
const EVERY: Duration = Duration::from_secs(1);
/// Pages that are open at once.
const MOST_PAGES: u32 = 48;
/// How long pages may take to take the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// A page that cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum UiError {
    /// Somebody else is there, or it is no address of this machine.
    #[error("--ui {address} cannot be listened at: name an address of this machine with a port that is free")]
    Address {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Without a token everybody could read it.
    #[error(
        "--ui {address} needs a token, for which the system has no randomness: name an address on loopback"
    )]
    Randomness {
        /// Where.
        address: SocketAddr,
    },
}

/// Where a page is to be, if it is: who comes early waits.
#[derive(Debug)]
pub struct Door(Option<(TcpListener, Access, Duration)>);

/// The page of one run; does nothing where nobody asked for one.
#[derive(Debug, Default)]
pub struct Ui(Option<Box<Offered>>);

#[derive(Debug)]
struct Offered {
    stage: Arc<Stage>,
    linger: Duration,
    interrupt: Interrupt,
}

/// What all viewers share.
#[derive(Debug)]
struct Stage {
    access: Access,
    screen: Screen,
    /// The name of the run's folder, which tells runs apart.
    run: String,
    /// The run's folder, for a person.
    folder: String,
    /// The report, as a page of its own.
    report: PathBuf,
    news: watch::Sender<News>,
    /// One for each page that is open.
    places: Arc<Semaphore>,
}

impl Door {
    /// Listens where `config` says.
    ///
    /// # Errors
    /// When that is not possible.
    pub async fn open(config: Option<&UiConfig>) -> Result<Self, UiError> {
        let Some(UiConfig { address, linger }) = config.copied() else { return Ok(Self(None)) };
        let listening = server::listen(address).await;
        let (listener, address) = listening.map_err(|source| UiError::Address { address, source })?;
        let access = Access::new(address).map_err(|_| UiError::Randomness { address })?;
        Ok(Self(Some((listener, access, linger))))
    }

    /// Shows a run to whoever comes, until the process ends, and says where.
    pub fn show(self, screen: &Screen, results: &ResultsFolder, interrupt: &Interrupt) -> Ui {
        let Some((listener, access, linger)) = self.0 else { return Ui(None) };
        screen.address(&access.url());
        let stage = Arc::new(Stage {
            access,
            screen: screen.clone(),
            run: results.name().to_owned(),
            folder: results.path().display().to_string(),
            report: results.page_path(),
            news: watch::Sender::new(News::default()),
            places: Arc::new(Semaphore::new(MOST_PAGES as usize)),
        });
        tokio::spawn(look(Arc::clone(&stage)));
        tokio::spawn(endpoint::serve(listener, Arc::clone(&stage)));
        Ui(Some(Box::new(Offered { stage, linger, interrupt: interrupt.clone() })))
    }
}

/// Looks at the run now and then, while anybody wants to know.
async fn look(stage: Arc<Stage>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stage.news.borrow().end.is_none() {
        ticks.tick().await;
        if stage.news.receiver_count() > 0 {
            stage.look();
        }
    }
}

impl Stage {
    /// Tells all viewers what there is to be seen now.
    fn look(&self) {
        let live = Live { run: &self.run, facts: self.screen.facts() };
        // Texts and tables are always JSON.
        let live = Bytes::from(serde_json::to_string(&live).unwrap_or_default());
        self.news.send_modify(|news| news.live = live);
    }

    /// The report as it was written last, as an element of the page; `None` before there is one.
    async fn report(&self) -> Option<String> {
        let path = self.report.clone();
        let read = spawn_blocking(move || page::report(&std::fs::read_to_string(path).ok()?));
        read.await.ok().flatten()
    }
}

/// What a page is told of a run that goes on.
#[derive(Serialize)]
struct Live<'a> {
    run: &'a str,
    #[serde(flatten)]
    facts: Facts,
}

impl Ui {
    /// Whether anybody may watch.
    pub fn is_offered(&self) -> bool {
        self.0.is_some()
    }

    /// The report was written anew.
    pub fn has_report(&self) {
        if let Some(Offered { stage, .. }) = self.0.as_deref() {
            stage.news.send_modify(|news| news.revision += 1);
        }
    }

    /// The run has ended, as it should or not: tells so to whoever looks at it.
    pub async fn end(&self, is_measured: bool) {
        let Some(Offered { stage, .. }) = self.0.as_deref() else { return };
        let has_viewers = stage.news.receiver_count() > 0;
        let has_report = stage.news.borrow().revision > 0;
        let report = if has_viewers && has_report { stage.report().await } else { None };
        stage.look();
        let words = page::ended(is_measured, has_report, &stage.folder);
        stage.news.send_modify(|news| news.end = Some(Arc::new(End { words, report })));
    }

    /// Lets pages that are open take the end, for a moment.
    pub async fn farewell(&self) {
        if let Some(Offered { stage, .. }) = self.0.as_deref() {
            let _ = timeout(FAREWELL, stage.places.acquire_many(MOST_PAGES)).await;
        }
    }

    /// The same, and keeps the page where it is for as long as was asked for, or until the user ends that.
    pub async fn linger(self) {
        self.farewell().await;
        let Some(offered) = self.0 else { return };
        let Offered { stage, linger, mut interrupt } = *offered;
        if !linger.is_zero() && !interrupt.is_asked() {
            let span = humantime::format_duration(linger);
            stage.screen.say(&format!("the live page stays for {span}, or until Ctrl-C"));
            interrupt.or(sleep(linger)).await;
        }
    }
}
