//! The characters of the random texts, each with its folding as a person reads it in the Unicode charts.

/// Beyond ASCII, whose folding is lower case: many scripts, ligatures, compatibility forms, emoji, marks that are dropped and
/// marks that stay.
pub(crate) const FOLDINGS: &[(char, &str)] = &[
    ('ż', "z"),
    ('Ż', "z"),
    ('ó', "o"),
    ('Ó', "o"),
    ('ł', "ł"),
    ('Ł', "ł"),
    ('ć', "c"),
    ('é', "e"),
    ('É', "e"),
    ('ñ', "n"),
    ('ß', "ss"),
    ('ẞ', "ss"),
    ('ı', "ı"),
    ('İ', "i"),
    ('ſ', "s"),
    ('\u{212A}', "k"),
    ('\u{212B}', "a"),
    ('ø', "ø"),
    ('Ø', "ø"),
    ('ﬁ', "fi"),
    ('ﬀ', "ff"),
    ('ﬃ', "ffi"),
    ('Ǆ', "dz"),
    ('ª', "a"),
    ('½', "1\u{2044}2"),
    ('№', "no"),
    ('™', "tm"),
    ('Ａ', "a"),
    ('ｂ', "b"),
    ('１', "1"),
    ('𝐀', "a"),
    ('\u{a0}', " "),
    ('…', "..."),
    ('Σ', "σ"),
    ('ς', "σ"),
    ('σ', "σ"),
    ('ά', "α"),
    ('Ω', "ω"),
    ('ϐ', "β"),
    ('ᾳ', "α"),
    ('ΐ', "ι"),
    ('ῼ', "ω"),
    ('К', "к"),
    ('а', "а"),
    ('А', "а"),
    ('к', "к"),
    ('О', "о"),
    ('о', "о"),
    ('Ш', "ш"),
    ('ш', "ш"),
    ('ё', "е"),
    ('Й', "и"),
    ('й', "и"),
    ('ї', "і"),
    ('א', "א"),
    ('ב', "ב"),
    ('\u{5b4}', "\u{5b4}"),
    ('ا', "ا"),
    ('\u{FE8D}', "ا"),
    ('\u{64b}', "\u{64b}"),
    (
        '\u{FDFA}',
        "\u{635}\u{644}\u{649} \u{627}\u{644}\u{644}\u{647} \u{639}\u{644}\u{64a}\u{647} \u{648}\u{633}\u{644}\u{645}",
    ),
    ('ह', "ह"),
    ('ि', "ि"),
    ('न', "न"),
    ('्', "्"),
    ('\u{958}', "\u{915}\u{93c}"),
    ('\u{e33}', "\u{e4d}\u{e32}"),
    ('ก', "ก"),
    ('한', "\u{1112}\u{1161}\u{11ab}"),
    ('가', "\u{1100}\u{1161}"),
    ('ᄒ', "ᄒ"),
    ('漢', "漢"),
    ('字', "字"),
    ('\u{F900}', "\u{8C48}"),
    ('㍿', "株式会社"),
    ('ガ', "カ\u{3099}"),
    ('ｶ', "カ"),
    ('あ', "あ"),
    ('\u{3099}', "\u{3099}"),
    ('😀', "😀"),
    ('👩', "👩"),
    ('\u{200D}', "\u{200D}"),
    ('💻', "💻"),
    ('\u{FE0F}', "\u{FE0F}"),
    ('🏽', "🏽"),
    ('🇵', "🇵"),
    ('\u{301}', ""),
    ('\u{308}', ""),
    ('\u{345}', ""),
    ('\u{1AB0}', ""),
    ('\u{20DD}', ""),
    ('\u{FE20}', ""),
    ('\u{1DC0}', ""),
    ('\u{10400}', "\u{10428}"),
    ('ꭰ', "Ꭰ"),
    ('Ა', "ა"),
    ('Ա', "ա"),
    ('և', "եւ"),
    ('\u{2028}', "\u{2028}"),
    ('€', "€"),
    ('�', "�"),
];

/// Folds a text of these characters and ASCII.
pub(crate) fn fold(text: &str) -> String {
    text.chars().map(fold_character).collect()
}

fn fold_character(character: char) -> String {
    if character.is_ascii() {
        return character.to_lowercase().collect();
    }
    let known = FOLDINGS.iter().find(|(known, _)| *known == character);
    known.map(|(_, folding)| (*folding).to_owned()).unwrap_or_else(|| panic!("{character:?} is not in the alphabet"))
}

/// The characters with the same folding, this one included.
pub(crate) fn alike(character: char) -> Vec<char> {
    let folding = fold_character(character);
    let ascii = ('\0'..='\x7F').filter(|other| other.to_ascii_lowercase().to_string() == folding);
    let others = FOLDINGS.iter().filter(|(_, other)| *other == folding).map(|(other, _)| *other);
    ascii.chain(others).collect()
}
