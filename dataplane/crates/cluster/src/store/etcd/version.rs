//! Which versions of etcd are sound.

use std::fmt;

/// A version of etcd, without what follows the patch number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

/// The first sound patch of 3.5 and of 3.6; those before have known stale reads or lease bugs.
const FIRST_SOUND_3_5: Version = Version { major: 3, minor: 5, patch: 28 };
const FIRST_SOUND_3_6: Version = Version { major: 3, minor: 6, patch: 9 };

impl Version {
    /// Judges what a member says of itself. `Err`: what to tell whoever has to upgrade it.
    pub(super) fn judge(text: &str) -> Result<(), String> {
        match Version::parse(text) {
            Some(version) if version.is_sound() => Ok(()),
            _ => {
                let demand = format!("at least {FIRST_SOUND_3_5}, or {FIRST_SOUND_3_6} of the 3.6 series");
                Err(format!("its version is {text}, which has known stale reads or lease bugs; it must be {demand}"))
            }
        }
    }

    /// Reads `3.6.14` or `3.6.0-rc.1`. `None`: no such text.
    fn parse(text: &str) -> Option<Version> {
        let numbers = text.split(['-', '+']).next()?;
        let mut numbers = numbers.split('.').map(|number| number.parse().ok());
        let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Version { major, minor, patch })
    }

    /// Whether it has no known stale reads and lease bugs.
    fn is_sound(self) -> bool {
        let is_3_6 = (self.major, self.minor) == (3, 6);
        self >= FIRST_SOUND_3_5 && !(is_3_6 && self < FIRST_SOUND_3_6)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_known_bugs_are_unsound() {
        for sound in ["3.5.28", "3.5.100", "3.6.9", "3.6.14", "3.7.0-rc.0", "4.0.0"] {
            assert_eq!(Version::judge(sound), Ok(()));
        }
        for unsound in ["3.4.23", "3.5.27", "3.6.0", "3.6.8", "2.3.8", "unheard of"] {
            let demand = Version::judge(unsound).unwrap_err();
            assert!(demand.contains(unsound) && demand.contains("3.5.28") && demand.contains("3.6.9"), "{demand}");
        }
    }

    #[test]
    fn text_that_is_no_version_is_none() {
        for text in ["", "3", "3.6", "3.6.x", "3.6.1.2", "v3.6.9"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
