//! The engine against the naive scan through the lives of shards: written, sealed, flushed, merged, published, superseded, deleted,
//! restarted, and all of it while it is read.

mod segments;
mod world;

use std::sync::atomic::{AtomicBool, Ordering};

use grepzilla_model::SeqNo;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::fixtures::seeded;
use crate::naive::{Asked, answer};
use crate::oracle::{compare, compiled};
use crate::questions::Question;
use world::World;

/// Questions of the default run, unless `GREPZILLA_QUESTIONS` says otherwise.
const QUESTIONS: usize = 20_000;
const STEPS_PER_LIFE: usize = 20;

/// Lives that are led side by side. Fixed, so that a seed means the same everywhere.
const LANES: usize = 2;

#[test]
fn shards_answer_as_a_naive_scan_does_all_their_lives() {
    let mut random = seeded("lives");
    let given = std::env::var("GREPZILLA_QUESTIONS");
    let questions = given.map_or(QUESTIONS, |given| given.parse().expect("a number of questions"));
    let lanes: [StdRng; LANES] = std::array::from_fn(|_| StdRng::seed_from_u64(random.random()));
    let lead = |mut random| lead_lives(&mut random, questions.div_ceil(LANES));
    let (asked, not_empty) = std::thread::scope(|scope| {
        let lanes = lanes.map(|random| scope.spawn(move || lead(random)));
        let ended = lanes.map(|lane| lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.into_iter().fold((0, 0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1))
    });
    println!("{asked} questions, {not_empty} of them with hits");
    assert!(asked >= questions);
    assert!(not_empty * 4 > asked && not_empty < asked);
}

/// Lives, one after the other, until so many questions have been asked. How many that were, and how many of them had hits.
fn lead_lives(random: &mut StdRng, questions: usize) -> (usize, usize) {
    let (mut asked, mut not_empty) = (0, 0);
    while asked < questions {
        let mut world = World::new(random);
        for _ in 0..STEPS_PER_LIFE {
            world.step(random);
            let (here, found) = ask(random, &world, world.questions_per_step());
            asked += here;
            not_empty += found;
        }
    }
    (asked, not_empty)
}

/// Asks at the present, and now and then at a position of the past. How many questions, and how many of them had hits.
fn ask(random: &mut StdRng, world: &World, questions: usize) -> (usize, usize) {
    let (mut asked, mut not_empty) = (0, 0);
    for _ in 0..questions {
        let question = Question::any(random, world.samples());
        let Some(query) = compiled(&question) else { continue };
        let view = world.view();
        let past = world.keeps_the_past() && random.random_bool(0.2);
        let upto = if past { SeqNo(random.random_range(0..=view.upto().0)) } else { view.upto() };
        let asked_of = Asked::new(&question);
        let expected = answer(&asked_of, world.samples(), upto.0);
        compare(&view, upto, &query, &asked_of, world.samples(), &expected);
        asked += 1;
        not_empty += usize::from(!expected.is_empty());
    }
    (asked, not_empty)
}

#[test]
fn answers_at_a_position_do_not_change_while_a_shard_is_written_flushed_and_merged() {
    let mut random = seeded("reading while writing");
    for _ in 0..2 {
        let mut world = World::that_keeps_the_past(&mut random);
        (0..6).for_each(|_| world.step(&mut random));
        let (view, samples) = (world.view(), world.samples().to_vec());
        let upto = view.upto();
        let (is_over, shard, mut writer) = (AtomicBool::new(false), world.shard(), world.writer(&mut random));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    writer.write_and_maintain();
                }
            });
            for _ in 0..100 {
                let question = Question::any(&mut random, &samples);
                let Some(query) = compiled(&question) else { continue };
                let asked = Asked::new(&question);
                let expected = answer(&asked, &samples, upto.0);
                for view in [&view, &shard.view()] {
                    compare(view, upto, &query, &asked, &samples, &expected);
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
