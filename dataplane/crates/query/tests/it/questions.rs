//! Random questions about random documents.

mod patterns;
mod ranges;

use grepzilla_model::{IndexName, TimeNs};
use grepzilla_query::{Aggregations, Bound, Bounds, Node, Pattern, Query, TimeRange};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::fixtures::{INDEXES, PATHS, Sample};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Contains,
    Exact,
    Wildcard,
    Regex,
}

/// A question in the naive scan's words.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) root: Condition,
    pub(crate) index: Option<&'static str>,
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    pub(crate) newest_first: bool,
    pub(crate) page_size: usize,
    pub(crate) threads: usize,
    /// Of a histogram.
    pub(crate) interval: Option<i64>,
    /// The field of terms.
    pub(crate) terms: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Match(Wanted),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Exists(String),
    Range(String, Limits),
}

/// A pattern and where it shall match.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) form: Form,
    pub(crate) pattern: String,
    pub(crate) case_sensitive: bool,
    pub(crate) field: Option<String>,
}

/// The bounds of a range.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) are_numbers: bool,
    pub(crate) bounds: Vec<(Limit, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Gt,
    Gte,
    Lt,
    Lte,
}

fn some(random: &mut StdRng, chance: f64) -> bool {
    random.random_bool(chance)
}

fn path(random: &mut StdRng) -> String {
    PATHS.choose(random).expect("there are paths").to_string()
}

impl Question {
    /// One pattern, or a tree.
    pub(crate) fn any(random: &mut StdRng, samples: &[Sample]) -> Question {
        let depth = if some(random, 0.5) { 0 } else { random.random_range(1..5) };
        Question::about(Condition::any(random, samples, depth), random)
    }

    fn about(root: Condition, random: &mut StdRng) -> Question {
        Question {
            root,
            index: some(random, 0.2).then(|| INDEXES[random.random_range(0..INDEXES.len())]),
            from: some(random, 0.2).then(|| random.random_range(-25..15)),
            to: some(random, 0.2).then(|| random.random_range(-15..25)),
            newest_first: some(random, 0.6),
            page_size: random.random_range(1..40),
            threads: random.random_range(1..4),
            interval: some(random, 0.2).then(|| random.random_range(1..30)),
            terms: some(random, 0.2).then(|| path(random)),
        }
    }

    /// The newest ten documents that a pattern matches.
    pub(crate) fn of(wanted: Wanted) -> Question {
        Question {
            root: Condition::Match(wanted),
            index: None,
            from: None,
            to: None,
            newest_first: true,
            page_size: 10,
            threads: 1,
            interval: None,
            terms: None,
        }
    }

    pub(crate) fn aggregations(&self) -> Aggregations<'_> {
        Aggregations { histogram: self.interval, terms: self.terms.as_deref() }
    }

    pub(crate) fn query(&self) -> Query {
        Query {
            root: self.root.node(),
            indexes: self.index.into_iter().map(|index| IndexName::new(index).expect("a good name")).collect(),
            time: TimeRange { from: self.from.map(TimeNs), to: self.to.map(TimeNs) },
        }
    }
}

impl Wanted {
    /// This anywhere, whatever its case.
    pub(crate) fn contains(needle: &str) -> Wanted {
        Wanted { form: Form::Contains, pattern: needle.to_owned(), case_sensitive: false, field: None }
    }

    fn any(random: &mut StdRng, samples: &[Sample]) -> Wanted {
        let forms = [Form::Contains, Form::Exact, Form::Wildcard, Form::Regex];
        let form = *forms.choose(random).expect("there are forms");
        let pattern = patterns::pattern(random, samples, form);
        let case_sensitive = some(random, 0.5);
        Wanted { form, pattern, case_sensitive, field: some(random, 0.25).then(|| path(random)) }
    }
}

impl Condition {
    fn any(random: &mut StdRng, samples: &[Sample], depth: usize) -> Condition {
        let kind = if depth == 0 { random.random_range(5..20) } else { random.random_range(0..10) };
        let children = |random: &mut StdRng| {
            (0..random.random_range(1..4)).map(|_| Condition::any(random, samples, depth - 1)).collect()
        };
        match kind {
            0..=1 => Condition::All(children(random)),
            2..=3 => Condition::Any(children(random)),
            4 => Condition::Not(Box::new(Condition::any(random, samples, depth - 1))),
            5 => Condition::Exists(path(random)),
            6 => ranges::range(random, samples),
            _ => Condition::Match(Wanted::any(random, samples)),
        }
    }

    /// Every pattern in it.
    pub(crate) fn patterns(&self) -> Vec<&Wanted> {
        match self {
            Condition::Match(wanted) => vec![wanted],
            Condition::All(conditions) | Condition::Any(conditions) => {
                conditions.iter().flat_map(Condition::patterns).collect()
            }
            Condition::Not(condition) => condition.patterns(),
            Condition::Exists(_) | Condition::Range(..) => Vec::new(),
        }
    }

    fn node(&self) -> Node {
        let all = |conditions: &[Condition]| conditions.iter().map(Condition::node).collect();
        match self {
            Condition::Match(Wanted { form, pattern, case_sensitive, field }) => {
                let form = match form {
                    Form::Contains => Pattern::Contains,
                    Form::Exact => Pattern::Exact,
                    Form::Wildcard => Pattern::Wildcard,
                    Form::Regex => Pattern::Regex,
                };
                Node::Match { pattern: form(pattern.clone()), field: field.clone(), case_sensitive: *case_sensitive }
            }
            Condition::All(conditions) => Node::All(all(conditions)),
            Condition::Any(conditions) => Node::Any(all(conditions)),
            Condition::Not(condition) => Node::Not(Box::new(condition.node())),
            Condition::Exists(field) => Node::Exists { field: field.clone() },
            Condition::Range(field, limits) => Node::Range { field: field.clone(), bounds: limits.bounds() },
        }
    }
}

impl Limits {
    fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        for (limit, text) in &self.bounds {
            let bound = if self.are_numbers { Bound::Number(text.clone()) } else { Bound::Text(text.clone()) };
            let place = match limit {
                Limit::Gt => &mut bounds.gt,
                Limit::Gte => &mut bounds.gte,
                Limit::Lt => &mut bounds.lt,
                Limit::Lte => &mut bounds.lte,
            };
            *place = Some(bound);
        }
        bounds
    }
}
