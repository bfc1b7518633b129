//! Digests of the histograms that a record stores, so that a byte of one that has changed is found, and whoever has a
//! worker's histograms from elsewhere can tell whether they are the same.
//!
//! Each is the SHA-256 of one line for each histogram, in the order in which they stand in the record: the base64 as it is
//! stored, the values below the range and those above it, with a space between, and a line's end. So `jq` can say it too:
//! `jq -r '.blocks[0].workers[0].latencies[] | "\(.v2_deflate) \(.below_range) \(.above_range)"' report.json | sha256sum`.

use std::borrow::Cow;

use proto::variety::{Dataset, Field};
use ring::digest::{Context, SHA256, digest};

use super::{HistogramRecord, LatenciesRecord, SeriesRecord};

/// The SHA-256 of some bytes, in hexadecimal digits.
pub(in crate::report) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(digest(&SHA256, bytes).as_ref())
}

impl LatenciesRecord {
    /// The digest of all histograms.
    pub(in crate::report) fn sha256(&self) -> String {
        let Self {
            response_time,
            service_time,
            send_lag,
            time_to_first_token,
            inter_token_gap,
            connect_time,
            tls_handshake_time,
            time_to_first_byte,
            transfer_time,
        } = self;
        of([
            response_time,
            service_time,
            send_lag,
            time_to_first_token,
            inter_token_gap,
            connect_time,
            tls_handshake_time,
            time_to_first_byte,
            transfer_time,
        ])
    }
}

/// The digest of the histograms of all seconds: of each its response times, then its times to first token, where it has any.
pub(in crate::report) fn sha256_of_seconds(series: &[SeriesRecord]) -> String {
    of(series.iter().flat_map(|second| {
        std::iter::once(&second.response_time_histogram).chain(&second.time_to_first_token_histogram)
    }))
}

/// The digest of a dataset's rows, over the columns that bodies are made with; `None` where there are none. Each line is JSON as
/// `jq -c` writes it, so that two datasets have the same digest only where they have the same rows.
pub(super) fn sha256_of_rows(dataset: &Dataset) -> Option<String> {
    if dataset.rows.is_empty() {
        return None;
    }
    let mut context = Context::new(&SHA256);
    let mut add = |values: Vec<Cow<'_, str>>| context.update(format!("[{}]\n", values.join(",")).as_bytes());
    add(dataset.columns.iter().map(|name| quoted(name)).collect());
    for row in &dataset.rows {
        add(row.iter().map(written).collect());
    }
    Some(hexadecimal(context.finish().as_ref()))
}

fn written(field: &Field) -> Cow<'_, str> {
    match field {
        Field::Text(text) => quoted(text),
        Field::Json(json) => Cow::Borrowed(json),
    }
}

fn quoted(text: &str) -> Cow<'_, str> {
    Cow::Owned(serde_json::Value::from(text).to_string())
}

fn of<'a>(histograms: impl IntoIterator<Item = &'a HistogramRecord>) -> String {
    let mut context = Context::new(&SHA256);
    for HistogramRecord { v2_deflate, below_range, above_range } in histograms {
        context.update(format!("{v2_deflate} {below_range} {above_range}\n").as_bytes());
    }
    hexadecimal(context.finish().as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_digest_of_their_lines_as_json() {
        let of = |rows: Vec<Vec<Field>>| {
            sha256_of_rows(&Dataset { columns: vec!["prompt".into(), "n".into()], rows })
        };
        let row = |text: &str, json: &str| vec![Field::Text(text.into()), Field::Json(json.into())];
        let found = of(vec![row("a \"b\"", "1"), row("c", "[2]")]);
        assert_eq!(found, Some(sha256(b"[\"prompt\",\"n\"]\n[\"a \\\"b\\\"\",1]\n[\"c\",[2]]\n")));
        assert_ne!(found, of(vec![row("c", "[2]"), row("a \"b\"", "1")]));
        assert_ne!(of(vec![row("a", "1")]), of(vec![row("a", "\"1\"")]));
        assert_eq!(of(Vec::new()), None);
    }
}
