//! What is to be reached, beside what was: one line for each bar, with the figures of two systems that are not run here.

use serde_json::{Value, json};

use crate::report::{cells, print_table};

pub(crate) mod cost;
pub(crate) mod search;

/// Whether the newest 100 of so many that match are to be there quickly: one document in 1,000 matches, and there are 100.
pub(crate) fn is_frequent(matches: u64, documents: u64) -> bool {
    matches >= 100 && matches * 1_000 >= documents
}

/// One bar.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    /// What it is about.
    what: String,
    /// What is to be reached.
    wanted: String,
    /// What was.
    found: String,
    /// Whether that is enough; `None` if nobody says how much is, or it could not be measured.
    holds: Option<bool>,
    fixed: Fixed,
}

/// What two systems reach on the whole corpus S, as it was measured once beside ripgrep; not from this run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fixed {
    zoekt: &'static str,
    victoria_logs: &'static str,
}

impl Fixed {
    pub(crate) const fn new(zoekt: &'static str, victoria_logs: &'static str) -> Fixed {
        Fixed { zoekt, victoria_logs }
    }
}

impl Bar {
    pub(crate) fn new(what: impl Into<String>, wanted: impl Into<String>, fixed: Fixed) -> Bar {
        Bar { what: what.into(), wanted: wanted.into(), found: "not measured".to_owned(), holds: None, fixed }
    }

    /// Without the figures of systems that are not run here, where they say nothing of the corpus.
    pub(crate) fn without_fixed(self) -> Bar {
        Bar { fixed: Fixed::default(), ..self }
    }

    /// With what was found, and whether it is enough.
    pub(crate) fn found(self, found: String, holds: bool) -> Bar {
        Bar { found, holds: Some(holds), ..self }
    }

    /// With a figure that has no bar.
    pub(crate) fn told(self, found: String) -> Bar {
        Bar { found, ..self }
    }
}

/// Prints a table of them.
pub(crate) fn print(name: &str, bars: &[Bar]) {
    println!("\n# Bars: {name}\n");
    let head = cells(["what", "bar", "measured", "holds", "zoekt, fixed", "VictoriaLogs, fixed"]);
    let row = |bar: &Bar| {
        let holds = bar.holds.map_or("-", |holds| if holds { "yes" } else { "NO" });
        cells([&bar.what, &bar.wanted, &bar.found, holds, bar.fixed.zoekt, bar.fixed.victoria_logs])
    };
    print_table(&head, &bars.iter().map(row).collect::<Vec<_>>());
    let missed = bars.iter().filter(|bar| bar.holds == Some(false)).count();
    let judged = bars.iter().filter(|bar| bar.holds.is_some()).count();
    println!("{} of {judged} bars hold", judged - missed);
}

/// All of them, for the file.
pub(crate) fn json(bars: &[Bar]) -> Value {
    let one = |bar: &Bar| {
        json!({"what": bar.what, "bar": bar.wanted, "measured": bar.found, "holds": bar.holds,
               "zoekt_fixed": bar.fixed.zoekt, "victoria_logs_fixed": bar.fixed.victoria_logs})
    };
    bars.iter().map(one).collect()
}
