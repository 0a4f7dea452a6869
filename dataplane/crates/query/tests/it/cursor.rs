//! Pages while documents keep arriving.

use grepzilla_query::compile;

use crate::fixtures::{State, insert, samples, seeded};
use crate::naive::{Asked, answer};
use crate::oracle::page;
use crate::questions::{Form, Question, Wanted};

#[test]
fn pages_make_up_the_whole_result_while_documents_arrive() {
    let mut random = seeded("cursor");
    for round in 0..20 {
        let tier = State::Mixed.tier();
        let before = samples(&mut random, 1, 200);
        insert(&tier, &before, 11);
        let pattern = ["e", "?", "кош", "*", "\n"][round % 5].to_owned();
        let wanted = Wanted {
            form: if pattern.contains(['*', '?']) { Form::Wildcard } else { Form::Contains },
            case_sensitive: round % 2 == 0,
            ..Wanted::contains(&pattern)
        };
        let question = Question { newest_first: round % 3 > 0, page_size: 5 + round % 17, ..Question::of(wanted) };
        let query = compile(question.query()).expect("a good query");
        let expected = answer(&Asked::new(&question), &before, u64::MAX);
        let upto = tier.view().upto();
        let (mut found, mut after, mut next) = (Vec::new(), None, 201);
        loop {
            let answer = page(&tier.view().into(), &query, &question, after, upto, true);
            assert_eq!(answer.total, Some(expected.len() as u64));
            found.extend(answer.hits.iter().map(|hit| hit.key.seq.0));
            after = answer.hits.last().map(|hit| hit.key).or(after);
            if !answer.more {
                break;
            }
            insert(&tier, &samples(&mut random, next, 10), 4);
            next += 10;
        }
        assert_eq!(found, expected, "{question:?}");
    }
}
