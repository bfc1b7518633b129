//! The part of a scan that reads an object's keys, and passes over the members that nobody asked for.

use super::{Kind, Level, Scan, State};
use crate::json::lexis::{Text, plain_string_end, scalar_end, skip_string};
use crate::json::pointers::{MAX_DEPTH, NodeId, Pointers};

/// How a scan goes on from a value.
enum Step {
    /// Behind it: where it ends.
    Over(usize),
    /// Within it: where the quote of its first key is, and the place of the object, if that matters.
    Into(usize, Option<NodeId>),
}

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

    /// Goes on from the opening quote of a key, from member to member and down to where something wanted lies, as long as
    /// all is within the piece and written without blanks. That is the bulk of any answer, and takes a third of the time
    /// that going from state to state does.
    pub(super) fn members(&mut self, pointers: &Pointers, bytes: &[u8], mut at: usize) -> usize {
        let mut object = self.path.last().filter(|_| self.depth == self.path.len()).map(|level| level.place);
        loop {
            let key = at + 1;
            let Some(end) = plain_string_end(bytes, key) else {
                self.key.clear();
                self.text = Text::Plain;
                self.state = State::InKey;
                return key;
            };
            let place = object.and_then(|object| pointers.member(object, &bytes[key..end - 1]));
            let step = match (bytes.get(end), place) {
                (Some(b':'), None) => scalar_end(bytes, end + 1).map(Step::Over),
                (Some(b':'), Some(place)) => self.wanted(pointers, place, bytes, end + 1),
                _ => None,
            };
            match step {
                Some(Step::Into(first_key, place)) => (at, object) = (first_key, place),
                Some(Step::Over(value_end)) => {
                    if self.state == State::Settled {
                        return value_end;
                    }
                    if bytes.get(value_end..value_end + 2) != Some(b",\"") {
                        self.state = State::AfterValue;
                        return value_end;
                    }
                    at = value_end + 1;
                }
                None => {
                    self.place = place;
                    return self.colon(pointers, bytes, end);
                }
            }
        }
    }

    /// Goes over the value at a place that matters, or into it; `None` where that needs more than is looked at here.
    #[inline]
    fn wanted(&mut self, pointers: &Pointers, place: NodeId, bytes: &[u8], at: usize) -> Option<Step> {
        if pointers.longest_text(place).is_some() || self.depth + 2 > MAX_DEPTH {
            return None;
        }
        match bytes.get(at..at + 3)? {
            [b'"', ..] => {
                let end = plain_string_end(bytes, at + 1)?;
                self.empty = end == at + 2;
                self.end_value(pointers, Some(place), Kind::String, bytes, end);
                Some(Step::Over(end))
            }
            [b'{', b'"', _] => {
                self.descend(place, 0, false);
                Some(Step::Into(at + 1, Some(place)))
            }
            // Many members are there only for the one event or answer that has something to say.
            b"nul" => {
                let end = scalar_end(bytes, at)?;
                self.end_value(pointers, Some(place), Kind::Null, bytes, end);
                Some(Step::Over(end))
            }
            b"[{\"" => {
                self.descend(place, 1, true);
                let element = pointers.element(place, 0);
                match element {
                    Some(element) => self.descend(element, 0, false),
                    None => (self.depth, self.arrays) = (self.depth + 1, self.arrays << 1),
                }
                Some(Step::Into(at + 2, element))
            }
            _ => None,
        }
    }

    #[inline]
    fn descend(&mut self, place: NodeId, next: u32, array: bool) {
        self.path.push(Level { place, next });
        self.depth += 1;
        self.arrays = self.arrays << 1 | u128::from(array);
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
