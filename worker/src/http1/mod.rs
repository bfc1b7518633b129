//! HTTP/1.1 as the engine speaks it: its own state machines over a raw stream.

mod chunked;
pub(crate) mod head;
pub mod response;
