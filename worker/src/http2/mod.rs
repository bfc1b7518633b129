//! The client's side of HTTP/2 (RFC 9113): a state machine per connection, without I/O, that takes the bytes that came
//! and says what to send.
//!
//! - [`frame`]: what frames are made of; [`frames`] cuts what came into them, however it is cut.
//! - [`hpack`]: header blocks; [`head`] is what they say of a response.
//! - [`request`]: a request, encoded once, whose bytes serve every stream of every connection.
//! - [`session`]: one connection with its [`streams`].

pub mod frame;
mod frames;
mod head;
pub mod hpack;
pub mod request;
pub mod session;
mod streams;
