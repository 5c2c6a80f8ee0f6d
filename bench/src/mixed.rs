//! How long others wait while logins saturate the hash pool.

use std::time::Duration;

use crate::database::Database;
use crate::load::{Client, Load};
use crate::login::logins;
use crate::me::me;
use crate::refresh::refreshing;
use crate::report::{Bound, Report};
use crate::server::Server;
use crate::{Outcome, ROUNDS, Site};

/// Far from saturating anything by themselves: some hundred requests a second.
const CLIENTS: usize = 8;
const PAUSE: Duration = Duration::from_millis(20);
const GOAL_RATIO: f64 = 5.0;
const GOAL_MS: f64 = 50.0;

pub(crate) async fn run(site: &Site) -> Outcome<Report> {
    let mut report = Report::new("mixed");
    let server = Server::start(site, &Database::postgres(site), &[]).await?;
    let at = (server.address.as_str(), server.process);
    let mut visits = Load::new(at, 200, me(&server, CLIENTS).await?).await?.pausing(PAUSE);
    let mut refreshes = Load::new(at, 200, refreshing(&server, CLIENTS).await?).await?.pausing(PAUSE);
    let mut storm = logins(&server).await?;
    for _ in 0..ROUNDS {
        let (visited, refreshed) = both(&mut visits, &mut refreshes).await?;
        report.add("/auth/me, idle", "/s", visited);
        report.add("/auth/refresh, idle", "/s", refreshed);
        let (others, logged_in) = tokio::join!(both(&mut visits, &mut refreshes), storm.measure());
        let (visited, refreshed) = others?;
        report.add("/auth/me, meanwhile", "/s", visited);
        report.add("/auth/refresh, meanwhile", "/s", refreshed);
        report.add("logins", "/s", logged_in?);
    }
    for route in ["/auth/me", "/auth/refresh"] {
        let goal = |bound| (route == "/auth/me").then_some(bound);
        let [idle, meanwhile] = ["idle", "meanwhile"].map(|when| report.p99(&format!("{route}, {when}")));
        report.figure(
            &format!("p99 of {route} while logins saturate the hash pool ÷ idle p99"),
            (meanwhile / idle, "×"),
            goal(Bound::AtMost(GOAL_RATIO)),
        );
        report.figure(&format!("p99 of {route} meanwhile"), (meanwhile, "ms"), goal(Bound::Below(GOAL_MS)));
    }
    Ok(report)
}

async fn both<A: Client, B: Client>(
    visits: &mut Load<A>,
    refreshes: &mut Load<B>,
) -> Outcome<(crate::report::Round, crate::report::Round)> {
    let (visited, refreshed) = tokio::join!(visits.measure(), refreshes.measure());
    Ok((visited?, refreshed?))
}
