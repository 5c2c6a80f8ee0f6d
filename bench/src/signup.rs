//! Sign-ups per second, against raw hashes per second.

use crate::database::Database;
use crate::http::post;
use crate::load::{Client, Load};
use crate::login::CLIENTS;
use crate::report::{Bound, Report};
use crate::server::Server;
use crate::sessions::credentials;
use crate::{Outcome, ROUNDS, Site, hashes};

/// That of logins with the `argon2` crate; the design has none for sign-ups.
const GOAL: f64 = 0.95;

pub(crate) async fn run(site: &Site) -> Outcome<Report> {
    let mut report = Report::new("signup");
    let (postgres, sqlite) = (Database::postgres(site), Database::sqlite(site)?);
    let postgres = Server::start(site, &postgres, &[]).await?;
    let embedded = Server::start(site, &sqlite, &[]).await?;
    let strangers = || (0..CLIENTS).map(|client| Stranger { client, users: 0 });
    let mut on_postgres = Load::new((&postgres.address, postgres.process), 201, strangers()).await?;
    let mut on_sqlite = Load::new((&embedded.address, embedded.process), 201, strangers()).await?;
    for _ in 0..ROUNDS {
        report.add("raw hashes", "/s", hashes::measure().await?);
        report.add("sign-ups, PostgreSQL", "/s", on_postgres.measure().await?);
        report.add("sign-ups, SQLite", "/s", on_sqlite.measure().await?);
    }
    report.ratio(
        "signup/s ÷ raw hashes/s, PostgreSQL",
        ("sign-ups, PostgreSQL", "raw hashes"),
        Some(Bound::AtLeast(GOAL)),
    );
    report.ratio("signup/s ÷ raw hashes/s, SQLite", ("sign-ups, SQLite", "raw hashes"), None);
    Ok(report)
}

/// Signs up as somebody else each time.
struct Stranger {
    client: usize,
    users: usize,
}

impl Client for Stranger {
    fn request(&mut self, host: &str) -> Vec<u8> {
        self.users += 1;
        post(host, "/auth/signup", &credentials(&format!("{}-{}@example.com", self.client, self.users)))
    }
}
