//! Asks a query of a view.

use std::time::{Duration, Instant};

use grepzilla_model::SeqNo;
use grepzilla_query::{
    Aggregations, CompiledQuery, LeafAnswer, LeafRequest, Node, Order, Query, QueryError, TimeRange, compile, search,
};
use grepzilla_storage::{ReadError, View};

/// No query of an input takes so long.
const TIME_MAX: Duration = Duration::from_secs(15);

pub(crate) fn compiled(root: Node) -> Result<CompiledQuery, QueryError> {
    compile(Query { root, indexes: Vec::new(), time: TimeRange::default() })
}

/// The first hits and everything that is counted.
pub(crate) fn ask(view: &View, query: &CompiledQuery) -> Result<LeafAnswer, ReadError> {
    let request = LeafRequest {
        query,
        shard: view.shard(),
        order: Order::Newest,
        size: 100,
        after: None,
        since: SeqNo(0),
        upto: view.upto(),
        count: true,
        aggregations: Aggregations { histogram: Some(1_000_000), terms: Some("n") },
        threads: 1,
        deadline: Instant::now() + TIME_MAX,
        candidates_max: u64::MAX,
    };
    let answer = search(view, &request)?;
    assert!(!answer.deadline_hit, "a small query of few documents takes more than {TIME_MAX:?}");
    Ok(answer)
}
