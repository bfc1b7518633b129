//! A run from configuration to results: workers up, preflight, one block after another, everything down again.

mod abort;
mod capacity;
mod error;
mod keeper;
mod measure;
mod pages;
mod witness;

use jiff::ZonedDateTime;
use proto::route::Route;
use proto::target::Target;
use proto::{COMMIT, SOFTWARE_VERSION};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock;
use crate::config::{RunConfig, TargetChoice};
use crate::environment::Environment;
use crate::fleet::news::News;
use crate::fleet::{Fleet, FleetError, Mock};
use crate::interrupt::Interrupt;
use crate::merge::MeasuredBlock;
use crate::plan::{Block, Plan};
use crate::preflight::preflight;
use crate::report::files::{FilesError, ResultsFolder};
use crate::report::found::found;
use crate::report::record::{FleetWorkerRecord, GrowingRecord, RunHead, RunRecord, TargetRecord, ToolRecord};
use crate::screen::{Notices, Place, Screen};
use crate::session::{SessionError, WorkerSession};
use crate::telemetry::Telemetry;
use crate::ui::{Door, Ui};

pub use error::RunError;
use keeper::Keeper;
use measure::{MeasureError, Measurement, Watch};
use witness::Witness;

/// How a run ended.
#[derive(Debug)]
pub enum RunEnd {
    /// It measured something.
    Measured(Box<Measured>),
    /// The user ended it before anything was measured.
    NothingMeasured,
}

/// What a run measured, and what became of it.
#[derive(Debug)]
pub struct Measured {
    /// Everything.
    pub record: RunRecord,
    /// Where it is.
    pub results: ResultsFolder,
    /// Why it is not, or not all of it.
    pub unsaved: Option<FilesError>,
    /// Why something that was to be taken down still stands.
    pub left: Option<FleetError>,
    /// Those who follow the run: they may be slow to hear of its end.
    pub telemetry: Telemetry,
    /// The page on which it was watched.
    pub ui: Ui,
    /// What makes an end of waiting for them.
    pub interrupt: Interrupt,
}

/// Who follows a run while it goes on.
#[derive(Clone, Copy)]
struct Followers<'a> {
    screen: &'a Screen,
    telemetry: &'a Telemetry,
    ui: &'a Ui,
}

/// What was measured, and why the files do not hold all of it.
type Kept = (RunRecord, Option<FilesError>);

/// Carries out one run, and takes down what it brought up whatever way it ends.
///
/// # Errors
/// What kept it from measuring anything.
pub async fn run(config: &RunConfig, notices: &Notices) -> Result<RunEnd, RunError> {
    let interrupt = Interrupt::watch()?;
    let telemetry = Telemetry::begin(&config.telemetry).await?;
    let door = Door::open(config.ui.as_ref()).await?;
    let command = if config.capacity.is_some() { "capacity" } else { "run" };
    let screen = Screen::new(command, config.quiet, notices, &interrupt);
    if let Some(url) = telemetry.url() {
        screen.say(&format!("metrics: {url}"));
    }
    let started = clock::local_now();
    let results = ResultsFolder::create(&config.results_dir, &started)?;
    let mut left = None;
    let ui = door.show(&screen, &results, &interrupt);
    let followers = Followers { screen: &screen, telemetry: &telemetry, ui: &ui };
    let ended = in_folder(config, &results, started, interrupt.clone(), followers, &mut left).await;
    screen.close();
    ui.end(matches!(&ended, Ok(Some(_)))).await;
    if let Ok(Some((record, unsaved))) = ended {
        let measured = Measured { record, results, unsaved, left, telemetry, ui, interrupt };
        return Ok(RunEnd::Measured(Box::new(measured)));
    }
    ui.farewell().await;
    results.remove_unused();
    warn_of(left);
    ended.map(|_| RunEnd::NothingMeasured)
}

fn warn_of(left: Option<FleetError>) {
    if let Some(error) = left {
        tracing::warn!("{error}");
    }
}

async fn in_folder(
    config: &RunConfig,
    results: &ResultsFolder,
    started: ZonedDateTime,
    mut interrupt: Interrupt,
    followers: Followers<'_>,
    left: &mut Option<FleetError>,
) -> Result<Option<Kept>, RunError> {
    let screen = followers.screen;
    let mock = match config.target {
        TargetChoice::BuiltInMock => Some(Mock::start().await?),
        TargetChoice::Url(_) => None,
    };
    let target = match (&config.target, &mock) {
        (TargetChoice::Url(target), _) => Some(target.clone()),
        (TargetChoice::BuiltInMock, mock) => mock
            .as_ref()
            .map(|mock| Target { http_version: config.http_version, ..Target::new(mock.url().clone()) }),
    };
    let mut measured = Ok(None);
    if let Some(target) = target {
        screen.subject(&subject(&target, mock.is_some()));
        match open_fleet(config, &target, results, &mut interrupt, screen).await {
            Ok(Some(mut fleet)) => {
                measured = on_fleet(config, results, started, target, &mut fleet, interrupt, followers).await;
                *left = fleet.close().await.err();
            }
            Ok(None) => {}
            Err(error) => measured = Err(error.into()),
        }
    }
    if let Some(mock) = mock {
        mock.end().await;
    }
    measured
}

/// What is loaded, without anything that a path or a query may hold.
fn subject(target: &Target, is_mock: bool) -> String {
    match &target.route {
        _ if is_mock => "the built-in mock".into(),
        Route::UnixSocket(path) => format!("unix:{path}"),
        Route::Url | Route::ConnectTo { .. } => target.url.origin().ascii_serialization(),
    }
}

/// Brings the workers up, and shows how; `None` when the user ended it.
async fn open_fleet(
    config: &RunConfig,
    target: &Target,
    results: &ResultsFolder,
    interrupt: &mut Interrupt,
    screen: &Screen,
) -> Result<Option<Fleet>, FleetError> {
    let (news, heard) = News::begin();
    let watching = tokio::spawn(screen.clone().watch(heard));
    let logs = results.path();
    let opening = Fleet::open(config, target, &logs, news, interrupt.clone());
    let opened = if config.fleet.undoes_what_it_made() {
        Some(opening.await)
    } else {
        // What is half open ends with the processes that it holds.
        interrupt.or(opening).await
    };
    // Everything has been said when whoever could say more is gone.
    if !matches!(opened, Some(Ok(_))) {
        let _ = watching.await;
    }
    opened.transpose()
}

async fn on_fleet(
    config: &RunConfig,
    results: &ResultsFolder,
    started: ZonedDateTime,
    target: Target,
    fleet: &mut Fleet,
    mut interrupt: Interrupt,
    followers: Followers<'_>,
) -> Result<Option<Kept>, RunError> {
    let screen = followers.screen;
    screen.workers(fleet.workers.iter().map(|worker| worker.address.clone()));
    screen.doing("asks the target once from each worker");
    let Some(workers) = interrupt.or(connect(fleet)).await else { return Ok(None) };
    let workers = workers?;
    let mut plan = config.plan(&target);
    for block in &mut plan.blocks {
        block.threads = block.threads.or(fleet.threads);
    }
    let Some(warnings) = interrupt.or(preflight(&workers, &plan.blocks, &config.redactor)).await else {
        return Ok(None);
    };
    let warnings = warnings?;
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    let mut head = head(config, results, &started, &target, fleet, &workers, warnings);
    if config.capacity.is_none() {
        head.planned = plan.blocks.iter().map(|block| block.scenario.name.clone()).collect();
    }
    head.direct = config.direct.as_ref().map(|direct| TargetRecord::new(&direct.target, false));
    head.order = config.direct.as_ref().map(|_| config.order.name().to_owned());
    let upstream = config.direct.as_ref().map(|direct| &direct.target);
    let Some(witness) = interrupt.or(Witness::find(&workers, upstream)).await else { return Ok(None) };
    let course = Course {
        config,
        keeper: Keeper::open(results)?,
        fleet,
        workers: &workers,
        screen,
        telemetry: followers.telemetry,
        ui: followers.ui,
        planned: config.capacity.is_none().then_some(plan.blocks.len() as u32),
        interrupt,
        witness,
        blocks: 0,
    };
    let record = GrowingRecord::new(head);
    let kept = match &config.capacity {
        Some(search) => capacity::search(course, &plan, search, record).await?,
        None => course.measure(&plan, record).await?,
    };
    Ok(Some(kept))
}

/// Dials all workers at once.
async fn connect(fleet: &Fleet) -> Result<Vec<WorkerSession>, SessionError> {
    let mut connecting = JoinSet::new();
    for access in &fleet.workers {
        connecting.spawn(WorkerSession::connect(access.clone()));
    }
    let mut workers = Vec::new();
    while let Some(connected) = connecting.join_next().await {
        // A task that was aborted has no session, and none is.
        if let Ok(connected) = connected {
            workers.push(connected?);
        }
    }
    workers.sort_by_key(|worker| worker.access.number);
    Ok(workers)
}

/// What every block of a run needs beside its plan.
struct Course<'a> {
    config: &'a RunConfig,
    keeper: Keeper,
    fleet: &'a mut Fleet,
    workers: &'a [WorkerSession],
    screen: &'a Screen,
    telemetry: &'a Telemetry,
    ui: &'a Ui,
    /// Blocks that the run has; `None` in a search.
    planned: Option<u32>,
    interrupt: Interrupt,
    witness: Option<Witness<'a>>,
    /// Blocks so far.
    blocks: u32,
}

impl Course<'_> {
    /// Runs one block; `watch` may end it.
    async fn block(
        &mut self,
        block: &Block,
        place: Place,
        watch: Watch<'_>,
    ) -> Result<MeasuredBlock, MeasureError> {
        self.blocks += 1;
        self.screen.begin_block(block, place);
        self.telemetry.begin_block(self.blocks, self.planned, block);
        let measurement = Measurement {
            number: self.blocks,
            block,
            fleet: &mut *self.fleet,
            workers: self.workers,
            lease: self.config.lease,
            keeper: &mut self.keeper,
            screen: self.screen,
            telemetry: self.telemetry,
            redactor: &self.config.redactor,
            interrupt: self.interrupt.clone(),
            watch,
            witness: self.witness.as_ref(),
        };
        let mut measured = measurement.run().await?;
        self.telemetry.end_block();
        self.config.redactor.block(&mut measured.block);
        Ok(measured)
    }

    async fn measure(mut self, plan: &Plan, mut record: GrowingRecord) -> Result<Kept, RunError> {
        self.all_blocks(plan, &mut record).await?;
        Ok(self.conclude(record))
    }

    /// Runs the blocks one after another, and saves after each.
    async fn all_blocks(&mut self, plan: &Plan, record: &mut GrowingRecord) -> Result<(), RunError> {
        for block in &plan.blocks {
            let place = Place::in_plan(plan, self.blocks + 1);
            let measured = self.block(block, place, abort::watch(&self.config.abort_on, block)).await?;
            let was_aborted = measured.aborted.is_some();
            record.add(&measured);
            if was_aborted || record.so_far().missing().is_empty() || self.interrupt.is_asked() {
                break;
            }
            self.save(record);
            if self.interrupt.or(sleep(self.config.cool_down)).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Writes what there is, so that whatever goes wrong later loses nothing, and tells whoever reads it meanwhile.
    fn save(&mut self, record: &GrowingRecord) {
        self.keeper.save(record.so_far(), self.ui.is_offered());
        if self.ui.is_offered() {
            self.screen.found(found(record.so_far()));
        }
        self.ui.has_report();
    }

    /// Ends the record, and saves it for the last time.
    fn conclude(self, record: GrowingRecord) -> Kept {
        let mut record = record.into_record();
        record.finish(timestamp(&clock::local_now()));
        let unsaved = self.keeper.end(&record);
        self.ui.has_report();
        (record, unsaved)
    }
}

fn head(
    config: &RunConfig,
    results: &ResultsFolder,
    started: &ZonedDateTime,
    target: &Target,
    fleet: &Fleet,
    workers: &[WorkerSession],
    preflight_warnings: Vec<String>,
) -> RunHead {
    let worker = |worker: &WorkerSession| {
        FleetWorkerRecord::new(worker.access.number, worker.access.address.clone(), &worker.description)
    };
    RunHead {
        tool: ToolRecord {
            version: SOFTWARE_VERSION.into(),
            commit: Some(COMMIT).filter(|c| *c != "unknown").map(Into::into),
        },
        started: timestamp(started),
        finished: None,
        command_line: config.command_line.clone(),
        results_folder: results.name().to_owned(),
        fleet: fleet.kind.to_owned(),
        target: TargetRecord::new(target, config.target == TargetChoice::BuiltInMock),
        direct: None,
        order: None,
        accepted: config.accepted.clone(),
        seed: config.seed,
        environment: serde_json::to_value(Environment::read()).unwrap_or_default(),
        workers: workers.iter().map(worker).collect(),
        preflight_warnings,
        planned: Vec::new(),
        thresholds: config.thresholds.iter().map(ToString::to_string).collect(),
    }
}

/// RFC 3339 with the local offset.
fn timestamp(time: &ZonedDateTime) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
