//! Which part of a block each worker has, as the engine deals it out. Pure.

use std::fmt::Write as _;

use proto::load::{Load, Pace};
use proto::share::{Share, requests_of};

use super::Foreseen;
use crate::plan::Block;

/// One worker's part of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    /// `None` where the target decides.
    pub(super) requests: Option<u64>,
    pub(super) connections: u64,
    /// In a closed loop.
    pub(super) in_flight: Option<u64>,
    /// In an open loop with a steady rate.
    pub(super) rate: Option<f64>,
}

/// Tells which part each worker has: once for all blocks that are dealt out alike, and once for all workers of one part.
pub(super) fn tell(text: &mut String, blocks: &[Block], foreseen: &[Foreseen], workers: u32) {
    let mut told: Vec<(Vec<Option<Part>>, Vec<String>)> = Vec::new();
    for (number, (block, foreseen)) in blocks.iter().zip(foreseen).enumerate() {
        let parts: Vec<_> = (0..workers).map(|worker| part(block, *foreseen, worker, workers)).collect();
        let number = (number + 1).to_string();
        match told.iter_mut().find(|(known, _)| *known == parts) {
            Some((_, numbers)) => numbers.push(number),
            None => told.push((parts, vec![number])),
        }
    }
    for (parts, numbers) in told {
        let blocks = if numbers.len() == 1 { "block" } else { "blocks" };
        let _ = writeln!(text, "\nShares of {blocks} {}:", numbers.join(", "));
        let mut first = 0;
        for alike in parts.chunk_by(|left, right| left == right) {
            let last = first + alike.len() - 1;
            let who = if first == last {
                format!("worker {first}")
            } else {
                format!("workers {first} to {last}, each")
            };
            let _ = writeln!(text, "  {who}: {}", alike.first().map_or(String::new(), in_words));
            first = last + 1;
        }
    }
}

/// `None` for a worker that has nothing to do.
pub(super) fn part(block: &Block, foreseen: Foreseen, worker: u32, workers: u32) -> Option<Part> {
    let share = Share::new(worker, block.active_workers(workers))?;
    let all = block.load.connections(block.streams);
    Some(match &block.load {
        Load::Closed { concurrency, .. } => {
            let places = u64::from(concurrency.get());
            let own = requests_of(share, all, places);
            // Request i belongs to place i modulo their number, and places to connections likewise.
            let of = |requests: u64| own * (requests / places) + requests_of(share, all, requests % places);
            let connections = share.of(u64::from(all));
            Part { requests: foreseen.requests.map(of), connections, in_flight: Some(own), rate: None }
        }
        Load::Open { pace, connections, .. } => {
            let rate = match pace {
                Pace::Steady(rate) => Some(rate.per_second() / f64::from(share.count())),
                Pace::Stages(_) | Pace::Trace(_) => None,
            };
            let requests = foreseen.requests.map(|requests| share.of(requests));
            Part { requests, connections: connections.get().into(), in_flight: None, rate }
        }
    })
}

fn in_words(part: &Option<Part>) -> String {
    let Some(part) = part else { return "nothing, for want of a connection".into() };
    let requests = part.requests.map(|requests| format!("{requests} requests"));
    let rate = part.rate.map(|rate| format!("{} req/s", (rate * 1e3).round() / 1e3));
    let in_flight = part.in_flight.map(|places| format!("{places} in flight"));
    let connections = match part.connections {
        1 => "1 connection".to_owned(),
        connections => format!("{connections} connections"),
    };
    let all = requests.into_iter().chain(rate).chain(in_flight).chain(Some(connections));
    all.collect::<Vec<_>>().join(", ")
}
