//! The engine against the naive scan: the same questions, the same documents, no difference.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use grepzilla_model::SeqNo;
use grepzilla_query::{
    Aggregations, CompiledQuery, LeafAnswer, LeafHit, LeafRequest, Order, QueryError, SortKey, compile, search,
};
use grepzilla_storage::View;
use serde_json::json;

use crate::fixtures::{EPOCH, SHARD, Sample, State, samples, seeded, text, with_sealing};
use crate::naive::{Asked, AskedMatch, answer};
use crate::questions::{Form, Question, Wanted};

/// Rounds, unless `GREPZILLA_ROUNDS` says otherwise.
const ROUNDS: usize = 10;
const PAGES_MAX: usize = 4;
const QUESTIONS_PER_ROUND: usize = 100;
const DOCUMENTS_PER_ROUND: u64 = 150;

/// Asks for one page.
pub(crate) fn page(
    view: &View,
    query: &CompiledQuery,
    question: &Question,
    after: Option<SortKey>,
    upto: SeqNo,
    count: bool,
) -> LeafAnswer {
    let request = LeafRequest {
        query,
        shard: SHARD,
        order: if question.newest_first { Order::Newest } else { Order::Oldest },
        size: question.page_size,
        after,
        since: SeqNo(0),
        upto,
        count,
        aggregations: if count { question.aggregations() } else { Aggregations::default() },
        threads: question.threads,
        deadline: Instant::now() + Duration::from_secs(600),
        candidates_max: u64::MAX,
    };
    search(view, &request).expect("it can be read")
}

#[test]
fn the_engine_answers_as_a_naive_scan_does() {
    let mut random = seeded("oracle");
    let mut asked = 0;
    let mut not_empty = 0;
    let rounds = std::env::var("GREPZILLA_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"));
    for _ in 0..rounds {
        let samples = with_sealing(samples(&mut random, 1, DOCUMENTS_PER_ROUND));
        let tiers = State::ALL.map(|state| state.tier_with(&samples));
        for _ in 0..QUESTIONS_PER_ROUND {
            let question = Question::any(&mut random, &samples);
            let Some(query) = compiled(&question) else { continue };
            let asked_of = Asked::new(&question);
            let expected = answer(&asked_of, &samples, u64::MAX);
            for tier in &tiers {
                let view = View::from(tier.view());
                compare(&view, view.upto(), &query, &asked_of, &samples, &expected);
            }
            asked += 1;
            not_empty += usize::from(!expected.is_empty());
        }
    }
    println!("{asked} questions, {not_empty} of them with hits, each in {} states", State::ALL.len());
    assert!(asked > rounds * QUESTIONS_PER_ROUND * 3 / 4 && not_empty * 3 > asked && not_empty < asked);
}

#[test]
fn huge_values_and_documents_are_no_exception() {
    let mut random = seeded("huge values");
    let mut samples = samples(&mut random, 1, 12);
    for sample in samples.iter_mut().step_by(2) {
        let filler = text(&mut random);
        let value = format!("{filler}-Żx! ").repeat(80_000 / (filler.len() + 6)) + "ENDE";
        *sample =
            Sample::new(sample.seq, sample.time, sample.index, json!({"a": value, "text": [value, ""]}).to_string());
    }
    let samples = with_sealing(samples);
    let tiers = State::ALL.map(|state| state.tier_with(&samples));
    for _ in 0..60 {
        let question = Question::any(&mut random, &samples);
        let Some(query) = compiled(&question) else { continue };
        let asked = Asked::new(&question);
        let expected = answer(&asked, &samples, u64::MAX);
        for tier in &tiers {
            let view = View::from(tier.view());
            compare(&view, view.upto(), &query, &asked, &samples, &expected);
        }
    }
}

#[test]
fn the_first_leaf_that_matches_is_shown() {
    let sources = [r#"{"b":"no","z":{"y":["nothing","a NEEDLE"]},"a":"needle"}"#, r#"{"needle":"","a":"needle"}"#];
    let samples: Vec<Sample> =
        (1..).zip(sources).map(|(seq, source)| Sample::new(seq, 0, "main", source.to_owned())).collect();
    let samples = with_sealing(samples);
    let question = Question::of(Wanted::contains("needle"));
    let query = compile(question.query()).expect("a good query");
    for tier in State::ALL.map(|state| state.tier_with(&samples)) {
        let view = View::from(tier.view());
        let answer = page(&view, &query, &question, None, view.upto(), false);
        let shown = answer.hits.iter().map(|hit| (hit.matched_field.as_str(), hit.preview.as_str()));
        assert_eq!(shown.collect::<Vec<_>>(), [("a", "needle"), ("z.y", "a NEEDLE")]);
        assert_eq!((answer.hits[0].epoch, answer.hits[1].highlights.clone()), (EPOCH, vec![[2, 8]]));
    }
}

/// The compiled query; `None` when it is rightly refused.
pub(crate) fn compiled(question: &Question) -> Option<CompiledQuery> {
    let patterns = question.root.patterns();
    let has = |form: Form| patterns.iter().any(|wanted| wanted.form == form);
    match compile(question.query()) {
        Ok(query) => return Some(query),
        Err(QueryError::FoldsToNothing) => {
            let folds_to_nothing = |wanted: &&Wanted| {
                let folded = crate::alphabet::fold(&wanted.pattern);
                !wanted.case_sensitive && folded.chars().all(|character| "*?\\".contains(character))
            };
            assert!(patterns.iter().any(folds_to_nothing), "{question:?}");
        }
        Err(QueryError::RegexSyntax { .. }) => {
            let is_wrong = |wanted: &&Wanted| wanted.form == Form::Regex && regex::Regex::new(&wanted.pattern).is_err();
            assert!(patterns.iter().any(is_wrong), "{question:?}");
        }
        Err(QueryError::RegexTooBig { .. }) => assert!(has(Form::Regex)),
        Err(QueryError::DanglingEscape) => assert!(has(Form::Wildcard)),
        Err(other) => panic!("{other}: {question:?}"),
    }
    None
}

/// Counts, pages one after the other, and what they show.
pub(crate) fn compare(
    view: &View,
    upto: SeqNo,
    query: &CompiledQuery,
    asked: &Asked<'_>,
    samples: &[Sample],
    expected: &[u64],
) {
    let question = asked.question;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let count = found.is_empty();
        let answer = page(view, query, question, after, upto, count);
        assert!(!answer.deadline_hit && !answer.budget_hit);
        assert_eq!(answer.total, count.then_some(expected.len() as u64), "{question:?}");
        if count {
            check_aggregations(&answer, question, samples, expected);
        }
        assert!(answer.hits.len() <= question.page_size);
        found.extend(answer.hits.iter().map(|hit| hit.key.seq.0));
        answer.hits.iter().for_each(|hit| check_hit(hit, asked, at(samples, hit.key.seq.0)));
        assert_eq!(answer.more, found.len() < expected.len(), "{question:?}");
        if !answer.more || found.len() > PAGES_MAX * question.page_size {
            break;
        }
        after = answer.hits.last().map(|hit| hit.key);
    }
    assert_eq!(found, expected[..found.len()], "{question:?}");
}

/// The sample at a position.
fn at(samples: &[Sample], seq: u64) -> &Sample {
    let place = samples.binary_search_by_key(&seq, |sample| sample.seq);
    &samples[place.expect("what is found was written")]
}

/// Counts by time and by value, of the documents that the naive scan found.
fn check_aggregations(answer: &LeafAnswer, question: &Question, samples: &[Sample], expected: &[u64]) {
    let found = || expected.iter().map(|seq| at(samples, *seq));
    if let Some(interval) = question.interval {
        let counted = counts(found().map(|sample| (sample.time as f64 / interval as f64).floor() as i64 * interval));
        let histogram = answer.histogram.as_ref().expect("it was asked for");
        let buckets: Vec<(i64, u64)> = histogram.buckets().iter().map(|(start, count)| (start.0, *count)).collect();
        assert_eq!(buckets, counted, "{question:?}");
    }
    if let Some(field) = &question.terms {
        let values = |sample: &Sample| {
            let leaves = sample.leaves.iter().filter(|leaf| leaf.path == *field);
            leaves.map(|leaf| leaf.written.clone()).collect::<BTreeSet<String>>()
        };
        let mut counted = counts(found().flat_map(values));
        counted.sort_by_key(|(_, count)| Reverse(*count));
        let terms = answer.terms.as_ref().expect("it was asked for");
        let found: Vec<(String, u64)> = terms.counts.iter().map(|count| (count.term.clone(), count.count)).collect();
        assert_eq!((found, terms.unseen_max, terms.omitted_max), (counted, 0, 0), "{question:?}");
    }
}

/// How often each comes, in order.
fn counts<T: Ord>(all: impl Iterator<Item = T>) -> Vec<(T, u64)> {
    let mut counts = BTreeMap::new();
    all.for_each(|one| *counts.entry(one).or_insert(0) += 1);
    counts.into_iter().collect()
}

fn check_hit(hit: &LeafHit, asked: &Asked<'_>, sample: &Sample) {
    let question = asked.question;
    assert_eq!((hit.key.time.0, hit.key.shard, hit.index.as_str()), (sample.time, SHARD, sample.index));
    assert_eq!(hit.id.as_deref(), sample.id());
    assert_eq!(std::str::from_utf8(&hit.source).expect("text"), sample.source);
    let Some((leaf, pattern)) = asked.shown(sample) else {
        assert_eq!(
            (hit.matched_field.as_str(), hit.preview.as_str(), hit.highlights.len()),
            ("", "", 0),
            "{question:?}"
        );
        return;
    };
    assert_eq!(hit.matched_field, leaf.path, "{hit:?} for {question:?}");
    let is_whole = hit.preview == leaf.written;
    assert!(is_whole || (hit.preview.len() <= 240 && leaf.written.contains(&hit.preview)), "{hit:?} for {question:?}");
    assert!(hit.highlights.is_sorted_by(|one, next| one[1] <= next[0]) || hit.highlights.len() == 1, "{hit:?}");
    for [start, end] in &hit.highlights {
        let is_cut = *end == hit.preview.len() && !is_whole;
        let highlighted = &hit.preview[*start..*end];
        assert!(!highlighted.is_empty());
        assert!(is_cut || pattern.is_match(highlighted, &leaf.written), "{highlighted:?} of {hit:?} for {question:?}");
    }
    if is_whole {
        check_all_highlighted(hit, pattern);
    }
}

/// Where matches are easily found by other means, none may be missing.
fn check_all_highlighted(hit: &LeafHit, pattern: &AskedMatch<'_>) {
    let wanted = pattern.wanted;
    let highlighted: Vec<(usize, usize)> = hit.highlights.iter().map(|[start, end]| (*start, *end)).collect();
    let expected: Option<Vec<(usize, usize)>> = match wanted.form {
        Form::Contains if wanted.case_sensitive => {
            let matches = hit.preview.match_indices(&wanted.pattern);
            Some(matches.map(|(start, text)| (start, start + text.len())).collect())
        }
        Form::Regex => Some(pattern.regex_matches(&hit.preview)),
        _ => None,
    };
    if let Some(expected) = expected {
        assert_eq!(highlighted, expected, "{hit:?} for {wanted:?}");
    } else if wanted.form == Form::Contains {
        assert!(!highlighted.is_empty(), "{hit:?} for {wanted:?}");
    }
}
