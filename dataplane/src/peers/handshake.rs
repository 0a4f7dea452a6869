//! The handshake of the peer port: the cluster secret, and which cluster and node is asking.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use grepzilla_api::peer;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::node::Node;
use crate::server::answer::Failure;
use crate::server::app::App;
use crate::server::trace::TraceId;

/// The headers that this node sends with every request to a peer.
pub(super) fn headers(node: &Node) -> HeaderMap {
    let value = |text: String| HeaderValue::try_from(text).ok();
    let mut headers = HeaderMap::new();
    let secret = node.secret.as_ref().and_then(|secret| value(format!("Bearer {}", secret.to_hex())));
    if let Some(mut secret) = secret {
        secret.set_sensitive(true);
        headers.insert(peer::AUTHORIZATION, secret);
    }
    headers.extend(value(node.cluster.to_string()).map(|value| (http::HeaderName::from_static(peer::CLUSTER), value)));
    headers.extend(value(node.name.to_string()).map(|value| (http::HeaderName::from_static(peer::NODE), value)));
    headers.extend(
        value(node.incarnation.to_string()).map(|value| (http::HeaderName::from_static(peer::INCARNATION), value)),
    );
    headers
}

/// Lets a request through only from a node of this cluster.
pub(crate) async fn require_handshake(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceId>,
    request: Request,
    next: Next,
) -> Response {
    match check(&app.node, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.respond(trace),
    }
}

fn check(node: &Node, headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let digits = text(peer::AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
    if !node.secret.as_ref().is_some_and(|secret| secret.matches_hex(digits)) {
        let message = "the cluster secret is missing or another one";
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "wrong_secret", message));
    }
    let (found, expected) = (text(peer::CLUSTER), node.cluster.to_string());
    if found != expected {
        let found: String = found.chars().take(80).collect();
        let message = format!("this node belongs to cluster {expected}, the request to {found:?}");
        let details = json!({ "cluster": expected });
        return Err(Failure::new(StatusCode::CONFLICT, "wrong_cluster", message).details(details));
    }
    Ok(())
}
