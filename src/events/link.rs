use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::PublishError;

/// How long a connection may take, name and topology included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that is made for the first event, and after a failure for the next.
#[derive(Debug)]
pub(super) struct Link<C>(Mutex<State<C>>);

#[derive(Debug)]
struct State<C> {
    connection: Option<Arc<C>>,
    failed: Option<(Instant, PublishError)>,
}

impl<C> Link<C> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { connection: None, failed: None }))
    }

    /// Returns the connection, made anew if need be; whoever comes meanwhile waits for it, and shares in its failure.
    pub(super) async fn get(
        &self,
        works: impl FnOnce(&C) -> bool,
        connect: impl AsyncFnOnce() -> Result<C, PublishError>,
    ) -> Result<Arc<C>, PublishError> {
        let asked_at = Instant::now();
        let mut state = self.0.lock().await;
        if let Some(connection) = state.connection.as_ref().filter(|connection| works(connection)) {
            return Ok(Arc::clone(connection));
        }
        if let Some((failed_at, error)) = &state.failed
            && *failed_at > asked_at
        {
            return Err(error.clone());
        }
        state.connection = None;
        let made = timeout(CONNECT_TIMEOUT, connect()).await.unwrap_or_else(|_| {
            Err(PublishError::Away(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())))
        });
        match made {
            Ok(connection) => {
                let connection = Arc::new(connection);
                state.connection = Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Drops a connection that failed, unless somebody has made another by now.
    pub(super) async fn forget(&self, failed: &Arc<C>) {
        let mut state = self.0.lock().await;
        if state.connection.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, failed)) {
            state.connection = None;
        }
    }

    pub(super) async fn take(&self) -> Option<Arc<C>> {
        self.0.lock().await.connection.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_a_connection_share_it_or_its_failure() {
        let link: Link<u8> = Link::new();
        let slow = async |outcome: Result<u8, PublishError>| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            outcome
        };
        let away = || Err(PublishError::Away("refused".to_owned()));
        let started = Instant::now();
        let (first, second) = tokio::join!(
            link.get(|_| true, async || slow(away()).await),
            link.get(|_| true, async || slow(Ok(1)).await),
        );
        assert!(first.is_err() && second.is_err());
        assert_eq!(started.elapsed().as_secs(), 1);

        let made = link.get(|_| true, async || slow(Ok(2)).await).await.unwrap();
        assert_eq!(*link.get(|_| true, async || away()).await.unwrap(), 2, "the same");
        assert_eq!(*link.get(|_| false, async || Ok(3)).await.unwrap(), 3, "the first no longer works");
        link.forget(&made).await;
        assert_eq!(*link.take().await.unwrap(), 3, "not the one that failed");
        let never = link.get(|_| true, async || std::future::pending().await).await;
        assert!(matches!(never, Err(PublishError::Away(reason)) if reason.contains("5 s")));
    }
}
