//! HTTP/1.1 at an address of this machine, for those who follow a run: so many connections at once, and no client that is
//! slow, or takes nothing of its answer, is borne with for long.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep};

/// After a connection that could not be taken, such as for want of a file.
const REST: Duration = Duration::from_millis(100);
/// The most that is kept of a request's head, and of an answer that waits for its client.
const MOST_BYTES: usize = 16 * 1024;

/// What is borne with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once; further ones wait.
    pub(crate) connections: usize,
    /// How long the head of a request may take, and a connection be silent before its next request.
    pub(crate) silence: Duration,
    /// How long a client may take nothing of its answer.
    pub(crate) stall: Duration,
}

/// Listens at an address, or where its port is 0, at a free one of it; and which it is.
///
/// # Errors
/// When somebody else is there, or it is no address of this machine.
pub(crate) async fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let taken = listener.local_addr()?;
    Ok((listener, taken))
}

/// How others call the host of an address, with its port: where it is all addresses of this machine, by the machine's name.
pub(crate) fn host(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return address.to_string();
    }
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{name}:{}", address.port())
}

/// Answers for ever. `answerer` makes what answers the requests of one connection, and lives as long as that.
pub(crate) async fn serve<N, S, F, B>(listener: TcpListener, limits: Limits, answerer: N)
where
    N: Fn() -> S,
    S: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        // The room is never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        // Events are small, and wanted at once.
        let _ = stream.set_nodelay(true);
        let answer = answerer();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answering = answer(request);
                async move { Ok::<_, Infallible>(answering.await) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(limits.silence).max_buf_size(MOST_BYTES);
            let stream = Impatient { stream, stall: limits.stall, waiting: None };
            // A peer that breaks off is none of ours.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

/// A connection that fails when nothing can be written to it for too long.
struct Impatient {
    stream: TcpStream,
    stall: Duration,
    /// Since nothing could be written.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Impatient {
    fn bounded<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let stall = self.stall;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Impatient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Impatient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::body::Bytes;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const LIMITS: Limits =
        Limits { connections: 1, silence: Duration::from_millis(200), stall: Duration::from_millis(200) };

    /// A server of large answers; the last one drops when its connection has ended.
    async fn begin() -> (std::net::SocketAddr, std::sync::Weak<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let alive = Arc::new(());
        let watched = Arc::downgrade(&alive);
        let body = Bytes::from(vec![b'x'; 64 << 20]);
        let served = serve(listener, LIMITS, move || {
            let (alive, body) = (Arc::clone(&alive), body.clone());
            move |_: Request<Incoming>| {
                let _of_connection = &alive;
                let answer = Response::new(Full::new(body.clone()));
                async move { answer }
            }
        });
        (address, watched, tokio::spawn(served))
    }

    #[tokio::test]
    async fn whoever_takes_nothing_of_an_answer_makes_room_for_the_next() {
        let (address, alive, _server) = begin().await;
        let mut stalled = TcpStream::connect(address).await.unwrap();
        stalled.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        // There is room for one, and it is this one's turn only when the other is gone.
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut first = [0; 8];
        next.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1");
        assert_eq!(alive.strong_count(), 2, "the server's own, and that of the connection that is open");
        drop(stalled);
    }

    #[tokio::test]
    async fn whoever_says_nothing_or_too_much_is_let_go() {
        let (address, _alive, _server) = begin().await;
        for head in [
            "GET / HTTP/1.1\r\nhost: a".to_owned(),
            format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(MOST_BYTES)),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // It is closed, or reset where not all was read.
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", answer.len());
        }
    }
}
