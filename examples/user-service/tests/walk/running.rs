use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use keyward::app::App;
use keyward::clock::Clock;
use keyward::config::{self, Sources};
use keyward::http::Server;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const ADMIN: &str = "boss@example.com";
const PASSWORD: &str = "a quiet lake at dawn";

/// A Keyward in this process that serves where its issuer says.
pub(crate) struct Keyward {
    pub(crate) issuer: String,
    app: Arc<App>,
    http: reqwest::Client,
    serving: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    _folder: TempDir,
}

impl Keyward {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        loop {
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let issuer = format!("http://{free}");
            let flags = [
                ("listen", free.to_string()),
                ("management_listen", "127.0.0.1:0".to_owned()),
                ("issuer", issuer.clone()),
                ("data_dir", folder.path().display().to_string()),
                ("admin.email", ADMIN.to_owned()),
                ("admin.password", PASSWORD.to_owned()),
                ("argon2.memory_kib", "64".to_owned()),
                ("argon2.iterations", "1".to_owned()),
                ("limits.enabled", "false".to_owned()),
            ];
            let flags = flags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let sources = Sources { flags, ..Sources::default() };
            let (settings, _) = config::load(&sources, 2, keyward::random::bytes).unwrap();
            let app = Arc::new(App::start(&settings, Clock::System).await.unwrap());
            // Somebody else may be quicker to take a free port.
            let Ok(server) = Server::bind(&app, &settings) else { continue };
            let (stop, stopped) = oneshot::channel::<()>();
            let serving =
                tokio::spawn(async move { server.serve(async { drop(stopped.await) }).await.unwrap() });
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            return Self { issuer, app, http, serving: Some((stop, serving)), _folder: folder };
        }
    }

    /// Returns the id of the new user.
    pub(crate) async fn sign_up(&self, email: &str) -> String {
        let (status, user) = self.post("/auth/signup", email).await;
        assert_eq!(status, 201, "{user}");
        user["id"].as_str().unwrap().to_owned()
    }

    /// Returns an access token.
    pub(crate) async fn log_in(&self, email: &str) -> String {
        let (status, pair) = self.post("/auth/login", email).await;
        assert_eq!(status, 200, "{pair}");
        pair["access_token"].as_str().unwrap().to_owned()
    }

    async fn post(&self, path: &str, email: &str) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.issuer));
        answer(request.json(&json!({"email": email, "password": PASSWORD}))).await
    }

    pub(crate) async fn stop(&mut self) {
        let (stop, serving) = self.serving.take().unwrap();
        stop.send(()).unwrap();
        serving.await.unwrap();
        self.app.close().await;
    }
}

/// The service in a process of its own.
pub(crate) struct UserService {
    process: Child,
    base: String,
    issuer: String,
    folder: TempDir,
}

impl UserService {
    pub(crate) fn start(issuer: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (process, base) = spawn(issuer, &folder);
        Self { process, base, issuer: issuer.to_owned(), folder }
    }

    pub(crate) fn start_again(&mut self) {
        (self.process, self.base) = spawn(&self.issuer, &self.folder);
    }

    /// Asks it to stop, and returns its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.process.wait().unwrap().code()
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        let request = client().get(format!("{}{path}", self.base));
        answer(authorized(request, token)).await
    }

    pub(crate) async fn put(&self, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
        let request = client().put(format!("{}{path}", self.base)).json(body);
        answer(authorized(request, token)).await
    }
}

impl Drop for UserService {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the binary, and reads from its log where it listens.
fn spawn(issuer: &str, folder: &TempDir) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_user-service"));
    command.env_clear().env("KEYWARD_ISSUER", issuer).env("LISTEN", "127.0.0.1:0").env("NO_COLOR", "1");
    command.current_dir(folder.path()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = lines
        .find_map(|line| line.unwrap().split_once("address=").map(|(_, address)| address.to_owned()))
        .expect("a line that says where it listens");
    // What it says later must go somewhere, or it would wait for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    (process, format!("http://{}", address.trim()))
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn authorized(request: RequestBuilder, token: Option<&str>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
}
