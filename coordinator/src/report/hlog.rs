//! The log of histograms that HdrHistogram's own tools read (format version 1.3): a line for each second, scenario and arm.
//! <https://github.com/HdrHistogram/HdrHistogram>, `HistogramLogWriter`.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::record::{BlockRecord, HistogramRecord, RecordError, ResultRecord, RunRecord};
use crate::plan::Purpose;

/// Every second's histograms of the whole fleet, block by block. Seconds without values have no line. Times are counted
/// from the start of the first block; where an earlier version wrote the record, blocks begin where the one before ended.
///
/// # Errors
/// When a histogram cannot be read.
pub fn log(record: &RunRecord) -> Result<String, RecordError> {
    GrowingLog::default().log(record).map(str::to_owned)
}

/// The log of a record that grows, in which each histogram is read once.
#[derive(Debug, Default)]
pub struct GrowingLog {
    text: String,
    blocks: usize,
    /// Whether loads are in the tags.
    has_levels: bool,
    /// When the first block began, and when the next one begins that does not say so.
    base: Timestamp,
    next: Timestamp,
}

impl GrowingLog {
    /// As [`log`], of a record whose earlier blocks are those of the last call.
    ///
    /// # Errors
    /// When a histogram cannot be read.
    pub fn log(&mut self, record: &RunRecord) -> Result<&str, RecordError> {
        let has_levels = ResultRecord::has_levels(record);
        if self.blocks == 0 || has_levels != self.has_levels {
            *self =
                Self { has_levels, next: time(&record.run.started).unwrap_or_default(), ..Self::default() };
        }
        for block in record.blocks.iter().skip(self.blocks) {
            let begins = block.started.as_deref().and_then(time).unwrap_or(self.next);
            if self.blocks == 0 {
                self.base = begins;
            }
            let text = lines(block, nanos_between(self.base, begins), has_levels)?;
            self.text += &if self.blocks == 0 { head(begins) + &text } else { text };
            self.next = ends(block, begins);
            self.blocks += 1;
        }
        if self.blocks == 0 {
            self.text = head(self.base);
        }
        Ok(&self.text)
    }
}

/// Those of a block that began so many nanoseconds after the base.
fn lines(block: &BlockRecord, offset: i128, has_levels: bool) -> Result<String, RecordError> {
    let tagged: Vec<_> = block.with_parts().map(|part| (tag(part, has_levels), part)).collect();
    // All of a second stand together, those of the scenarios of a mix as well.
    let seconds = (0..block.series.len())
        .flat_map(|at| tagged.iter().filter_map(move |(tag, part)| Some((tag, part.series.get(at)?))));
    let mut lines = String::new();
    for (tag, second) in seconds {
        let span = (offset + i128::from(second.start_ns), second.end_ns.saturating_sub(second.start_ns));
        let place = format!("block {}, the second from {} ns", block.number, second.start_ns);
        lines += &line(&format!("{tag}/response_time"), span, &second.response_time_histogram, &place)?;
        if let Some(histogram) = &second.time_to_first_token_histogram {
            lines += &line(&format!("{tag}/time_to_first_token"), span, histogram, &place)?;
        }
    }
    Ok(lines)
}

fn head(base: Timestamp) -> String {
    let seconds = milliseconds(base) as f64 / 1e3;
    format!(
        "#[Logged with archestra-bench]\n#[Histogram log format version 1.3]\n\
         #[StartTime: {seconds:.3} (seconds since epoch), {base}]\n#[BaseTime: {seconds:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
    )
}

/// The format has milliseconds, so that whatever is counted from the base is counted from a whole one.
fn milliseconds(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// The span in seconds, and the largest value in milliseconds, as tools plot it beside values in nanoseconds.
fn line(
    tag: &str,
    (start, length): (i128, u64),
    histogram: &HistogramRecord,
    place: &str,
) -> Result<String, RecordError> {
    let Some(max) = histogram.content(place)?.max() else { return Ok(String::new()) };
    Ok(format!(
        "Tag={tag},{:.3},{:.3},{:.3},{}\n",
        start as f64 / 1e9,
        length as f64 / 1e9,
        max as f64 / 1e6,
        histogram.v2_deflate
    ))
}

/// When a block ended that began then, by its last second.
fn ends(block: &BlockRecord, begins: Timestamp) -> Timestamp {
    let length = block.series.iter().map(|second| second.end_ns).max().unwrap_or_default();
    let length = SignedDuration::from_nanos(i64::try_from(length).unwrap_or(i64::MAX));
    begins.checked_add(length).unwrap_or(begins)
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn nanos_between(base: Timestamp, time: Timestamp) -> i128 {
    time.as_nanosecond() - i128::from(milliseconds(base)) * 1_000_000
}

/// `simple_chat/gateway`; with the load where a scenario has several, and with what the block was for where it was no
/// measurement.
fn tag(block: &BlockRecord, has_levels: bool) -> String {
    let has_levels = has_levels || block.purpose != Purpose::Measurement;
    let mut parts = vec![block.scenario.name.clone(), block.arm.name().to_owned()];
    parts.extend(has_levels.then(|| block.load.level().replace(' ', "_")));
    parts.extend((block.purpose != Purpose::Measurement).then(|| block.purpose.name().to_owned()));
    parts.iter().map(|part| encoded(part)).collect::<Vec<_>>().join("/")
}

/// A tag may hold neither a comma nor white space; what else might trip a reader up is written as in a URL, too.
fn encoded(part: &str) -> String {
    let mut text = String::new();
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) {
            text.push(byte.into());
        } else {
            // Writing to memory cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn each_second_has_a_line_with_its_tag_its_span_and_its_largest_value() {
        let mut record = fixtures::record();
        record.blocks[0].started = Some("2026-10-01T12:00:00.250700+02:00".into());
        let log = log(&record).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        // The format's milliseconds are those of the base; what is counted from it keeps the rest.
        assert_eq!(lines[2], "#[StartTime: 1790848800.250 (seconds since epoch), 2026-10-01T10:00:00.2507Z]");
        assert_eq!(lines[3], "#[BaseTime: 1790848800.250 (seconds since epoch)]");
        let first = &record.blocks[0].series[0];
        let max = first.response_time_histogram.content("").unwrap().max().unwrap() as f64 / 1e6;
        let start = format!("Tag=simple_chat/gateway/response_time,0.001,1.000,{max:.3},HISTFAA");
        assert!(lines[5].starts_with(&start), "{}", lines[5]);
        let with_values = record
            .blocks
            .iter()
            .flat_map(|block| &block.series)
            .filter(|second| second.response_time.is_some());
        let of_response_times = lines.iter().filter(|line| line.contains("/response_time,")).count();
        assert_eq!(of_response_times, with_values.count());
    }

    #[test]
    fn tags_tell_loads_and_purposes_apart_and_hold_no_separator() {
        let mut record = fixtures::record();
        record.blocks[0].scenario.name = "a, b/ü".into();
        record.blocks[0].purpose = Purpose::QueueingCheck;
        let tag = tag(&record.blocks[0], false);
        assert_eq!(tag, "a%2C%20b%2F%C3%BC/gateway/10_in_flight/queueing_check");
    }

    #[test]
    fn blocks_of_earlier_versions_follow_one_another_from_the_start_of_the_run() {
        let record = fixtures::record();
        let log = log(&record).unwrap();
        assert!(log.contains("[StartTime: 1790848800.000 "), "{log}");
        let length = record.blocks[0].series.last().unwrap().end_ns as f64 / 1e9;
        assert!(log.contains(&format!("Tag=simple_chat_stream/gateway/response_time,{length:.3},")), "{log}");
    }

    #[test]
    fn a_log_that_grows_is_as_if_it_had_been_whole_at_once() {
        let (whole, mut growing) = (fixtures::paired_record(), GrowingLog::default());
        let counts = [0, 1, 2, 6, 6, 7, whole.blocks.len()];
        let mut levels = Vec::new();
        for blocks in counts {
            let mut record = whole.clone();
            record.blocks.truncate(blocks);
            record.results.truncate(blocks.div_ceil(6));
            levels.push(ResultRecord::has_levels(&record));
            assert_eq!(growing.log(&record).unwrap(), log(&record).unwrap(), "{blocks}");
        }
        assert!(levels.contains(&true) && levels.contains(&false), "tags change on the way");
    }
}
