//! An HTTP/2 server of the `h2` crate, and peers that a test scripts frame by frame.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use h2::server::{Builder, SendResponse};
use hyper::body::Bytes;
use hyper::http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::server::Peer;

/// How a server answers.
#[derive(Debug, Clone)]
pub struct Answers {
    pub body: Vec<u8>,
    pub content_type: &'static str,
    /// Before each answer.
    pub pause: Duration,
    pub max_streams: u32,
}

/// A server on a thread of its own; it ends when it is dropped.
pub struct H2Server {
    address: SocketAddr,
    counts: Arc<Counts>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    requests: AtomicU64,
    bytes: AtomicU64,
    /// The most streams that any connection had at once.
    most_streams: AtomicU64,
}

impl Answers {
    pub fn json(body: &str) -> Self {
        let (pause, max_streams) = (Duration::from_millis(1), 1000);
        Self { body: body.into(), content_type: "application/json", pause, max_streams }
    }
}

impl H2Server {
    pub fn start(answers: Answers) -> Self {
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (address, counts) = (listener.local_addr().unwrap(), Arc::new(Counts::default()));
        let shared = counts.clone();
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(TcpListener::from_std(listener).unwrap(), answers, shared) => {}
                    _ = stopped => {}
                }
            });
        };
        Self { address, counts, stop: Some(stop), thread: Some(thread::spawn(serve)) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::SeqCst)
    }

    /// Bytes of all requests' bodies.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::SeqCst)
    }

    pub fn most_streams(&self) -> u64 {
        self.counts.most_streams.load(Ordering::SeqCst)
    }
}

impl Drop for H2Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn accept(listener: TcpListener, answers: Answers, counts: Arc<Counts>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        counts.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(serve(stream, answers.clone(), counts.clone()));
    }
}

async fn serve(stream: TcpStream, answers: Answers, counts: Arc<Counts>) {
    let mut builder = Builder::new();
    builder.max_concurrent_streams(answers.max_streams);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let open = Arc::new(AtomicU64::new(0));
    while let Some(Ok((request, respond))) = connection.accept().await {
        counts.most_streams.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let (answers, counts, open) = (answers.clone(), counts.clone(), open.clone());
        tokio::spawn(async move {
            let _ = answer(request, respond, answers, &counts, &open).await;
        });
    }
}

async fn answer(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    answers: Answers,
    counts: &Counts,
    open: &AtomicU64,
) -> Result<(), h2::Error> {
    let mut body = request.into_body();
    while let Some(bytes) = body.data().await {
        let bytes = bytes?;
        counts.bytes.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        body.flow_control().release_capacity(bytes.len())?;
    }
    tokio::time::sleep(answers.pause).await;
    counts.requests.fetch_add(1, Ordering::SeqCst);
    let number = counts.requests.load(Ordering::SeqCst).to_string();
    let response =
        Response::builder().header("content-type", answers.content_type).header("x-number", number);
    // Before the client can have heard of the end.
    open.fetch_sub(1, Ordering::SeqCst);
    let mut send = respond.send_response(response.body(()).unwrap(), false)?;
    send.send_data(answers.body.into(), true)
}

/// Reads the client's preface and sends settings of its own: `(number, value)`.
pub fn greet(peer: &mut Peer, settings: &[(u16, u32)]) -> io::Result<()> {
    greet_and_say(peer, settings, &[])
}

/// The same, and more in one piece with it.
pub fn greet_and_say(peer: &mut Peer, settings: &[(u16, u32)], more: &[u8]) -> io::Result<()> {
    let mut preface = [0; 24];
    peer.reader().read_exact(&mut preface)?;
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(number, value)| [&number.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    peer.send(&[&frame(4, 0, 0, &payload), more].concat())
}

/// A frame: kind, flags, stream and payload.
type Frame = (u8, u8, u32, Vec<u8>);

/// The next frame; `None` when the client has closed.
pub fn next_frame(peer: &mut Peer) -> io::Result<Option<Frame>> {
    let mut head = [0; 9];
    match peer.reader().read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    peer.reader().read_exact(&mut payload)?;
    Ok(Some((kind, flags, u32::from_be_bytes(stream), payload)))
}

/// The stream of the next request, once it is there to its end; `None` when the client has closed.
pub fn next_request(peer: &mut Peer) -> io::Result<Option<u32>> {
    while let Some((kind, flags, stream, _)) = next_frame(peer)? {
        if matches!(kind, 0 | 1) && flags & 1 != 0 {
            return Ok(Some(stream));
        }
    }
    Ok(None)
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// A whole answer: status 200 and a body.
pub fn ok(stream: u32, body: &str) -> Vec<u8> {
    [frame(1, 4, stream, &[0x88]), frame(0, 1, stream, body.as_bytes())].concat()
}

pub fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(7, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}
