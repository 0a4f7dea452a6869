//! The trace id of a request: taken from a W3C `traceparent` header or made, and passed on to peers the same way.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The W3C header that carries a trace from caller to callee.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header of every answer that names its trace, for answers whose body has no room for it.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("grepzilla-trace-id");

/// The id that all log lines of one request share, on every node it touches. Never all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceId([u8; 16]);

impl TraceId {
    /// The id of a request: the caller's if it sent a well-formed one, else a new one.
    pub(crate) fn of_request(headers: &HeaderMap) -> TraceId {
        let sent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        sent.and_then(TraceId::from_traceparent).unwrap_or_else(TraceId::random)
    }

    fn random() -> TraceId {
        // A nil draw has a chance of 2^-128; the fixed bit makes it impossible.
        TraceId((rand::random::<u128>() | 1).to_be_bytes())
    }

    /// Reads `00-<32 hex>-<16 hex>-<2 hex>`; later versions may append fields.
    fn from_traceparent(text: &str) -> Option<TraceId> {
        let mut parts = text.trim().split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lengths_fit = version.len() == 2 && trace.len() == 32 && parent.len() == 16 && flags.len() == 2;
        let digits = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let known = version != "ff" && (version != "00" || parts.next().is_none());
        let non_zero = |part: &str| part.bytes().any(|byte| byte != b'0');
        if !(lengths_fit && [version, trace, parent, flags].into_iter().all(digits) && known && non_zero(parent)) {
            return None;
        }
        let id = u128::from_str_radix(trace, 16).ok().filter(|&id| id != 0)?;
        Some(TraceId(id.to_be_bytes()))
    }

    /// The `traceparent` header for a request to a peer, with a span id of its own.
    pub(crate) fn traceparent(self) -> HeaderValue {
        let span = rand::random::<u64>() | 1;
        HeaderValue::try_from(format!("00-{self}-{span:016x}-01"))
            .expect("hexadecimal digits and dashes are visible ASCII")
    }

    /// The `grepzilla-trace-id` header of the answer.
    pub(crate) fn header_value(self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("hexadecimal digits are visible ASCII")
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn id_for(traceparent: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::try_from(traceparent).expect("visible ASCII"));
        TraceId::of_request(&headers).to_string()
    }

    #[test]
    fn a_well_formed_traceparent_is_honoured_and_passed_on() {
        assert_eq!(id_for(SENT), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(id_for("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later"), id_for(SENT));
        let id = TraceId::from_traceparent(SENT).expect("well formed");
        assert_eq!(id_for(id.traceparent().to_str().expect("ASCII")), id_for(SENT));
    }

    #[test]
    fn anything_else_gets_a_new_id() {
        for bad in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ] {
            let (one, two) = (id_for(bad), id_for(bad));
            assert_eq!(one.len(), 32);
            assert_ne!(one, two, "{bad:?} was honoured");
        }
    }
}
