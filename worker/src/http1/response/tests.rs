use super::*;
use crate::pieces::cut;
use proptest::prelude::*;

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    head: Option<Head>,
    data: Vec<u8>,
}

impl Body for Seen {
    fn head(&mut self, head: &Head) {
        assert_eq!(self.head, None, "one head a response");
        self.head = Some(*head);
    }

    fn data(&mut self, bytes: &[u8]) {
        assert!(self.head.is_some() && !bytes.is_empty());
        self.data.extend_from_slice(bytes);
    }
}

/// What was seen, how many bytes were used if that is a complete response, and the response itself.
type Read = Result<(Seen, Option<usize>, Response), ProtocolFault>;

fn read(response: Response, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Read {
    let (mut response, mut seen, mut used) = (response, Seen::default(), 0);
    for piece in pieces {
        match response.feed(piece.as_ref(), &mut seen)? {
            Some(last) => return Ok((seen, Some(used + last), response)),
            None => used += piece.as_ref().len(),
        }
    }
    Ok((seen, None, response))
}

fn read_whole(text: &str) -> Read {
    read(Response::default(), [text])
}

/// Body, whether complete, whether the connection is kept.
fn summary(text: &str) -> Result<(String, bool, bool), ProtocolFault> {
    let (seen, used, response) = read_whole(text)?;
    Ok((String::from_utf8(seen.data).unwrap(), used == Some(text.len()), response.keep_alive()))
}

const RESPONSES: [&str; 8] = [
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n\
     3;a=\"b\"\r\nhel\r\nA\r\nlo, world.\r\n0\r\nTrailer: x\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "\r\n\r\nHTTP/1.0 500 No\nConnection: keep-alive\nContent-Length: 0\n\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5, 5\r\nConnection: close\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: nonsense\r\n\r\n0\r\n\r\n",
];

#[test]
fn any_two_cuts_come_to_the_same_as_none() {
    for text in RESPONSES {
        let bytes = text.as_bytes();
        let (whole, used, response) = read_whole(text).unwrap();
        assert_eq!(used, Some(bytes.len()), "{text:?}");
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..], b"surplus"];
                let (seen, used, cut) = read(Response::default(), pieces).unwrap();
                assert_eq!((&seen, used), (&whole, Some(bytes.len())), "{text:?} {first} {second}");
                assert_eq!(cut.keep_alive(), response.keep_alive());
            }
        }
    }
}

#[test]
fn byte_by_byte_and_again_on_the_same_connection() {
    let mut response = Response::default();
    for text in RESPONSES {
        response.begin(false);
        let (seen, used, kept) = read(response, text.as_bytes().chunks(1)).unwrap();
        assert_eq!((seen, used), (read_whole(text).unwrap().0, Some(text.len())));
        response = kept;
    }
}

#[test]
fn what_comes_after_the_response_is_left() {
    for text in RESPONSES {
        let (_, used, _) = read_whole(&format!("{text}HTTP/1.1 200 OK\r\n")).unwrap();
        assert_eq!(used, Some(text.len()));
    }
}

#[test]
fn bodies_end_as_the_head_says() {
    let whole = |body: &str, keep: bool| Ok((body.to_owned(), true, keep));
    assert_eq!(summary(RESPONSES[0]), whole("hello", true));
    assert_eq!(summary(RESPONSES[1]), whole("hello, world.", true));
    assert_eq!(summary(RESPONSES[2]), whole("", true));
    assert_eq!(summary(RESPONSES[3]), whole("", true));
    assert_eq!(summary(RESPONSES[4]), whole("ok", true));
    assert_eq!(summary(RESPONSES[5]), whole("", true));
    assert_eq!(summary(RESPONSES[6]), whole("hello", false));
    assert_eq!(summary(RESPONSES[7]), whole("", true));
}

#[test]
fn the_answer_to_a_head_request_has_no_body() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let mut response = Response::default();
    response.begin(true);
    let (_, used, response) = read(response, [text]).unwrap();
    assert_eq!((used, response.keep_alive()), (Some(text.len()), true));
}

#[test]
fn a_close_completes_only_what_the_close_delimits() {
    let ended = |text: &str| {
        let mut response = read_whole(text).unwrap().2;
        (response.end(), response.keep_alive())
    };
    assert_eq!(ended("HTTP/1.1 200 OK\r\n\r\nhel"), (End::Complete, false));
    assert_eq!(ended("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n"), (End::Complete, false));
    assert_eq!(ended(""), (End::Early(Stage::Waiting), false));
    assert_eq!(ended("HTTP/1.1 100 Continue\r\n\r\n"), (End::Early(Stage::Waiting), false));
    assert_eq!(ended("H"), (End::Early(Stage::Head), false));
    assert_eq!(ended("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), (End::Early(Stage::Body), false));
    assert_eq!(
        ended("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"),
        (End::Early(Stage::Body), false)
    );
}

#[test]
fn what_breaks_the_protocol_is_named() {
    for (text, fault) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", ProtocolFault::Head),
        ("HTTP/1.1 101 Switching\r\n\r\n", ProtocolFault::Switched),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ProtocolFault::TransferCoding),
        ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", ProtocolFault::ContentLength),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", ProtocolFault::Chunk),
    ] {
        assert_eq!(read_whole(text).unwrap_err(), fault, "{text:?}");
        assert_eq!(read(Response::default(), text.as_bytes().chunks(1)).unwrap_err(), fault, "{text:?}");
    }
}

#[test]
fn a_head_without_end_is_too_large() {
    let endless = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(2 * MAX_HEAD));
    for piece in [1, 1000, endless.len()] {
        let fault = read(Response::default(), endless.as_bytes().chunks(piece)).unwrap_err();
        assert_eq!(fault, ProtocolFault::HeadTooLarge, "by {piece}");
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_cuts_never_matter(
        start in prop::sample::select(RESPONSES.to_vec()),
        changes in prop::collection::vec((0usize..200, any::<u8>()), 0..4),
        sizes in prop::collection::vec(1usize..40, 1..10),
    ) {
        let mut bytes = start.as_bytes().to_vec();
        for (at, byte) in changes {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        // A head that is broken before it is complete may be refused at different times, but no answer differs.
        let whole = read(Response::default(), [&bytes]);
        let in_pieces = read(Response::default(), cut(&bytes, &sizes));
        if let (Ok(whole), Ok(in_pieces)) = (whole, in_pieces) {
            prop_assert_eq!((whole.0, whole.1), (in_pieces.0, in_pieces.1));
        }
    }
}
