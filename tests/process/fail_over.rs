//! Two servers on one database: when the one that relays dies, the other goes on.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Server, Setup, TestDatabase, until};

/// What is promised. One of some kills must keep it: the machine of a test may be busy for a second.
const PROMISED: Duration = Duration::from_secs(5);
const KILLS: usize = 3;

#[tokio::test]
async fn the_other_server_publishes_within_five_seconds_of_a_kill_9() {
    let database = TestDatabase::create().await;
    if database.embedded() {
        return; // one server a file
    }
    let setup = Setup::on(&database);
    let mut dies = setup.serve().await;
    dies.user().await;
    until("the first relays", async || (!dies.process.envelopes().is_empty()).then_some(())).await;
    let mut took = Vec::new();
    for _ in 0..KILLS {
        let lives = setup.serve().await;
        let user = lives.user().await.id().await;
        until("the one that relays", async || sees(&dies, &user)).await;
        dies.process.kill();
        let killed = Instant::now();
        let user = lives.user().await.id().await;
        until("the other relays", async || sees(&lives, &user)).await;
        took.push(killed.elapsed());
        if killed.elapsed() < PROMISED {
            return;
        }
        dies = lives;
    }
    panic!("each time it took longer: {took:?}");
}

fn sees(server: &Server, user: &str) -> Option<()> {
    server.process.envelopes().iter().any(|envelope| envelope["subject"] == user).then_some(())
}
