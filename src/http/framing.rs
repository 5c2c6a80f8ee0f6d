//! How requests come in.
//!
//! Some say their length twice. `Transfer-Encoding` beside `Content-Length` is how one request is made to look
//! like two, or two like one, to a proxy in front (RFC 9112 §6.3, §11.2). The HTTP stack goes by the first and drops the
//! second before anybody can see it, so heads are looked at as they come in, behind TLS and before the stack. Some come
//! slowly: the time that a head took counts for the body, too.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Extension;
use axum_server::accept::Accept;
use futures_util::future::BoxFuture;
use memchr::memchr_iter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tower::Layer as _;

use super::server::HEADERS_MAX;

/// What a connection of HTTP/2 begins with (RFC 9113 §3.4). It has no lengths to be told twice.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Accepts as `A` does, and looks at the heads of requests.
#[derive(Debug, Clone)]
pub(super) struct LookingAtHeads<A>(pub A);

impl<A, I, S> Accept<I, S> for LookingAtHeads<A>
where
    A: Accept<I, S, Future: Send + 'static, Stream: Send, Service: Send>,
{
    type Stream = Seen<A::Stream>;
    type Service = <Extension<Arc<Framing>> as tower::Layer<A::Service>>::Service;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let accepted = self.0.accept(stream, service);
        Box::pin(async {
            let (stream, service) = accepted.await?;
            let framing = Arc::new(Framing::default());
            let service = Extension(Arc::clone(&framing)).layer(service);
            Ok((Seen { stream, framing, heads: Heads::Between }, service))
        })
    }
}

/// What the requests of a connection say of their length; every request carries it.
#[derive(Debug, Default)]
pub(super) struct Framing {
    under_way: AtomicUsize,
    ambiguous: AtomicBool,
    /// Milliseconds.
    head_took: AtomicU64,
}

impl Framing {
    /// How long the head of the request took from its first byte to its last.
    pub(super) fn head_took(&self) -> Duration {
        Duration::from_millis(self.head_took.load(Ordering::Relaxed))
    }

    /// Begins a request, which is under way until the return value is dropped.
    pub(super) fn begin(self: Arc<Self>) -> Framed {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Framed { ambiguous: self.ambiguous.swap(false, Ordering::Relaxed), framing: self }
    }
}

#[must_use]
pub(super) struct Framed {
    /// The request must not be believed, nor what follows it on the connection.
    pub(super) ambiguous: bool,
    framing: Arc<Framing>,
}

impl Drop for Framed {
    fn drop(&mut self) {
        self.framing.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection whose heads are looked at.
#[derive(Debug)]
pub(super) struct Seen<S> {
    stream: S,
    framing: Arc<Framing>,
    heads: Heads,
}

#[derive(Debug)]
enum Heads {
    /// What comes in while no request is under way begins one. What somebody sends before the answer to the last is not
    /// looked at; the stack closes the connection after an ambiguous request, as RFC 9112 §6.3 has it.
    Between,
    /// The head that has come in so far, and since when.
    Within(Vec<u8>, Instant),
    /// HTTP/2.
    None,
}

/// A head that is complete.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Head {
    ambiguous: bool,
    took: Duration,
}

impl Heads {
    /// Takes what came in; returns the head that it completes.
    fn see(&mut self, came: &[u8], under_way: bool) -> Option<Head> {
        match self {
            Self::None => return None,
            Self::Between if under_way => return None,
            Self::Between if came.starts_with(HTTP2) => {
                *self = Self::None;
                return None;
            }
            // The end of a line that was not looked at, or an empty one before a request (RFC 9112 §2.2): none begins with it.
            Self::Between if came.trim_ascii().is_empty() => return None,
            Self::Between => match ambiguous(came) {
                Some(ambiguous) => return Some(Head { ambiguous, ..Head::default() }),
                None => *self = Self::Within(came.to_vec(), Instant::now()),
            },
            Self::Within(head, since) => {
                head.extend_from_slice(came);
                if let Some(ambiguous) = ambiguous(head) {
                    let took = since.elapsed();
                    *self = Self::Between;
                    return Some(Head { ambiguous, took });
                }
            }
        }
        // Longer heads are refused.
        if matches!(self, Self::Within(head, _) if head.len() > usize::from(HEADERS_MAX)) {
            *self = Self::Between;
        }
        None
    }
}

/// Tells whether a head has both headers; `None` when it is not complete.
fn ambiguous(head: &[u8]) -> Option<bool> {
    let (mut length, mut coding) = (false, false);
    let (mut start, mut first) = (0, true);
    for end in memchr_iter(b'\n', head) {
        let line = head.get(start..end).unwrap_or_default().trim_ascii_end();
        // Empty lines before a request are no end of it (RFC 9112 §2.2).
        if line.is_empty() && !first {
            return Some(length && coding);
        }
        first &= line.is_empty();
        length |= is_of(line, b"content-length");
        coding |= is_of(line, b"transfer-encoding");
        start = end + 1;
    }
    None
}

fn is_of(line: &[u8], name: &[u8]) -> bool {
    line.split_at_checked(name.len()).is_some_and(|(start, rest)| {
        rest.trim_ascii_start().starts_with(b":") && start.eq_ignore_ascii_case(name)
    })
}

impl<S: AsyncRead + Unpin> AsyncRead for Seen<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let Self { framing, heads, .. } = &mut *self;
        let came = buffer.filled().get(before..).unwrap_or_default();
        if let Some(head) = heads.see(came, framing.under_way.load(Ordering::Relaxed) > 0) {
            let took = u64::try_from(head.took.as_millis()).unwrap_or(u64::MAX);
            framing.head_took.store(took, Ordering::Relaxed);
            framing.ambiguous.store(head.ambiguous, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Seen<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str =
        "POST / HTTP/1.1\r\ncontent-LENGTH: 3\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n";

    fn seen(heads: &mut Heads, came: &str) -> bool {
        heads.see(came.as_bytes(), false).is_some_and(|head| head.ambiguous)
    }

    #[tokio::test]
    async fn both_headers_are_seen_however_the_head_comes_in() {
        for cut in 0..BOTH.len() {
            let (first, rest) = BOTH.split_at(cut);
            let mut heads = Heads::Between;
            assert!(!seen(&mut heads, first));
            assert!(seen(&mut heads, rest), "cut at {cut}");
            assert!(matches!(heads, Heads::Between));
        }
        let mut heads = Heads::Between;
        let count = BOTH.split_inclusive(|_| true).filter(|byte| seen(&mut heads, byte)).count();
        assert_eq!(count, 1);
        assert!(seen(&mut Heads::Between, &BOTH.replace("\r\n", "\n")));
        assert!(seen(&mut Heads::Between, &format!("\r\n{BOTH}")));
    }

    #[tokio::test]
    async fn one_header_a_body_and_http2_are_harmless() {
        let one = "POST / HTTP/1.1\r\nContent-Length: 60\r\nX-Transfer-Encoding: chunked\r\n\r\n";
        let body = "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n";
        let mut heads = Heads::Between;
        assert!(!seen(&mut heads, &format!("{one}{body}")));
        assert_eq!(heads.see(body.as_bytes(), true), None, "of a request that is under way");
        assert!(!seen(&mut heads, one));
        let mut heads = Heads::Between;
        assert_eq!(heads.see(HTTP2, false), None);
        assert!(!seen(&mut heads, BOTH));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_takes_as_long_as_its_last_byte_is_after_its_first() {
        let mut heads = Heads::Between;
        assert_eq!(heads.see(b"GET / HTTP/1.1\r\n", false), None);
        tokio::time::advance(Duration::from_secs(3)).await;
        let head = Head { ambiguous: false, took: Duration::from_secs(3) };
        assert_eq!(heads.see(b"Host: x\r\n\r\n", false), Some(head));

        assert_eq!(heads.see(b"\n", false), None, "what is left of the one before");
        tokio::time::advance(Duration::from_secs(300)).await;
        assert_eq!(heads.see(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", false), Some(Head::default()));
    }

    #[tokio::test]
    async fn what_is_kept_of_a_head_is_bounded() {
        let mut heads = Heads::Between;
        for _ in 0..1_000 {
            assert_eq!(heads.see(&[b'x'; 1024], false), None);
            if let Heads::Within(head, _) = &heads {
                assert!(head.len() <= usize::from(HEADERS_MAX));
            }
        }
    }
}
