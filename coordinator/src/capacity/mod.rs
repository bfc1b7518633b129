//! The highest rate that a target carries while it holds its objectives: which rate is tried next, and what came of a
//! step. Pure.
//!
//! [`Search`] doubles the rate until a step fails, bisects between the highest that passed and the lowest that failed, and
//! confirms both with longer steps. [`backlog`] tells a queue that grows from one that only sways.

pub mod backlog;
mod search;

pub use search::{Bounds, Conclusion, Search, Step, StepKind, Tried};

#[cfg(test)]
mod tests;
