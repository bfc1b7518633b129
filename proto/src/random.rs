//! Numbers that look random and follow from a seed alone.

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input changes every bit of the result.
#[inline]
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One of the numbers below `choice`, of which each is as likely as any other to one part in 2^64 of the choice: the
/// upper half of the product.
#[inline]
pub fn below(choice: u64, drawn: u64) -> u64 {
    ((u128::from(drawn) * u128::from(choice)) >> 64) as u64
}
