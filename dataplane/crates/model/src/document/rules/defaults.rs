//! The values that are added to documents without them, as a tree of the objects that they stand in.

/// The children of one object; of the document itself at the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Defaults {
    pub(super) members: Vec<Member>,
}

/// A member that is added where there is none of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: String,
    /// The places of the required fields that are there when it is added.
    pub(super) satisfied: Vec<usize>,
    pub(super) value: Value,
}

/// What is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A string, number or boolean as it is written in JSON.
    Leaf(String),
    /// An object; where there is one already, its members are looked at one by one.
    Object(Defaults),
}

impl Defaults {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The member of a key, and its place.
    pub(super) fn find(&self, key: &str) -> Option<(usize, &Member)> {
        self.members.iter().enumerate().find(|(_, member)| member.key == key)
    }

    /// Adds a default; false when something else is at its place or in its way. There is at least one key.
    pub(super) fn insert(&mut self, keys: &[String], json: &str, satisfied: Vec<usize>) -> bool {
        let Some((key, below)) = keys.split_first() else { return false };
        let place = self.members.iter().position(|member| member.key == *key);
        let Some(place) = place else {
            let mut value = Value::Leaf(json.to_owned());
            if !below.is_empty() {
                let mut inner = Defaults::default();
                inner.insert(below, json, satisfied.clone());
                value = Value::Object(inner);
            }
            self.members.push(Member { key: key.clone(), satisfied, value });
            return true;
        };
        let member = &mut self.members[place];
        match &mut member.value {
            Value::Object(inner) if !below.is_empty() => {
                member.satisfied.extend(&satisfied);
                inner.insert(below, json, satisfied)
            }
            Value::Object(_) | Value::Leaf(_) => false,
        }
    }
}

impl Member {
    /// Appends the member as JSON; gives the number of its leaves.
    pub(super) fn write(&self, out: &mut String) -> usize {
        write_quoted(&self.key, out);
        out.push(':');
        match &self.value {
            Value::Leaf(json) => {
                out.push_str(json);
                1
            }
            Value::Object(inner) => {
                out.push('{');
                let mut leaves = 0;
                for (place, member) in inner.members.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    leaves += member.write(out);
                }
                out.push('}');
                leaves
            }
        }
    }
}

fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\0'..='\x1f' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}
