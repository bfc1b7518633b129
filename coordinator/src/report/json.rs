//! `report.json`: the record as JSON, and back.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::missing::ReadError;
use super::record::{OLDEST_SCHEMA_VERSION, RecordError, RunRecord, SCHEMA_VERSION};
use super::seal::seal;

/// Reads a `report.json`.
///
/// # Errors
/// When it cannot be read, or is no record of this version.
pub fn read(path: &Path) -> Result<RunRecord, ReadError> {
    read_with_bytes(path).map(|(record, _)| record)
}

/// The same, with the bytes of the file.
pub(super) fn read_with_bytes(path: &Path) -> Result<(RunRecord, Vec<u8>), ReadError> {
    let json = fs::read(path).map_err(|error| ReadError::new(path, &error))?;
    match from_json(&json) {
        Ok(record) => Ok((record, json)),
        Err(source) => Err(ReadError::Unusable { path: path.to_owned(), source }),
    }
}

/// The record as indented JSON with its own SHA-256 and a line's end.
///
/// # Errors
/// When the environment holds what JSON cannot say.
pub fn to_json(record: &RunRecord) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec_pretty(record).map(seal)
}

/// The blocks of a record that grows, as they stand in its JSON, so that none is written as text twice.
#[derive(Debug, Default)]
pub struct GrowingJson {
    blocks: usize,
    text: Vec<u8>,
}

impl GrowingJson {
    /// As [`to_json`], of a record whose earlier blocks are those of the last call.
    ///
    /// # Errors
    /// When the environment holds what JSON cannot say.
    pub fn to_json(&mut self, record: &RunRecord) -> Result<Vec<u8>, serde_json::Error> {
        for block in record.blocks.iter().skip(self.blocks) {
            self.text.extend_from_slice(if self.blocks == 0 { b"\n    " } else { b",\n    " });
            for byte in serde_json::to_vec_pretty(block)? {
                self.text.push(byte);
                // In JSON there is no other line's end than that of its layout.
                if byte == b'\n' {
                    self.text.extend_from_slice(b"    ");
                }
            }
            self.blocks += 1;
        }
        let frame = serde_json::to_vec_pretty(&record.without_blocks())?;
        let place = frame.windows(NO_BLOCKS.len()).position(|window| window == NO_BLOCKS);
        let (Some(place), true) = (place, self.blocks > 0) else { return to_json(record) };
        let (before, after) = frame.split_at(place + NO_BLOCKS.len() - 1);
        let json = [before, self.text.as_slice(), b"\n  ", after].concat();
        Ok(seal(json))
    }
}

/// In a record without blocks; in no text, which holds no line's end.
const NO_BLOCKS: &[u8] = b"\n  \"blocks\": []";

/// Reads what [`to_json`] wrote.
///
/// # Errors
/// When it is no JSON, no record, or a record of another version.
pub fn from_json(json: &[u8]) -> Result<RunRecord, RecordError> {
    let not_a_record = |error: serde_json::Error| match error.is_eof() {
        true if json.trim_ascii().is_empty() => RecordError::Empty,
        true => RecordError::CutOff { line: error.line() },
        false => RecordError::NotARecord { problem: error.to_string() },
    };
    let version =
        serde_json::from_slice::<Versioned>(json).map_err(|error| {
            match serde_json::from_slice::<IgnoredAny>(json) {
                Ok(_) => RecordError::OfAnotherProgram,
                Err(_) => not_a_record(error),
            }
        })?;
    let Versioned { schema_version } = version;
    let known = OLDEST_SCHEMA_VERSION..=SCHEMA_VERSION;
    let version = schema_version.as_u64().and_then(|version| u32::try_from(version).ok());
    if version.is_none_or(|version| !known.contains(&version)) {
        return Err(RecordError::OtherVersion { found: schema_version.to_string() });
    }
    serde_json::from_slice(json).map_err(not_a_record)
}

/// Just enough of a record to see whether the rest can be understood.
#[derive(Deserialize)]
struct Versioned {
    schema_version: Value,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::report::record::recompute;
    use proptest::prelude::*;

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let record = fixtures::record();
        let json = to_json(&record).unwrap();
        assert_eq!(from_json(&json).unwrap(), record);
        assert_eq!(recompute(&record).unwrap(), record);
    }

    #[test]
    fn a_record_that_grows_is_written_as_if_it_had_been_whole_at_once() {
        let (whole, mut growing) = (fixtures::paired_record(), GrowingJson::default());
        for blocks in [0, 1, 2, 2, whole.blocks.len()] {
            let mut record = whole.clone();
            record.blocks.truncate(blocks);
            record.run.command_line = "\n  \"blocks\": []".into();
            let json = growing.to_json(&record).unwrap();
            assert!(json == to_json(&record).unwrap(), "{}", String::from_utf8(json).unwrap());
        }
    }

    #[test]
    fn values_of_headers_never_reach_the_record() {
        let json = String::from_utf8(to_json(&fixtures::record()).unwrap()).unwrap();
        assert!(json.contains("\"authorization\""));
        assert!(!json.contains("sk-secret"));
    }

    #[test]
    fn another_version_is_refused_with_both_numbers() {
        let json = r#"{"schema_version": 7, "blocks": "of another shape"}"#;
        let message = from_json(json.as_bytes()).unwrap_err().to_string();
        assert!(message.contains("schema version 7, and this version reads 1 to 3"), "{message}");
    }

    #[test]
    fn what_is_no_record_is_told_from_what_is_none_any_more() {
        let said = |json: &str| from_json(json.as_bytes()).unwrap_err().to_string();
        for (json, words) in [
            ("", "it is empty: "),
            (" \n", "it is empty: "),
            ("{}", "it is JSON, and of another program: "),
            ("\"a\"", "it is JSON, and of another program: "),
            ("{\"metrics\": {\"http_reqs\": 1}}", "it is JSON, and of another program: "),
            ("{\"schema_version\": 3, \"run\": {", "it ends in the middle of line 1: "),
            ("{\"schema_version\": 3}", "it is no report.json of archestra-bench (missing field"),
            ("# Load test", "it is no report.json of archestra-bench (expected value"),
        ] {
            assert!(said(json).starts_with(words), "{json}: {}", said(json));
        }
    }

    #[test]
    fn a_truncated_record_is_a_sentence() {
        let json = to_json(&fixtures::record()).unwrap();
        for end in (997..json.len() - 2).step_by(997) {
            let message = from_json(&json[..end]).unwrap_err().to_string();
            let line = json[..end].split(|byte| *byte == b'\n').count();
            assert!(message.starts_with(&format!("it ends in the middle of line {line}: ")), "{message}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn flipped_bytes_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            let mut json = to_json(&fixtures::small_record()).unwrap();
            for (at, byte) in flips {
                let at = at.index(json.len());
                json[at] = byte;
            }
            if let Ok(record) = from_json(&json) {
                let _ = recompute(&record);
            }
        }

        #[test]
        fn huge_numbers_never_panic(which in any::<prop::sample::Index>(), number in prop::sample::select(vec!["18446744073709551615", "1e308", "9007199254740993", "0", "-1"])) {
            let json = String::from_utf8(to_json(&fixtures::small_record()).unwrap()).unwrap();
            let places: Vec<usize> = json.match_indices(": ").map(|(at, _)| at + 2)
                .filter(|at| json[*at..].starts_with(|first: char| first.is_ascii_digit())).collect();
            let at = places[which.index(places.len())];
            let end = at + json[at..].find(|next: char| !(next.is_ascii_digit() || ".e-+".contains(next))).unwrap();
            let changed = format!("{}{number}{}", &json[..at], &json[end..]);
            if let Ok(record) = from_json(changed.as_bytes()) && let Ok(again) = recompute(&record) {
                let _ = crate::report::markdown::summary(&again);
                let _ = crate::report::html::page(&again);
            }
        }
    }
}
