//! What there is to be seen. A command feeds it, [`super::view`] draws it.

use std::time::{Duration, Instant};

use proto::load::Extent;

use super::provisioning::words;
use super::title::Title;
use crate::fleet::news::{MachineNews, MachineState};
use crate::merge::Live;
use crate::report::found::Found;

/// Seconds in the picture of the rate.
pub(super) const MINUTE: usize = 60;

/// What there is to be seen.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// The command, as it is typed.
    pub(super) command: &'static str,
    /// What is loaded or made, in a few words.
    pub(super) subject: String,
    /// Where a browser can follow it.
    pub(super) address: Option<String>,
    /// When the command began.
    pub(super) began: Instant,
    /// What goes on now where that is no block.
    pub(super) doing: Option<String>,
    /// Whether the user has asked for an end.
    pub(super) is_stopping: bool,
    /// The block that runs, or that ran last.
    pub(super) block: Option<BlockState>,
    /// Successes a second in the seconds before this block; not a number between two blocks.
    pub(super) before: Vec<f64>,
    /// Where each worker is, in order.
    pub(super) workers: Vec<String>,
    /// Machines that come up or go away, in the order in which they were heard of.
    pub(super) machines: Vec<Machine>,
    /// What came of each rate that a search has tried.
    pub(super) tried: Vec<Trial>,
    /// What speaks against the figures so far.
    pub(super) found: Vec<Found>,
    /// The newest lines of the log.
    pub(super) notices: Vec<String>,
}

/// A block, as far as it is.
#[derive(Debug, Clone)]
pub(super) struct BlockState {
    pub(super) title: Title,
    pub(super) extent: Extent,
    /// When its load began; `None` while workers prepare.
    pub(super) start: Option<Instant>,
    /// When it ended.
    pub(super) end: Option<Instant>,
    /// `None` before anything is known.
    pub(super) live: Option<Live>,
}

/// A machine, and what has become of it.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) name: String,
    /// From the beginning until it became that.
    pub(super) elapsed: Duration,
    pub(super) words: String,
    pub(super) end: MachineEnd,
}

/// Whether more is to come of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MachineEnd {
    /// It is on its way.
    Pending,
    /// It is as it should be.
    Good,
    /// It will not be.
    Bad,
}

/// A rate that was tried.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trial {
    /// Requests a second.
    pub(super) rate: f64,
    /// Why it does not hold, in a clause; `None` where it does.
    pub(super) failure: Option<String>,
}

impl State {
    pub(super) fn new(command: &'static str, subject: String, now: Instant) -> Self {
        Self {
            command,
            subject,
            address: None,
            began: now,
            doing: None,
            is_stopping: false,
            block: None,
            before: Vec::new(),
            workers: Vec::new(),
            machines: Vec::new(),
            tried: Vec::new(),
            found: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// Notes what has become of a machine.
    pub(super) fn machine(&mut self, news: &MachineNews) {
        let end = match news.state {
            // It is followed by what it is about.
            MachineState::Log(_) => return,
            MachineState::Ready | MachineState::Deleted => MachineEnd::Good,
            MachineState::Failed(_) => MachineEnd::Bad,
            _ => MachineEnd::Pending,
        };
        let name = news.machine.clone();
        let machine = Machine { name, elapsed: news.elapsed, words: words(&news.state), end };
        match self.machines.iter_mut().find(|known| known.name == machine.name) {
            Some(known) => *known = machine,
            None => self.machines.push(machine),
        }
    }

    /// A block begins to be prepared.
    pub(super) fn begin_block(&mut self, title: Title, extent: Extent) {
        self.doing = None;
        self.keep_seconds();
        self.block = Some(BlockState { title, extent, start: None, end: None, live: None });
    }

    /// What is known of the block, `elapsed` after its start; `None` before that.
    pub(super) fn update(&mut self, live: Live, elapsed: Option<Duration>, now: Instant) {
        if let Some(block) = &mut self.block {
            block.start = block.start.or(elapsed.and_then(|elapsed| now.checked_sub(elapsed)));
            block.live = Some(live);
        }
    }

    /// The block has ended; it stays until there is another.
    pub(super) fn end_block(&mut self, now: Instant) {
        if let Some(block) = &mut self.block {
            block.end = Some(now);
        }
    }

    /// The seconds of the last block become those before the next.
    fn keep_seconds(&mut self) {
        let last = self.block.as_ref().and_then(|block| block.live.as_ref());
        let Some(live) = last.filter(|live| !live.last_minute.is_empty()) else { return };
        self.before.extend(&live.last_minute);
        self.before.push(f64::NAN);
        let too_many = self.before.len().saturating_sub(MINUTE);
        self.before.drain(..too_many);
    }
}
