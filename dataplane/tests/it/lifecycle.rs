//! The life of a node: who may start, how it ends, and what is there when it comes back.

mod alone;
mod damaged;
mod in_cluster;
mod killed;
mod retention;
mod segments;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::NodeProcess;

/// How long anything may take that is waited for.
const TIME_MAX: Duration = Duration::from_secs(30);

/// Looks again and again until something is so.
async fn eventually<T>(what: &str, mut is_so: impl AsyncFnMut() -> Result<T, Value>) -> T {
    let deadline = Instant::now() + TIME_MAX;
    loop {
        match is_so().await {
            Ok(found) => return found,
            Err(found) => assert!(Instant::now() < deadline, "{what}: it is still {found}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Documents with these ids; the id is their text too.
fn documents(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({"_id": id, "text": id})).collect()
}

/// How many documents contain a text, and whether some shard did not say.
async fn count(node: &NodeProcess, text: &str) -> (u64, bool) {
    let search = json!({"contains": text, "count": true, "page": {"size": 0}});
    let (_, answer) = node.answer(node.request("POST", "/search").json(&search)).await;
    (answer["total"].as_u64().unwrap_or_else(|| panic!("{answer}")), answer["partial"] == true)
}
