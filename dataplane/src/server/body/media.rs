//! Which content types are taken: JSON and its line-wise form, named by the sender.
//!
//! A missing type and the types of HTML forms and plain text are refused, because a browser sends those to any address
//! on behalf of any page without asking first.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::server::answer::Failure;

const JSON: &str = "application/json";
const LINES: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

/// Checks that a body is said to be JSON, or, where `lines` are welcome, a document a line.
pub(crate) fn require_json(headers: &HeaderMap, lines: bool) -> Result<(), Failure> {
    let text = headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let text = text.unwrap_or_default();
    let (kind, parameters) = text.split_once(';').unwrap_or((&text, ""));
    let kind_fits = kind.trim() == JSON || (lines && LINES.contains(&kind.trim()));
    if kind_fits && charset_fits(parameters) {
        return Ok(());
    }
    let welcome = if lines { "application/json or application/x-ndjson" } else { JSON };
    let found =
        if text.is_empty() { "absent".to_owned() } else { format!("{:?}", text.chars().take(80).collect::<String>()) };
    let message = format!("content-type is {found}: send {welcome}, in UTF-8");
    Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message))
}

fn charset_fits(parameters: &str) -> bool {
    let charset = parameters.split(';').filter_map(|parameter| parameter.trim().strip_prefix("charset="));
    charset.map(|value| value.trim_matches('"')).all(|value| value == "utf-8" || value == "utf8" || value == "us-ascii")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn taken(content_type: &str, lines: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(content_type).expect("visible ASCII"));
        require_json(&headers, lines).is_ok()
    }

    #[test]
    fn json_and_lines_are_taken_whatever_their_spelling() {
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
            assert!(taken(good, false) && taken(good, true), "{good:?} was refused");
        }
        assert!(taken("application/x-ndjson", true));
        assert!(!taken("application/x-ndjson", false));
    }

    #[test]
    fn what_a_browser_sends_unasked_is_refused() {
        for bad in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json"] {
            assert!(!taken(bad, true), "{bad:?} was taken");
        }
        assert!(!taken("application/json; charset=utf-16", true));
        let failure = require_json(&HeaderMap::new(), true).expect_err("no type is refused");
        assert_eq!(failure.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(failure.message.contains("absent"), "{}", failure.message);
    }
}
