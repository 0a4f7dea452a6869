//! What is to be found, as it is said on the command line: the same for `search` and `tail`.

use anyhow::{Context, Result};
use clap::Args;
use grepzilla_api::search::{QueryNode, SearchRequest};

/// A pattern in one of its forms, or a tree of conditions, and where to look.
#[derive(Debug, Args)]
pub(crate) struct Conditions {
    /// What to find
    pattern: Option<String>,
    /// PATTERN is text, every character as it is; this is the default
    #[arg(long, group = "form")]
    contains: bool,
    /// In PATTERN `*` is any run of characters, `?` one character, and `\` takes the meaning of the next one away
    #[arg(long, short, group = "form")]
    wildcard: bool,
    /// PATTERN is a regular expression in the syntax of Rust's regex; `^` and `$` are the ends of a value, accents count
    #[arg(long, short = 'e', group = "form")]
    regex: bool,
    /// PATTERN is a whole value
    #[arg(long, short = 'x', group = "form")]
    exact: bool,
    /// A tree of conditions as JSON, instead of PATTERN; or @FILE that holds it, and @- for standard input
    #[arg(long, short, value_name = "JSON", group = "form", conflicts_with = "pattern")]
    query: Option<String>,
    /// Look in one field only, named by its path: user.name
    #[arg(long, short, value_name = "PATH")]
    field: Option<String>,
    /// Look in an index only; may be given several times
    #[arg(long, short, value_name = "NAME")]
    index: Vec<String>,
    /// Tell cases, accents and forms of characters apart
    #[arg(long, short = 's')]
    case_sensitive: bool,
}

impl Conditions {
    /// Whether there is any.
    pub(crate) fn is_given(&self) -> bool {
        self.pattern.is_some() || self.query.is_some()
    }

    /// A search for it; everything else is as it is by default.
    pub(crate) fn request(&self) -> Result<SearchRequest> {
        let mut request = SearchRequest {
            query: self.query.as_deref().map(query).transpose()?,
            field: self.field.clone(),
            index: (!self.index.is_empty()).then(|| self.index.clone()),
            case_sensitive: self.case_sensitive,
            ..SearchRequest::default()
        };
        let form = if self.wildcard {
            &mut request.wildcard
        } else if self.regex {
            &mut request.regex
        } else if self.exact {
            &mut request.exact
        } else {
            &mut request.contains
        };
        form.clone_from(&self.pattern);
        Ok(request)
    }
}

/// Reads a tree of conditions, or the file that holds it.
fn query(text: &str) -> Result<QueryNode> {
    let file = text.strip_prefix('@');
    let read = match file {
        None => Ok(text.to_owned()),
        Some("-") => std::io::read_to_string(std::io::stdin()),
        Some(path) => std::fs::read_to_string(path),
    };
    let name = file.unwrap_or("--query");
    let json = read.with_context(|| format!("cannot read {name}"))?;
    serde_json::from_str(&json).with_context(|| format!("{name} is no query"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_tree_is_said_with_its_place() {
        let error = query(r#"{"contians": "a"}"#).expect_err("no such condition");
        assert!(format!("{error:#}").contains("--query is no query: unknown field `contians`"), "{error:#}");
        let error = query("@/no/such/file").expect_err("no such file");
        assert!(format!("{error:#}").contains("cannot read /no/such/file"), "{error:#}");
    }
}
