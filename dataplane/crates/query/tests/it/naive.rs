//! The naive scan: every leaf of every document, one after the other, by other means than the engine's.

mod range;
mod wildcard;

use serde_json::Value;

use crate::alphabet::fold;
use crate::fixtures::Sample;
use crate::questions::{Condition, Form, Question, Wanted};

/// A leaf as an ordinary JSON reader finds it.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) path: String,
    pub(crate) written: String,
    pub(crate) folded: String,
}

/// All leaves of a document.
pub(crate) fn leaves(source: &str) -> Vec<Leaf> {
    fn walk(path: &str, is_top: bool, value: &Value, leaves: &mut Vec<Leaf>) {
        let written = match value {
            Value::Null => return,
            Value::Array(elements) => return elements.iter().for_each(|element| walk(path, is_top, element, leaves)),
            Value::Object(members) => {
                return members.iter().for_each(|(key, member)| {
                    let key = key.replace('\\', "\\\\").replace('.', "\\.");
                    walk(&if is_top { key } else { format!("{path}.{key}") }, false, member, leaves);
                });
            }
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        leaves.push(Leaf { path: path.to_owned(), folded: fold(&written), written });
    }
    let mut leaves = Vec::new();
    walk("", true, &serde_json::from_str(source).expect("JSON"), &mut leaves);
    leaves
}

/// The positions of all documents that match and are there at a position, in order.
pub(crate) fn answer(asked: &Asked<'_>, samples: &[Sample], upto: u64) -> Vec<u64> {
    let is_found = |sample: &&Sample| sample.is_there_at(upto) && asked.matches(sample);
    let mut found: Vec<&Sample> = samples.iter().filter(is_found).collect();
    found.sort_by_key(|sample| (sample.time, sample.seq));
    if asked.question.newest_first {
        found.reverse();
    }
    found.into_iter().map(|sample| sample.seq).collect()
}

/// A question, prepared once.
pub(crate) struct Asked<'a> {
    pub(crate) question: &'a Question,
    root: AskedNode<'a>,
}

enum AskedNode<'a> {
    Match(AskedMatch<'a>),
    All(Vec<AskedNode<'a>>),
    Any(Vec<AskedNode<'a>>),
    Not(Box<AskedNode<'a>>),
    Exists(&'a str),
    Range(&'a str, range::Bounds<'a>),
}

/// A pattern, prepared once.
pub(crate) struct AskedMatch<'a> {
    pub(crate) wanted: &'a Wanted,
    pattern: String,
    regex: Option<regex::Regex>,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(question: &'a Question) -> Asked<'a> {
        Asked { question, root: AskedNode::new(&question.root) }
    }

    pub(crate) fn matches(&self, sample: &Sample) -> bool {
        let question = self.question;
        let in_index = question.index.is_none_or(|index| index == sample.index);
        let in_time =
            question.from.is_none_or(|from| from <= sample.time) && question.to.is_none_or(|to| sample.time < to);
        in_index && in_time && self.root.holds(&sample.leaves)
    }

    /// The leaf to be shown, and the pattern that it is shown for.
    pub(crate) fn shown<'s>(&'s self, sample: &'s Sample) -> Option<(&'s Leaf, &'s AskedMatch<'a>)> {
        let mut patterns = Vec::new();
        self.root.positive(true, &mut patterns);
        let patterns = &patterns;
        let pairs = sample.leaves.iter().flat_map(|leaf| patterns.iter().map(move |pattern| (leaf, *pattern)));
        pairs.into_iter().find(|(leaf, pattern)| pattern.matches_leaf(leaf))
    }
}

impl<'a> AskedNode<'a> {
    fn new(condition: &'a Condition) -> AskedNode<'a> {
        let all = |conditions: &'a [Condition]| conditions.iter().map(AskedNode::new).collect();
        match condition {
            Condition::Match(wanted) => AskedNode::Match(AskedMatch::new(wanted)),
            Condition::All(conditions) => AskedNode::All(all(conditions)),
            Condition::Any(conditions) => AskedNode::Any(all(conditions)),
            Condition::Not(condition) => AskedNode::Not(Box::new(AskedNode::new(condition))),
            Condition::Exists(field) => AskedNode::Exists(field),
            Condition::Range(field, bounds) => AskedNode::Range(field, range::Bounds::new(bounds)),
        }
    }

    fn holds(&self, leaves: &[Leaf]) -> bool {
        match self {
            AskedNode::Match(pattern) => leaves.iter().any(|leaf| pattern.matches_leaf(leaf)),
            AskedNode::All(nodes) => nodes.iter().all(|node| node.holds(leaves)),
            AskedNode::Any(nodes) => nodes.iter().any(|node| node.holds(leaves)),
            AskedNode::Not(node) => !node.holds(leaves),
            AskedNode::Exists(field) => leaves.iter().any(|leaf| leaf.path == *field),
            AskedNode::Range(field, bounds) => {
                leaves.iter().any(|leaf| leaf.path == *field && bounds.enclose(&leaf.written))
            }
        }
    }

    fn positive<'s>(&'s self, is_positive: bool, patterns: &mut Vec<&'s AskedMatch<'a>>) {
        match self {
            AskedNode::Match(pattern) if is_positive => patterns.push(pattern),
            AskedNode::All(nodes) | AskedNode::Any(nodes) => {
                nodes.iter().for_each(|node| node.positive(is_positive, patterns));
            }
            AskedNode::Not(node) => node.positive(!is_positive, patterns),
            AskedNode::Match(_) | AskedNode::Exists(_) | AskedNode::Range(..) => {}
        }
    }
}

impl<'a> AskedMatch<'a> {
    fn new(wanted: &'a Wanted) -> AskedMatch<'a> {
        let ignores_case = !wanted.case_sensitive;
        let regex = (wanted.form == Form::Regex).then(|| {
            let builder = &mut regex::RegexBuilder::new(&wanted.pattern);
            builder.case_insensitive(ignores_case).build().expect("the engine took it")
        });
        let is_folded = ignores_case && matches!(wanted.form, Form::Contains | Form::Exact);
        let pattern = if is_folded { fold(&wanted.pattern) } else { wanted.pattern.clone() };
        AskedMatch { wanted, pattern, regex }
    }

    fn matches_leaf(&self, leaf: &Leaf) -> bool {
        let in_field = self.wanted.field.as_ref().is_none_or(|field| *field == leaf.path);
        in_field
            && self.matches_text(if self.wanted.case_sensitive { &leaf.written } else { &leaf.folded }, &leaf.written)
    }

    fn matches_text(&self, spelled: &str, written: &str) -> bool {
        match self.wanted.form {
            Form::Contains => spelled.contains(&self.pattern),
            Form::Exact => spelled == self.pattern,
            Form::Wildcard => wildcard::matches(&self.pattern, |character| self.spell(character), spelled),
            Form::Regex => self.regex.as_ref().expect("it is one").is_match(written),
        }
    }

    fn spell(&self, character: char) -> String {
        if self.wanted.case_sensitive { character.to_string() } else { fold(&character.to_string()) }
    }

    /// All matches of a regular expression that are not empty.
    pub(crate) fn regex_matches(&self, value: &str) -> Vec<(usize, usize)> {
        let matches = self.regex.as_ref().expect("it is one").find_iter(value);
        matches.map(|found| (found.start(), found.end())).filter(|(start, end)| start < end).collect()
    }

    /// Whether what the engine highlights is a match.
    pub(crate) fn is_match(&self, highlighted: &str, value: &str) -> bool {
        let spelled = if self.wanted.case_sensitive { highlighted.to_owned() } else { fold(highlighted) };
        match self.wanted.form {
            Form::Contains => spelled.contains(&self.pattern),
            Form::Exact => spelled == self.pattern,
            Form::Wildcard => {
                wildcard::matches(&self.without_vague_ends(), |character| self.spell(character), &spelled)
            }
            Form::Regex => {
                let regex = self.regex.as_ref().expect("it is one");
                regex.find_iter(value).any(|found| found.as_str() == highlighted)
            }
        }
    }

    /// A wildcard pattern without what stands for nothing in particular at both ends, which is not highlighted.
    fn without_vague_ends(&self) -> String {
        let mut characters = self.pattern.chars();
        let mut tokens = Vec::new();
        while let Some(character) = characters.next() {
            let escaped = if character == '\\' { characters.next() } else { None };
            tokens.push((character, escaped));
        }
        let is_firm = |&(character, escaped): &(char, Option<char>)| match escaped {
            Some(escaped) => !self.spell(escaped).is_empty(),
            None => !matches!(character, '*' | '?' | '\\') && !self.spell(character).is_empty(),
        };
        let Some(first) = tokens.iter().position(is_firm) else { return String::new() };
        let last = tokens.iter().rposition(is_firm).unwrap_or(first);
        tokens[first..=last]
            .iter()
            .flat_map(|(character, escaped)| std::iter::once(*character).chain(*escaped))
            .collect()
    }
}
