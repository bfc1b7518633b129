//! What can be wrong with what is asked of a run: what is compared, searched for or judged.

/// A question that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// One load, twice.
    #[error(
        "{place} names a level twice, and the report could not tell them apart; name each once, or give --repeats"
    )]
    LevelTwice {
        /// Where it was given.
        place: String,
    },
    /// Headers that cannot be sent.
    #[error("{name} is no list of headers; write it like authorization=Bearer%20KEY,x-team=checkout")]
    OtlpHeaders {
        /// The variable.
        name: &'static str,
    },
    /// A flag that only means something beside another arm.
    #[error("{flag} is about the upstream beside the gateway; give --direct, or leave it out")]
    NeedsDirect {
        /// The flag.
        flag: String,
    },
    /// A flag that a search has no use for.
    #[error(
        "{flag} has no meaning in a search, which finds the load itself; leave it out, or use `archestra-bench run`"
    )]
    NotOfASearch {
        /// The flag.
        flag: String,
    },
    /// A search for which nothing has to hold.
    #[error(
        "{place} says nothing of {scenario}, so that every rate would hold; add an objective for it, such as \
         `{scenario}:p99<1s`, or one without a name, which is for every scenario"
    )]
    NoObjective {
        /// Where the others are.
        place: String,
        /// The scenario's name.
        scenario: String,
    },
    /// A condition that can only be judged in the end.
    #[error(
        "{place} has `{condition}`, which nobody knows while a block runs; use p50, p95, p99, failed, dropped or throughput"
    )]
    CannotBeWatched {
        /// Where it was given.
        place: String,
        /// The condition.
        condition: String,
    },
    /// A threshold of what only a goal gives.
    #[error(
        "{place} has `{threshold}`, and nothing says what a request must keep to; give --goodput as well"
    )]
    ThresholdNeedsGoal {
        /// Where it was given.
        place: String,
        /// The threshold.
        threshold: String,
    },
    /// A goal of what no scenario has.
    #[error(
        "{place} bounds what only streams have, and no scenario streams; bound `response`, or name a scenario that streams"
    )]
    GoalNeedsStream {
        /// Where it was given.
        place: String,
    },
    /// A threshold of a scenario that is not run.
    #[error("{place} names the scenario `{scenario}`, which is not run; {cure}")]
    ThresholdOfNoScenario {
        /// Where it was given.
        place: String,
        /// What it names.
        scenario: String,
        /// How to mend it.
        cure: String,
    },
    /// A threshold that compares two arms.
    #[error(
        "{place}: `{threshold}` needs --direct, because an overhead is measured against the upstream itself; give that, or leave it out"
    )]
    ThresholdNeedsDirect {
        /// Where it was given.
        place: String,
        /// The threshold.
        threshold: String,
    },
    /// What a gateway adds, as the objective of a search.
    #[error(
        "{place}: `{objective}` is no objective of a search, which measures one target and no upstream; search without it, \
         and judge it with `archestra-bench run --direct URL --rate RATE --threshold '{objective}'`"
    )]
    OverheadInASearch {
        /// The flag or variable.
        place: String,
        /// As it was written.
        objective: String,
    },
}
