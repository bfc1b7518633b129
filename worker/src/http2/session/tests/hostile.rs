//! Peers that break the protocol, by mistake or on purpose.

use proptest::prelude::*;

use super::*;
use crate::pieces::cut;

#[test]
fn what_a_peer_must_not_do_ends_the_connection() {
    let over = [headers(1, flag::END_STREAM, OK), data(1, 0, "late")].concat();
    let over_again = [headers(1, flag::END_STREAM, OK), headers(1, 0, OK)].concat();
    let open_block = frame(kind::HEADERS, 0, 1, &block(OK));
    for (bytes, violation) in [
        (frame(kind::PING, 0, 0, &[0; 20_000]), Violation::FrameSize),
        (frame(kind::PING, 0, 0, &[0; 7]), Violation::FrameSize),
        (frame(kind::PING, 0, 1, &[0; 8]), Violation::StreamNumber),
        (frame(kind::SETTINGS, 0, 0, &[0; 5]), Violation::FrameSize),
        (frame(kind::SETTINGS, flag::ACK, 0, &[0; 6]), Violation::FrameSize),
        (settings(&[(setting::ENABLE_PUSH, 1)]), Violation::Settings),
        (settings(&[(setting::MAX_FRAME_SIZE, 100)]), Violation::Settings),
        (settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 31)]), Violation::FlowControl),
        (headers(5, 0, OK), Violation::StreamNumber),
        (headers(2, 0, OK), Violation::StreamNumber),
        (headers(0, 0, OK), Violation::StreamNumber),
        (data(0, 0, "x"), Violation::StreamNumber),
        (number(kind::RST_STREAM, 5, 0), Violation::StreamNumber),
        (number(kind::WINDOW_UPDATE, 5, 1), Violation::StreamNumber),
        (number(kind::WINDOW_UPDATE, 0, 0), Violation::FlowControl),
        (number(kind::WINDOW_UPDATE, 1, LARGEST), Violation::FlowControl),
        (over, Violation::StreamOver),
        (over_again, Violation::StreamOver),
        (frame(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &[0, 0, 0, 2]), Violation::Push),
        (frame(kind::CONTINUATION, flag::END_HEADERS, 1, b""), Violation::Continuation),
        ([open_block.clone(), data(1, 0, "x")].concat(), Violation::Continuation),
        ([open_block.clone(), frame(kind::CONTINUATION, 0, 3, b"")].concat(), Violation::Continuation),
        ([open_block, frame(kind::CONTINUATION, 0, 1, b"").repeat(100)].concat(), Violation::Continuation),
        (frame(kind::HEADERS, flag::END_HEADERS, 1, b"\xff"), Violation::HeaderBlock),
        (frame(kind::HEADERS, flag::END_HEADERS | flag::PADDED, 1, b"\x09\x88"), Violation::Padding),
        (settings(&[]).repeat(20_000), Violation::Flood),
        (frame(kind::PING, 0, 0, &[0; 8]).repeat(20_000), Violation::Flood),
        ([headers(1, 0, OK), data(1, 0, "").repeat(20_000)].concat(), Violation::Flood),
        (frame(0x77, 0, 0, b"").repeat(20_000), Violation::Flood),
    ] {
        let mut session = begun(&[], 2);
        let outcome = feed(&mut session, &bytes).unwrap_err();
        assert_eq!(outcome, ProtocolFault::Http2(violation), "{:?}", &bytes[..bytes.len().min(40)]);
        assert!(session.out().len() <= MOST_ANSWERS_OUT + 100);
        session.end_all(Ending::Broken(outcome));
        let failed = ended(&mut session).iter().filter(|(_, ending)| *ending != Ending::Complete).count();
        assert!(failed >= 1);
        session.written();
        session.say_goodbye(outcome);
        assert_eq!(sent(&mut session)[0].0, kind::GOAWAY);
    }
}

#[test]
fn a_header_list_of_ten_megabytes_is_refused_at_64_kib() {
    let mut session = begun(&[], 1);
    feed(&mut session, &frame(kind::HEADERS, 0, 1, &block(OK))).unwrap();
    let part = frame(kind::CONTINUATION, 0, 1, &block(&[("x", &"y".repeat(16_000))]));
    let fed = (0..650).take_while(|_| feed(&mut session, &part).is_ok()).count();
    assert!(fed <= 4, "{fed}");
    // In one frame, by references to what was said once.
    let mut session = begun(&[], 1);
    let mut bomb = vec![0x40, 1, b'a', 0x7f, 0x81, 0x1e];
    bomb.extend_from_slice(&[b'b'; 4000]);
    bomb.extend_from_slice(&[0xbe; 10_000]);
    let outcome = feed(&mut session, &frame(kind::HEADERS, flag::END_HEADERS, 1, &bomb));
    assert_eq!(outcome, Err(ProtocolFault::HeadTooLarge));
}

#[test]
fn what_speaks_another_protocol_is_told_by_its_first_bytes() {
    let goaway = frame(kind::GOAWAY, 0, 0, &[0; 8]);
    for bytes in
        [&b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9\r\n", &goaway]
    {
        let outcome = feed(&mut Session::new(false), bytes);
        assert_eq!(outcome, Err(ProtocolFault::Http2(Violation::NoSettings)));
    }
}

/// Frames such as a peer might send, and some that none should.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        Just(block(OK)),
        Just(block(&[(":status", "200"), ("content-length", "3")])),
        Just(block(&[("grpc-status", "0")])),
        prop::collection::vec(any::<u8>(), 0..12),
        Just(vec![0, 0, 0, 1]),
        Just(vec![0; 8]),
    ];
    (0u8..11, prop::sample::select(vec![0u8, 1, 4, 5, 8, 0x25]), 0u32..10, payload)
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload))
}

proptest! {
    #[test]
    fn however_it_is_cut_and_whatever_it_is_every_request_ends_once(
        frames in prop::collection::vec(any_frame(), 0..30),
        garbage in prop::collection::vec(any::<u8>(), 0..40),
        sizes in prop::collection::vec(1usize..50, 1..5),
    ) {
        let bytes = [frames.concat(), garbage].concat();
        let outcome = |pieces: &[&[u8]]| {
            let (mut session, mut told) = (begun(&[], 4), Told::default());
            let fed = pieces.iter().try_for_each(|piece| session.feed(piece, &mut told));
            session.end_all(Ending::Closed);
            let mut ended = ended(&mut session);
            let order = ended.clone();
            ended.sort_unstable_by_key(|(place, _)| *place);
            let places: Vec<u32> = ended.iter().map(|(place, _)| *place).collect();
            assert_eq!(places, [0, 1, 2, 3]);
            (fed, order, told)
        };
        prop_assert_eq!(outcome(&cut(&bytes, &sizes)), outcome(&[&bytes]));
    }
}
