//! The models of the Gemini double: a table of what each is able to do.

use serde_json::{Value, json};

use super::error::{self, Refusal};
use crate::call::Call;
use crate::reply::Reply;

const GENERATES: &[&str] =
    &["generateContent", "streamGenerateContent", "countTokens", "createCachedContent"];
const EMBEDS: &[&str] = &["embedContent", "batchEmbedContents", "countTextTokens", "countTokens"];

/// How much a model thinks, and how that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// Not at all.
    Never,
    /// By a budget from the first to the second number; whether 0 switches it off.
    Budget(i64, i64, Off),
    /// By one of these levels.
    Levels(&'static [&'static str]),
}

/// Whether thinking can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Off {
    Possible,
    Impossible,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(crate) id: &'static str,
    pub(crate) thinking: Thinking,
    /// The last turn may be the model's, to be continued.
    pub(crate) continues: bool,
    /// Tokens that a repeated beginning must have to be cheaper.
    pub(crate) cache_from: usize,
    methods: &'static [&'static str],
}

const FOUR: Thinking = Thinking::Levels(&["MINIMAL", "LOW", "MEDIUM", "HIGH"]);
const THREE: Thinking = Thinking::Levels(&["LOW", "MEDIUM", "HIGH"]);
const FLASH: Thinking = Thinking::Budget(0, 24_576, Off::Possible);
const PRO: Thinking = Thinking::Budget(128, 32_768, Off::Impossible);

const MODELS: &[Model] = &[
    chat("gemini-2.5-flash", FLASH, true, 2048),
    chat("gemini-2.5-flash-lite", FLASH, true, 2048),
    chat("gemini-2.5-pro", PRO, true, 2048),
    chat("gemini-3-flash-preview", FOUR, true, 4096),
    chat("gemini-3.1-flash-lite", FOUR, true, 4096),
    chat("gemini-3.1-pro-preview", THREE, true, 4096),
    chat("gemini-3.5-flash", FOUR, true, 4096),
    chat("gemini-3.5-flash-lite", FOUR, true, 4096),
    chat("gemini-3.6-flash", FOUR, false, 4096),
    chat("gemini-3.7-flash", THREE, false, 4096),
    chat("gemini-3.8-flash", THREE, false, 4096),
    embedder("gemini-embedding-001"),
    embedder("gemini-embedding-2"),
];

const fn chat(id: &'static str, thinking: Thinking, continues: bool, cache_from: usize) -> Model {
    Model { id, thinking, continues, cache_from, methods: GENERATES }
}

const fn embedder(id: &'static str) -> Model {
    let (thinking, methods) = (Thinking::Never, EMBEDS);
    Model { id, thinking, continues: false, cache_from: usize::MAX, methods }
}

impl Model {
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        MODELS.iter().find(|model| model.id == id)
    }

    /// 404 if the model has no such method.
    pub(crate) fn check_method(&self, method: &str) -> Result<(), Refusal> {
        if self.methods.contains(&method) {
            return Ok(());
        }
        Err(error::no_such_model(self.id, method))
    }

    fn embeds(&self) -> bool {
        self.methods == EMBEDS
    }

    fn entry(&self) -> Value {
        let (input, output) = if self.embeds() { (2048, 1) } else { (1_048_576, 65_536) };
        // A stream is not listed: the API names only the plain method.
        let methods: Vec<_> =
            self.methods.iter().filter(|method| !method.starts_with("stream")).collect();
        let mut entry = json!({
            "name": format!("models/{}", self.id),
            "version": "001",
            "displayName": self.id,
            "description": "A model of a test double",
            "inputTokenLimit": input,
            "outputTokenLimit": output,
            "supportedGenerationMethods": methods,
        });
        if !self.embeds() {
            entry["temperature"] = json!(1);
            entry["maxTemperature"] = json!(2);
            entry["topP"] = json!(0.95);
            entry["topK"] = json!(64);
            entry["thinking"] = json!(self.thinking != Thinking::Never);
        }
        entry
    }
}

/// `GET /models`, page by page, and `GET /models/{id}`.
pub(crate) fn list_or_one(call: &Call, path: &str) -> Result<Reply, Refusal> {
    if let Some(id) = path.strip_prefix('/') {
        let model = Model::find(id).ok_or_else(|| error::no_such_model(id, "getModel"))?;
        return Ok(Reply::json(200, &model.entry()));
    }
    let size = call.query_value("pageSize").map_or(Ok(50), str::parse::<usize>);
    let size = size.map_err(|_| error::invalid("Invalid value at 'page_size' (TYPE_INT32)"))?;
    let size = if size == 0 { 50 } else { size.min(1000) };
    let start = match call.query_value("pageToken") {
        None | Some("") => 0,
        Some(token) => token
            .strip_prefix("after-")
            .and_then(|start| start.parse().ok())
            .ok_or_else(|| error::invalid("Page token is invalid."))?,
    };
    let models: Vec<_> = MODELS.iter().skip(start).take(size).map(Model::entry).collect();
    let mut page = json!({ "models": models });
    if start + size < MODELS.len() {
        page["nextPageToken"] = json!(format!("after-{}", start + size));
    }
    Ok(Reply::json(200, &page))
}
