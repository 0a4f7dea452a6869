//! The dotted path of a leaf, grown and cut while a document is read.

/// A path under construction. A dot inside a key is written `\.` and a backslash `\\`, so that two paths are never
/// written alike.
#[derive(Debug, Clone, Default)]
pub struct FieldPath {
    text: String,
    depth: usize,
}

/// Where a path was before a key was added to it.
#[derive(Debug, Clone, Copy)]
pub struct PathMark {
    len: usize,
}

impl FieldPath {
    /// Goes down to a member of the object.
    pub fn enter(&mut self, key: &str) -> PathMark {
        let mark = PathMark { len: self.text.len() };
        if self.depth > 0 {
            self.text.push('.');
        }
        self.depth += 1;
        if !key.bytes().any(|byte| matches!(byte, b'.' | b'\\')) {
            self.text.push_str(key);
            return mark;
        }
        for character in key.chars() {
            if matches!(character, '.' | '\\') {
                self.text.push('\\');
            }
            self.text.push(character);
        }
        mark
    }

    /// Comes back up. `mark` is what the last [`FieldPath::enter`] that was not left gave.
    pub fn leave(&mut self, mark: PathMark) {
        self.text.truncate(mark.len);
        self.depth -= 1;
    }

    /// The path as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The keys of a path as it is written. `None`: no path that [`FieldPath`] writes, or the one of the empty key alone,
/// which is more likely a mistake.
pub fn keys_of(path: &str) -> Option<Vec<String>> {
    if path.is_empty() {
        return None;
    }
    let mut keys = vec![String::new()];
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        let key = keys.last_mut().expect("there is one from the beginning");
        match character {
            '.' => keys.push(String::new()),
            '\\' => key.push(characters.next().filter(|escaped| matches!(escaped, '.' | '\\'))?),
            _ => key.push(character),
        }
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(keys: &[&str]) -> String {
        let mut path = FieldPath::default();
        for key in keys {
            path.enter(key);
        }
        path.as_str().to_owned()
    }

    #[test]
    fn different_keys_never_give_the_same_path() {
        assert_eq!(path(&["text", "body"]), "text.body");
        let all = [
            path(&["a.b"]),
            path(&["a", "b"]),
            path(&["a\\", "b"]),
            path(&["a\\.b"]),
            path(&["", "a"]),
            path(&["a", ""]),
            path(&["a"]),
        ];
        assert_eq!(all, ["a\\.b", "a.b", "a\\\\.b", "a\\\\\\.b", ".a", "a.", "a"]);
    }

    #[test]
    fn a_path_gives_its_keys_back_and_nothing_else_does() {
        for keys in [&["a.b"][..], &["a", "b"], &["a\\", "b"], &["a\\.b"], &["", "a"], &["a", ""]] {
            assert_eq!(
                keys_of(&path(keys)).as_deref(),
                Some(&keys.iter().map(|key| key.to_string()).collect::<Vec<_>>()[..])
            );
        }
        assert_eq!([keys_of(""), keys_of("a\\"), keys_of("a\\b")], [None, None, None]);
    }

    #[test]
    fn leaving_restores_the_path() {
        let mut path = FieldPath::default();
        let outer = path.enter("a");
        let inner = path.enter("b.c");
        path.leave(inner);
        assert_eq!(path.as_str(), "a");
        path.leave(outer);
        path.enter("d");
        assert_eq!(path.as_str(), "d");
    }
}
