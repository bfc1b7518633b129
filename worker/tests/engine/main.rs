//! The engine against servers that a test scripts byte by byte, over real sockets.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, missing_docs)]

mod accounts;
mod connections;
mod failures;
mod floods;
mod framing;
mod h2_server;
mod host;
mod hpack;
mod http2;
mod http2_combined;
mod http2_connections;
mod http2_failures;
mod http2_tls;
mod load;
mod misbehaviour;
mod mixes;
mod open_loop;
mod phases;
mod probes;
mod server;
mod shares;
mod streams;
mod tls;
mod ways;
