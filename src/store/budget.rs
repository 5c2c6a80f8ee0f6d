use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::StoreError;

/// What all the database work of one request may take together.
const BUDGET: Duration = Duration::from_secs(4);

/// What an operator's work on everything at once may take.
const UNHURRIED: Duration = Duration::from_secs(600);

tokio::task_local! {
    static SPENT: Cell<Duration>;
    static WHOLE: Duration;
}

/// Gives everything that `request` does in the database one budget of four seconds. A part of a request that runs as a task of
/// its own has what the request had left when it was made.
pub fn with_budget<F: Future>(request: F) -> impl Future<Output = F::Output> {
    let spent = SPENT.try_with(Cell::get).unwrap_or_default();
    SPENT.scope(Cell::new(spent), request)
}

/// Gives work on every row, at the command line, ten minutes. The server's own limit on statements
/// is lifted by [`Tx::unhurried`](super::Tx::unhurried), inside the transaction.
pub async fn unhurried<F: Future>(work: F) -> F::Output {
    WHOLE.scope(UNHURRIED, work).await
}

/// Waits for what is part of a request's work in the database, and charges the request for it.
pub async fn within_budget<F: Future>(name: &'static str, work: F) -> Result<F::Output, StoreError> {
    let asked_at = Instant::now();
    let done = timeout(left(), work).await;
    spend(asked_at.elapsed());
    done.map_err(|_elapsed| StoreError::Timeout { work: name })
}

/// Outside a request (start, relay, command line) every piece of work has the whole budget.
pub(super) fn left() -> Duration {
    WHOLE
        .try_with(|whole| *whole)
        .unwrap_or(BUDGET)
        .saturating_sub(SPENT.try_with(Cell::get).unwrap_or_default())
}

pub(super) fn spend(time: Duration) {
    // Outside a request there is nothing to count, which is no error.
    let _ = SPENT.try_with(|spent| spent.set(spent.get() + time));
}
