//! What can be wrong with a mix of scenarios.

/// A mix that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum MixError {
    /// Nothing to mix it with.
    #[error(
        "{place} names `{scenario}` alone, and a mix takes at least two; name another, or give --scenario"
    )]
    OfOne {
        /// Where it was given.
        place: String,
        /// The only one.
        scenario: String,
    },
    /// More than the wire takes.
    #[error(
        "{place} names {parts} scenarios, and a mix takes at most {}; leave some out",
        proto::mix::MAX_PARTS
    )]
    OfTooMany {
        /// Where it was given.
        place: String,
        /// How many.
        parts: usize,
    },
    /// One scenario with two weights.
    #[error("{place} names `{scenario}` twice; give it one weight")]
    Twice {
        /// Where it was given.
        place: String,
        /// Which.
        scenario: String,
    },
    /// A scenario's name that stands for all of them.
    #[error(
        "{place} names a scenario called `together`, as the report calls all of a mix; give it another `name`"
    )]
    NameIsTaken {
        /// Where it was given.
        place: String,
    },
    /// Answers with and without bodies on one connection.
    #[error(
        "{place} mixes HEAD with other methods, whose answers HTTP/2 would have on the same connection; give \
         --http-version 1.1, or leave one of them out"
    )]
    HeadOverHttp2 {
        /// Where it was given.
        place: String,
    },
}
