//! The engine's reading of HTTP/1.1 against that of hyper's client: the same status, the same body, the same opinion on
//! whether the connection can be used again, and the same answers cut short.

// A helper that fails fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::yield_now;
use worker::http1::response::{Body, End, Head, Response};

/// What a client makes of a whole answer.
#[derive(Debug, PartialEq, Eq)]
struct Understood {
    status: u16,
    body: Vec<u8>,
    keeps_the_connection: bool,
}

/// An answer as it travels.
#[derive(Debug, Clone)]
struct Travelling {
    bytes: Vec<u8>,
    /// How many bytes each read brings, over and over.
    sizes: Vec<usize>,
    /// Whether the server closes after the last byte.
    closed: bool,
}

impl Travelling {
    fn pieces(&self) -> impl Iterator<Item = Vec<u8>> {
        let (mut rest, mut sizes) = (&self.bytes[..], self.sizes.iter().cycle());
        std::iter::from_fn(move || {
            let (piece, after) = rest.split_at((*sizes.next()?).min(rest.len()));
            rest = after;
            (!piece.is_empty()).then(|| piece.to_vec())
        })
    }
}

#[derive(Default)]
struct Seen {
    status: u16,
    body: Vec<u8>,
}

impl Body for Seen {
    fn head(&mut self, head: &Head) {
        self.status = head.status;
    }

    fn data(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }
}

/// `None` when the answer is not whole.
fn by_the_engine(answer: &Travelling) -> Option<Understood> {
    let (mut response, mut seen, mut is_whole) = (Response::default(), Seen::default(), false);
    response.begin(false);
    for piece in answer.pieces() {
        assert!(!is_whole, "bytes after the end");
        if let Some(used) = response.feed(&piece, &mut seen).unwrap() {
            assert_eq!(used, piece.len(), "bytes after the end");
            is_whole = true;
        }
    }
    is_whole = is_whole || answer.closed && response.end() == End::Complete;
    let keeps_the_connection = response.keep_alive() && !answer.closed;
    is_whole.then_some(Understood { status: seen.status, body: seen.body, keeps_the_connection })
}

/// `None` when the answer is not whole.
async fn by_hyper(answer: &Travelling) -> Option<Understood> {
    let (client, server) = duplex(1 << 16);
    let (mut sender, connection) = http1::handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    let serving = tokio::spawn(serve(server, answer.clone()));
    let request = hyper::Request::get("/").header("host", "x").body(Empty::<Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.ok()?.to_bytes().to_vec();
    let _open = serving.await.unwrap();
    let keeps_the_connection = sender.ready().await.is_ok();
    Some(Understood { status, body, keeps_the_connection })
}

/// The server's end, unless it is to be closed.
async fn serve(mut server: DuplexStream, answer: Travelling) -> Option<DuplexStream> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(server.read_u8().await.unwrap());
    }
    for piece in answer.pieces() {
        // A client that has seen the last answer on its connection may have closed it.
        let _ = server.write_all(&piece).await;
        yield_now().await;
    }
    (!answer.closed).then_some(server)
}

fn both(answer: &Travelling) -> (Option<Understood>, Option<Understood>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bounded = async { tokio::time::timeout(std::time::Duration::from_secs(60), by_hyper(answer)).await };
    (by_the_engine(answer), runtime.block_on(bounded).expect("hyper waits for ever"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length,
    Chunked,
    UntilClose,
}

/// How a field is written: its name's letters in upper case where the bits say so, and blanks round its value.
type Hand = (u32, &'static str, &'static str);

fn hand() -> impl Strategy<Value = Hand> {
    let blanks = prop::sample::select(vec!["", " ", "  ", "\t", " \t "]);
    (any::<u32>(), blanks.clone(), blanks)
}

fn field(name: &str, value: &str, (bits, before, after): Hand) -> String {
    let letters = name.chars().enumerate().map(|(at, letter)| match bits >> (at % 32) & 1 {
        0 => letter.to_ascii_lowercase(),
        _ => letter.to_ascii_uppercase(),
    });
    format!("{}:{before}{value}{after}\r\n", letters.collect::<String>())
}

fn chunked(body: &[u8], sizes: &[usize], extensions: &[&str], trailers: &str) -> Vec<u8> {
    let (mut rest, mut bytes, mut sizes) = (body, Vec::new(), sizes.iter().cycle());
    let mut extensions = extensions.iter().cycle();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        bytes.extend(format!("{:X}{}\r\n", chunk.len(), extensions.next().unwrap()).into_bytes());
        bytes.extend([chunk, b"\r\n"].concat());
        rest = after;
    }
    bytes.extend(format!("0{}\r\n{trailers}\r\n", extensions.next().unwrap()).into_bytes());
    bytes
}

prop_compose! {
    fn body_and_framing()(
        body in prop::collection::vec(any::<u8>(), 0..300),
        framing in prop::sample::select(vec![Framing::Length, Framing::Chunked, Framing::UntilClose]),
        sizes in prop::collection::vec(1usize..80, 1..5),
        extensions in prop::collection::vec(prop::sample::select(vec!["", ";a", ";a=b", " ; a=\"b;c\"", "\t"]), 1..4),
        trailers in prop::sample::select(vec!["", "A: b\r\n", "Digest: x\r\nOther: y\r\n"]),
    ) -> (Framing, Vec<u8>, Vec<u8>) {
        let written = match framing {
            Framing::Chunked => chunked(&body, &sizes, &extensions, trailers),
            Framing::Length | Framing::UntilClose => body.clone(),
        };
        (framing, body, written)
    }
}

prop_compose! {
    fn answer()(
        interim in prop::collection::vec(prop::sample::select(vec![
            "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 102 \r\n\r\n",
        ]), 0..3),
        is_http11 in prop::bool::weighted(0.8),
        status in prop::sample::select(vec![200u16, 200, 200, 201, 204, 304, 404, 500, 599]),
        reason in prop::sample::select(vec!["", " ", " OK", " No such thing", " Schön"]),
        (framing, body, written) in body_and_framing(),
        connection in prop::sample::select(vec![None, None, Some("close"), Some("keep-alive"), Some("x, Keep-Alive"), Some("Close , x")]),
        others in prop::collection::vec((prop::sample::select(vec!["Server", "X-Request-Id", "Content-Type"]), "[!-~]{0,20}", hand()), 0..5),
        hands in (hand(), hand()),
        sizes in prop::collection::vec(1usize..120, 1..6),
    ) -> (Travelling, Vec<u8>) {
        // HTTP/1.0 knows no chunks, and an answer without a body neither them nor, but for 304, a length.
        let without_body = matches!(status, 204 | 304);
        let framing = if !is_http11 && framing == Framing::Chunked { Framing::Length } else { framing };
        let written = if is_http11 || framing == Framing::UntilClose { written } else { body.clone() };
        let version = if is_http11 { "1.1" } else { "1.0" };
        let interim = if is_http11 { interim.concat() } else { String::new() };
        let mut head = format!("{interim}HTTP/{version} {status}{reason}\r\n");
        for (name, value, hand) in others {
            head += &field(name, &value, hand);
        }
        match framing {
            Framing::Length if status != 204 => head += &field("Content-Length", &written.len().to_string(), hands.0),
            Framing::Chunked if !without_body => head += &field("Transfer-Encoding", "chunked", hands.0),
            _ => {}
        }
        if let Some(connection) = connection {
            head += &field("Connection", connection, hands.1);
        }
        let mut bytes = (head + "\r\n").into_bytes();
        if !without_body {
            bytes.extend(written);
        }
        let closed = framing == Framing::UntilClose && !without_body;
        (Travelling { bytes, sizes, closed }, if without_body { Vec::new() } else { body })
    }
}

proptest! {
    #[test]
    fn an_answer_is_understood_as_hyper_understands_it((answer, body) in answer()) {
        let (ours, hypers) = both(&answer);
        prop_assert_eq!(&ours, &hypers);
        prop_assert_eq!(ours.map(|ours| ours.body), Some(body));
    }

    #[test]
    fn an_answer_that_is_cut_short_is_so_to_both((answer, _) in answer(), end in any::<prop::sample::Index>()) {
        let mut cut = answer.clone();
        cut.bytes.truncate(end.index(answer.bytes.len()));
        cut.closed = true;
        let (ours, hypers) = both(&cut);
        prop_assert_eq!(&ours, &hypers);
        prop_assert!(ours.is_none() || answer.closed, "an answer with an end has none of it");
    }
}
