use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Actor, Answer, PASSWORD, Server, unique_email, until};

/// Between an answer that was none and the next try.
const PAUSE: Duration = Duration::from_millis(20);
/// No answer may take so long; without this a test would wait for it for ever.
const GIVE_UP: Duration = Duration::from_secs(30);

/// What may come instead of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// 503, in full.
    Unavailable,
    /// That, or a connection that breaks.
    Cut,
    /// Nothing may.
    None,
}

/// People who sign up, log in, refresh, look and log out, one after the other, whatever happens to the server. Each step
/// is repeated until it is answered, and every answer is judged: what is true may be told, or 503, and nothing else.
pub struct Crowd {
    people: Vec<JoinHandle<Ledger>>,
    base: Arc<Mutex<String>>,
    over: Arc<AtomicBool>,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Tally {
    answered: AtomicUsize,
    unavailable: AtomicUsize,
}

/// What people were promised, which means that the answer came in full.
#[derive(Default)]
pub struct Ledger {
    /// Who signed up; each with the newest tokens of a session that nobody ended, where there is one.
    pub users: Vec<Actor>,
    /// Sessions that were logged out.
    pub ended: Vec<Actor>,
    pub answered: usize,
    pub unavailable: usize,
    pub cut: usize,
    pub slowest: Duration,
}

/// Chooses where a request goes.
type Choose = Arc<dyn Fn() -> String + Send + Sync>;

impl Crowd {
    pub fn at(server: &Server, people: usize, faults: Faults) -> Self {
        let base = Arc::new(Mutex::new(server.url("")));
        let chosen = Arc::clone(&base);
        let choose = move || chosen.lock().expect("nobody panics here").clone();
        Self { base, ..Self::through(choose, people, faults) }
    }

    /// People whose every request goes where somebody else says.
    pub fn through(
        choose: impl Fn() -> String + Send + Sync + 'static,
        people: usize,
        faults: Faults,
    ) -> Self {
        let (choose, tally): (Choose, _) = (Arc::new(choose), Arc::new(Tally::default()));
        let over = Arc::new(AtomicBool::new(false));
        let person = |_| {
            let person = Person {
                http: Actor::new(String::new()).http,
                choose: Arc::clone(&choose),
                over: Arc::clone(&over),
                tally: Arc::clone(&tally),
                faults,
                unsure: false,
                ledger: Ledger::default(),
            };
            tokio::spawn(person.live())
        };
        Self { people: (0..people).map(person).collect(), base: Arc::default(), over, tally }
    }

    /// Waits until so many more steps were answered.
    pub async fn works(&self, steps: usize) {
        let wanted = self.tally.answered.load(Ordering::Relaxed) + steps;
        until("answers", async || (self.tally.answered.load(Ordering::Relaxed) >= wanted).then_some(()))
            .await;
    }

    /// Waits until somebody more was told that the service is not available.
    pub async fn notices(&self) {
        let before = self.tally.unavailable.load(Ordering::Relaxed);
        until("503", async || (self.tally.unavailable.load(Ordering::Relaxed) > before).then_some(())).await;
    }

    /// Where the server is from now on.
    pub fn moves_to(&self, server: &Server) {
        *self.base.lock().expect("nobody panics here") = server.url("");
    }

    /// Lets everybody finish the step that they are at, and adds up.
    pub async fn leaves(self) -> Ledger {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Ledger::default();
        for person in self.people {
            let one = person.await.expect("every answer was in order");
            all.users.extend(one.users);
            all.ended.extend(one.ended);
            all.answered += one.answered;
            all.unavailable += one.unavailable;
            all.cut += one.cut;
            all.slowest = all.slowest.max(one.slowest);
        }
        all
    }
}

impl Ledger {
    /// Holds a server to everything that was promised.
    pub async fn check(&self, server: &Server) {
        for user in &self.users {
            let mut user = user.at(server.url(""));
            if user.refresh_token.is_empty() {
                user.login().await.expect_status(200);
                continue;
            }
            user.me().await.expect_status(200);
            user.refresh().await.expect_status(200);
        }
        for ended in &self.ended {
            let ended = ended.at(server.url(""));
            ended.me().await.expect_problem(401, "session_ended");
            ended.present(&ended.refresh_token).await.expect_problem(401, "session_ended");
        }
    }
}

impl std::fmt::Display for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} steps answered, {} times 503, {} cut; {} sign-ups and {} logouts acknowledged; slowest answer {:?}",
            self.answered,
            self.unavailable,
            self.cut,
            self.users.len(),
            self.ended.len(),
            self.slowest
        )
    }
}

struct Person {
    http: Client,
    choose: Choose,
    over: Arc<AtomicBool>,
    tally: Arc<Tally>,
    faults: Faults,
    /// Whether the step may have been taken, unanswered.
    unsure: bool,
    ledger: Ledger,
}

impl Person {
    async fn live(mut self) -> Ledger {
        while !self.over.load(Ordering::Relaxed) {
            self.live_once().await;
        }
        self.ledger
    }

    /// One account. Every second one stays logged in.
    async fn live_once(&mut self) {
        let mut actor = Actor {
            http: self.http.clone(),
            base: String::new(),
            email: unique_email(),
            password: PASSWORD.to_owned(),
            access_token: String::new(),
            refresh_token: String::new(),
        };
        let credentials = json!({ "email": actor.email, "password": actor.password });
        let signup =
            self.step(|base| actor.at(base).request(Method::POST, "/auth/signup").json(&credentials)).await;
        // What was not answered may have been done all the same; then the address is taken, by us.
        assert!(
            signup.status == 201 || signup.status == 409 && self.unsure,
            "{}: {}",
            signup.status,
            signup.json
        );
        self.ledger.users.push(actor.clone());
        let login = self
            .step(|base| actor.at(base).request(Method::POST, "/auth/login").json(&credentials))
            .await
            .expect_status(200);
        keep(&mut actor, &login);
        self.stays(&actor);
        for _ in 0..2 {
            let me =
                self.step(|base| bearer(&actor.at(base), Method::GET, "/auth/me")).await.expect_status(200);
            assert_eq!(me.text("email"), actor.email, "somebody else's answer");
            let body = json!({ "refresh_token": actor.refresh_token });
            let refreshed = self
                .step(|base| actor.at(base).request(Method::POST, "/auth/refresh").json(&body))
                .await
                .expect_status(200);
            keep(&mut actor, &refreshed);
            self.stays(&actor);
        }
        if self.ledger.users.len().is_multiple_of(2) || self.over.load(Ordering::Relaxed) {
            return;
        }
        let body = json!({ "refresh_token": actor.refresh_token });
        // From now on nobody can say whether the session lives, until this is answered.
        self.step(|base| actor.at(base).request(Method::POST, "/auth/logout").json(&body))
            .await
            .expect_status(204);
        self.stays(&Actor { refresh_token: String::new(), ..actor.clone() });
        self.ledger.ended.push(actor.clone());
        let me = self.step(|base| bearer(&actor.at(base), Method::GET, "/auth/me")).await;
        me.expect_problem(401, "session_ended");
    }

    /// Remembers the newest tokens.
    fn stays(&mut self, actor: &Actor) {
        if let Some(last) = self.ledger.users.last_mut() {
            *last = actor.clone();
        }
    }

    /// Asks until there is an answer that is one.
    async fn step(&mut self, request: impl Fn(String) -> RequestBuilder) -> Answer {
        self.unsure = false;
        let begun = Instant::now();
        loop {
            let asked = Instant::now();
            match answer(request((self.choose)())).await {
                Ok(answer) if answer.status == 503 && self.faults != Faults::None => {
                    self.ledger.slowest = self.ledger.slowest.max(asked.elapsed());
                    assert!(answer.header("retry-after").parse::<u64>().is_ok(), "no Retry-After");
                    self.ledger.unavailable += 1;
                    self.tally.unavailable.fetch_add(1, Ordering::Relaxed);
                }
                Ok(answer) => {
                    self.ledger.slowest = self.ledger.slowest.max(asked.elapsed());
                    self.ledger.answered += 1;
                    self.tally.answered.fetch_add(1, Ordering::Relaxed);
                    return answer;
                }
                Err(error) => {
                    assert!(self.faults == Faults::Cut && !error.is_timeout(), "{error:?}");
                    self.ledger.cut += 1;
                }
            }
            self.unsure = true;
            assert!(begun.elapsed() < 2 * GIVE_UP, "a step is never answered");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn bearer(actor: &Actor, method: Method, path: &str) -> RequestBuilder {
    actor.request(method, path).bearer_auth(&actor.access_token)
}

fn keep(actor: &mut Actor, answer: &Answer) {
    actor.access_token = answer.text("access_token");
    actor.refresh_token = answer.text("refresh_token");
}

/// The whole answer, or what broke.
async fn answer(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.timeout(GIVE_UP).send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await?.to_vec();
    let json = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Answer { status, headers, body, json })
}
