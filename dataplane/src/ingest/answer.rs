//! What a client is told about its documents: one answer made of what every shard said.

use grepzilla_api::ingest::{DocumentError, IngestResponse, ShardAck, TokenPart};
use grepzilla_api::peer::AppendAnswer;
use grepzilla_model::ShardId;
use http::StatusCode;
use serde_json::json;

use crate::ingest::deliver::Delivered;
use crate::ingest::documents::Refused;
use crate::ingest::route::Routed;
use crate::server::answer::Failure;

/// An answer that speaks of documents.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    /// Without the trace id.
    pub(super) response: IngestResponse,
    /// What went wrong as a whole, if `status` is one of an error.
    pub(super) failure: Option<Failure>,
    /// Documents that entered with an earlier request of the same key.
    pub(super) repeated: u64,
    /// Documents that did not enter.
    pub(super) refused: u64,
}

/// The answer when no document is valid, or one is not and all were to enter or none.
pub(super) fn nothing_entered(refused: Refused, atomic: bool) -> Answered {
    let failure = match (refused.is_empty(), atomic) {
        (true, _) => Failure::bad_request("no_documents", "the body has no documents"),
        (false, true) => {
            Failure::bad_request("atomic_refused", "some documents were refused, so none entered: see `errors`")
        }
        (false, false) => Failure::bad_request("no_valid_document", "every document was refused: see `errors`"),
    };
    answered(failure.status, IngestResponse::default(), Some(failure), refused)
}

/// The refusal of a request that is to enter as a whole and would go to several logs.
pub(super) fn atomic_across_shards(parts: &[Routed]) -> Failure {
    let shards: Vec<ShardId> = parts.iter().map(|part| part.shard).collect();
    let message =
        format!("atomic=true needs all documents on one shard, but their ids belong to {} shards", shards.len());
    Failure::bad_request("atomic_across_shards", message).details(json!({ "shards": shards }))
}

/// Makes one answer of what every shard said. If nothing entered, the worst shard's failure is all there is to say.
pub(super) fn combine(delivered: Vec<Delivered>, mut refused: Refused) -> Result<Answered, Failure> {
    let mut response = IngestResponse::default();
    let (mut worst, mut repeated): (Option<Failure>, u64) = (None, 0);
    for Delivered { shard, documents, outcome } in delivered {
        match outcome {
            Ok(answer) => repeated += add(&mut response, shard, &answer),
            Err(failure) => {
                for (index, id) in documents {
                    let (code, message) = (failure.code.to_string(), failure.message.clone());
                    refused.push([DocumentError {
                        index,
                        id: id.map(|id| id.to_string()),
                        field: None,
                        code,
                        message,
                    }]);
                }
                worst = Some(worse(worst, failure));
            }
        }
    }
    let status = match &worst {
        Some(failure) if response.shards.is_empty() => return Err(failure.clone()),
        Some(failure) => failure.status,
        None if refused.is_empty() => StatusCode::OK,
        None => StatusCode::MULTI_STATUS,
    };
    response.idempotent = worst.is_none() && repeated == response.appended;
    Ok(Answered { repeated, ..answered(status, response, worst, refused) })
}

/// Adds what a shard has acknowledged, and says how many documents of it were there before. The figures are those of the
/// log, so that a repeat is answered like the first request.
fn add(response: &mut IngestResponse, shard: ShardId, answer: &AppendAnswer) -> u64 {
    let AppendAnswer { epoch, first_seq, last_seq, durability, repeated } = *answer;
    let documents = (last_seq.0 + 1).saturating_sub(first_seq.0);
    response.appended += documents;
    response.hot_added += documents;
    response.segment.get_or_insert_with(|| format!("{shard}-{epoch}-{first_seq}"));
    // With one replica a batch that its leader acknowledges is committed.
    response.shards.push(ShardAck { shard, epoch, seq: last_seq, durability, committed: true });
    response.token.push(TokenPart { shard, epoch, seq: last_seq });
    if repeated { documents } else { 0 }
}

/// Of two failures the one with the higher status: 507 before 503 before 413.
fn worse(one: Option<Failure>, other: Failure) -> Failure {
    match one {
        Some(one) if one.status >= other.status => one,
        _ => other,
    }
}

fn answered(status: StatusCode, response: IngestResponse, failure: Option<Failure>, mut refused: Refused) -> Answered {
    refused.errors.sort_by_key(|error| error.index);
    let error = failure.as_ref().map(Failure::body);
    let Refused { errors, omitted, documents } = refused;
    let response = IngestResponse { ok: status == StatusCode::OK, errors, errors_omitted: omitted, error, ..response };
    Answered { status, response, failure, repeated: 0, refused: documents }
}

#[cfg(test)]
mod tests {
    use grepzilla_model::{Durability, Epoch, SeqNo};

    use super::*;

    fn stored(shard: u32, first_seq: u64) -> Delivered {
        let (epoch, durability) = (Epoch(3), Durability::Fsync);
        let (first_seq, last_seq) = (SeqNo(first_seq), SeqNo(first_seq + 1));
        let answer = AppendAnswer { epoch, first_seq, last_seq, durability, repeated: false };
        Delivered { shard: ShardId(shard), documents: vec![(2, None), (4, None)], outcome: Ok(answer) }
    }

    fn failed(shard: u32, failure: Failure) -> Delivered {
        Delivered { shard: ShardId(shard), documents: vec![(3, Some("x".into()))], outcome: Err(failure) }
    }

    fn wrong(index: usize) -> Refused {
        let error = DocumentError { index, id: None, field: None, code: "syntax".into(), message: "bad".into() };
        Refused { errors: vec![error], omitted: 0, documents: 1 }
    }

    #[test]
    fn all_stored_is_200_with_the_name_of_the_first_batch_and_a_token_for_each_shard() {
        let answered = combine(vec![stored(1, 10), stored(5, 7)], Refused::default()).expect("stored");
        assert_eq!(answered.status, StatusCode::OK);
        let response = answered.response;
        assert!(response.ok && response.errors.is_empty() && !response.idempotent);
        assert_eq!((response.appended, response.hot_added, response.segment.as_deref()), (4, 4, Some("1-3-10")));
        let token: Vec<_> = response.token.iter().map(|part| (part.shard.0, part.epoch.0, part.seq.0)).collect();
        assert_eq!(token, [(1, 3, 11), (5, 3, 8)]);
    }

    #[test]
    fn an_answer_is_idempotent_only_if_every_shard_had_it_before() {
        let again = |delivered: Delivered| {
            let outcome = delivered.outcome.map(|answer| AppendAnswer { repeated: true, ..answer });
            Delivered { outcome, ..delivered }
        };
        let all = combine(vec![again(stored(1, 10)), again(stored(5, 7))], wrong(0)).expect("stored");
        assert_eq!((all.status, all.response.idempotent, all.repeated), (StatusCode::MULTI_STATUS, true, 4));
        assert_eq!((all.response.hot_added, all.response.segment.as_deref()), (4, Some("1-3-10")));
        let some = combine(vec![again(stored(1, 10)), stored(5, 7)], Refused::default()).expect("stored");
        assert_eq!((some.status, some.response.idempotent, some.repeated), (StatusCode::OK, false, 2));
        let busy = Failure::unavailable("queue_full", "full");
        let failed = combine(vec![again(stored(1, 10)), failed(2, busy)], Refused::default()).expect("some stored");
        assert!(!failed.response.idempotent);
    }

    #[test]
    fn some_documents_refused_is_207_and_none_valid_is_400() {
        let answered = combine(vec![stored(1, 10)], wrong(0)).expect("stored");
        assert_eq!((answered.status, answered.refused), (StatusCode::MULTI_STATUS, 1));
        assert!(!answered.response.ok && answered.response.error.is_none());
        let answered = nothing_entered(wrong(0), false);
        assert_eq!(answered.status, StatusCode::BAD_REQUEST);
        assert_eq!(answered.response.error.expect("an error as a whole").code, "no_valid_document");
    }

    #[test]
    fn a_shard_that_failed_sets_the_status_and_its_documents_are_named() {
        let busy = Failure::unavailable("queue_full", "full");
        let full = Failure::new(StatusCode::INSUFFICIENT_STORAGE, "no_space", "full");
        let answered =
            combine(vec![stored(1, 10), failed(2, full), failed(3, busy.clone())], wrong(9)).expect("some entered");
        assert_eq!(answered.status, StatusCode::INSUFFICIENT_STORAGE);
        let errors: Vec<_> = answered.response.errors.iter().map(|error| (error.index, error.code.as_str())).collect();
        assert_eq!(errors, [(3, "no_space"), (3, "queue_full"), (9, "syntax")]);
        assert_eq!(answered.response.errors[0].id.as_deref(), Some("x"));
        assert_eq!(answered.response.appended, 2);
        assert_eq!(combine(vec![failed(2, busy.clone())], Refused::default()).expect_err("nothing entered"), busy);
    }
}
