//! An embedder at an address that ends in `/v1`, in OpenAI's wire format.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;

/// Texts that travel together.
const BATCH: usize = 64;

/// Texts and their vectors, of length 1.
#[derive(Default)]
pub(super) struct Vectors(HashMap<String, Vec<f32>>);

#[derive(Deserialize)]
struct Answer {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    index: usize,
    embedding: Vec<f32>,
}

impl Vectors {
    /// Has texts embedded, each once.
    pub(super) async fn of(url: &str, model: &str, texts: BTreeSet<String>) -> Result<Self> {
        let client = reqwest::Client::new();
        let url = format!("{}/embeddings", url.trim_end_matches('/'));
        let mut texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        // Servers make a batch as long as its longest text.
        texts.sort_by_key(String::len);
        let mut vectors = Self::default();
        for batch in texts.chunks(BATCH) {
            let body = json!({ "model": model, "input": batch });
            let answer = client.post(&url).json(&body).send().await;
            let answer = answer.context("the embedder does not answer")?.error_for_status()?;
            let answer: Answer = answer.json().await.context("that is no answer of an embedder")?;
            ensure!(answer.data.len() == batch.len(), "the embedder left texts out");
            for Entry { index, embedding } in answer.data {
                let text = batch.get(index).context("the embedder counts wrong")?;
                vectors.0.insert(text.clone(), unit(embedding));
            }
        }
        Ok(vectors)
    }

    /// The vector of a text that was embedded.
    pub(super) fn get(&self, text: &str) -> Option<&[f32]> {
        self.0.get(text).map(Vec::as_slice)
    }
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    for number in &mut vector {
        *number /= length.max(f32::MIN_POSITIVE);
    }
    vector
}
