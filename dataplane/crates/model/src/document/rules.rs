//! What the documents of one index must be like, and what is changed in them so that they are: types, required fields,
//! lengths by field, defaults, and what becomes of a value beyond a limit.
//!
//! Promise: what [`DocumentRules::read`] gives keeps every rule and every limit as it is to be stored; whoever stores it
//! need not look again. Rules that say nothing cost nothing: the document is read as [`Document::parse`] reads it.

mod defaults;
mod kind;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::faults::Faults;
use super::{DEPTH_CEILING, Document, DocumentError, DocumentLimits, text_of};
use crate::SharedText;
use crate::path::keys_of;
use defaults::Defaults;

pub use kind::FieldType;

/// What becomes of a value that is too long, too deep, or behind the last leaf that is allowed. An `_id` is never
/// changed: beyond a limit it is refused whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExceeded {
    /// The document is refused.
    #[default]
    Reject,
    /// The value is left out, with its key; of an array the element.
    Drop,
    /// A string is cut between two characters so that it fits. What cannot be cut is left out.
    Trim,
}

/// How many values were changed so that a document keeps the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amended {
    /// Left out.
    pub dropped: u64,
    /// Cut.
    pub trimmed: u64,
    /// Added.
    pub defaulted: u64,
}

impl Amended {
    /// Whether nothing was changed.
    pub fn is_nothing(&self) -> bool {
        *self == Amended::default()
    }

    /// Counts what was changed in another document, too.
    pub fn add(&mut self, other: Amended) {
        self.dropped += other.dropped;
        self.trimmed += other.trimmed;
        self.defaulted += other.defaulted;
    }
}

/// Why a document did not enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its `_id`, if it has one that can be read.
    pub id: Option<Arc<str>>,
    /// What is wrong with it, each kind once for each field.
    pub faults: Vec<DocumentError>,
}

/// The rules of one index. Fields are named by their dotted path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRules {
    limits: DocumentLimits,
    /// What holds before anything was changed.
    intake: DocumentLimits,
    on_exceeded: OnExceeded,
    fields: HashMap<String, FieldRule>,
    required: Vec<String>,
    defaults: Defaults,
}

/// What is said of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct FieldRule {
    kind: Option<FieldType>,
    bytes_max: Option<usize>,
    /// Its place among the required fields.
    required: Option<usize>,
}

/// A rule that cannot be kept or cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not a path.
    #[error("`{field}` is no path: keys are joined by dots, and a dot or backslash of a key has a backslash before it")]
    Path {
        /// What was there.
        field: String,
    },
    /// A default at a place that another one needs for an object.
    #[error("the default of `{field}` stands in the way of another one")]
    Clash {
        /// The field.
        field: String,
    },
    /// A default for the field that tells documents apart.
    #[error("`_id` can have no default: documents would replace each other")]
    DefaultId,
    /// A default that its own type refuses.
    #[error("the default of `{field}` must be {expected}")]
    DefaultType {
        /// The field.
        field: String,
        /// What it must be.
        expected: FieldType,
    },
}

impl DocumentRules {
    /// No more than limits.
    pub fn new(limits: DocumentLimits, on_exceeded: OnExceeded) -> DocumentRules {
        let intake = match on_exceeded {
            OnExceeded::Reject => limits.clone(),
            OnExceeded::Drop | OnExceeded::Trim => DocumentLimits {
                document_bytes_max: usize::MAX,
                value_bytes_max: usize::MAX,
                depth_max: DEPTH_CEILING,
                leaves_max: usize::MAX,
                path_bytes_max: limits.path_bytes_max,
            },
        };
        let (fields, required, defaults) = (HashMap::new(), Vec::new(), Defaults::default());
        DocumentRules { limits, intake, on_exceeded, fields, required, defaults }
    }

    /// A document must have this field: a value other than null at the path or below it.
    pub fn require(&mut self, field: &str) -> Result<(), RuleError> {
        let place = self.required.len();
        if self.field(field)?.required.replace(place).is_none() {
            self.required.push(field.to_owned());
        }
        Ok(())
    }

    /// Every value of this field must be of this type; null is none.
    pub fn expect_type(&mut self, field: &str, kind: FieldType) -> Result<(), RuleError> {
        self.field(field)?.kind = Some(kind);
        Ok(())
    }

    /// Every value of this field may have so many bytes, if that is less than [`DocumentLimits::value_bytes_max`].
    pub fn limit_field(&mut self, field: &str, bytes_max: usize) -> Result<(), RuleError> {
        self.field(field)?.bytes_max = Some(bytes_max);
        Ok(())
    }

    /// A document without this field gets it, with the objects that it needs around it. `json` is a string, a number or a
    /// boolean. Types and required fields are to be named before. A field that is null is there, and so is one whose
    /// path goes through something else than an object.
    pub fn add_default(&mut self, field: &str, json: &str) -> Result<(), RuleError> {
        let keys = keys_of(field).ok_or_else(|| RuleError::Path { field: field.to_owned() })?;
        if field == "_id" {
            return Err(RuleError::DefaultId);
        }
        if let Some(expected) = self.fields.get(field).and_then(|rule| rule.kind).filter(|kind| !kind.admits(json)) {
            return Err(RuleError::DefaultType { field: field.to_owned(), expected });
        }
        let is_or_holds =
            |required: &str| field.strip_prefix(required).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let satisfied = (0..self.required.len()).filter(|place| is_or_holds(&self.required[*place])).collect();
        if self.defaults.insert(&keys, json, satisfied) {
            Ok(())
        } else {
            Err(RuleError::Clash { field: field.to_owned() })
        }
    }

    /// Reads one document. The bytes must be UTF-8, as for [`Document::parse`].
    ///
    /// Where values may be left out or cut, the limit of the whole document holds for what is left.
    pub fn read(&self, bytes: &[u8]) -> Result<(Document, Amended), DocumentError> {
        self.check(&text_of(bytes)?)
    }

    /// Reads one document of a larger text, as [`Document::check`] does.
    pub fn check(&self, text: &SharedText) -> Result<(Document, Amended), DocumentError> {
        let faults = &mut Faults::first_ends();
        let document = Document::read(text, &self.intake, faults)?;
        self.apply(document, faults)
    }

    /// What is wrong with a document that [`DocumentRules::check`] has refused: all that can be told, up to a bound. Behind
    /// an error of syntax nothing can.
    pub fn refusal(&self, text: &SharedText) -> Refusal {
        let mut faults = Faults::gathered();
        let document = Document::read(text, &self.intake, &mut faults);
        let id = document.as_ref().ok().and_then(|document| document.id().cloned());
        let end = document.and_then(|document| self.apply(document, &mut faults)).err();
        Refusal { id, faults: faults.into_list(end) }
    }

    fn apply(&self, document: Document, faults: &mut Faults) -> Result<(Document, Amended), DocumentError> {
        if self.say_nothing() {
            return Ok((document, Amended::default()));
        }
        let (text, amended) = walk::apply(self, document.source(), faults)?;
        if amended.is_nothing() {
            self.check_size(document.source().len(), faults)?;
            return Ok((document, amended));
        }
        let stored = Document::read(&text.into(), &self.limits, faults)?;
        Ok((Document { lone_surrogates: document.lone_surrogates, ..stored }, amended))
    }

    fn say_nothing(&self) -> bool {
        self.on_exceeded == OnExceeded::Reject && self.fields.is_empty() && self.defaults.is_empty()
    }

    fn check_size(&self, found: usize, faults: &mut Faults) -> Result<(), DocumentError> {
        let max = self.limits.document_bytes_max;
        if found > max && self.on_exceeded != OnExceeded::Reject {
            faults.found(DocumentError::TooLarge { found, max })?;
        }
        Ok(())
    }

    fn field(&mut self, field: &str) -> Result<&mut FieldRule, RuleError> {
        keys_of(field).ok_or_else(|| RuleError::Path { field: field.to_owned() })?;
        Ok(self.fields.entry(field.to_owned()).or_default())
    }
}
