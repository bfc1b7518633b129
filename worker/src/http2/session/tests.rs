use proto::target::{Request, Target};

use super::*;
use crate::http2::frame::{FrameHead, HEAD};
use crate::http2::hpack;
use crate::request::Purpose;

mod hostile;

/// What was told of the answers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    begun: Vec<u32>,
    heads: Vec<(u32, u16)>,
    bodies: std::collections::BTreeMap<u32, Vec<u8>>,
}

fn start(session: &mut Session, place: u32, request: &Encoded) -> u32 {
    session.start(place, |_| request)
}

impl Answers for Told {
    fn begun(&mut self, place: u32) {
        self.begun.push(place);
    }

    fn head(&mut self, place: u32, head: &Head) {
        self.heads.push((place, head.status));
    }

    fn data(&mut self, place: u32, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        self.bodies.entry(place).or_default().extend_from_slice(bytes);
    }
}

fn encoded(body: &[u8]) -> Encoded {
    let target = Target::new("http://127.0.0.1:9000".parse().unwrap());
    let request =
        Request { method: "POST".into(), path: "/chat".into(), headers: Vec::new(), body: body.to_vec() };
    Encoded::new(&target, &request, Purpose::Load)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_head(&mut bytes, payload.len(), kind, flags, stream);
    bytes.extend_from_slice(payload);
    bytes
}

fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_settings(&mut bytes, settings);
    bytes
}

fn number(kind: u8, stream: u32, number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_number(&mut bytes, kind, stream, number);
    bytes
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        hpack::encode(&mut block, name, value);
    }
    block
}

fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS | flags, stream, &block(fields))
}

fn data(stream: u32, flags: u8, bytes: &str) -> Vec<u8> {
    frame(kind::DATA, flags, stream, bytes.as_bytes())
}

const OK: &[(&str, &str)] = &[(":status", "200")];

/// A session whose peer has sent these settings, with so many requests under way, of streams 1, 3, 5 and so on.
fn begun(set: &[(u16, u32)], requests: u32) -> Session {
    let mut session = Session::new(false);
    assert!(!session.has_room(), "nothing is sent before the peer's settings");
    feed(&mut session, &settings(set)).unwrap();
    for place in 0..requests {
        start(&mut session, place, &encoded(b"{}"));
    }
    session.hand_over();
    session.written();
    session
}

fn feed(session: &mut Session, bytes: &[u8]) -> Result<Told, ProtocolFault> {
    let mut told = Told::default();
    session.feed(bytes, &mut told).map(|()| told)
}

fn ended(session: &mut Session) -> Vec<(u32, Ending)> {
    std::iter::from_fn(|| session.next_ended()).map(|ended| (ended.place, ended.ending)).collect()
}

/// The frames that are to be written: kind, stream and payload.
fn sent(session: &mut Session) -> Vec<(u8, u32, Vec<u8>)> {
    let out = session.out().to_vec();
    session.written();
    let (mut rest, mut frames) = (out.strip_prefix(PREFACE).unwrap_or(&out), Vec::new());
    while let Some(bytes) = rest.first_chunk::<HEAD>() {
        let head = FrameHead::parse(bytes);
        frames.push((head.kind, head.stream, rest[HEAD..HEAD + head.length].to_vec()));
        rest = &rest[HEAD + head.length..];
    }
    assert!(rest.is_empty());
    frames
}

fn broken(violation: Violation) -> Ending {
    Ending::Broken(violation.into())
}

#[test]
fn answers_of_several_streams_come_interleaved() {
    let mut session = begun(&[], 2);
    let bytes = [
        headers(3, 0, &[(":status", "200"), ("content-length", "4")]),
        headers(1, 0, &[(":status", "103")]),
        headers(1, 0, &[(":status", "404")]),
        data(3, 0, "on"),
        data(1, 0, "one"),
        data(3, flag::END_STREAM, "ly"),
        headers(1, flag::END_STREAM, &[("grpc-status", "0")]),
    ]
    .concat();
    let told = feed(&mut session, &bytes).unwrap();
    assert_eq!(told.heads, [(1, 200), (0, 404)]);
    assert_eq!((&told.bodies[&0][..], &told.bodies[&1][..]), (&b"one"[..], &b"only"[..]));
    assert_eq!(ended(&mut session), [(1, Ending::Complete), (0, Ending::Complete)]);
    assert_eq!(session.open(), 0);
}

#[test]
fn a_small_request_is_two_frames_and_settings_are_acknowledged() {
    let mut session = Session::new(false);
    let first: Vec<u8> = sent(&mut session).iter().map(|frame| frame.0).collect();
    assert_eq!(first, [kind::SETTINGS, kind::WINDOW_UPDATE]);
    feed(&mut session, &settings(&[])).unwrap();
    let stream = start(&mut session, 7, &encoded(b"{}"));
    let frames = sent(&mut session);
    let kinds: Vec<(u8, u32)> = frames.iter().map(|frame| (frame.0, frame.1)).collect();
    assert_eq!(kinds, [(kind::SETTINGS, 0), (kind::HEADERS, stream), (kind::DATA, stream)]);
    let mut fields = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    hpack::Decoder::default()
        .decode(&frames[1].2, |name, value| fields.push((text(name), text(value))))
        .unwrap();
    let names: Vec<&str> = fields.iter().map(|field| field.0.as_str()).collect();
    let expected =
        [":method", ":scheme", ":path", ":authority", "user-agent", "accept-encoding", "content-length"];
    assert_eq!(names, expected);
    assert_eq!((fields[3].1.as_str(), frames[2].2.as_slice()), ("127.0.0.1:9000", &b"{}"[..]));
}

#[test]
fn a_large_body_waits_for_both_windows() {
    let request = encoded(&vec![b'x'; 200_000]);
    let mut session = Session::new(false);
    feed(&mut session, &settings(&[(setting::INITIAL_WINDOW_SIZE, 30_000)])).unwrap();
    session.written();
    session.start(0, |_| &request);
    let length = |session: &mut Session| {
        session.pump(|_| &request);
        let frames = sent(session);
        assert!(frames.iter().all(|frame| frame.2.len() <= LARGEST_PAYLOAD));
        frames.iter().filter(|frame| frame.0 == kind::DATA).map(|frame| frame.2.len()).sum::<usize>()
    };
    assert_eq!(length(&mut session), 30_000);
    // The stream's window opens, and the connection's closes at 65535.
    feed(&mut session, &number(kind::WINDOW_UPDATE, 1, 100_000)).unwrap();
    assert_eq!(length(&mut session), 35_535);
    feed(&mut session, &number(kind::WINDOW_UPDATE, 0, 1_000_000)).unwrap();
    assert_eq!(length(&mut session), 64_465);
    // A smaller window takes back what is left, and more: 130000 were sent.
    feed(&mut session, &settings(&[(setting::INITIAL_WINDOW_SIZE, 0)])).unwrap();
    feed(&mut session, &number(kind::WINDOW_UPDATE, 1, 30_000)).unwrap();
    assert_eq!(length(&mut session), 0);
    feed(&mut session, &number(kind::WINDOW_UPDATE, 1, 70_001)).unwrap();
    session.pump(|_| &request);
    assert_eq!(length(&mut session), 70_000);
    assert!(!session.wants_to_write());
}

#[test]
fn the_peers_limit_of_streams_is_kept() {
    let mut session = begun(&[(setting::MAX_CONCURRENT_STREAMS, 2)], 2);
    assert!(!session.has_room());
    let answer = headers(1, flag::END_STREAM, OK);
    feed(&mut session, &answer).unwrap();
    assert!(session.has_room());
    feed(&mut session, &settings(&[(setting::MAX_CONCURRENT_STREAMS, 0)])).unwrap();
    assert!(!session.has_room());
}

#[test]
fn what_is_not_read_is_not_added_to() {
    let mut session = begun(&[], 0);
    let request = encoded(&[b'x'; 10_000]);
    feed(&mut session, &settings(&[(setting::INITIAL_WINDOW_SIZE, LARGEST)])).unwrap();
    feed(&mut session, &number(kind::WINDOW_UPDATE, 0, 1 << 30)).unwrap();
    let mut started = 0;
    while session.has_room() {
        session.start(started, |_| &request);
        started += 1;
    }
    assert!((26..30).contains(&started), "{started}");
}

#[test]
fn goaway_ends_what_is_above_and_lets_the_rest_finish() {
    let mut session = begun(&[], 3);
    let goaway = frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 11, b'w', b'h', b'y']);
    feed(&mut session, &goaway).unwrap();
    let gone = Ending::GoneAway(ErrorCode::ENHANCE_YOUR_CALM);
    assert_eq!(ended(&mut session), [(1, gone), (2, gone)]);
    assert!(session.is_spent() && !session.has_room());
    feed(&mut session, &headers(1, flag::END_STREAM, OK)).unwrap();
    assert_eq!(ended(&mut session), [(0, Ending::Complete)]);

    let after = |last: u8, code: u8| {
        let mut session = begun(&[], 2);
        feed(&mut session, &frame(kind::GOAWAY, 0, 0, &[0, 0, 0, last, 0, 0, 0, code])).unwrap();
        ended(&mut session).last().map(|(_, ending)| *ending)
    };
    assert_eq!(after(1, 0), Some(Ending::LeftOver), "in peace, after another");
    assert_eq!(after(0, 0), Some(Ending::GoneAway(ErrorCode::NO_ERROR)), "it takes none at all");
    assert_eq!(after(1, 2), Some(Ending::GoneAway(ErrorCode(2))));
}

#[test]
fn goaway_refuses_no_request_of_which_nothing_was_written() {
    let after = |written: u32, code: u8| {
        let mut session = begun(&[], written);
        start(&mut session, 7, &encoded(b"{}"));
        feed(&mut session, &frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, code])).unwrap();
        (session.is_fruitless(), ended(&mut session))
    };
    assert_eq!(after(0, 0), (true, vec![(7, Ending::LeftOver)]));
    let gone = Ending::GoneAway(ErrorCode::NO_ERROR);
    assert_eq!(after(1, 0), (false, vec![(0, gone), (7, Ending::LeftOver)]));
    assert_eq!(after(0, 2).1, [(7, Ending::GoneAway(ErrorCode(2)))], "with a complaint");
}

#[test]
fn a_close_is_no_end_of_a_request_of_which_nothing_was_written() {
    let mut session = begun(&[], 1);
    start(&mut session, 7, &encoded(b"{}"));
    session.end_all(Ending::Closed);
    assert_eq!(ended(&mut session), [(0, Ending::Closed), (7, Ending::Unwritten)]);
    assert!(!session.is_fruitless());
    let mut session = begun(&[], 0);
    start(&mut session, 7, &encoded(b"{}"));
    assert!(session.is_fruitless(), "nothing was ever written");
}

#[test]
fn a_reset_stream_says_why_and_leaves_the_others_alone() {
    let mut session = begun(&[], 2);
    feed(&mut session, &number(kind::RST_STREAM, 1, 7)).unwrap();
    assert_eq!(ended(&mut session), [(0, Ending::Reset(ErrorCode(7)))]);
    assert_eq!(ErrorCode(7).to_string(), "REFUSED_STREAM");
    feed(&mut session, &headers(3, flag::END_STREAM, OK)).unwrap();
    assert_eq!(ended(&mut session), [(1, Ending::Complete)]);
    // A server that needs no more of a request says so behind its answer.
    feed(&mut session, &number(kind::RST_STREAM, 3, 0)).unwrap();
}

#[test]
fn all_codes_that_the_standard_does_not_know_are_one() {
    let mut session = begun(&[], 3);
    for (stream, code) in [(1, 13), (3, 14), (5, 0xdead_beef)] {
        feed(&mut session, &number(kind::RST_STREAM, stream, code)).unwrap();
    }
    let unknown = Ending::Reset(ErrorCode::UNKNOWN);
    assert_eq!(ended(&mut session), [(0, Ending::Reset(ErrorCode(13))), (1, unknown), (2, unknown)]);
    let mut session = begun(&[], 1);
    feed(&mut session, &frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 0, 1, 2, 3, 4])).unwrap();
    assert_eq!(ended(&mut session), [(0, Ending::GoneAway(ErrorCode::UNKNOWN))]);
    assert_eq!(ErrorCode::UNKNOWN.to_string(), "an unknown error code");
}

#[test]
fn a_cancelled_stream_is_reset_and_what_still_comes_is_passed_over() {
    let mut session = begun(&[], 2);
    assert_eq!(session.cancel(1), Some(Stage::Waiting));
    assert_eq!(sent(&mut session), [(kind::RST_STREAM, 1, vec![0, 0, 0, 8])]);
    // Its block fills the table that the next one refers to.
    let remembered = frame(kind::HEADERS, flag::END_HEADERS, 1, b"\x48\x03201");
    let referring = frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 3, b"\xbe");
    let told = feed(&mut session, &[remembered, data(1, 0, "late"), referring].concat()).unwrap();
    assert_eq!(told.heads, [(1, 201)]);
    assert_eq!(ended(&mut session), [(1, Ending::Complete)]);
}

#[test]
fn an_answer_that_comes_before_the_request_is_sent_stops_it() {
    let request = encoded(&vec![b'x'; 100_000]);
    let mut session = begun(&[], 0);
    session.start(0, |_| &request);
    session.written();
    feed(&mut session, &headers(1, flag::END_STREAM, &[(":status", "413")])).unwrap();
    assert_eq!(ended(&mut session), [(0, Ending::Complete)]);
    session.pump(|_| &request);
    assert_eq!(sent(&mut session), [(kind::RST_STREAM, 1, vec![0; 4])]);
}

#[test]
fn an_answer_that_is_malformed_ends_its_stream_alone() {
    let length = |text| headers(1, 0, &[(":status", "200"), ("content-length", text)]);
    for (bytes, ending) in [
        (headers(1, flag::END_STREAM, &[("server", "x")]), broken(Violation::Head)),
        (data(1, 0, "x"), broken(Violation::Head)),
        ([headers(1, 0, OK), headers(1, 0, OK)].concat(), broken(Violation::Head)),
        ([headers(1, 0, OK), headers(1, 0, &[("a", "b")])].concat(), broken(Violation::Head)),
        (length("x"), Ending::Broken(ProtocolFault::ContentLength)),
        ([length("3"), data(1, flag::END_STREAM, "xx")].concat(), broken(Violation::Length)),
        ([length("3"), data(1, 0, "xxxx")].concat(), broken(Violation::Length)),
        (
            headers(1, flag::END_STREAM, &[(":status", "200"), ("content-length", "1")]),
            broken(Violation::Length),
        ),
        ([headers(1, 0, &[(":status", "204")]), data(1, 0, "x")].concat(), broken(Violation::Length)),
    ] {
        let mut session = begun(&[], 2);
        feed(&mut session, &bytes).unwrap();
        assert_eq!(ended(&mut session), [(0, ending)], "{bytes:?}");
        feed(&mut session, &headers(3, flag::END_STREAM, OK)).unwrap();
        assert_eq!(ended(&mut session), [(1, Ending::Complete)]);
    }
}

#[test]
fn the_answer_to_a_head_request_has_no_body_whatever_its_length() {
    let mut session = Session::new(true);
    feed(&mut session, &settings(&[])).unwrap();
    start(&mut session, 0, &encoded(b""));
    feed(&mut session, &headers(1, flag::END_STREAM, &[(":status", "200"), ("content-length", "9")]))
        .unwrap();
    assert_eq!(ended(&mut session), [(0, Ending::Complete)]);
}

#[test]
fn windows_are_opened_again_before_they_close_and_a_peer_that_ignores_them_is_told() {
    let mut session = begun(&[], 1);
    feed(&mut session, &headers(1, 0, OK)).unwrap();
    let part = frame(kind::DATA, 0, 1, &[b'x'; LARGEST_PAYLOAD]);
    let mut opened = 0u64;
    for _ in 0..1000 {
        feed(&mut session, &part).unwrap();
        for (kind, stream, payload) in sent(&mut session) {
            assert_eq!((kind, stream), (kind::WINDOW_UPDATE, 1));
            opened += u64::from(crate::http2::frame::number(&payload));
        }
    }
    let received = 1000 * LARGEST_PAYLOAD as u64;
    assert!(opened <= received && opened + u64::from(STREAM_WINDOW) > received, "{opened} of {received}");
    // One that sends more at once than it was allowed.
    let mut session = begun(&[], 1);
    feed(&mut session, &headers(1, 0, OK)).unwrap();
    if let Some(stream) = session.streams.get(1) {
        stream.receive_window = 100;
    }
    assert_eq!(feed(&mut session, &part), Err(Violation::FlowControl.into()));
}

#[test]
fn a_connection_without_numbers_left_is_spent() {
    let mut session = begun(&[], 0);
    session.next_id = LARGEST;
    assert!(session.has_room());
    start(&mut session, 0, &encoded(b"{}"));
    assert!(session.is_spent() && !session.has_room());
    feed(&mut session, &headers(LARGEST, flag::END_STREAM, OK)).unwrap();
    assert_eq!(ended(&mut session), [(0, Ending::Complete)]);
}
