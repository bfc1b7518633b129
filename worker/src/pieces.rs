//! Cuts bytes the way a network may, for the tests of whatever reads them.

/// The bytes in pieces of the given sizes, over and over; no size may be 0.
pub(crate) fn cut<'a>(bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut pieces, mut sizes) = (bytes, Vec::new(), sizes.iter().cycle());
    while !rest.is_empty()
        && let Some(size) = sizes.next()
    {
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
