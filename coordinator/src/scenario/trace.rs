//! Traces of requests, as Mooncake and AIPerf write them: JSON objects, one a line, with a `timestamp` in milliseconds (or a
//! `timestamp_s` in seconds), and perhaps with `input_length` and `output_length`, a `prompt` or a whole `body`.

use std::path::Path;

use proto::trace::Trace;
use proto::variety::Field;

use super::ScenarioError;
use super::dataset::DatasetFile;

/// How much faster than it was recorded a trace is replayed, exact to a thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceSpeed(pub std::num::NonZeroU32);

/// A trace as it was read: its rows in the order of their moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceFile {
    /// What templates put into bodies; row *i* is that of request *i*.
    pub rows: DatasetFile,
    /// In nanoseconds from the first.
    due: Vec<u64>,
}

/// The columns that a moment may be in, and how many nanoseconds their unit has.
const MOMENTS: [(&str, f64); 2] = [("timestamp", 1e6), ("timestamp_s", 1e9)];

impl TraceFile {
    /// Reads a trace.
    ///
    /// # Errors
    /// Which line is no request, and how to mend it.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let file = DatasetFile::read(path)?;
        let Some((column, unit)) =
            MOMENTS.into_iter().find(|(name, _)| file.columns().iter().any(|column| column == name))
        else {
            return Err(file.broken(
                "has no `timestamp` (in milliseconds) and no `timestamp_s` (in seconds); give each line one of them",
            ));
        };
        let moment = |line, field: &Field| {
            let (Field::Json(text) | Field::Text(text)) = field;
            let nanos = text
                .parse::<f64>()
                .ok()
                .map(|moment| moment * unit)
                .filter(|nanos| (0.0..1e19).contains(nanos));
            nanos.ok_or_else(|| {
                file.broken_line(line, &format!("has a `{column}` that is no moment; correct it"))
            })
        };
        let moments = file.column(column)?.into_iter().map(|(line, field)| moment(line, field));
        let moments = moments.collect::<Result<Vec<f64>, _>>()?;

        let mut order: Vec<usize> = (0..moments.len()).collect();
        // Stable, so that what has the same moment stays in the order of its lines.
        order.sort_by(|one, other| moments[*one].total_cmp(&moments[*other]));
        let first = order.first().map_or(0.0, |first| moments[*first]);
        let due = order.iter().map(|row| (moments[*row] - first).round() as u64).collect();
        Ok(Self { rows: file.in_order(&order), due })
    }

    /// The moments at another speed: those of at most `most` requests, and before `end` (in nanoseconds).
    ///
    /// # Errors
    /// When they make no trace.
    pub fn at(&self, speed: TraceSpeed, most: u64, end: u64) -> Result<Trace, ScenarioError> {
        let faster = |due: &u64| (u128::from(*due) * 1_000 / u128::from(speed.0.get())) as u64;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let due = self.due.iter().map(faster).take(most).take_while(|due| *due < end).collect();
        Trace::new(due).map_err(|problem| self.rows.broken(&format!("{problem}; take a part of it")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn read(name: &str, text: &str) -> Result<TraceFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        TraceFile::read(&path)
            .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    fn due(file: &TraceFile, speed: u32, most: u64, end: u64) -> Vec<u64> {
        let trace = file.at(TraceSpeed(NonZeroU32::new(speed).unwrap()), most, end).unwrap();
        (0..trace.requests()).map_while(|item| trace.due(item)).collect()
    }

    const MS: u64 = 1_000_000;

    #[test]
    fn moments_count_from_the_first_whatever_the_order_of_the_lines() {
        let lines = [
            r#"{"timestamp": 1500, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}"#,
            r#"{"timestamp": 1000, "input_length": 10, "output_length": 5, "hash_ids": []}"#,
            r#"{"timestamp": 1000.25, "input_length": 11, "output_length": 5, "hash_ids": []}"#,
        ];
        let file = read("trace.jsonl", &lines.join("\n")).unwrap();
        assert_eq!(due(&file, 1_000, 9, u64::MAX), [0, MS / 4, 500 * MS]);
        assert_eq!(due(&file, 2_000, 9, u64::MAX), [0, MS / 8, 250 * MS]);
        assert_eq!(due(&file, 500, 2, u64::MAX), [0, MS / 2]);
        assert_eq!(due(&file, 1_000, 9, 500 * MS), [0, MS / 4]);
        let lengths = file.rows.select(&["input_length".to_owned()], 9).unwrap();
        let lengths = lengths.rows.iter().flatten().map(|field| match field {
            Field::Json(text) | Field::Text(text) => text.as_str(),
        });
        assert_eq!(lengths.collect::<Vec<_>>(), ["10", "11", "6955"]);

        let seconds = read("trace.csv", "timestamp_s,prompt\n0.5,a\n2,b\n").unwrap();
        assert_eq!(due(&seconds, 1_000, 9, u64::MAX), [0, 1_500 * MS]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let broken = |text: &str| read("t.jsonl", text).unwrap_err();
        assert!(
            broken("{\"time\": 1}").contains("has no `timestamp` (in milliseconds) and no `timestamp_s`")
        );
        assert_eq!(
            broken("{\"timestamp\": 1}\n{\"timestamp\": \"soon\"}"),
            "the file t.jsonl has a line 2 that has a `timestamp` that is no moment; correct it"
        );
        assert!(
            broken("{\"timestamp\": -1}").contains("no moment")
                && broken("{\"timestamp\": 1e300}").contains("no moment")
        );
        assert!(broken("{\"timestamp\": 1}\n{\"x\": 1}").contains("line 2 that has no `timestamp`"));
        let long = read("t.jsonl", "{\"timestamp_s\": 1}\n{\"timestamp_s\": 700000}").unwrap();
        let problem =
            long.at(TraceSpeed(NonZeroU32::new(1_000).unwrap()), 9, u64::MAX).unwrap_err().to_string();
        assert!(problem.ends_with("is longer than 7 days; take a part of it"), "{problem}");
    }
}
