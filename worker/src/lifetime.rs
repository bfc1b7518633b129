//! How a process that serves begins and ends: it says where it listens, and stops when it is told or when whoever started
//! it is gone.

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Resolves at Ctrl-C, SIGTERM or, when asked, at the end of standard input.
///
/// # Errors
/// When the system lets no signal be watched.
pub fn end_of_service(exit_with_stdin: bool) -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stdin = exit_with_stdin.then(end_of_stdin);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            Some(_) = async { Some(stdin?.await) } => {}
        }
    })
}

/// Resolves when standard input ends. A thread waits for that, because a read of standard input cannot be called off:
/// the thread ends with the process.
fn end_of_stdin() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.send(());
    });
    end
}

/// Reads standard input up to and with the line that holds the `count`th PEM block's end; what follows stays unread.
///
/// # Errors
/// When standard input ends before.
pub fn read_pem_blocks_from_stdin(count: usize) -> io::Result<String> {
    let (mut text, mut blocks) = (String::new(), 0);
    let mut stdin = io::stdin().lock();
    while blocks < count {
        let start = text.len();
        if stdin.read_line(&mut text)? == 0 {
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
