//! Every input that is kept in `dataplane/fuzz` through the code that it was found for: `corpus`, which reaches what the
//! fuzzer has ever reached, and `regressions`, each of which was a bug once.

use std::path::{Path, PathBuf};

fn inputs(folder: &str, target: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(folder).join(target);
    let Ok(entries) = std::fs::read_dir(&dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths
}

/// The name of the input that fails is the last one that is printed.
fn run(target: &str, body: fn(&[u8])) {
    let corpus = inputs("corpus", target);
    assert!(corpus.len() >= 20, "the corpus of {target} has only {} inputs", corpus.len());
    for path in corpus.into_iter().chain(inputs("regressions", target)) {
        println!("{}", path.display());
        body(&std::fs::read(&path).expect("a readable file"));
    }
}

#[test]
fn recovery_takes_every_input_of_its_corpus() {
    run("wal_recovery", grepzilla_fuzz::wal_recovery);
}

#[test]
fn opening_a_segment_takes_every_input_of_its_corpus() {
    run("segment_open", grepzilla_fuzz::segment_open);
}

#[test]
fn requests_take_every_input_of_their_corpus() {
    run("request", grepzilla::fuzzing::request);
}

#[test]
fn patterns_take_every_input_of_their_corpus() {
    run("pattern", grepzilla_fuzz::pattern);
}
