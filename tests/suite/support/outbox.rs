use std::time::Duration;

use tokio::task::JoinSet;

use super::{Actor, Proxy, TestServer, eventually};

const PENDING: &str = "SELECT count(*) FROM outbox_deliveries WHERE published_at IS NULL";
/// What each of the users that come and go makes happen.
const LOGINS: usize = 5;

impl TestServer {
    /// Waits until every sink has every event.
    pub async fn published(&self) {
        eventually("everything is published", async || self.pending().await == 0).await;
    }

    pub async fn pending(&self) -> i64 {
        self.database.number(PENDING).await
    }

    /// How many events there are.
    pub async fn events(&self) -> usize {
        usize::try_from(self.database.number("SELECT count(*) FROM outbox").await).expect("a count")
    }

    /// What `/readyz` says is less than well; it stays ready.
    pub async fn degraded(&self) -> String {
        let operator = Actor::new(format!("http://{}", self.management));
        let readiness = operator.get("/readyz").await.expect_status(200);
        assert_eq!(readiness.json["ready"], true);
        readiness.json["degraded"][0].as_str().unwrap_or_default().to_owned()
    }

    /// Lets users sign up, log in and out, at the same time; each has six events.
    pub async fn come_and_go(&self, users: usize) {
        self.coming_and_going(users).join_all().await;
    }

    /// The same while the line to the broker is cut again and again.
    pub async fn come_and_go_while_cut(&self, users: usize, line: &Proxy) {
        let coming_and_going = self.coming_and_going(users);
        for _ in 0..5 {
            line.cut_for(Duration::from_millis(50)).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        coming_and_going.join_all().await;
    }

    fn coming_and_going(&self, users: usize) -> JoinSet<()> {
        let mut commands = JoinSet::new();
        for _ in 0..users {
            let mut user = self.anonymous();
            commands.spawn(async move {
                user.signup().await.expect_status(201);
                for _ in 0..LOGINS {
                    user.login().await.expect_status(200);
                    user.logout().await.expect_status(204);
                }
            });
        }
        commands
    }
}
