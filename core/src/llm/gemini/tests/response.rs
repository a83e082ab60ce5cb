//! What answers mean, however they end.

use serde_json::{Value, json};
use skald_base::config::Secret;

use crate::llm::{
    Chunk, FinishReason, LlmError, LlmErrorKind, Usage, gemini::response::Reading, sse::SseParser,
};

/// What an answer comes to.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    text: String,
    thought: String,
    usages: Vec<Usage>,
    end: Option<Result<FinishReason, LlmErrorKind>>,
    detail: String,
}

fn hear(body: &str) -> Heard {
    let mut reading = Reading::new(200, None, Secret::new("AIza-key"));
    let mut parser = SseParser::default();
    let frames = parser.push(body.as_bytes()).unwrap();
    let mut items: Vec<Result<Chunk, LlmError>> =
        frames.into_iter().flat_map(|frame| reading.take(frame)).collect();
    items.extend(reading.finish(parser.finish()));
    let mut heard = Heard::default();
    for item in items {
        assert_eq!(heard.end, None, "nothing follows an end");
        match item {
            Ok(Chunk::Content(text)) => heard.text += &text,
            Ok(Chunk::Thought(text)) => heard.thought += &text,
            Ok(Chunk::Usage(usage)) => heard.usages.push(usage),
            Ok(Chunk::Finished { reason, usage }) => {
                assert_eq!(usage, heard.usages.last().copied());
                heard.end = Some(Ok(reason));
            }
            Err(error) => {
                heard.end = Some(Err(error.kind));
                heard.detail = error.detail;
            }
        }
    }
    heard
}

fn events(chunks: &[Value]) -> String {
    let events: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect();
    events.concat()
}

fn says(text: &str) -> Value {
    json!({ "candidates": [{ "content": { "parts": [{ "text": text }], "role": "model" } }] })
}

fn thinks(text: &str) -> Value {
    json!({ "candidates": [{ "content": { "parts": [{ "text": text, "thought": true }] } }] })
}

fn ends(reason: &str) -> Value {
    json!({ "candidates": [{ "finishReason": reason }] })
}

#[test]
fn an_ending_is_told_by_its_reason_and_by_whether_there_was_text() {
    use LlmErrorKind::{Blocked, Cut, Empty};
    let done = Ok(FinishReason::Stop);
    for (reason, with_text, without) in [
        ("STOP", done, Err(Empty)),
        ("MAX_TOKENS", Ok(FinishReason::Length), Err(Empty)),
        ("SAFETY", Err(Blocked), Err(Blocked)),
        ("RECITATION", Err(Blocked), Err(Blocked)),
        ("LANGUAGE", Err(Blocked), Err(Blocked)),
        ("BLOCKLIST", Err(Blocked), Err(Blocked)),
        ("PROHIBITED_CONTENT", Err(Blocked), Err(Blocked)),
        ("SPII", Err(Blocked), Err(Blocked)),
        ("IMAGE_SAFETY", Err(Blocked), Err(Blocked)),
        ("OTHER", Err(Cut), Err(Empty)),
        ("MALFORMED_FUNCTION_CALL", Err(Cut), Err(Empty)),
        ("MALFORMED_RESPONSE", Err(Cut), Err(Empty)),
        ("UNEXPECTED_TOOL_CALL", Err(Cut), Err(Empty)),
        ("ESCALATION", done, Err(Empty)),
        ("FINISH_REASON_UNSPECIFIED", Err(Cut), Err(Cut)),
        ("", Err(Cut), Err(Cut)),
    ] {
        let heard = hear(&events(&[says("Rain."), ends(reason)]));
        assert_eq!((heard.text.as_str(), heard.end), ("Rain.", Some(with_text)), "{reason}");
        let heard = hear(&events(&[says(""), ends(reason)]));
        assert_eq!((heard.text.as_str(), heard.end), ("", Some(without)), "{reason}");
    }
}

#[test]
fn a_block_says_why() {
    for (chunk, detail) in [
        (
            json!({ "candidates": [{
                "finishReason": "SAFETY", "finishMessage": "Unsafe.",
                "safetyRatings": [
                    { "category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW" },
                    { "category": "HARM_CATEGORY_DANGEROUS_CONTENT", "blocked": true },
                ],
            }] }),
            "SAFETY: Unsafe., DANGEROUS_CONTENT",
        ),
        (json!({ "promptFeedback": { "blockReason": "OTHER" } }), "OTHER"),
        (
            json!({ "promptFeedback": {
                "blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "No.",
            } }),
            "PROHIBITED_CONTENT: No.",
        ),
    ] {
        let heard = hear(&events(&[chunk]));
        assert_eq!(heard.end, Some(Err(LlmErrorKind::Blocked)));
        assert_eq!(heard.detail, detail);
    }
    // The prompt was rated and let through.
    let rated = json!({
        "promptFeedback": { "blockReason": "BLOCK_REASON_UNSPECIFIED", "safetyRatings": [] },
        "candidates": [{ "content": { "parts": [{ "text": "Rain." }] }, "finishReason": "STOP" }],
    });
    assert_eq!(hear(&events(&[rated])).end, Some(Ok(FinishReason::Stop)));
}

#[test]
fn thought_without_text_is_empty_and_says_so() {
    let spent = json!({ "usageMetadata": { "thoughtsTokenCount": 9 } });
    for (chunks, detail) in [
        (
            vec![thinks("Hm."), ends("MAX_TOKENS")],
            "thinking used the whole allowance: the limit of output tokens came first",
        ),
        (
            vec![spent, ends("MAX_TOKENS")],
            "thinking used the whole allowance: the limit of output tokens came first",
        ),
        (vec![ends("MAX_TOKENS")], "the limit of output tokens came first"),
        (vec![thinks("Hm."), ends("STOP")], "the model only thought"),
        (vec![ends("STOP")], ""),
    ] {
        let heard = hear(&events(&chunks));
        assert_eq!(heard.end, Some(Err(LlmErrorKind::Empty)));
        assert_eq!(heard.detail, detail);
    }
}

#[test]
fn parts_of_a_chunk_are_told_apart() {
    let chunk = json!({ "candidates": [{
        "content": { "parts": [
            { "text": "Hm. ", "thought": true },
            { "text": "Ra", "thought": false },
            { "text": "in.", "thoughtSignature": "c2ln" },
            { "functionCall": { "name": "f" } },
            { "text": "", "thoughtSignature": "c2ln" },
            { "text": null },
        ] },
        "finishReason": "STOP",
    }] });
    let heard = hear(&events(&[chunk]));
    assert_eq!((heard.thought.as_str(), heard.text.as_str()), ("Hm. ", "Rain."));
    // A word that means "nothing" in an enum may well stand in a story.
    let story = hear(&events(&[says("X_REASON_UNSPECIFIED"), ends("STOP")]));
    assert_eq!(story.text, "X_REASON_UNSPECIFIED");
}

#[test]
fn the_last_usage_holds_and_is_told_when_it_changes() {
    let with = |usage: Value| json!({ "candidates": [], "usageMetadata": usage });
    let heard = hear(&events(&[
        with(json!({ "promptTokenCount": 12, "thoughtsTokenCount": 67, "totalTokenCount": 79 })),
        with(json!({ "promptTokenCount": 12, "thoughtsTokenCount": 67, "totalTokenCount": 79 })),
        says("Rain."),
        with(json!({
            "promptTokenCount": "12", "candidatesTokenCount": 5.0, "thoughtsTokenCount": 67,
            "cachedContentTokenCount": 8, "serviceTier": "standard",
        })),
        ends("STOP"),
    ]));
    let first = Usage { prompt: 12, thought: 67, ..Usage::default() };
    assert_eq!(heard.usages, [first, Usage { output: 5, cached: 8, ..first }]);
    let odd = hear(&events(&[with(json!({
        "promptTokenCount": -3, "candidatesTokenCount": 1e30, "thoughtsTokenCount": "many",
        "cachedContentTokenCount": null,
    }))]));
    assert_eq!(odd.usages, [Usage { output: 0, ..Usage::default() }]);
}

#[test]
fn a_stream_may_come_in_many_clothes() {
    let chunks = [says("Ra"), says("in."), ends("STOP")];
    let pretty = format!("{:#}", Value::Array(chunks.to_vec()));
    let growing = format!("[{}\n,\r\n{}\r\n,\r\n{}]", chunks[0], chunks[1], chunks[2]);
    let spaced = format!("[{}\n\n,\n\n{:#}\n\n,{}]\n\n", chunks[0], chunks[1], chunks[2]);
    let whole = json!({ "candidates": [{
        "content": { "parts": [{ "text": "Rain." }] }, "finishReason": "STOP",
    }] });
    for body in [
        events(&chunks),
        events(&chunks).replace("\r\n", "\n").replace("data: ", "data:"),
        events(&chunks).trim_end().to_owned(),
        format!("{}data: [DONE]\n\n", events(&chunks)),
        format!("data: \n\n: ping\n\nnoise\n\n{}", events(&chunks)),
        format!("data: {}\n\n", json!(chunks)),
        pretty,
        growing,
        spaced,
        whole.to_string(),
        format!("{whole:#}"),
    ] {
        let heard = hear(&body);
        assert_eq!(heard.text, "Rain.", "{body}");
        assert_eq!(heard.end, Some(Ok(FinishReason::Stop)), "{body}");
    }
}

#[test]
fn an_error_may_come_in_the_middle() {
    let error =
        json!({ "error": { "code": 503, "message": "Busy, AIza-key.", "status": "UNAVAILABLE" } });
    for body in [
        events(&[says("Ra"), error.clone(), says("in."), ends("STOP")]),
        format!("{}{error:#}\r\n", events(&[says("Ra")])),
        format!("{}{error:#}\r\n\r\n{}", events(&[says("Ra")]), events(&[says("in.")])),
        format!("{}[{error:#}]", events(&[says("Ra")])),
        format!("{}data: [{error}]\n\n", events(&[says("Ra")])),
        format!("[{},\n{error}]", says("Ra")),
    ] {
        let heard = hear(&body);
        assert_eq!(heard.text, "Ra", "{body}");
        assert_eq!(heard.end, Some(Err(LlmErrorKind::Overloaded)), "{body}");
        assert_eq!(heard.detail, "Busy, (key).");
    }
}

#[test]
fn what_is_cut_is_no_protocol_error() {
    for (body, expected) in [
        ("", LlmErrorKind::Cut),
        ("da", LlmErrorKind::Cut),
        ("data: {\"candid", LlmErrorKind::Cut),
        ("data: {\"candid\r\n\r\n", LlmErrorKind::Protocol),
        ("data: {}\r\n\r\nd", LlmErrorKind::Cut),
        ("data: {}\r\n\r\n<html>", LlmErrorKind::Cut),
        ("data: 7\r\n\r\n", LlmErrorKind::Protocol),
        ("data: rain\r\n\r\n", LlmErrorKind::Protocol),
        ("data: rain", LlmErrorKind::Protocol),
        ("[{\"candid", LlmErrorKind::Cut),
        ("<html>\n<h1>Welcome</h1>\n", LlmErrorKind::Protocol),
        ("upstream connect error", LlmErrorKind::Protocol),
    ] {
        assert_eq!(hear(body).end, Some(Err(expected)), "{body:?}");
    }
    let page = hear("<html>\n<h1>Welcome</h1>\n</html>");
    assert_eq!(page.detail, "HTTP 200: Welcome");
}

#[test]
fn fields_of_the_wrong_kind_are_as_good_as_missing() {
    for chunk in [
        json!({ "candidates": 7, "usageMetadata": [], "promptFeedback": "x" }),
        json!({ "candidates": [7], "usageMetadata": null, "error": null }),
        json!({ "candidates": [{ "content": [], "finishReason": 7 }] }),
        json!({ "candidates": [{ "content": { "parts": {} } }] }),
        json!({ "candidates": [{ "content": { "parts": [7, null, { "text": 7 }] } }] }),
    ] {
        let heard = hear(&events(&[chunk.clone(), says("Rain."), ends("STOP")]));
        assert_eq!(heard.text, "Rain.", "{chunk}");
        assert_eq!(heard.end, Some(Ok(FinishReason::Stop)));
    }
}
