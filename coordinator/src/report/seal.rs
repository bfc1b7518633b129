//! The last field of `report.json`: the SHA-256 of every byte before the line on which it stands.
//!
//! It finds what was changed by accident, also where nothing else in the record depends on it. Whoever changes a record on
//! purpose can work it out anew; then what does not follow from the counts and histograms is found by the other checks.

use super::record::sha256;

const FIELD: &str = "  \"sha256\": \"";
const END: &str = "\"\n}\n";
const DIGITS: usize = 64;

/// Adds the field to a record in indented JSON.
pub(super) fn seal(mut json: Vec<u8>) -> Vec<u8> {
    if json.ends_with(b"\n}") {
        json.truncate(json.len() - 2);
        json.extend_from_slice(b",\n");
        let seal = of(&json);
        json.extend_from_slice(seal.as_bytes());
    }
    json
}

/// What is wrong with the seal of a file of this schema version; those before the third have none.
pub(super) fn problem(json: &[u8], version: u32) -> Option<String> {
    let before = json.len().saturating_sub(FIELD.len() + DIGITS + END.len());
    let (before, tail) = json.split_at(before);
    match tail.starts_with(FIELD.as_bytes()) {
        true => (tail != of(before).as_bytes()).then(|| {
            "its last field is not the SHA-256 of what stands before it, so it was changed after the run had written it \
             (tools that indent JSON anew change it, too)"
                .into()
        }),
        false => (version > 2).then(|| "it does not end with the SHA-256 of itself, as each record does".into()),
    }
}

fn of(before: &[u8]) -> String {
    format!("{FIELD}{}{END}", sha256(before))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::report::json::{from_json, to_json};

    #[test]
    fn any_byte_that_is_changed_is_found() {
        let json = to_json(&fixtures::small_record()).unwrap();
        assert_eq!(problem(&json, 3), None);
        for at in 0..json.len() {
            let mut flipped = json.clone();
            flipped[at] ^= 1;
            assert!(problem(&flipped, 3).is_some(), "byte {at}");
        }
        assert!(problem(&json[..json.len() - 1], 3).is_some());
        assert!(problem(b"", 3).is_some());
    }

    #[test]
    fn a_record_without_a_seal_is_an_old_one_or_none_of_ours() {
        let json = serde_json::to_vec_pretty(&fixtures::small_record()).unwrap();
        assert!(problem(&json, 3).unwrap().contains("does not end with the SHA-256"));
        assert_eq!(problem(&json, 2), None);
        assert!(problem(&seal(json[..].to_vec())[1..], 2).is_some(), "one that has it is held to it");
    }

    #[test]
    fn what_is_sealed_is_the_record_and_its_seal() {
        let record = fixtures::small_record();
        let json = to_json(&record).unwrap();
        assert_eq!(from_json(&json).unwrap(), record);
        let lines: Vec<&str> = std::str::from_utf8(&json).unwrap().lines().collect();
        let before = lines[..lines.len() - 2].join("\n") + "\n";
        assert_eq!(lines[lines.len() - 2], format!("  \"sha256\": \"{}\"", sha256(before.as_bytes())));
    }
}
