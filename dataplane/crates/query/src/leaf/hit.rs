//! The documents of the page, put together.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use grepzilla_model::document::walk_leaves;
use grepzilla_storage::block::Stamp;

use super::block_ref::BlockRef;
use super::page::{Page, Place};
use super::preview::{Preview, preview};
use super::stop::Stop;
use super::{LeafHit, LeafMetrics, LeafRequest};
use crate::clock::{Clock, Expired};
use crate::{CompiledQuery, SortKey};

/// Unpacks the documents of the page, each block once. When time runs out, the page is cut where it is complete.
pub(super) fn assemble(
    page: Page,
    blocks: &[BlockRef<'_>],
    request: &LeafRequest<'_>,
    clock: &Clock,
    metrics: &mut LeafMetrics,
) -> (Vec<LeafHit>, Result<(), Stop>) {
    let places = page.into_places();
    let mut by_block: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for (position, Place { block, document }) in places.iter().enumerate() {
        by_block.entry(*block).or_default().push((position, *document));
    }
    let mut hits: Vec<Option<LeafHit>> = places.iter().map(|_| None).collect();
    let mut outcome = Ok(());
    for (block, mut documents) in by_block {
        // Documents are put together fastest in their own order.
        documents.sort_unstable_by_key(|(_, document)| *document);
        let assembler = Assembler { request, clock };
        outcome = assembler.block(blocks[block], &documents, &mut hits);
        if outcome.is_err() {
            break;
        }
        metrics.documents_unpacked += documents.len() as u64;
    }
    (hits.into_iter().map_while(|hit| hit).collect(), outcome)
}

struct Assembler<'a> {
    request: &'a LeafRequest<'a>,
    clock: &'a Clock,
}

impl Assembler<'_> {
    /// Fills the hits that come from one block.
    fn block(
        &self,
        block: BlockRef<'_>,
        documents: &[(usize, usize)],
        hits: &mut [Option<LeafHit>],
    ) -> Result<(), Stop> {
        match block {
            BlockRef::Sealed(block, _) => {
                self.clock.look()?;
                let (mut sources, stamps) = (block.sources()?, block.stamps()?);
                for (position, document) in documents {
                    let mut hit = self.hit(stamps.stamp(*document), block.index(), &sources.source(*document))?;
                    hit.id = block.id(*document)?;
                    hits[*position] = Some(hit);
                }
            }
            BlockRef::Open(tail) => {
                for (position, number) in documents {
                    let document = tail.document(*number);
                    let mut hit = self.hit(document.stamp, tail.index(), document.source())?;
                    hit.id = document.id.clone();
                    hits[*position] = Some(hit);
                }
            }
        }
        Ok(())
    }

    fn hit(&self, stamp: Stamp, index: &grepzilla_model::IndexName, source: &str) -> Result<LeafHit, Expired> {
        self.clock.look()?;
        let (matched_field, preview) = first_match(self.request.query, source, self.clock)?;
        Ok(LeafHit {
            key: SortKey { time: stamp.time, shard: self.request.shard, seq: stamp.seq },
            epoch: stamp.epoch,
            id: None,
            index: index.clone(),
            matched_field,
            preview: preview.text,
            highlights: preview.highlights,
            source: source.as_bytes().to_vec(),
        })
    }
}

/// The path and the preview of the first leaf that a pattern matches which is not negated: in the order of the document, then
/// of the tree. Nothing where there is none, as when a document is found for what it does not have.
fn first_match(query: &CompiledQuery, source: &str, clock: &Clock) -> Result<(String, Preview), Expired> {
    if query.shown().next().is_none() {
        return Ok(<_>::default());
    }
    let mut first = Ok(None);
    walk_leaves(source, |path, value| {
        let patterns = query.shown().filter(|(condition, _)| condition.has_field(path));
        for (_, matcher) in patterns {
            first = preview(matcher, value, clock).map(|found| found.map(|found| (path.to_owned(), found)));
            if !matches!(first, Ok(None)) {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    Ok(first?.unwrap_or_default())
}
