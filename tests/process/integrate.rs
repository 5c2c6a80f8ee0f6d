//! The recipes of docs/integrate that can run here: services in other languages, which know the issuer's URL alone.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Method;

use crate::support::{
    Actor, Answer, Process, Setup, TestDatabase, node_packages, python, serve_as_issuer, until,
};

/// Starts the recipe for an issuer and an audience, on a port of its own choice.
type Start = fn(&Path, &str, &str) -> Process;

#[tokio::test]
async fn the_recipe_for_fastapi_works() {
    walk(start_fastapi).await;
}

#[tokio::test]
async fn the_recipe_for_express_works() {
    walk(start_express).await;
}

#[test]
fn the_pages_show_the_code_that_was_run() {
    for (page, sources) in [
        ("python-fastapi.md", &["python/app.py"][..]),
        ("node-express.md", &["node/app.mjs", "node/package.json"]),
    ] {
        let page = std::fs::read_to_string(recipe(page)).unwrap();
        for source in sources {
            let code = std::fs::read_to_string(recipe(source)).unwrap();
            assert!(page.contains(&format!("\n{code}```\n")), "{source} is not in its page, word for word");
        }
    }
}

async fn walk(start: Start) {
    let database = TestDatabase::create().await;
    let (setup, mut keyward) = serve_as_issuer(&database).await;
    let (issuer, folder) = (keyward.url(""), database.folder.path());
    let user = keyward.user().await;
    let admin = admin(&setup, keyward.anonymous()).await;
    let service = Service::ready(start(folder, &issuer, &issuer)).await;

    service.get("/me", None).await.expect_challenge(401, "");
    let me = service.get("/me", Some(&user.access_token)).await.expect_status(200);
    assert_eq!(me.text("id"), user.me().await.text("id"));
    assert_eq!(me.json["roles"], serde_json::json!(["user"]));
    service.get("/report", None).await.expect_challenge(401, "");
    service.get("/report", Some(&user.access_token)).await.expect_challenge(403, "insufficient_scope");
    service.get("/report", Some(&admin.access_token)).await.expect_status(200);

    for bad in [
        with_changed(&user.access_token, 1, r#"["user"]"#, r#"["admin"]"#),
        with_changed(&user.access_token, 0, "ES256", "HS256"),
        with_changed(&user.access_token, 0, "ES256", "none"),
        with_changed(&user.access_token, 0, r#""kid":""#, r#""kid":"x"#),
        user.refresh_token.clone(),
        "junk".to_owned(),
    ] {
        service.get("/report", Some(&bad)).await.expect_challenge(401, "invalid_token");
    }
    let elsewhere = Service::ready(start(folder, &issuer, "https://other.example.com")).await;
    elsewhere.get("/me", Some(&user.access_token)).await.expect_challenge(401, "invalid_token");

    // A token of another kind, signed by the same key.
    assert_eq!(keyward.stop().await, 0);
    let mut other_kind = setup.clone().env("KEYWARD_TOKEN_TYP", "JWT").serve().await;
    let mut user = user;
    user.login().await.expect_status(200);
    service.get("/me", Some(&user.access_token)).await.expect_challenge(401, "invalid_token");
    // It needs nobody while Keyward is away; one that never saw the keys says that it is not the caller's fault.
    assert_eq!(other_kind.stop().await, 0);
    service.get("/report", Some(&admin.access_token)).await.expect_status(200);
    let late = Service::ready(start(folder, &issuer, &issuer)).await;
    late.get("/me", Some(&admin.access_token)).await.expect_status(503);
}

async fn admin(setup: &Setup, mut admin: Actor) -> Actor {
    let email = admin.email.clone();
    let create = ["users", "create", "--email", &email, "--role", "admin", "--password-stdin"];
    setup.run_with_input(&create, &admin.password).await.expect_code(0);
    admin.login().await.expect_status(200);
    admin
}

fn start_fastapi(folder: &Path, issuer: &str, audience: &str) -> Process {
    let mut command = Setup::bare(folder)
        .env("KEYWARD_ISSUER", issuer)
        .env("KEYWARD_AUDIENCE", audience)
        .command(python().to_str().unwrap());
    command.args(["-B", "-m", "uvicorn", "app:app", "--port", "0", "--app-dir"]).arg(recipe("python"));
    Process::spawn(command, "")
}

fn start_express(folder: &Path, issuer: &str, audience: &str) -> Process {
    // Node looks for packages beside the file that wants them.
    let place = folder.join("express");
    if !place.exists() {
        std::fs::create_dir(&place).unwrap();
        std::fs::copy(recipe("node/app.mjs"), place.join("app.mjs")).unwrap();
        std::os::unix::fs::symlink(node_packages().join("node_modules"), place.join("node_modules")).unwrap();
    }
    let mut command = Setup::bare(folder)
        .env("KEYWARD_ISSUER", issuer)
        .env("KEYWARD_AUDIENCE", audience)
        .env("LISTEN", "127.0.0.1:0")
        .command("node");
    command.arg(place.join("app.mjs"));
    Process::spawn(command, "")
}

fn recipe(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/integrate").join(name)
}

/// Changes one part of a token, and keeps the signature.
fn with_changed(token: &str, part: usize, from: &str, to: &str) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(&parts[part]).unwrap()).unwrap();
    let changed = text.replace(from, to);
    assert_ne!(changed, text);
    parts[part] = BASE64_URL_SAFE_NO_PAD.encode(changed);
    parts.join(".")
}

/// A running recipe, stopped when it is dropped.
struct Service {
    process: Process,
    base: String,
}

impl Service {
    async fn ready(mut process: Process) -> Self {
        let port = until("the port of the service", async || {
            assert!(process.exited().is_none(), "{}", process.said());
            let said = process.said();
            let (_, rest) = said.split_once("127.0.0.1:")?;
            // A whole number has something after it.
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            rest.get(..end)?.parse::<u16>().ok()
        });
        let base = format!("http://127.0.0.1:{}", port.await);
        Self { process, base }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = Actor::new(self.base.clone()).request(Method::GET, path);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Answer::of(request).await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill();
    }
}

impl Answer {
    /// Asserts the status and the challenge of RFC 6750 §3, with this error or none.
    #[track_caller]
    fn expect_challenge(self, status: u16, error: &str) -> Self {
        let answer = self.expect_status(status);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer realm=\"keyward\""), "{challenge}");
        let said = challenge.split_once("error=\"").and_then(|(_, rest)| rest.split_once('"'));
        assert_eq!(said.map_or("", |(error, _)| error), error, "{challenge}");
        answer
    }
}
