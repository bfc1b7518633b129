//! HPACK (RFC 7541): reads the peer's compressed header blocks, and writes ours without the table that would make them
//! depend on each other.

mod huffman;
mod table;
#[cfg(test)]
mod tests;

use table::{ENTRY_OVERHEAD, Table, static_index};

/// The largest list of fields that is read, counted as RFC 9113, section 6.5.2, says.
pub const MAX_LIST: usize = 64 * 1024;
/// The size of the table that the peer may fill: the protocol's default.
const TABLE: usize = 4096;

/// How a header block breaks HPACK. The connection cannot go on after it, because the table is no longer the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HpackFault {
    /// It ends within a field.
    Short,
    /// A number that is larger than anything it could mean.
    Number,
    /// A field that no table holds.
    Index,
    /// A broken Huffman code.
    Huffman,
    /// A table size beyond what is allowed, or behind a field.
    TableSize,
    /// More than [`MAX_LIST`].
    TooLarge,
}

/// Reads one connection's header blocks, one after another.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: Table::new(TABLE), name: Vec::new(), value: Vec::new() }
    }
}

impl Decoder {
    /// Hands each field of a whole block to `each`, name and value.
    ///
    /// # Errors
    /// How it breaks HPACK.
    pub fn decode(&mut self, block: &[u8], mut each: impl FnMut(&[u8], &[u8])) -> Result<(), HpackFault> {
        let (mut rest, mut size, mut begun) = (block, 0, false);
        while let Some(&first) = rest.first() {
            if first & 0xe0 == 0x20 {
                if begun {
                    return Err(HpackFault::TableSize);
                }
                let limit = number(&mut rest, 5)?;
                self.table.resize(limit)?;
                continue;
            }
            begun = true;
            let mut within_bounds = |name: &[u8], value: &[u8]| {
                size += name.len() + value.len() + ENTRY_OVERHEAD;
                (size <= MAX_LIST).then(|| each(name, value)).ok_or(HpackFault::TooLarge)
            };
            if first & 0x80 != 0 {
                let index = number(&mut rest, 7)?;
                let (name, value) = self.table.get(index)?;
                within_bounds(name, value)?;
                continue;
            }
            let is_remembered = first & 0x40 != 0;
            self.literal(&mut rest, if is_remembered { 6 } else { 4 })?;
            within_bounds(&self.name, &self.value)?;
            if is_remembered {
                self.table.insert(&self.name, &self.value);
            }
        }
        Ok(())
    }

    /// Reads a field that is spelled out, its name perhaps from a table.
    fn literal(&mut self, rest: &mut &[u8], prefix: u32) -> Result<(), HpackFault> {
        match number(rest, prefix)? {
            0 => text(rest, &mut self.name)?,
            index => {
                self.name.clear();
                self.name.extend_from_slice(self.table.get(index)?.0);
            }
        }
        text(rest, &mut self.value)
    }
}

/// A number that begins in the last `prefix` bits of a byte (section 5.1).
#[inline]
fn number(rest: &mut &[u8], prefix: u32) -> Result<usize, HpackFault> {
    let mask = (1u32 << prefix) - 1;
    let mut number = u32::from(byte(rest)?) & mask;
    if number < mask {
        return Ok(number as usize);
    }
    // Four bytes more are enough for everything that has a meaning here.
    for shift in [0, 7, 14, 21] {
        let next = u32::from(byte(rest)?);
        number += (next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Ok(number as usize);
        }
    }
    Err(HpackFault::Number)
}

fn byte(rest: &mut &[u8]) -> Result<u8, HpackFault> {
    let (first, after) = rest.split_first().ok_or(HpackFault::Short)?;
    *rest = after;
    Ok(*first)
}

/// A text, Huffman-coded or not (section 5.2).
fn text(rest: &mut &[u8], text: &mut Vec<u8>) -> Result<(), HpackFault> {
    let is_coded = rest.first().is_some_and(|byte| byte & 0x80 != 0);
    let length = number(rest, 7)?;
    let (bytes, after) = rest.split_at_checked(length).ok_or(HpackFault::Short)?;
    *rest = after;
    text.clear();
    if is_coded {
        return huffman::decode(bytes, text);
    }
    text.extend_from_slice(bytes);
    Ok(())
}

/// Adds a field that the peer can read whatever came before it: by its static number, or spelled out and not remembered.
pub fn encode(block: &mut Vec<u8>, name: &str, value: &str) {
    let whole = static_index(name, Some(value));
    if whole > 0 && !value.is_empty() {
        return put_number(block, 0x80, 7, whole);
    }
    // What proves who somebody is must not be remembered by anybody on the way either (section 7.1.3).
    let kind = if matches!(name, "authorization" | "cookie" | "proxy-authorization") { 0x10 } else { 0 };
    let index = static_index(name, None);
    put_number(block, kind, 4, index);
    if index == 0 {
        put_text(block, name);
    }
    put_text(block, value);
}

/// Adds the announcement that no field of ours will be remembered, which peers that allow less than the default wait for
/// (section 4.2).
pub fn encode_empty_table(block: &mut Vec<u8>) {
    block.push(0x20);
}

fn put_text(block: &mut Vec<u8>, text: &str) {
    put_number(block, 0, 7, text.len());
    block.extend_from_slice(text.as_bytes());
}

fn put_number(block: &mut Vec<u8>, kind: u8, prefix: u32, number: usize) {
    let mask = (1usize << prefix) - 1;
    if number < mask {
        return block.push(kind | number as u8);
    }
    block.push(kind | mask as u8);
    let mut rest = number - mask;
    while rest >= 0x80 {
        block.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.push(rest as u8);
}
