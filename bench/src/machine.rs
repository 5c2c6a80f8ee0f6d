use std::fmt;
use std::fs;
use std::thread;

use serde::{Deserialize, Serialize};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::Outcome;

/// What the figures depend on, without anything that tells whose machine it is.
#[derive(PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: f64,
    kernel: String,
    postgres: String,
}

impl Machine {
    pub(crate) async fn describe(postgres: &str) -> Outcome<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let memory = fs::read_to_string("/proc/meminfo")?;
        let kib = value(&memory, "MemTotal").ok_or("no MemTotal in /proc/meminfo")?;
        let kib: f64 = kib.trim_end_matches(" kB").parse()?;
        Ok(Self {
            cpu: value(&cpu, "model name").unwrap_or("unknown").to_owned(),
            cores: thread::available_parallelism()?.get(),
            memory_gib: (kib / 1_048_576.0).round(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            postgres: durable(postgres).await?,
        })
    }
}

/// Returns the version; refuses a server that does not wait for its disk, since nobody would run one.
async fn durable(url: &str) -> Outcome<String> {
    let mut connection = PgConnection::connect(url).await?;
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let show = "SELECT current_setting($1)";
        let value: String = sqlx::query_scalar(show).bind(setting).fetch_one(&mut connection).await?;
        if value != "on" {
            return Err(format!(
                "PostgreSQL has {setting} = {value}: measure on one with default durability"
            )
            .into());
        }
    }
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await?;
    Ok(version.split(' ').next().unwrap_or_default().to_owned())
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':')).map(str::trim)
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, memory_gib, kernel, postgres } = self;
        write!(
            f,
            "{cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}, PostgreSQL {postgres} with default durability"
        )
    }
}
