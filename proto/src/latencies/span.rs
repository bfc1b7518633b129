//! The histograms of one span, and how they travel.

use super::Histogram;
use crate::{InvalidMessage, wire};

/// All histograms of one span.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latencies {
    /// Due to last byte, of successes.
    pub response_time: Histogram,
    /// Send to last byte, of successes.
    pub service_time: Histogram,
    /// Due to send, of every request that was written.
    pub send_lag: Histogram,
    /// Due to first content event, of successful streams.
    pub time_to_first_token: Histogram,
    /// Content event to next content event, of successful streams.
    pub inter_token_gap: Histogram,
    /// From the attempt until the connection stood, TLS apart, of connections that were made.
    pub connect_time: Histogram,
    /// From there until requests could be sent, of connections that speak TLS.
    pub tls_handshake_time: Histogram,
    /// Send to the first byte that came back, of successes.
    pub time_to_first_byte: Histogram,
    /// First byte to last byte, of successes; 0 where one read brought both.
    pub transfer_time: Histogram,
}

impl Latencies {
    /// Adds all counts of another span.
    pub fn merge(&mut self, other: &Latencies) {
        for (mine, theirs) in self.each_mut().into_iter().zip(other.each()) {
            mine.1.merge(theirs.1);
        }
    }

    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        for (_, histogram) in self.each_mut() {
            histogram.clear();
        }
    }

    /// The histograms with their names, in order.
    pub fn each(&self) -> [(&'static str, &Histogram); 9] {
        [
            ("response_time", &self.response_time),
            ("service_time", &self.service_time),
            ("send_lag", &self.send_lag),
            ("time_to_first_token", &self.time_to_first_token),
            ("inter_token_gap", &self.inter_token_gap),
            ("connect_time", &self.connect_time),
            ("tls_handshake_time", &self.tls_handshake_time),
            ("time_to_first_byte", &self.time_to_first_byte),
            ("transfer_time", &self.transfer_time),
        ]
    }

    /// The histograms with their names, in order, to be changed.
    pub fn each_mut(&mut self) -> [(&'static str, &mut Histogram); 9] {
        [
            ("response_time", &mut self.response_time),
            ("service_time", &mut self.service_time),
            ("send_lag", &mut self.send_lag),
            ("time_to_first_token", &mut self.time_to_first_token),
            ("inter_token_gap", &mut self.inter_token_gap),
            ("connect_time", &mut self.connect_time),
            ("tls_handshake_time", &mut self.tls_handshake_time),
            ("time_to_first_byte", &mut self.time_to_first_byte),
            ("transfer_time", &mut self.transfer_time),
        ]
    }
}

impl From<&Latencies> for wire::Latencies {
    fn from(latencies: &Latencies) -> Self {
        let encode = |histogram: &Histogram| {
            (!histogram.is_empty()).then(|| wire::Histogram {
                v2_deflate: histogram.encode(),
                below_range: histogram.below_range,
                above_range: histogram.above_range,
            })
        };
        wire::Latencies {
            response_time: encode(&latencies.response_time),
            service_time: encode(&latencies.service_time),
            send_lag: encode(&latencies.send_lag),
            time_to_first_token: encode(&latencies.time_to_first_token),
            inter_token_gap: encode(&latencies.inter_token_gap),
            connect_time: encode(&latencies.connect_time),
            tls_handshake_time: encode(&latencies.tls_handshake_time),
            time_to_first_byte: encode(&latencies.time_to_first_byte),
            transfer_time: encode(&latencies.transfer_time),
        }
    }
}

impl TryFrom<wire::Latencies> for Latencies {
    type Error = InvalidMessage;

    fn try_from(latencies: wire::Latencies) -> Result<Self, InvalidMessage> {
        let decode = |field: &'static str, histogram: Option<wire::Histogram>| {
            let Some(histogram) = histogram else { return Ok(Histogram::new()) };
            let decoded = Histogram::decode(&histogram.v2_deflate)
                .map_err(|error| InvalidMessage::new(field, format!("cannot be read: {error}")))?;
            let outside = histogram.below_range.checked_add(histogram.above_range);
            if outside.is_none_or(|outside| outside > decoded.count()) {
                return Err(InvalidMessage::new(
                    field,
                    "counts more values out of range than there are values",
                ));
            }
            Ok(decoded.with_out_of_range(histogram.below_range, histogram.above_range))
        };
        Ok(Self {
            response_time: decode("latencies.response_time", latencies.response_time)?,
            service_time: decode("latencies.service_time", latencies.service_time)?,
            send_lag: decode("latencies.send_lag", latencies.send_lag)?,
            time_to_first_token: decode("latencies.time_to_first_token", latencies.time_to_first_token)?,
            inter_token_gap: decode("latencies.inter_token_gap", latencies.inter_token_gap)?,
            connect_time: decode("latencies.connect_time", latencies.connect_time)?,
            tls_handshake_time: decode("latencies.tls_handshake_time", latencies.tls_handshake_time)?,
            time_to_first_byte: decode("latencies.time_to_first_byte", latencies.time_to_first_byte)?,
            transfer_time: decode("latencies.transfer_time", latencies.transfer_time)?,
        })
    }
}
