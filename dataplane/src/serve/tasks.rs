//! The tasks without any of which the node must not go on: whoever ends before being asked to stops the node.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::{Id, JoinError, JoinSet};

/// The running tasks, by name.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    set: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Runs a task. Its name is what an error calls it.
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let handle = self.set.spawn(task);
        self.names.insert(handle.id(), name);
    }

    /// Resolves when any task ends, which none should: with the error that names it. Cancel safe.
    pub(super) async fn unexpected_end(&mut self) -> anyhow::Error {
        match self.next().await {
            Some((name, Ok(()))) => anyhow!("task {name} ended although nobody asked it to"),
            Some((name, Err(error))) => error.context(format!("task {name} failed")),
            None => std::future::pending().await,
        }
    }

    /// Waits for the tasks of these names, which were asked to end; an end of another one on the way is an error.
    pub(super) async fn join(&mut self, asked: &[&str], time_max: Duration) -> anyhow::Result<()> {
        let ended = tokio::time::timeout(time_max, self.ended(asked)).await;
        ended.unwrap_or_else(|_| Err(anyhow!("{} did not end within {} s", asked.join(", "), time_max.as_secs())))
    }

    async fn ended(&mut self, asked: &[&str]) -> anyhow::Result<()> {
        while self.names.values().any(|name| asked.contains(name)) {
            match self.next().await.expect("a task that has a name has not been joined") {
                (name, Ok(())) if asked.contains(&name) => {}
                (name, Ok(())) => return Err(anyhow!("task {name} ended although nobody asked it to")),
                (name, Err(error)) => return Err(error.context(format!("task {name} failed"))),
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<(&'static str, anyhow::Result<()>)> {
        let (id, outcome) = match self.set.join_next_with_id().await? {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Err(panicked(error))),
        };
        let name = self.names.remove(&id).expect("each task of the set was given a name when it was spawned");
        Some((name, outcome))
    }
}

fn panicked(error: JoinError) -> anyhow::Error {
    match error.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            anyhow!("it panicked: {}", text.as_deref().unwrap_or("without a message"))
        }
        Err(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_nobody_asked_for_names_the_task() {
        let mut tasks = Tasks::default();
        tasks.spawn("sleeper", std::future::pending());
        tasks.spawn("walker", async { Ok(()) });
        assert_eq!(tasks.unexpected_end().await.to_string(), "task walker ended although nobody asked it to");
        tasks.spawn("runner", async { Err(anyhow!("stumbled")) });
        assert_eq!(format!("{:#}", tasks.unexpected_end().await), "task runner failed: stumbled");
        tasks.spawn("climber", async { panic!("fell") });
        assert_eq!(format!("{:#}", tasks.unexpected_end().await), "task climber failed: it panicked: fell");
    }

    #[tokio::test]
    async fn tasks_that_were_asked_to_end_have_their_time() {
        let mut tasks = Tasks::default();
        for name in ["one", "two"] {
            tasks.spawn(name, async { Ok(()) });
        }
        tasks.join(&["two", "one"], Duration::from_secs(5)).await.expect("both end");
        tasks.join(&["one"], Duration::from_secs(5)).await.expect("it has ended");
        tasks.spawn("slow", std::future::pending());
        let error = tasks.join(&["slow"], Duration::from_millis(5)).await.expect_err("it does not end");
        assert!(error.to_string().contains("slow did not end"), "{error}");
        tasks.spawn("other", async { Ok(()) });
        let error = tasks.join(&["slow"], Duration::from_secs(5)).await.expect_err("another one ended");
        assert!(error.to_string().contains("task other ended"), "{error}");
    }
}
