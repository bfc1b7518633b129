//! The flags of `compare`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::duration;
use crate::nearest::question;

/// The flags of `compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// The earlier run: its folder, its report.json or its summary
    pub old: PathBuf,

    /// The later run
    pub new: PathBuf,

    /// How much worse a figure may be: mean, p50, p95, p99, throughput (a share of the old figure), failed (percentage
    /// points), added_mean, added_p50, added_p95, added_p99 (a share of the gateway's old figure, or a time such as 0.2ms);
    /// repeatable, or separated by commas [default: 5% each, failed=0.1%]
    #[arg(long = "tolerance", value_name = "FIGURE=AMOUNT", value_parser = tolerance, value_delimiter = ',')]
    pub tolerances: Vec<Tolerance>,

    /// Compare runs that differ in more than their figures
    #[arg(long)]
    pub force: bool,

    /// How the result is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = CompareFormat::Text)]
    pub format: CompareFormat,
}

/// How much worse one figure may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Tolerance {
    /// As [`Tolerance::FIGURES`] or [`Tolerance::ADDED`] has it.
    pub figure: &'static str,
    /// How much.
    pub amount: Amount,
}

/// How much worse something may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// 0.05 for 5 %.
    Share(f64),
    /// In nanoseconds.
    Nanos(f64),
}

impl Tolerance {
    /// What can be tolerated of one arm.
    pub const FIGURES: [&str; 6] = ["mean", "p50", "p95", "p99", "throughput", "failed"];
    /// What can be tolerated of what the gateway adds.
    pub const ADDED: [&str; 4] = ["added_mean", "added_p50", "added_p95", "added_p99"];
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// A line for each scenario
    Text,
    /// Everything
    Json,
    /// A table
    Markdown,
    /// A test case for each scenario, as CI systems read them
    Junit,
}

/// `p99=5%`.
fn tolerance(text: &str) -> Result<Tolerance, String> {
    let wrong = || {
        format!(
            "must be FIGURE=AMOUNT, such as p99=5% or added_p50=0.2ms, with a figure of {}, {}, not `{}`",
            Tolerance::FIGURES.join(", "),
            Tolerance::ADDED.join(", "),
            text.trim()
        )
    };
    let (figure, amount) = text.trim().split_once('=').ok_or_else(wrong)?;
    let figures = Tolerance::FIGURES.into_iter().chain(Tolerance::ADDED);
    let known = figures.clone().find(|known| *known == figure.trim());
    let figure = known.ok_or_else(|| format!("{}{}", wrong(), question(figure, figures)))?;
    let amount = match amount.trim().strip_suffix('%') {
        Some(number) => {
            let share = number.trim().parse::<f64>().ok().filter(|share| (0.0..=10_000.0).contains(share));
            Amount::Share(share.ok_or_else(wrong)? / 100.0)
        }
        None if Tolerance::ADDED.contains(&figure) => {
            Amount::Nanos(duration(amount.trim()).map_err(|_| wrong())?.as_nanos() as f64)
        }
        None => return Err(wrong()),
    };
    Ok(Tolerance { figure, amount })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_a_figure_and_a_share() {
        let share = Amount::Share(0.075);
        assert_eq!(tolerance(" p99 = 7.5% "), Ok(Tolerance { figure: "p99", amount: share }));
        assert_eq!(tolerance("added_p99=7.5%"), Ok(Tolerance { figure: "added_p99", amount: share }));
        let time = Amount::Nanos(200_000.0);
        assert_eq!(tolerance("added_p50=0.2ms"), Ok(Tolerance { figure: "added_p50", amount: time }));
        for bad in
            ["p99", "p99=5", "p99=5ms", "p90=5%", "p99=-1%", "p99=x%", "=5%", "p99=inf%", "added_p50=x"]
        {
            assert!(
                tolerance(bad).unwrap_err().starts_with("must be FIGURE=AMOUNT, such as p99=5%"),
                "{bad}"
            );
        }
    }
}
