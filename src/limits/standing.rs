use std::cell::RefCell;
use std::time::Duration;

use super::Policy;
use crate::config::Rate;

/// Where a caller stands under one limit: what the headers of an answer say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub policy: Policy,
    pub rate: Rate,
    /// How many are let through now.
    pub remaining: u32,
    /// How long until there is one more.
    pub next: Duration,
}

impl Standing {
    pub(super) fn with_one_more(self) -> Self {
        let remaining = self.rate.count.min(self.remaining.saturating_add(1));
        let next = if remaining == self.rate.count { Duration::ZERO } else { self.next };
        Self { remaining, next, ..self }
    }
}

tokio::task_local! {
    static NOTED: RefCell<Vec<Standing>>;
}

/// Runs `request`, and returns with its answer where the caller stands under the limits that it met.
/// On the side, since an answer has them whether it is a success or an error.
pub async fn noting<F: Future>(request: F) -> (F::Output, Vec<Standing>) {
    let noted = async {
        let answer = request.await;
        (answer, NOTED.with(RefCell::take))
    };
    NOTED.scope(RefCell::new(Vec::new()), noted).await
}

/// Notes where the caller stands; what was noted of the same policy before is out of date.
pub fn note(standings: &[Standing]) {
    // Outside a request nobody is interested, which is no error.
    let _ = NOTED.try_with(|noted| {
        let mut noted = noted.borrow_mut();
        noted.retain(|old| standings.iter().all(|new| new.policy != old.policy));
        noted.extend(standings);
    });
}
