use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{Denied, identify};
use crate::Keyward;

/// Guards what it is laid around; [`Keyward::require_role`] and [`Keyward::require_token`] make it.
#[derive(Debug, Clone)]
pub struct Guard {
    keyward: Keyward,
    role: Option<Arc<str>>,
}

/// A service behind a [`Guard`].
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl Guard {
    pub(super) fn new(keyward: Keyward, role: Option<String>) -> Self {
        Self { keyward, role: role.map(Arc::from) }
    }

    async fn admit(&self, request: Request) -> Result<Request, Denied> {
        let (mut parts, body) = request.into_parts();
        let claims = identify(&self.keyward, &mut parts).await?.ok_or(Denied::MissingToken)?;
        if self.role.as_ref().is_some_and(|role| !claims.has_role(role)) {
            return Err(Denied::MissingRole);
        }
        Ok(Request::from_parts(parts, body))
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.clone() }
    }
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The one that is ready is used up, and the clone takes its place.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let guard = self.guard.clone();
        Box::pin(async move {
            match guard.admit(request).await {
                Ok(request) => Ok(inner.call(request).await?.into_response()),
                Err(denied) => Ok(denied.into_response()),
            }
        })
    }
}
