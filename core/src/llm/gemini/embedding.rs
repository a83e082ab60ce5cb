//! Vectors of texts: a hundred texts a call, one content a text. Pure.

use serde::Serialize;
use serde_json::Value;

use crate::llm::{Embedding, LlmError, LlmErrorKind, Purpose};

/// Texts in one call; more are refused.
pub(super) const BATCH: usize = 100;

/// What `batchEmbedContents` takes.
#[derive(Debug, Serialize)]
pub(super) struct Batch {
    requests: Vec<Single>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Single {
    model: String,
    content: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Content {
    parts: [Part; 1],
}

#[derive(Debug, Serialize)]
struct Part {
    text: String,
}

impl Batch {
    pub(super) fn new(call: Embedding<'_>) -> Self {
        let requests = call.texts.iter().map(|text| Single {
            model: format!("models/{}", call.model),
            content: Content { parts: [Part { text: worded(text, call) }] },
            task_type: (!reads_task(call.model)).then_some(match call.purpose {
                Purpose::Document => "RETRIEVAL_DOCUMENT",
                Purpose::Query => "RETRIEVAL_QUERY",
            }),
            output_dimensionality: call.dimensions,
        });
        Self { requests: requests.collect() }
    }
}

/// Whether the model reads its task in the text and ignores the field for it.
fn reads_task(model: &str) -> bool {
    model.starts_with("gemini-embedding-2")
}

fn worded(text: &str, call: Embedding<'_>) -> String {
    // An empty text is answered with an error about limits.
    let text = if text.trim().is_empty() { " " } else { text };
    match call.purpose {
        Purpose::Query if reads_task(call.model) => format!("task: search result | query: {text}"),
        Purpose::Document if reads_task(call.model) => format!("title: none | text: {text}"),
        Purpose::Query | Purpose::Document => text.to_owned(),
    }
}

/// The vectors of an answer, each of length one: shortened ones come as they were cut.
pub(super) fn vectors(
    answer: &Value,
    count: usize,
    dimensions: Option<usize>,
) -> Result<Vec<Vec<f32>>, LlmError> {
    let embeddings = answer.get("embeddings").and_then(Value::as_array);
    let embeddings = embeddings.map(Vec::as_slice).unwrap_or_default();
    if embeddings.len() != count {
        return Err(wrong(format!("{} vectors came for {count} texts", embeddings.len())));
    }
    let vectors: Vec<Vec<f32>> = embeddings.iter().map(unit).collect::<Result<_, _>>()?;
    let expected = dimensions.or_else(|| vectors.first().map(Vec::len));
    match vectors.iter().map(Vec::len).find(|length| Some(*length) != expected) {
        Some(length) => Err(wrong(format!(
            "a vector has {length} numbers instead of {}",
            expected.unwrap_or_default()
        ))),
        None => Ok(vectors),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a number between -1 and 1 only loses digits")]
fn unit(embedding: &Value) -> Result<Vec<f32>, LlmError> {
    let values = embedding.get("values").and_then(Value::as_array);
    let values: Option<Vec<f64>> = values.into_iter().flatten().map(Value::as_f64).collect();
    let values = values.ok_or_else(|| wrong("a vector holds what is no number"))?;
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    if !length.is_normal() {
        return Err(wrong("a vector points nowhere"));
    }
    Ok(values.into_iter().map(|value| (value / length) as f32).collect())
}

fn wrong(detail: impl AsRef<str>) -> LlmError {
    LlmError::new(LlmErrorKind::Protocol).detail(detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn batch(model: &str, purpose: Purpose, texts: &[&str]) -> Value {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        let call = Embedding { model, dimensions: Some(768), purpose, texts: &texts };
        serde_json::to_value(Batch::new(call)).unwrap()
    }

    #[test]
    fn each_model_learns_its_task_in_its_own_way() {
        let old = batch("gemini-embedding-001", Purpose::Query, &["fire", ""]);
        assert_eq!(
            old,
            json!({ "requests": [
                {
                    "model": "models/gemini-embedding-001", "content": { "parts": [{ "text": "fire" }] },
                    "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 768,
                },
                {
                    "model": "models/gemini-embedding-001", "content": { "parts": [{ "text": " " }] },
                    "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 768,
                },
            ] })
        );
        let text = |batch: &Value| batch["requests"][0]["content"]["parts"][0]["text"].clone();
        for (purpose, expected, task) in [
            (Purpose::Query, "task: search result | query: fire", "RETRIEVAL_QUERY"),
            (Purpose::Document, "title: none | text: fire", "RETRIEVAL_DOCUMENT"),
        ] {
            let new = batch("gemini-embedding-2", purpose, &["fire"]);
            assert_eq!(text(&new), expected);
            assert_eq!(new["requests"][0].get("taskType"), None);
            let old = batch("gemini-embedding-001", purpose, &["fire"]);
            assert_eq!(old["requests"][0]["taskType"], task);
        }
    }

    #[test]
    fn vectors_have_length_one() {
        let answer = json!({ "embeddings": [{ "values": [3, 4.0] }, { "values": [0.0, -0.5] }] });
        let expected = vec![vec![0.6, 0.8], vec![0.0, -1.0]];
        assert_eq!(vectors(&answer, 2, Some(2)).unwrap(), expected);
        assert_eq!(vectors(&answer, 2, None).unwrap(), expected);
    }

    #[test]
    fn vectors_that_do_not_fit_are_refused() {
        for (answer, count, dimensions) in [
            (json!({ "embeddings": [{ "values": [1.0] }] }), 2, None),
            (json!({ "embeddings": [{ "values": [1.0] }] }), 1, Some(2)),
            (json!({ "embeddings": [{ "values": [1.0] }, { "values": [1.0, 2.0] }] }), 2, None),
            (json!({ "embeddings": [{ "values": [0.0, 0.0] }] }), 1, None),
            (json!({ "embeddings": [{ "values": [] }] }), 1, None),
            (json!({ "embeddings": [{ "values": ["x"] }] }), 1, None),
            (json!({ "embeddings": [{}] }), 1, None),
            (json!({}), 1, None),
        ] {
            let error = vectors(&answer, count, dimensions).unwrap_err();
            assert_eq!(error.kind, LlmErrorKind::Protocol, "{answer}");
        }
    }
}
