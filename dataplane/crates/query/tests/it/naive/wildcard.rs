//! Wildcards by trying everything.

/// A set of places in the pattern that may have been reached, moved along the text.
/// Each literal character of the pattern stands for what `spell` makes of it.
pub(crate) fn matches(pattern: &str, spell: impl Fn(char) -> String, text: &str) -> bool {
    let mut tokens: Vec<Option<char>> = vec![None];
    let mut is_any: Vec<bool> = vec![false];
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '*' | '?' => {
                tokens.push((character == '?').then_some('?'));
                is_any.push(character == '?');
                continue;
            }
            '\\' => characters.next().map(&spell).unwrap_or_default(),
            other => spell(other),
        };
        tokens.extend(literal.chars().map(Some));
        is_any.resize(tokens.len(), false);
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
