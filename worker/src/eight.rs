//! Looks at eight bytes of a text at once, in one word.
//!
//! What is found among them is a mark for each: in the first byte that is meant, and perhaps in those behind it, the highest bit.

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHEST_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The first eight bytes of a text that has so many.
#[inline]
pub(crate) fn first_of(text: &[u8]) -> Option<u64> {
    text.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}

/// Marks the first byte that equals an ASCII character.
#[inline]
pub(crate) fn equal(eight: u64, character: u8) -> u64 {
    below(eight ^ each(character), 1)
}

/// Marks the first byte that is below an ASCII character.
#[inline]
pub(crate) fn below(eight: u64, character: u8) -> u64 {
    eight.wrapping_sub(each(character)) & !eight & HIGHEST_BITS
}

/// Marks the first byte that is no digit.
#[inline]
pub(crate) fn no_digit(eight: u64) -> u64 {
    (eight.wrapping_sub(each(b'0')) | eight.wrapping_add(each(0x7f - b'9'))) & HIGHEST_BITS
}

/// Which byte is the first that is marked, of marks that there are.
#[inline]
pub(crate) fn position(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// Those of the eight bytes that come before the first that is marked, and that one, with zeros behind them.
#[inline]
pub(crate) fn up_to(marks: u64, eight: u64) -> u64 {
    eight & (marks ^ marks.wrapping_sub(1))
}

#[inline]
const fn each(byte: u8) -> u64 {
    ONES * byte as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_that_is_meant_is_marked(
            bytes in prop::array::uniform8(prop_oneof![any::<u8>(), prop::sample::select(b"\0\x1f !\"/059:\\\x7f\x80\xff".to_vec())]),
            character in 1u8..128,
        ) {
            let eight = first_of(&bytes).unwrap();
            let first = |marks: u64| (marks != 0).then(|| position(marks));
            prop_assert_eq!(first(equal(eight, character)), bytes.iter().position(|byte| *byte == character));
            prop_assert_eq!(first(below(eight, character)), bytes.iter().position(|byte| *byte < character));
            prop_assert_eq!(first(no_digit(eight)), bytes.iter().position(|byte| !byte.is_ascii_digit()));
            let both = equal(eight, character) | equal(eight, b'"');
            prop_assert_eq!(first(both), bytes.iter().position(|byte| [character, b'"'].contains(byte)));
            if let Some(last) = first(both) {
                let mut kept = bytes;
                kept[last + 1..].fill(0);
                prop_assert_eq!(up_to(both, eight).to_le_bytes(), kept);
            }
        }
    }

    #[test]
    fn fewer_than_eight_are_none() {
        assert_eq!(first_of(b"1234567"), None);
        assert_eq!(first_of(b"123456789"), Some(u64::from_le_bytes(*b"12345678")));
    }
}
