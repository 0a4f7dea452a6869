//! What is searched for, in the words of every system.

/// One needle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needle {
    /// What it stands for.
    pub(crate) class: Class,
    pub(crate) form: Form,
    pub(crate) text: &'static str,
    pub(crate) case_sensitive: bool,
}

/// What a needle stands for; each corpus has one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Absent,
    /// In at most 20 documents.
    Scarce,
    Rare,
    Common,
    CommonAsWritten,
    InsideToken,
    OneCharacter,
    TwoCharacters,
    NotAscii,
    NotAsciiAsWritten,
    Wildcard,
    FourLiterals,
    RegexWithLiteral,
    RegexWithoutLiteral,
    AbsentRegex,
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
    contains(Class::Absent, "zz_not_here_zz"),
    contains(Class::Scarce, "kirbi"),
    contains(Class::Rare, "mimikatz"),
    contains(Class::Common, "powershell"),
    contains(Class::CommonAsWritten, "powershell").as_written(),
    contains(Class::InsideToken, "ogonI").as_written(),
    contains(Class::OneCharacter, "q"),
    contains(Class::TwoCharacters, "xz"),
    contains(Class::NotAscii, "®"),
    contains(Class::NotAsciiAsWritten, "®").as_written(),
    wildcard(Class::Wildcard, "power*.exe"),
    regex(Class::FourLiterals, "mimikatz|rubeus|cobaltstrike|sharphound"),
    regex(Class::RegexWithLiteral, "Logon(Id|Guid)"),
    regex(Class::RegexWithoutLiteral, "[0-9]{5,}-[0-9]{10}"),
    regex(Class::AbsentRegex, "zz_[a-f]+_not_here"),
];

/// The needles of lines of text.
pub(crate) const LINES: &[Needle] = &[
    contains(Class::Absent, "zz_not_here_zz"),
    contains(Class::Scarce, "livelock"),
    contains(Class::Rare, "xoshiro256"),
    contains(Class::Common, "return"),
    contains(Class::CommonAsWritten, "return").as_written(),
    contains(Class::InsideToken, "llocat").as_written(),
    contains(Class::OneCharacter, "q"),
    contains(Class::TwoCharacters, "xz"),
    contains(Class::NotAscii, "→"),
    contains(Class::NotAsciiAsWritten, "→").as_written(),
    wildcard(Class::Wildcard, "pub*fn*error"),
    regex(Class::FourLiterals, "poisoned|deadlock|livelock|starvation"),
    regex(Class::RegexWithLiteral, "mut(ex|able)"),
    regex(Class::RegexWithoutLiteral, "[0-9]{5,}-[0-9]{10}"),
    regex(Class::AbsentRegex, "zz_[a-f]+_not_here"),
];

const fn contains(class: Class, text: &'static str) -> Needle {
    Needle { class, form: Form::Contains, text, case_sensitive: false }
}

const fn wildcard(class: Class, text: &'static str) -> Needle {
    Needle { class, form: Form::Wildcard, text, case_sensitive: false }
}

const fn regex(class: Class, text: &'static str) -> Needle {
    Needle { class, form: Form::Regex, text, case_sensitive: false }
}

impl Needle {
    const fn as_written(self) -> Needle {
        Needle { case_sensitive: true, ..self }
    }

    /// As a regular expression, but for a literal, which stays as it is.
    pub(crate) fn as_regex(&self) -> String {
        match self.form {
            Form::Contains | Form::Regex => self.text.to_owned(),
            Form::Wildcard => self.text.split('*').map(regex::escape).collect::<Vec<_>>().join(".*"),
        }
    }
}

impl Class {
    /// Its name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Class::Absent => "absent",
            Class::Scarce => "rare, 20 at most",
            Class::Rare => "rare",
            Class::Common => "common, any case",
            Class::CommonAsWritten => "common, as written",
            Class::InsideToken => "inside a token",
            Class::OneCharacter => "one character",
            Class::TwoCharacters => "two characters",
            Class::NotAscii => "not ASCII",
            Class::NotAsciiAsWritten => "not ASCII, as written",
            Class::Wildcard => "wildcard",
            Class::FourLiterals => "four literals",
            Class::RegexWithLiteral => "regex with a literal",
            Class::RegexWithoutLiteral => "regex without one",
            Class::AbsentRegex => "absent regex",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_corpus_has_one_needle_of_each_class() {
        for (one, other) in EVENTS.iter().zip(LINES) {
            assert_eq!(one.class, other.class);
        }
        assert_eq!(EVENTS.len(), LINES.len());
    }
}
