//! Vectors of texts.

use serde::Deserialize;
use serde_json::{Value, json};

use super::OpenAi;
use crate::llm::{Embedding, LlmError, LlmErrorKind, Purpose};

/// How many texts travel together.
const BATCH: usize = 64;

/// What well-known models want before a text, by their names: the first that fits.
const PREFIXES: [Prefix; 8] = [
    Prefix { name: "nomic-embed", document: "search_document: ", query: "search_query: " },
    Prefix {
        name: "e5-mistral",
        document: "",
        query: "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ",
    },
    Prefix {
        name: "e5-large-instruct",
        document: "",
        query: "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ",
    },
    Prefix { name: "e5-", document: "passage: ", query: "query: " },
    Prefix {
        name: "qwen3-embedding",
        document: "",
        query: "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:",
    },
    Prefix {
        name: "embeddinggemma",
        document: "title: none | text: ",
        query: "task: search result | query: ",
    },
    Prefix {
        name: "mxbai-embed",
        document: "",
        query: "Represent this sentence for searching relevant passages: ",
    },
    Prefix { name: "arctic-embed2", document: "", query: "query: " },
];

struct Prefix {
    name: &'static str,
    document: &'static str,
    query: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    index: Option<usize>,
    embedding: Vector,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    /// Little-endian `f32`, as base64.
    Packed(String),
}

pub(super) async fn embed(server: &OpenAi, call: Embedding<'_>) -> Result<Vec<Vec<f32>>, LlmError> {
    let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(call.texts.len());
    for texts in call.texts.chunks(BATCH) {
        let body = body(server, &Embedding { texts, ..call });
        let answer = server.http.send(server.call("/embeddings", Some(body))).await?;
        if !answer.is_success() {
            let failure = super::failure(answer, server.config.key.as_ref()).await?;
            return Err(failure.error());
        }
        let read = read(&answer.text().await?, texts.len(), server.config.key.as_ref());
        vectors.extend(read?);
    }
    let length = vectors.first().map_or(0, Vec::len);
    let wanted = call.dimensions.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(length);
    match vectors.iter().find(|vector| vector.len() != wanted) {
        Some(vector) => Err(wrong(&format!("{} numbers instead of {wanted}", vector.len()))),
        None => Ok(vectors),
    }
}

fn body(server: &OpenAi, call: &Embedding<'_>) -> String {
    let prefix = prefix(call.model, call.purpose);
    let input: Vec<String> = call.texts.iter().map(|text| format!("{prefix}{text}")).collect();
    let mut body = json!({ "model": call.model, "input": input, "encoding_format": "float" });
    if let (Some(dimensions), true, Some(fields)) =
        (call.dimensions, server.profile().traits().dimensions, body.as_object_mut())
    {
        fields.insert("dimensions".to_owned(), dimensions.into());
    }
    body.to_string()
}

/// What a model wants before a text.
fn prefix(model: &str, purpose: Purpose) -> &'static str {
    let model = model.to_ascii_lowercase();
    let known = PREFIXES.iter().find(|prefix| model.contains(prefix.name));
    known.map_or("", |prefix| match purpose {
        Purpose::Document => prefix.document,
        Purpose::Query => prefix.query,
    })
}

/// The unit vectors of an answer, in the order of their texts.
fn read(
    text: &str,
    count: usize,
    key: Option<&skald_base::config::Secret>,
) -> Result<Vec<Vec<f32>>, LlmError> {
    let value: Value = serde_json::from_str(text).map_err(|_| wrong("it is no JSON"))?;
    if super::failure::error_of(&value).is_some() {
        let key = key.map(skald_base::config::Secret::expose);
        return Err(super::Failure::read(200, text, key).error());
    }
    let answer: Answer = serde_json::from_value(value).map_err(|_| wrong("it has no vectors"))?;
    let mut vectors = vec![None; count];
    if answer.data.len() != count {
        return Err(wrong(&format!("{} vectors of {count} texts", answer.data.len())));
    }
    for (place, entry) in answer.data.into_iter().enumerate() {
        let slot = vectors.get_mut(entry.index.unwrap_or(place));
        let slot = slot.filter(|slot| slot.is_none()).ok_or_else(|| wrong("an index is wrong"))?;
        *slot = Some(unit(entry.embedding.numbers()?)?);
    }
    vectors.into_iter().map(|vector| vector.ok_or_else(|| wrong("a text has no vector"))).collect()
}

impl Vector {
    fn numbers(self) -> Result<Vec<f32>, LlmError> {
        match self {
            Self::Numbers(numbers) => Ok(numbers),
            Self::Packed(text) => unpack(&text).ok_or_else(|| wrong("a vector is no base64")),
        }
    }
}

/// The vector at length 1: not every server sends it so.
#[expect(clippy::cast_possible_truncation, reason = "the numbers were f32 before")]
fn unit(vector: Vec<f32>) -> Result<Vec<f32>, LlmError> {
    let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return Err(wrong("a vector has no direction"));
    }
    Ok(vector.into_iter().map(|number| (f64::from(number) / length) as f32).collect())
}

/// Numbers from base64, with or without padding.
fn unpack(text: &str) -> Option<Vec<f32>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).ok()?);
        }
    }
    let (numbers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn wrong(why: &str) -> LlmError {
    LlmError::new(LlmErrorKind::Protocol).detail(format!("the answer with embeddings: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_are_unpacked() {
        // 1.0, -2.5
        assert_eq!(unpack("AACAPwAAIMA="), Some(vec![1.0, -2.5]));
        assert_eq!(unpack("AACAPwAAIMA"), Some(vec![1.0, -2.5]));
        assert_eq!(unpack(""), Some(vec![]));
        assert_eq!(unpack("AACA"), None, "three bytes are no number");
        assert_eq!(unpack("?"), None);
    }

    #[test]
    fn vectors_stand_in_the_order_of_their_texts() {
        let read = |text: &str| read(text, 2, None);
        let answer =
            r#"{"data":[{"index":1,"embedding":[0,2]},{"index":0,"embedding":"AACAPwAAAAA="}]}"#;
        assert_eq!(read(answer), Ok(vec![vec![1.0, 0.0], vec![0.0, 1.0]]));
        for (answer, why) in [
            (r#"{"data":[{"index":0,"embedding":[1]}]}"#, "1 vectors of 2 texts"),
            (
                r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
                "an index is wrong",
            ),
            (
                r#"{"data":[{"index":0,"embedding":[1]},{"index":7,"embedding":[1]}]}"#,
                "an index is wrong",
            ),
            (
                r#"{"data":[{"index":0,"embedding":[0]},{"index":1,"embedding":[1]}]}"#,
                "no direction",
            ),
            (r#"{"data":[{"index":0,"embedding":"?"},{"index":1,"embedding":[1]}]}"#, "no base64"),
            ("{}", "no vectors"),
            ("<html>", "no JSON"),
        ] {
            let error = read(answer).unwrap_err();
            assert_eq!(error.kind, LlmErrorKind::Protocol, "{answer}");
            assert!(error.detail.contains(why), "{}", error.detail);
        }
        let error = read(r#"{"error":{"message":"no key","code":401}}"#).unwrap_err();
        assert_eq!(error.kind, LlmErrorKind::Auth);
    }

    #[test]
    fn well_known_models_get_their_prefixes() {
        for (model, document, query) in [
            ("nomic-embed-text:v1.5", "search_document: ", "search_query: "),
            ("intfloat/Multilingual-E5-Large", "passage: ", "query: "),
            ("text-embedding-3-small", "", ""),
            ("bge-m3", "", ""),
        ] {
            assert_eq!(prefix(model, Purpose::Document), document, "{model}");
            assert_eq!(prefix(model, Purpose::Query), query, "{model}");
        }
        assert_eq!(prefix("multilingual-e5-large-instruct", Purpose::Document), "");
    }
}
