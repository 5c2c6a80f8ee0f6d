//! What a connection may hold, and for how long. The HTTP stack bounds the headers of a request, handlers bound its
//! body; this bounds all the rest with one rule: a connection on which no request is under way, and nothing of an answer
//! gets through, is closed. That ends handshakes that do not come to an end, clients that do not read, and those that
//! went away. Another ends connections on which requests are taken back as soon as they are sent, which costs a client of
//! HTTP/2 less than it costs us (CVE-2023-44487).

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Extension;
use axum_server::accept::Accept;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tower::Layer as _;

/// How long nothing may happen on a connection.
const QUIET_MAX: Duration = Duration::from_secs(15);
/// Smaller writes are no answer that gets through, but pings, acknowledgements and windows.
const PROGRESS: usize = 1024;
/// By how many the requests that were taken back may outnumber those that got an answer.
const TAKEN_BACK_MAX: usize = 100;
/// Connections at a time, of those that the system lets us have ...
pub(super) const CONNECTIONS_MAX: usize = 10_000;
/// ... and what of those is kept for the database, brokers, Redis and files.
const OTHER_FILES: u64 = 256;

/// How many connections there may be at a time: a listener that has run out of files would take no one's.
pub(super) fn places() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let free = files.saturating_sub(OTHER_FILES).max(files / 2);
    usize::try_from(free).unwrap_or(usize::MAX).min(CONNECTIONS_MAX)
}

/// Gives each connection a place, or closes it at once when there is none.
#[derive(Debug, Clone)]
pub(super) struct Reception {
    places: Arc<Semaphore>,
}

impl Reception {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)) }
    }
}

impl<S> Accept<TcpStream, S> for Reception {
    type Stream = Watched;
    type Service = <Extension<Arc<Activity>> as tower::Layer<S>>::Service;
    type Future = std::future::Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return std::future::ready(Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "every place is taken",
            )));
        };
        // Answers are written whole; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::default());
        let service = Extension(Arc::clone(&activity)).layer(service);
        let deadline = Box::pin(tokio::time::sleep(QUIET_MAX));
        std::future::ready(Ok((Watched { stream, activity, deadline, _place: place }, service)))
    }
}

/// What happens on a connection; every request carries it.
#[derive(Debug)]
pub(super) struct Activity {
    under_way: AtomicUsize,
    taken_back: AtomicUsize,
    last: Mutex<Instant>,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            under_way: AtomicUsize::new(0),
            taken_back: AtomicUsize::new(0),
            last: Mutex::new(Instant::now()),
        }
    }
}

impl Activity {
    /// Begins a request, which is under way until the return value is dropped, and taken back unless it is answered.
    pub(super) fn begin(self: Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay { activity: self, answered: false }
    }

    fn note(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Until when nothing needs to happen.
    fn quiet_until(&self) -> Instant {
        if self.under_way.load(Ordering::Relaxed) > 0 {
            return Instant::now() + QUIET_MAX;
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) + QUIET_MAX
    }
}

#[derive(Debug)]
#[must_use]
pub(super) struct UnderWay {
    activity: Arc<Activity>,
    answered: bool,
}

impl UnderWay {
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Activity { under_way, taken_back, .. } = &*self.activity;
        if self.answered {
            let one_less = |count: usize| Some(count.saturating_sub(1));
            let _ = taken_back.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        } else {
            taken_back.fetch_add(1, Ordering::Relaxed);
        }
        self.activity.note();
        under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that ends when it was quiet for too long.
#[derive(Debug)]
pub(super) struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
    deadline: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Watched {
    /// Asked whenever there is nothing to read, or no room to write.
    fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.deadline.as_mut().poll(cx));
            let until = self.activity.quiet_until();
            if until <= Instant::now() {
                return Poll::Ready(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "nothing happens on the connection",
                ));
            }
            self.deadline.as_mut().reset(until);
        }
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) if count >= PROGRESS => self.activity.note(),
            Poll::Ready(_) => {}
            Poll::Pending => return self.poll_quiet(cx).map(Err),
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.activity.taken_back.load(Ordering::Relaxed) > TAKEN_BACK_MAX {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "a flood of resets")));
        }
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Pending => self.poll_quiet(cx).map(Err),
            read @ Poll::Ready(_) => read,
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
