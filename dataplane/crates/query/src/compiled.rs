//! The query as it is run: its conditions, numbered, and the tree over their numbers.

use grepzilla_model::IndexName;

use crate::matcher::Matcher;
use crate::range::Range;
use crate::tree::{DEPTH_MAX, NODES_MAX};
use crate::{Node, Query, QueryError, TimeRange};

/// A query that was checked and is ready to run, as often and on as many threads as one likes.
#[derive(Debug)]
pub struct CompiledQuery {
    pub(crate) tree: Tree,
    /// At least one, at most [`NODES_MAX`], in the order of the tree.
    pub(crate) conditions: Vec<Condition>,
    pub(crate) indexes: Vec<IndexName>,
    pub(crate) time: TimeRange,
}

/// What some leaf of a document must meet.
#[derive(Debug)]
pub(crate) struct Condition {
    /// The path of the leaves; `None`: any.
    pub(crate) field: Option<String>,
    pub(crate) test: Test,
    /// Whether it stands below an even number of `Not`: only then is its match shown.
    pub(crate) is_positive: bool,
}

#[derive(Debug)]
pub(crate) enum Test {
    Match(Box<Matcher>),
    Exists,
    Range(Range),
}

/// A combination of conditions, by their numbers.
#[derive(Debug)]
pub(crate) enum Tree {
    Condition(usize),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
}

/// What is known of the conditions of one document: the bit of a condition's number is set in at most one of both.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// Conditions that hold.
    pub(crate) yes: u64,
    /// Conditions that do not hold.
    pub(crate) no: u64,
}

impl CompiledQuery {
    pub(crate) fn has_index(&self, index: &IndexName) -> bool {
        self.indexes.is_empty() || self.indexes.contains(index)
    }

    /// For each pattern, in the order of the query, what the folded text of every match contains, as people read it.
    pub fn required_by_patterns(&self) -> Vec<String> {
        const CHARACTERS_MAX: usize = 1_000;
        let matchers = self.conditions.iter().filter_map(|condition| match &condition.test {
            Test::Match(matcher) => Some(matcher),
            Test::Exists | Test::Range(_) => None,
        });
        matchers.map(|matcher| matcher.required().to_string().chars().take(CHARACTERS_MAX).collect()).collect()
    }

    /// Of what there is for each condition, what there is for each pattern.
    pub(crate) fn of_patterns(&self, of_conditions: &[u64]) -> Vec<u64> {
        let is_pattern = |condition: &Condition| matches!(condition.test, Test::Match(_));
        let both = self.conditions.iter().zip(of_conditions);
        both.filter(|(condition, _)| is_pattern(condition)).map(|(_, of)| *of).collect()
    }

    /// The patterns that may be shown as what matched.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&Condition, &Matcher)> {
        self.conditions.iter().filter(|condition| condition.is_positive).filter_map(|condition| match &condition.test {
            Test::Match(matcher) => Some((condition, &**matcher)),
            Test::Exists | Test::Range(_) => None,
        })
    }
}

impl Condition {
    pub(crate) fn has_field(&self, path: &str) -> bool {
        self.field.as_deref().is_none_or(|field| field == path)
    }
}

impl Tree {
    /// Whether the tree may hold. False is certain.
    pub(crate) fn may_hold(&self, known: Known) -> bool {
        match self {
            Tree::Condition(number) => known.no & (1 << number) == 0,
            Tree::All(nodes) => nodes.iter().all(|node| node.may_hold(known)),
            Tree::Any(nodes) => nodes.iter().any(|node| node.may_hold(known)),
            Tree::Not(node) => !node.must_hold(known),
        }
    }

    /// Whether the tree holds whatever is not known. True is certain; when everything is known, false is too.
    pub(crate) fn must_hold(&self, known: Known) -> bool {
        match self {
            Tree::Condition(number) => known.yes & (1 << number) != 0,
            Tree::All(nodes) => nodes.iter().all(|node| node.must_hold(known)),
            Tree::Any(nodes) => nodes.iter().any(|node| node.must_hold(known)),
            Tree::Not(node) => !node.may_hold(known),
        }
    }
}

/// Checks a query and prepares it.
pub fn compile(query: Query) -> Result<CompiledQuery, QueryError> {
    check_size(&query.root)?;
    let mut conditions = Vec::new();
    let tree = tree(query.root, true, &mut conditions)?;
    Ok(CompiledQuery { tree, conditions, indexes: query.indexes, time: query.time })
}

fn check_size(root: &Node) -> Result<(), QueryError> {
    let (mut nodes, mut waiting) = (0, vec![(root, 1)]);
    while let Some((node, depth)) = waiting.pop() {
        nodes += 1;
        if depth > DEPTH_MAX {
            return Err(QueryError::TooDeep { max: DEPTH_MAX });
        }
        if nodes > NODES_MAX {
            return Err(QueryError::TooManyNodes { max: NODES_MAX });
        }
        match node {
            Node::All(nodes) | Node::Any(nodes) if nodes.is_empty() => return Err(QueryError::NoNodes),
            Node::All(nodes) | Node::Any(nodes) => waiting.extend(nodes.iter().map(|node| (node, depth + 1))),
            Node::Not(node) => waiting.push((node, depth + 1)),
            Node::Match { .. } | Node::Exists { .. } | Node::Range { .. } => {}
        }
    }
    Ok(())
}

fn tree(node: Node, is_positive: bool, conditions: &mut Vec<Condition>) -> Result<Tree, QueryError> {
    let (field, test) = match node {
        Node::All(nodes) => return Ok(Tree::All(trees(nodes, is_positive, conditions)?)),
        Node::Any(nodes) => return Ok(Tree::Any(trees(nodes, is_positive, conditions)?)),
        Node::Not(node) => return Ok(Tree::Not(Box::new(tree(*node, !is_positive, conditions)?))),
        Node::Match { pattern, field, case_sensitive } => {
            (field, Test::Match(Box::new(Matcher::new(&pattern, case_sensitive)?)))
        }
        Node::Exists { field } => (Some(field), Test::Exists),
        Node::Range { field, bounds } => (Some(field), Test::Range(Range::new(&bounds)?)),
    };
    conditions.push(Condition { field, test, is_positive });
    Ok(Tree::Condition(conditions.len() - 1))
}

fn trees(nodes: Vec<Node>, is_positive: bool, conditions: &mut Vec<Condition>) -> Result<Vec<Tree>, QueryError> {
    nodes.into_iter().map(|node| tree(node, is_positive, conditions)).collect()
}

#[cfg(test)]
mod tests;
