//! Nothing that could be presented is at rest or told to anybody: not in the database or its write-ahead log, not in the
//! log at level trace, not in metrics, traces or events (R8, L2).

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use keyward::config;
use keyward::crypto::{Keyring, MasterKey};
use reqwest::Method;
use serde_json::json;
use zeroize::Zeroizing;

use crate::support::{Actor, Answer, Collector, Server, Setup, TestDatabase, master_key, unique_email};

// Not the password of the other tests, which the banner gives as an example.
const PASSWORD: &str = "seven herons on one leg";
const WRONG_PASSWORD: &str = "not the lake, nor the dawn";
const RESET_PASSWORD: &str = "nine lanterns in the fog";
const NEW_PASSWORD: &str = "a heron that never was there";
const ADMIN_PASSWORD: &str = "a river under seven bridges";

#[tokio::test]
async fn nothing_secret_is_in_the_database_or_in_json_logs() {
    walk_and_search("json").await;
}

#[tokio::test]
async fn nothing_secret_is_in_the_database_or_in_text_logs() {
    walk_and_search("text").await;
}

async fn walk_and_search(format: &str) {
    let database = TestDatabase::create().await;
    let collector = Collector::start();
    let admin = unique_email();
    let setup = Setup::on(&database)
        .env("KEYWARD_TELEMETRY_OTLP_ENDPOINT", collector.endpoint())
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .env("KEYWARD_LOG_LEVEL", "trace")
        .env("KEYWARD_LOG_FORMAT", format)
        // With the bookkeeping of the account lock.
        .env("KEYWARD_LIMITS_ENABLED", "true")
        .env("KEYWARD_LIMITS_LOGIN_PER_ACCOUNT_IP", "100/s")
        .env("KEYWARD_ADMIN_EMAIL", &admin)
        .env("KEYWARD_ADMIN_PASSWORD", ADMIN_PASSWORD);
    let mut server = setup.serve().await;
    let (user, mut secrets) = walk(&server).await;
    secrets.extend(walk_of_services(&server, &setup, &user).await);
    secrets.extend(walk_of_admins(&server, &admin, &user).await);
    let metrics = server.operator().get("/metrics").await.expect_status(200).body;
    // Before the stop, which empties the write-ahead log.
    let stored = stored(&database).await;
    let events = database.texts("SELECT data FROM outbox").await.join("\n").into_bytes();
    assert_eq!(server.stop().await, 0);
    secrets.extend(private_keys(&database).await);

    let logged = [server.process.stdout(), server.process.stderr()].concat().into_bytes();
    let traced = collector.raw();
    for (place, bytes, sight) in [
        ("the database", &stored, "argon2id"),
        ("the events", &events, "user_id"),
        ("the log", &logged, "auth.user_created"),
        ("the metrics", &metrics, "keyward_logins_total"),
        ("the traces", &traced, "/auth/password"),
    ] {
        assert!(find(bytes, sight.as_bytes()).is_some(), "the search sees {place}");
        for secret in &secrets {
            for (form, needle) in secret.forms() {
                let found = find(bytes, &needle);
                assert!(found.is_none(), "{} as {form} is in {place} at {found:?}", secret.name);
            }
        }
        let told = ["the log", "the metrics", "the traces"].contains(&place);
        for email in [&user.email, &admin] {
            let local = email.split('@').next().unwrap();
            assert!(!told || find(bytes, local.as_bytes()).is_none(), "{email} is in {place}");
        }
    }
}

/// Makes a service client, introspects and revokes with it.
async fn walk_of_services(server: &Server, setup: &Setup, user: &Actor) -> Vec<Secret> {
    let created = setup.run(&["clients", "create", "billing"]).await.expect_code(0).stdout;
    let secret =
        created.split_whitespace().find(|word| word.starts_with("kwc_")).expect("a secret").to_owned();
    let mut user = user.clone();
    user.login().await.expect_status(200);
    let form = |path: &str, token: &str| {
        let request = user.request(Method::POST, path).body(format!("token={token}"));
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    for (password, token, status) in [
        (secret.as_str(), &user.access_token, 200),
        (&secret, &user.refresh_token, 200),
        ("kwc_not-the-right-one", &user.access_token, 401),
    ] {
        let request = form("/oauth/introspect", token).basic_auth("billing", Some(password));
        Answer::of(request).await.expect_status(status);
    }
    Answer::of(form("/oauth/revoke", &user.refresh_token)).await.expect_status(200);
    assert!(!server.process.said().contains(&secret));
    let client = [Secret::new("a client's secret", secret.as_bytes())];
    client.into_iter().chain(tokens(&user.access_token, &user.refresh_token)).collect()
}

/// Does what admins do, and has the user change the password that an admin gave.
async fn walk_of_admins(server: &Server, email: &str, user: &Actor) -> Vec<Secret> {
    let mut admin =
        Actor { email: email.to_owned(), password: ADMIN_PASSWORD.to_owned(), ..server.anonymous() };
    admin.login().await.expect_status(200);
    let listed =
        admin.ask(Method::GET, &format!("/admin/users?email={}", user.email)).await.expect_status(200);
    let id = listed.json["items"][0]["id"].as_str().expect("the user").to_owned();
    let path = |rest: &str| format!("/admin/users/{id}{rest}");
    let reset = json!({ "new_password": RESET_PASSWORD });
    admin.tell(Method::POST, &path("/password"), &reset).await.expect_status(204);
    let mut user = Actor { password: RESET_PASSWORD.to_owned(), ..user.clone() };
    user.login().await.expect_status(200);
    for (current, status) in [(WRONG_PASSWORD, 401), (RESET_PASSWORD, 204)] {
        let change = json!({ "current_password": current, "new_password": NEW_PASSWORD });
        user.tell(Method::POST, "/auth/password", &change).await.expect_status(status);
    }
    admin
        .tell(Method::PUT, &path("/roles"), &json!({ "roles": ["user", "billing:read"] }))
        .await
        .expect_status(200);
    admin.ask(Method::POST, &path("/unlock")).await.expect_status(204);
    admin.ask(Method::POST, "/admin/keys/rotate").await;
    admin.ask(Method::GET, "/admin/users?limit=1").await.expect_status(200);
    admin.ask(Method::DELETE, &path("/sessions")).await;
    admin.ask(Method::DELETE, &path("")).await.expect_status(204);
    admin.logout_everywhere().await.expect_status(204);
    let passwords = [
        Secret::new("a reset password", RESET_PASSWORD.as_bytes()),
        Secret::new("a new password", NEW_PASSWORD.as_bytes()),
    ];
    let held = [&user, &admin].map(|one| tokens(&one.access_token, &one.refresh_token));
    passwords.into_iter().chain(held.into_iter().flatten()).collect()
}

/// Signs up, logs in, refreshes, fails to log in, logs out; returns every secret that went over the wire.
async fn walk(server: &Server) -> (Actor, Vec<Secret>) {
    let mut user = Actor { password: PASSWORD.to_owned(), ..server.anonymous() };
    user.signup().await.expect_status(201);
    user.login().await.expect_status(200);
    let mut secrets = vec![
        Secret::new("the password", PASSWORD.as_bytes()),
        Secret::new("the wrong password", WRONG_PASSWORD.as_bytes()),
        Secret::new("the admin's password", ADMIN_PASSWORD.as_bytes()),
        Secret::new("the master key", &BASE64_STANDARD.decode(master_key()).unwrap()),
    ];
    let first = user.refresh_token.clone();
    for _ in 0..3 {
        secrets.extend(tokens(&user.access_token, &user.refresh_token));
        user.me().await.expect_status(200);
        user.refresh().await.expect_status(200);
    }
    secrets.extend(tokens(&user.access_token, &user.refresh_token));
    let right = std::mem::replace(&mut user.password, WRONG_PASSWORD.to_owned());
    user.login().await.expect_problem(401, "invalid_credentials");
    user.signup().await.expect_problem(409, "email_taken");
    user.password = right;
    user.present(&first).await.expect_problem(401, "refresh_token_reused");
    let device = user.login().await.expect_status(200).text("device_token");
    secrets.extend(tokens(&user.access_token, &user.refresh_token));
    secrets.push(Secret::new("a device token", device.as_bytes()));
    let token = BASE64_URL_SAFE_NO_PAD.decode(device.strip_prefix("kwd_").unwrap()).unwrap();
    secrets.push(Secret::new("a device token's MAC", &token[token.len() - 32..]));
    let from_device = |password: &str| {
        let body = json!({ "email": user.email, "password": password, "device_token": device });
        let user = user.clone();
        async move { user.post("/auth/login", &body).await }
    };
    // The device has failures of its own for a while, and forgets them.
    from_device(WRONG_PASSWORD).await.expect_problem(401, "invalid_credentials");
    from_device(PASSWORD).await.expect_status(200);
    from_device(WRONG_PASSWORD).await.expect_problem(401, "invalid_credentials");
    let tampered = format!("{}x", user.access_token);
    user.me_with(&tampered).await.expect_problem(401, "invalid_token");
    user.present(&format!("{}x", user.refresh_token)).await.expect_problem(401, "invalid_refresh_token");
    user.logout().await.expect_status(204);
    // In the wrong place, by mistake: must not be noted down either.
    user.get(&format!("/auth/me?access_token={}", user.access_token)).await.expect_status(401);
    (user, secrets)
}

/// The tokens, and the parts that make them worth something.
fn tokens(access_token: &str, refresh_token: &str) -> [Secret; 4] {
    let (_, signature) = access_token.rsplit_once('.').unwrap();
    let refresh = BASE64_URL_SAFE_NO_PAD.decode(refresh_token.strip_prefix("kwr_").unwrap()).unwrap();
    let mac = &refresh[refresh.len() - 32..];
    [
        Secret::new("an access token", access_token.as_bytes()),
        Secret::new("an access token's signature", &BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap()),
        Secret::new("a refresh token", refresh_token.as_bytes()),
        Secret::new("a refresh token's MAC", mac),
    ]
}

/// Opens the sealed signing keys, as only a holder of the master key can.
async fn private_keys(database: &TestDatabase) -> Vec<Secret> {
    let key = config::MasterKeys::parse(&master_key()).unwrap();
    let key = MasterKey::new(&Zeroizing::new(*key.current().expose()));
    let id = key.id();
    let keyring = Keyring::new(key, Vec::new());
    let kids = database.texts("SELECT kid FROM signing_keys ORDER BY kid").await;
    let sealed = if database.embedded() {
        database.texts("SELECT hex(sealed_private) FROM signing_keys ORDER BY kid").await
    } else {
        database.texts("SELECT encode(sealed_private, 'hex') FROM signing_keys ORDER BY kid").await
    };
    assert!(!kids.is_empty());
    let mut secrets = vec![Secret::new("a PEM label", b"PRIVATE KEY-----")];
    for (kid, sealed) in kids.iter().zip(sealed) {
        let context = format!("signing_keys/{kid}");
        let pkcs8 = keyring.open(&context, id, &unhex(&sealed)).expect("it is sealed with this key");
        // RFC 5915: the private scalar is the first octet string of 32 bytes.
        let at = find(&pkcs8, &[0x04, 0x20]).expect("a P-256 key") + 2;
        secrets.push(Secret::new("a private key", &pkcs8[at..at + 32]));
        secrets.push(Secret::new("the head of its PKCS#8 form", &pkcs8[..at + 8]));
    }
    secrets
}

/// Everything at rest. Bytes are as they are on SQLite, and hexadecimal on PostgreSQL.
async fn stored(database: &TestDatabase) -> Vec<u8> {
    if database.embedded() {
        let read = |ending: &str| {
            let path = format!("{}{ending}", database.sqlite_file().display());
            std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        return [read(""), read("-wal")].concat();
    }
    let tables = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'";
    let mut all = Vec::new();
    for table in database.texts(tables).await {
        let sql: &'static str = format!("SELECT row_of::text FROM {table} AS row_of").leak();
        all.extend(database.texts(sql).await.join("\n").into_bytes());
    }
    all
}

/// Bytes that nobody may find.
struct Secret {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Secret {
    fn new(name: &'static str, bytes: &[u8]) -> Self {
        Self { name, bytes: bytes.to_vec() }
    }

    /// The spellings in which they might stand somewhere.
    fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let hex = self.bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        vec![
            ("it is", self.bytes.clone()),
            ("hexadecimal", hex.to_uppercase().into_bytes()),
            ("hexadecimal", hex.into_bytes()),
            ("base64", BASE64_STANDARD_NO_PAD.encode(&self.bytes).into_bytes()),
            ("base64url", BASE64_URL_SAFE_NO_PAD.encode(&self.bytes).into_bytes()),
            ("a list of bytes", format!("{:?}", self.bytes).trim_matches(['[', ']']).into()),
        ]
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hexadecimal"))
        .collect()
}
