//! What is committed for other people's tools, in the hands of these tools: the collection, the documents, the book.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{
    Finished, HttpFile, Process, Server, Setup, TestDatabase, node_tools, python, serve_as_issuer,
};

/// Node takes seconds to start on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(300);
const ADMIN_PASSWORD: &str = "seven herons on one leg";

#[tokio::test]
async fn newman_walks_through_the_collection() {
    let database = TestDatabase::create().await;
    let Walk { setup, server, client_secret } = Walk::begin(&database).await;
    let report = database.folder.path().join("newman.json");
    let mut newman = setup.command("node");
    newman.arg(tool("newman/bin/newman.js")).arg("run");
    newman.arg(root().join("docs/collections/keyward.postman_collection.json"));
    newman.args(["--reporters", "cli,json", "--color", "off", "--reporter-json-export"]).arg(&report);
    for (name, value) in [
        ("base_url", server.url("").as_str()),
        ("admin_password", ADMIN_PASSWORD),
        ("client_secret", &client_secret),
    ] {
        newman.args(["--env-var", &format!("{name}={value}")]);
    }
    let walked = finish(Process::spawn(newman, "")).await.expect_code(0);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let stats = &report["run"]["stats"];
    assert!(
        stats["assertions"]["total"].as_u64() >= stats["requests"]["total"].as_u64(),
        "{}",
        walked.stdout
    );
    assert!(stats["requests"]["total"].as_u64() > Some(30), "{}", walked.stdout);
    assert!(!server.process.stdout().contains("\"ERROR\""), "{}", server.process.said());
}

#[tokio::test]
async fn the_http_file_answers_as_it_says() {
    let database = TestDatabase::create().await;
    let Walk { server, client_secret, .. } = Walk::begin(&database).await;
    let base_url = server.url("");
    let given = [
        ("base_url", base_url.as_str()),
        ("admin_password", ADMIN_PASSWORD),
        ("client_secret", &client_secret),
    ];
    let text = fs::read_to_string(root().join("docs/collections/keyward.http")).unwrap();
    assert!(HttpFile::of(&text, &given).walk(&server.anonymous().http).await > 30);
}

#[tokio::test]
async fn spectral_has_nothing_against_the_openapi_document() {
    let folder = tempfile::tempdir().unwrap();
    // It looks for its rules beside the file that names them.
    std::os::unix::fs::symlink(node_tools().join("node_modules"), folder.path().join("node_modules"))
        .unwrap();
    fs::copy(root().join("tests/node/spectral.yaml"), folder.path().join("spectral.yaml")).unwrap();
    fs::copy(root().join("openapi.json"), folder.path().join("openapi.json")).unwrap();
    let mut spectral = Setup::bare(folder.path()).command("node");
    spectral.arg(tool("@stoplight/spectral-cli/dist/index.js"));
    spectral.args(["lint", "--ruleset", "spectral.yaml", "--fail-severity", "warn", "openapi.json"]);
    let linted = finish(Process::spawn(spectral, "")).await.expect_code(0);
    assert!(linted.stdout.contains("No results"), "{}", linted.stdout);
}

#[tokio::test]
async fn the_parser_of_asyncapi_reads_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare(folder.path()).env("KEYWARD_TEST_NODE_TOOLS", node_tools().display().to_string());
    let mut node = setup.command("node");
    node.arg(root().join("tests/node/asyncapi.mjs")).arg(root().join("asyncapi.json"));
    let read = finish(Process::spawn(node, "")).await.expect_code(0);
    assert!(read.stdout.contains("10 operations, 10 messages"), "{}", read.stdout);
    assert!(!read.stdout.contains("error") && !read.stdout.contains("warning"), "{}", read.stdout);
}

#[tokio::test]
async fn mdbook_builds_the_guide() {
    let folder = tempfile::tempdir().unwrap();
    let mut mdbook = Setup::bare(folder.path()).command(python().with_file_name("mdbook").to_str().unwrap());
    mdbook.args(["build", "--dest-dir"]).arg(folder.path().join("book")).arg(root().join("docs"));
    let built = finish(Process::spawn(mdbook, "")).await.expect_code(0);
    for word in ["WARN", "ERROR"] {
        assert!(!built.stderr.contains(word), "{}", built.stderr);
    }
    for page in ["index.html", "quickstart.html", "integrate/index.html", "decisions/0019-documentation.html"]
    {
        assert!(folder.path().join("book").join(page).exists(), "{page}");
    }
}

/// A server with all that the walk's requests take as given.
struct Walk {
    setup: Setup,
    server: Server,
    client_secret: String,
}

impl Walk {
    async fn begin(database: &TestDatabase) -> Self {
        let (setup, server) = serve_as_issuer(database).await;
        let made = setup.run(&["clients", "create", "billing"]).await.expect_code(0).stdout;
        let client_secret = made.split_whitespace().nth(3).expect("a secret").to_owned();
        let create =
            ["users", "create", "--email", "admin@example.com", "--role", "admin", "--password-stdin"];
        setup.run_with_input(&create, ADMIN_PASSWORD).await.expect_code(0);
        Self { setup, server, client_secret }
    }
}

async fn finish(mut process: Process) -> Finished {
    let code = process.exit_code_within(PATIENCE).await;
    Finished { code, stdout: process.stdout(), stderr: process.stderr() }
}

fn tool(path: &str) -> PathBuf {
    node_tools().join("node_modules").join(path)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
