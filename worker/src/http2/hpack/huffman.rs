//! The Huffman code of HPACK (RFC 7541, appendix B).
//!
//! The code is canonical: its lengths alone say everything, and all tables are made of them when this is compiled.

use super::HpackFault;

/// Bits of the code of each byte; the end mark, which no text may hold, has 30 ones.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
const LONGEST: usize = 30;

static TABLES: Tables = Tables::new();

/// Everything for reading the code; codes are held as if they stood at the top of 32 bits.
struct Tables {
    /// For the next 8 bits: the byte and the length of its code, or a length of 0 when it is longer.
    short: [(u8, u8); 256],
    /// Of each length: behind its last code.
    ends: [u64; LONGEST + 1],
    /// Of each length: its first code, and where its bytes begin in `bytes`.
    first: [(u64, u16); LONGEST + 1],
    /// All bytes in the order of their codes.
    bytes: [u8; 256],
}

impl Tables {
    const fn new() -> Self {
        let mut tables = Self {
            short: [(0, 0); 256],
            ends: [0; LONGEST + 1],
            first: [(0, 0); LONGEST + 1],
            bytes: [0; 256],
        };
        let (mut code, mut known, mut length) = (0u64, 0usize, 1usize);
        while length <= LONGEST {
            tables.first[length] = (code, known as u16);
            let mut byte = 0;
            while byte < 256 {
                if LENGTHS[byte] as usize == length {
                    tables.bytes[known] = byte as u8;
                    known += 1;
                    let next = code + (1 << (32 - length));
                    while length <= 8 && code < next {
                        tables.short[(code >> 24) as usize] = (byte as u8, length as u8);
                        code += 1 << 24;
                    }
                    code = next;
                }
                byte += 1;
            }
            tables.ends[length] = code;
            length += 1;
        }
        tables
    }

    /// The byte whose code these 32 bits begin with, and its length; `None` for the end mark.
    #[inline]
    fn look_up(&self, bits: u32) -> Option<(u8, u32)> {
        let (byte, length) = self.short[(bits >> 24) as usize];
        if length > 0 { Some((byte, u32::from(length))) } else { self.look_up_long(bits) }
    }

    fn look_up_long(&self, bits: u32) -> Option<(u8, u32)> {
        let length = (9..=LONGEST).find(|length| u64::from(bits) < self.ends[*length])?;
        let (code, index) = self.first[length];
        let offset = (u64::from(bits) - code) >> (32 - length);
        Some((*self.bytes.get(usize::from(index) + offset as usize)?, length as u32))
    }
}

/// Adds the text that these bytes encode.
///
/// # Errors
/// When they hold the end mark, or do not end as they must.
pub(super) fn decode(bytes: &[u8], text: &mut Vec<u8>) -> Result<(), HpackFault> {
    let (mut bits, mut held, mut rest) = (0u64, 0u32, bytes.iter());
    loop {
        while held <= 32
            && let Some(byte) = rest.next()
        {
            bits = bits << 8 | u64::from(*byte);
            held += 8;
        }
        if held == 0 {
            return Ok(());
        }
        // What is missing is filled up with ones, as the end is.
        let next = if held >= 32 {
            (bits >> (held - 32)) as u32
        } else {
            (bits << (32 - held)) as u32 | (u32::MAX >> held)
        };
        match TABLES.look_up(next) {
            Some((byte, length)) if length <= held => {
                text.push(byte);
                held -= length;
                bits &= (1 << held) - 1;
            }
            _ if held < 8 && next == u32::MAX => return Ok(()),
            _ => return Err(HpackFault::Huffman),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The slow way: the codes from the lengths, written bit by bit.
    fn encode(text: &[u8]) -> Vec<u8> {
        let mut order: Vec<u8> = (0..=255).collect();
        order.sort_by_key(|byte| (LENGTHS[usize::from(*byte)], *byte));
        let (mut code, mut length, mut codes) = (0u32, 0u8, vec![String::new(); 256]);
        for byte in order {
            code <<= LENGTHS[usize::from(byte)] - length;
            length = LENGTHS[usize::from(byte)];
            codes[usize::from(byte)] = format!("{code:0width$b}", width = usize::from(length));
            code += 1;
        }
        let mut bits: String = text.iter().map(|byte| codes[usize::from(*byte)].as_str()).collect();
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        bits.as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(str::from_utf8(byte).unwrap(), 2).unwrap())
            .collect()
    }

    fn decoded(bytes: &[u8]) -> Result<Vec<u8>, HpackFault> {
        let mut text = Vec::new();
        decode(bytes, &mut text).map(|()| text)
    }

    #[test]
    fn the_end_must_be_ones_and_shorter_than_a_byte() {
        assert_eq!(decoded(&[0x1f]), Ok(b"a".to_vec()));
        assert_eq!(decoded(&[0x18]), Err(HpackFault::Huffman));
        assert_eq!(decoded(&[0x1f, 0xff]), Err(HpackFault::Huffman));
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), Err(HpackFault::Huffman));
        assert_eq!(decoded(&[]), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(text in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(decoded(&encode(&text)), Ok(text));
        }
    }
}
