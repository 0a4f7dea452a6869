//! What a regular expression requires.
//!
//! For each part of the expression it is known either which folded texts it matches, if these are few, or with which folded
//! texts each match begins and ends, and what it contains in between. Parts side by side join the end of one to the beginning of the next.

use std::collections::BTreeSet;

use grepzilla_model::fold::fold;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use super::Required;

/// The most texts that one part is followed by.
const TEXTS_MAX: usize = 32;
/// The longest text that is followed as a whole.
const TEXT_BYTES_MAX: usize = 256;
/// How much of a beginning or an end is kept.
const EDGE_BYTES_MAX: usize = 16;
/// How often a repeated part is written out.
const TIMES_MAX: u32 = 16;

type Texts = BTreeSet<Vec<u8>>;

pub(super) fn required(hir: &Hir) -> Required {
    part(hir).into_loose().required
}

/// What is known of one part of an expression.
#[derive(Debug, Clone)]
enum Part {
    /// It matches nothing but these; none of them: it matches nothing.
    Exact(Texts),
    Loose(Loose),
}

/// A part that matches many texts.
#[derive(Debug, Clone)]
struct Loose {
    /// Each match begins with one of these.
    begins: Texts,
    /// Each match ends with one of these.
    ends: Texts,
    /// What each match contains; of `begins` and `ends` too.
    required: Required,
}

fn part(hir: &Hir) -> Part {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Part::empty(),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => Part::exact(Texts::from([folded(text)])),
            Err(_) => Part::anything(),
        },
        HirKind::Class(class) => class_part(class),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Capture(capture) => part(&capture.sub),
        HirKind::Concat(parts) => sequence(parts),
        HirKind::Alternation(parts) => parts.iter().map(part).fold(Part::Exact(Texts::new()), Part::or),
    }
}

/// What is exact is joined first, so that texts are as long as can be.
fn sequence(parts: &[Hir]) -> Part {
    let (mut before, mut run) = (Part::empty(), Part::empty());
    for next in parts.iter().map(part) {
        match (&run, &next) {
            (Part::Exact(texts), Part::Exact(behind)) if joined(texts, behind).is_some() => run = run.then(next),
            _ => (before, run) = (before.then(run), next),
        }
    }
    before.then(run)
}

fn folded(text: &str) -> Vec<u8> {
    fold(text).into_owned().into_bytes()
}

/// Few characters are folded one by one.
fn class_part(class: &Class) -> Part {
    let Class::Unicode(class) = class else {
        // An expression that nothing matches is written as a class of no byte.
        return if matches!(class, Class::Bytes(class) if class.ranges().is_empty()) {
            Part::Exact(Texts::new())
        } else {
            Part::anything()
        };
    };
    let size = class.iter().map(|range| range.end() as usize - range.start() as usize + 1).sum::<usize>();
    if size > TEXTS_MAX {
        return Part::anything();
    }
    let characters = class.iter().flat_map(|range| range.start()..=range.end());
    Part::exact(characters.map(|character| folded(character.encode_utf8(&mut [0; 4]))).collect())
}

fn repeated(repetition: &Repetition) -> Part {
    let (once, times) = (part(&repetition.sub), repetition.min.min(TIMES_MAX));
    if times == 0 {
        return match repetition.max {
            Some(0) => Part::empty(),
            Some(1) => Part::empty().or(once),
            _ => Part::anything(),
        };
    }
    let least = (1..times).fold(once.clone(), |least, _| least.then(once.clone()));
    // More times begin and end as the least do.
    if repetition.max == Some(times) { least } else { Part::Loose(least.into_loose()) }
}

impl Part {
    fn empty() -> Part {
        Part::Exact(Texts::from([Vec::new()]))
    }

    fn anything() -> Part {
        let nothing = Texts::from([Vec::new()]);
        Part::Loose(Loose { begins: nothing.clone(), ends: nothing, required: Required::everything() })
    }

    /// The part that matches these texts, as far as they can be followed.
    fn exact(texts: Texts) -> Part {
        let can_be_followed = texts.len() <= TEXTS_MAX && texts.iter().all(|text| text.len() <= TEXT_BYTES_MAX);
        if can_be_followed { Part::Exact(texts) } else { Part::Loose(Part::Exact(texts).into_loose()) }
    }

    fn into_loose(self) -> Loose {
        match self {
            Part::Loose(loose) => loose,
            Part::Exact(texts) => Loose { begins: beginnings(&texts), ends: endings(&texts), required: one_of(&texts) },
        }
    }

    fn then(self, next: Part) -> Part {
        if let (Part::Exact(texts), Part::Exact(behind)) = (&self, &next)
            && let Some(joined) = joined(texts, behind)
        {
            return Part::exact(joined);
        }
        let joint = match (&self, &next) {
            (Part::Exact(texts), Part::Exact(behind)) => joined(texts, behind),
            (Part::Exact(texts), Part::Loose(behind)) => joined(texts, &behind.begins),
            (Part::Loose(before), Part::Exact(behind)) => joined(&before.ends, behind),
            (Part::Loose(before), Part::Loose(behind)) => joined(&before.ends, &behind.begins),
        };
        let begins = match (&self, &joint) {
            (Part::Exact(_), Some(joint)) => Some(beginnings(joint)),
            _ => None,
        };
        let ends = match (&next, &joint) {
            (Part::Exact(_), Some(joint)) => Some(endings(joint)),
            _ => None,
        };
        // What is joined contains the texts of an exact side.
        let is_implied = |side: &Part| joint.is_some() && matches!(side, Part::Exact(_));
        let implied = [is_implied(&self), is_implied(&next)];
        let (mut before, mut behind) = (self.into_loose(), next.into_loose());
        for (side, _) in [&mut before, &mut behind].into_iter().zip(implied).filter(|(_, is_implied)| *is_implied) {
            side.required = Required::everything();
        }
        let joint = joint.map_or_else(Required::everything, |joint| one_of(&joint));
        Part::Loose(Loose {
            begins: begins.unwrap_or(before.begins),
            ends: ends.unwrap_or(behind.ends),
            required: Required::all([before.required, joint, behind.required]),
        })
    }

    fn or(self, other: Part) -> Part {
        match (self, other) {
            (Part::Exact(texts), other) if texts.is_empty() => other,
            (Part::Exact(mut texts), Part::Exact(others)) => {
                texts.extend(others);
                Part::exact(texts)
            }
            (one, other) => {
                let (one, other) = (one.into_loose(), other.into_loose());
                Part::Loose(Loose {
                    begins: united(one.begins, other.begins),
                    ends: united(one.ends, other.ends),
                    required: Required::any([one.required, other.required]),
                })
            }
        }
    }
}

/// Each text followed by each of the others; `None`: too many.
fn joined(texts: &Texts, behind: &Texts) -> Option<Texts> {
    if texts.len() * behind.len() > TEXTS_MAX {
        return None;
    }
    Some(texts.iter().flat_map(|text| behind.iter().map(|behind| [&text[..], behind].concat())).collect())
}

/// Edges of one or the other; if they are too many, any.
fn united(mut edges: Texts, others: Texts) -> Texts {
    edges.extend(others);
    if edges.len() > TEXTS_MAX { Texts::from([Vec::new()]) } else { edges }
}

fn beginnings(texts: &Texts) -> Texts {
    let edges = texts.iter().map(|text| text[..text.len().min(EDGE_BYTES_MAX)].to_vec()).collect();
    united(edges, Texts::new())
}

fn endings(texts: &Texts) -> Texts {
    let edges = texts.iter().map(|text| text[text.len().saturating_sub(EDGE_BYTES_MAX)..].to_vec()).collect();
    united(edges, Texts::new())
}

fn one_of(texts: &Texts) -> Required {
    Required::any(texts.iter().map(|text| Required::text(text)))
}
