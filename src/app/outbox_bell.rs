use tokio::sync::watch;

/// Wakes the relays after a commit that wrote events, so that they need not wait for their next look.
#[derive(Debug)]
pub(super) struct OutboxBell {
    here: watch::Sender<()>,
    anywhere: watch::Sender<()>,
}

impl OutboxBell {
    pub(super) fn new() -> Self {
        Self { here: watch::Sender::new(()), anywhere: watch::Sender::new(()) }
    }

    /// Tells of a commit of this process.
    pub(super) fn ring(&self) {
        self.here.send_replace(());
        self.anywhere.send_replace(());
    }

    /// Tells of a commit of another replica.
    pub(super) fn ring_from_elsewhere(&self) {
        self.anywhere.send_replace(());
    }

    /// Hears of commits of this process only, to pass them on.
    pub(super) fn hear_here(&self) -> watch::Receiver<()> {
        self.here.subscribe()
    }

    /// Hears of all commits.
    pub(super) fn hear(&self) -> watch::Receiver<()> {
        self.anywhere.subscribe()
    }
}
