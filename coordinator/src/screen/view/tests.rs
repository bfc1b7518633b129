use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proto::load::Extent;
use proto::outcome::{Failure, FailureKind};
use ratatui_core::buffer::Buffer;
use ratatui_core::style::Color;

use super::super::state::{State, Trial};
use super::super::title::{Place, Title};
use super::text::{compact, grouped, milliseconds, span};
use super::{Look, view};
use crate::clock;
use crate::fleet::news::{MachineNews, MachineState};
use crate::merge::fixtures::{block, closed, interval, open, requests, seconds};
use crate::merge::{BlockMerge, Live};
use crate::plan::{Arm, Block};

const COLOURFUL: Look = Look { colour: true, unicode: true };
const PLAIN: Look = Look { colour: false, unicode: false };
const ARMS: Place = Place { number: 3, of: Some(12), repeats: 3, has_arms: true };

#[test]
fn a_run_at_80_by_24_looks_like_this() {
    holds("run_80x24", &shown(&busy(), (80, 24), COLOURFUL));
}

#[test]
fn a_run_at_40_by_20_looks_like_this() {
    holds("run_40x20", &shown(&busy(), (40, 20), COLOURFUL));
}

#[test]
fn a_run_at_120_by_40_looks_like_this() {
    holds("run_120x40", &shown(&busy(), (120, 40), COLOURFUL));
}

#[test]
fn without_colours_and_with_ascii_alone_it_says_the_same() {
    let plain = shown(&busy(), (80, 24), PLAIN);
    holds("run_ascii_80x24", &plain);
    assert!(plain.content().iter().all(|cell| cell.fg == Color::Reset && cell.symbol().is_ascii()));
    let colourful = shown(&busy(), (80, 24), COLOURFUL);
    assert!(colourful.content().iter().any(|cell| cell.fg == Color::Red));
}

#[test]
fn machines_that_come_up_look_like_this() {
    let mut state = State::new("setup", "my-project".into(), began());
    let place = || "europe-west1-b".to_owned();
    let news = [
        ("loadtest-vm-1", 0.2, MachineState::Reused { place: place() }),
        ("loadtest-vm-1", 1.5, MachineState::Ready),
        ("loadtest-vm-2", 0.3, MachineState::Creating { place: place() }),
        ("loadtest-vm-2", 9.0, MachineState::Booting),
        ("the worker's binary", 3.0, MachineState::Uploading { megabytes: 31, seconds: 3 }),
        (
            "loadtest-vm-3",
            4.0,
            MachineState::Failed("it said nothing for 5 min; look at its serial log".into()),
        ),
    ];
    for (machine, elapsed, machine_state) in news {
        let elapsed = seconds(elapsed);
        state.machine(&MachineNews { machine: machine.into(), elapsed, state: machine_state });
    }
    state.doing = Some("asks the platform until it answers".into());
    state.notices =
        vec!["    4.0 s  loadtest-vm-3 failed: it said nothing for 5 min; look at its serial log".into()];
    holds("machines_80x24", &shown(&state, (80, 24), COLOURFUL));
    holds("machines_40x12", &shown(&state, (40, 12), COLOURFUL));
}

#[test]
fn a_search_that_is_being_stopped_looks_like_this() {
    let mut state = busy();
    let block = block(open(400), Extent::Duration(seconds(30.0)));
    if let Some(shown) = &mut state.block {
        shown.title = Title::new(&block, Place::in_search(4));
    }
    state.command = "capacity";
    state.tried = [(100.0, None), (200.0, None), (800.0, Some("p99 was 312 ms, where p99<250ms was wanted"))]
        .map(|(rate, failure)| Trial { rate, failure: failure.map(str::to_owned) })
        .into();
    state.is_stopping = true;
    state.notices = Vec::new();
    holds("capacity_80x24", &shown(&state, (80, 24), COLOURFUL));
}

#[test]
fn workers_that_prepare_look_like_this() {
    let mut state = State::new("run", "http://127.0.0.1:9000".into(), began());
    let block = block(closed(10), requests(1_000));
    state.begin_block(
        Title::new(&block, Place { number: 1, of: Some(1), repeats: 1, has_arms: false }),
        block.extent,
    );
    let mut merge = BlockMerge::new(block, 2);
    merge.started(0, Duration::ZERO, seconds(0.001));
    state.update(merge.live(), None, began());
    holds("preparing_80x24", &shown(&state, (80, 24), COLOURFUL));
}

#[test]
fn the_pages_address_is_shown_whole_or_not_at_all() {
    let mut state = busy();
    state.address = Some("http://10.0.0.1:9470/?token=abcdefghijklmnopqrstuvwxyz012345".into());
    let wide = text(&shown(&state, (80, 24), COLOURFUL));
    assert_eq!(wide.lines().nth(1).unwrap(), format!(" live page  {}", state.address.as_ref().unwrap()));
    assert!(!text(&shown(&state, (40, 24), COLOURFUL)).contains("live page"));
    assert!(
        !text(&shown(&state, (80, 9), COLOURFUL)).contains("live page"),
        "it is said on standard error, too"
    );
}

#[test]
fn nothing_is_too_small_or_too_large() {
    for state in [busy(), State::new("run", "x".repeat(300), began())] {
        for (width, height) in
            (0..=130).step_by(3).flat_map(|width| (0..=50).map(move |height| (width, height)))
        {
            let buffer = shown(&state, (width, height), COLOURFUL);
            assert_eq!((buffer.area().width, buffer.area().height), (width, height));
        }
    }
}

#[test]
fn what_matters_most_stays_longest() {
    let text = text(&shown(&busy(), (80, 9), COLOURFUL));
    for part in ["archestra-bench run", "simple_chat", "left", "last second", "block so far", "q or Ctrl-C"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn a_count_says_how_many_are_left_and_how_long_that_takes_at_the_rate_so_far() {
    let mut state = busy();
    if let Some(block) = &mut state.block {
        block.extent = requests(100_000);
    }
    let text = text(&shown(&state, (80, 24), COLOURFUL));
    let done = text.lines().nth(3).unwrap();
    assert!(done.contains(" of 100,000, ") && done.ends_with(" left"), "{text}");
}

#[test]
fn where_a_minute_has_no_room_two_seconds_share_a_column() {
    let mut state = busy();
    state.notices = Vec::new();
    let narrow = text(&shown(&state, (40, 30), COLOURFUL));
    let picture = narrow.lines().skip_while(|line| !line.contains("last minute")).nth(1).unwrap();
    assert_eq!(picture.chars().filter(|character| ('▁'..='█').contains(character)).count(), 30, "{narrow}");
    let first = state.block.as_mut().and_then(|block| block.live.as_mut()).unwrap();
    first.last_minute.truncate(1);
    let narrow = text(&shown(&state, (40, 30), COLOURFUL));
    assert!(narrow.contains("\n █ "), "one second is seen as well:\n{narrow}");
}

#[test]
fn a_minute_goes_on_from_block_to_block() {
    let mut state = busy();
    let block = block(closed(10), requests(1_000));
    state.end_block(now());
    state.begin_block(Title::new(&block, ARMS), block.extent);
    assert_eq!(state.before.len(), 60);
    assert!(state.before.last().unwrap().is_nan() && state.before[0] > 0.0);
}

#[test]
fn numbers_have_as_many_digits_as_mean_something() {
    let times = [0.000_051_24, 0.000_999_6, 0.005_013, 0.010_39, 0.099_96, 0.123_4, 1.234_5];
    assert_eq!(
        times.map(|time| milliseconds(seconds(time))),
        ["0.051", "1.00", "5.01", "10.4", "100", "123", "1,235"]
    );
    assert_eq!([7, 1_000, 1_234_567].map(grouped), ["7", "1,000", "1,234,567"]);
    assert_eq!([498.2, 9_999.0, 12_345.0, 1_234_567.0].map(compact), ["498", "9,999", "12k", "1.2M"]);
    let spans = [0.9, 59.9, 65.0, 3_725.0].map(|time| span(seconds(time)));
    assert_eq!(spans, ["0 s", "59 s", "1 min 05 s", "1 h 02 min"]);
}

/// Three workers of which one was lost, 65 of 90 seconds into a block, with failures and a warning.
pub(in crate::screen) fn busy() -> State {
    let mut state = State::new("run", "http://127.0.0.1:9000".into(), began());
    state.workers =
        ["127.0.0.1:41234", "127.0.0.1:41235", "load-3.example.com:7000"].map(str::to_owned).into();
    let extent = Extent::Duration(seconds(90.0));
    let block = Block { arm: Arm::Direct, repeat: 2, ..block(open(500), extent) };
    state.begin_block(Title::new(&block, ARMS), block.extent);
    state.update(live(block), Some(seconds(65.4)), now());
    state.notices =
        vec!["warning: worker 2 was lost (it was killed by signal 9 (SIGKILL)); the others go on".into()];
    state
}

fn live(block: Block) -> Live {
    let mut merge = BlockMerge::new(block, 3);
    for second in 0..65_u64 {
        let count = 180 + (second * 37 % 61) as usize;
        let times: Vec<u64> = (0..count).map(|at| 5_000_000 + 90_000 * at as u64).collect();
        let span = (second as f64, second as f64 + 1.0);
        for worker in 0..2 {
            let mut interval = interval(second, span, &times);
            if worker == 0 && second % 20 == 0 {
                let kind = if second == 40 { FailureKind::Timeout } else { FailureKind::Status };
                let failure = Failure { kind, status: None, detail: "said so".into() };
                interval.counters.failures = BTreeMap::from([(failure, 3)]);
            }
            merge.interval(worker, &interval).unwrap();
        }
        if second < 30 {
            merge.interval(2, &interval(second, span, &times)).unwrap();
        }
        if second == 30 {
            merge.lost(2, "it was killed");
        }
    }
    merge.live()
}

/// Some moment; screens know spans alone.
fn began() -> Instant {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *BEGAN.get_or_init(clock::now)
}

pub(in crate::screen) fn now() -> Instant {
    began() + Duration::from_millis(125_400)
}

fn shown(state: &State, size: (u16, u16), look: Look) -> Buffer {
    view(state, now(), size, look)
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area().width);
    let row = |cells: &[ratatui_core::buffer::Cell]| {
        let row: String = cells.iter().map(|cell| cell.symbol()).collect();
        row.trim_end().to_owned() + "\n"
    };
    buffer.content().chunks(width.max(1)).map(row).collect()
}

/// Holds it against what somebody has looked at. `BLESS=1` writes that anew, to be looked at.
fn holds(name: &str, buffer: &Buffer) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/screen_{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, text(buffer)).unwrap();
    }
    assert_eq!(text(buffer), fs::read_to_string(&path).unwrap(), "{}", path.display());
}
