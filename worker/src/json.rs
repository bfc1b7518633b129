//! Finds values in a JSON text that arrives in pieces, without storing it and without building a tree.
//!
//! [`Pointers`] says what is looked for and is compiled once; a [`Scan`] goes through one text after another.
//! [`Expected`] compares a value with one that was asked for.

mod capture;
mod equality;
mod lexis;
mod pointers;
mod scan;

pub use equality::Expected;
pub use pointers::{Pattern, Pointers, Test, Wants};
pub use scan::{NotJson, Scan};
