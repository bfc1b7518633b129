//! The flags of `compare`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::nearest::question;

/// The flags of `compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// The earlier run: its folder, its report.json or its summary
    pub old: PathBuf,

    /// The later run
    pub new: PathBuf,

    /// How much worse a figure may be: mean, p50, p95, p99, throughput (a share of the old figure), failed (percentage
    /// points); repeatable, or separated by commas [default: 5% each, failed=0.1%]
    #[arg(long = "tolerance", value_name = "FIGURE=SHARE", value_parser = tolerance, value_delimiter = ',')]
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
    /// As [`Tolerance::FIGURES`] has it.
    pub figure: &'static str,
    /// 0.05 for 5 %.
    pub share: f64,
}

impl Tolerance {
    /// What can be tolerated.
    pub const FIGURES: [&str; 6] = ["mean", "p50", "p95", "p99", "throughput", "failed"];
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
            "must be FIGURE=SHARE, such as p99=5%, with a figure of {}, not `{}`",
            Tolerance::FIGURES.join(", "),
            text.trim()
        )
    };
    let (figure, share) = text.trim().split_once('=').ok_or_else(wrong)?;
    let known = Tolerance::FIGURES.into_iter().find(|known| *known == figure.trim());
    let figure = known.ok_or_else(|| format!("{}{}", wrong(), question(figure, Tolerance::FIGURES)))?;
    let share = share.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let share = share.filter(|share| (0.0..=10_000.0).contains(share)).ok_or_else(wrong)?;
    Ok(Tolerance { figure, share: share / 100.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_a_figure_and_a_share() {
        assert_eq!(tolerance(" p99 = 7.5% "), Ok(Tolerance { figure: "p99", share: 0.075 }));
        for bad in ["p99", "p99=5", "p90=5%", "p99=-1%", "p99=x%", "=5%", "p99=inf%"] {
            assert!(tolerance(bad).unwrap_err().starts_with("must be FIGURE=SHARE, such as p99=5%"), "{bad}");
        }
    }
}
