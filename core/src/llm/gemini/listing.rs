//! Which models there are. Pure.

use serde_json::Value;

use super::response::tokens;
use crate::llm::Listed;

/// The most that a page may have.
const PAGE: u32 = 1000;

/// The path of a page.
pub(super) fn path(token: Option<&str>) -> String {
    let mut path = format!("/models?pageSize={PAGE}");
    if let Some(token) = token {
        path.push_str("&pageToken=");
        path.push_str(&encoded(token));
    }
    path
}

fn encoded(token: &str) -> String {
    let letter = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    token.bytes().map(letter).collect()
}

/// What names the page after this one, if there is one.
pub(super) fn next(page: &Value) -> Option<String> {
    let token = page.get("nextPageToken")?.as_str()?;
    (!token.is_empty()).then(|| token.to_owned())
}

/// The models of a page that write or embed.
pub(super) fn models(page: &Value) -> Vec<Listed> {
    let models = page.get("models").and_then(Value::as_array);
    models.into_iter().flatten().filter_map(model).collect()
}

fn model(entry: &Value) -> Option<Listed> {
    let name = entry.get("name")?.as_str()?;
    let methods = entry.get("supportedGenerationMethods").and_then(Value::as_array);
    let methods: Vec<&str> = methods.into_iter().flatten().filter_map(Value::as_str).collect();
    let has = |names: &[&str]| names.iter().any(|name| methods.contains(name));
    let writes = has(&["generateContent", "streamGenerateContent"]);
    if !writes && !has(&["embedContent", "batchEmbedContents"]) {
        return None;
    }
    let input = tokens(entry.get("inputTokenLimit"));
    let output = tokens(entry.get("outputTokenLimit")).filter(|_| writes);
    let title = entry.get("displayName").and_then(Value::as_str).filter(|name| !name.is_empty());
    Some(Listed {
        id: name.strip_prefix("models/").unwrap_or(name).to_owned(),
        name: title.map(str::to_owned),
        context_tokens: input.map(|input| input.saturating_add(output.unwrap_or_default())),
        output_tokens: output,
        embeds: !writes,
        price: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn models_that_write_or_embed_are_listed() {
        let page = json!({ "models": [
            {
                "name": "models/gemini-x", "displayName": "Gemini X",
                "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            },
            {
                "name": "models/gemini-embedding-x", "inputTokenLimit": 2048, "outputTokenLimit": 1,
                "supportedGenerationMethods": ["embedContent"],
            },
            { "name": "models/imagen-x", "supportedGenerationMethods": ["predict"] },
            { "name": "models/bare" },
            { "name": "models/new", "supportedGenerationMethods": ["generateContent"], "thinking": 1 },
            {},
        ] });
        let writer = Listed {
            id: "gemini-x".into(),
            name: Some("Gemini X".into()),
            context_tokens: Some(1_114_112),
            output_tokens: Some(65_536),
            ..Listed::default()
        };
        let embedder = Listed {
            id: "gemini-embedding-x".into(),
            context_tokens: Some(2048),
            embeds: true,
            ..Listed::default()
        };
        let bare = Listed { id: "new".into(), ..Listed::default() };
        assert_eq!(models(&page), [writer, embedder, bare]);
        assert_eq!(models(&json!({})), []);
    }

    #[test]
    fn pages_follow_each_other() {
        assert_eq!(path(None), "/models?pageSize=1000");
        assert_eq!(path(Some("a+b/=ё")), "/models?pageSize=1000&pageToken=a%2Bb%2F%3D%D1%91");
        assert_eq!(next(&json!({ "nextPageToken": "x" })), Some("x".into()));
        assert_eq!(next(&json!({ "nextPageToken": "" })), None);
        assert_eq!(next(&json!({})), None);
    }
}
