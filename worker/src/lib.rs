//! The load engine behind a gRPC service, and the built-in mock upstream.
//!
//! - [`service`]: the gRPC face. It has the [`engine`] carry out an assignment and keeps every interval until the
//!   coordinator has acknowledged it.
//! - [`engine`]: one shard (an event loop on a thread of its own) per core. A shard follows its schedule, sends the
//!   pre-rendered [`request`] over its [`http1`] connections, has each [`answer`] checked and notes what came of it in
//!   its recorder.
//! - [`probe`]: one request, shown to a person.
//! - [`mock`]: an OpenAI-compatible upstream of known behaviour.
//!
//! The engine never prints, never talks gRPC and never waits for whoever reads its results.

pub mod answer;
pub mod cli;
pub mod clock;
pub mod connection;
pub mod credentials;
mod eight;
pub mod engine;
pub mod host;
pub mod http1;
pub mod http2;
pub mod json;
pub mod lifetime;
pub mod log;
pub mod mock;
pub mod outcome;
#[cfg(test)]
mod pieces;
pub mod probe;
pub mod request;
pub mod resolve;
pub mod service;
pub mod sse;
pub mod tls;
pub mod way;
