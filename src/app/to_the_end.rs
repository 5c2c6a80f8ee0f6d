use tokio::sync::oneshot;

use super::{Error, with_budget};
use crate::telemetry::carried;

/// Runs work in a task that goes on when its caller hangs up, with what is left of its database budget. The
/// work is told by a future that is ready once the caller is gone.
pub(super) async fn to_the_end<T, W>(work: impl FnOnce(Gone) -> W) -> Result<T, Error>
where
    T: Send + 'static,
    W: Future<Output = Result<T, Error>> + Send + 'static,
{
    // Dropped with this future, which is what happens to those of callers who hang up.
    let (_here, gone) = oneshot::channel::<()>();
    let gone = Box::pin(async { drop(gone.await) });
    // Boxed, since what wraps it would hold it twice: many wait here when a storm of logins comes.
    let done = tokio::spawn(carried(with_budget(Box::pin(work(gone))))).await;
    done.unwrap_or_else(|error| Err(Error::Internal(format!("a task stopped: {error}"))))
}

/// Ready once the caller is gone.
pub(super) type Gone = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
