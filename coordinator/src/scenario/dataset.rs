//! Files of rows that bodies are made of: JSON objects, one a line (`.jsonl`), or CSV with the columns' names in its first
//! line (`.csv`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proto::variety::template::NAMES;
use proto::variety::{Dataset, Field, MAX_ROW_BYTES};
use serde_json::{Map, Value};

use super::ScenarioError;

/// A dataset as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetFile {
    path: PathBuf,
    /// In the order in which they occur first.
    columns: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    /// From 1.
    line: usize,
    fields: BTreeMap<String, Field>,
}

impl DatasetFile {
    /// Reads a file by its ending.
    ///
    /// # Errors
    /// Which line is no row, and how to mend it.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let broken =
            |problem: &str| ScenarioError::Dataset { path: path.to_owned(), problem: problem.to_owned() };
        let unreadable =
            |source| ScenarioError::Unreadable { what: "the file of rows", path: path.to_owned(), source };
        let ending =
            path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_ROW_BYTES as u64 {
            return Err(broken("is larger than 32 MiB; take fewer rows"));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|_| broken("is not UTF-8; save it as UTF-8"))?;
        let text = text.trim_start_matches('\u{feff}');

        let mut file = Self { path: path.to_owned(), columns: Vec::new(), rows: Vec::new() };
        match ending.as_str() {
            "jsonl" | "ndjson" => file.take_json(text)?,
            "csv" => file.take_csv(text)?,
            _ => return Err(broken("must end in .jsonl or .csv; name it after what it holds")),
        }
        if let Some(name) = file.columns.iter().find(|column| NAMES.contains(&column.as_str())) {
            let problem =
                format!("has a column `{name}`, which every template knows as something else; rename it");
            return Err(broken(&problem));
        }
        if file.rows.is_empty() { Err(broken("holds no row; write one a line")) } else { Ok(file) }
    }

    /// The columns' names.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The first `most` rows of the columns among `names`; nothing when there is none among them.
    ///
    /// # Errors
    /// Which line lacks a value.
    pub fn select(&self, names: &[String], most: usize) -> Result<Dataset, ScenarioError> {
        let columns: Vec<String> =
            self.columns.iter().filter(|column| names.contains(column)).cloned().collect();
        if columns.is_empty() {
            return Ok(Dataset::default());
        }
        let field = |row: &Row, column: &String| {
            row.fields.get(column).cloned().ok_or_else(|| {
                self.broken_line(
                    row.line,
                    &format!("has no `{column}`, which a template puts in; add it there"),
                )
            })
        };
        let row = |row: &Row| columns.iter().map(|column| field(row, column)).collect::<Result<Vec<_>, _>>();
        let rows = self.rows.iter().take(most).map(row).collect::<Result<_, _>>()?;
        Ok(Dataset { columns, rows })
    }

    fn take_json(&mut self, text: &str) -> Result<(), ScenarioError> {
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
                self.broken_line(line, &format!("is no JSON object (column {}); correct it", error.column()))
            })?;
            let field = |value: Value| match value {
                Value::String(text) => Field::Text(text),
                other => Field::Json(other.to_string()),
            };
            for column in
                object.keys().filter(|column| !self.columns.contains(column)).cloned().collect::<Vec<_>>()
            {
                self.columns.push(column);
            }
            let fields = object.into_iter().map(|(column, value)| (column, field(value))).collect();
            self.rows.push(Row { line, fields });
        }
        Ok(())
    }

    fn take_csv(&mut self, text: &str) -> Result<(), ScenarioError> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let broken = |error: &csv::Error| {
            let line = error.position().map_or(1, |position| position.line() as usize);
            let problem = match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    format!(
                        "holds {len} values where the first line names {expected_len} columns; quote values with commas"
                    )
                }
                _ => "is no CSV; correct it".to_owned(),
            };
            self.broken_line(line, &problem)
        };
        let columns: Vec<String> = reader
            .headers()
            .map_err(|error| broken(&error))?
            .iter()
            .map(|name| name.trim().to_owned())
            .collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| broken(&error))?;
            let line = record.position().map_or(1, |position| position.line() as usize);
            let fields = columns.iter().cloned().zip(record.iter().map(|text| Field::Text(text.to_owned())));
            rows.push(Row { line, fields: fields.collect() });
        }
        (self.columns, self.rows) = (columns, rows);
        Ok(())
    }

    /// The values of one column with their lines.
    pub(super) fn column(&self, column: &str) -> Result<Vec<(usize, &Field)>, ScenarioError> {
        let mut fields = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let lacking = || self.broken_line(row.line, &format!("has no `{column}`; add it there"));
            fields.push((row.line, row.fields.get(column).ok_or_else(lacking)?));
        }
        Ok(fields)
    }

    /// The same rows in another order.
    pub(super) fn in_order(&self, order: &[usize]) -> Self {
        let rows = order.iter().filter_map(|row| self.rows.get(*row).cloned()).collect();
        Self { path: self.path.clone(), columns: self.columns.clone(), rows }
    }

    pub(super) fn broken(&self, problem: &str) -> ScenarioError {
        ScenarioError::Dataset { path: self.path.clone(), problem: problem.to_owned() }
    }

    pub(super) fn broken_line(&self, line: usize, problem: &str) -> ScenarioError {
        ScenarioError::Dataset {
            path: self.path.clone(),
            problem: format!("has a line {line} that {problem}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(name: &str, text: &str) -> Result<DatasetFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        DatasetFile::read(&path)
            .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    fn selected(file: &DatasetFile, names: &[&str], most: usize) -> Result<Dataset, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        file.select(&names, most).map_err(|error| error.to_string())
    }

    fn text(text: &str) -> Field {
        Field::Text(text.into())
    }

    #[test]
    fn rows_are_objects_a_line_or_csv() {
        let json = "\u{feff}{\"prompt\":\"a \\\"b\\\"\",\"n\":1.50,\"m\":[{\"r\":1}]}\n\n{\"n\":null,\"prompt\":\"c\"}\n";
        let file = read("rows.jsonl", json).unwrap();
        assert_eq!(file.columns(), ["prompt", "n", "m"]);
        let both = selected(&file, &["n", "prompt", "seq"], 9).unwrap();
        assert_eq!(both.columns, ["prompt", "n"]);
        assert_eq!(both.rows[0], [text("a \"b\""), Field::Json("1.5".into())]);
        assert_eq!(both.rows[1], [text("c"), Field::Json("null".into())]);
        assert_eq!(selected(&file, &["prompt"], 1).unwrap().rows, [[text("a \"b\"")]]);
        assert_eq!(selected(&file, &["seq"], 9).unwrap(), Dataset::default());

        let file = read("ROWS.CSV", "prompt, n\n\"a \"\"b\"\",\nc\",1\nd,\n").unwrap();
        let both = selected(&file, &["prompt", "n"], 9).unwrap();
        assert_eq!(both.rows, [[text("a \"b\",\nc"), text("1")], [text("d"), text("")]]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let broken = |name: &str, text: &str| read(name, text).unwrap_err();
        assert_eq!(
            broken("d.jsonl", "{\"a\":1}\n\n[1]"),
            "the file d.jsonl has a line 3 that is no JSON object (column 0); correct it"
        );
        assert_eq!(
            broken("d.csv", "a,b\n1,2\n\"x\ny\",2,3\n"),
            "the file d.csv has a line 3 that holds 3 values where the first line names 2 columns; quote values with commas"
        );
        assert_eq!(broken("d.jsonl", "\n"), "the file d.jsonl holds no row; write one a line");
        assert_eq!(broken("d.csv", "a,b\n"), "the file d.csv holds no row; write one a line");
        assert!(broken("d.txt", "a").ends_with("must end in .jsonl or .csv; name it after what it holds"));
        assert!(broken("d.csv", "seq\n1").contains("has a column `seq`, which every template knows"));
        let lacking = read("d.jsonl", "{\"a\":1,\"b\":2}\n{\"b\":3}").unwrap();
        let problem = selected(&lacking, &["a"], 9).unwrap_err();
        assert!(
            problem.ends_with("has a line 2 that has no `a`, which a template puts in; add it there"),
            "{problem}"
        );
        assert!(selected(&lacking, &["b"], 9).is_ok() && selected(&lacking, &["a"], 1).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn any_file_is_read_or_refused_in_a_sentence(csv: bool, text in "[a-c,\"\n{}:1\\\\]{0,40}|.{0,30}") {
            if let Err(problem) = read(if csv { "d.csv" } else { "d.jsonl" }, &text) {
                prop_assert!(problem.starts_with("the file d."), "{}", problem);
            }
        }
    }
}
