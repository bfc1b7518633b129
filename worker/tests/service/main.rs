//! The worker's gRPC face, spoken to as a coordinator does: orders, breaks, leases, rivals.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod orders;
mod process;
mod rivals;
mod streams;
mod support;
