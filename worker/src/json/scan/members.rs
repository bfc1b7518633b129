//! The part of a scan that reads an object's keys, and passes over the members that nobody asked for.

use super::{Kind, Level, Scan, State};
use crate::json::lexis::{Key, Text, after_plain_string, after_scalar, skip_string};
use crate::json::pointers::{MAX_DEPTH, Member, NodeId, Pointers, ROOT, member};

/// How a scan goes on from a value.
enum Step<'a, 'p> {
    /// With what is behind it.
    Over(&'a [u8]),
    /// With its first key, from behind the quote, and the members of the object that matter.
    Into(&'a [u8], &'p [Member]),
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

    /// Goes into a text that is an object, as long as [`Scan::members`] can: nearly all are.
    #[inline]
    pub(super) fn root(&mut self, pointers: &Pointers, bytes: &[u8]) -> usize {
        if !bytes.starts_with(b"{\"") || pointers.longest_text(ROOT).is_some() {
            return 0;
        }
        self.descend(ROOT, 0, false);
        self.members(pointers, bytes, 1)
    }

    /// Goes on from the opening quote of a key, from member to member and down to where something wanted lies, as long as
    /// all is within the piece and written without blanks. That is the bulk of any answer, and takes a third of the time
    /// that going from state to state does.
    pub(super) fn members(&mut self, pointers: &Pointers, bytes: &[u8], at: usize) -> usize {
        let object = self.path.last().filter(|_| self.depth == self.path.len());
        let mut members = object.map_or(&[][..], |object| pointers.members(object.place));
        let mut rest = &bytes[at + 1..];
        let position = |rest: &[u8]| bytes.len() - rest.len();
        loop {
            let Some((key, after)) = Key::plain(rest) else {
                self.key.clear();
                self.text = Text::Plain;
                self.state = State::InKey;
                return position(rest);
            };
            let place = member(members, key);
            let step = match (after, place) {
                ([b':', value @ ..], None) => after_scalar(value).map(Step::Over),
                ([b':', value @ ..], Some(place)) => self.wanted(pointers, place, value),
                _ => None,
            };
            match step {
                Some(Step::Into(first_key, of_object)) => (rest, members) = (first_key, of_object),
                Some(Step::Over(after)) => {
                    if self.state == State::Settled {
                        return position(after);
                    }
                    let Some(next_key) = after.strip_prefix(b",\"") else {
                        self.state = State::AfterValue;
                        return position(after);
                    };
                    rest = next_key;
                }
                None => {
                    self.place = place;
                    return self.colon(pointers, bytes, position(after));
                }
            }
        }
    }

    /// Goes over the value at a place that matters, or into it; `None` where that needs more than is looked at here.
    #[inline]
    fn wanted<'a, 'p>(
        &mut self,
        pointers: &'p Pointers,
        place: NodeId,
        value: &'a [u8],
    ) -> Option<Step<'a, 'p>> {
        if pointers.longest_text(place).is_some() || self.depth + 2 > MAX_DEPTH {
            return None;
        }
        match value {
            [b'"', text @ ..] => {
                let after = after_plain_string(text)?;
                self.empty = text.starts_with(b"\"");
                self.end_value(pointers, Some(place), Kind::String, &[], 0);
                Some(Step::Over(after))
            }
            [b'{', b'"', first_key @ ..] => {
                self.descend(place, 0, false);
                Some(Step::Into(first_key, pointers.members(place)))
            }
            // Many members are there only for the one event or answer that has something to say.
            [b'n', b'u', b'l', b'l', after @ ..] => {
                self.end_value(pointers, Some(place), Kind::Null, &[], 0);
                Some(Step::Over(after))
            }
            [b'[', b'{', b'"', first_key @ ..] => {
                self.descend(place, 1, true);
                let Some(element) = pointers.element(place, 0) else {
                    (self.depth, self.arrays) = (self.depth + 1, self.arrays << 1);
                    return Some(Step::Into(first_key, &[]));
                };
                self.descend(element, 0, false);
                Some(Step::Into(first_key, pointers.members(element)))
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
        return pointers.member(object, Key::new(written));
    }
    let quoted = [b"\"", written, b"\""].concat();
    let key: String = serde_json::from_slice(&quoted).ok()?;
    pointers.member(object, Key::new(key.as_bytes()))
}
