//! Hands requests on to an upstream over real sockets, as a gateway does; what else a gateway does is the test's.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::clock::now;
use super::request::{Reply, Request};

thread_local! {
    /// A target has a thread for each connection, and each of them a connection of its own to the upstream.
    static KEPT: RefCell<Option<(SocketAddr, BufReader<TcpStream>)>> = const { RefCell::new(None) };
}

/// What the upstream answers, handed back without delay; 502 when it does not answer. Who asked is not passed on.
pub fn forward(request: &Request, upstream: SocketAddr) -> Reply {
    let began = now();
    match exchange(request, upstream) {
        // A reply is due from when its request was read, and here that was just before.
        Ok(bytes) => Reply { bytes, after: now().duration_since(began), ..Reply::default() },
        Err(_) => Reply::json(502, "{}"),
    }
}

fn exchange(request: &Request, upstream: SocketAddr) -> io::Result<Vec<u8>> {
    let kept = KEPT.take().filter(|(address, _)| *address == upstream);
    let mut stream = match kept {
        Some((_, stream)) => stream,
        None => {
            let stream = TcpStream::connect(upstream)?;
            stream.set_nodelay(true)?;
            BufReader::new(stream)
        }
    };
    let Request { method, body, .. } = request;
    let length = body.len();
    let mut bytes = format!(
        "{method} /v1/chat/completions HTTP/1.1\r\nhost: upstream\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    stream.get_mut().write_all(&bytes)?;
    let answer = read(&mut stream)?;
    KEPT.set(Some((upstream, stream)));
    Ok(answer)
}

/// One answer with a Content-Length, head and body.
fn read(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let (mut answer, mut length) = (Vec::new(), 0);
    loop {
        let start = answer.len();
        if from.read_until(b'\n', &mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&answer[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let start = answer.len();
    answer.resize(start + length, 0);
    from.read_exact(&mut answer[start..])?;
    Ok(answer)
}
