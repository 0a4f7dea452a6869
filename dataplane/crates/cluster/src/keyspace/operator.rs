//! `operator`: which operator may write. Raised by compare-and-swap when one takes the lead, compared in each of its
//! transactions, so an operator that was replaced without noticing writes nothing more.

use serde::{Deserialize, Serialize};

use super::{Nonce, Value};

/// An operator's term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorTerm {
    /// Rises by one with each operator that takes the lead. From 1.
    pub term: u64,
    /// Who has it, for people.
    pub holder: String,
    /// The holder's own mark.
    pub nonce: Nonce,
}

impl Value for OperatorTerm {
    const KIND: &'static str = "operator term";
}

#[cfg(test)]
mod tests {
    use super::super::value::testing::assert_round_trip;
    use super::*;

    #[test]
    fn round_trip_and_damage() {
        let nonce = serde_json::from_str(r#""00000000000000ff""#).unwrap();
        let term = OperatorTerm { term: 3, holder: "operator-a".to_owned(), nonce };
        let json = r#"{"v":1,"value":{"term":3,"holder":"operator-a","nonce":"00000000000000ff"}}"#;
        assert_round_trip(&term, json);
    }
}
