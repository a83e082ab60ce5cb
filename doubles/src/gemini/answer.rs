//! What a model writes, in the chunks of a stream or in one piece, with honest usage.

use serde_json::{Value, json};

use super::error::{Refusal, invalid};
use super::fault::Fault;
use super::fields::{self, list};
use super::model::{Model, Thinking};
use super::{Gemini, check};
use crate::call::Call;
use crate::reply::{Piece, Reply};
use crate::script::Planned;
use crate::speech::{Chunk, Speech, Wish};
use crate::story;
use crate::tokens;

/// One chunk of a stream before it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    /// Empty: the chunk has no content at all.
    pub(crate) parts: Vec<Value>,
    pub(crate) finish: Option<String>,
    /// Tokens so far, this chunk included.
    pub(crate) thought_tokens: usize,
    pub(crate) text_tokens: usize,
}

impl Event {
    /// The same counts with these parts and this end.
    pub(crate) fn ending(&self, parts: Vec<Value>, finish: &str) -> Self {
        Self { parts, finish: Some(finish.to_owned()), ..self.clone() }
    }
}

/// What every chunk of one answer repeats.
pub(crate) struct Frame {
    model: &'static str,
    id: String,
    prompt_tokens: usize,
    cached: usize,
}

/// `generateContent` and `streamGenerateContent`.
pub(crate) fn generate(
    gemini: &Gemini,
    call: &Call,
    model: &'static Model,
    planned: &Planned<Fault>,
) -> Reply {
    let frame = Frame::new(gemini, call, model);
    let fault = planned.fault.as_ref();
    if let Some(Fault::PromptBlocked(reason)) = fault {
        return deliver(call, &[frame.blocked(reason)]);
    }
    let mut planned = planned.clone();
    if fault.is_some_and(Fault::needs_thoughts) && planned.thoughts.is_none() {
        planned.thoughts = Some(story::THOUGHTS.to_owned());
    }
    let config = &call.json["generationConfig"];
    if thinking_is_off(config, model) {
        planned.thoughts = None;
    }
    let speech = Speech::new(&planned, &wish(&call.json));
    let shown = config["thinkingConfig"]["includeThoughts"] == true
        || fault.is_some_and(Fault::needs_thoughts);
    let mut events = events(&speech, shown);
    if let Some(fault) = fault {
        fault.shape(&mut events);
    }
    let chunks: Vec<_> = events.iter().map(|event| frame.chunk(event)).collect();
    let reply = deliver(call, &chunks);
    match fault {
        Some(fault) => fault.damage(reply, call),
        None => reply,
    }
}

/// `countTokens`, in both of its forms.
pub(crate) fn count(json: &Value) -> Result<Reply, Refusal> {
    fields::known(json, &["contents", "generateContentRequest"], "")?;
    let nested = &json["generateContentRequest"];
    if !nested.is_null() && !json["contents"].is_null() {
        return Err(invalid("contents and generate_content_request must not both be set."));
    }
    let request = if nested.is_null() { json } else { nested };
    if !nested.is_null() && nested["model"].as_str().is_none_or(|id| !id.starts_with("models/")) {
        return Err(invalid("* CountTokensRequest.model: model is not specified\n"));
    }
    fields::request(request)?;
    check::turns(request)?;
    let total = tokens::count_prompt(texts(request).iter().map(String::as_str));
    let details = json!([{ "modality": "TEXT", "tokenCount": total }]);
    Ok(Reply::json(200, &json!({ "totalTokens": total, "promptTokensDetails": details })))
}

fn thinking_is_off(config: &Value, model: &Model) -> bool {
    let budget = &config["thinkingConfig"]["thinkingBudget"];
    budget == 0 && matches!(model.thinking, Thinking::Budget(..))
}

fn wish(request: &Value) -> Wish {
    let config = &request["generationConfig"];
    let user = list(&request["contents"]).iter().rfind(|turn| turn["role"] != "model");
    let stops = list(&config["stopSequences"]).iter().filter_map(Value::as_str);
    Wish {
        turn: user.map(text_of_turn).unwrap_or_default(),
        limit: config["maxOutputTokens"].as_u64().and_then(|limit| usize::try_from(limit).ok()),
        stops: stops.map(str::to_owned).collect(),
        json: config["responseMimeType"] == "application/json",
    }
}

fn text_of_turn(turn: &Value) -> String {
    list(&turn["parts"]).iter().filter_map(|part| part["text"].as_str()).collect()
}

/// The texts of a prompt in the order in which a model reads them.
fn texts(request: &Value) -> Vec<String> {
    let system = Some(&request["systemInstruction"]).filter(|system| !system.is_null());
    system.into_iter().chain(list(&request["contents"])).map(text_of_turn).collect()
}

fn events(speech: &Speech, thoughts_shown: bool) -> Vec<Event> {
    let mut so_far = Event::default();
    let mut events = Vec::new();
    for Chunk { text, tokens } in &speech.thoughts {
        so_far.thought_tokens += tokens;
        if thoughts_shown {
            so_far.parts = vec![json!({ "text": text, "thought": true })];
            events.push(so_far.clone());
        }
    }
    for Chunk { text, tokens } in &speech.text {
        so_far.text_tokens += tokens;
        so_far.parts = vec![json!({ "text": text })];
        events.push(so_far.clone());
    }
    let finish = if speech.cut_short { "MAX_TOKENS" } else { "STOP" };
    events.push(so_far.ending(vec![json!({ "text": "" })], finish));
    events
}

impl Frame {
    fn new(gemini: &Gemini, call: &Call, model: &'static Model) -> Self {
        let texts = texts(&call.json);
        // Other models remember other prompts.
        let prompt = format!("{}\u{1}{}", model.id, texts.join("\u{1}"));
        Self {
            model: model.id,
            id: format!("double-{:06}", call.number),
            prompt_tokens: tokens::count_prompt(texts.iter().map(String::as_str)),
            cached: gemini.cache.hit(prompt, model.cache_from),
        }
    }

    fn chunk(&self, event: &Event) -> Value {
        let mut candidate = json!({ "index": 0 });
        if !event.parts.is_empty() {
            candidate["content"] = json!({ "parts": event.parts, "role": "model" });
        }
        if let Some(finish) = &event.finish {
            candidate["finishReason"] = json!(finish);
        }
        json!({
            "candidates": [candidate],
            "usageMetadata": self.usage(event),
            "modelVersion": self.model,
            "responseId": self.id,
        })
    }

    fn blocked(&self, reason: &str) -> Value {
        json!({
            "promptFeedback": { "blockReason": reason },
            "usageMetadata": self.usage(&Event::default()),
            "modelVersion": self.model,
            "responseId": self.id,
        })
    }

    /// The prompt includes what was cached; what is written does not include thoughts.
    fn usage(&self, event: &Event) -> Value {
        let details = |tokens| json!([{ "modality": "TEXT", "tokenCount": tokens }]);
        let mut usage = json!({
            "promptTokenCount": self.prompt_tokens,
            "totalTokenCount": self.prompt_tokens + event.text_tokens + event.thought_tokens,
            "promptTokensDetails": details(self.prompt_tokens),
        });
        if event.text_tokens > 0 {
            usage["candidatesTokenCount"] = json!(event.text_tokens);
        }
        if event.thought_tokens > 0 {
            usage["thoughtsTokenCount"] = json!(event.thought_tokens);
        }
        if self.cached > 0 {
            let cached = self.cached.min(self.prompt_tokens);
            usage["cachedContentTokenCount"] = json!(cached);
            usage["cacheTokensDetails"] = details(cached);
        }
        usage
    }
}

/// As events, as an array that grows (a stream without `alt=sse`), or in one piece.
fn deliver(call: &Call, chunks: &[Value]) -> Reply {
    if call.path.ends_with(":generateContent") {
        return Reply::json(200, &whole(chunks));
    }
    if call.query_value("alt") == Some("sse") {
        return Reply::events(chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")));
    }
    array(chunks)
}

/// The chunks as one JSON array, written bit by bit.
pub(crate) fn array(chunks: &[Value]) -> Reply {
    let mut body: Vec<_> = chunks
        .iter()
        .enumerate()
        .map(|(index, chunk)| format!("{}{chunk:#}\n", if index == 0 { "[" } else { ",\r\n" }))
        .map(Piece::bytes)
        .collect();
    body.push(Piece::bytes("]"));
    Reply::new(200, "application/json; charset=UTF-8", body)
}

/// The last chunk with the parts of all; thoughts and text become one part each.
fn whole(chunks: &[Value]) -> Value {
    let mut whole = chunks.last().cloned().unwrap_or_default();
    let parts = |chunk: &Value| list(&chunk["candidates"][0]["content"]["parts"]).to_vec();
    let mut joined: Vec<Value> = Vec::new();
    for part in chunks.iter().flat_map(parts) {
        let text = part["text"].as_str().unwrap_or_default();
        match joined.last_mut().filter(|last| last["thought"] == part["thought"]) {
            Some(last) => {
                let before = last["text"].as_str().unwrap_or_default();
                last["text"] = json!(format!("{before}{text}"));
                if let Some(signature) = part.get("thoughtSignature") {
                    last["thoughtSignature"] = signature.clone();
                }
            }
            None => joined.push(part),
        }
    }
    if !joined.is_empty() && !whole["candidates"].is_null() {
        whole["candidates"][0]["content"] = json!({ "parts": joined, "role": "model" });
    }
    whole
}
