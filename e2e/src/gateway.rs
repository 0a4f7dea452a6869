//! The way in: a cluster's client Service, by its node port.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Service;
use kube::api::Api;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::resource::Resource;
use crate::wait::until;

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(70);

/// How long kube-proxy may take to hear of a ready pod.
const PROXY_PATIENCE: Duration = Duration::from_secs(30);

/// A cluster's HTTP API as its Service offers it.
#[derive(Clone)]
pub struct Gateway {
    http: reqwest::Client,
    url: String,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Value,
}

impl Gateway {
    /// Finds the Service of a cluster that is available, and waits until kube-proxy has heard of its pods too.
    pub async fn open(kind: &Kind, cluster: &Resource) -> Result<Gateway> {
        let services: Api<Service> = Api::namespaced(kind.client.clone(), &cluster.namespace);
        let service = services.get(&cluster.name).await.context("the client Service has the cluster's name")?;
        let ports = service.spec.and_then(|spec| spec.ports).unwrap_or_default();
        let port = ports.iter().find_map(|port| port.node_port).context("the Service has no node port")?;
        // A connection of its own for each request: the Service spreads connections, not requests, over the pods.
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .connect_timeout(Duration::from_secs(2))
            .timeout(PATIENCE)
            .build()?;
        let gateway = Gateway { http, url: format!("http://{}:{port}", kind.worker_address().await?) };
        until("the Service to lead to a pod", PROXY_PATIENCE, async || gateway.get("/healthz").await.map(Some)).await?;
        Ok(gateway)
    }

    /// Keeps connections open between requests, as a shipper does.
    pub fn pooled(self) -> Result<Gateway> {
        Ok(Gateway { http: reqwest::Client::builder().timeout(PATIENCE).build()?, ..self })
    }

    /// Sends NDJSON to an index.
    pub async fn ingest(&self, index: &str, body: String) -> Result<Answer> {
        let request = self.http.post(format!("{}/ingest?index={index}", self.url));
        self.send(request.header("content-type", "application/x-ndjson").body(body)).await
    }

    /// Sends a search.
    pub async fn search(&self, body: &Value) -> Result<Answer> {
        self.send(self.http.post(format!("{}/search", self.url)).json(body)).await
    }

    /// Sends a search that must succeed in full.
    pub async fn search_whole(&self, body: &Value) -> Result<Value> {
        let answer = self.search(body).await?;
        ensure!(answer.status == StatusCode::OK, "{body} was answered with {} {}", answer.status, answer.body);
        ensure!(
            answer.body["partial"] == json!(false),
            "{body} was answered in part: {}",
            answer.body["failed_shards"]
        );
        Ok(answer.body)
    }

    /// How many documents of an index there are: every document has some value with some character.
    pub async fn documents(&self, index: &str) -> Result<u64> {
        let everything = json!({"regex": "(?s).", "index": [index], "count": true, "page": {"size": 0},
                                "limits": {"deadline_ms": 60_000}});
        total(&self.search_whole(&everything).await?)
    }

    /// Reads a path.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, headers, body })
    }
}

/// The exact total of an answer.
pub fn total(body: &Value) -> Result<u64> {
    let relation = &body["total_relation"];
    ensure!(
        relation == "eq",
        "a total is {relation}; metrics: {}; missing: {}",
        body["metrics"],
        body["failed_shards"]
    );
    body["total"].as_u64().context("a total is a number")
}
