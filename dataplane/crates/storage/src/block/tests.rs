//! What was put into a block is what it gives, whichever way it went in.

use std::collections::BTreeMap;

use grepzilla_model::document::walk_leaves;
use grepzilla_model::fold::fold;
use grepzilla_model::{Bucket, Epoch, SeqNo};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const SPLIT: UnitLayout = UnitLayout::Split { own_unit_bytes: 24 };

fn stamp(number: usize) -> Stamp {
    let number = number as u64;
    Stamp { time: TimeNs(1_000 - 7 * number as i64), seq: SeqNo(5 + 2 * number), epoch: Epoch(3 + number / 4) }
}

fn add(builder: &mut BlockBuilder, number: usize, source: &str) {
    builder.add(source, stamp(number), Bucket(number as u16), TimeNs(number as i64));
}

fn block(layout: UnitLayout, sources: &[impl AsRef<str>]) -> Block {
    let mut builder = BlockBuilder::new(layout);
    // Another block before it, so that nothing of one may show in the next.
    add(&mut builder, 0, r#"{"a":"before","zz":{"y":["x","x",1]}}"#);
    builder.finish(&IndexName::default());
    sources.iter().enumerate().for_each(|(number, source)| add(&mut builder, number, source.as_ref()));
    builder.finish(&IndexName::default())
}

fn sources(block: &Block) -> Vec<String> {
    let mut sources = block.sources().expect("in memory");
    (0..block.document_count()).map(|document| sources.source(document)).collect()
}

/// (path, value as written, document), each once, as a walk over the documents sees them.
fn walked(sources: &[impl AsRef<str>]) -> Vec<(String, String, usize)> {
    let mut leaves = Vec::new();
    for (document, source) in sources.iter().enumerate() {
        walk_leaves(source.as_ref(), |path, value| {
            leaves.push((path.to_owned(), value.to_owned(), document));
            std::ops::ControlFlow::Continue(())
        });
    }
    leaves.sort();
    leaves.dedup();
    leaves
}

/// The same from the values of the block, each value's folding being checked on the way.
fn held(block: &Block) -> Vec<(String, String, usize)> {
    let columns = block.columns().expect("in memory");
    let mut held = Vec::new();
    for column in (0..columns.len() as u32).map(ColumnNo) {
        let (unit_no, path) = (columns.unit_of(column), columns.path(column).to_owned());
        assert_eq!(columns.find(&path), Some(column));
        let unit = block.unit(unit_no).expect("in memory");
        let values = |spelling| unit.runs(spelling, &columns.values_of(column)).flat_map(numbered).collect::<Vec<_>>();
        let written = values(Spelling::Written);
        let folded = written.iter().map(|(number, value)| (*number, fold(value).into_owned())).collect::<Vec<_>>();
        assert_eq!(values(Spelling::Folded), folded);
        assert_eq!(columns.value_count(column) as usize, written.len());
        let mut having = Vec::new();
        for (number, value) in &written {
            for document in with(block, unit_no, &[*number]) {
                held.push((path.clone(), value.clone(), document));
                having.push(document);
            }
        }
        having.sort_unstable();
        having.dedup();
        let mut found = Vec::new();
        block.documents_having(column, &mut |word, bits| found.extend(numbers(word, bits))).expect("in memory");
        assert_eq!(found, having);
    }
    held.sort();
    held.dedup();
    held
}

fn numbered(run: ValueRun<'_>) -> Vec<(u32, String)> {
    let text = |place| String::from_utf8(run.bytes()[run.range(place)].to_vec()).expect("values are text");
    let value = |place| if run.ignores_case() { text(place).to_ascii_lowercase() } else { text(place) };
    (0..run.value_count()).map(|place| (run.number(place) as u32, value(place))).collect()
}

/// The documents of a word.
fn numbers(word: usize, bits: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| word * 64 + bit)
}

/// Documents that hold some values of a unit, several at once.
fn with(block: &Block, unit: usize, values: &[u32]) -> Vec<usize> {
    let mut documents = Vec::new();
    block.documents_with(unit, values, &mut |word, bits| documents.extend(numbers(word, bits))).expect("in memory");
    documents.sort_unstable();
    documents.dedup();
    documents
}

/// Everything that two blocks of the same documents must share.
fn content(block: &Block) -> impl PartialEq + fmt::Debug + use<> {
    let (columns, codes) = (block.columns().expect("in memory"), block.codes().expect("in memory"));
    let column = |column| {
        let values = columns.column(ColumnNo(column));
        let list = codes.column(ColumnNo(column));
        let codes: Vec<u32> = (0..list.len()).map(|position| list.get(position)).collect();
        (columns.path(ColumnNo(column)).to_owned(), values.unit, values.group_len, values.is_dense, codes)
    };
    let columns: Vec<_> = (0..columns.len() as u32).map(column).collect();
    let units: Vec<Vec<u8>> =
        (0..block.unit_count()).map(|unit| block.unit(unit).expect("in memory").written().to_vec()).collect();
    (columns, units, block.stamps().expect("in memory"), sources(block), block.facts().clone())
}

fn check(sources_in: &[String]) {
    let one = block(UnitLayout::One, sources_in);
    assert_eq!(sources(&one), sources_in);
    let split = block(SPLIT, sources_in);
    for block in [&one, &split] {
        assert_eq!(held(block), walked(sources_in));
        for unit in 0..block.unit_count() {
            let count = block.unit(unit).expect("in memory").value_count() as u32;
            let all: Vec<u32> = (0..count).collect();
            let some: Vec<u32> = all.iter().copied().filter(|value| value % 3 != 1).collect();
            for values in [&all, &some] {
                let mut expected: Vec<usize> = values.iter().flat_map(|value| with(block, unit, &[*value])).collect();
                expected.sort_unstable();
                expected.dedup();
                assert_eq!(with(block, unit, values), expected);
            }
        }
        checked_parts(block);
    }
    // From blocks of another layout, cut elsewhere, and with every third document left out of the second copy.
    let mut builder = BlockBuilder::new(SPLIT);
    for document in 0..sources_in.len() {
        builder.add_from(&one, document).expect("in memory");
    }
    assert_eq!(content(&builder.finish(&IndexName::default())), content(&merged_facts(&split, &one)));
    for document in (0..sources_in.len()).filter(|document| document % 3 > 0) {
        builder.add_from(&one, document).expect("in memory");
    }
    if !builder.is_empty() {
        let kept: Vec<&String> =
            sources_in.iter().enumerate().filter(|(number, _)| number % 3 > 0).map(|(_, source)| source).collect();
        assert_eq!(held(&builder.finish(&IndexName::default())), walked(&kept));
    }
}

/// The same block with the facts that a merge knows: when each document was received is not among them.
fn merged_facts(block: &Block, from: &Block) -> Block {
    let facts = BlockFacts { received_max: from.received_max(), ..block.facts().clone() };
    Block::new(facts, Arc::clone(&block.parts))
}

/// Makes each part anew from what it gives, through the constructors that check.
fn checked_parts(block: &Block) {
    let (columns, codes) = (block.columns().expect("in memory"), block.codes().expect("in memory"));
    let described: Vec<Column> = (0..columns.len() as u32).map(|column| columns.column(ColumnNo(column))).collect();
    let table = ShapeTable::from_skeletons(columns.shapes().shapes().map(Shape::skeleton)).expect("a good table");
    let again = Columns::new(Arc::new(table), &described, block.unit_count()).expect("good columns");
    let mut lists = CodeLists::default();
    (0..codes.lists().len()).for_each(|list| lists.push(codes.lists().get(list)));
    Codes::new(&again, codes.shapes().to_vec(), lists).expect("good codes");
    for unit_no in 0..block.unit_count() {
        let unit = block.unit(unit_no).expect("in memory");
        assert_eq!(again.unit_group_len(unit_no), unit.group_len());
        Unit::from_parts(unit.written().to_vec(), unit.group_len()).expect("a good unit");
    }
    let stamps = block.stamps().expect("in memory");
    let again = Stamps::new(
        stamps.times().to_vec(),
        stamps.seqs().to_vec(),
        stamps.buckets().to_vec(),
        stamps.epochs().to_vec(),
    );
    assert_eq!(again.as_ref(), Ok(&*stamps));
}

const MIXED: [&str; 8] = [
    r#"{"a":"Zażółć","b":{"c":[1,2,1,{"d":"x"}]},"e":true,"f":""}"#,
    r#"{"a":"zażółć","b":{"c":[2,{"d":"X"}]},"e":null}"#,
    r#"{}"#,
    r#"{"f":"","a":"кошки","z":"КОШКИ","b":{"c":"1"}}"#,
    r#"{"a":"plain","b.c":"Dotted","text":"one","text2":"two","n":1.0,"m":1e5,"l":12345678901234567890}"#,
    r#"{"a":"plain","e":"true","f":"\u0000\n\"\\"}"#,
    r#"{"rows":[{"a":1,"b":2},{"a":3},[],{},[[["deep",null]]]],"":{"":"no key"}}"#,
    r#"{"_id":"x","k\"é\\":["same","same","same"]}"#,
];

#[test]
fn documents_come_back_and_their_leaves_are_found() {
    check(&MIXED.map(str::to_owned));
}

#[test]
fn a_block_without_leaves_has_one_empty_unit() {
    check(&["{}".to_owned(), r#"{"a":null,"b":[]}"#.to_owned()]);
    assert_eq!(block(SPLIT, &["{}"]).unit_count(), 1);
}

#[test]
fn codes_and_values_of_any_width() {
    let many = |count: usize| {
        (0..count).map(move |number| json!({"n": number * 7 % count, "c": "same", "i": number}).to_string())
    };
    check(&many(300).collect::<Vec<_>>());
    let array: Vec<usize> = (0..70_000).map(|number| number * 7 % 69_999).collect();
    let documents = [json!({"n": array, "x": 1}).to_string(), json!({"n": 5}).to_string()];
    let widest = block(UnitLayout::One, &documents);
    assert_eq!(sources(&widest), documents);
    assert_eq!((with(&widest, 0, &[69_998]), with(&widest, 0, &[69_999])), (vec![0], vec![0]));
    checked_parts(&widest);
}

#[test]
fn text_that_is_no_document_comes_back_too() {
    for text in ["", "not json", "{\"a\":1}{\"b\":2}", "{\"a\":\u{1}", "\u{1}", "[1,", "}{"] {
        assert_eq!(sources(&block(UnitLayout::One, &["{\"a\":1}", text])), ["{\"a\":1}", text]);
    }
}

#[test]
fn sources_are_given_in_any_order() {
    let all = block(UnitLayout::One, &MIXED);
    let mut sources = all.sources().expect("in memory");
    for document in [5, 5, 0, 7, 6, 2, 1, 3, 4, 7, 0] {
        assert_eq!(sources.source(document), MIXED[document]);
    }
}

#[test]
fn facts_and_stamps_are_those_of_the_documents() {
    let all = block(UnitLayout::One, &MIXED);
    let (first, last) = (stamp(0), stamp(MIXED.len() - 1));
    let span = Span { time_min: last.time, time_max: first.time, seq_min: first.seq, seq_max: last.seq };
    // Escapes in values are counted as what they stand for.
    let source_bytes = MIXED.iter().map(|source| source.len() as u64).sum::<u64>() - 8;
    assert_eq!(
        *all.facts(),
        BlockFacts {
            index: IndexName::default(),
            span,
            received_max: TimeNs(MIXED.len() as i64 - 1),
            document_count: MIXED.len(),
            unit_count: 1,
            source_bytes,
        }
    );
    let stamps = all.stamps().expect("in memory");
    for document in 0..MIXED.len() {
        assert_eq!((stamps.stamp(document), stamps.bucket(document)), (stamp(document), Bucket(document as u16)));
        assert_eq!(stamps.find(stamp(document).seq), Some(document));
        let id = all.id(document).expect("in memory");
        assert_eq!(id.as_deref(), (document == 7).then_some("x"));
    }
    assert_eq!(stamps.find(SeqNo(6)), None);
}

#[test]
fn stamps_that_do_not_fit_are_refused() {
    let new = |times, seqs: &[u64], buckets, epochs: &[(u32, u64)]| {
        let epochs = epochs.iter().map(|(document, epoch)| (*document, Epoch(*epoch))).collect();
        let seqs = seqs.iter().map(|seq| SeqNo(*seq)).collect();
        Stamps::new(vec![TimeNs(0); times], seqs, vec![Bucket(0); buckets], epochs)
    };
    assert!(new(2, &[1, 5], 2, &[(0, 1), (1, 2)]).is_ok());
    assert!(new(0, &[], 0, &[]).is_err(), "no document");
    assert!(new(2, &[1], 2, &[(0, 1)]).is_err(), "too few positions");
    assert!(new(2, &[1, 2], 1, &[(0, 1)]).is_err(), "too few buckets");
    assert!(new(2, &[2, 2], 2, &[(0, 1)]).is_err(), "a position twice");
    assert!(new(2, &[1, 2], 2, &[]).is_err(), "no term");
    assert!(new(2, &[1, 2], 2, &[(1, 1)]).is_err(), "no term of the first document");
    assert!(new(2, &[1, 2], 2, &[(0, 1), (2, 2)]).is_err(), "a term of no document");
}

#[test]
fn big_columns_have_units_of_their_own() {
    let long = |number: usize| json!({"b": format!("{number} is a long text"), "a": number, "c": number}).to_string();
    let split = block(SPLIT, &(0..4).map(long).collect::<Vec<_>>());
    let columns = split.columns().expect("in memory");
    let unit_of = |path| columns.unit_of(columns.find(path).expect("it is there"));
    assert_eq!((split.unit_count(), unit_of("a"), unit_of("b"), unit_of("c")), (2, 0, 1, 0));
    let only_long = block(SPLIT, &[json!({"b": "x".repeat(30)}).to_string()]);
    assert_eq!(only_long.unit_count(), 1);
}

#[test]
fn values_stand_by_group_and_column_in_order_of_appearance() {
    let all = block(UnitLayout::One, &[r#"{"b":"B","a":"ż"}"#, r#"{"b":"A","a":"Ż"}"#, r#"{"a":"a","b":"b"}"#]);
    let unit = all.unit(0).expect("in memory");
    let values: Vec<_> = unit.written_runs(&UnitValues::All).flat_map(numbered).map(|(_, value)| value).collect();
    assert_eq!(values, ["B", "A", "a", "b", "ż", "Ż"]);
    let ascii: Vec<bool> = unit.written_runs(&UnitValues::All).map(|run| run.is_ascii()).collect();
    assert_eq!(ascii, [true, true, false]);
}

#[test]
fn blocks_share_a_table_that_grows() {
    let mut builder = BlockBuilder::new(UnitLayout::One);
    let index = IndexName::default();
    add(&mut builder, 0, r#"{"a":1}"#);
    let first = builder.finish(&index);
    add(&mut builder, 0, r#"{"a":2}"#);
    let second = builder.finish(&index);
    add(&mut builder, 0, r#"{"b":2}"#);
    let third = builder.finish(&index);
    let table = |block: &Block| Arc::clone(block.columns().expect("in memory").shapes());
    assert!(Arc::ptr_eq(&table(&first), &table(&third)));
    assert_eq!(sources(&first), [r#"{"a":1}"#]);
    assert_eq!(first.columns().expect("in memory").find("b"), None);
    assert!(first.memory_bytes() > second.memory_bytes() && third.memory_bytes() > second.memory_bytes());
    let before = builder.swap_shapes(ShapeInterner::default());
    add(&mut builder, 0, r#"{"c":2}"#);
    assert_eq!((before.table().shape_count(), builder.shapes().table().shape_count()), (2, 1));
    assert_eq!(sources(&builder.finish(&index)), [r#"{"c":2}"#]);
}

fn leaf() -> impl Strategy<Value = Value> {
    let number = prop_oneof![Just("1.0"), Just("1e5"), Just("-0"), Just("12345678901234567890"), Just("7")];
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => number.prop_map(|text| serde_json::from_str(text).expect("a number")),
        2 => (0..5u8).prop_map(Value::from),
        3 => "[abAB żŻ]{0,2}".prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => "[\"\\\\\n\u{0}\u{1}\u{2}\u{7f}]{0,4}".prop_map(Value::from),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![4 => "[abc]", 1 => "[.\\\\\"é\u{1}\u{2}]{0,2}", 1 => any::<String>()];
    leaf().prop_recursive(3, 24, 5, move |element| {
        prop_oneof![
            prop::collection::vec(element.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), element), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn document() -> impl Strategy<Value = String> {
    let members = prop::collection::btree_map("[abcd]", json_value(), 0..4);
    members.prop_map(|members: BTreeMap<String, Value>| serde_json::to_string(&members).expect("a document"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_documents_come_back_and_are_found_by_their_values(sources in prop::collection::vec(document(), 1..20)) {
        check(&sources);
    }
}
