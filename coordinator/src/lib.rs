//! The coordinator: it plans a run, brings up workers, merges what they measure, and reports it.
//!
//! The data goes one way: [`cli`] and [`config`] → [`scenario`] → [`plan`] → [`fleet`] → [`session`] (one worker) →
//! [`run`] (all of them) → [`merge`] → [`statistics`] → [`report`].

pub mod capacity;
pub mod catalogue;
pub mod causes;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod environment;
pub mod fleet;
pub mod forecast;
pub mod interrupt;
pub mod manual;
pub mod merge;
pub mod nearest;
pub mod plan;
pub mod preflight;
pub mod report;
pub mod rules;
pub mod run;
pub mod scenario;
pub mod screen;
mod server;
pub mod session;
pub mod setup;
pub mod starter;
pub mod statistics;
pub mod telemetry;
pub mod threshold;
pub mod trust;
pub mod ui;
pub mod viewer;
