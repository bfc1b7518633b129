//! Our reader of header blocks against the writer of the `h2` crate, which uses its table and Huffman's code.

use hyper::http::Response;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use worker::http2::hpack::{Decoder, encode};

use super::h2_server::frame;

type Fields = Vec<(String, String)>;

/// Has a server of the `h2` crate answer one request after another on one connection, with these fields.
async fn serve(io: DuplexStream, answers: Vec<Fields>) {
    let mut connection = h2::server::handshake(io).await.unwrap();
    let mut answers = answers.into_iter();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let mut response = Response::builder();
        for (name, value) in answers.next().unwrap() {
            response = response.header(name, value);
        }
        respond.send_response(response.body(()).unwrap(), true).unwrap();
    }
}

/// What our reader makes of the answers.
async fn read(mut io: DuplexStream, answers: usize) -> Vec<Fields> {
    let mut request = Vec::new();
    for (name, value) in [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")] {
        encode(&mut request, name, value);
    }
    let greeting = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, &[])[..]].concat();
    io.write_all(&greeting).await.unwrap();
    let (mut decoder, mut read) = (Decoder::default(), Vec::new());
    for number in 0..answers as u32 {
        io.write_all(&frame(1, 5, 2 * number + 1, &request)).await.unwrap();
        let block = loop {
            let mut head = [0; 9];
            io.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            io.read_exact(&mut payload).await.unwrap();
            match (head[3], head[4] & 4) {
                (1, 4) => break payload,
                (1, _) => panic!("a block in several frames"),
                _ => {}
            }
        };
        let (mut fields, text) = (Vec::new(), |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap());
        decoder.decode(&block, |name, value| fields.push((text(name), text(value)))).unwrap();
        fields.sort();
        read.push(fields);
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn what_another_writes_is_read(
        answers in prop::collection::vec(
            prop::collection::vec(("x-[a-d]{1,2}|content-type|etag|set-cookie", "[ -~&&[^ ]]{0,40}|[a-f]{200,900}"), 0..8),
            1..12,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let expected: Vec<Fields> = answers.iter().map(|fields| {
            let mut fields: Fields = fields.clone();
            fields.push((":status".into(), "200".into()));
            fields.sort();
            fields
        }).collect();
        let (ours, theirs) = duplex(1 << 20);
        let count = answers.len();
        let read = runtime.block_on(async move {
            let server = tokio::spawn(serve(theirs, answers));
            let fields = read(ours, count).await;
            server.abort();
            fields
        });
        prop_assert_eq!(read, expected);
    }
}
