//! A random walk through sessions, over HTTP, beside a model that remembers every token.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::{Actor, Answer, TestServer};

const GRACE: u64 = 30;
const ACCESS: u64 = 600;
const IDLE: u64 = 7 * 24 * 3600;
const ABSOLUTE: u64 = 30 * 24 * 3600;

/// `session` is taken modulo the sessions that there are; `back` counts from the newest token.
#[derive(Debug, Clone)]
enum Action {
    LogIn,
    Present { session: usize, back: usize },
    Me { session: usize },
    Advance { seconds: u64 },
    LogOut { session: usize, back: usize },
    LogOutEverywhere { session: usize, back: usize },
}

/// No sum of these pauses comes within a second of a limit and stays below it, so the real time that
/// a walk takes does not matter.
fn action() -> impl Strategy<Value = Action> {
    let (session, back) = (0..3_usize, prop_oneof![6 => Just(0), 3 => Just(1), 2 => 2..4_usize]);
    prop_oneof![
        1 => Just(Action::LogIn),
        12 => (session.clone(), back.clone()).prop_map(|(session, back)| Action::Present { session, back }),
        4 => session.clone().prop_map(|session| Action::Me { session }),
        6 => prop_oneof![3 => Just(12), 2 => Just(40), 1 => Just(5 * 24 * 3600)]
            .prop_map(|seconds| Action::Advance { seconds }),
        1 => (session.clone(), back.clone()).prop_map(|(session, back)| Action::LogOut { session, back }),
        1 => (session, back).prop_map(|(session, back)| Action::LogOutEverywhere { session, back }),
    ]
}

struct Session {
    began: u64,
    rotated: u64,
    ended: bool,
    ended_by_all: bool,
    /// Every refresh token that was ever given out, by generation.
    tokens: Vec<String>,
    access: String,
    access_made: u64,
}

struct Model {
    actor: Actor,
    now: u64,
    sessions: Vec<Session>,
}

impl Model {
    fn live(&self, session: &Session) -> bool {
        !session.ended && self.now < session.rotated + IDLE && self.now < session.began + ABSOLUTE
    }

    fn log_in(&mut self, answer: &Answer) {
        self.sessions.push(Session {
            began: self.now,
            rotated: self.now,
            ended: false,
            ended_by_all: false,
            tokens: vec![answer.text("refresh_token")],
            access: answer.text("access_token"),
            access_made: self.now,
        });
    }

    /// What presenting a token is to give: `Ok(generation)` of the answer, or the code of the refusal.
    fn predict(&self, session: &Session, back: usize) -> Result<usize, &'static str> {
        let newest = session.tokens.len() - 1;
        match back {
            _ if !self.live(session) => Err("session_ended"),
            0 => Ok(newest + 1),
            1 if self.now - session.rotated < GRACE => Ok(newest),
            _ => Err("refresh_token_reused"),
        }
    }
}

async fn step(model: &mut Model, server: &TestServer, action: &Action) -> Result<(), TestCaseError> {
    let count = model.sessions.len();
    let pick = |session: usize| session % count;
    // A token that was never given out cannot be presented: the oldest there is stands in for it.
    let reach = |model: &Model, at: usize, back: usize| back.min(model.sessions[at].tokens.len() - 1);
    match *action {
        Action::LogIn => {
            let answer = model.actor.login().await;
            prop_assert_eq!(answer.status, 200);
            model.log_in(&answer);
        }
        Action::Advance { seconds } => {
            server.clock.advance(Duration::from_secs(seconds));
            model.now += seconds;
        }
        Action::Present { session, back } => {
            let at = pick(session);
            let back = reach(model, at, back);
            let predicted = model.predict(&model.sessions[at], back);
            let now = model.now;
            let session = &mut model.sessions[at];
            let answer = model.actor.present(&session.tokens[session.tokens.len() - 1 - back]).await;
            match predicted {
                Ok(generation) => {
                    prop_assert_eq!(answer.status, 200, "{}", answer.json);
                    let token = answer.text("refresh_token");
                    if generation == session.tokens.len() {
                        prop_assert!(!session.tokens.contains(&token), "a new generation is a new token");
                        session.tokens.push(token);
                        session.rotated = now;
                    } else {
                        prop_assert_eq!(&token, &session.tokens[generation]);
                    }
                    session.access = answer.text("access_token");
                    session.access_made = now;
                }
                Err(code) => {
                    prop_assert_eq!(answer.status, 401);
                    prop_assert_eq!(&answer.json["code"], code);
                    session.ended |= code == "refresh_token_reused";
                }
            }
        }
        Action::Me { session } => {
            let session = &model.sessions[pick(session)];
            let answer = model.actor.me_with(&session.access).await;
            if model.now >= session.access_made + ACCESS {
                prop_assert_eq!(&answer.json["code"], "invalid_token");
            } else if model.live(session) {
                prop_assert_eq!(answer.status, 200, "{}", answer.json);
            } else {
                prop_assert_eq!(&answer.json["code"], "session_ended");
            }
        }
        Action::LogOut { session, back } => {
            let at = pick(session);
            let back = reach(model, at, back);
            let session = &mut model.sessions[at];
            let token = &session.tokens[session.tokens.len() - 1 - back];
            let answer = model.actor.logout_by(token, "").await;
            prop_assert_eq!(answer.status, 204, "any generation ends its own session");
            session.ended = true;
        }
        Action::LogOutEverywhere { session, back } => {
            let at = pick(session);
            let back = reach(model, at, back);
            let session = &model.sessions[at];
            let token = &session.tokens[session.tokens.len() - 1 - back];
            let answer = model.actor.logout_by(token, "?all=true").await;
            if session.ended_by_all {
                prop_assert_eq!(answer.status, 204, "the same request again");
            } else if !model.live(session) {
                prop_assert_eq!(&answer.json["code"], "session_ended");
            } else if back > 0 {
                prop_assert_eq!(&answer.json["code"], "invalid_refresh_token");
            } else {
                prop_assert_eq!(answer.status, 204);
                for session in &mut model.sessions {
                    session.ended_by_all |= !session.ended;
                    session.ended = true;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_random_walk_goes_as_a_model_predicts() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(TestServer::start());
    let config = Config { cases: 16, failure_persistence: None, ..Config::default() };
    let walks = prop::collection::vec(action(), 10..60);
    let result = TestRunner::new(config).run(&walks, |actions| {
        runtime.block_on(async {
            let mut actor = server.anonymous();
            actor.signup().await.expect_status(201);
            let first = actor.login().await.expect_status(200);
            let mut model = Model { actor, now: 0, sessions: vec![] };
            model.log_in(&first);
            for action in &actions {
                step(&mut model, &server, action).await?;
            }
            Ok(())
        })
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    runtime.block_on(server.database.check_invariants());
    // The server's database is let go of inside a runtime.
    runtime.block_on(async { drop(server) });
}
