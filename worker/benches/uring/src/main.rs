//! The least that a client over io_uring can cost, to hold against `floor`, the same over epoll: multishot receive into
//! provided buffers, sends that are submitted together with the wait.
//!
//! `uring-floor ADDRESS CONNECTIONS SECONDS BODY_FILE` posts a body to `/v1/chat/completions` and prints `requests: N`.
//! Answers are taken for whole when as many bytes have come as the first answer had; nothing is parsed, checked or recorded.

use std::alloc::{Layout, alloc_zeroed};
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use io_uring::types::{BufRingEntry, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

const GROUP: u16 = 0;
const BUFFERS: u16 = 2048;
const BUFFER_BYTES: usize = 2048;
const ENTRIES: u32 = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, seconds, body] = arguments.as_slice() else {
        return Err("usage: uring-floor ADDRESS CONNECTIONS SECONDS BODY_FILE".into());
    };
    let address: SocketAddr = address.parse()?;
    let body = std::fs::read(body)?;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.into_bytes(), body].concat();
    let answer_bytes = length_of_an_answer(&request, address)?;
    let mut streams = Vec::new();
    for _ in 0..connections.parse()? {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let until = Instant::now() + Duration::from_secs(seconds.parse()?);
    let requests = run(&streams, &request, answer_bytes, until)?;
    writeln!(io::stdout(), "requests: {requests}")?;
    Ok(())
}

fn run(streams: &[TcpStream], request: &[u8], answer_bytes: usize, until: Instant) -> io::Result<u64> {
    let mut ring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .setup_cqsize(4 * ENTRIES)
        .build(ENTRIES)?;
    let files: Vec<_> = streams.iter().map(AsRawFd::as_raw_fd).collect();
    ring.submitter().register_files(&files)?;
    let mut buffers = Buffers::new();
    // SAFETY: the buffers' ring is never freed.
    unsafe { ring.submitter().register_buf_ring_with_flags(buffers.entries as u64, BUFFERS, GROUP, 0)? };

    let mut received = vec![0usize; streams.len()];
    let mut waiting: Vec<squeue::Entry> = Vec::new();
    for connection in 0..streams.len() as u32 {
        waiting.push(receive(connection));
        waiting.push(send(connection, request));
    }
    let (mut requests, mut done) = (0, Vec::new());
    let a_while = Timespec::new().nsec(100_000_000);
    loop {
        while !waiting.is_empty() {
            let mut submission = ring.submission();
            let room = (submission.capacity() - submission.len()).min(waiting.len());
            for entry in waiting.drain(..room) {
                // SAFETY: the request and the connections live until the process ends.
                unsafe { submission.push(&entry) }.map_err(io::Error::other)?;
            }
            drop(submission);
            if !waiting.is_empty() {
                ring.submit()?;
            }
        }
        match ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&a_while)) {
            Err(error) if error.raw_os_error() != Some(62) => return Err(error),
            _ => {}
        }
        if Instant::now() >= until {
            return Ok(requests);
        }
        done.extend(
            ring.completion().map(|entry: cqueue::Entry| (entry.user_data(), entry.result(), entry.flags())),
        );
        for (data, result, flags) in done.drain(..) {
            let connection = data as u32;
            if data >> 32 == 1 {
                // A send says nothing unless it failed.
                return Err(io::Error::from_raw_os_error(-result));
            }
            if let Some(buffer) = cqueue::buffer_select(flags) {
                buffers.give_back(buffer);
            }
            match result {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                bytes if bytes > 0 => received[connection as usize] += bytes as usize,
                -105 => {}
                error => return Err(io::Error::from_raw_os_error(-error)),
            }
            if !cqueue::more(flags) {
                waiting.push(receive(connection));
            }
            if received[connection as usize] >= answer_bytes {
                received[connection as usize] = 0;
                requests += 1;
                waiting.push(send(connection, request));
            }
        }
        buffers.publish();
    }
}

fn receive(connection: u32) -> squeue::Entry {
    opcode::RecvMulti::new(Fixed(connection), GROUP).build().user_data(u64::from(connection))
}

fn send(connection: u32, request: &[u8]) -> squeue::Entry {
    opcode::Send::new(Fixed(connection), request.as_ptr(), request.len() as u32)
        .build()
        .flags(squeue::Flags::SKIP_SUCCESS)
        .user_data(1 << 32 | u64::from(connection))
}

/// A ring of buffers that the kernel takes from.
struct Buffers {
    entries: *mut BufRingEntry,
    bytes: *mut u8,
    tail: u16,
}

impl Buffers {
    fn new() -> Self {
        let entries = usize::from(BUFFERS) * size_of::<BufRingEntry>();
        let layout = |bytes| Layout::from_size_align(bytes, 4096).expect("a page is a power of two");
        // SAFETY: neither layout is empty. Nothing is ever freed.
        let (entries, bytes) = unsafe {
            (alloc_zeroed(layout(entries)).cast(), alloc_zeroed(layout(usize::from(BUFFERS) * BUFFER_BYTES)))
        };
        let mut buffers = Self { entries, bytes, tail: 0 };
        (0..BUFFERS).for_each(|number| buffers.give_back(number));
        buffers.publish();
        buffers
    }

    fn give_back(&mut self, number: u16) {
        // SAFETY: both numbers lie within what was allocated, and the kernel does not read beyond the published tail.
        unsafe {
            let entry = &mut *self.entries.add(usize::from(self.tail & (BUFFERS - 1)));
            entry.set_addr(self.bytes.add(usize::from(number) * BUFFER_BYTES) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(number);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the tail lies in the first entry, and the kernel only reads it.
        let tail = unsafe { &*BufRingEntry::tail(self.entries).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }
}

/// Asks once, and waits until nothing more comes.
fn length_of_an_answer(request: &[u8], address: SocketAddr) -> Result<usize, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    stream.write_all(request)?;
    let (mut buffer, mut length) = (vec![0; 64 << 10], 0);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => length += bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => return Err(error.into()),
        }
    }
    if length == 0 { Err("the server does not answer".into()) } else { Ok(length) }
}
