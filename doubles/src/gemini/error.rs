//! The errors of the Gemini API, in their words and with their details.

use serde_json::{Value, json};

use crate::reply::Reply;

/// An error body on its way to the client.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: u16,
    body: Value,
}

impl Refusal {
    pub(crate) fn new(code: u16, status: &str, message: &str) -> Self {
        let error = json!({ "code": code, "message": message, "status": status });
        Self { status: code, body: json!({ "error": error }) }
    }

    fn with_details(mut self, details: Value) -> Self {
        self.body["error"]["details"] = details;
        self
    }

    pub(crate) fn reply(&self) -> Reply {
        let mut text = format!("{:#}", self.body);
        text.push('\n');
        let body = vec![crate::reply::Piece::bytes(text)];
        Reply::new(self.status, "application/json; charset=UTF-8", body)
    }

    pub(crate) fn in_array(&self) -> Reply {
        Reply::json(self.status, &json!([self.body]))
    }

    pub(crate) fn body(&self) -> &Value {
        &self.body
    }
}

/// 400: the request is wrong.
pub(crate) fn invalid(message: impl AsRef<str>) -> Refusal {
    Refusal::new(400, "INVALID_ARGUMENT", message.as_ref())
}

/// 400: a field that the API does not know, at a path like `generation_config`.
pub(crate) fn unknown_field(name: &str, at: &str) -> Refusal {
    let place = if at.is_empty() { String::new() } else { format!(" at '{at}'") };
    let message = format!(
        "Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field."
    );
    let violation = if at.is_empty() {
        json!({ "description": message })
    } else {
        json!({ "field": at, "description": message })
    };
    invalid(&message).with_details(json!([{
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [violation],
    }]))
}

pub(crate) fn no_key() -> Refusal {
    Refusal::new(
        403,
        "PERMISSION_DENIED",
        "Method doesn't allow unregistered callers (callers without established identity). \
         Please use API Key or other form of API consumer identity to call this API.",
    )
}

pub(crate) fn bad_key() -> Refusal {
    const MESSAGE: &str = "API key not valid. Please pass a valid API key.";
    invalid(MESSAGE).with_details(json!([
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": { "service": "generativelanguage.googleapis.com" },
        },
        {
            "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
            "locale": "en-US",
            "message": MESSAGE,
        },
    ]))
}

pub(crate) fn leaked_key() -> Refusal {
    Refusal::new(
        403,
        "PERMISSION_DENIED",
        "Your API key was reported as leaked. Please use another API key.",
    )
}

pub(crate) fn no_such_model(id: &str, method: &str) -> Refusal {
    Refusal::new(
        404,
        "NOT_FOUND",
        &format!(
            "models/{id} is not found for API version v1beta, or is not supported for {method}. \
             Call ListModels to see the list of available models and their supported methods."
        ),
    )
}

pub(crate) fn no_such_path() -> Refusal {
    Refusal::new(404, "NOT_FOUND", "Requested entity was not found.")
}

pub(crate) fn internal() -> Refusal {
    Refusal::new(
        500,
        "INTERNAL",
        "An internal error has occurred. Please retry or report in \
         https://developers.generativeai.google/guide/troubleshooting",
    )
}

pub(crate) fn overloaded() -> Refusal {
    Refusal::new(
        503,
        "UNAVAILABLE",
        "This model is currently experiencing high demand. Spikes in demand are usually \
         temporary. Please try again later.",
    )
}

pub(crate) fn too_slow() -> Refusal {
    Refusal::new(504, "DEADLINE_EXCEEDED", "The request timed out. Please try again.")
}

/// 429: `quota` is the middle of a quota's id (`PerMinute`, `PerDay`), `delay` in seconds.
pub(crate) fn quota(model: &str, quota: &str, limit: u32, delay: f64) -> Refusal {
    const METRIC: &str = "generativelanguage.googleapis.com/generate_content_free_tier_requests";
    let message = format!(
        "You exceeded your current quota, please check your plan and billing details.\n\
         * Quota exceeded for metric: {METRIC}, limit: {limit}, model: {model}\n\
         Please retry in {delay}s."
    );
    Refusal::new(429, "RESOURCE_EXHAUSTED", &message).with_details(json!([
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{
                "quotaMetric": METRIC,
                "quotaId": format!("GenerateRequests{quota}PerProjectPerModel-FreeTier"),
                "quotaDimensions": { "model": model, "location": "global" },
                "quotaValue": limit.to_string(),
            }],
        },
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{
                "description": "Learn more about Gemini API quotas",
                "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
            }],
        },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{delay}s") },
    ]))
}

pub(crate) fn wrong_region() -> Refusal {
    Refusal::new(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
}
