//! What `init` writes: a file for every setting, and a scenario to begin with. Both run as they are.

/// Every setting with its default, commented out.
pub const SETTINGS: &str = include_str!("../../.env.example");
/// A scenario with every key that there is.
pub const SCENARIO: &str = include_str!("starter/scenario.toml");
/// The names of the files, and what is in them.
pub const FILES: [(&str, &str); 2] = [(".env", SETTINGS), ("scenario.toml", SCENARIO)];

/// What is told when both are there.
pub const TOLD: &str = "\
.env           every setting with its default: take the # away from what you want to change
scenario.toml  a request, and what a good answer to it is

Try them with the built-in mock:

    archestra-bench scenarios scenario.toml
    archestra-bench run --scenario scenario.toml

Then set ARCHESTRA_API_URL and ARCHESTRA_BENCHMARK_API_KEY in .env to load a gateway.
";
