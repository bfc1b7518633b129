//! Connections as they come. Strangers without a certificate can open some, too, so there are only so many at once, and
//! whoever proves nothing is let go soon.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tonic::transport::server::Connected;

use crate::host;

/// How long a handshake may take: half of what a coordinator waits, so that it has its turn after strangers.
pub(super) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// A coordinator needs one or two.
const MOST: usize = 256;
/// Load needs files as well, so connections to this side leave most of them.
const PART_OF_FILES: usize = 4;
/// How long nothing is accepted when the system lets nothing be.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection, which is counted until it ends.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

/// Accepts connections for whoever takes them from `arrived`; the rest waits in the system's queue.
pub(super) async fn accept(listener: TcpListener, arrived: Sender<io::Result<Connection>>) -> Infallible {
    let most = MOST.min(host::open_files_limit() as usize / PART_OF_FILES).max(1);
    let places = Arc::new(Semaphore::new(most));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                // Slower without it, and that is all.
                let _ = stream.set_nodelay(true);
                if arrived.send(Ok(Connection { stream, _place: place })).await.is_err() {
                    return std::future::pending().await;
                }
            }
            // No file is left, or whoever connected is gone.
            Err(_) => sleep(PAUSE).await,
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
