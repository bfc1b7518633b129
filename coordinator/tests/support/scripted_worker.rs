//! A worker that speaks the wire and carries no load: it does with each stream what a test scripts.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use proto::wire::load_worker_server::{LoadWorker, LoadWorkerServer};
use proto::wire::{self, command::Command, event::Event};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// What to do about an order.
#[derive(Debug, Clone)]
pub enum Reaction {
    /// Nothing.
    Ignore,
    /// Tell the coordinator.
    Tell(Box<Event>),
    /// Break the stream.
    Break,
}

/// Reacts to an order (any but pings, which are answered) that came on the stream of that number, from 0.
type Script = dyn Fn(usize, &Command) -> Reaction + Send + Sync;

/// It ends when it is dropped.
pub struct ScriptedWorker {
    /// Where it listens, in plain text.
    pub address: SocketAddr,
    face: Face,
    _runtime: Runtime,
}

#[derive(Clone)]
struct Face {
    revision: u32,
    script: Arc<Script>,
    streams: Arc<Mutex<usize>>,
    orders: Arc<Mutex<Vec<(usize, Command)>>>,
    pings: Arc<AtomicU64>,
}

impl ScriptedWorker {
    /// Of this wire revision.
    pub fn start(
        revision: u32,
        script: impl Fn(usize, &Command) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let face = Face {
            revision,
            script: Arc::new(script),
            streams: Arc::default(),
            orders: Arc::default(),
            pings: Arc::default(),
        };
        let service = LoadWorkerServer::new(face.clone());
        let serving = Server::builder().serve_with_incoming(service, TcpListenerStream::new(listener));
        runtime.spawn(serving);
        Self { address, face, _runtime: runtime }
    }

    /// The pings that have come.
    pub fn pings(&self) -> u64 {
        self.face.pings.load(Ordering::SeqCst)
    }

    /// On which streams such orders have come.
    pub fn streams_with(&self, is_such: impl Fn(&Command) -> bool) -> Vec<usize> {
        let orders = self.face.orders.lock().unwrap();
        orders.iter().filter(|(_, order)| is_such(order)).map(|(stream, _)| *stream).collect()
    }
}

#[tonic::async_trait]
impl LoadWorker for Face {
    type RunStream = Pin<Box<dyn Stream<Item = Result<wire::Event, Status>> + Send>>;

    async fn describe(
        &self,
        _: Request<wire::DescribeRequest>,
    ) -> Result<Response<wire::WorkerDescription>, Status> {
        Ok(Response::new(wire::WorkerDescription {
            wire_revision: self.revision,
            software_version: "7.8.9".into(),
            cores: 1,
            ..wire::WorkerDescription::default()
        }))
    }

    /// Every target is good.
    async fn probe(&self, _: Request<wire::ProbeRequest>) -> Result<Response<wire::ProbeReply>, Status> {
        Ok(Response::new(wire::ProbeReply { status: 200, ..wire::ProbeReply::default() }))
    }

    async fn run(
        &self,
        request: Request<Streaming<wire::Command>>,
    ) -> Result<Response<Self::RunStream>, Status> {
        let (events, outgoing) = mpsc::channel(16);
        let number = {
            let mut streams = self.streams.lock().unwrap();
            *streams += 1;
            *streams - 1
        };
        tokio::spawn(self.clone().serve(number, request.into_inner(), events));
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}

impl Face {
    async fn serve(
        self,
        number: usize,
        mut commands: Streaming<wire::Command>,
        events: mpsc::Sender<Result<wire::Event, Status>>,
    ) {
        while let Ok(Some(wire::Command { command: Some(command) })) = commands.message().await {
            let reaction = match &command {
                Command::Ping(ping) => {
                    self.pings.fetch_add(1, Ordering::SeqCst);
                    Reaction::Tell(Box::new(Event::Pong(wire::Pong { nonce: ping.nonce })))
                }
                order => {
                    self.orders.lock().unwrap().push((number, order.clone()));
                    (self.script)(number, order)
                }
            };
            match reaction {
                Reaction::Ignore => {}
                Reaction::Tell(event) => {
                    if events.send(Ok(wire::Event { event: Some(*event) })).await.is_err() {
                        return;
                    }
                }
                Reaction::Break => return,
            }
        }
    }
}
