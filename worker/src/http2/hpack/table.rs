//! The tables of HPACK: the static one, and the one that the peer fills.

use std::collections::VecDeque;

use super::HpackFault;

/// What each entry costs beside its bytes (RFC 7541, section 4.1).
pub(super) const ENTRY_OVERHEAD: usize = 32;

/// RFC 7541, appendix A.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

/// Where the static table holds a name, or a name with its value; 0 where it does not.
pub(super) fn static_index(name: &str, value: Option<&str>) -> usize {
    let is_it = |entry: &(&str, &str)| entry.0 == name && value.is_none_or(|value| entry.1 == value);
    STATIC.iter().position(is_it).map_or(0, |position| position + 1)
}

/// What the peer has asked to be remembered, the newest first, within a bounded size.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    /// Memory of entries that have gone, for those that come.
    spare: Vec<Vec<u8>>,
    size: usize,
    /// What the peer limits it to.
    limit: usize,
    /// What we allow the peer to limit it to.
    most: usize,
}

#[derive(Debug)]
struct Entry {
    /// The name and the value behind it.
    bytes: Vec<u8>,
    name: usize,
}

impl Table {
    pub(super) fn new(most: usize) -> Self {
        Self { entries: VecDeque::new(), spare: Vec::new(), size: 0, limit: most, most }
    }

    /// The name and the value under a number, from 1: first the static table, then this one.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Result<(&[u8], &[u8]), HpackFault> {
        if let Some((name, value)) = STATIC.get(index.wrapping_sub(1)) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        let index = index.checked_sub(STATIC.len() + 1).ok_or(HpackFault::Index)?;
        let entry = self.entries.get(index).ok_or(HpackFault::Index)?;
        Ok(entry.bytes.split_at(entry.name))
    }

    /// Remembers a field; older ones go to make room, and one that is larger than everything empties the table.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) {
        let size = name.len() + value.len() + ENTRY_OVERHEAD;
        self.shrink_to(self.limit.saturating_sub(size));
        if size > self.limit {
            return;
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(value);
        self.entries.push_front(Entry { bytes, name: name.len() });
        self.size += size;
    }

    /// The peer sets the table's size.
    ///
    /// # Errors
    /// When it is more than we allow.
    pub(super) fn resize(&mut self, limit: usize) -> Result<(), HpackFault> {
        if limit > self.most {
            return Err(HpackFault::TableSize);
        }
        self.limit = limit;
        self.shrink_to(limit);
        Ok(())
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size
            && let Some(Entry { mut bytes, .. }) = self.entries.pop_back()
        {
            self.size -= bytes.len() + ENTRY_OVERHEAD;
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }
}
