//! HdrHistogram's V2 encoding with DEFLATE: <https://github.com/HdrHistogram/HdrHistogram>,
//! `AbstractHistogram.encodeIntoByteBuffer`. What arrives may be hostile: the inflated size is bounded, the bounds must be
//! ours, and only the counts that are not zero are touched.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::counts::Counts;
use super::{CodecError, HIGHEST_NANOS, LOWEST_NANOS, SIGNIFICANT_DIGITS};

pub(super) const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
pub(super) const V2_COOKIE: u32 = 0x1c84_9313;
/// Cookie, payload length, normalizing offset, digits (4 bytes each); lowest, highest, ratio (8 bytes each).
const HEADER_BYTES: usize = 40;
/// The payload of a histogram in which every count takes nine bytes.
const MAX_PAYLOAD_BYTES: usize = 9 * 32 * 1024;
/// More samples than any run can have, few enough that sums of many histograms cannot overflow.
const MAX_SAMPLES: u64 = 1 << 52;

/// The counts as bytes.
pub(super) fn encode(counts: &Counts) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut next = 0;
    for (slot, count) in counts.used() {
        match slot - next {
            0 => {}
            1 => put_number(&mut payload, 0),
            empty => put_number(&mut payload, -(empty as i64)),
        }
        put_number(&mut payload, i64::try_from(count).unwrap_or(i64::MAX));
        next = slot + 1;
    }
    let mut bytes = [COMPRESSED_COOKIE.to_be_bytes(), [0; 4]].concat();
    let mut encoder = ZlibEncoder::new(&mut bytes, Compression::default());
    // Writing to memory cannot fail.
    let written = [&header(payload.len())[..], &payload].iter().try_for_each(|part| encoder.write_all(part));
    debug_assert!(written.is_ok());
    drop(encoder);
    let length = (bytes.len() - 8) as u32;
    bytes[4..8].copy_from_slice(&length.to_be_bytes());
    bytes
}

fn header(payload_bytes: usize) -> Vec<u8> {
    let words = [V2_COOKIE, payload_bytes as u32, 0, u32::from(SIGNIFICANT_DIGITS)];
    let longs = [LOWEST_NANOS, HIGHEST_NANOS, 1f64.to_bits()];
    let (words, longs) = (words.map(u32::to_be_bytes), longs.map(u64::to_be_bytes));
    [words.concat(), longs.concat()].concat()
}

/// Reads what `encode` wrote.
pub(super) fn decode(bytes: &[u8]) -> Result<Counts, CodecError> {
    let payload = inflate(bytes)?;
    let mut reader = Numbers(&payload);
    let mut counts = Counts::default();
    let (mut slot, mut samples) = (0u64, 0u64);
    while let Some(number) = reader.next().transpose()? {
        if number < 0 {
            slot = slot.checked_add(number.unsigned_abs()).ok_or(CodecError::Impossible)?;
            continue;
        }
        let count = number.unsigned_abs();
        if count > 0 {
            samples =
                samples.checked_add(count).filter(|sum| *sum <= MAX_SAMPLES).ok_or(CodecError::Impossible)?;
            let is_there = usize::try_from(slot).is_ok_and(|slot| counts.add(slot, count));
            if !is_there {
                return Err(CodecError::Impossible);
            }
        }
        slot = slot.checked_add(1).ok_or(CodecError::Impossible)?;
    }
    Ok(counts)
}

/// The payload of the encoding, after its header has been checked.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    let word = |at: usize, from: &[u8]| -> Result<u32, CodecError> {
        let word = from.get(at..at + 4).and_then(|word| word.try_into().ok()).ok_or(CodecError::Malformed)?;
        Ok(u32::from_be_bytes(word))
    };
    let long = |at: usize, from: &[u8]| -> Result<u64, CodecError> {
        Ok(u64::from(word(at, from)?) << 32 | u64::from(word(at + 4, from)?))
    };

    let compressed = bytes.get(8..).ok_or(CodecError::Malformed)?;
    if word(0, bytes)? != COMPRESSED_COOKIE || word(4, bytes)? as usize != compressed.len() {
        return Err(CodecError::Malformed);
    }
    let mut inflated = Vec::new();
    let most = (HEADER_BYTES + MAX_PAYLOAD_BYTES) as u64;
    ZlibDecoder::new(compressed)
        .take(most + 1)
        .read_to_end(&mut inflated)
        .map_err(|_| CodecError::Malformed)?;
    if inflated.len() as u64 > most || word(0, &inflated)? != V2_COOKIE {
        return Err(CodecError::Malformed);
    }

    let (digits, lowest, highest) = (word(12, &inflated)?, long(16, &inflated)?, long(24, &inflated)?);
    if (lowest, highest, digits) != (LOWEST_NANOS, HIGHEST_NANOS, u32::from(SIGNIFICANT_DIGITS)) {
        return Err(CodecError::OtherBounds { lowest, highest, digits });
    }
    let (payload_bytes, offset, ratio) =
        (word(4, &inflated)?, word(8, &inflated)?, f64::from_bits(long(32, &inflated)?));
    let payload = inflated.split_off(HEADER_BYTES);
    if payload.len() != payload_bytes as usize || offset != 0 || ratio != 1.0 {
        return Err(CodecError::Malformed);
    }
    Ok(payload)
}

/// ZigZag LEB128 numbers of at most nine bytes, as HdrHistogram writes them (the ninth byte has eight bits).
struct Numbers<'a>(&'a [u8]);

impl Iterator for Numbers<'_> {
    type Item = Result<i64, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut value = 0u64;
        for position in 0..9 {
            let Some((&byte, rest)) = self.0.split_first() else {
                return Some(Err(CodecError::Malformed));
            };
            self.0 = rest;
            if position == 8 {
                value |= u64::from(byte) << 56;
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(Ok((value >> 1) as i64 ^ -((value & 1) as i64)))
    }
}

/// One such number.
fn put_number(bytes: &mut Vec<u8>, number: i64) {
    let mut value = ((number << 1) ^ (number >> 63)) as u64;
    for _ in 0..8 {
        if value < 0x80 {
            return bytes.push(value as u8);
        }
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
