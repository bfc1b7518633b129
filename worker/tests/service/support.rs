//! A worker that serves, a target that counts, and one stream between a test and the worker.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proto::assignment::Assignment;
use proto::counters::Counters;
use proto::expectation::Expectation;
use proto::interval::{Finished, Interval};
use proto::latencies::Latencies;
use proto::load::{Arrivals, Extent, Load, Pace, WarmUp};
use proto::share::Share;
use proto::target::{Request, Target};
use proto::wire::load_worker_client::LoadWorkerClient;
use proto::wire::{self, command::Command, event::Event};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;
use worker::service::{self, ServeError};

/// What no test takes unless something is stuck.
const BOUND: Duration = Duration::from_secs(60);

/// A worker that serves in plain text.
pub struct Worker {
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Worker {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, told) = oneshot::channel::<()>();
        let serving = tokio::spawn(service::run(listener, None, async move { drop(told.await) }));
        Self { address, shutdown, serving }
    }

    /// A new stream, on a connection of its own, which has been told nothing yet.
    pub async fn connect(&self) -> Stream {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        let mut client = LoadWorkerClient::new(endpoint.connect().await.unwrap());
        let (commands, outgoing) = mpsc::channel(16);
        let events = client.run(ReceiverStream::new(outgoing)).await.unwrap().into_inner();
        Stream { commands, events }
    }

    /// A new stream that names an assignment.
    pub async fn assign(&self, assignment: &Assignment) -> Stream {
        let mut stream = self.connect().await;
        stream.send(Command::Assignment(assignment.into())).await;
        stream
    }

    /// A stream whose assignment is prepared and has begun.
    pub async fn begin(&self, assignment: &Assignment) -> Stream {
        let mut stream = self.assign(assignment).await;
        let ready = stream.ready().await;
        assert_eq!((ready.resumed, ready.started), (false, false));
        stream.start().await;
        stream
    }

    /// Has it end, and waits until it has.
    pub async fn shut_down(self) {
        self.shutdown.send(()).unwrap();
        timeout(BOUND, self.serving).await.unwrap().unwrap().unwrap();
    }
}

/// One `Run` stream.
pub struct Stream {
    commands: mpsc::Sender<wire::Command>,
    events: Streaming<wire::Event>,
}

impl Stream {
    pub async fn send(&mut self, command: Command) {
        self.commands.send(wire::Command { command: Some(command) }).await.unwrap();
    }

    /// Has the prepared block begin at once.
    pub async fn start(&mut self) {
        self.send(Command::Start(wire::Start { delay_ns: 0 })).await;
    }

    pub async fn next(&mut self) -> Event {
        let event = timeout(BOUND, self.events.message()).await.expect("the worker says nothing");
        event.unwrap().expect("the worker ended the stream").event.unwrap()
    }

    pub async fn ready(&mut self) -> wire::Ready {
        match self.next().await {
            Event::Ready(ready) => ready,
            other => panic!("not ready: {other:?}"),
        }
    }

    pub async fn interval(&mut self) -> Interval {
        match self.next().await {
            Event::Interval(interval) => interval.try_into().unwrap(),
            other => panic!("no interval: {other:?}"),
        }
    }

    pub async fn fault(&mut self) -> wire::Fault {
        match self.next().await {
            Event::Fault(fault) => fault,
            other => panic!("no fault: {other:?}"),
        }
    }

    /// Sends a ping and waits for its answer: what was ordered before has been obeyed then. Nothing else may come.
    pub async fn settle(&mut self) {
        self.send(Command::Ping(wire::Ping { nonce: 7 })).await;
        match self.next().await {
            Event::Pong(pong) => assert_eq!(pong.nonce, 7),
            other => panic!("no pong: {other:?}"),
        }
    }

    /// All intervals that are still to come, and the totals.
    pub async fn rest(mut self) -> (Vec<Interval>, Finished) {
        let mut intervals = Vec::new();
        loop {
            match self.next().await {
                Event::Interval(interval) => intervals.push(interval.try_into().unwrap()),
                Event::Finished(finished) => return (intervals, finished.try_into().unwrap()),
                Event::Pong(_) => {}
                other => panic!("neither an interval nor the end: {other:?}"),
            }
        }
    }
}

/// Asserts that the intervals are all that there were, and add up to the totals.
pub fn assert_adds_up(intervals: &[Interval], finished: &Finished) {
    let (mut totals, mut latencies) = (Counters::default(), Latencies::default());
    for (sequence, interval) in (0..).zip(intervals) {
        assert_eq!(interval.sequence, sequence);
        totals.add(&interval.counters);
        latencies.merge(&interval.latencies);
    }
    assert_eq!((intervals.len() as u64, &totals), (finished.intervals, &finished.totals));
    for ((name, summed), (_, told)) in latencies.each().into_iter().zip(finished.latencies.each()) {
        assert!(summed.buckets().eq(told.buckets()), "{name}");
    }
}

/// A target that counts its requests.
pub struct Counting {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Counting {
    /// It answers at once.
    pub async fn answering() -> Self {
        Self::start(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await
    }

    /// It never answers.
    pub async fn hanging() -> Self {
        Self::start(b"").await
    }

    async fn start(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn({
            let requests = requests.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, answer, requests.clone()));
                }
            }
        });
        Self { address, requests, accepting }
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Waits until it has had so many.
    pub async fn wait_for(&self, requests: u64) {
        let reached = async {
            while self.requests() < requests {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(BOUND, reached).await.expect("the requests do not arrive");
    }

    /// Waits until none has come for so long.
    pub async fn wait_for_silence(&self, span: Duration) {
        let silent = async {
            let mut before = u64::MAX;
            while before != self.requests() {
                before = self.requests();
                sleep(span).await;
            }
        };
        timeout(BOUND, silent).await.expect("requests keep arriving");
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Requests are GETs, which end with their head.
async fn serve(mut stream: TcpStream, answer: &'static [u8], requests: Arc<AtomicU64>) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
        request.extend_from_slice(&buffer[..bytes]);
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            requests.fetch_add(1, Ordering::SeqCst);
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// A hundred requests a second for so long, on four connections.
pub fn steady(target: &Counting, id: &str, duration: Duration) -> Assignment {
    Assignment {
        id: id.into(),
        target: Target::new(format!("http://{}", target.address).parse().unwrap()),
        request: Request { method: "GET".into(), path: "/".into(), headers: Vec::new(), body: Vec::new() },
        expectation: Expectation::default(),
        load: Load::Open {
            pace: Pace::Steady("100".parse().unwrap()),
            arrivals: Arrivals::Constant,
            connections: 4.try_into().unwrap(),
            max_in_flight: None,
        },
        extent: Extent::Duration(duration),
        warm_up: WarmUp::None,
        share: Share::WHOLE,
        timeout: Duration::from_secs(30),
        keep_alive: true,
        streams: NonZeroU32::MIN,
        threads: Some(2.try_into().unwrap()),
        seed: 1,
        lease: Duration::from_secs(3600),
        variety: None,
        mix: Vec::new(),
    }
}
