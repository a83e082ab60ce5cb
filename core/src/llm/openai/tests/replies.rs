//! What is read.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::llm::{
    Chunk, FinishReason, LlmError, LlmErrorKind, Usage, openai::response::Reading, sse::SseParser,
};

/// What a reader has of a reply: text, thoughts, the last usage, and how it ended.
#[derive(Debug, PartialEq)]
struct Whole {
    content: String,
    thought: String,
    usage: Option<Usage>,
    end: Result<FinishReason, LlmErrorKind>,
    detail: String,
}

/// Reads a stream that arrives in these pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Whole {
    let (mut parser, mut reading, mut chunks) =
        (SseParser::default(), Reading::new(None), Vec::new());
    let run = || -> Result<(), LlmError> {
        for piece in pieces {
            for frame in parser.push(piece).unwrap() {
                chunks.extend(reading.take(&frame)?);
            }
        }
        for frame in std::mem::take(&mut parser).finish() {
            chunks.extend(reading.take_last(&frame)?);
        }
        let (rest, end) = std::mem::take(&mut reading).end();
        chunks.extend(rest);
        chunks.push(end?);
        Ok(())
    };
    let error = run().err();
    let end = error.as_ref().map_or(Err(LlmErrorKind::Protocol), |error| Err(error.kind));
    let mut whole = Whole {
        content: String::new(),
        thought: String::new(),
        usage: None,
        end,
        detail: error.map(|error| error.detail).unwrap_or_default(),
    };
    for chunk in chunks {
        match chunk {
            Chunk::Content(text) => whole.content.push_str(&text),
            Chunk::Thought(text) => whole.thought.push_str(&text),
            Chunk::Usage(usage) => whole.usage = Some(usage),
            Chunk::Finished { reason, usage } => {
                assert_eq!(usage, whole.usage);
                whole.end = Ok(reason);
            }
        }
    }
    whole
}

fn delta(delta: &Value, reason: Option<&str>) -> String {
    let chunk = json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }] });
    format!("data: {chunk}\n\n")
}

fn said(text: &str) -> String {
    delta(&json!({ "content": text }), None)
}

fn stop(reason: &str) -> String {
    delta(&json!({}), Some(reason))
}

const DONE: &str = "data: [DONE]\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":6,\
    \"prompt_tokens_details\":{\"cached_tokens\":4},\
    \"completion_tokens_details\":{\"reasoning_tokens\":2}}}\n\n";

#[test]
fn a_reply_is_read_whole() {
    let stream = [
        ": ping\n\ndata: {\"choices\":[]}\n\n",
        &delta(&json!({ "role": "assistant", "content": "" }), None),
        &delta(&json!({ "content": null, "reasoning_content": "Hm" }), None),
        &delta(&json!({ "reasoning": ".", "reasoning_details": [{ "text": "." }] }), None),
        &delta(&json!({ "reasoning_details": [{ "type": "reasoning.text", "text": ".." }] }), None),
        &said("Hello"),
        &said(" there."),
        &stop("stop"),
        USAGE,
        DONE,
    ]
    .concat();
    assert_eq!(
        read([stream.as_bytes()]),
        Whole {
            content: "Hello there.".into(),
            thought: "Hm...".into(),
            usage: Some(Usage { prompt: 9, cached: 4, output: 4, thought: 2 }),
            end: Ok(FinishReason::Stop),
            detail: String::new(),
        }
    );
}

#[test]
fn every_end_has_its_meaning() {
    use LlmErrorKind::{Blocked, Cut, Empty, Overloaded, Protocol};
    let hello = said("Hello.");
    let think = said("<think>Hm.");
    for (stream, content, end) in [
        (format!("{hello}{}", stop("stop")), "Hello.", Ok(FinishReason::Stop)),
        (format!("{hello}{}", stop("eos")), "Hello.", Ok(FinishReason::Stop)),
        (format!("{hello}{}", stop("tool_calls")), "Hello.", Ok(FinishReason::Stop)),
        (format!("{hello}{}", stop("length")), "Hello.", Ok(FinishReason::Length)),
        (format!("{hello}{}bye\n", stop("stop")), "Hello.", Ok(FinishReason::Stop)),
        (
            format!("{hello}{}{DONE}data: {{\"error\":1}}\n\nbye", stop("stop")),
            "Hello.",
            Ok(FinishReason::Stop),
        ),
        (format!("{hello}{}data: [DONE]", stop("stop")), "Hello.", Ok(FinishReason::Stop)),
        (format!("{hello}{}", stop("content_filter")), "Hello.", Err(Blocked)),
        (format!("{hello}{}", stop("error")), "Hello.", Err(Overloaded)),
        (format!("{hello}{}", stop("load")), "Hello.", Err(Overloaded)),
        (format!("{hello}{}", stop("abort")), "Hello.", Err(Cut)),
        (stop("stop"), "", Err(Empty)),
        (stop("length"), "", Err(Empty)),
        (format!("{think}{}", stop("length")), "", Err(Empty)),
        (format!("{}{}", said(" \n "), stop("stop")), "", Err(Empty)),
        (
            format!("{}{}", delta(&json!({ "refusal": "No." }), None), stop("stop")),
            "",
            Err(Blocked),
        ),
        (format!("{}{}", said("<thin"), stop("stop")), "<thin", Ok(FinishReason::Stop)),
        (said("<thin"), "<thin", Err(Cut)),
        (format!("{hello}{DONE}"), "Hello.", Err(Cut)),
        (hello.clone(), "Hello.", Err(Cut)),
        (said(""), "", Err(Cut)),
        (String::new(), "", Err(Cut)),
        (format!("{hello}data: {{\"choi"), "Hello.", Err(Cut)),
        (format!("{hello}data: {{\"choi\n\n"), "Hello.", Err(Protocol)),
        (format!("{hello}data: oops\n\n"), "Hello.", Err(Protocol)),
        (format!("{hello}data: 7\n\n"), "Hello.", Err(Protocol)),
        ("<html><title>502</title></html>".into(), "", Err(Protocol)),
        (
            format!("{hello}data: {{\"error\":{{\"message\":\"x\"}}}}\n\n{DONE}"),
            "Hello.",
            Err(Overloaded),
        ),
        (
            format!("{hello}{{\n  \"error\": {{\n    \"code\": 503\n  }}\n}}\n"),
            "Hello.",
            Err(Overloaded),
        ),
        (format!("{hello}event: error\ndata: {{\"error\":\"x\"}}\n\n"), "Hello.", Err(Overloaded)),
    ] {
        let whole = read([stream.as_bytes()]);
        assert_eq!((whole.content.as_str(), whole.end), (content, end), "{stream}");
    }
}

#[test]
fn usage_comes_in_three_forms() {
    let usage = json!({ "prompt_tokens": 9, "completion_tokens": 4.0 });
    let finish = json!([{ "delta": {}, "finish_reason": "stop" }]);
    let on_finish = json!({ "choices": finish, "usage": usage });
    let timings =
        json!({ "choices": finish, "timings": { "cache_n": 5, "prompt_n": 4, "predicted_n": 4 } });
    let read = |stream: String| read([stream.as_bytes()]).usage.unwrap();
    let plain = Usage { prompt: 9, output: 4, ..Usage::default() };
    let hello = said("Hello.");
    assert_eq!(read(format!("{hello}data: {on_finish}\n\n{DONE}")), plain);
    assert_eq!(
        read(format!("{hello}{}data: {}\n\n", stop("stop"), json!({ "usage": usage }))),
        plain
    );
    assert_eq!(read(format!("{hello}data: {timings}\n\n")), Usage { cached: 5, ..plain });
}

#[test]
fn an_answer_in_one_piece_is_read_too() {
    let answer = json!({
        "object": "chat.completion",
        "choices": [{ "index": 0, "message": { "content": "<think>Hm.</think>Hello." }, "finish_reason": "length" }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 4 },
    });
    for text in [answer.to_string(), serde_json::to_string_pretty(&answer).unwrap()] {
        let whole = read([text.as_bytes()]);
        assert_eq!((whole.content.as_str(), whole.thought.as_str()), ("Hello.", "Hm."));
        assert_eq!(whole.end, Ok(FinishReason::Length));
        for end in 0..text.len() {
            let whole = read([&text.as_bytes()[..end]]);
            assert_eq!(whole.end, Err(LlmErrorKind::Cut), "{} {}", &text[..end], whole.detail);
        }
    }
}

proptest! {
    /// However the network cuts the bytes, the reply is the same.
    #[test]
    fn chunks_do_not_matter(
        texts in prop::collection::vec("(<think>|</think>|[a-zё漢\"\\\\\n]{1,4})", 0..6),
        reason in prop::sample::select(vec!["stop", "length", "content_filter"]),
        cuts in prop::collection::vec(0_usize..600, 0..9),
    ) {
        let mut stream: String = texts.iter().map(|text| said(text)).collect();
        stream.push_str(&stop(reason));
        stream.push_str(USAGE);
        stream.push_str(DONE);
        let bytes = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(read(pieces), read([bytes]));
    }

    /// A stream that ends anywhere is a beginning, and never takes itself for the end.
    #[test]
    fn a_cut_is_never_taken_for_an_end(text in "[a-zё漢\" ]{1,40}") {
        let finish = stop("stop");
        let stream = format!("{}{finish}{USAGE}{DONE}", said(&text));
        let complete = said(&text).len() + finish.trim_end().len();
        for end in 0..stream.len() {
            let whole = read([&stream.as_bytes()[..end]]);
            prop_assert!(text.starts_with(&whole.content) || whole.content.is_empty());
            let blank = text.trim().is_empty();
            match whole.end {
                Ok(_) => prop_assert!(end >= complete, "{}", &stream[..stream.floor_char_boundary(end)]),
                Err(LlmErrorKind::Cut) => prop_assert!(end < complete),
                Err(kind) => prop_assert!(blank && kind == LlmErrorKind::Empty, "{kind:?}"),
            }
        }
    }
}
