//! What end-to-end tests stand on: a target whose behaviour is scripted to the microsecond, and the built binary as a
//! process that cannot outlive its test.

// Each test crate uses a part of it, and a helper that fails fails the test.
#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod browser;
pub mod clock;
pub mod cloud;
pub mod gce;
pub mod network;
pub mod oracles;
pub mod pages;
pub mod process;
pub mod providers;
pub mod proxy;
pub mod request;
pub mod results;
pub mod scripted_worker;
pub mod ssh_fleet;
pub mod target;
pub mod terminal;
pub mod vms;
