use super::*;
use proptest::prelude::*;

proptest! {
    /// A head of the plain kind, and what mutation makes of it, is the same whoever reads it.
    #[test]
    fn a_plain_head_is_read_as_any_head_is(
        fields in prop::collection::vec(
            ("[A-Za-z0-9_-]{1,24}|connection|Content-Length|content-type|Transfer-Encoding|Content-Encoding",
             "[ \t]{0,2}([!-~\u{80}-\u{ff}]{0,20}|keep-alive|close|[0-9]{1,20}|text/event-stream|chunked|gzip|a, b)[ \t]{0,2}"),
            0..8,
        ),
        status in "HTTP/1\\.[01] [0-9]{3}( [ -~]{0,12})?",
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(b"\r\n\t\x7f :-".to_vec())]), 0..3,
        ),
        cut in any::<prop::sample::Index>(),
    ) {
        let fields: String = fields.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect();
        let mut bytes = format!("{status}\r\n{fields}\r\nbody").into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(parsed) = plain::parse(&bytes) {
            prop_assert_eq!(parse_any(&bytes), Ok(Some(parsed)));
        }
        let cut = cut.index(bytes.len());
        if let Some(parsed) = plain::parse(&bytes[..cut]) {
            prop_assert_eq!(parse_any(&bytes[..cut]), Ok(Some(parsed)));
        }
    }
}

#[test]
fn what_servers_send_is_plain_and_what_is_odd_is_not() {
    let plain = |text: &str| plain::parse(text.as_bytes()).is_some();
    let nginx = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 17:04:00 GMT\r\n\
                 Content-Type: application/json\r\nContent-Length: 600\r\nConnection: keep-alive\r\n\r\n";
    assert!(plain(nginx));
    assert!(plain("HTTP/1.1 503 Service Unavailable\r\nvia:1.1 google\r\nx-empty:\r\n\r\n{}"));
    for odd in [
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\r\nB: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent\rLength: 5\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
    ] {
        assert!(!plain(odd), "{odd:?}");
    }
}

fn head(fields: &str) -> ParsedHead {
    let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    let (length, head) = parse(text.as_bytes()).unwrap().unwrap();
    assert_eq!(length, text.len());
    head
}

#[test]
fn lengths_that_agree_are_one_and_all_others_are_invalid() {
    for (fields, expected) in [
        ("", ContentLength::Absent),
        ("Content-Length: 5\r\n", ContentLength::Bytes(5)),
        ("content-length:005\r\nCONTENT-LENGTH: 5 , 5\r\n", ContentLength::Bytes(5)),
        ("Content-Length: 18446744073709551615\r\n", ContentLength::Bytes(u64::MAX)),
        ("Content-Length: 18446744073709551616\r\n", ContentLength::Invalid),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", ContentLength::Invalid),
        ("Content-Length: 5, 6\r\n", ContentLength::Invalid),
        ("Content-Length: 5,\r\n", ContentLength::Invalid),
        ("Content-Length: +5\r\n", ContentLength::Invalid),
        ("Content-Length: -5\r\n", ContentLength::Invalid),
        ("Content-Length: 0x5\r\n", ContentLength::Invalid),
        ("Content-Length: 5 5\r\n", ContentLength::Invalid),
        ("Content-Length:\r\n", ContentLength::Invalid),
    ] {
        assert_eq!(head(fields).content_length, expected, "{fields:?}");
    }
}

#[test]
fn only_chunked_alone_is_a_transfer_coding_that_is_undone() {
    for (fields, expected) in [
        ("Transfer-Encoding: Chunked\r\n", TransferCoding::Chunked),
        ("transfer-encoding: identity\r\n", TransferCoding::Identity),
        ("Transfer-Encoding: gzip, chunked\r\n", TransferCoding::Other),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", TransferCoding::Other),
        ("Transfer-Encoding: chunked, chunked\r\n", TransferCoding::Other),
        ("Transfer-Encoding: xchunked\r\n", TransferCoding::Other),
    ] {
        assert_eq!(head(fields).transfer_coding, expected, "{fields:?}");
    }
}

#[test]
fn the_connection_is_kept_as_version_and_tokens_say() {
    let keep_alive = |text: &str| parse(text.as_bytes()).unwrap().unwrap().1.keep_alive;
    assert!(keep_alive("HTTP/1.1 200 OK\r\n\r\n"));
    assert!(!keep_alive("HTTP/1.1 200 OK\r\nconnection: upgrade , Close\r\n\r\n"));
    assert!(!keep_alive("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n"));
    assert!(!keep_alive("HTTP/1.0 200 OK\r\n\r\n"));
    assert!(keep_alive("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n"));
    assert!(keep_alive("HTTP/1.1 200 OK\r\nConnection: closed\r\n\r\n"));
    let chunked = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(!keep_alive(chunked));
}

#[test]
fn types_and_encodings_are_read_in_any_case() {
    assert!(head("Content-Type: Text/Event-Stream; charset=utf-8\r\n").event_stream);
    assert!(head("content-type:text/event-stream\r\n").event_stream);
    assert!(!head("Content-Type: application/json\r\n").event_stream);
    assert!(!head("Content-Type: text/event-streams\r\n").event_stream);
    assert!(head("Content-Encoding: GZIP\r\n").encoded);
    assert!(head("Content-Encoding: identity, br\r\n").encoded);
    assert!(!head("Content-Encoding: Identity\r\n").encoded);
    assert!(!head("Content-Encoding:\r\n").encoded);
}

#[test]
fn odd_heads_are_read_and_impossible_ones_refused() {
    let status = |text: &str| parse(text.as_bytes()).map(|head| head.map(|(_, head)| head.status));
    assert_eq!(status("HTTP/1.1 200\r\n\r\n"), Ok(Some(200)));
    assert_eq!(status("HTTP/1.1 200 OK\nA: b\n\n"), Ok(Some(200)));
    assert_eq!(status("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\nB : c\r\n\r\n"), Ok(Some(200)));
    assert_eq!(status("HTTP/1.1 200 OK\r\n"), Ok(None));
    for impossible in
        ["SSH-2.0-OpenSSH", "HTTP/2 200\r\n\r\n", "HTTP/1.1 42\r\n\r\n", "HTTP/1.1 042 No\r\n\r\n"]
    {
        assert_eq!(status(impossible), Err(ProtocolFault::Head), "{impossible:?}");
    }
}

#[test]
fn heads_beyond_the_bounds_are_too_large() {
    let with_fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert!(parse(with_fields(MAX_FIELDS).as_bytes()).unwrap().is_some());
    assert_eq!(parse(with_fields(MAX_FIELDS + 1).as_bytes()), Err(ProtocolFault::HeadTooLarge));

    let of_length = |length: usize| {
        let rest = length - "HTTP/1.1 200 OK\r\na: \r\n\r\n".len();
        format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(rest))
    };
    assert!(parse(of_length(MAX_HEAD).as_bytes()).unwrap().is_some());
    assert_eq!(parse(of_length(MAX_HEAD + 1).as_bytes()), Err(ProtocolFault::HeadTooLarge));
    assert_eq!(parse(&of_length(2 * MAX_HEAD).as_bytes()[..MAX_HEAD]), Err(ProtocolFault::HeadTooLarge));
}
