//! What a model writes: the chunks of a stream in a server's own dialect, or one piece.

use serde_json::{Value, json};

use super::OpenAi;
use super::check::{self, list, one_or_many};
use super::error::{self, Refusal};
use super::fault::Fault;
use super::profile::{Done, Overflow, Profile, ReasoningField, Role, Traits, UsageForm};
use crate::call::Call;
use crate::reply::{Piece, Reply};
use crate::script::Planned;
use crate::speech::{Chunk, Speech, Wish, text_of, tokens_of};

/// What all chunks of one answer share, and how they are written.
pub(crate) struct Frame {
    traits: Traits,
    profile: Profile,
    id: String,
    model: Value,
    prompt_tokens: usize,
    cached: usize,
    usage_wanted: bool,
}

/// `POST /v1/chat/completions`.
pub(crate) fn chat(
    openai: &OpenAi,
    call: &Call,
    traits: &Traits,
    planned: &Planned<Fault>,
) -> Result<Reply, Refusal> {
    let frame = Frame::new(openai, call, traits)?;
    let wish = wish(&call.json, traits)?;
    let mut planned = planned.clone();
    if planned.thoughts.is_some() && traits.reasoning == ReasoningField::Inline && !wish.json {
        let text = planned.text.take();
        let text = text.unwrap_or_else(|| crate::story::for_turn(&wish.turn).to_owned());
        let thoughts = planned.thoughts.take().unwrap_or_default();
        planned.text = Some(format!("<think>\n{thoughts}\n</think>\n\n{text}"));
    }
    let mut speech = Speech::new(&planned, &wish);
    let mut finish = if speech.cut_short { "length" } else { "stop" };
    let fault = planned.fault.as_ref();
    if let Some(fault) = fault {
        finish = fault.speech(&mut speech).unwrap_or(finish);
    }
    if call.json["stream"] != true || fault == Some(&Fault::JsonInsteadOfStream) {
        return Ok(Reply::json(200, &frame.whole(&speech, finish)));
    }
    let mut events = frame.events(&speech, finish);
    if let Some(fault) = fault {
        fault.shape(&mut events, &frame);
    }
    let mut reply = frame.write(&events);
    if let Some(fault) = fault {
        reply = fault.damage(reply);
    }
    Ok(reply)
}

fn wish(request: &Value, traits: &Traits) -> Result<Wish, Refusal> {
    let messages = list(&request["messages"]);
    let turn = messages.iter().rfind(|message| message["role"] == "user");
    let limit = request["max_completion_tokens"].as_u64().or(request["max_tokens"].as_u64());
    let stops = one_or_many(&request["stop"]).map(str::to_owned).collect();
    Ok(Wish {
        turn: turn.map(text_of_message).unwrap_or_default(),
        limit: limit.and_then(|limit| usize::try_from(limit).ok()),
        stops,
        json: check::wants_json(request, traits)?,
    })
}

fn text_of_message(message: &Value) -> String {
    let content = &message["content"];
    let parts = list(content).iter().filter_map(|part| part["text"].as_str());
    content.as_str().into_iter().chain(parts).collect()
}

impl Frame {
    fn new(openai: &OpenAi, call: &Call, traits: &Traits) -> Result<Self, Refusal> {
        let texts: Vec<_> = list(&call.json["messages"]).iter().map(text_of_message).collect();
        let mut prompt_tokens = traits.vocabulary.count_prompt(texts.iter().map(String::as_str));
        if prompt_tokens >= traits.context {
            if traits.overflow != Overflow::Truncate {
                return Err(error::overflow(traits.overflow, prompt_tokens, traits.context));
            }
            prompt_tokens = traits.context - 1;
        }
        let cached = match traits.cache_from {
            usize::MAX => 0,
            minimum => openai.cache.hit(texts.join("\u{1}"), minimum),
        };
        let asked = call.json["model"].as_str().filter(|model| !model.is_empty());
        Ok(Self {
            traits: *traits,
            profile: openai.profile,
            id: id(openai.profile, call.number),
            model: json!(asked.unwrap_or(traits.model)),
            prompt_tokens,
            cached: cached.min(prompt_tokens),
            usage_wanted: call.json["stream_options"]["include_usage"] == true
                || openai.profile == Profile::OpenRouter,
        })
    }

    /// A chunk with these choices.
    pub(crate) fn chunk(&self, choices: &Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": 1_767_225_600,
            "model": self.model,
            "choices": choices,
        })
    }

    /// A chunk with one delta and, at the end, its reason.
    pub(crate) fn delta(&self, mut delta: Value, finish: Option<&str>) -> Value {
        if self.traits.role == Role::Every && delta.is_object() {
            delta["role"] = json!("assistant");
        }
        self.chunk(&json!([{ "index": 0, "delta": delta, "finish_reason": finish }]))
    }

    fn thought(&self, text: &str) -> Value {
        match self.traits.reasoning {
            ReasoningField::ReasoningContent => json!({ "reasoning_content": text }),
            ReasoningField::Inline => json!({ "content": text }),
            ReasoningField::Reasoning if self.profile == Profile::OpenRouter => json!({
                "content": "",
                "reasoning": text,
                "reasoning_details": [{ "type": "reasoning.text", "text": text, "index": 0 }],
            }),
            ReasoningField::Reasoning => json!({ "content": "", "reasoning": text }),
        }
    }

    fn events(&self, speech: &Speech, finish: &str) -> Vec<Value> {
        let mut events = Vec::new();
        if self.traits.role == Role::First {
            events.push(self.delta(json!({ "role": "assistant", "content": "" }), None));
        }
        for Chunk { text, .. } in &speech.thoughts {
            events.push(self.delta(self.thought(text), None));
        }
        for Chunk { text, .. } in &speech.text {
            events.push(self.delta(json!({ "content": text }), None));
        }
        let mut end = self.delta(json!({}), Some(finish));
        match self.traits.usage {
            UsageForm::Alone => events.push(end),
            UsageForm::OnFinish => {
                end["usage"] = self.usage(speech);
                events.push(end);
            }
            // Without usage the reason rides on the last text.
            UsageForm::WithFinish if !self.usage_wanted => match events.last_mut() {
                Some(last) => last["choices"][0]["finish_reason"] = json!(finish),
                None => events.push(end),
            },
            UsageForm::WithFinish => {
                end["choices"][0]["delta"] = json!({ "content": "" });
                end["usage"] = self.usage(speech);
                events.push(end);
            }
        }
        if self.usage_wanted && self.traits.usage == UsageForm::Alone {
            let mut usage = self.chunk(&json!([]));
            usage["usage"] = self.usage(speech);
            events.push(usage);
        }
        events
    }

    fn usage(&self, speech: &Speech) -> Value {
        let reasoning = tokens_of(&speech.thoughts);
        let written = reasoning + tokens_of(&speech.text);
        let mut usage = json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": written,
            "total_tokens": self.prompt_tokens + written,
        });
        if self.cached > 0 {
            usage["prompt_tokens_details"] = json!({ "cached_tokens": self.cached });
        }
        if reasoning > 0 && matches!(self.profile, Profile::Plain | Profile::OpenRouter) {
            usage["completion_tokens_details"] = json!({ "reasoning_tokens": reasoning });
        }
        if self.profile == Profile::OpenRouter {
            usage["cost"] = json!(0.000_123);
        }
        usage
    }

    fn whole(&self, speech: &Speech, finish: &str) -> Value {
        let mut message = self.thought(&text_of(&speech.thoughts));
        if speech.thoughts.is_empty() {
            message = json!({});
        }
        message["role"] = json!("assistant");
        message["content"] = json!(text_of(&speech.text));
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": 1_767_225_600,
            "model": self.model,
            "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
            "usage": self.usage(speech),
        })
    }

    fn write(&self, events: &[Value]) -> Reply {
        let newline = if self.profile == Profile::TabbyApi { "\r\n\r\n" } else { "\n\n" };
        let mut lines: Vec<_> =
            events.iter().map(|event| format!("data: {event}{newline}")).collect();
        match self.traits.done {
            Done::Line => lines.push(format!("data: [DONE]{newline}")),
            Done::Bare => lines.push("data: [DONE]".to_owned()),
            Done::Missing => {}
        }
        let mut reply = Reply::events(lines);
        if let Some(comment) = self.traits.comment {
            reply.body.insert(0, Piece::bytes(comment));
        }
        reply
    }
}

/// Ids of Ollama repeat, those of old KoboldCpp never change.
fn id(profile: Profile, number: usize) -> String {
    match profile {
        Profile::Ollama => format!("chatcmpl-{}", number % 999),
        Profile::KoboldCpp => "chatcmpl-A1".to_owned(),
        Profile::OpenRouter => format!("gen-{number:010}"),
        Profile::Plain
        | Profile::LlamaCpp
        | Profile::Vllm
        | Profile::LmStudio
        | Profile::TabbyApi => format!("chatcmpl-{number:010}"),
    }
}
