//! How a process that serves begins and ends: it says where it listens, and stops when it is told or when whoever started
//! it is gone.

use std::io::{self, BufRead, Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

/// What standard input has to do with the end of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing.
    Unwatched,
    /// Its end is the service's end.
    Ends,
    /// So is a silence of this length: a connection that was cut does not end by itself.
    EndsOrFallsSilent(Duration),
}

/// Resolves at Ctrl-C, SIGTERM or, when asked, with standard input.
///
/// # Errors
/// When the system lets no signal be watched.
pub fn end_of_service(stdin: Stdin) -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let silence = match stdin {
        Stdin::Unwatched => None,
        Stdin::Ends => Some(Duration::MAX),
        Stdin::EndsOrFallsSilent(limit) => Some(limit),
    };
    Ok(async move {
        let stdin = async {
            match silence {
                Some(limit) => end_of_stdin(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = stdin => {}
        }
    })
}

/// Resolves when standard input ends, or says nothing for `silence`. A thread reads it, because a read of standard input
/// cannot be called off: the thread ends with the process.
fn end_of_stdin(silence: Duration) -> impl Future<Output = ()> {
    let (said, mut heard) = watch::channel(());
    std::thread::spawn(move || {
        let mut words = [0; 1024];
        loop {
            match io::stdin().lock().read(&mut words) {
                Ok(1..) => said.send_replace(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return,
            }
        }
    });
    async move { while matches!(timeout(silence, heard.changed()).await, Ok(Ok(()))) {} }
}

/// Reads standard input up to and with the line that holds the `count`th PEM block's end; what follows stays unread. A
/// thread reads it, as in [`end_of_stdin`].
///
/// # Errors
/// When standard input ends before, or it all takes longer than `limit`.
pub fn read_pem_blocks_from_stdin(count: usize, limit: Duration) -> io::Result<String> {
    let (done, read) = mpsc::channel();
    std::thread::spawn(move || done.send(read_pem_blocks(&mut io::stdin().lock(), count)));
    read.recv_timeout(limit).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

fn read_pem_blocks(from: &mut impl BufRead, count: usize) -> io::Result<String> {
    let (mut text, mut blocks) = (String::new(), 0);
    while blocks < count {
        let start = text.len();
        if from.read_line(&mut text)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        blocks += usize::from(text[start..].starts_with("-----END "));
    }
    Ok(text)
}

/// Says where this process listens, as one line on standard output: `listening on SCHEME://ADDRESS`.
///
/// # Errors
/// When standard output is closed.
pub fn announce(scheme: &str, address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on {scheme}://{address}")?;
    stdout.flush()
}
