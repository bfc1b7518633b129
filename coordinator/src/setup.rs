//! `setup`, `status` and `cleanup`: what stands in Google Cloud between runs.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use proto::outcome::FailureKind;
use proto::target::Target;
use tokio::time::{sleep, timeout};
use url::Url;

use crate::clock;
use crate::config::gcp::{GcpConfig, SetupConfig};
use crate::fleet::WorkerAccess;
use crate::fleet::gcp::inventory::{self, Inventory};
use crate::fleet::gcp::names::Names;
use crate::fleet::gcp::platform::{self, Platform};
use crate::fleet::gcp::{self, GcpError, Workshop};
use crate::fleet::news::News;
use crate::fleet::run_id;
use crate::interrupt::Interrupt;
use crate::report::files::write_atomically;
use crate::screen::{Notices, Screen};
use crate::session::{Probed, SessionError, WorkerSession};

/// The file that a plain `run` reads.
const SETTINGS: &str = "benchmark-config.env";
/// How it begins when `setup` has written it.
const WRITTEN_BY_SETUP: &str = "# Written by `archestra-bench setup`";
/// Between two questions whether the platform answers.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Why nothing stands there, or still does.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Google Cloud.
    #[error(transparent)]
    Gcp(#[from] GcpError),
    /// The worker beside the platform.
    #[error(transparent)]
    Worker(#[from] SessionError),
    /// The platform itself.
    #[error("the platform on {name} does not answer as it should: {problem}; {fate}")]
    Platform {
        /// Its VM.
        name: String,
        /// What came back last.
        problem: String,
        /// What became of it.
        fate: String,
    },
    /// The system denied something.
    #[error("the command cannot be set up")]
    System(#[from] io::Error),
    /// The file with the settings is somebody else's.
    #[error(
        "{SETTINGS} is there and was not written by `archestra-bench setup`, which would overwrite it: move it away"
    )]
    ForeignSettings,
    /// The address of the platform.
    #[error(
        "Google names {0} as the platform's address, which is none; look at it with `archestra-bench status`"
    )]
    Address(String),
}

impl SetupError {
    /// Whether the user ended it.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Gcp(GcpError::Interrupted(_)))
    }
}

/// Makes the platform, waits until it answers, and writes what a plain `run` needs. Returns what to tell the user.
///
/// # Errors
/// Why it does not stand; what was made is then deleted again, unless it is to be kept.
pub async fn setup(config: &SetupConfig, notices: &Notices) -> Result<String, SetupError> {
    let written = fs::read_to_string(SETTINGS);
    if written.is_ok_and(|text| !text.starts_with(WRITTEN_BY_SETUP)) {
        return Err(SetupError::ForeignSettings);
    }
    let interrupt = Interrupt::watch()?;
    let screen = Screen::new("setup", false, notices, &interrupt);
    screen.subject(&config.gcp.project);
    let (news, heard) = News::begin();
    let watching = tokio::spawn(screen.clone().watch(heard));
    let stands = stand(config, news, interrupt, &screen).await;
    // Everything has been said when whoever could say more is gone.
    let _ = watching.await;
    screen.close();
    stands
}

async fn stand(
    config: &SetupConfig,
    news: News,
    mut interrupt: Interrupt,
    screen: &Screen,
) -> Result<String, SetupError> {
    let workshop = Workshop::new(&config.gcp, run_id(), news, interrupt.clone())?;
    let platform = platform::open(workshop, config).await?;
    screen.doing("asks the platform until it answers");
    let answered = interrupt.or(until_it_answers(&platform, config)).await;
    let note = match answered {
        Some(Ok(note)) => note,
        Some(Err(problem)) => {
            let name = platform.name.clone();
            return Err(SetupError::Platform { name, problem, fate: platform.give_up().await });
        }
        None => return Err(GcpError::Interrupted(platform.workshop.undo().await).into()),
    };
    let settings = settings(&platform, config);
    if let Err(error) = write_atomically(Path::new(SETTINGS), settings.as_bytes()) {
        let error = GcpError::Settings { path: SETTINGS.into(), source: io::Error::other(error) };
        return Err(error.with_fate(platform.workshop.undo().await).into());
    }
    Ok(format!(
        "{} answers at {} from within the network{note}.\n{SETTINGS} is written: `archestra-bench run` loads it from VMs \
         now, `archestra-bench cleanup` deletes everything.\n",
        platform.name,
        platform.url(config.port),
    ))
}

/// Asks the platform from inside the network until it answers. Returns what is to be said about the answer.
async fn until_it_answers(platform: &Platform, config: &SetupConfig) -> Result<String, String> {
    let url = platform.url(config.port);
    let url = Url::parse(&url).map_err(|_| SetupError::Address(url).to_string())?;
    let target = Target::new(url);
    let mut last = String::from("it was not asked");
    let asking = async {
        let (mut worker, mut known) = (None, Some(platform.worker.clone()));
        loop {
            match ask(platform, &mut worker, &mut known, &target, config).await {
                Ok(Answer::Good) => return Ok(String::new()),
                Ok(Answer::WantsKey(status)) => {
                    return Ok(format!(
                        " (with status {status}: it wants a key, which `run` takes from \
                         ARCHESTRA_BENCHMARK_API_KEY)"
                    ));
                }
                Ok(Answer::NotYet(problem)) | Err(problem) => last = problem,
            }
            if let Some(problem) = platform.problem().await {
                return Err(problem);
            }
            sleep(ASK_EVERY).await;
        }
    };
    match timeout(config.timeout, asking).await {
        Ok(answered) => answered,
        Err(_) => Err(format!(
            "{last}, {} after its VM was ready; look at its serial log above, or raise --platform-timeout",
            humantime::format_duration(config.timeout)
        )),
    }
}

/// Asks once, by a worker that is dialled again where it is lost: it may have been started anew.
async fn ask(
    platform: &Platform,
    worker: &mut Option<WorkerSession>,
    known: &mut Option<WorkerAccess>,
    target: &Target,
    config: &SetupConfig,
) -> Result<Answer, String> {
    let session = match worker.take() {
        Some(session) => session,
        None => {
            let access = match known.take() {
                Some(access) => access,
                None => platform.worker_now().await.map_err(|error| error.to_string())?,
            };
            WorkerSession::connect(access).await.map_err(|error| error.to_string())?
        }
    };
    let scenario = &config.scenario;
    let probed = session.probe(target, &scenario.request, &scenario.expectation, ANSWER_LIMIT).await;
    let answer = judge(&probed.map_err(|error| error.to_string())?);
    *worker = Some(session);
    Ok(answer)
}

enum Answer {
    Good,
    WantsKey(u16),
    NotYet(String),
}

fn judge(probed: &Probed) -> Answer {
    let Some(failure) = &probed.failure else { return Answer::Good };
    match (failure.kind, failure.status) {
        (FailureKind::Status, Some(status @ (401 | 403))) => Answer::WantsKey(status),
        (FailureKind::Status, Some(status)) => Answer::NotYet(format!("it answers with status {status}")),
        (kind, _) => Answer::NotYet(format!("{kind}, {}", failure.detail)),
    }
}

/// What a plain `run` needs to do the right thing.
fn settings(platform: &Platform, config: &SetupConfig) -> String {
    let gcp = &config.gcp;
    let external = platform.external_address.as_deref().unwrap_or("none");
    let mut lines = vec![
        format!(
            "{WRITTEN_BY_SETUP} on {}; `archestra-bench cleanup` deletes it.",
            clock::local_now().strftime("%F %T %:z")
        ),
        format!(
            "# {}: {} within the network, external address {external}",
            platform.name, platform.internal_address
        ),
    ];
    let own = |name: &str, value: String| (name.to_owned(), value);
    let mut settings = vec![
        own("FLEET", "gcp".into()),
        own("ARCHESTRA_API_URL", platform.url(config.port)),
        own("GCP_PROJECT_ID", gcp.project.clone()),
        own("GCP_ZONE", gcp.zones.join(",")),
        own("GCP_MACHINE_TYPE", gcp.machine_type.clone()),
        own("ARCHESTRA_BENCH_FLEET_NAME", gcp.fleet_name.clone()),
    ];
    // Whatever else the user has told `setup` counts for a run against the same platform.
    let more = config.settings.iter().filter(|(name, _)| settings.iter().all(|(known, _)| known != name));
    let more: Vec<_> = more.cloned().collect();
    settings.extend(more);
    lines.extend(settings.iter().map(|(name, value)| format!("export {name}={}", quoted(value))));
    lines.push(String::new());
    lines.join("\n")
}

/// As a shell, and whoever else reads such a file, takes it for the value and nothing else.
fn quoted(value: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:,=@%+".contains(letter);
    if !value.is_empty() && value.chars().all(is_plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

/// Lists everything that a fleet has.
///
/// # Errors
/// When it cannot be listed.
pub async fn status(config: &GcpConfig) -> Result<String, SetupError> {
    let client = gcp::client(config)?;
    let inventory = Inventory::of(&client, &Names::of(&config.fleet_name)).await.map_err(GcpError::from)?;
    if let Some(zones) = inventory.blind_spots.clone() {
        let _ = write!(io::stdout(), "{inventory}");
        return Err(GcpError::Unseen { zones }.into());
    }
    if inventory.is_empty() {
        return Ok(format!("Fleet {} has nothing in project {}.\n", config.fleet_name, config.project));
    }
    Ok(inventory.to_string())
}

/// Deletes everything that a fleet has, and tells what that was.
///
/// # Errors
/// When something is left.
pub async fn cleanup(config: &GcpConfig, notices: &Notices) -> Result<String, SetupError> {
    let interrupt = Interrupt::watch()?;
    let screen = Screen::new("cleanup", false, notices, &interrupt);
    screen.subject(&config.project);
    let (news, heard) = News::begin();
    let watching = tokio::spawn(screen.clone().watch(heard));
    let cleaned = async {
        let workshop = Workshop::new(config, run_id(), news, interrupt)?;
        inventory::cleanup(&workshop).await
    };
    let cleaned = cleaned.await;
    let _ = watching.await;
    screen.close();
    let deleted = cleaned?;
    forget_settings(config);
    if deleted.is_empty() {
        return Ok(format!("Fleet {} has nothing in project {}.\n", config.fleet_name, config.project));
    }
    Ok(format!("Deleted: {}.\n", deleted.join(", ")))
}

/// The platform that the file names is gone, where it is of this fleet.
fn forget_settings(config: &GcpConfig) {
    let Ok(text) = fs::read_to_string(SETTINGS) else { return };
    let names = |line: String| text.lines().any(|found| found == line);
    let is_of_fleet = text.starts_with(WRITTEN_BY_SETUP)
        && names(format!("export ARCHESTRA_BENCH_FLEET_NAME={}", config.fleet_name))
        && names(format!("export GCP_PROJECT_ID={}", config.project));
    if is_of_fleet && let Err(error) = fs::remove_file(SETTINGS) {
        // The next run says that its target is gone.
        let _ = writeln!(io::stderr(), "warning: {SETTINGS} cannot be removed ({error})");
    }
}
