//! Vectors of one text or many, as numbers or packed.

use serde_json::{Value, json};

use super::check::{self, list, one_or_many};
use super::error::{Refusal, invalid};
use super::profile::{Profile, Traits};
use crate::embedding;
use crate::reply::Reply;
use crate::tokens;

/// Numbers a vector has if nobody asks for fewer.
const DIMENSIONS: usize = 1024;

/// `POST /v1/embeddings`. Many texts come back out of order: the index counts.
pub(crate) fn embeddings(
    json: &Value,
    traits: &Traits,
    profile: Profile,
) -> Result<Reply, Refusal> {
    check::model(json, traits)?;
    let texts: Vec<_> = one_or_many(&json["input"]).collect();
    if texts.is_empty() || texts.len() < list(&json["input"]).len() {
        return Err(invalid("invalid input type"));
    }
    let dimensions = match json["dimensions"].as_u64().map(usize::try_from) {
        // This server has no such field.
        Some(_) if profile == Profile::TabbyApi => DIMENSIONS,
        None => DIMENSIONS,
        Some(Ok(wanted @ 1..=DIMENSIONS)) => wanted,
        Some(_) => return Err(invalid("Invalid value for 'dimensions'.")),
    };
    let packed = match json["encoding_format"].as_str() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(invalid("Invalid value for 'encoding_format'.")),
    };
    let entry = |(index, text): (usize, &&str)| {
        let vector = embedding::embed(text, dimensions);
        let vector = if packed { json!(embedding::base64(&vector)) } else { json!(vector) };
        json!({ "object": "embedding", "index": index, "embedding": vector })
    };
    let data: Vec<_> = texts.iter().enumerate().rev().map(entry).collect();
    let total: usize = texts.iter().map(|text| tokens::count(text)).sum();
    Ok(Reply::json(
        200,
        &json!({
            "object": "list",
            "data": data,
            "model": json["model"],
            "usage": { "prompt_tokens": total, "total_tokens": total },
        }),
    ))
}
