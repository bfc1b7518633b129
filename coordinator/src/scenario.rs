//! A named request and what a good answer is: the built-in ones, and files in TOML or JSON.

use proto::expectation::Expectation;
use proto::target::Request;

/// A named request and what a good answer is, complete with the headers that every request of it carries.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// As reports name it.
    pub name: String,
    /// What is sent.
    pub request: Request,
    /// What a good answer is.
    pub expectation: Expectation,
}
