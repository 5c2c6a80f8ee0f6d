//! `GET /.well-known/jwks.json`, against an empty handler that gets the same requests.

use crate::database::Database;
use crate::empty::Empty;
use crate::http::get;
use crate::load::{Load, Same};
use crate::me::CLIENTS;
use crate::report::{Bound, Report};
use crate::server::Server;
use crate::{Outcome, ROUNDS, Site};

const GOAL: f64 = 0.5;

pub(crate) async fn run(site: &Site) -> Outcome<Report> {
    let mut report = Report::new("jwks");
    let server = Server::start(site, &Database::postgres(site), &[]).await?;
    let empty = Empty::start().await?;
    let requests = |address: &str| {
        let request = get(address, "/.well-known/jwks.json", None);
        (0..CLIENTS).map(move |_| Same(request.clone()))
    };
    let mut nothing = Load::new((&empty.address, empty.process), 200, requests(&empty.address)).await?;
    let mut keys = Load::new((&server.address, server.process), 200, requests(&server.address)).await?;
    for _ in 0..ROUNDS {
        report.add("empty handler", "/s", nothing.measure().await?);
        report.add("jwks.json", "/s", keys.measure().await?);
    }
    report.ratio("jwks/s ÷ empty handler/s", ("jwks.json", "empty handler"), Some(Bound::AtLeast(GOAL)));
    Ok(report)
}
