use super::{Operator, Which, refused};
use crate::app::Replay;
use crate::cli::moment::Moment;
use crate::cli::{Exit, print};
use crate::domain::EventFilter;

/// What the command line says.
pub(super) struct Asked {
    pub(super) since: Moment,
    pub(super) until: Option<Moment>,
    pub(super) which: Which,
    pub(super) sink: Option<String>,
}

impl Operator {
    pub(super) async fn replay(&self, asked: Asked, dry_run: bool, yes: bool) -> Result<(), Exit> {
        let now = self.app.now();
        let Asked { since, until, which, sink } = asked;
        let filter = EventFilter {
            since: since.before(now),
            until: until.map(|until| until.before(now)),
            kind: which.kind,
            user: which.user,
        };
        let replay = Replay { filter, sink };
        let refused = |error| refused(error, replay.sink.as_deref());
        if yes {
            let events = self.app.outbox_replay(&self.admin, &replay).await.map_err(refused)?;
            print(&format!("{events} events are due again\n"));
            return Ok(());
        }
        let (sinks, events) = self.app.outbox_replayable(&self.admin, &replay).await.map_err(refused)?;
        let would = format!("{events} events would be due again for {}", sinks.join(", "));
        if dry_run {
            print(&format!("{would}\n"));
            return Ok(());
        }
        Err(Exit::failure(format!("{would}; nothing was changed\n  fix: say --yes")))
    }

    pub(super) async fn abandon(&self, sink: &str, yes: bool) -> Result<(), Exit> {
        let refused = |error| refused(error, Some(sink));
        if !yes {
            let waiting = self.app.outbox_abandonable(&self.admin, sink).await.map_err(refused)?;
            return Err(Exit::failure(format!(
                "{waiting} events would never reach {sink}; nothing was changed\n  fix: say --yes, or put the sink back \
                 into events_url"
            )));
        }
        let abandoned = self.app.outbox_abandon(&self.admin, sink).await.map_err(refused)?;
        print(&format!("{abandoned} events were given up for {sink}\n"));
        Ok(())
    }
}
