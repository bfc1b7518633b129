//! HTTP/1.1 as the engine speaks it: its own state machines over a raw stream.

pub mod connection;
pub mod response;
