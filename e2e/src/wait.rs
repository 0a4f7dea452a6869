//! Waiting for something to hold, with a bound and a sentence that says what was missing.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Looks until `look` answers `Ok(Some(value))`. Errors and `Ok(None)` are looked at again until `within` is over; the
/// failure then names `what` and the last error.
pub async fn until<T, F>(what: &str, within: Duration, mut look: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Option<T>>,
{
    let begun = Instant::now();
    loop {
        let last = match look().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => "it does not hold yet".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if begun.elapsed() > within {
            bail!("waited {within:?} for {what}: {last}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
