//! What a handler leaves unread of a request's body, as when it refuses the request by its headers.
//!
//! HTTP/1 has no way to skip it: the stack closes the connection after the answer, which clients take for a failure of
//! their next request, and the answer itself may be lost with it. So the rest is read before the answer, within bounds;
//! past them the answer says that the connection is closed (RFC 9112 §9.6).

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::{Version, header};
use futures_util::stream;

/// More than any client sends by mistake, and soon read from one that has sent it.
const MAX: u64 = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_millis(500);

/// A body that is lent to a handler.
pub(super) struct Lent(Arc<Mutex<Shared>>);

struct Shared {
    body: Body,
    /// The client sends its body only once it is asked to, which reading it does (RFC 9110 §10.1.1).
    waits_to_be_asked: bool,
}

impl Lent {
    /// Lends a request its own body; `None` where nothing can be left of it, or nothing is to be waited for.
    pub(super) fn to(request: &mut Request) -> Option<Self> {
        if request.version() > Version::HTTP_11 || request.body().is_end_stream() {
            return None;
        }
        let waits_to_be_asked = request.headers().contains_key(header::EXPECT);
        let body = std::mem::take(request.body_mut());
        let lent = Arc::new(Mutex::new(Shared { body, waits_to_be_asked }));
        let shared = Arc::clone(&lent);
        *request.body_mut() = Body::from_stream(stream::poll_fn(move |cx| lock(&shared).poll(cx)));
        Some(Self(lent))
    }

    /// Reads what is left and forgets it; false when that is too much, or does not come.
    pub(super) async fn read_out(self) -> bool {
        let hopeless = {
            let shared = lock(&self.0);
            shared.waits_to_be_asked || shared.body.size_hint().lower() > MAX
        };
        !hopeless && tokio::time::timeout(TIMEOUT, self.rest()).await.unwrap_or(false)
    }

    async fn rest(self) -> bool {
        let mut room = MAX;
        while let Some(data) = std::future::poll_fn(|cx| lock(&self.0).poll(cx)).await {
            let left = data.ok().and_then(|data| room.checked_sub(data.len() as u64));
            let Some(left) = left else { return false };
            room = left;
        }
        true
    }
}

impl Shared {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        self.waits_to_be_asked = false;
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        // Trailers mean nothing here.
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default())))
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
