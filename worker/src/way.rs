//! A way to the target: where a connection goes, and where it comes from.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

/// Between two attempts at a socket whose queue of connections is full.
const PAUSE: Duration = Duration::from_millis(10);

/// Where a connection goes, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Over TCP.
    Tcp {
        /// The target's address.
        to: SocketAddr,
        /// This machine's; `None` for the system's own choice.
        from: Option<IpAddr>,
    },
    /// Over a socket of this machine.
    Unix(PathBuf),
}

/// As reports name where it goes.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { to, .. } => write!(f, "{to}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A connection whose reads and writes block.
#[derive(Debug)]
pub enum Blocking {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a socket of this machine.
    Unix(UnixStream),
}

impl Way {
    /// Makes a connection, and waits for it as long as that.
    ///
    /// # Errors
    /// When it cannot be made, or not in time.
    pub fn connect_within(&self, limit: Duration) -> io::Result<Blocking> {
        match self {
            Self::Tcp { to, from: None } => TcpStream::connect_timeout(to, limit).map(Blocking::Tcp),
            Self::Tcp { to, from: Some(from) } => {
                let stream = begin_from(*from, *to)?;
                wait_for(&stream, limit)?;
                stream.set_nonblocking(false)?;
                Ok(Blocking::Tcp(stream))
            }
            Self::Unix(path) => connect_socket(&SocketAddrUnix::new(path)?, limit).map(Blocking::Unix),
        }
    }
}

/// Begins a connection that comes from an address of this machine. It does not block.
pub(crate) fn begin_from(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let stream = TcpStream::from(rustix::net::socket(family, SocketType::STREAM, None)?);
    stream.set_nonblocking(true)?;
    rustix::net::bind(&stream, &SocketAddr::new(from, 0))?;
    match rustix::net::connect(&stream, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(stream),
        Err(error) => Err(error.into()),
    }
}

fn wait_for(stream: &TcpStream, limit: Duration) -> io::Result<()> {
    let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: limit.subsec_nanos().into() };
    if poll(&mut [PollFd::new(stream, PollFlags::OUT)], Some(&limit))? == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.take_error()?.map_or(Ok(()), Err)
}

fn connect_socket(address: &SocketAddrUnix, limit: Duration) -> io::Result<UnixStream> {
    let mut left = limit;
    loop {
        let stream = UnixStream::from(rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?);
        stream.set_nonblocking(true)?;
        match rustix::net::connect(&stream, address) {
            Ok(()) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(Errno::AGAIN) if left > PAUSE => {
                left -= PAUSE;
                thread::sleep(PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl Blocking {
    /// How long a read may take from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_read_timeout(&self, limit: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(limit)),
            Self::Unix(stream) => stream.set_read_timeout(Some(limit)),
        }
    }

    /// How long a write may take from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_write_timeout(&self, limit: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(limit)),
            Self::Unix(stream) => stream.set_write_timeout(Some(limit)),
        }
    }
}

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Blocking {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            Self::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
