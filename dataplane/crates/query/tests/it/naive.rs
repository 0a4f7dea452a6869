//! The naive scan: every leaf of every document, one after the other, by other means than the engine's.

use serde_json::Value;

use crate::alphabet::fold;
use crate::fixtures::Sample;
use crate::questions::{Form, Question};

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

/// The positions of all documents that match, in order.
pub(crate) fn answer(asked: &Asked<'_>, samples: &[Sample]) -> Vec<u64> {
    let mut found: Vec<&Sample> = samples.iter().filter(|sample| asked.matches(sample)).collect();
    found.sort_by_key(|sample| (sample.time, sample.seq));
    if asked.question.newest_first {
        found.reverse();
    }
    found.into_iter().map(|sample| sample.seq).collect()
}

/// A question, prepared once.
pub(crate) struct Asked<'a> {
    pub(crate) question: &'a Question,
    pattern: String,
    regex: Option<regex::Regex>,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(question: &'a Question) -> Asked<'a> {
        let ignores_case = !question.case_sensitive;
        let regex = (question.form == Form::Regex).then(|| {
            let builder = &mut regex::RegexBuilder::new(&question.pattern);
            builder.case_insensitive(ignores_case).build().expect("the engine took it")
        });
        let is_folded = ignores_case && question.form != Form::Regex;
        let pattern = if is_folded { fold(&question.pattern) } else { question.pattern.clone() };
        Asked { question, pattern, regex }
    }

    pub(crate) fn matches(&self, sample: &Sample) -> bool {
        let question = self.question;
        let in_index = question.index.is_none_or(|index| index == sample.index);
        let in_time =
            question.from.is_none_or(|from| from <= sample.time) && question.to.is_none_or(|to| sample.time < to);
        in_index && in_time && sample.leaves.iter().any(|leaf| self.matches_leaf(leaf))
    }

    pub(crate) fn matches_leaf(&self, leaf: &Leaf) -> bool {
        let in_field = self.question.field.as_ref().is_none_or(|field| *field == leaf.path);
        in_field
            && self.matches_text(if self.question.case_sensitive { &leaf.written } else { &leaf.folded }, &leaf.written)
    }

    fn matches_text(&self, spelled: &str, written: &str) -> bool {
        match self.question.form {
            Form::Contains => spelled.contains(&self.pattern),
            Form::Wildcard => wildcard(&self.pattern, spelled),
            Form::Regex => self.regex.as_ref().expect("it is one").is_match(written),
        }
    }

    /// All matches of a regular expression that are not empty.
    pub(crate) fn regex_matches(&self, value: &str) -> Vec<(usize, usize)> {
        let matches = self.regex.as_ref().expect("it is one").find_iter(value);
        matches.map(|found| (found.start(), found.end())).filter(|(start, end)| start < end).collect()
    }

    /// Whether what the engine highlights is a match.
    pub(crate) fn is_match(&self, highlighted: &str, value: &str) -> bool {
        let spelled = if self.question.case_sensitive { highlighted.to_owned() } else { fold(highlighted) };
        match self.question.form {
            Form::Contains => spelled.contains(&self.pattern),
            Form::Wildcard => wildcard(self.pattern.trim_matches(['*', '?']), &spelled),
            Form::Regex => {
                let regex = self.regex.as_ref().expect("it is one");
                regex.find_iter(value).any(|found| found.as_str() == highlighted)
            }
        }
    }
}

/// Wildcards by trying everything: a set of places in the pattern that may have been reached, moved along the text.
fn wildcard(pattern: &str, text: &str) -> bool {
    let mut tokens: Vec<Option<char>> = vec![None];
    let mut is_any: Vec<bool> = vec![false];
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let (token, any) = match character {
            '*' => (None, false),
            '?' => (Some('?'), true),
            '\\' => (characters.next(), false),
            other => (Some(other), false),
        };
        tokens.push(token);
        is_any.push(any);
    }
    // A star before and behind: the pattern may stand anywhere.
    tokens.push(None);
    is_any.push(false);
    let closure = |places: &mut Vec<bool>| {
        for place in 0..tokens.len() {
            places[place + 1] |= places[place] && tokens[place].is_none();
        }
    };
    let mut places = vec![false; tokens.len() + 1];
    places[0] = true;
    closure(&mut places);
    for character in text.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for place in (0..tokens.len()).filter(|place| places[*place]) {
            match tokens[place] {
                None => next[place] = true,
                Some(token) => next[place + 1] |= is_any[place] || token == character,
            }
        }
        closure(&mut next);
        places = next;
    }
    places[tokens.len()]
}
