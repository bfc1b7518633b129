//! An OpenAI-compatible upstream of known behaviour: the baseline of a measurement, and a target to try things on.
//!
//! [`endpoint`] routes a request to its answer, [`chat`] reads what a client asks for, [`answers`] and [`events`] render
//! what it gets, [`pace`] says when, and [`witness`] counts. Answers are rendered with as little work as will do: whatever the mock burns is
//! taken from the machine that measures.

mod answers;
mod chat;
mod endpoint;
mod events;
mod pace;
#[cfg(test)]
mod tests;
mod witness;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use proto::assignment::MAX_STREAMS;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::host;
use crate::lifetime::{Stdin, announce, end_of_service};
use endpoint::Endpoint;

/// The longest latency and the longest interval between chunks.
const MAX_SPAN: Duration = Duration::from_secs(3600);

/// How long to leave a system alone that has no file descriptor left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Run the built-in mock upstream: an OpenAI-compatible target of known behaviour
#[derive(Debug, Clone, clap::Args)]
pub struct MockArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9100", env = "ARCHESTRA_BENCH_MOCK_LISTEN")]
    pub listen: SocketAddr,

    /// Time from a request to its answer, or to a stream's first chunk (such as 10ms; a bare number is milliseconds)
    #[arg(
        long,
        value_name = "TIME",
        default_value = "0",
        value_parser = parse_span,
        env = "ARCHESTRA_BENCH_MOCK_LATENCY"
    )]
    pub latency: Duration,

    /// Content chunks of a streamed answer
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(0..=65_536),
        env = "ARCHESTRA_BENCH_MOCK_CHUNKS"
    )]
    pub chunks: u32,

    /// Time between the content chunks of a stream (such as 20ms; a bare number is milliseconds)
    #[arg(
        long,
        value_name = "TIME",
        default_value = "0",
        value_parser = parse_span,
        env = "ARCHESTRA_BENCH_MOCK_CHUNK_INTERVAL"
    )]
    pub chunk_interval: Duration,

    /// Answer with a tool call even when the request offers no tools
    #[arg(long, value_parser = FalseyValueParser::new(), env = "ARCHESTRA_BENCH_MOCK_TOOL_CALLS")]
    pub tool_calls: bool,

    /// Exit when standard input ends: whoever holds its other end is gone
    #[arg(long, hide = true)]
    pub exit_with_stdin: bool,
}

/// How the mock answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    /// From the last byte of a request to its answer, or to a stream's first content chunk.
    pub latency: Duration,
    /// Content chunks of a streamed answer.
    pub chunks: u32,
    /// Between one content chunk and the next; 0 sends them together.
    pub chunk_interval: Duration,
    /// Whether to answer with a tool call even when the request offers no tools.
    pub tool_calls: bool,
}

impl Default for Behaviour {
    /// Answers at once, in 16 chunks when streaming, with a tool call only when tools are offered.
    fn default() -> Self {
        Self { latency: Duration::ZERO, chunks: 16, chunk_interval: Duration::ZERO, tool_calls: false }
    }
}

impl From<&MockArgs> for Behaviour {
    fn from(args: &MockArgs) -> Self {
        Self {
            latency: args.latency,
            chunks: args.chunks,
            chunk_interval: args.chunk_interval,
            tool_calls: args.tool_calls,
        }
    }
}

/// Why the mock could not serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or is none of this machine's.
    #[error("the mock cannot listen on {address} (choose another with --listen; port 0 takes a free one)")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system denied something that every server needs.
    #[error("the mock cannot serve")]
    Serve(#[from] io::Error),
}

/// Serves until Ctrl-C, SIGTERM or, where asked, the end of standard input. Prints one line, `listening on URL`, once
/// connections are accepted.
///
/// # Errors
/// When the address cannot be listened on, or the system denies what a server needs.
pub fn main(args: MockArgs) -> Result<(), Error> {
    // A connection takes a descriptor, and another for its timer.
    host::raise_open_files_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(args.listen)
            .await
            .map_err(|source| Error::Listen { address: args.listen, source })?;
        let end = end_of_service(if args.exit_with_stdin { Stdin::Ends } else { Stdin::Unwatched })?;
        announce("http", listener.local_addr()?)?;
        Ok(run(listener, Behaviour::from(&args), end).await?)
    })
}

/// Serves `listener`'s connections until `shutdown` resolves; then closes them all, finished or not.
///
/// # Errors
/// When the listener itself breaks. A connection that breaks is only closed.
pub async fn run(
    listener: TcpListener,
    behaviour: Behaviour,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.local_addr()?;
    let endpoint = Arc::new(Endpoint::new(behaviour));
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(serve(stream, Arc::clone(&endpoint)))),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
    Ok(())
}

/// Serves one connection to its end. A client that breaks off is none of the mock's business.
async fn serve(stream: TcpStream, endpoint: Arc<Endpoint>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    if speaks_http2(&stream).await {
        // Requests on one connection wait side by side, each with a timer of its own.
        let service = service_fn(move |request| {
            let connection = endpoint.connection();
            async move { connection?.answer(request).await }
        });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_concurrent_streams(MAX_STREAMS);
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        return;
    }
    let Ok(connection) = endpoint.connection() else { return };
    let service = service_fn(move |request| connection.clone().answer(request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Whether a client begins as HTTP/2 does by prior knowledge; no method of HTTP/1.1 begins so.
async fn speaks_http2(stream: &TcpStream) -> bool {
    const BEGINNING: &[u8] = b"PRI";
    let mut beginning = [0; BEGINNING.len()];
    loop {
        match stream.peek(&mut beginning).await {
            // Seldom does so little come that it can be either.
            Ok(bytes @ 1..) if bytes < BEGINNING.len() && BEGINNING.starts_with(&beginning[..bytes]) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(bytes) => return &beginning[..bytes] == BEGINNING,
            Err(_) => return false,
        }
    }
}

/// A time of an hour at most: `10ms`, `1s 500ms`, or a bare number of milliseconds.
fn parse_span(text: &str) -> Result<Duration, String> {
    let milliseconds = text.trim().parse::<f64>().ok();
    let span = match milliseconds {
        Some(milliseconds) => Duration::try_from_secs_f64(milliseconds / 1e3).ok(),
        None => humantime::parse_duration(text).ok(),
    };
    span.filter(|span| *span <= MAX_SPAN)
        .ok_or_else(|| "give a time of an hour at most, such as 10ms or 1.5 (milliseconds)".to_owned())
}
