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
    let begins = begins(record);
    let base = begins.first().copied().unwrap_or_default();
    let mut log = head(base);
    for (block, begins) in record.blocks.iter().zip(begins) {
        let offset = nanos_between(base, begins);
        let tagged: Vec<_> = block.with_parts().map(|part| (tag(record, part), part)).collect();
        // All of a second stand together, those of the scenarios of a mix as well.
        let seconds = (0..block.series.len())
            .flat_map(|at| tagged.iter().filter_map(move |(tag, part)| Some((tag, part.series.get(at)?))));
        for (tag, second) in seconds {
            let span = (offset + i128::from(second.start_ns), second.end_ns.saturating_sub(second.start_ns));
            let place = format!("block {}, the second from {} ns", block.number, second.start_ns);
            log += &line(&format!("{tag}/response_time"), span, &second.response_time_histogram, &place)?;
            if let Some(histogram) = &second.time_to_first_token_histogram {
                log += &line(&format!("{tag}/time_to_first_token"), span, histogram, &place)?;
            }
        }
    }
    Ok(log)
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

/// When each block began.
fn begins(record: &RunRecord) -> Vec<Timestamp> {
    let mut next = time(&record.run.started).unwrap_or_default();
    let begins = record.blocks.iter().map(|block| {
        let begins = block.started.as_deref().and_then(time).unwrap_or(next);
        let length = block.series.iter().map(|second| second.end_ns).max().unwrap_or_default();
        let length = SignedDuration::from_nanos(i64::try_from(length).unwrap_or(i64::MAX));
        next = begins.checked_add(length).unwrap_or(begins);
        begins
    });
    begins.collect()
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn nanos_between(base: Timestamp, time: Timestamp) -> i128 {
    time.as_nanosecond() - i128::from(milliseconds(base)) * 1_000_000
}

/// `simple_chat/gateway`; with the load where a scenario has several, and with what the block was for where it was no
/// measurement.
fn tag(record: &RunRecord, block: &BlockRecord) -> String {
    let has_levels = ResultRecord::has_levels(record) || block.purpose != Purpose::Measurement;
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
        let tag = tag(&record, &record.blocks[0]);
        assert_eq!(tag, "a%2C%20b%2F%C3%BC/gateway/10_in_flight/queueing_check");
    }

    #[test]
    fn blocks_of_earlier_versions_follow_one_another_from_the_start_of_the_run() {
        let record = fixtures::record();
        let begins = begins(&record);
        assert_eq!(begins[0], time(&record.run.started).unwrap());
        let ends = record.blocks[0].series.last().unwrap().end_ns;
        assert_eq!(begins[1].as_nanosecond() - begins[0].as_nanosecond(), i128::from(ends));
    }
}
