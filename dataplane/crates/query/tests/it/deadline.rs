//! Time and work are bounded, and it is said when a bound was reached.

use std::time::{Duration, Instant};

use grepzilla_model::SeqNo;
use grepzilla_query::{Aggregations, LeafAnswer, LeafRequest, Node, Order, Pattern, Query, TimeRange, compile, search};
use grepzilla_storage::View;
use grepzilla_storage::hot::HotTier;

use rand::RngExt;

use crate::fixtures::{SHARD, Sample, State, insert, samples, seeded};

fn ask(tier: &HotTier, pattern: Pattern, size: usize, count: bool, time: Duration, candidates_max: u64) -> LeafAnswer {
    let root = Node::Match { pattern, field: None, case_sensitive: false };
    let query = Query { root, indexes: Vec::new(), time: TimeRange::default() };
    let query = compile(query).expect("a good query");
    let (view, deadline) = (View::from(tier.view()), Instant::now() + time);
    let (order, upto, after) = (Order::Newest, SeqNo(u64::MAX), None);
    let request = LeafRequest {
        query: &query,
        shard: SHARD,
        order,
        size,
        after,
        since: SeqNo(0),
        upto,
        count,
        aggregations: Aggregations::default(),
        threads: 1,
        deadline,
        candidates_max,
    };
    search(&view, &request).expect("it is in memory")
}

fn filled() -> HotTier {
    let tier = State::Mixed.tier();
    insert(&tier, &samples(&mut seeded("deadline"), 1, 400), 50);
    tier
}

#[test]
fn a_deadline_that_has_passed_gives_an_empty_honest_answer() {
    let tier = filled();
    let answer = ask(&tier, Pattern::Wildcard("*".into()), 10, true, Duration::ZERO, u64::MAX);
    assert!(answer.deadline_hit && answer.more && !answer.budget_hit);
    assert_eq!((answer.hits.len(), answer.total, answer.metrics.blocks_read), (0, Some(0), 0));
}

#[test]
fn the_candidate_budget_stops_the_search_and_is_reported() {
    let tier = filled();
    let minute = Duration::from_secs(60);
    let whole = ask(&tier, Pattern::Wildcard("*".into()), 5, true, minute, u64::MAX);
    let candidates = whole.metrics.candidates_total;
    assert_eq!(Some(candidates), whole.total);
    let within = ask(&tier, Pattern::Wildcard("*".into()), 5, true, minute, candidates);
    assert!(!within.budget_hit && within.total == whole.total);
    let beyond = ask(&tier, Pattern::Wildcard("*".into()), 5, true, minute, 30);
    assert!(beyond.budget_hit && beyond.more && !beyond.deadline_hit);
    assert!(beyond.total < whole.total && beyond.metrics.blocks_read < whole.metrics.blocks_read);
}

#[test]
fn a_page_that_nothing_can_beat_ends_the_search_unless_all_are_counted() {
    let tier = State::Mixed.tier();
    let mut samples = samples(&mut seeded("early end"), 1, 400);
    samples.iter_mut().for_each(|sample| sample.time = sample.seq as i64);
    insert(&tier, &samples, 50);
    let minute = Duration::from_secs(60);
    let page = ask(&tier, Pattern::Wildcard("*".into()), 5, false, minute, u64::MAX);
    assert!(page.total.is_none() && page.more && page.hits.len() == 5);
    assert!(page.metrics.blocks_read * 2 < page.metrics.blocks_total, "{:?}", page.metrics);
    let counted = ask(&tier, Pattern::Wildcard("*".into()), 5, true, minute, u64::MAX);
    assert_eq!(counted.metrics.blocks_read, counted.metrics.blocks_total);
    assert_eq!(counted.hits, page.hits);
    let nothing = ask(&tier, Pattern::Wildcard("*".into()), 0, true, minute, u64::MAX);
    assert!(nothing.hits.is_empty() && nothing.total == counted.total && nothing.more);
}

#[test]
fn an_expression_that_takes_long_on_one_value_is_stopped_in_time() {
    let mut random = seeded("long value");
    let value: String = (0..150_000).map(|_| if random.random_bool(0.5) { 'a' } else { 'ż' }).collect();
    let source = serde_json::json!({ "a": value }).to_string();
    let sample = Sample { leaves: Vec::new(), ..Sample::new(1, 0, "main", source) };
    let patterns = ["[aż]*a[aż]{300}!", "(?m)^[aż]*a[aż]{300}!", "(?:[aż]|\\w)*a[aż]{900}$!"];
    for (state, pattern) in State::ALL.into_iter().flat_map(|state| patterns.map(|pattern| (state, pattern))) {
        let tier = state.tier();
        insert(&tier, std::slice::from_ref(&sample), 1);
        let (started, allowed) = (Instant::now(), Duration::from_millis(100));
        let answer = ask(&tier, Pattern::Regex(pattern.to_owned()), 1, true, allowed, u64::MAX);
        assert!(answer.deadline_hit, "{pattern}");
        // Far less than the search would take; the rest is compilation without optimization, and a busy machine.
        assert!(started.elapsed() < Duration::from_secs(3), "{pattern}: {:?}", started.elapsed());
    }
}
