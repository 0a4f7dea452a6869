//! What was written after a position, and nothing else.

use std::time::{Duration, Instant};

use grepzilla_model::SeqNo;
use grepzilla_query::{
    Aggregations, CompiledQuery, LeafRequest, Node, Order, Pattern, Query, TimeRange, compile, search,
};
use grepzilla_storage::View;

use crate::fixtures::{SHARD, State, insert, samples, seeded};

fn everything() -> CompiledQuery {
    let root = Node::Match { pattern: Pattern::Wildcard("*".into()), field: None, case_sensitive: false };
    compile(Query { root, indexes: Vec::new(), time: TimeRange::default() }).expect("a good query")
}

/// The positions that are shown, ascending, and the total.
fn since(view: &View, query: &CompiledQuery, since: SeqNo, size: usize) -> (Vec<u64>, Option<u64>, u64) {
    let request = LeafRequest {
        query,
        shard: SHARD,
        order: Order::Oldest,
        size,
        after: None,
        since,
        upto: view.upto(),
        count: true,
        aggregations: Aggregations::default(),
        threads: 1,
        deadline: Instant::now() + Duration::from_secs(60),
        candidates_max: u64::MAX,
    };
    let answer = search(view, &request).expect("it is in memory");
    let mut found: Vec<u64> = answer.hits.iter().map(|hit| hit.key.seq.0).collect();
    found.sort_unstable();
    (found, answer.total, answer.metrics.blocks_read)
}

#[test]
fn a_search_since_a_position_sees_exactly_what_came_after_it() {
    let mut random = seeded("since");
    let samples = samples(&mut random, 1, 300);
    for state in State::ALL {
        let tier = state.tier();
        insert(&tier, &samples, 50);
        let (view, query) = (View::from(tier.view()), everything());
        let (all, total, blocks) = since(&view, &query, SeqNo(0), 1_000);
        assert_eq!(total, Some(all.len() as u64));
        for position in [0, 1, 49, 50, 51, 149, 299, 300, 301] {
            let (found, total, _) = since(&view, &query, SeqNo(position), 1_000);
            let expected: Vec<u64> = all.iter().copied().filter(|seq| *seq > position).collect();
            assert_eq!((&found, total), (&expected, Some(expected.len() as u64)), "{state:?} since {position}");
            // Counted where no document of a block can enter the page.
            assert_eq!(since(&view, &query, SeqNo(position), 0).1, total, "{state:?} since {position}");
        }
        let (_, _, read) = since(&view, &query, SeqNo(299), 1_000);
        let indexes = if state == State::Sealed { 2 } else { blocks };
        assert!(read <= indexes, "{state:?}: {read} of {blocks} blocks were read for one document");
    }
}
