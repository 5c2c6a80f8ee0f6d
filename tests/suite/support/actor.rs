use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

pub const PASSWORD: &str = "a quiet lake at dawn";

/// An address that no other test uses.
pub fn unique_email() -> String {
    format!("user-{}@example.com", uuid::Uuid::from_bytes(keyward::random::bytes()).simple())
}

/// Someone at the other end of HTTP, with the tokens they hold.
#[derive(Debug, Clone)]
pub struct Actor {
    pub http: Client,
    pub base: String,
    pub email: String,
    pub password: String,
    pub access_token: String,
    pub refresh_token: String,
}

impl Actor {
    pub fn new(base: String) -> Self {
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        Self {
            http: http.expect("a client"),
            base,
            email: unique_email(),
            password: PASSWORD.to_owned(),
            access_token: String::new(),
            refresh_token: String::new(),
        }
    }

    /// The same person at another server.
    pub fn at(&self, base: String) -> Self {
        Self { base, ..self.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// Posts any bytes as JSON.
    pub async fn post_raw(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        Answer::of(request.body(body)).await
    }

    pub async fn signup(&self) -> Answer {
        self.post("/auth/signup", &json!({ "email": self.email, "password": self.password })).await
    }

    /// Signs up under any address and password.
    pub async fn signup_as(&self, email: &str, password: &str) -> Answer {
        self.post("/auth/signup", &json!({ "email": email, "password": password })).await
    }

    /// Logs in with any address and password, and keeps nothing.
    pub async fn login_as(&self, email: &str, password: &str) -> Answer {
        self.post("/auth/login", &json!({ "email": email, "password": password })).await
    }

    /// Logs in and keeps the tokens.
    pub async fn login(&mut self) -> Answer {
        let body = json!({ "email": self.email, "password": self.password });
        let answer = self.post("/auth/login", &body).await;
        self.keep(&answer);
        answer
    }

    /// Refreshes and keeps the tokens.
    pub async fn refresh(&mut self) -> Answer {
        let answer = self.present(&self.refresh_token.clone()).await;
        self.keep(&answer);
        answer
    }

    /// Presents any refresh token, and keeps nothing.
    pub async fn present(&self, refresh_token: &str) -> Answer {
        self.post("/auth/refresh", &json!({ "refresh_token": refresh_token })).await
    }

    /// Asks with the access token.
    pub async fn ask(&self, method: Method, path: &str) -> Answer {
        Answer::of(self.request(method, path).bearer_auth(&self.access_token)).await
    }

    /// Asks with the access token and a body.
    pub async fn tell(&self, method: Method, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(method, path).bearer_auth(&self.access_token).json(body)).await
    }

    /// The user id, asked for.
    pub async fn id(&self) -> String {
        self.me().await.expect_status(200).text("id")
    }

    pub async fn me(&self) -> Answer {
        self.me_with(&self.access_token).await
    }

    pub async fn me_with(&self, access_token: &str) -> Answer {
        Answer::of(self.request(Method::GET, "/auth/me").bearer_auth(access_token)).await
    }

    /// Logs out by access token.
    pub async fn logout(&self) -> Answer {
        Answer::of(self.request(Method::POST, "/auth/logout").bearer_auth(&self.access_token)).await
    }

    pub async fn logout_everywhere(&self) -> Answer {
        Answer::of(self.request(Method::POST, "/auth/logout?all=true").bearer_auth(&self.access_token)).await
    }

    /// Logs out by any refresh token; `query` is empty or `?all=true`.
    pub async fn logout_by(&self, refresh_token: &str, query: &str) -> Answer {
        self.post(&format!("/auth/logout{query}"), &json!({ "refresh_token": refresh_token })).await
    }

    /// The same person with a session of its own.
    pub async fn on_another_device(&self) -> Self {
        let mut other = self.clone();
        other.login().await.expect_status(200);
        other
    }

    fn keep(&mut self, answer: &Answer) {
        if answer.status == StatusCode::OK {
            self.access_token = answer.text("access_token");
            self.refresh_token = answer.text("refresh_token");
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
    /// `Null` when the body is not JSON.
    pub json: Value,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.expect("a whole body").to_vec();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Self { status, headers, body, json }
    }

    /// Asserts the status, and shows the body if it is another.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// Asserts a problem of this status and code, well-formed as RFC 9457 wants it.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect_status(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json["code"], code, "{}", answer.json);
        assert_eq!(answer.json["status"], status);
        assert_eq!(answer.json["request_id"], answer.header("x-request-id"));
        assert!(answer.text("type").ends_with(&format!("/docs/errors/{code}")));
        answer
    }

    /// Asserts that exactly this field was refused, and why.
    #[track_caller]
    pub fn expect_field(self, pointer: &str, code: &str) -> Self {
        let answer = self.expect_problem(422, "invalid_request");
        let errors = answer.json["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!((&errors[0]["pointer"], &errors[0]["code"]), (&json!(pointer), &json!(code)));
        answer
    }

    /// A text member of the body.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        self.json[name].as_str().unwrap_or_else(|| panic!("no text {name} in {}", self.json)).to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
