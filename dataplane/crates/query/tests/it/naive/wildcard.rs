//! Wildcards by trying everything.

/// A set of places in the pattern that may have been reached, moved along the text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut tokens: Vec<Option<char>> = vec![None];
    let mut is_any: Vec<bool> = vec![false];
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let (token, any) = match character {
            '*' => (None, false),
            '?' => (Some('?'), true),
            '\\' => (characters.next(), false),
            other => (Some(other), false),
        };
        tokens.push(token);
        is_any.push(any);
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
