//! The errors of compatible servers: as many shapes as servers.

use serde_json::{Value, json};

use super::profile::Overflow;
use crate::reply::Reply;

/// An error on its way to the client.
pub(crate) type Refusal = Reply;

/// The documented shape.
pub(crate) fn body(message: &str, kind: &str, code: &Value) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
}

/// 400 in the documented shape.
pub(crate) fn invalid(message: impl AsRef<str>) -> Refusal {
    Reply::json(400, &body(message.as_ref(), "invalid_request_error", &Value::Null))
}

pub(crate) fn bad_key() -> Refusal {
    let message = "Incorrect API key provided.";
    Reply::json(401, &body(message, "invalid_request_error", &json!("invalid_api_key")))
}

pub(crate) fn no_such_model(model: &str) -> Refusal {
    let message = format!("model '{model}' not found");
    Reply::json(404, &body(&message, "not_found_error", &Value::Null))
}

pub(crate) fn no_such_path() -> Refusal {
    Reply::json(404, &json!({ "detail": "Not Found" }))
}

/// 400: more tokens than fit, in the words of one server.
pub(crate) fn overflow(overflow: Overflow, tokens: usize, context: usize) -> Refusal {
    match overflow {
        Overflow::LlamaCpp => Reply::json(
            400,
            &json!({ "error": {
                "code": 400,
                "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": tokens,
                "n_ctx": context,
            } }),
        ),
        Overflow::Vllm => {
            let message = format!(
                "This model's maximum context length is {context} tokens. However, your request \
                 has {tokens} input tokens. Please reduce the length of the input messages."
            );
            Reply::json(400, &body(&message, "BadRequestError", &json!(400)))
        }
        Overflow::TabbyApi | Overflow::Truncate => {
            let message = format!(
                "Prompt length {tokens} is greater than the maximum context length {context}."
            );
            let code = json!("context_length_exceeded");
            Reply::json(400, &body(&message, "invalid_request_error", &code))
        }
        Overflow::OpenAi => {
            let message = format!(
                "This model's maximum context length is {context} tokens. However, your messages \
                 resulted in {tokens} tokens. Please reduce the length of the messages."
            );
            let code = json!("context_length_exceeded");
            Reply::json(400, &body(&message, "invalid_request_error", &code))
        }
    }
}
