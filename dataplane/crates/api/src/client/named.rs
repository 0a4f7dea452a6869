//! Requests about one thing by its name: a document, or the manifest of a shard.

use grepzilla_model::{Generation, ShardId};
use http::Method;
use reqwest::Url;

use super::{Client, ClientError, Request};
use crate::document::{DeleteResponse, DocumentParameters, DocumentResponse};
use crate::manifest::ManifestResponse;

/// What a node says of an id that no document has.
const NO_SUCH_DOCUMENT: &str = "no_such_document";

impl Client {
    /// The newest version of a document. `None`: there is none with that id.
    pub async fn document(
        &self,
        id: &str,
        parameters: &DocumentParameters,
    ) -> Result<Option<DocumentResponse>, ClientError> {
        let url = self.document_route(id, parameters)?;
        match self.ask(&Request { url, ..self.get("/") }).await {
            Ok(document) => Ok(Some(document)),
            Err(ClientError::Refused { error, .. }) if error.code == NO_SUCH_DOCUMENT => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes the document with an `_id`. Tried again after any failure that may pass: doing it twice does no harm.
    pub async fn delete_document(
        &self,
        id: &str,
        parameters: &DocumentParameters,
    ) -> Result<DeleteResponse, ClientError> {
        let url = self.document_route(id, parameters)?;
        self.ask(&Request { method: Method::DELETE, url, ..self.get("/") }).await
    }

    /// The segments of a shard: of its newest generation, or of an earlier one.
    pub async fn manifest(
        &self,
        shard: ShardId,
        generation: Option<Generation>,
    ) -> Result<ManifestResponse, ClientError> {
        let query = generation.map_or_else(String::new, |generation| format!("?gen={generation}"));
        self.ask(&self.get(&format!("/manifest/{shard}{query}"))).await
    }

    fn document_route(&self, id: &str, parameters: &DocumentParameters) -> Result<Url, ClientError> {
        if matches!(id, "" | "." | "..") {
            return Err(ClientError::Id { id: id.to_owned() });
        }
        let mut url = self.route("/doc/");
        url.path_segments_mut().expect("http has paths").pop_if_empty().push(id);
        let DocumentParameters { index, timeout_ms } = parameters;
        let given = [("index", index.clone()), ("timeout_ms", timeout_ms.map(|ms| ms.to_string()))];
        for (name, value) in given {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_piece_of_a_path_whatever_is_in_it() {
        let client = Client::new("http://node:7300/prefix").expect("an address");
        let parameters = DocumentParameters { index: Some("a&b".into()), timeout_ms: None };
        let url = client.document_route("a/b?c#d %é", &parameters).expect("an id");
        assert_eq!(url.as_str(), "http://node:7300/prefix/doc/a%2Fb%3Fc%23d%20%25%C3%A9?index=a%26b");
        for id in ["", ".", ".."] {
            assert!(matches!(client.document_route(id, &parameters), Err(ClientError::Id { .. })), "{id}");
        }
    }
}
