//! `intervals.jsonl`: every interval of every worker, one JSON line each, written as it comes.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::interval::{Interval, PartResult};
use serde::{Deserialize, Serialize};

use super::files::FilesError;
use super::record::{CountersRecord, HostRecord, LatenciesRecord, RecordError, nanos};
use crate::merge::Arrival;

/// One worker's interval, as a line of the log holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntervalRecord {
    /// From 1.
    pub block: u32,
    /// From 0.
    pub worker: u32,
    /// From 0, without gaps, within one worker and block.
    pub sequence: u64,
    /// From the start of the block.
    pub start_ns: u64,
    /// From the start of the block.
    pub end_ns: u64,
    /// Of this interval only.
    pub counters: CountersRecord,
    /// From the end of the interval until its report came.
    #[serde(default)]
    pub delay_ns: u64,
    /// From its report until the end of the interval, where that came first.
    #[serde(default)]
    pub advance_ns: u64,
    /// The worker's machine in this interval.
    pub host: HostRecord,
    /// Of this interval only.
    pub latencies: LatenciesRecord,
    /// What each scenario of a mix has of it; empty for no mix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartIntervalRecord>,
}

/// What one scenario of a mix has of a worker's interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartIntervalRecord {
    /// Bytes and connections, which the scenarios share, are in none.
    pub counters: CountersRecord,
    /// As of the whole interval.
    pub latencies: LatenciesRecord,
}

impl IntervalRecord {
    /// Blocks are numbered from 1, workers from 0.
    pub fn new(block: u32, worker: u32, interval: &Interval, arrival: Arrival) -> Self {
        Self {
            block,
            worker,
            sequence: interval.sequence,
            start_ns: nanos(interval.start),
            end_ns: nanos(interval.end),
            counters: (&interval.counters).into(),
            delay_ns: nanos(arrival.delay),
            advance_ns: nanos(arrival.advance),
            host: interval.host.into(),
            latencies: (&interval.latencies).into(),
            parts: interval.parts.iter().map(PartIntervalRecord::new).collect(),
        }
    }
}

impl IntervalRecord {
    /// When its report came.
    pub(super) fn arrival(&self) -> Arrival {
        let [delay, advance] = [self.delay_ns, self.advance_ns].map(Duration::from_nanos);
        Arrival { delay, advance }
    }

    /// The interval; `place` names it.
    pub(super) fn content(&self, place: &str) -> Result<Interval, RecordError> {
        Ok(Interval {
            sequence: self.sequence,
            start: Duration::from_nanos(self.start_ns),
            end: Duration::from_nanos(self.end_ns),
            counters: self.counters.content(),
            latencies: self.latencies.content(place)?,
            host: self.host.into(),
            parts: self.parts.iter().map(|part| part.content(place)).collect::<Result<_, _>>()?,
        })
    }
}

impl PartIntervalRecord {
    fn new(part: &PartResult) -> Self {
        Self { counters: (&part.counters).into(), latencies: (&part.latencies).into() }
    }

    fn content(&self, place: &str) -> Result<PartResult, RecordError> {
        Ok(PartResult { counters: self.counters.content(), latencies: self.latencies.content(place)? })
    }
}

/// The log, open for appending.
#[derive(Debug)]
pub struct IntervalLog {
    file: File,
    path: PathBuf,
    /// Of what was written whole, in bytes.
    length: u64,
}

impl IntervalLog {
    /// Opens the log at `path`, which is made when it is missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(path: &Path) -> Result<Self, FilesError> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let opened = file.and_then(|file| Ok((file.metadata()?.len(), file)));
        let (length, file) = opened.map_err(|source| FilesError::write(path, source))?;
        Ok(Self { file, path: path.to_owned(), length })
    }

    /// Appends one interval in one write, so that whatever ends this process leaves whole lines; so does an error.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(
        &mut self,
        block: u32,
        worker: u32,
        interval: &Interval,
        arrival: Arrival,
    ) -> Result<(), FilesError> {
        let record = IntervalRecord::new(block, worker, interval, arrival);
        let line = serde_json::to_vec(&record).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line).map(|()| line.len() as u64)
        });
        match line {
            Ok(bytes) => {
                self.length += bytes;
                Ok(())
            }
            Err(source) => {
                // What cannot be cut off stays, and is no line.
                let _ = self.file.set_len(self.length);
                Err(FilesError::write(&self.path, source))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::fixtures;
    use crate::report::files::tests::TemporaryFolder;

    fn late() -> Arrival {
        Arrival { delay: Duration::from_millis(3), advance: Duration::from_millis(4) }
    }

    #[test]
    fn every_line_is_an_interval() {
        let folder = TemporaryFolder::new("interval_log");
        let path = folder.path().join("intervals.jsonl");
        let intervals = [fixtures::interval(0, (0.0, 1.0), &[5, 7]), fixtures::interval(1, (1.0, 1.5), &[])];
        for interval in &intervals {
            // Opened anew each time: the log is continued, not overwritten.
            IntervalLog::open(&path).unwrap().append(1, 0, interval, late()).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<IntervalRecord> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, intervals.map(|interval| IntervalRecord::new(1, 0, &interval, late())));
        assert_eq!(lines[0].arrival(), late());
        assert_eq!(lines[0].latencies.content("here").unwrap().response_time.count(), 2);
    }
}
