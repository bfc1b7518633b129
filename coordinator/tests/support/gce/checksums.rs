//! The checksums that Cloud Storage gives of every object, and that clients compare.

/// By Castagnoli's polynomial.
pub fn crc32c(content: &[u8]) -> u32 {
    let step = |rest: u32, _| if rest & 1 == 1 { (rest >> 1) ^ 0x82F6_3B78 } else { rest >> 1 };
    let table: Vec<u32> = (0..256).map(|byte| (0..8).fold(byte, step)).collect();
    !content.iter().fold(!0, |rest: u32, byte| table[usize::from(rest as u8 ^ byte)] ^ (rest >> 8))
}

/// As RFC 1321 has it.
pub fn md5(content: &[u8]) -> [u8; 16] {
    let sines: Vec<u32> =
        (1..=64).map(|number| (f64::from(number).sin().abs() * 4_294_967_296.0) as u32).collect();
    let mut padded = content.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((content.len() as u64 * 8).to_le_bytes());

    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks(64) {
        let words: Vec<u32> =
            block.chunks(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64 {
            let (mixed, word, shifts) = match step / 16 {
                0 => ((b & c) | (!b & d), step, [7, 12, 17, 22]),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16, [5, 9, 14, 20]),
                2 => (b ^ c ^ d, (3 * step + 5) % 16, [4, 11, 16, 23]),
                _ => (c ^ (b | !d), (7 * step) % 16, [6, 10, 15, 21]),
            };
            let sum = mixed.wrapping_add(a).wrapping_add(sines[step]).wrapping_add(words[word]);
            (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(shifts[step % 4])));
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d]) {
            *total = total.wrapping_add(part);
        }
    }
    let mut digest = [0; 16];
    digest.chunks_mut(4).zip(state).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
    digest
}
