//! Digests of the histograms that a record stores, so that a byte of one that has changed is found, and whoever has a
//! worker's histograms from elsewhere can tell whether they are the same.
//!
//! Each is the SHA-256 of one line for each histogram, in the order in which they stand in the record: the base64 as it is
//! stored, the values below the range and those above it, with a space between, and a line's end. So `jq` can say it too:
//! `jq -r '.blocks[0].workers[0].latencies[] | "\(.v2_deflate) \(.below_range) \(.above_range)"' report.json | sha256sum`.

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
