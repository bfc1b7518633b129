//! The open streams of one connection, found by their numbers.

/// What is known of one open stream.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stream {
    /// Its number; 0 for a place in the table that is free.
    pub(super) id: u32,
    /// Whose request it carries.
    pub(super) place: u32,
    /// The final head has come.
    pub(super) has_head: bool,
    /// What Content-Length leaves to come, where it says anything.
    pub(super) length_left: Option<u64>,
    /// How much of the request's body has been put into frames.
    pub(super) body_sent: usize,
    /// The request is not in frames to its end.
    pub(super) is_sending: bool,
    /// How much more data the peer takes; less than nothing after it has made its windows smaller.
    pub(super) send_window: i64,
    /// How much more data the peer may send.
    pub(super) receive_window: u32,
}

/// A table of open streams: their numbers count upwards, so that a number's low bits lead to its place or close to it.
#[derive(Debug)]
pub(super) struct Streams {
    /// A power of two, never more than half full.
    table: Vec<Stream>,
    open: usize,
}

/// Places of a table that is small enough to be made for every connection.
const SMALLEST: usize = 16;

impl Default for Streams {
    fn default() -> Self {
        Self { table: vec![Stream::default(); SMALLEST], open: 0 }
    }
}

impl Streams {
    /// How many are open.
    #[inline]
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Adds a stream of a number that is not there.
    #[inline]
    pub(super) fn insert(&mut self, stream: Stream) {
        if 2 * (self.open + 1) > self.table.len() {
            self.grow();
        }
        self.open += 1;
        self.put(stream);
    }

    #[inline]
    fn put(&mut self, stream: Stream) {
        let mut at = self.home(stream.id);
        while self.table[at].id != 0 {
            at = self.after(at);
        }
        self.table[at] = stream;
    }

    #[cold]
    fn grow(&mut self) {
        let twice = vec![Stream::default(); 2 * self.table.len()];
        for stream in std::mem::replace(&mut self.table, twice) {
            if stream.id != 0 {
                self.put(stream);
            }
        }
    }

    /// The open stream of that number.
    #[inline]
    pub(super) fn get(&mut self, id: u32) -> Option<&mut Stream> {
        let at = self.find(id)?;
        Some(&mut self.table[at])
    }

    /// Takes the open stream of that number out.
    #[inline]
    pub(super) fn remove(&mut self, id: u32) -> Option<Stream> {
        let mut free = self.find(id)?;
        let removed = std::mem::take(&mut self.table[free]);
        self.open -= 1;
        // What was put behind it because its own place was taken moves up, so that no gap hides it.
        let mut at = self.after(free);
        while self.table[at].id != 0 {
            let home = self.home(self.table[at].id);
            let mask = self.table.len() - 1;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(free) & mask {
                self.table[free] = std::mem::take(&mut self.table[at]);
                free = at;
            }
            at = self.after(at);
        }
        Some(removed)
    }

    /// All open streams, in no order.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.table.iter_mut().filter(|stream| stream.id != 0)
    }

    #[inline]
    fn find(&self, id: u32) -> Option<usize> {
        if id == 0 {
            return None;
        }
        let mut at = self.home(id);
        loop {
            match self.table[at].id {
                0 => return None,
                found if found == id => return Some(at),
                _ => at = self.after(at),
            }
        }
    }

    #[inline]
    fn home(&self, id: u32) -> usize {
        (id >> 1) as usize & (self.table.len() - 1)
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.table.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((any::<bool>(), 0u32..40), 0..300)) {
            let (mut streams, mut model, mut next) = (Streams::default(), BTreeMap::new(), 1);
            for (insert, number) in steps {
                if insert {
                    // Some numbers are left out, as if those streams had never been asked for.
                    next += 2 + 2 * (number & 0xf);
                    streams.insert(Stream { id: next, place: number, ..Stream::default() });
                    model.insert(next, number);
                } else {
                    let id = model.keys().nth(number as usize % model.len().max(1)).copied().unwrap_or(number);
                    prop_assert_eq!(streams.remove(id).map(|stream| stream.place), model.remove(&id));
                }
                for (id, place) in &model {
                    prop_assert_eq!(streams.get(*id).map(|stream| stream.place), Some(*place));
                }
                prop_assert_eq!((streams.open(), streams.all().count()), (model.len(), model.len()));
            }
        }
    }
}
