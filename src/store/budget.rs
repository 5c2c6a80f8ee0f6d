use std::cell::Cell;
use std::time::Duration;

/// What all the database work of one request may take together.
const BUDGET: Duration = Duration::from_secs(4);

tokio::task_local! {
    static SPENT: Cell<Duration>;
}

/// Gives everything that `request` does in the database one budget of four seconds.
pub async fn with_budget<F: Future>(request: F) -> F::Output {
    SPENT.scope(Cell::new(Duration::ZERO), request).await
}

/// Outside a request (start, relay, command line) every piece of work has the whole budget.
pub(super) fn left() -> Duration {
    BUDGET.saturating_sub(SPENT.try_with(Cell::get).unwrap_or_default())
}

pub(super) fn spend(time: Duration) {
    // Outside a request there is nothing to count, which is no error.
    let _ = SPENT.try_with(|spent| spent.set(spent.get() + time));
}
