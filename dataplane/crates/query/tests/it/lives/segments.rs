//! What the index of a segment spares, and what a damaged segment does.

use std::time::{Duration, Instant};

use grepzilla_model::SeqNo;
use grepzilla_query::{Aggregations, LeafAnswer, LeafRequest, Node, Order, Pattern, Query, TimeRange, compile, search};
use grepzilla_storage::{ReadError, View};

use super::world::World;
use crate::fixtures::{SHARD, Sample, seeded};

fn ask(view: &View, root: Node) -> Result<LeafAnswer, ReadError> {
    let query = Query { root, indexes: Vec::new(), time: TimeRange::default() };
    let query = compile(query).expect("a good query");
    let request = LeafRequest {
        query: &query,
        shard: SHARD,
        order: Order::Newest,
        size: 10,
        after: None,
        upto: view.upto(),
        since: SeqNo(0),
        count: true,
        aggregations: Aggregations::default(),
        threads: 2,
        deadline: Instant::now() + Duration::from_secs(60),
        candidates_max: u64::MAX,
    };
    search(view, &request)
}

fn matching(pattern: Pattern) -> Node {
    Node::Match { pattern, field: None, case_sensitive: false }
}

fn contains(needle: &str) -> Node {
    matching(Pattern::Contains(needle.to_owned()))
}

#[test]
fn blocks_that_lack_what_a_query_requires_are_not_read() {
    let mut random = seeded("spared blocks");
    let mut world = World::new(&mut random);
    world.fill_segment(&mut random, 300);
    let view = world.view();
    let read = |root: Node| {
        let metrics = ask(&view, root).expect("readable").metrics;
        assert_eq!(metrics.blocks_read + metrics.blocks_excluded, metrics.blocks_total);
        (metrics.blocks_read, metrics.blocks_total)
    };
    let (absent, present) = ("qzqxq-qzq", "e");
    let any = |nodes: [&str; 2]| Node::Any(nodes.map(contains).to_vec());
    let all = |nodes: [&str; 2]| Node::All(nodes.map(contains).to_vec());
    for none in [contains(absent), any([absent, "xqzqx"]), all([absent, present]), all([present, absent])] {
        assert_eq!(read(none.clone()).0, 0, "{none:?}");
    }
    assert_eq!(read(matching(Pattern::Regex(format!("[0-9]+{absent}|xqzqx$")))).0, 0);
    assert!(read(any([absent, present])).0 > 0);
    let (read, total) = read(Node::Not(Box::new(contains(absent))));
    assert_eq!(read, total, "what lacks it is what was asked for");
}

#[test]
fn a_damaged_part_of_a_segment_gives_an_error_that_names_the_file_and_no_answer() {
    let mut random = seeded("damaged segment");
    let mut world = World::new(&mut random);
    world.fill_segment_with(vec![Sample::new(0, 0, "main", r#"{"message":"quite readable"}"#.to_owned())]);
    let name = world.view().segments()[0].path().to_owned();
    assert!(ask(&world.view(), contains("readable")).is_ok());
    // In the first frame behind the header: the one value there is, which the page cannot do without.
    world.damage_segments(160);
    let error = ask(&world.view(), contains("readable")).expect_err("a byte was changed");
    assert!(error.to_string().contains(&*name.to_string_lossy()), "{error}");
}
