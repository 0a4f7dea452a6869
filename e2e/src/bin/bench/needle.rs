//! What is searched for, in the words of every system.

/// One needle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needle {
    /// What it stands for.
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) text: &'static str,
    pub(crate) case_sensitive: bool,
}

/// How a needle is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Contains,
    Wildcard,
    Regex,
}

/// The needles of the security events.
pub(crate) const EVENTS: &[Needle] = &[
    contains("absent", "zz_not_here_zz"),
    contains("rare", "mimikatz"),
    contains("common", "powershell"),
    as_written("common, as written", "powershell"),
    as_written("inside a token", "ogonI"),
    contains("one character", "q"),
    contains("two characters", "xz"),
    contains("not ASCII", "®"),
    wildcard("wildcard", "power*.exe"),
    regex("four literals", "mimikatz|rubeus|cobaltstrike|sharphound"),
    regex("regex with a literal", "Logon(Id|Guid)"),
    regex("regex without one", "[0-9]{5,}-[0-9]{10}"),
    regex("absent regex", "zz_[a-f]+_not_here"),
];

/// The needles of lines of text.
pub(crate) const LINES: &[Needle] = &[
    contains("absent", "zz_not_here_zz"),
    contains("rare", "xoshiro256"),
    contains("common", "return"),
    as_written("common, as written", "return"),
    as_written("inside a token", "llocat"),
    contains("one character", "q"),
    contains("two characters", "xz"),
    contains("not ASCII", "→"),
    wildcard("wildcard", "pub*fn*error"),
    regex("four literals", "poisoned|deadlock|livelock|starvation"),
    regex("regex with a literal", "mut(ex|able)"),
    regex("regex without one", "[0-9]{5,}-[0-9]{10}"),
    regex("absent regex", "zz_[a-f]+_not_here"),
];

const fn contains(name: &'static str, text: &'static str) -> Needle {
    Needle { name, form: Form::Contains, text, case_sensitive: false }
}

const fn as_written(name: &'static str, text: &'static str) -> Needle {
    Needle { name, form: Form::Contains, text, case_sensitive: true }
}

const fn wildcard(name: &'static str, text: &'static str) -> Needle {
    Needle { name, form: Form::Wildcard, text, case_sensitive: false }
}

const fn regex(name: &'static str, text: &'static str) -> Needle {
    Needle { name, form: Form::Regex, text, case_sensitive: false }
}

impl Needle {
    /// As a regular expression, but for a literal, which stays as it is.
    pub(crate) fn as_regex(&self) -> String {
        match self.form {
            Form::Contains | Form::Regex => self.text.to_owned(),
            Form::Wildcard => self.text.split('*').map(regex::escape).collect::<Vec<_>>().join(".*"),
        }
    }
}
