//! What a search looks for: its one pattern, or its tree.

use grepzilla_api::peer::{LeafNode, LeafPattern};
use grepzilla_api::search::{QueryNode, RangeBounds, SearchRequest};
use serde_json::json;

use super::bad;
use crate::server::answer::Failure;

/// Bytes of a field's path.
const FIELD_BYTES_MAX: usize = 2_048;

/// The conditions of a request. How many there may be is the engine's to say.
pub(super) fn root(sent: &SearchRequest, pattern_bytes_max: usize) -> Result<LeafNode, Failure> {
    let reader = Reader { sent, pattern_bytes_max };
    let patterns = patterns(&sent.contains, &sent.exact, &sent.wildcard, &sent.regex);
    match (patterns.as_slice(), &sent.query) {
        ([pattern], None) => reader.pattern(pattern, None, None),
        ([], Some(node)) => reader.node(node),
        _ => {
            Err(bad("bad_pattern", "exactly one of `contains`, `exact`, `wildcard`, `regex` and `query` must be given"))
        }
    }
}

struct Reader<'a> {
    sent: &'a SearchRequest,
    pattern_bytes_max: usize,
}

impl Reader<'_> {
    fn node(&self, node: &QueryNode) -> Result<LeafNode, Failure> {
        let QueryNode { all, any, not, exists, range, field, case_sensitive, .. } = node;
        let patterns = patterns(&node.contains, &node.exact, &node.wildcard, &node.regex);
        let others = [all.is_some(), any.is_some(), not.is_some(), exists.is_some(), range.is_some()];
        if patterns.len() + others.into_iter().filter(|is_given| *is_given).count() != 1 {
            let kinds = "`all`, `any`, `not`, `contains`, `exact`, `wildcard`, `regex`, `exists` and `range`";
            return Err(bad("bad_query", format!("a node of `query` must have exactly one of {kinds}")));
        }
        if patterns.is_empty() && (field.is_some() || case_sensitive.is_some()) {
            return Err(bad("bad_query", "`field` and `case_sensitive` go with a pattern only"));
        }
        let nodes = |nodes: &[QueryNode]| nodes.iter().map(|node| self.node(node)).collect::<Result<_, _>>();
        match (patterns.first(), all, any, not, exists, range) {
            (Some(pattern), ..) => self.pattern(pattern, field.as_deref(), *case_sensitive),
            (_, Some(all), ..) => Ok(LeafNode::All(nodes(all)?)),
            (_, _, Some(any), ..) => Ok(LeafNode::Any(nodes(any)?)),
            (_, _, _, Some(not), ..) => Ok(LeafNode::Not(Box::new(self.node(not)?))),
            (_, _, _, _, Some(exists), _) => Ok(LeafNode::Exists(path(exists)?)),
            (_, _, _, _, _, Some(range)) => {
                Ok(LeafNode::Range(RangeBounds { field: path(&range.field)?, ..range.clone() }))
            }
            _ => unreachable!("one of them is given"),
        }
    }

    fn pattern(
        &self,
        pattern: &LeafPattern,
        field: Option<&str>,
        case_sensitive: Option<bool>,
    ) -> Result<LeafNode, Failure> {
        let (LeafPattern::Contains(text)
        | LeafPattern::Exact(text)
        | LeafPattern::Wildcard(text)
        | LeafPattern::Regex(text)) = pattern;
        if text.len() > self.pattern_bytes_max {
            let message = format!("the pattern has {} bytes, at most {} are taken", text.len(), self.pattern_bytes_max);
            return Err(bad("pattern_too_long", message).details(json!({ "limit_bytes": self.pattern_bytes_max })));
        }
        let field = field.or(self.sent.field.as_deref()).map(path).transpose()?;
        let case_sensitive = case_sensitive.unwrap_or(self.sent.case_sensitive);
        Ok(LeafNode::Match { pattern: pattern.clone(), field, case_sensitive })
    }
}

/// The patterns that are given.
fn patterns(
    contains: &Option<String>,
    exact: &Option<String>,
    wildcard: &Option<String>,
    regex: &Option<String>,
) -> Vec<LeafPattern> {
    let forms = [
        contains.clone().map(LeafPattern::Contains),
        exact.clone().map(LeafPattern::Exact),
        wildcard.clone().map(LeafPattern::Wildcard),
        regex.clone().map(LeafPattern::Regex),
    ];
    forms.into_iter().flatten().collect()
}

/// A field's path, if it has a length that paths have.
pub(super) fn path(field: &str) -> Result<String, Failure> {
    match field.len() {
        1..=FIELD_BYTES_MAX => Ok(field.to_owned()),
        found => Err(bad("bad_field", format!("field has {found} bytes, but must have from 1 to {FIELD_BYTES_MAX}"))),
    }
}
