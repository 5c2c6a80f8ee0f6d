//! The service beside a real Keyward: each in its own place, joined by a URL.

#[cfg(test)]
mod events;
#[cfg(test)]
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(test)]
mod rabbitmq;
#[cfg(test)]
mod running;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::running::{ADMIN, Keyward, UserService};

    const ANN: &str = "ann@example.com";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_user_keeps_a_profile_and_only_admins_see_all() {
        let keyward = Keyward::start().await;
        let service = UserService::start(&keyward.issuer);
        let id = keyward.sign_up(ANN).await;
        let ann = keyward.log_in(ANN).await;
        let admin = keyward.log_in(ADMIN).await;

        assert_eq!(service.get("/profiles/me", Some(&ann)).await.0, 404);
        let (status, put) =
            service.put("/profiles/me", Some(&ann), &json!({"display_name": " Ann ", "bio": "lakes"})).await;
        assert_eq!((status, &put["user_id"], &put["display_name"]), (200, &json!(id), &json!("Ann")));
        assert_eq!(service.get("/profiles/me", Some(&ann)).await, (200, put.clone()));
        service.put("/profiles/me", Some(&ann), &json!({"display_name": "Anna"})).await;

        let (status, refused) = service.get("/profiles", Some(&ann)).await;
        assert_eq!((status, &refused["code"]), (403, &json!("insufficient_scope")));
        service.put("/profiles/me", Some(&admin), &json!({"display_name": "Boss"})).await;
        let (status, all) = service.get("/profiles", Some(&admin)).await;
        assert_eq!(status, 200);
        let names: Vec<_> = all["items"].as_array().unwrap().iter().map(|one| &one["display_name"]).collect();
        assert_eq!(names, ["Boss", "Anna"], "in the order in which they came to Keyward");
        let boss = all["items"][0]["user_id"].as_str().unwrap();
        let (_, rest) = service.get(&format!("/profiles?after={boss}&limit=1"), Some(&admin)).await;
        assert_eq!(rest["items"][0]["user_id"], json!(id));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_comes_in_without_a_good_token() {
        let keyward = Keyward::start().await;
        let service = UserService::start(&keyward.issuer);
        keyward.sign_up(ANN).await;
        let ann = keyward.log_in(ANN).await;
        let forged = format!("{}A", ann.rsplit_once('.').unwrap().0);
        for path in ["/profiles/me", "/profiles"] {
            for (token, code) in [(None, "missing_token"), (Some(&forged), "invalid_token")] {
                let (status, body) = service.get(path, token.map(String::as_str)).await;
                assert_eq!((status, &body["code"]), (401, &json!(code)), "{path}");
            }
        }
        let (status, _) = service.put("/profiles/me", None, &json!({"display_name": "x"})).await;
        assert_eq!(status, 401);
        assert_eq!(service.get("/health", None).await, (200, json!({"status": "ok"})));
        assert_eq!(service.get("/nothing", None).await.0, 404);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_makes_no_profile_is_refused() {
        let keyward = Keyward::start().await;
        let service = UserService::start(&keyward.issuer);
        keyward.sign_up(ANN).await;
        let ann = keyward.log_in(ANN).await;
        for body in [
            json!({}),
            json!({"display_name": ""}),
            json!({"display_name": " "}),
            json!({"display_name": "a\nb"}),
            json!({"display_name": "x".repeat(101)}),
            json!({"display_name": "x", "bio": "x".repeat(2001)}),
            json!({"display_name": "x", "user_id": "someone else"}),
            json!({"display_name": 1}),
        ] {
            let (status, problem) = service.put("/profiles/me", Some(&ann), &body).await;
            assert_eq!((status, &problem["code"]), (422, &json!("invalid_request")), "{body}");
        }
        assert_eq!(service.get("/profiles/me", Some(&ann)).await.0, 404, "nothing was kept");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn profiles_outlive_the_service_and_it_needs_keyward_only_for_keys() {
        let mut keyward = Keyward::start().await;
        let mut service = UserService::start(&keyward.issuer);
        keyward.sign_up(ANN).await;
        let ann = keyward.log_in(ANN).await;
        let (_, put) = service.put("/profiles/me", Some(&ann), &json!({"display_name": "Ann"})).await;
        assert_eq!(service.stop(), Some(0));
        service.start_again();
        assert_eq!(service.get("/profiles/me", Some(&ann)).await, (200, put.clone()));
        keyward.stop();
        assert_eq!(service.get("/profiles/me", Some(&ann)).await, (200, put));

        // One that starts while Keyward is away serves, but lets nobody in.
        let late = UserService::start(&keyward.issuer);
        assert_eq!(late.get("/health", None).await.0, 200);
        assert_eq!(late.get("/profiles/me", Some(&ann)).await.0, 503);
    }
}
