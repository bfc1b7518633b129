//! The part of an answer that a person gets to see: its beginning, and what of the rest explains it.

use memchr::memmem;
use proto::visible::on_one_line;

use crate::answer::Reading;
use crate::http1::response::{Body, Head};
use crate::sse::Events;

/// How many characters of an answer are shown.
const SHOWN_CHARACTERS: usize = 300;
/// How many of those are of the beginning of a stream that tells an error later.
const BEFORE_AN_ERROR: usize = 80;
/// Bytes that are enough for so many characters.
const KEPT_BYTES: usize = 4 * SHOWN_CHARACTERS;
/// How much of a head is looked through for where it leads.
const KEPT_HEAD: usize = 16 << 10;

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) status: Option<u16>,
    /// HTTP/1.1: the first read's bytes and all others until the head was complete.
    head: Vec<u8>,
    bytes: Vec<u8>,
    is_encoded: bool,
    /// Of a stream: the event that tells an error.
    events: Option<Events>,
    error: Option<Vec<u8>>,
}

impl Shown {
    /// Bytes of HTTP/1.1, before they are taken apart.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        if self.status.is_none() {
            let room = KEPT_HEAD.saturating_sub(self.head.len());
            self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// The first characters, on one line. Where a redirect leads stands before them, and an error that a stream tells
    /// later behind fewer of them. What is compressed is for nobody to read.
    pub(super) fn start(&self) -> String {
        if self.is_encoded {
            return String::new();
        }
        let text = match (&self.error, self.location()) {
            (Some(error), _) => {
                let before: String = lossy(&self.bytes).chars().take(BEFORE_AN_ERROR).collect();
                format!("{before} … {}", lossy(error))
            }
            (None, Some(location)) => format!("Location: {location} {}", lossy(&self.bytes)),
            (None, None) => lossy(&self.bytes),
        };
        on_one_line(text.trim_end().chars().take(SHOWN_CHARACTERS).collect::<String>().as_str())
    }

    /// Where a redirect leads.
    fn location(&self) -> Option<String> {
        const FIELD: &[u8] = b"location:";
        self.status.filter(|status| (300..400).contains(status))?;
        let is_location =
            |line: &&[u8]| line.get(..FIELD.len()).is_some_and(|name| name.eq_ignore_ascii_case(FIELD));
        let line = self.head.split(|byte| *byte == b'\n').find(is_location)?;
        Some(lossy(line[FIELD.len()..].trim_ascii()))
    }

    fn body(&mut self, bytes: &[u8]) {
        let room = KEPT_BYTES.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let (Some(events), error) = (&mut self.events, &mut self.error) else { return };
        let is_whole = events.feed(bytes, &mut |event| {
            if error.is_none() && (event.is_error || names_an_error(event.data)) {
                *error = Some(event.data[..event.data.len().min(KEPT_BYTES)].to_vec());
            }
        });
        if is_whole.is_err() {
            self.events = None;
        }
    }
}

/// Some events have an error that is null.
fn names_an_error(data: &[u8]) -> bool {
    const NAME: &[u8] = b"\"error\"";
    let mut rests = memmem::find_iter(data, NAME).map(|at| data[at + NAME.len()..].trim_ascii_start());
    rests.any(|rest| {
        rest.strip_prefix(b":").is_some_and(|value| !value.trim_ascii_start().starts_with(b"null"))
    })
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Hands an answer on to its check and keeps what is shown.
pub(super) struct Showing<'a> {
    pub(super) reading: Reading<'a>,
    pub(super) shown: &'a mut Shown,
}

impl Body for Showing<'_> {
    fn head(&mut self, head: &Head) {
        self.shown.status = Some(head.status);
        self.shown.is_encoded = head.encoded;
        self.shown.events = head.event_stream.then(Events::default);
        self.reading.head(head);
    }

    fn data(&mut self, bytes: &[u8]) {
        self.shown.body(bytes);
        self.reading.data(bytes);
    }
}
