//! What a person sees while a command goes on: one screen on a terminal, plain lines elsewhere, little when it is quiet.
//!
//! A command tells what it knows to a [`Screen`]. On a terminal that becomes a state (`state`), of which a pure function
//! (`view`) makes what is seen, and a thread (`shell`) draws that. Elsewhere it becomes lines.

mod facts;
mod notices;
mod progress;
mod provisioning;
mod shell;
mod state;
mod title;
mod tty;
mod view;

use std::io::{self, Stderr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::clock;
use crate::fleet::news::{MachineNews, MachineState};
use crate::interrupt::Interrupt;
use crate::merge::Live;
use crate::plan::Block;
use crate::report::found::Found;
use crate::report::visible;

pub use facts::{Facts, HEIGHT, Row, SECONDS, Tone};
pub use notices::Notices;
use progress::Progress;
use provisioning::Provisioning;
use shell::{Shell, lock};
use state::{State, Trial};
pub use title::Place;
use title::Title;
use view::Look;

/// Where a command tells what goes on. Its clones are one.
#[derive(Debug, Clone)]
pub struct Screen(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    state: Arc<Mutex<State>>,
    face: Face,
    notices: Notices,
    interrupt: Interrupt,
}

/// How it is shown.
#[derive(Debug)]
enum Face {
    /// As a screen, when there is something to be seen: before that the terminal may be needed for a question.
    Waiting,
    /// As a screen.
    Drawn(Shell),
    /// Not any more.
    Closed,
    /// As lines on standard error.
    Lines { progress: Progress<Stderr>, provisioning: Provisioning<Stderr> },
}

impl Screen {
    /// For a command, as it is typed. Nothing is shown yet.
    pub fn new(command: &'static str, quiet: bool, notices: &Notices, interrupt: &Interrupt) -> Self {
        let face = if !quiet && tty::is_there() {
            Face::Waiting
        } else {
            Face::Lines {
                progress: Progress::new(io::stderr(), quiet),
                provisioning: Provisioning::new(io::stderr(), quiet),
            }
        };
        let state = Arc::new(Mutex::new(State::new(command, String::new(), clock::now())));
        let (notices, interrupt) = (notices.clone(), interrupt.clone());
        Self(Arc::new(Mutex::new(Inner { state, face, notices, interrupt })))
    }

    /// What is loaded or made, in a few words.
    pub fn subject(&self, subject: &str) {
        lock(&lock(&self.0).state).subject = visible(subject);
    }

    /// Where a browser can follow the command: says so at once, and shows it. What is quiet says it, too.
    pub fn address(&self, address: &str) {
        self.say(&format!("live page: {address}"));
        lock(&lock(&self.0).state).address = Some(address.to_owned());
    }

    /// A line on standard error, or where a screen is there, among those of the log.
    pub fn say(&self, line: &str) {
        lock(&self.0).notices.say(line);
    }

    /// What speaks against the figures so far.
    pub fn found(&self, findings: Vec<Found>) {
        lock(&lock(&self.0).state).found = findings;
    }

    /// What there is to be seen now, for whoever shows it otherwise.
    pub fn facts(&self) -> Facts {
        let inner = lock(&self.0);
        let mut state = lock(&inner.state).clone();
        state.is_stopping = inner.interrupt.is_asked();
        state.notices = inner.notices.log();
        drop(inner);
        facts::facts(&state, clock::now())
    }

    /// Where the workers are, in order.
    pub fn workers(&self, addresses: impl IntoIterator<Item = String>) {
        lock(&lock(&self.0).state).workers = addresses.into_iter().collect();
    }

    /// What goes on now that is no block, in a clause.
    pub fn doing(&self, what: &str) {
        self.see(|state| state.doing = Some(what.to_owned()));
    }

    /// Shows what becomes of machines until there is nothing more to be heard.
    pub async fn watch(self, mut heard: UnboundedReceiver<MachineNews>) {
        while let Some(news) = heard.recv().await {
            self.machine(&news);
        }
    }

    fn machine(&self, news: &MachineNews) {
        self.see(|state| state.machine(news));
        if let Face::Lines { provisioning, .. } = &mut lock(&self.0).face {
            return provisioning.tell(news);
        }
        if matches!(news.state, MachineState::Failed(_) | MachineState::Log(_)) {
            let notices = lock(&self.0).notices.clone();
            provisioning::lines(news).iter().for_each(|line| notices.tell(line));
        }
    }

    /// A block begins to be prepared.
    pub fn begin_block(&self, block: &Block, place: Place) {
        self.see(|state| state.begin_block(Title::new(block, place), block.extent));
    }

    /// What is known of the block, `elapsed` after its start; `None` before that.
    pub fn update(&self, live: &Live, elapsed: Option<Duration>) {
        let mut inner = lock(&self.0);
        let Inner { state, face, .. } = &mut *inner;
        let mut state = lock(state);
        if let (Face::Lines { progress, .. }, Some(block), Some(elapsed)) = (face, &state.block, elapsed) {
            progress.update(live, &block.title, block.extent, elapsed);
        }
        state.update(live.clone(), elapsed, clock::now());
    }

    /// The block has ended.
    pub fn end_block(&self) {
        let mut inner = lock(&self.0);
        if let Face::Lines { progress, .. } = &mut inner.face {
            progress.end_block();
        }
        lock(&inner.state).end_block(clock::now());
    }

    /// A search begins with another scenario.
    pub fn begin_search(&self) {
        lock(&lock(&self.0).state).tried.clear();
    }

    /// What came of a rate that was tried: why it does not hold, in a clause, or `None` where it does.
    pub fn tried(&self, per_second: f64, failure: Option<&str>) {
        let failure = failure.map(visible);
        let mut inner = lock(&self.0);
        if let Face::Lines { progress, .. } = &mut inner.face {
            let outcome = failure.as_ref().map_or("holds".to_owned(), |why| format!("does not hold: {why}"));
            progress.say(&format!("{per_second}/s {outcome}"));
        }
        lock(&inner.state).tried.push(Trial { rate: per_second, failure });
    }

    /// Takes the screen away, and writes what was kept meanwhile to standard error. What is told from here on is not shown.
    pub fn close(&self) {
        let mut inner = lock(&self.0);
        if matches!(inner.face, Face::Lines { .. }) {
            return;
        }
        let face = std::mem::replace(&mut inner.face, Face::Closed);
        drop(inner);
        if let Face::Drawn(shell) = face {
            shell.end();
        }
    }

    /// Changes what is to be seen, and has it seen.
    fn see(&self, change: impl FnOnce(&mut State)) {
        let mut inner = lock(&self.0);
        change(&mut lock(&inner.state));
        if matches!(inner.face, Face::Waiting) {
            let (state, notices, interrupt) =
                (Arc::clone(&inner.state), inner.notices.clone(), inner.interrupt.clone());
            // Without a thread to spare there is nothing to be seen, and the command goes on.
            inner.face = Shell::start(state, notices, interrupt, look()).map_or(Face::Closed, Face::Drawn);
        }
    }
}

/// As the environment wants it.
fn look() -> Look {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).map(|name| name.to_ascii_lowercase());
    let is_utf8 = |name: &String| name.contains("utf-8") || name.contains("utf8");
    // The console's font has few characters.
    let is_console = set("TERM").is_some_and(|term| term == "linux");
    Look { colour: set("NO_COLOR").is_none(), unicode: locale.as_ref().is_none_or(is_utf8) && !is_console }
}
