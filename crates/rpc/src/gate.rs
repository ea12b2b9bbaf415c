//! A socket that is not read from while its client does not read, or has too much in work: so that what one
//! connection can make this server hold is bounded, however it behaves.
//!
//! Under WebSocket every request becomes a task at once and answers wait in a queue; nothing above this
//! layer knows whether the client takes them. Here it shows: writes that do not go on, and calls that were
//! begun and not ended.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, Sleep, sleep};

/// Requests of one connection that may be in work before it is read from again. A batch counts as one.
pub(crate) const CALLS_MAX: usize = 256;

/// Bytes of answers that may wait for a client to take them.
pub(crate) const UNREAD_BYTES_MAX: usize = 4 << 20;

/// A client that takes nothing of what it asked for this long is gone.
const STALL_MAX: Duration = Duration::from_secs(20);

/// A connection on which nothing arrives this long is closed; a WebSocket is pinged more often.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// What a connection has in work, as its calls and its socket both see it.
#[derive(Debug)]
pub(crate) struct Gate {
    calls: AtomicUsize,
    unread_bytes: AtomicUsize,
    is_stalled: AtomicBool,
    reader: Mutex<Option<Waker>>,
    room: Notify,
    turn: Semaphore,
}

/// A request in work.
#[derive(Debug)]
pub(crate) struct Call(Arc<Gate>);

impl Gate {
    /// Of a connection on which nothing happened yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            calls: AtomicUsize::new(0),
            unread_bytes: AtomicUsize::new(0),
            is_stalled: AtomicBool::new(false),
            reader: Mutex::new(None),
            room: Notify::new(),
            turn: Semaphore::new(1),
        })
    }

    /// Counts a request until its answer is there.
    pub(crate) fn enter(self: &Arc<Self>) -> Call {
        self.calls.fetch_add(1, Relaxed);
        Call(Arc::clone(self))
    }

    /// Waits until the client has taken what it asked for before. Until the permit is dropped, nobody else
    /// of this connection gets one: what may answer with megabytes goes one by one.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let turn = self.turn.acquire().await.ok()?;
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            if self.unread_bytes.load(Relaxed) < UNREAD_BYTES_MAX {
                return Some(turn);
            }
            room.await;
        }
    }

    fn is_shut(&self) -> bool {
        self.is_stalled.load(Relaxed)
            || self.calls.load(Relaxed) >= CALLS_MAX
            || self.unread_bytes.load(Relaxed) >= UNREAD_BYTES_MAX
    }

    /// The client took bytes. More than answers goes the same way; what is over is not owed.
    fn taken(&self, bytes: usize) {
        let less = |unread: usize| Some(unread.saturating_sub(bytes));
        let _ = self.unread_bytes.fetch_update(Relaxed, Relaxed, less);
        self.is_stalled.store(false, Relaxed);
        self.room.notify_waiters();
        self.wake_reader();
    }

    fn wake_reader(&self) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_shut()
            && let Some(waker) = reader.take()
        {
            waker.wake();
        }
    }

    /// Whether to read on; if not, `context` is woken when that changes.
    fn poll_open(&self, context: &Context<'_>) -> Poll<()> {
        if !self.is_shut() {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
        // It may have opened between the question and the waker.
        if self.is_shut() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Call {
    /// Its answer has this many bytes and is on its way.
    pub(crate) fn answered(self, bytes: usize) {
        self.0.unread_bytes.fetch_add(bytes, Relaxed);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Relaxed);
        self.0.wake_reader();
    }
}

/// A socket behind a gate.
#[derive(Debug)]
pub(crate) struct GatedStream<P> {
    stream: TcpStream,
    /// Given back with the socket, which a WebSocket keeps when HTTP is done with it.
    _place: P,
    gate: Arc<Gate>,
    heard: Instant,
    idle: Pin<Box<Sleep>>,
    stall: Option<Pin<Box<Sleep>>>,
}

impl<P> GatedStream<P> {
    /// Puts a socket behind a gate, and keeps its place among the connections.
    pub(crate) fn new(stream: TcpStream, gate: Arc<Gate>, place: P) -> Self {
        let idle = Box::pin(sleep(IDLE_MAX));
        Self { stream, _place: place, gate, heard: Instant::now(), idle, stall: None }
    }

    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        while self.idle.as_mut().poll(context).is_ready() {
            let end = self.heard + IDLE_MAX;
            if end <= Instant::now() {
                return Poll::Ready(timed_out("nothing was asked"));
            }
            self.idle.as_mut().reset(end);
        }
        Poll::Pending
    }

    fn noted(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = wrote {
            self.stall = None;
            self.gate.taken(result.as_ref().copied().unwrap_or_default());
            return Poll::Ready(result);
        }
        self.gate.is_stalled.store(true, Relaxed);
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL_MAX)));
        stall.as_mut().poll(context).map(|()| Err(timed_out("the answers are not read")))
    }
}

fn timed_out(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

impl<P: Unpin> AsyncRead for GatedStream<P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.gate.poll_open(context).is_pending() {
            return Poll::Pending;
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() {
            return self.poll_idle(context).map(Err);
        }
        self.heard = Instant::now();
        read
    }
}

impl<P: Unpin> AsyncWrite for GatedStream<P> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noted(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.noted(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
