//! The races of the suite again, where nothing is shared but the database: three servers on PostgreSQL, each a process of
//! its own. On the embedded database there is one server, and the command line beside it.

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Actor, Server, Setup, TestDatabase};

const AT_ONCE: usize = 48;

struct Replicas {
    database: TestDatabase,
    setup: Setup,
    servers: Vec<Server>,
}

impl Replicas {
    async fn start() -> Self {
        let database = TestDatabase::create().await;
        let setup = Setup::on(&database);
        let mut servers = Vec::new();
        for _ in 0..if database.embedded() { 1 } else { 3 } {
            servers.push(setup.serve().await);
        }
        Self { database, setup, servers }
    }

    /// The same person at one server after the other.
    fn at(&self, n: usize, user: &Actor) -> Actor {
        user.at(self.servers[n % self.servers.len()].url(""))
    }

    /// Someone whom the operator made an admin.
    async fn admin(&self) -> Actor {
        let mut admin = self.servers[0].anonymous();
        let create = ["users", "create", "--role", "admin", "--password-stdin", "--email", &admin.email];
        self.setup.run_with_input(&create, &format!("{}\n", admin.password)).await.expect_code(0);
        admin.login().await.expect_status(200);
        admin
    }
}

/// R1, R3: one successor, whichever process was asked; then R2: the stolen one ends the session in all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_in_three_processes_has_one_successor() {
    let replicas = Replicas::start().await;
    let mut user = replicas.servers[0].user().await;
    let stolen = user.refresh_token.clone();
    for round in 0..4 {
        let mut presented = JoinSet::new();
        for n in 0..AT_ONCE {
            let someone = replicas.at(n, &user);
            presented.spawn(async move { someone.present(&someone.refresh_token).await });
        }
        let answers = presented.join_all().await;
        let successor = answers[0].text("refresh_token");
        for answer in answers {
            assert_eq!(answer.expect_status(200).text("refresh_token"), successor, "round {round}: a fork");
        }
        user.refresh_token = successor;
    }
    user.present(&stolen).await.expect_problem(401, "refresh_token_reused");
    for n in 0..replicas.servers.len() {
        let user = replicas.at(n, &user);
        user.me().await.expect_problem(401, "session_ended");
        user.present(&user.refresh_token).await.expect_problem(401, "session_ended");
    }
    replicas.database.check_invariants().await;
}

/// R5, T7: whatever a racing refresh gave, in any process, is over once a logout in another one is acked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_in_one_process_counts_in_the_others() {
    let replicas = Replicas::start().await;
    let person = replicas.servers[0].user().await;
    for round in 0..8 {
        let user = person.on_another_device().await;
        let mut refreshes = JoinSet::new();
        for n in 0..6 {
            let someone = replicas.at(n, &user);
            refreshes.spawn(async move { someone.present(&someone.refresh_token).await });
        }
        let leaver = replicas.at(round, &user);
        match round % 3 {
            0 => leaver.logout().await.expect_status(204),
            1 => leaver.logout_by(&user.refresh_token, "").await.expect_status(204),
            _ => leaver.logout_everywhere().await.expect_status(204),
        };
        for answer in refreshes.join_all().await {
            let elsewhere = replicas.at(round + 1, &user);
            if answer.status == 200 {
                elsewhere.me_with(&answer.text("access_token")).await.expect_problem(401, "session_ended");
                elsewhere.present(&answer.text("refresh_token")).await.expect_problem(401, "session_ended");
            } else {
                answer.expect_problem(401, "session_ended");
            }
        }
    }
    replicas.database.check_invariants().await;
}

/// P6: one account and one event, whichever process was first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_sign_up_one_address_one_gets_it() {
    let replicas = Replicas::start().await;
    let stranger = replicas.servers[0].anonymous();
    let mut signups = JoinSet::new();
    for n in 0..AT_ONCE {
        let mut someone = replicas.at(n, &stranger);
        if n % 2 == 1 {
            someone.email = format!(" {} ", someone.email.to_uppercase());
        }
        signups.spawn(async move { someone.signup().await });
    }
    let mut made = 0;
    for answer in signups.join_all().await {
        match answer.status.as_u16() {
            201 => made += 1,
            _ => drop(answer.expect_problem(409, "email_taken")),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(replicas.database.number("SELECT count(*) FROM outbox").await, 1);
    replicas.database.check_invariants().await;
}

/// Z4: two admins take the role from each other in two processes, while the operator tries too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_in_different_processes_never_leave_none() {
    let replicas = Replicas::start().await;
    for _ in 0..3 {
        let (one, other) = (replicas.admin().await, replicas.admin().await);
        let (one_id, other_id) = (one.id().await, other.id().await);
        let (here, there) = (replicas.at(1, &one), replicas.at(2, &other));
        let path = |id: &str| format!("/admin/users/{id}/roles");
        let (to_other, to_one) = (path(&other_id), path(&one_id));
        let user = json!({ "roles": ["user"] });
        let demote = ["users", "set-roles", &other_id, "user"];
        let (first, second, _operator) = tokio::join!(
            here.tell(Method::PUT, &to_other, &user),
            there.tell(Method::PUT, &to_one, &user),
            replicas.setup.run(&demote),
        );
        for answer in [first, second] {
            assert!(matches!(answer.status.as_u16(), 200 | 403 | 409), "{} {}", answer.status, answer.json);
        }
        let admins = "SELECT count(*) FROM users_auth WHERE status = 'active' AND roles LIKE '%admin%'";
        assert!(replicas.database.number(admins).await >= 1);
    }
    replicas.database.check_invariants().await;
}
