//! PostgreSQL restarted in the middle of everything (F5): nothing acknowledged is lost, nothing untrue is told.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Crowd, Faults, Kind, PostgresServer, Setup, TestDatabase, promised, rounds};

const PEOPLE: usize = 8;
/// What is promised of the time from when PostgreSQL lets somebody in to the next answer.
const RECOVERED: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_postgresql_is_restarted_immediately() {
    if Kind::of_this_run() == Kind::Sqlite {
        return; // there is no server to restart
    }
    let mut postgres = PostgresServer::start().await;
    let database = TestDatabase::create_on(postgres.options()).await;
    // People must be able to repeat a refresh that was not answered for as long as PostgreSQL is away.
    let server = Setup::on(&database).env("KEYWARD_TOKEN_REFRESH_GRACE", "60s").serve().await;
    let crowd = Crowd::at(&server, PEOPLE, Faults::Unavailable);
    let mut slowest_recovery = Duration::ZERO;
    for _ in 0..rounds(2, 5) {
        crowd.works(rounds(60, 1_000) as usize).await;
        postgres.stop_immediate();
        crowd.notices().await;
        postgres.start_again().await;
        let back = Instant::now();
        crowd.works(1).await;
        slowest_recovery = slowest_recovery.max(back.elapsed());
    }
    crowd.works(60).await;
    let ledger = crowd.leaves().await;
    println!("{ledger}; answers again {slowest_recovery:?} after PostgreSQL");
    assert!(slowest_recovery <= promised(RECOVERED), "{slowest_recovery:?}");
    ledger.check(&server).await;
    database.check_invariants().await;
}
