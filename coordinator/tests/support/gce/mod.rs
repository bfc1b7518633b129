//! A fake of Compute Engine's REST API (v1) and of Cloud Storage's JSON API, as far as a fleet of VMs needs them.
//!
//! ```ignore
//! let gce = FakeGce::start(Options::default());       // or Options { listener, machines, project, token }
//! // What a client needs to know:
//! gce.compute_url();   // http://ADDRESS/compute/v1/
//! gce.storage_url();   // http://ADDRESS/storage/v1/, uploads at http://ADDRESS/upload/storage/v1/b/BUCKET/o
//! gce.token_url();     // POST: a token for a service account's assertion or for a refresh token
//! gce.ip_url();        // the caller's address as plain text
//! gce.token();         // accepted after `Authorization: Bearer`
//! gce.project();
//! ```
//!
//! Which method a call is, and whether its parameters, its body and its answer are right, is read from Google's own
//! discovery documents (`tests/fixtures/gce`). What is wrong is answered with 400, collected, and fails the test when the
//! fake ends, unless the test has asked for it with [`Handle::take_violations`].
//!
//! | To … | use |
//! | --- | --- |
//! | let calls go wrong | [`Handle::script`] with a [`Rule`], a [`Fault`] and an error of [`errors`] |
//! | choose how long operations take | [`Handle::set_pace`], [`Handle::set_wait_limit`] |
//! | move the time, so that `maxRunDuration` ends | [`Handle::advance`] |
//! | take a VM back, as a spot VM is | [`Handle::preempt`] |
//! | make lists come in pages | [`Handle::set_page_limit`] |
//! | do something between any two calls | [`Handle::on_call`] |
//! | see what was asked | [`Handle::log`] |
//! | see that everything is gone | [`Handle::resources`] |
//! | have others' resources there | [`Handle::put_instance`], [`Handle::put_firewall`], [`Handle::put_bucket`] |
//! | play the VMs | [`Machines`], or the closure of [`BootWith`], and [`Handle::set_guest_attribute`], [`Handle::append_serial`] |
//!
//! A [`Handle`] can be cloned and moved to other threads; a [`FakeGce`] is one that ends its fake when it is dropped.

pub mod accounts;
mod buckets;
mod call;
mod catalogue;
pub mod checksums;
pub mod client;
mod clock;
mod discovery;
pub mod errors;
mod faults;
mod filter;
mod firewalls;
mod handle;
mod instance_body;
mod instances;
mod lists;
mod machines;
mod methods;
mod objects;
mod operations;
mod schema;
mod serial;
pub mod server;
mod serving;
mod state;

use std::net::TcpListener;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

pub use call::Answer;
pub use faults::{Fault, Rule};
pub use machines::{Addresses, BootWith, InstanceView, Machines, NothingBoots};
use server::Server;
pub use state::{Access, Pace};
use state::{Effect, State};

use super::clock::now;

/// How often the fake looks whether something is due.
const TICK: Duration = Duration::from_millis(5);

/// How a fake begins.
pub struct Options {
    /// Where it is to be reached.
    pub listener: TcpListener,
    /// What stands behind its instances.
    pub machines: Box<dyn Machines>,
    /// The caller's project.
    pub project: String,
    /// The caller's token.
    pub token: String,
}

/// A fake that ends when it is dropped, and fails its test then if a call or an answer was not what Google's are.
pub struct FakeGce {
    handle: Handle,
    server: Option<Server>,
    ticker: Option<JoinHandle<()>>,
}

/// A fake, for who does not own it.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// A call that came.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Such as `POST`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// Null when it is no JSON.
    pub body: Value,
    /// How long the fake had run by its own clock.
    pub time: Duration,
    /// The status of the answer, even if it was lost; `None` when there is none yet.
    pub status: Option<u16>,
}

/// What a hook is told.
#[derive(Debug, Clone)]
pub struct CallEvent {
    /// From 1.
    pub number: u64,
    /// Such as `POST`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// When.
    pub moment: Moment,
}

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The call is done, and its answer is not sent yet.
    BeforeAnswer,
    /// The answer is sent.
    AfterAnswer,
}

type Hook = dyn Fn(&CallEvent) + Send + Sync;

/// What all threads of a fake share.
struct Shared {
    project: String,
    token: String,
    machines: Box<dyn Machines>,
    state: Mutex<State>,
    rules: Mutex<Vec<Rule>>,
    hook: Mutex<Option<Arc<Hook>>>,
    log: Mutex<Vec<Recorded>>,
    violations: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl Default for Options {
    /// On a loopback port, with one project, and nothing boots.
    fn default() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            machines: Box::new(NothingBoots),
            project: "bench-project".to_owned(),
            token: "ya29.of-a-test".to_owned(),
        }
    }
}

impl FakeGce {
    /// Starts a fake.
    pub fn start(options: Options) -> Self {
        let Options { listener, machines, project, token } = options;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(&project, &token)),
            project,
            token,
            machines,
            rules: Mutex::default(),
            hook: Mutex::default(),
            log: Mutex::default(),
            violations: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let handle = Handle { shared };
        let ticker = thread::spawn({
            let handle = handle.clone();
            move || handle.tick()
        });
        let shared = Arc::clone(&handle.shared);
        let server =
            Server::start(listener, Arc::new(move |request, peer| serving::serve(&shared, request, peer)));
        Self { handle, server: Some(server), ticker: Some(ticker) }
    }

    /// What paths of Compute Engine begin with.
    pub fn compute_url(&self) -> String {
        self.url("/compute/v1/")
    }

    /// What paths of Cloud Storage begin with, but for uploads.
    pub fn storage_url(&self) -> String {
        self.url("/storage/v1/")
    }

    /// Where a service account or a user gets a token.
    pub fn token_url(&self) -> String {
        self.url("/token")
    }

    /// Where a caller learns its address.
    pub fn ip_url(&self) -> String {
        self.url("/ip")
    }

    /// The caller's token.
    pub fn token(&self) -> &str {
        &self.handle.shared.token
    }

    /// One that does not end the fake.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// A path of the fake.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.as_ref().unwrap().address())
    }
}

impl Deref for FakeGce {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for FakeGce {
    fn drop(&mut self) {
        self.handle.shared.stopped.store(true, Ordering::SeqCst);
        drop(self.server.take());
        let ticked = self.ticker.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(ticked.is_none_or(|ticked| ticked.is_ok()), "a machine of the fake panicked");
            let violations = self.take_violations();
            assert!(violations.is_empty(), "Google would not have it:\n{}", violations.join("\n"));
        }
    }
}

impl Handle {
    /// Does what is due, and tells the machines, until the fake ends.
    fn tick(&self) {
        while !self.shared.stopped() {
            self.shared.state().settle();
            while let Some(effect) = self.next_effect() {
                let machines = &self.shared.machines;
                match effect {
                    Effect::Boot(instance) => machines.boot(self, &instance),
                    Effect::Stop(instance) => machines.stop(self, &instance),
                    Effect::Firewalls(rules) => machines.firewalls(self, &rules),
                }
            }
            thread::sleep(TICK);
        }
    }

    fn next_effect(&self) -> Option<Effect> {
        self.shared.state().effects.pop_front()
    }
}

impl Shared {
    /// A thread that panicked while it held the lock has failed its test already.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn violation(&self, text: String) {
        self.violations.lock().unwrap().push(text);
    }

    /// Looks again and again until `done` says so, the fake ends, or so much time is over.
    fn wait_until(&self, limit: Duration, mut done: impl FnMut(&mut State) -> bool) {
        let end = now().checked_add(limit);
        while !self.stopped() && end.is_none_or(|end| now() < end) && !done(&mut self.state()) {
            thread::sleep(TICK);
        }
    }
}
