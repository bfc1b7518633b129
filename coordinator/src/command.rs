//! Carries out one command and says with what the process exits.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::catalogue;
use crate::causes::sentence;
use crate::cli::{
    Amount, Command, CompareArgs, CompareFormat, Given, ListArgs, ListFormat, ManArgs, OpenArgs, PageFormat,
    PkiArgs, ReportArgs, ReportFormat,
};
use crate::clock;
use crate::config::gcp::{GcpConfig, SetupConfig};
use crate::config::{ConfigError, RunConfig, shell_quoted, state_dir};
use crate::forecast::forecast;
use crate::interrupt::INTERRUPTED;
use crate::manual;
use crate::report;
use crate::report::documents;
use crate::report::files::{FilesError, ResultsFolder};
use crate::report::history;
use crate::report::record::RunRecord;
use crate::run::{Measured, RunEnd, RunError, run};
use crate::screen::Notices;
use crate::setup::{self, SetupError};
use crate::starter;
use crate::statistics::compare::Figure;
use crate::statistics::thresholds::Judged;
use crate::statistics::verdict::Verdict;
use crate::trust::{describe_worker_bundle, make_worker_bundle};
use crate::viewer;

/// Something failed.
const FAILED: u8 = 1;
/// Wrong usage or configuration.
const USAGE: u8 = 2;
/// Measured, but the verdict is invalid.
const INVALID: u8 = 3;
/// A threshold was missed, or a run is worse than another.
const MISSED: u8 = 4;

/// A command that could not be carried out.
#[derive(Debug)]
pub struct Failure {
    /// What the process exits with.
    pub code: u8,
    /// One sentence: what, where, how to mend it.
    pub sentence: String,
}

impl Failure {
    fn new(code: u8, error: &dyn Error) -> Self {
        Self { code, sentence: sentence(error) }
    }
}

/// Carries out one command of `program`, which completions and pages are about. Log lines go through `notices`, which keep
/// them from tearing a screen.
///
/// # Errors
/// Why it could not be carried out.
pub fn execute(
    command: &Command,
    given: &Given,
    program: &clap::Command,
    notices: &Notices,
) -> Result<ExitCode, Failure> {
    let failed = |error: &dyn Error| Failure::new(FAILED, error);
    match command {
        Command::Run(args) => {
            let config = RunConfig::new(args, given).map_err(|error| Failure::new(USAGE, &error))?;
            measure(&config, notices)
        }
        Command::Capacity(args) => {
            let config = RunConfig::of_capacity(args, given).map_err(|error| Failure::new(USAGE, &error))?;
            measure(&config, notices)
        }
        Command::Report(args) => report_again(args),
        Command::Verify { path } => verify(path),
        Command::Compare(args) => compare(args),
        Command::List(args) => list(args),
        Command::Open(args) => open(args),
        Command::Pki(args) => pki(args, given),
        Command::Setup(args) => {
            let config = SetupConfig::new(args, given).map_err(|error| Failure::new(USAGE, &error))?;
            in_cloud(setup::setup(&config, notices))
        }
        Command::Status(args) => {
            let config = GcpConfig::to_look(args, given).map_err(|error| Failure::new(USAGE, &error))?;
            in_cloud(setup::status(&config))
        }
        Command::Cleanup(args) => {
            let config = GcpConfig::to_look(args, given).map_err(|error| Failure::new(USAGE, &error))?;
            in_cloud(setup::cleanup(&config, notices))
        }
        Command::Init => {
            documents::write_new(Path::new("."), &starter::FILES).map_err(|error| failed(&error))?;
            print(starter::TOLD)
        }
        Command::Scenarios(args) => {
            print(&catalogue::tell(args, given).map_err(|error| Failure::new(USAGE, &error))?)
        }
        Command::Completions(args) => print(&manual::completions(program, args.shell)),
        Command::Man(args) => man(args, program),
    }
}

fn runtime() -> Result<Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failure::new(FAILED, &error))
}

/// Carries out what has to do with machines alone, and prints what it tells.
fn in_cloud(work: impl Future<Output = Result<String, SetupError>>) -> Result<ExitCode, Failure> {
    match runtime()?.block_on(work) {
        Ok(told) => print(&told),
        Err(error) if error.is_interruption() => Err(Failure::new(INTERRUPTED, &error)),
        Err(error) => Err(Failure::new(FAILED, &error)),
    }
}

fn measure(config: &RunConfig, notices: &Notices) -> Result<ExitCode, Failure> {
    if config.dry_run {
        return print(&forecast(config));
    }
    let runtime = runtime()?;
    let failed = |error: RunError| Failure {
        code: if error.is_interruption() { INTERRUPTED } else { FAILED },
        sentence: config.redactor.text(&sentence(&error)),
    };
    match runtime.block_on(run(config, notices)).map_err(failed)? {
        RunEnd::NothingMeasured => {
            Err(Failure { code: INTERRUPTED, sentence: "interrupted before anything was measured".into() })
        }
        RunEnd::Measured(measured) => {
            let Measured { record, results, unsaved, left, telemetry, mut interrupt } = *measured;
            let handed = hand_over(config, &record, &results, unsaved);
            // Those who follow the run may be slow, and hold up nobody who reads.
            runtime.block_on(telemetry.end(&mut interrupt));
            let problems: Vec<String> =
                handed.into_iter().chain(left.map(|error| sentence(&error))).collect();
            if !problems.is_empty() {
                return Err(Failure { code: FAILED, sentence: problems.join("; ") });
            }
            match code_for(&record) {
                MISSED => Err(Failure { code: MISSED, sentence: missed(&record) }),
                code => Ok(ExitCode::from(code)),
            }
        }
    }
}

/// Shows what was measured in every way that was asked for, none of which waits for another to succeed; what went wrong, each
/// in a sentence.
fn hand_over(
    config: &RunConfig,
    record: &RunRecord,
    results: &ResultsFolder,
    unsaved: Option<FilesError>,
) -> Vec<String> {
    let summary = report::markdown::summary(record);
    show_step_summary(&summary);
    let junit = write_junit(config.junit.as_deref(), record);
    let (summary_path, report_path) = (results.summary_path(), results.report_path());
    let places = format!("\nSummary: {}\nReport:  {}\n", summary_path.display(), report_path.display());
    let printed = print(&match unsaved {
        None => summary + &places,
        // What is there, if anything, is of an earlier block.
        Some(_) => summary,
    });
    let printed = printed.err().map(|failure| match unsaved {
        None => format!("{}; the results are in {}", failure.sentence, summary_path.display()),
        Some(_) => failure.sentence,
    });
    let unsaved = unsaved.map(|error| sentence(&error));
    [unsaved, printed, junit.err().map(|failure| failure.sentence)].into_iter().flatten().collect()
}

fn code_for(record: &RunRecord) -> u8 {
    match record.verdict {
        _ if record.interrupted => INTERRUPTED,
        // What the user wanted to know of first.
        _ if record.is_hopeless() => MISSED,
        Verdict::Invalid => INVALID,
        // What means nothing neither passes a threshold nor misses it, so only these can.
        Verdict::Valid | Verdict::Suspect if record.thresholds.iter().any(Judged::is_missed) => MISSED,
        Verdict::Valid | Verdict::Suspect => 0,
    }
}

/// Which thresholds were missed, or what ended the run, in a sentence.
fn missed(record: &RunRecord) -> String {
    if let Some(why) = record.abort_reason() {
        return format!("the run was ended early, because {why}");
    }
    let missed: Vec<String> =
        record.thresholds.iter().filter(|judged| judged.is_missed()).map(Judged::sentence).collect();
    if missed.is_empty() {
        return "no rate held the objectives: look at why the steps failed, or begin with a lower --start-rate".into();
    }
    let count = record.thresholds.len();
    format!("{} of {count} thresholds missed: {}", missed.len(), missed.join("; "))
}

fn report_again(args: &ReportArgs) -> Result<ExitCode, Failure> {
    let record = report::load(&args.path).map_err(|error| Failure::new(FAILED, &error))?;
    write_junit(args.junit.as_deref(), &record)?;
    let written = match args.format {
        ReportFormat::Markdown => report::markdown::summary(&record),
        ReportFormat::Json => {
            let json = report::json::to_json(&record).map_err(|error| Failure::new(FAILED, &error))?;
            String::from_utf8_lossy(&json).into_owned()
        }
        ReportFormat::Csv => report::csv::results(&record),
        ReportFormat::CsvSeconds => report::csv::seconds(&record),
        ReportFormat::Hlog => report::hlog::log(&record).map_err(|error| Failure::new(FAILED, &error))?,
    };
    let code = print(&written)?;
    if matches!(args.format, ReportFormat::Markdown) {
        report::write_page(&args.path, &record).map_err(|error| Failure::new(FAILED, &error))?;
    }
    Ok(code)
}

fn write_junit(path: Option<&Path>, record: &RunRecord) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let written = report::files::write_atomically(path, report::junit::run(record).as_bytes());
    written.map_err(|error| Failure::new(FAILED, &error))
}

/// On the page that GitHub Actions shows of a step. A page is a courtesy: it fails nothing.
fn show_step_summary(markdown: &str) {
    let Some(path) = report::step_summary::path() else { return };
    let problem = match report::step_summary::append(&path, markdown) {
        Ok(true) => return,
        Ok(false) => "it has no room left".into(),
        Err(error) => error.to_string(),
    };
    tracing::warn!("the step's summary {} is without this one ({problem})", path.display());
}

fn verify(path: &Path) -> Result<ExitCode, Failure> {
    let checks = report::verify::verify_file(path).map_err(|error| Failure::new(FAILED, &error))?;
    let lines: String = checks.iter().map(|check| format!("{check}\n")).collect();
    let failed = checks.iter().filter(|check| check.problem.is_some()).count();
    print(&format!("{lines}{} checks, {failed} failed\n", checks.len()))?;
    Ok(ExitCode::from(if failed == 0 { 0 } else { FAILED }))
}

/// Of what is tolerated unless something else is asked for: more than noise, less than anyone would ship unseen.
const TOLERANCE: f64 = 0.05;
/// Of failures, in parts of all requests.
const TOLERANCE_OF_FAILURES: f64 = 0.001;

fn compare(args: &CompareArgs) -> Result<ExitCode, Failure> {
    let failed = |error: &dyn Error| Failure::new(FAILED, error);
    let load = |path: &Path| report::load(path).map_err(|error| failed(&error));
    let (old, new) = (load(&args.old)?, load(&args.new)?);
    let differences = report::compare::differences(&old, &new);
    if !differences.is_empty() && !args.force {
        let sentence = format!(
            "the runs cannot be compared, because they differ in more than their figures: {}; run both in the same way, or \
             give --force",
            report::visible(&differences.join("; "))
        );
        return Err(Failure { code: USAGE, sentence });
    }
    let tolerance = |figure: Figure, of_gateway: Option<f64>| {
        // The last one counts.
        let given = args.tolerances.iter().rfind(|tolerance| tolerance.figure == figure.name());
        let default = if figure == Figure::Failed { TOLERANCE_OF_FAILURES } else { TOLERANCE };
        match given.map_or(Amount::Share(default), |tolerance| tolerance.amount) {
            // Of the figure itself, or of what the gateway took.
            Amount::Share(share) => share * of_gateway.unwrap_or(1.0),
            Amount::Nanos(nanos) => nanos,
        }
    };
    let compared = report::compare::compare_runs(&old, &new, differences, tolerance);
    let comparison = compared.map_err(|error| failed(&error))?;
    if comparison.scenarios.is_empty() {
        let sentence = "the runs have no scenario under the same load in common, so there is nothing to compare; compare two \
                        results of `archestra-bench run`";
        return Err(Failure { code: USAGE, sentence: sentence.into() });
    }
    show_step_summary(&report::compare::markdown(&comparison));
    let written = match args.format {
        CompareFormat::Text => report::compare::text(&comparison),
        CompareFormat::Markdown => report::compare::markdown(&comparison),
        CompareFormat::Junit => report::compare::junit(&comparison),
        CompareFormat::Json => report::compare::json(&comparison).map_err(|error| failed(&error))?,
    };
    print(&written)?;
    Ok(ExitCode::from(if comparison.is_worse() { MISSED } else { 0 }))
}

fn pki(args: &PkiArgs, given: &Given) -> Result<ExitCode, Failure> {
    let usage = |error: ConfigError| Failure::new(USAGE, &error);
    let state = state_dir(args.state_dir.as_deref(), given).map_err(usage)?;
    let made = make_worker_bundle(&state, &args.fleet_name, &args.out, args.force, &clock::local_now());
    let bundle = made.map_err(|error| Failure::new(FAILED, &error))?;
    let flags = args.state_dir.as_ref().map_or_else(String::new, |folder| {
        format!(" --state-dir {}", shell_quoted(&folder.to_string_lossy()))
    });
    let mut text = Vec::new();
    let described = describe_worker_bundle(&bundle, &args.fleet_name, &flags, &mut text);
    described.map_err(|error| Failure::new(FAILED, &error))?;
    print(&String::from_utf8_lossy(&text))
}

fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let failed = |error: &dyn Error| Failure::new(FAILED, error);
    let zone = clock::local_now().time_zone().clone();
    let found = history::read(&args.results.results_dir, &zone).map_err(|error| failed(&error))?;
    match args.format {
        ListFormat::Text => print(&history::text(&found)),
        ListFormat::Json => print(&history::to_json(&found).map_err(|error| failed(&error))?),
    }
}

fn open(args: &OpenArgs) -> Result<ExitCode, Failure> {
    let report = history::report_of(&args.results.results_dir, args.run.as_deref());
    let report = report.map_err(|error| Failure::new(FAILED, &error))?;
    if viewer::open(&report) { Ok(ExitCode::SUCCESS) } else { print(&format!("{}\n", report.display())) }
}

fn man(args: &ManArgs, program: &clap::Command) -> Result<ExitCode, Failure> {
    let pages = manual::pages(program, args.format).map_err(|error| Failure::new(FAILED, &error))?;
    let Some(folder) = &args.folder else {
        return match (args.format, pages.first()) {
            (PageFormat::Roff, Some(page)) => print(&page.text),
            _ => print(&pages.iter().map(|page| page.text.as_str()).collect::<Vec<_>>().join("\n")),
        };
    };
    let texts = pages.iter().map(|page| (page.name.as_str(), page.text.as_str()));
    documents::write_pages(folder, texts).map_err(|error| Failure::new(FAILED, &error))?;
    print(&format!("{} pages are in {}\n", pages.len(), folder.display()))
}

/// Writes to standard output. A reader that has had enough (`| head`) is no failure.
fn print(text: &str) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => {
            let sentence =
                format!("standard output cannot be written ({error}): send it to where there is room");
            Err(Failure { code: FAILED, sentence })
        }
    }
}
