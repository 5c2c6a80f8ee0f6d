use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const ADMIN: &str = "boss@example.com";
const PASSWORD: &str = "a quiet lake at dawn";
/// How long anything may take that is expected to happen soon. Generous: machines of tests are busy.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer; `what` names what was waited for in vain.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A Keyward in a process of its own that serves where its issuer says.
pub(crate) struct Keyward {
    pub(crate) issuer: String,
    process: Child,
    _folder: TempDir,
}

impl Keyward {
    pub(crate) async fn start() -> Self {
        Self::start_with("log:").await
    }

    pub(crate) async fn start_with(events_url: &str) -> Self {
        loop {
            let folder = tempfile::tempdir().unwrap();
            // Somebody else may be quicker to take a free port.
            let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let issuer = format!("http://{free}");
            let mut command = Command::new(keyward_binary());
            command.env_clear().current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
            for (name, value) in [
                ("LISTEN", free.to_string().as_str()),
                ("MANAGEMENT_LISTEN", "127.0.0.1:0"),
                ("ISSUER", &issuer),
                ("EVENTS_URL", events_url),
                ("ADMIN_EMAIL", ADMIN),
                ("ADMIN_PASSWORD", PASSWORD),
                ("ARGON2_MEMORY_KIB", "64"),
                ("ARGON2_ITERATIONS", "1"),
                ("LIMITS_ENABLED", "false"),
            ] {
                command.env(format!("KEYWARD_{name}"), value);
            }
            let mut keyward = Self { issuer, process: command.spawn().unwrap(), _folder: folder };
            if keyward.ready().await {
                return keyward;
            }
        }
    }

    /// Waits until it serves; false when it ended instead.
    async fn ready(&mut self) -> bool {
        let health = format!("{}/health", self.issuer);
        until("a Keyward that serves", async || match self.process.try_wait().unwrap() {
            Some(_) => Some(false),
            None => {
                client().get(&health).send().await.is_ok_and(|answer| answer.status() == 200).then_some(true)
            }
        })
        .await
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

    /// Deletes a user, as the admin.
    pub(crate) async fn delete(&self, user_id: &str) {
        let admin = self.log_in(ADMIN).await;
        let request = client().delete(format!("{}/admin/users/{user_id}", self.issuer)).bearer_auth(admin);
        assert_eq!(answer(request).await.0, 204);
    }

    async fn post(&self, path: &str, email: &str) -> (u16, Value) {
        let request = client().post(format!("{}{path}", self.issuer));
        answer(request.json(&json!({"email": email, "password": PASSWORD}))).await
    }

    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Keyward {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Cargo tells a package where its own programs are, and not those of another: it lies beside ours, once it is built.
fn keyward_binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_user-service")).with_file_name("keyward");
        if !binary.exists() {
            let built = Command::new(env!("CARGO")).args(["build", "--workspace", "--bins"]).status();
            assert!(built.unwrap().success());
        }
        binary
    })
}

/// The service in a process of its own.
pub(crate) struct UserService {
    process: Child,
    base: String,
    issuer: String,
    events_url: Option<String>,
    said: Arc<Mutex<String>>,
    folder: TempDir,
}

impl UserService {
    pub(crate) fn start(issuer: &str) -> Self {
        Self::start_with(issuer, None)
    }

    pub(crate) fn start_with(issuer: &str, events_url: Option<&str>) -> Self {
        let (folder, events_url) = (tempfile::tempdir().unwrap(), events_url.map(str::to_owned));
        let said = Arc::default();
        let (process, base) = spawn(issuer, events_url.as_deref(), &folder, &said);
        Self { process, base, issuer: issuer.to_owned(), events_url, said, folder }
    }

    pub(crate) fn start_again(&mut self) {
        let events_url = self.events_url.as_deref();
        (self.process, self.base) = spawn(&self.issuer, events_url, &self.folder, &self.said);
    }

    /// Ends it without a chance to tidy up, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The file of its database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("profiles.db")
    }

    /// Waits until its log says something.
    pub(crate) async fn says(&self, what: &str) {
        until(what, async || self.said.lock().unwrap().contains(what).then_some(())).await;
    }

    /// Waits until somebody's own profile is there, and returns it.
    pub(crate) async fn profile(&self, token: &str) -> Value {
        until("a profile", async || match self.get("/profiles/me", Some(token)).await {
            (200, profile) => Some(profile),
            other => {
                assert_eq!(other.0, 404, "{}", other.1);
                None
            }
        })
        .await
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
fn spawn(
    issuer: &str,
    events_url: Option<&str>,
    folder: &TempDir,
    said: &Arc<Mutex<String>>,
) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_user-service"));
    command.env_clear().env("KEYWARD_ISSUER", issuer).env("LISTEN", "127.0.0.1:0").env("NO_COLOR", "1");
    command.envs(events_url.map(|url| ("EVENTS_URL", url)));
    command.current_dir(folder.path()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = lines
        .find_map(|line| line.unwrap().split_once("address=").map(|(_, address)| address.to_owned()))
        .expect("a line that says where it listens");
    // What it says later must go somewhere, or it would wait for a reader.
    let said = Arc::clone(said);
    std::thread::spawn(move || lines.for_each(|line| said.lock().unwrap().push_str(&line.unwrap())));
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
