use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use keyward::app::{Admin, App, Signup};
use keyward::clock::Clock;
use keyward::config::{self, MasterKey, Settings, Sources};
use keyward::domain::{Email, Role, Roles};
use keyward::http::{Certificate, Server};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::{Actor, TestDatabase};

/// What tokens of test servers name, whatever port they listen on.
pub const ISSUER: &str = "http://127.0.0.1:7300";

/// Settings of every test server; a test adds its own.
const CHEAP: [(&str, &str); 8] = [
    ("listen", "127.0.0.1:0"),
    ("management_listen", "127.0.0.1:0"),
    ("issuer", ISSUER),
    ("argon2.memory_kib", "64"),
    ("argon2.iterations", "1"),
    ("argon2.queue", "1024"),
    ("argon2.queue_timeout", "20s"),
    ("limits.enabled", "false"),
];

/// A server in this process, on a port of its own.
pub struct TestServer {
    pub app: Arc<App>,
    pub clock: Clock,
    pub public: SocketAddr,
    pub management: SocketAddr,
    pub database: Arc<TestDatabase>,
    /// Where it serves TLS.
    pub certificate: Option<Arc<Certificate>>,
    flags: Vec<(String, String)>,
    settings: Settings,
    stop: Option<(mpsc::Sender<()>, watch::Sender<bool>)>,
    tasks: Vec<JoinHandle<()>>,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with settings by their dotted keys.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let database = Arc::new(TestDatabase::create().await);
        let flags = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self::on(database, flags, Clock::shifted()).await
    }

    /// Starts another server on the same database, with the same settings and clock.
    pub async fn replica(&self) -> Self {
        Self::on(Arc::clone(&self.database), self.flags.clone(), self.clock.clone()).await
    }

    /// Starts another server on the same database, with other settings.
    pub async fn replica_with(&self, settings: &[(&str, &str)]) -> Self {
        let more = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let flags = self.flags.iter().cloned().chain(more).collect();
        Self::on(Arc::clone(&self.database), flags, self.clock.clone()).await
    }

    /// Stops a server in order and starts it again with the same data.
    pub async fn restart(mut self) -> Self {
        self.stop().await;
        Self::on(Arc::clone(&self.database), self.flags.clone(), self.clock.clone()).await
    }

    pub async fn on(database: Arc<TestDatabase>, flags: Vec<(String, String)>, clock: Clock) -> Self {
        let own = [("data_dir", database.folder.path().display().to_string()), ("master_key", master_key())];
        let cheap = CHEAP.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let base = cheap.chain(own).chain(database.settings()).map(|(key, value)| (key.to_owned(), value));
        let sources = Sources {
            flags: base.chain(flags.clone()).collect(),
            env: BTreeMap::new(),
            ..Sources::default()
        };
        let (settings, _) =
            config::load(&sources, 2, keyward::random::bytes).expect("test settings are good");
        let app = App::start(&settings, clock.clone()).await.expect("a test server starts");
        let app = Arc::new(app);
        let server = Server::bind(&app, &settings).expect("ports are free");
        let bound = server.bound().expect("addresses");
        let certificate = server.certificate();
        app.limits_connect().await;
        let (stop_server, stops) = mpsc::channel(1);
        let (stop_relay, relay_stopped) = watch::channel(false);
        let serving = tokio::spawn(async move {
            server.serve(stops).await.expect("serves until it is stopped");
        });
        let relaying = tokio::spawn({
            let (app, stop) = (Arc::clone(&app), relay_stopped.clone());
            async move { Box::pin(app.relay_run(stop)).await }
        });
        // Maintenance is left to the tests that are about it.
        let watching = tokio::spawn({
            let app = Arc::clone(&app);
            async move { app.keys_watch(relay_stopped).await }
        });
        Self {
            app,
            clock,
            public: bound.public,
            management: bound.management,
            database,
            certificate,
            flags,
            settings,
            stop: Some((stop_server, stop_relay)),
            tasks: vec![serving, relaying, watching],
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.public)
    }

    /// The person at the command line of this server.
    pub fn operator(&self) -> Admin {
        Admin::operator(&self.settings)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Someone without a token.
    pub fn anonymous(&self) -> Actor {
        Actor::new(self.url())
    }

    /// Someone who has signed up and logged in.
    pub async fn user(&self) -> Actor {
        let mut user = self.anonymous();
        user.signup().await.expect_status(201);
        user.login().await.expect_status(200);
        user
    }

    /// Someone whom the operator made an admin, and who has logged in.
    pub async fn admin(&self) -> Actor {
        let mut admin = self.anonymous();
        let email = Email::parse(&admin.email).expect("an address");
        let password = self.app.rules().password_policy.accept(&admin.password, Some(&email));
        let signup = Signup { email, password: password.expect("a password") };
        let roles = Roles::new([Role::admin(), Role::user()]).expect("roles");
        self.app.user_create_by_operator(&self.operator(), signup, roles).await.expect("an admin");
        admin.login().await.expect_status(200);
        admin
    }

    pub async fn stop(&mut self) {
        if let Some((server, relay)) = self.stop.take() {
            let _ = server.try_send(());
            let _ = relay.send(true);
        }
        for task in self.tasks.drain(..) {
            task.await.expect("a server stops in order");
        }
        self.app.close().await;
    }
}

/// One key for every server of a test run: replicas must share it.
pub fn master_key() -> String {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| MasterKey::new(keyward::random::bytes()).to_base64().to_string()).clone()
}
