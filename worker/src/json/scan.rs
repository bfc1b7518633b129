//! Goes through a JSON text piece by piece and notes what of the wanted is there.

mod members;

use crate::json::capture::Captures;
use crate::json::lexis::{Number, Text, Word, skip_string};
use crate::json::pointers::{COUNTS, MAX_DEPTH, NodeId, Pointers, ROOT, Test, Wants};

/// The text is not JSON, or ends early, or is nested too deeply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson;

/// One text after another, with memory that is used again.
///
/// A text is read only until nothing in it can change what is known any more: what follows costs nothing, and is not
/// checked either. Control characters and broken UTF-8 within strings are let through.
#[derive(Debug, Default)]
pub struct Scan {
    state: State,
    /// Within a string: where.
    text: Text,
    /// Within a string: whether nothing of it has come.
    empty: bool,
    depth: usize,
    /// For each level that is open, innermost lowest: whether it is an array.
    arrays: u128,
    /// The open levels that lie on the way to something wanted; those deeper are only passed over.
    path: Vec<Level>,
    /// Where the member whose key has been read, or the scalar that is being read, lies, if that matters.
    place: Option<NodeId>,
    /// The beginning of a key that was cut, as it is written.
    key: Vec<u8>,
    captures: Captures,
    seen: Wants,
    met: Wants,
    /// What needs no further look.
    decided: Wants,
    counts: [Option<u32>; COUNTS],
}

#[derive(Debug)]
struct Level {
    place: NodeId,
    /// In an array: the index of the next element.
    next: u32,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a value.
    #[default]
    Value,
    /// After `[`.
    FirstElement,
    /// After `{`.
    FirstKey,
    /// After a comma in an object.
    Key,
    /// Within a key.
    InKey,
    /// After a key.
    Colon,
    /// Within a string that is a value.
    String,
    Number(Number),
    /// Within `true`, `false` or `null`, of which so many bytes have come.
    Word(Word, u8),
    /// After a value within an array or object.
    AfterValue,
    /// After the whole text.
    End,
    /// Nothing that follows matters.
    Settled,
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    /// A number, true or false.
    Plain,
    String,
    Array,
    Object,
}

impl Scan {
    /// Expects the next text. What `decided` holds is not looked for: an earlier text has settled it.
    pub fn begin(&mut self, pointers: &Pointers, decided: Wants) {
        (self.depth, self.arrays) = (0, 0);
        self.path.clear();
        self.captures.clear();
        (self.seen, self.met, self.decided) = (Wants::NONE, Wants::NONE, decided);
        self.counts = [None; COUNTS];
        self.state = if decided.contains(pointers.all) { State::Settled } else { State::Value };
    }

    /// Takes the next piece of the text, cut anywhere.
    pub fn feed(&mut self, pointers: &Pointers, bytes: &[u8]) {
        let is_begun = self.state != State::Value || self.depth > 0;
        let mut at = if is_begun { 0 } else { self.root(pointers, bytes) };
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::String => at = self.string(pointers, bytes, at),
                State::InKey => at = self.key(pointers, bytes, at),
                State::Number(number) => at = self.number(pointers, number, bytes, at),
                State::Word(word, come) => at = self.word(pointers, word, come, bytes, at),
                State::FirstKey | State::Key if byte == b'"' => at = self.members(pointers, bytes, at),
                State::AfterValue if byte == b',' => at = self.comma(pointers, bytes, at),
                State::Settled | State::Broken => return,
                _ => {
                    if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                        self.structure(pointers, byte, bytes, at);
                    }
                    at += 1;
                }
            }
        }
        self.captures.keep(bytes);
    }

    /// The text ends here.
    ///
    /// # Errors
    /// [`NotJson`] unless it is one JSON value, or all that matters was known before its end.
    pub fn finish(&mut self, pointers: &Pointers) -> Result<(), NotJson> {
        if let State::Number(number) = self.state
            && number.is_complete()
            && self.depth == 0
        {
            self.end_value(pointers, self.place, Kind::Plain, &[], 0);
        }
        match self.state {
            State::End | State::Settled => Ok(()),
            _ => Err(NotJson),
        }
    }

    /// What was found, and is as it should be.
    pub fn met(&self) -> Wants {
        self.met
    }

    /// What was found, as it should be or not.
    pub fn seen(&self) -> Wants {
        self.seen
    }

    /// The number that was kept there by [`Test::Count`], if one was found.
    pub fn count(&self, at: usize) -> Option<u32> {
        *self.counts.get(at)?
    }

    /// One byte between words.
    #[inline]
    fn structure(&mut self, pointers: &Pointers, byte: u8, bytes: &[u8], at: usize) {
        let in_array = self.arrays & 1 == 1;
        match (self.state, byte) {
            (State::FirstElement, b']') => self.close(pointers, true, bytes, at),
            (State::FirstKey, b'}') => self.close(pointers, true, bytes, at),
            (State::AfterValue, b']') if in_array => self.close(pointers, false, bytes, at),
            (State::AfterValue, b'}') if !in_array => self.close(pointers, false, bytes, at),
            (State::Colon, b':') => self.state = State::Value,
            (State::Value | State::FirstElement, _) => self.begin_value(pointers, byte, at),
            _ => self.state = State::Broken,
        }
    }

    #[inline]
    fn begin_value(&mut self, pointers: &Pointers, byte: u8, at: usize) {
        let place = self.next_place(pointers);
        if let Some(most) = place.and_then(|place| pointers.longest_text(place)) {
            self.captures.open(at, most);
        }
        self.place = place;
        self.state = match byte {
            b'"' => {
                (self.text, self.empty) = (Text::Plain, true);
                State::String
            }
            b'{' => self.open(false),
            b'[' => self.open(true),
            _ => match (Word::starting_with(byte), Number::starting_with(byte)) {
                (Some(word), _) => State::Word(word, 1),
                (_, Some(number)) => State::Number(number),
                _ => State::Broken,
            },
        };
    }

    /// Where the value that begins lies, if that matters.
    #[inline]
    fn next_place(&mut self, pointers: &Pointers) -> Option<NodeId> {
        if self.depth != self.path.len() {
            return None;
        }
        let in_array = self.arrays & 1 == 1;
        match self.path.last_mut() {
            None => Some(ROOT),
            Some(array) if in_array => {
                let index = array.next;
                array.next = index.saturating_add(1);
                pointers.element(array.place, index)
            }
            Some(_) => self.place,
        }
    }

    #[inline]
    fn open(&mut self, array: bool) -> State {
        if self.depth == MAX_DEPTH {
            return State::Broken;
        }
        if let Some(place) = self.place {
            self.path.push(Level { place, next: 0 });
        }
        self.depth += 1;
        self.arrays = self.arrays << 1 | u128::from(array);
        if array { State::FirstElement } else { State::FirstKey }
    }

    #[inline]
    fn close(&mut self, pointers: &Pointers, empty: bool, bytes: &[u8], at: usize) {
        let kind = if self.arrays & 1 == 1 { Kind::Array } else { Kind::Object };
        let on_the_way = self.depth == self.path.len();
        let place = if on_the_way { self.path.pop().map(|level| level.place) } else { None };
        self.depth -= 1;
        self.arrays >>= 1;
        self.empty = empty;
        self.end_value(pointers, place, kind, bytes, at + 1);
    }

    #[inline]
    fn string(&mut self, pointers: &Pointers, bytes: &[u8], at: usize) -> usize {
        self.empty &= bytes[at] == b'"';
        match skip_string(&mut self.text, bytes, at) {
            Ok(Some(end)) => {
                self.end_value(pointers, self.place, Kind::String, bytes, end);
                return end;
            }
            Ok(None) => {}
            Err(()) => self.state = State::Broken,
        }
        bytes.len()
    }

    #[inline]
    fn number(&mut self, pointers: &Pointers, number: Number, bytes: &[u8], at: usize) -> usize {
        let (number, end) = number.and_all(bytes, at);
        if end == bytes.len() {
            self.state = State::Number(number);
        } else if number.is_complete() {
            self.end_value(pointers, self.place, Kind::Plain, bytes, end);
        } else {
            self.state = State::Broken;
        }
        end
    }

    #[inline]
    fn word(&mut self, pointers: &Pointers, word: Word, come: u8, bytes: &[u8], at: usize) -> usize {
        let rest = &word.text()[usize::from(come)..];
        let length = rest.len().min(bytes.len() - at);
        let (now, later) = rest.split_at(length);
        if bytes[at..at + length] != *now {
            self.state = State::Broken;
        } else if later.is_empty() {
            let kind = if word == Word::Null { Kind::Null } else { Kind::Plain };
            self.end_value(pointers, self.place, kind, bytes, at + length);
        } else {
            self.state = State::Word(word, come + length as u8);
        }
        at + length
    }

    /// A value ends before `end`.
    #[inline]
    fn end_value(
        &mut self,
        pointers: &Pointers,
        place: Option<NodeId>,
        kind: Kind,
        bytes: &[u8],
        end: usize,
    ) {
        self.state = if self.depth == 0 { State::End } else { State::AfterValue };
        let Some(place) = place else { return };
        let captured = pointers.longest_text(place).is_some();
        let text = if captured { self.captures.close(bytes, end) } else { None };

        for check in pointers.checks(place) {
            if self.decided.contains(check.want) {
                continue;
            }
            self.seen = self.seen.and(check.want);
            let is_met = match &check.test {
                Test::Exists => true,
                Test::NotNull => kind != Kind::Null,
                Test::NonEmptyString => kind == Kind::String && !self.empty,
                Test::NonEmptyArray => kind == Kind::Array && !self.empty,
                Test::Equals(expected) => text.is_some_and(|text| expected.equals(text)),
                Test::Count(at) => {
                    let count = text.and_then(|text| str::from_utf8(text).ok()?.parse().ok());
                    self.counts.get_mut(*at).is_some_and(|kept| {
                        *kept = count;
                        count.is_some()
                    })
                }
            };
            if is_met {
                self.met = self.met.and(check.want);
            }
            if is_met || !pointers.any.contains(check.want) {
                self.decided = self.decided.and(check.want);
            }
        }
        if self.decided.contains(pointers.all) {
            self.state = State::Settled;
        }
    }
}

#[cfg(test)]
mod tests;
