//! The command line. Exit codes: 0, 1 failure, 2 usage, 69 a dependency is away, 78 configuration.

mod audit;
mod backup;
mod beside;
mod clients;
mod config;
mod doctor;
mod events;
mod healthcheck;
mod keys;
mod log;
mod migrate;
mod moment;
mod password;
mod serve;
mod sessions;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::app::{Error, StartError};
use crate::config::{Description, Problems, Settings, Sources, load};
use crate::random;

/// How long threads that still work are waited for at the end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Auth service: sign-up, login, JWTs, rotating refresh tokens, events that are never lost.
///
/// Without a command it serves. Settings come from flags, then KEYWARD_* variables (also in .env), then the file of
/// --config, then built-in defaults: `keyward config show` prints them all.
#[derive(Debug, Parser)]
#[command(name = "keyward", version)]
struct Arguments {
    #[command(flatten)]
    settings: SettingFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, clap::Args)]
struct SettingFlags {
    /// TOML file with settings
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any setting, as in `--set token.access_ttl=5m`; may be given again
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// Address of the public listener
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Address of the listener for probes
    #[arg(long, global = true, value_name = "ADDRESS")]
    management_listen: Option<String>,
    /// Public URL of this service, as tokens name it
    #[arg(long, global = true, value_name = "URL")]
    issuer: Option<String>,
    /// Folder of the embedded database and its key
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// sqlite://… or postgres://…; a password is better given by environment or file
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// auto, json or text
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
    /// error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM (the default)
    Serve,
    /// Bring the database's schema up to date, or take steps back
    Migrate(migrate::Arguments),
    /// Check or show the settings
    Config(config::Arguments),
    /// Make, look at, change and delete users; works beside a running server
    Users(users::Arguments),
    /// End everybody's sessions; works beside a running server
    Sessions(sessions::Arguments),
    /// Make, list and revoke service clients, which may introspect tokens
    Clients(clients::Arguments),
    /// List, rotate and revoke signing keys; works beside a running server
    Keys(keys::Arguments),
    /// Look at events on their way out, publish them again, or give them up; works beside a running server
    Events(events::Arguments),
    /// Read the audit log, and delete old records; works beside a running server
    Audit(audit::Arguments),
    /// Copy the embedded database into a file; works beside a running server
    ///
    /// The copy is checked, it is its owner's alone, and it is whole under its name or not there. The master key is not in
    /// it: a backup by itself must not be enough to make tokens. A PostgreSQL is backed up by its own tools.
    Backup(backup::Arguments),
    /// Measure what password hashes cost on this machine
    Password(password::Arguments),
    /// Look at everything that a server needs, and say what is wrong and what to do about it
    ///
    /// Changes nothing, works beside running servers, and tells no secret.
    ///
    /// Exit codes: 0 without a problem (notes and warnings are none); 78 when a setting, a file or a key is wrong; else 1
    /// when anything else is; 69 when all that is wrong is that something is away, so that waiting may help.
    Doctor(doctor::Arguments),
    /// Ask a running server whether it is ready: exit code 0 or 1
    Healthcheck,
    /// Print the OpenAPI document
    Openapi,
    /// Print the AsyncAPI document
    Asyncapi,
    /// Print the catalogue of errors as Markdown
    #[command(hide = true)]
    Errors,
}

/// Why a command failed: the exit code, and what to tell.
#[derive(Debug)]
struct Exit {
    code: u8,
    message: String,
}

impl Exit {
    fn failure(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    fn configuration(message: impl Into<String>) -> Self {
        Self { code: 78, message: message.into() }
    }
}

impl From<StartError> for Exit {
    fn from(error: StartError) -> Self {
        let code = match error {
            StartError::Configuration(_) => 78,
            StartError::Unavailable(_) => 69,
            StartError::Internal(_) => 1,
        };
        Self { code, message: error.to_string() }
    }
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        StartError::from(error).into()
    }
}

impl From<Problems> for Exit {
    fn from(problems: Problems) -> Self {
        Self::configuration(problems.to_string())
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Exit::failure(format!("cannot start the runtime: {error}"))),
    };
    let outcome = runtime.block_on(run(arguments));
    // Whatever still hangs (a name that is looked up, a file system that is away) holds nothing that is needed.
    runtime.shutdown_timeout(LAST_WAIT);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => report(&exit),
    }
}

async fn run(arguments: Arguments) -> Result<(), Exit> {
    let Arguments { settings, command } = arguments;
    match command {
        None | Some(Command::Serve) => serve::run(&settings).await,
        Some(Command::Migrate(arguments)) => migrate::run(&settings, arguments).await,
        Some(Command::Config(arguments)) => config::run(&settings, &arguments),
        Some(Command::Users(arguments)) => users::run(&settings, arguments).await,
        Some(Command::Sessions(arguments)) => sessions::run(&settings, arguments).await,
        Some(Command::Clients(arguments)) => clients::run(&settings, arguments).await,
        Some(Command::Keys(arguments)) => keys::run(&settings, arguments).await,
        Some(Command::Events(arguments)) => Box::pin(events::run(&settings, arguments)).await,
        Some(Command::Audit(arguments)) => audit::run(&settings, arguments).await,
        Some(Command::Backup(arguments)) => backup::run(&settings, arguments).await,
        Some(Command::Password(arguments)) => password::run(&settings, arguments).await,
        Some(Command::Doctor(arguments)) => Box::pin(doctor::run(&settings, arguments)).await,
        Some(Command::Healthcheck) => healthcheck::run(&settings).await,
        Some(Command::Openapi) => {
            print(&crate::http::openapi_document());
            Ok(())
        }
        Some(Command::Asyncapi) => {
            print(&crate::app::asyncapi_document());
            Ok(())
        }
        Some(Command::Errors) => {
            print(&crate::http::error_catalogue());
            Ok(())
        }
    }
}

impl SettingFlags {
    fn load(&self) -> Result<(Settings, Description), Exit> {
        self.load_as(false)
    }

    /// Loads likewise, and looks at what only a server needs: a command beside it need not be able to read the key of
    /// its certificate, and a probe must not fail when files are bad that the server has not taken.
    fn load_to_serve(&self) -> Result<(Settings, Description), Exit> {
        self.load_as(true)
    }

    fn load_as(&self, for_a_server: bool) -> Result<(Settings, Description), Exit> {
        Ok(self.try_load(for_a_server)?)
    }

    fn try_load(&self, for_a_server: bool) -> Result<(Settings, Description), Problems> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let sources = Sources::from_process(self.flags(), self.config.clone());
        load(&Sources { for_a_server, ..sources }, cores, random::bytes)
    }

    fn flags(&self) -> Vec<(String, String)> {
        let named = [
            ("listen", &self.listen),
            ("management_listen", &self.management_listen),
            ("issuer", &self.issuer),
            ("data_dir", &self.data_dir),
            ("database_url", &self.database_url),
            ("log_format", &self.log_format),
            ("log_level", &self.log_level),
        ];
        let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        self.set.iter().cloned().chain(named).collect()
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// Writes to standard output; a reader that went away is no error of ours.
fn print(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn report(exit: &Exit) -> ExitCode {
    use std::io::Write as _;
    if !exit.message.is_empty() {
        let _ = writeln!(std::io::stderr(), "keyward: {}", exit.message.trim_end());
    }
    ExitCode::from(exit.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }

    #[test]
    fn named_flags_win_over_set() {
        let arguments = Arguments::parse_from(["keyward", "--set", "listen=a", "--listen", "b"]);
        let flags = arguments.settings.flags();
        assert_eq!(flags.last(), Some(&("listen".to_owned(), "b".to_owned())));
    }
}
