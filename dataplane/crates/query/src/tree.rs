//! The query as it is asked: a tree of conditions, each on whole documents.
//!
//! A condition holds for a document if some leaf of it meets the condition. The tree combines documents: two conditions in an
//! [`Node::All`] may be met by two different leaves, and [`Node::Not`] takes the documents without any leaf that meets it.

use grepzilla_model::{IndexName, TimeNs};

use crate::Pattern;

/// The most nodes of a tree.
pub const NODES_MAX: usize = 64;

/// The most nodes from the root to a leaf of a tree, both included.
pub const DEPTH_MAX: usize = 8;

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Which documents.
    pub root: Node,
    /// The indexes to look at; empty: all.
    pub indexes: Vec<IndexName>,
    /// The documents' times.
    pub time: TimeRange,
}

/// A condition or a combination of them.
///
/// A `field` is the dotted path of the leaves to look at: exactly this path, not what begins with it, an array's elements
/// included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Some leaf matches.
    Match {
        /// What to look for.
        pattern: Pattern,
        /// Where to look; `None`: all leaves.
        field: Option<String>,
        /// Whether upper and lower case differ, and but for regular expressions diacritics and compatibility forms too.
        case_sensitive: bool,
    },
    /// Every node of these holds; at least one is given.
    All(Vec<Node>),
    /// Some node of these holds; at least one is given.
    Any(Vec<Node>),
    /// The node does not hold.
    Not(Box<Node>),
    /// There is such a leaf; null is none.
    Exists {
        /// Which.
        field: String,
    },
    /// Some leaf lies within the bounds.
    Range {
        /// Where to look.
        field: String,
        /// The bounds.
        bounds: Bounds,
    },
}

/// The bounds of a range, at least one of them, all numbers or all texts.
///
/// Numbers are compared with leaves that are JSON numbers by their text, in strings too, and exactly: all digits count.
/// Texts that are all RFC 3339 times (1677 to 2262) are compared with leaves that are such times; other texts with all leaves,
/// as written, character by character. A leaf of another kind is in no range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Greater than this.
    pub gt: Option<Bound>,
    /// Greater than or equal to this.
    pub gte: Option<Bound>,
    /// Less than this.
    pub lt: Option<Bound>,
    /// Less than or equal to this.
    pub lte: Option<Bound>,
}

/// One bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// The text of a JSON number.
    Number(String),
    /// A string.
    Text(String),
}

/// A span of document times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeRange {
    /// Inclusive. `None`: from the beginning.
    pub from: Option<TimeNs>,
    /// Exclusive. `None`: without end.
    pub to: Option<TimeNs>,
}

impl TimeRange {
    pub(crate) fn contains(&self, time: TimeNs) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }
}
