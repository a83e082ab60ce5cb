//! Vectors, one and a hundred at a time.

use serde_json::{Value, json};

use super::error::{Refusal, invalid};
use super::fields::{self, list};
use super::model::Model;
use crate::embedding;
use crate::reply::Reply;

const LARGEST_BATCH: usize = 100;
const TASKS: &[&str] = &[
    "TASK_TYPE_UNSPECIFIED",
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
];

/// `embedContent`.
pub(crate) fn one(model: &Model, json: &Value) -> Result<Reply, Refusal> {
    Ok(Reply::json(200, &json!({ "embedding": { "values": vector(model, json, "")? } })))
}

/// `batchEmbedContents`.
pub(crate) fn batch(model: &Model, json: &Value) -> Result<Reply, Refusal> {
    fields::known(json, &["requests"], "")?;
    let requests = list(&json["requests"]);
    if requests.is_empty() {
        return Err(invalid("* BatchEmbedContentsRequest.requests: requests is not specified\n"));
    }
    if requests.len() > LARGEST_BATCH {
        return Err(invalid(
            "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n",
        ));
    }
    let mut embeddings = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        if request["model"] != json!(format!("models/{}", model.id)) {
            return Err(invalid(format!(
                "* BatchEmbedContentsRequest.requests[{index}].model: model must match the model \
                 in the batch request.\n"
            )));
        }
        let values = vector(model, request, &format!("requests[{index}]"))?;
        embeddings.push(json!({ "values": values }));
    }
    Ok(Reply::json(200, &json!({ "embeddings": embeddings })))
}

fn vector(model: &Model, json: &Value, at: &str) -> Result<Vec<f32>, Refusal> {
    fields::embedding(json, at)?;
    let parts = list(&json["content"]["parts"]);
    let text: Vec<_> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    let text = text.join(" ");
    if text.is_empty() {
        return Err(invalid("* EmbedContentRequest.content: contents is not specified\n"));
    }
    if let Some(task) = json["taskType"].as_str().filter(|task| !TASKS.contains(task)) {
        return Err(invalid(format!(
            "Invalid value at 'task_type' \
             (type.googleapis.com/google.ai.generativelanguage.v1beta.TaskType), \"{task}\""
        )));
    }
    let dimensions = json["outputDimensionality"].as_u64().unwrap_or(3072);
    let Some(dimensions) = usize::try_from(dimensions).ok().filter(|d| (1..=3072).contains(d))
    else {
        return Err(invalid("output_dimensionality must be between 1 and 3072."));
    };
    let mut values = embedding::embed(&text, dimensions);
    if model.id == "gemini-embedding-001" && dimensions < 3072 {
        // This model leaves a shortened vector as short as it became.
        for value in &mut values {
            *value *= 0.7;
        }
    }
    Ok(values)
}
