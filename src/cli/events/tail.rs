use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{Operator, Which};
use crate::cli::Exit;
use crate::cli::moment::Moment;
use crate::domain::{EventFilter, EventId, PendingEvent, Timestamp};

const POLL: Duration = Duration::from_millis(500);
/// An identifier begins with the time at which its transaction began, by the clock of its server: it may be committed
/// later by the budget of a request and the skew between clocks, so each look goes back by more than both.
const LOOK_BACK: Duration = Duration::from_secs(60);
const PAGE: u32 = 500;

impl Operator {
    pub(super) async fn tail(&self, which: Which, since: Option<Moment>, json: bool) -> Result<(), Exit> {
        let failed = |error: std::io::Error| Exit::failure(format!("cannot listen for signals: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        tokio::select! {
            done = self.follow(which, since, json) => done,
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    }

    /// Ends only when the reader of our output has gone, or with an error.
    async fn follow(&self, which: Which, since: Option<Moment>, json: bool) -> Result<(), Exit> {
        let now = self.app.now();
        let first = since.map_or(now - LOOK_BACK, |since| since.before(now));
        let mut window = Window { first, seen: BTreeSet::new() };
        // Without a time, what is there already is not shown, but what is still on its way is.
        let mut show = since.is_some();
        loop {
            let filter =
                EventFilter { since: window.first, until: None, kind: which.kind.clone(), user: which.user };
            let mut after = None;
            loop {
                let page = self.app.outbox_page(&self.admin, filter.clone(), after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                for event in page.iter().filter(|event| window.seen.insert(event.id)) {
                    if show && std::io::stdout().write_all(self.line(event, json)?.as_bytes()).is_err() {
                        return Ok(());
                    }
                }
                // A long past is not remembered, only walked through once.
                window.move_on(self.app.now());
            }
            show = true;
            tokio::time::sleep(POLL).await;
        }
    }

    fn line(&self, event: &PendingEvent, json: bool) -> Result<String, Exit> {
        if json {
            return Ok(format!("{}\n", self.app.outbox_envelope(event)?));
        }
        let PendingEvent { occurred_at, kind, subject, sequence, data, .. } = event;
        let subject = subject.map_or("-".to_owned(), |subject| subject.to_string());
        Ok(format!("{occurred_at}  {kind}  {subject} #{sequence}  {data}\n"))
    }
}

/// What is looked at again and again, and what of it was seen before.
struct Window {
    first: Timestamp,
    seen: BTreeSet<EventId>,
}

impl Window {
    fn move_on(&mut self, now: Timestamp) {
        self.first = self.first.max(now - LOOK_BACK);
        self.seen = self.seen.split_off(&EventId::first_at(self.first));
    }
}
