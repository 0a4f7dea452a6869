//! The real documents that ship with the repository, and a plain scan of them that shares no code with the engine.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::needles::Needle;

/// The window of the packed file: `zstd --long=27`.
const WINDOW_LOG: u32 = 27;

/// All documents, and their distinct leaf values with the documents that hold them.
pub struct Sample {
    /// One JSON object each.
    pub lines: Vec<String>,
    values: Vec<Leaf>,
}

/// One distinct leaf value.
struct Leaf {
    written: String,
    lowercase: String,
    documents: Vec<u32>,
}

impl Sample {
    /// The shipped file.
    pub fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/security-events.jsonl.zst")
    }

    /// Unpacks the shipped file.
    pub fn load() -> Result<Sample> {
        let path = Sample::path();
        let file = std::fs::File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut decoder = zstd::Decoder::new(file)?;
        decoder.window_log_max(WINDOW_LOG)?;
        Sample::of(BufReader::new(decoder).lines().collect::<std::io::Result<_>>()?)
    }

    fn of(lines: Vec<String>) -> Result<Sample> {
        let mut holders: HashMap<String, Vec<u32>> = HashMap::new();
        for (number, line) in lines.iter().enumerate() {
            let document: Value = serde_json::from_str(line).with_context(|| format!("line {number} is not JSON"))?;
            leaves(&document, &mut |value| {
                let number = number as u32;
                let held = holders.entry(value.to_owned()).or_default();
                if held.last() != Some(&number) {
                    held.push(number);
                }
            });
        }
        let leaf = |(written, documents): (String, _)| Leaf { lowercase: written.to_lowercase(), written, documents };
        Ok(Sample { lines, values: holders.into_iter().map(leaf).collect() })
    }

    /// How many documents have a leaf value that the needle matches.
    pub fn count(&self, needle: &Needle) -> Result<u64> {
        let matcher = needle.matcher()?;
        let mut matched = vec![false; self.lines.len()];
        for leaf in &self.values {
            if matcher(&leaf.written, &leaf.lowercase) {
                leaf.documents.iter().for_each(|&document| matched[document as usize] = true);
            }
        }
        Ok(matched.iter().filter(|&&matched| matched).count() as u64)
    }

    /// The documents as NDJSON bodies of at most `documents` each.
    pub fn bodies(&self, documents: usize) -> impl Iterator<Item = (usize, String)> + '_ {
        self.lines.chunks(documents).map(|lines| (lines.len(), lines.join("\n")))
    }
}

/// Calls `visit` for every leaf value as text: strings as they are, numbers and booleans as JSON, null not at all.
fn leaves(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::Null => {}
        Value::String(text) => visit(text),
        Value::Bool(_) | Value::Number(_) => visit(&value.to_string()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, visit)),
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, visit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::needles::Needle;

    #[test]
    fn a_document_counts_once_however_many_of_its_values_match() {
        let lines = [r#"{"a":"xx","b":["x",{"c":"Xy"}]}"#, r#"{"x":"none"}"#, r#"{"n":1.5,"t":true,"z":null}"#];
        let sample = Sample::of(lines.map(str::to_owned).to_vec()).expect("valid JSON");
        let counts =
            ["x", "none", "1.5", "TRUE", "null"].map(|text| sample.count(&Needle::contains(text)).expect("valid"));
        assert_eq!(counts, [1, 1, 1, 1, 0]);
    }
}
