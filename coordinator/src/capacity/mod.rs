//! The highest rate that a target carries while it holds its objectives: which rate is tried next, and what came of a
//! step. Pure.
//!
//! [`Search`] doubles the rate until a step fails, bisects between the highest that passed and the lowest that failed, and
//! confirms both with longer steps; [`replayed`] goes over one again. [`backlog`] tells a queue that grows from one that only sways.

pub mod backlog;
mod replay;
mod search;

pub use replay::{Astray, replayed};
pub use search::{Bounds, Conclusion, Limit, Search, Step, StepKind, Tried};

#[cfg(test)]
mod tests;
