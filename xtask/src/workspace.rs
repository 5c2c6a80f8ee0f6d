//! Where the checkout and its target folder are, and how commands are run.

use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The error is a message for the person at the terminal.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Outcome<Self> {
        let locate = "locate-project --workspace --message-format plain";
        let manifest = output(Command::new("cargo").args(locate.split(' ')))?;
        let root = PathBuf::from(manifest.trim().trim_end_matches("Cargo.toml"));
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => std::path::absolute(folder)?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// A command in the root of the checkout.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Cargo as the developer would call it. `cargo run` describes the package xtask in variables,
    /// and build scripts that watch those would run again for nothing.
    pub(crate) fn cargo(&self, line: &str) -> Command {
        let mut command = self.command("cargo");
        command.args(line.split(' ')).env("CARGO_TARGET_DIR", &self.target);
        for (name, _) in std::env::vars() {
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        command
    }
}

/// Runs the command; its output goes to the terminal.
pub(crate) fn status(command: &mut Command) -> Outcome {
    output(command.stdout(Stdio::inherit()).stderr(Stdio::inherit())).map(drop)
}

/// Runs the command and returns its stdout; its stderr becomes part of the error.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let line = words.collect::<Vec<_>>().join(OsStr::new(" "));
    match command.output() {
        Ok(done) if done.status.success() => Ok(String::from_utf8_lossy(&done.stdout).into()),
        Ok(done) => {
            let stderr = String::from_utf8_lossy(&done.stderr);
            Err(format!("{} ended with {}\n{stderr}", line.display(), done.status).into())
        }
        Err(error) => Err(format!("cannot run {}: {error}", line.display()).into()),
    }
}

/// Installs Debian packages, when this is Debian and we are root.
pub(crate) fn apt_install(packages: &[&str]) -> Outcome {
    let root = output(Command::new("id").arg("-u"))?.trim() == "0";
    if !root || !Path::new("/usr/bin/apt-get").exists() {
        return Err("apt-get installs only as root on Debian".into());
    }
    println!("apt-get install {}", packages.join(" "));
    let mut apt = Command::new("sh");
    apt.args(["-ec", r#"apt-get update; apt-get install -y --no-install-recommends "$@""#, "apt"]);
    output(apt.args(packages).env("DEBIAN_FRONTEND", "noninteractive")).map(drop)
}
