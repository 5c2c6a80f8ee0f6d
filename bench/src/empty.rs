//! The least that a server of the same stack can do for a request.

use std::process::Stdio;

use axum::Router;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::Outcome;
use crate::process::Process;

/// An empty axum handler in a process of its own.
pub(crate) struct Empty {
    pub(crate) address: String,
    pub(crate) process: Process,
    _child: Child,
}

impl Empty {
    pub(crate) async fn start() -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("empty").stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let process = Process(child.id().ok_or("the empty handler ended at once")?);
        let stdout = child.stdout.take().ok_or("no output")?;
        let address = BufReader::new(stdout).lines().next_line().await?.ok_or("no address")?;
        Ok(Self { address, process, _child: child })
    }
}

/// Says where, then answers every request with nothing until it is killed.
pub(crate) async fn serve() -> Outcome<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    Ok(axum::serve(listener, Router::new().fallback(async || {})).await?)
}
