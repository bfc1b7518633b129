//! What becomes of machines while they are brought up, for whoever watches.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::clock;

/// What has become of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineNews {
    /// Its name.
    pub machine: String,
    /// Since bringing up began.
    pub elapsed: Duration,
    /// What has become of it.
    pub state: MachineState,
}

/// What has become of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineState {
    /// It was there already.
    Reused {
        /// Where.
        place: String,
    },
    /// It has been asked for.
    Creating {
        /// Where.
        place: String,
    },
    /// It is on its way into the cloud: how much, and for how long by now.
    Uploading {
        /// Of a million bytes.
        megabytes: u64,
        /// Since it began.
        seconds: u64,
    },
    /// It exists, and starts.
    Booting,
    /// It gets the worker's program, of so many bytes.
    Copying(u64),
    /// Its worker answers.
    Ready,
    /// It will not become ready.
    Failed(String),
    /// What it said while it started, at most the last lines.
    Log(Vec<String>),
    /// It is being deleted.
    Deleting,
    /// It is gone.
    Deleted,
}

/// Tells what becomes of machines.
#[derive(Debug, Clone)]
pub struct News {
    began: Instant,
    sender: UnboundedSender<MachineNews>,
}

impl News {
    /// For what begins now, and where it can be heard.
    pub fn begin() -> (Self, UnboundedReceiver<MachineNews>) {
        let (sender, receiver) = unbounded_channel();
        (Self { began: clock::now(), sender }, receiver)
    }

    /// Tells what has become of a machine.
    pub fn tell(&self, machine: &str, state: MachineState) {
        let elapsed = clock::now().saturating_duration_since(self.began);
        // Nobody has to listen.
        let _ = self.sender.send(MachineNews { machine: machine.to_owned(), elapsed, state });
    }
}
