//! Who wrote what to the API server, from its own audit log.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::kind::on_machine;

/// Where `kind-config.yaml` makes the API server write.
const AUDIT_LOG: &str = "/var/log/kubernetes/audit.log";

/// A position in the audit log.
pub struct Mark {
    control_plane: String,
    lines: usize,
}

/// Remembers the log's end.
pub async fn mark(control_plane: &str) -> Result<Mark> {
    let lines = on_machine(control_plane, &format!("wc -l < {AUDIT_LOG}")).await?;
    Ok(Mark { control_plane: control_plane.to_owned(), lines: lines.trim().parse().context("wc prints a number")? })
}

/// The writes of a user since a mark, Leases aside, each as `verb resource namespace/name`.
pub async fn writes_since(mark: &Mark, user: &str) -> Result<Vec<String>> {
    let text = on_machine(&mark.control_plane, &format!("tail -n +{} {AUDIT_LOG}", mark.lines + 1)).await?;
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(events
        .filter(|event| is_write(event) && event["user"]["username"] == user)
        .map(|event| sentence(&event))
        .collect())
}

fn is_write(event: &Value) -> bool {
    let verb = event["verb"].as_str().unwrap_or_default();
    let writes = ["create", "update", "patch", "delete", "deletecollection"].contains(&verb);
    writes && event["stage"] == "ResponseComplete" && event["objectRef"]["resource"] != "leases"
}

fn sentence(event: &Value) -> String {
    let (verb, object) = (event["verb"].as_str().unwrap_or_default(), &event["objectRef"]);
    format!("{verb} {} {}/{}", object["resource"], object["namespace"], object["name"]).replace('"', "")
}
