//! The pages of the guide: every command in them is run against a real server, unless it says that it cannot be.
//!
//! A block in `sh` runs. One in `sh refused` must fail, as requests that are answered with 4xx do here. One in
//! `sh untested` needs what no test has, and is only read by `bash -n`. The blocks of a page are one session of a shell.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Process, TestDatabase, free_port, python, serve_as_issuer};

/// Those that have something to run, each as a test.
macro_rules! pages {
    ($($test:ident: $page:literal,)*) => {
        const RUN: &[&str] = &[$($page),*];
        $(#[tokio::test]
        async fn $test() {
            run($page).await;
        })*
    };
}

pages! {
    the_readme: "README.md",
    quickstart: "docs/quickstart.md",
    the_api: "docs/api.md",
    the_audit_log: "docs/audit.md",
    the_runbook: "docs/runbook.md",
}

/// How patient a page may have to be: its commands start the binary, one after the other.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn pages_with_commands_are_run_and_the_others_are_good_shell() {
    for page in pages() {
        let blocks = blocks(&page);
        let runs = blocks.iter().any(|block| block.kind != Kind::Untested);
        let listed = RUN.contains(&page.as_str());
        assert!(runs == listed, "{page}: list it above, or mark its blocks `sh untested`");
        for block in blocks {
            let mut bash = std::process::Command::new("bash");
            let read = bash.args(["-n", "-c", &block.code]).stderr(Stdio::piped()).output().unwrap();
            let said = String::from_utf8_lossy(&read.stderr);
            assert!(read.status.success(), "{page}:{}: {said}", block.line);
        }
    }
}

async fn run(page: &str) {
    let database = TestDatabase::create().await;
    let (setup, server) = serve_as_issuer(&database).await;
    let folder = database.folder.path();
    let setup = setup.env("KEYWARD_MANAGEMENT_LISTEN", server.management.to_string());
    for name in ["docs", "config.default.toml"] {
        std::os::unix::fs::symlink(root().join(name), folder.join(name)).unwrap();
    }
    let script = script(page)
        .replace("127.0.0.1:7300", &server.public.to_string())
        .replace("127.0.0.1:7301", &server.management.to_string())
        .replace("8080", &free_port().to_string());
    let mut bash = setup.command("bash");
    bash.args(["-c", &script]).env("PATH", path(folder));
    let mut session = Process::spawn(bash, "");
    let code = session.exit_code_within(PATIENCE).await;
    assert_eq!(code, 0, "{page}, at the last line that is named here:\n{}", session.said());
    assert!(!server.process.stdout().contains("\"ERROR\""), "{}", server.process.said());
}

/// The session: what it is run with, then the blocks, each named before it is run.
fn script(page: &str) -> String {
    let mut script = String::from(
        "set -euo pipefail\n\
         trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n\
         curl() { command curl --fail-with-body --max-time 60 \"$@\"; }\n",
    );
    for Block { line, kind, code } in blocks(page) {
        let _ = match kind {
            Kind::Run => write!(script, "echo '# {page}:{line}' >&2\n{code}\n"),
            Kind::Refused => write!(
                script,
                "echo '# {page}:{line}' >&2\nif {{\n{code}\n}}; then echo 'this should be refused' >&2; exit 1; fi\n"
            ),
            Kind::Untested => Ok(()),
        };
    }
    script
}

/// With the binary as people would call it, and a Python that has what the recipes need.
fn path(folder: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_keyward"));
    let release = folder.join("target/release");
    if !release.exists() {
        fs::create_dir_all(&release).unwrap();
        std::os::unix::fs::symlink(binary, release.join("keyward")).unwrap();
    }
    let python = python();
    let system = std::env::var("PATH").unwrap_or_default();
    format!("{}:{}:{system}", release.display(), python.parent().unwrap().display())
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Run,
    Refused,
    Untested,
}

#[derive(Debug)]
struct Block {
    line: usize,
    kind: Kind,
    code: String,
}

/// The fenced blocks of a page that are shell; those in a list are set in.
fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<(usize, Option<Kind>, String)> = None;
    for (at, line) in text.lines().enumerate() {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            if let Some((indent, _, code)) = &mut open {
                *code += line.get(*indent..).unwrap_or_default();
                *code += "\n";
            }
            continue;
        };
        match open.take() {
            Some((_, kind, code)) => {
                let line = at - code.lines().count();
                blocks.extend(kind.map(|kind| Block { line, kind, code }));
            }
            None => open = Some((line.len() - line.trim_start().len(), kind(page, info), String::new())),
        }
    }
    assert!(open.is_none(), "{page}: a block has no end");
    blocks
}

fn kind(page: &str, info: &str) -> Option<Kind> {
    match info {
        "sh" => Some(Kind::Run),
        "sh refused" => Some(Kind::Refused),
        "sh untested" => Some(Kind::Untested),
        other => {
            let shell = other.starts_with("sh") || other.starts_with("bash") || other.starts_with("console");
            assert!(
                !shell,
                "{page}: a block of {other:?} would not be run; write `sh`, `sh refused` or `sh untested`"
            );
            None
        }
    }
}

/// The README, and every page below `docs/`.
fn pages() -> Vec<String> {
    let (mut found, mut folders) = (vec!["README.md".to_owned()], vec![root().join("docs")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(root()).unwrap().display().to_string());
            }
        }
    }
    assert!(found.len() > 30, "the pages are elsewhere");
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
