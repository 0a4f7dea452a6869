//! Plain HTTP to a server of this machine, beside the typed client: its metrics, and the APIs of others.

use std::time::Duration;

use anyhow::{Result, ensure};

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(300);

/// A client that needs neither certificates nor a proxy.
pub(crate) fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build()?)
}

/// The body of a request that must be answered well.
pub(crate) async fn body(request: reqwest::RequestBuilder) -> Result<String> {
    let answer = request.send().await?;
    let (status, url) = (answer.status(), answer.url().path().to_owned());
    let body = answer.text().await?;
    ensure!(status.is_success(), "{url} answers {status}: {}", body.chars().take(300).collect::<String>());
    Ok(body)
}

/// The sum of a metric over all its labels, in Prometheus' text form; 0 if it is not there.
pub(crate) fn metric(text: &str, name: &str) -> f64 {
    let value = |line: &str| -> Option<f64> {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labels) => labels.rsplit_once("} ")?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.parse().ok()
    };
    text.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_the_sum_over_its_labels_and_none_of_a_longer_name() {
        let text = "# TYPE a counter\na{x=\"1\"} 2\na{x=\"} 9\"} 3\na_total 50\nb 1.5\n";
        assert_eq!([metric(text, "a"), metric(text, "b"), metric(text, "c")], [5.0, 1.5, 0.0]);
    }
}
