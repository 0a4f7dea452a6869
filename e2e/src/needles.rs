//! What the stories search for: forty needles of every kind, each with a matcher of its own for the plain scan.

use std::fmt;

use anyhow::Result;
use regex::RegexBuilder;
use serde_json::{Value, json};

/// One search, as a user would write it.
#[derive(Debug, Clone)]
pub struct Needle {
    form: Form,
    text: String,
    case_sensitive: bool,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Contains,
    Wildcard,
    Regex,
}

/// Decides whether one leaf value matches: given as written, and in lower case.
pub type Matcher = Box<dyn Fn(&str, &str) -> bool>;

impl Needle {
    /// A literal in any case.
    pub fn contains(text: &str) -> Needle {
        Needle { form: Form::Contains, text: text.to_owned(), case_sensitive: false }
    }

    /// A wildcard pattern in any case.
    pub fn wildcard(text: &str) -> Needle {
        Needle { form: Form::Wildcard, ..Needle::contains(text) }
    }

    /// A regular expression in any case.
    pub fn regex(text: &str) -> Needle {
        Needle { form: Form::Regex, ..Needle::contains(text) }
    }

    /// The same, as written.
    pub fn as_written(self) -> Needle {
        Needle { case_sensitive: true, ..self }
    }

    /// The body of a search for it that counts.
    pub fn request(&self) -> Value {
        let form = match self.form {
            Form::Contains => "contains",
            Form::Wildcard => "wildcard",
            Form::Regex => "regex",
        };
        json!({ form: self.text, "case_sensitive": self.case_sensitive, "count": true, "page": {"size": 3},
                "limits": {"deadline_ms": 60_000} })
    }

    /// The plain scan's idea of it. Case is folded by `str::to_lowercase`, which agrees with the engine's folding on
    /// every needle of [`forty`]; the engine's own tests look at the rest of Unicode.
    pub fn matcher(&self) -> Result<Matcher> {
        let case_sensitive = self.case_sensitive;
        let text = if case_sensitive { self.text.clone() } else { self.text.to_lowercase() };
        Ok(match self.form {
            Form::Contains => {
                Box::new(move |written, lowercase| if case_sensitive { written } else { lowercase }.contains(&text))
            }
            Form::Wildcard => {
                let pattern: Vec<char> = format!("*{text}*").chars().collect();
                Box::new(move |written, lowercase| {
                    glob(&pattern, &if case_sensitive { written } else { lowercase }.chars().collect::<Vec<_>>())
                })
            }
            Form::Regex => {
                let regex = RegexBuilder::new(&self.text).case_insensitive(!case_sensitive).build()?;
                Box::new(move |written, _| regex.is_match(written))
            }
        })
    }
}

impl fmt::Display for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = if self.case_sensitive { " as written" } else { "" };
        write!(f, "{:?} {:?}{case}", self.form, self.text)
    }
}

/// Whether a pattern of `*`, `?` and literal characters matches a whole text. Goes back to the last `*` on a mismatch.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&literal) if literal == '?' || literal == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&rest| rest == '*')
}

/// Forty needles: rare, common, absent, non-ASCII, one to three characters, wildcards, regular expressions.
pub fn forty() -> Vec<Needle> {
    let contains = [
        "mimikatz",
        "rubeus",
        "powershell",
        "LogonId",
        "Microsoft® Windows®",
        "®",
        "invoke-",
        "a",
        "0",
        "zz",
        "q",
        "xz",
        "S-1-5-21",
        r"\windows\system32\",
        "SeDebugPrivilege",
        "lsass",
        "zz_not_here_zz",
        "кошки",
        "日本",
        "0x1fffff",
        "cmd.exe",
        "psexec",
        "wmic",
        "\t",
        "Token Elevation",
        "true",
        "-1",
    ];
    let wildcards = ["power*.exe", "*logon*type*", "172.18.39.?", "m?mikatz", "lsass*dump", "no*such*thing*here"];
    let regexes = [r"mimi(katz|kittenz)", r"\b4688\b", r"^S-1-5-\d+$", r"[0-9]{5,}-[0-9]{10}", r"pid=\d+x"];
    let mut needles: Vec<Needle> = contains.into_iter().map(Needle::contains).collect();
    needles.extend(wildcards.into_iter().map(Needle::wildcard));
    needles.extend(regexes.into_iter().map(Needle::regex));
    needles.push(Needle::contains("PowerShell").as_written());
    needles.push(Needle::regex("^System$").as_written());
    needles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_forty() {
        assert_eq!(forty().len(), 40);
    }

    #[test]
    fn wildcards_go_back_to_the_last_star() {
        let matches = |pattern: &str, value: &str| {
            Needle::wildcard(pattern).matcher().expect("valid")(value, &value.to_lowercase())
        };
        assert!(matches("a*bc", "xxaxbxbcxx"));
        assert!(matches("a?c", "xABCx"));
        assert!(!matches("a?c", "ac"));
        assert!(!matches("a*bd", "aaabbb"));
    }
}
