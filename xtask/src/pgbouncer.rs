//! A transaction pooler before the PostgreSQL of the tests, for `--database pgbouncer`.

use std::net::TcpStream;
use std::path::PathBuf;

use crate::servers::{self, Found, Server, folders_of_path};
use crate::workspace::{Outcome, Workspace};

const PGBOUNCER: Server = Server {
    name: "PgBouncer",
    variable: "KEYWARD_TEST_PGBOUNCER",
    debian_package: Some("pgbouncer"),
    // Never one that was there: who knows what is behind it.
    port: 0,
    answers: |port| {
        let address = format!("127.0.0.1:{port}");
        TcpStream::connect(&address).is_ok().then_some(address)
    },
    programs: |_| {
        let folders = [PathBuf::from("/usr/sbin")].into_iter().chain(folders_of_path());
        { folders }.find(|folder| folder.join("pgbouncer").exists())
    },
    keeper: include_str!("pgbouncer.sh"),
};

/// Tells tests its address.
pub(crate) const VARIABLE: &str = PGBOUNCER.variable;

/// Starts it, unless the environment names one.
pub(crate) fn before(workspace: &Workspace, postgres_url: &str) -> Outcome<Found> {
    let server = connection(postgres_url).ok_or("the URL of PostgreSQL has no host")?;
    servers::find_with(workspace, &PGBOUNCER, &[("POSTGRES", &server)])
}

/// What a pooler is told of a server: `postgres://user:password@host:port/database?host=/folder` in its own words.
fn connection(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').unwrap_or(("postgres", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (host, port) = place.rsplit_once(':').unwrap_or((place, "5432"));
    let folder = query.split('&').find_map(|pair| pair.strip_prefix("host="));
    let password = if password.is_empty() { String::new() } else { format!(" password={password}") };
    (!host.is_empty()).then(|| format!("host={} port={port} user={user}{password}", folder.unwrap_or(host)))
}

#[cfg(test)]
mod tests {
    use super::connection;

    #[test]
    fn urls_are_said_in_the_words_of_pgbouncer() {
        for (url, words) in [
            ("postgres://postgres@127.0.0.1:5432/postgres", "host=127.0.0.1 port=5432 user=postgres"),
            ("postgres://a:b@db/x", "host=db port=5432 user=a password=b"),
            ("postgres://me@localhost:5433/postgres?host=/run/pg", "host=/run/pg port=5433 user=me"),
        ] {
            assert_eq!(connection(url).as_deref(), Some(words));
        }
        assert_eq!(connection("postgres"), None);
    }
}
