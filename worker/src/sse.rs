//! Takes a stream of server-sent events apart, however its bytes are cut (WHATWG HTML, section 9.2.6).

use memchr::memchr2;

/// The most bytes that one event's data, or one line, may have.
pub const MAX_EVENT: usize = 16 * 1024 * 1024;
/// How much memory is kept for the next stream.
const KEPT: usize = 64 * 1024;

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Whether it is named `error`; other names make no difference here.
    pub is_error: bool,
    /// Its data; several lines are joined by line feeds.
    pub data: &'a [u8],
}

/// One event is larger than [`MAX_EVENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTooLarge;

/// One stream after another, with memory that is used again.
///
/// An event that lies within one piece and has one line of data is handed on without being copied.
#[derive(Debug, Default)]
pub struct Events {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// The data of the event so far, each line followed by a line feed.
    data: Vec<u8>,
    is_error: bool,
    /// A carriage return ended the last piece: a line feed that comes next belongs to it.
    after_return: bool,
    /// The first line, before which a byte order mark may stand, is over.
    begun: bool,
}

impl Events {
    /// Expects the next stream.
    pub fn begin(&mut self) {
        for buffer in [&mut self.line, &mut self.data] {
            buffer.clear();
            buffer.shrink_to(KEPT);
        }
        (self.is_error, self.after_return, self.begun) = (false, false, false);
    }

    /// Takes the next piece and hands each event that it completes to `each`.
    ///
    /// # Errors
    /// [`EventTooLarge`]; the stream is of no use after that.
    pub fn feed(&mut self, bytes: &[u8], each: &mut impl FnMut(Event<'_>)) -> Result<(), EventTooLarge> {
        let mut rest = bytes;
        if std::mem::take(&mut self.after_return) && !rest.is_empty() {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr2(b'\r', b'\n', rest) {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = match (rest[end], after) {
                (b'\r', [b'\n', after @ ..]) => after,
                (b'\r', []) => {
                    self.after_return = true;
                    after
                }
                _ => after,
            };
            let is_last = matches!(rest, [b'\r' | b'\n', ..]);
            self.end_line(line, is_last, each)?;
        }
        append(&mut self.line, rest)
    }

    /// The stream ends here: whether the event that it ends within is `[DONE]`, for want of a blank line after it.
    pub fn finish(&mut self) -> bool {
        let mut is_done = false;
        // The event counts for nothing else, so neither its size nor its name matters.
        let each = &mut |event: Event<'_>| is_done = event.data.trim_ascii() == b"[DONE]";
        let _ = self.end_line(&[], false, each).and_then(|()| self.line(&[], false, each));
        is_done
    }

    /// A line has come to its end; `is_last` when a blank line is known to follow it.
    #[inline]
    fn end_line(
        &mut self,
        line: &[u8],
        is_last: bool,
        each: &mut impl FnMut(Event<'_>),
    ) -> Result<(), EventTooLarge> {
        if self.line.is_empty() {
            return self.line(line, is_last, each);
        }
        append(&mut self.line, line)?;
        let mut whole = std::mem::take(&mut self.line);
        let result = self.line(&whole, is_last, each);
        whole.clear();
        self.line = whole;
        result
    }

    #[inline]
    fn line(
        &mut self,
        mut line: &[u8],
        is_last: bool,
        each: &mut impl FnMut(Event<'_>),
    ) -> Result<(), EventTooLarge> {
        if line.len() > MAX_EVENT {
            return Err(EventTooLarge);
        }
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(each);
        } else if let Some(data) = value(line, b"data") {
            if is_last && self.data.is_empty() {
                each(Event { is_error: std::mem::take(&mut self.is_error), data });
                return Ok(());
            }
            append(&mut self.data, data)?;
            self.data.push(b'\n');
        } else if let Some(name) = value(line, b"event") {
            self.is_error = name == b"error";
        }
        Ok(())
    }

    /// A blank line: the event is complete, and is none without data.
    #[inline]
    fn dispatch(&mut self, each: &mut impl FnMut(Event<'_>)) {
        let is_error = std::mem::take(&mut self.is_error);
        if let Some(data) = self.data.strip_suffix(b"\n") {
            each(Event { is_error, data });
            self.data.clear();
        }
    }
}

/// The value of a field, when the line is of that field; a line without a colon is a field without a value.
#[inline]
fn value<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(field)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

fn append(buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<(), EventTooLarge> {
    if buffer.len() + bytes.len() > MAX_EVENT {
        return Err(EventTooLarge);
    }
    buffer.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pieces::cut;
    use proptest::prelude::*;

    type Found = Vec<(bool, Vec<u8>)>;

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Found {
        let (mut events, mut found) = (Events::default(), Vec::new());
        events.begin();
        for piece in pieces {
            events.feed(piece, &mut |event| found.push((event.is_error, event.data.to_vec()))).unwrap();
        }
        found
    }

    /// The rules, told as simply as can be: all lines of the text first.
    fn reference(text: &[u8]) -> Found {
        let text = String::from_utf8_lossy(text);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
        let mut lines: Vec<_> = text.split('\n').collect();
        lines.pop();

        let (mut found, mut name, mut data) = (Vec::new(), "", Vec::new());
        for line in lines {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.is_empty() => {
                    if !data.is_empty() {
                        found.push((name == "error", data.join("\n").into_bytes()));
                    }
                    (name, data) = ("", Vec::new());
                }
                "data" => data.push(value),
                "event" => name = value,
                _ => {}
            }
        }
        found
    }

    #[test]
    fn events_are_as_the_standard_says() {
        for (text, expected) in [
            ("data: a\n\n", vec![(false, "a")]),
            ("data:a\r\n\r\ndata:  b\r\rdata\n\n", vec![(false, "a"), (false, " b"), (false, "")]),
            ("\u{feff}data: a\ndata: b\n\n", vec![(false, "a\nb")]),
            (": comment\n\ndata: ü\nid: 1\nretry: 5\n\n", vec![(false, "ü")]),
            ("event: error\ndata: a\n\ndata: b\n\n", vec![(true, "a"), (false, "b")]),
            ("data: a\nevent: error\n\n", vec![(true, "a")]),
            ("event: error\n\ndata: a\n\n", vec![(false, "a")]),
            ("event: errors\ndata: a\n\nevent\ndata: b\n\n", vec![(false, "a"), (false, "b")]),
            ("data\n\ndata\ndata\n\ndata:", vec![(false, ""), (false, "\n")]),
            ("database: a\n\nDATA: b\n\n data: c\n\n", vec![]),
            ("data: unfinished\n", vec![]),
            ("\n\n\r\n\r\r\n", vec![]),
        ] {
            let expected: Found =
                expected.into_iter().map(|(error, data)| (error, data.as_bytes().to_vec())).collect();
            assert_eq!(reference(text.as_bytes()), expected, "{text:?}");
            for piece in 1..=text.len() {
                assert_eq!(decode(text.as_bytes().chunks(piece)), expected, "{text:?} by {piece}");
            }
        }
    }

    #[test]
    fn an_unfinished_end_mark_is_seen_and_an_unfinished_event_is_not() {
        for (text, done) in [
            ("data: a\n\ndata: [DONE]", true),
            ("data: a\n\ndata:[DONE]\r\n", true),
            ("data: [DONE] ", true),
            ("data: [DONE]\n\n", false),
            ("data: [DON", false),
            ("data: a\ndata: [DONE]\n", false),
            (": [DONE]", false),
            ("", false),
        ] {
            for piece in 1..=text.len().max(1) {
                let mut events = Events::default();
                for piece in text.as_bytes().chunks(piece) {
                    events.feed(piece, &mut |_| {}).unwrap();
                }
                assert_eq!(events.finish(), done, "{text:?} by {piece}");
            }
        }
    }

    #[test]
    fn one_event_is_bounded_and_its_memory_is_not_kept() {
        let mut events = Events::default();
        let block = vec![b'x'; MAX_EVENT / 2];
        assert_eq!(events.feed(b"data: ", &mut |_| {}), Ok(()));
        assert_eq!(events.feed(&block, &mut |_| {}), Ok(()));
        assert_eq!(events.feed(&block, &mut |_| {}), Err(EventTooLarge));

        events.begin();
        let line = [b"data: ", &block[..], b"\n"].concat();
        assert_eq!(events.feed(&line, &mut |_| {}), Ok(()));
        assert_eq!(events.feed(&line, &mut |_| {}), Err(EventTooLarge));

        events.begin();
        assert!(events.line.capacity() <= KEPT && events.data.capacity() <= KEPT);
    }

    proptest! {
        #[test]
        fn any_cuts_give_the_events_of_the_reference(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "data", ":", " ", "\n", "\n\n", "\r", "\r\n", "data: x", "data:y\n\n", "event: error\n", "event:", "[DONE]", "ü",
                    "\u{feff}", ": c", "id: 1\n",
                ]),
                0..30,
            ),
            sizes in prop::collection::vec(1usize..20, 1..8),
        ) {
            let text = parts.concat();
            let expected = reference(text.as_bytes());
            prop_assert_eq!(&decode([text.as_bytes()]), &expected);

            prop_assert_eq!(decode(cut(text.as_bytes(), &sizes)), expected);
        }

        #[test]
        fn hostile_bytes_never_panic_and_cuts_never_matter(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\r\n: data".to_vec())], 0..200),
            sizes in prop::collection::vec(1usize..20, 1..8),
        ) {
            prop_assert_eq!(decode([&bytes[..]]), decode(cut(&bytes, &sizes)));
        }
    }
}
