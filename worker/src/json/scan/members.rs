//! The part of a scan that reads an object's keys, and passes over the members that nobody asked for.

use super::{Scan, State};
use crate::json::lexis::{Text, plain_string_end, scalar_end, skip_string};
use crate::json::pointers::{NodeId, Pointers};

impl Scan {
    /// After a value: what comes next in its array or object.
    #[inline]
    pub(super) fn comma(&mut self, pointers: &Pointers, bytes: &[u8], at: usize) -> usize {
        if self.arrays & 1 == 1 {
            self.state = State::Value;
        } else if bytes.get(at + 1) == Some(&b'"') {
            return self.members(pointers, bytes, at + 1);
        } else {
            self.state = State::Key;
        }
        at + 1
    }

    /// Goes on from the opening quote of a key, and passes over members that nobody asked for as long as each lies within
    /// the piece and is written without blanks. They are the bulk of any answer, and this takes half the time that going
    /// from state to state does.
    #[inline]
    pub(super) fn members(&mut self, pointers: &Pointers, bytes: &[u8], mut at: usize) -> usize {
        let object = self.path.last().filter(|_| self.depth == self.path.len()).map(|level| level.place);
        loop {
            let key = at + 1;
            let Some(end) = plain_string_end(bytes, key) else {
                self.key.clear();
                self.text = Text::Plain;
                self.state = State::InKey;
                return key;
            };
            let place = object.and_then(|object| pointers.member(object, &bytes[key..end - 1]));
            let scalar = match bytes.get(end) {
                Some(b':') if place.is_none() => scalar_end(bytes, end + 1),
                _ => None,
            };
            let Some(scalar) = scalar else {
                self.place = place;
                return self.colon(pointers, bytes, end);
            };
            if bytes.get(scalar..scalar + 2) != Some(b",\"") {
                self.state = State::AfterValue;
                return scalar;
            }
            at = scalar + 1;
        }
    }

    /// Goes on after a key, and begins the value at once if that follows without blanks.
    #[inline]
    fn colon(&mut self, pointers: &Pointers, bytes: &[u8], at: usize) -> usize {
        match bytes.get(at..at + 2) {
            Some(&[b':', byte]) if byte > b' ' => {
                self.begin_value(pointers, byte, at + 1);
                at + 2
            }
            _ => {
                self.state = State::Colon;
                at
            }
        }
    }

    /// Goes on within a key that was cut or holds an escape.
    #[inline]
    pub(super) fn key(&mut self, pointers: &Pointers, bytes: &[u8], at: usize) -> usize {
        let matters = self.depth == self.path.len();
        match skip_string(&mut self.text, bytes, at) {
            Ok(Some(end)) => {
                self.place = if matters { self.member(pointers, &bytes[at..end - 1]) } else { None };
                self.state = State::Colon;
                return end;
            }
            Ok(None) if matters => self.keep_key(pointers, &bytes[at..]),
            Ok(None) => {}
            Err(()) => self.state = State::Broken,
        }
        bytes.len()
    }

    /// Where the member lies whose key ends with this piece.
    #[inline]
    fn member(&mut self, pointers: &Pointers, piece: &[u8]) -> Option<NodeId> {
        let object = self.path.last()?.place;
        if self.key.is_empty() {
            return member_as_written(pointers, object, piece);
        }
        self.keep_key(pointers, piece);
        member_as_written(pointers, object, &self.key)
    }

    /// Keeps a piece of a key, but no more of it than tells that it is too long to match.
    fn keep_key(&mut self, pointers: &Pointers, piece: &[u8]) {
        let room = (pointers.longest_key_text + 1).saturating_sub(self.key.len());
        self.key.extend_from_slice(&piece[..room.min(piece.len())]);
    }
}

/// Where a member lies whose key is written like this.
#[inline]
fn member_as_written(pointers: &Pointers, object: NodeId, written: &[u8]) -> Option<NodeId> {
    if !written.contains(&b'\\') {
        return pointers.member(object, written);
    }
    let quoted = [b"\"", written, b"\""].concat();
    let key: String = serde_json::from_slice(&quoted).ok()?;
    pointers.member(object, key.as_bytes())
}
