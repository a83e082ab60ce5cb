//! Questions to a model whose answer is one JSON object.
//!
//! Servers promise JSON and send fences, thoughts and good advice around it, or
//! half of it. What cannot be used is asked for once more, with the reason.

use futures_util::StreamExt;
use serde_json::Value;

use super::{
    Chunk, FinishReason, Llm, LlmError, LlmErrorKind, Request, Role, Turn, Usage,
    think::{Piece, ThinkSplitter},
};

/// How much of a wrong answer is shown to the model again, in letters.
const SHOWN: usize = 4000;
/// Ends of thoughts that began before the answer.
const THOUGHT_ENDS: [&str; 3] = ["</think>", "</thinking>", "</reasoning>"];

/// Asks for a JSON object, twice at most, and makes something of it.
///
/// `check` says what of an object is wrong, in words for the model. How long it
/// may all take is up to the caller.
pub async fn ask<T>(
    llm: &dyn Llm,
    mut request: Request,
    check: impl Fn(&Value) -> Result<T, String>,
) -> Result<(T, Usage), LlmError> {
    let (first, spent) = collect(llm, request.clone()).await?;
    let problem = match judge(&first, &check) {
        Ok(answer) => return Ok((answer, spent)),
        Err(problem) => problem,
    };
    repair(&mut request, &first.text, &problem);
    let (second, again) = collect(llm, request).await?;
    match judge(&second, &check) {
        Ok(answer) => Ok((answer, sum(spent, again))),
        Err(problem) => Err(LlmError::new(LlmErrorKind::Protocol).detail(problem)),
    }
}

/// The first balanced JSON object of a text, whatever stands around it.
///
/// Braces within its strings do not count; an object that never ends is none.
pub fn first_object(text: &str) -> Option<Value> {
    let mut rest = text;
    loop {
        let (_, tail) = rest.split_at(rest.find('{')?);
        let (object, after) = tail.split_at(balanced(tail)?);
        match serde_json::from_str(object) {
            Ok(value) => return Some(value),
            // Braces in prose.
            Err(_) => rest = after,
        }
    }
}

/// Where the object at the beginning of a text ends.
fn balanced(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// What a model answered.
struct Answer {
    text: String,
    complete: bool,
}

/// The whole reply to a request.
async fn collect(llm: &dyn Llm, request: Request) -> Result<(Answer, Usage), LlmError> {
    let mut chunks = llm.stream(request).await?.chunks;
    let mut text = String::new();
    let mut spent = Usage::default();
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(Chunk::Content(more)) => text.push_str(&more),
            Ok(Chunk::Thought(_)) => {}
            Ok(Chunk::Usage(usage)) => spent = usage,
            Ok(Chunk::Finished { reason, usage }) => {
                let complete = reason == FinishReason::Stop;
                return Ok((Answer { text, complete }, usage.unwrap_or(spent)));
            }
            // Thoughts alone are an answer that can be asked for again.
            Err(error) if error.kind == LlmErrorKind::Empty => {
                return Ok((Answer { text: String::new(), complete: true }, spent));
            }
            Err(error) => return Err(error),
        }
    }
    Err(LlmErrorKind::Cut.into())
}

/// What an answer says, or what is wrong with it.
fn judge<T>(answer: &Answer, check: impl Fn(&Value) -> Result<T, String>) -> Result<T, String> {
    if !answer.complete {
        return Err("the answer was too long and was cut off".to_owned());
    }
    match first_object(&without_thoughts(&answer.text)) {
        Some(value) => check(&value),
        None => Err("the answer has no complete JSON object".to_owned()),
    }
}

/// The text behind all thoughts, also behind those whose beginning a template wrote.
fn without_thoughts(text: &str) -> String {
    let mut splitter = ThinkSplitter::default();
    let mut pieces = splitter.push(text);
    pieces.extend(splitter.finish());
    let content: String = pieces
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Content(text) => Some(text),
            Piece::Thought(_) => None,
        })
        .collect();
    let lower = content.to_ascii_lowercase();
    let ends = THOUGHT_ENDS.iter().filter_map(|end| Some(lower.rfind(end)? + end.len()));
    let (_, answer) = content.split_at(ends.max().unwrap_or(0));
    // A tag behind the object is part of what the object says.
    if answer.contains('{') { answer.to_owned() } else { content }
}

/// Shows a model its answer and what is wrong with it.
fn repair(request: &mut Request, answer: &str, problem: &str) {
    let wish = format!(
        "[That cannot be used: {problem}. Answer again, briefly, with one JSON object and nothing \
         else.]"
    );
    let shown: String = answer.chars().take(SHOWN).collect();
    match request.turns.last_mut() {
        Some(last) if shown.trim().is_empty() => last.blocks.push(wish),
        Some(_) | None => {
            request.turns.push(Turn::new(Role::Model, shown));
            request.turns.push(Turn::new(Role::User, wish));
        }
    }
}

fn sum(one: Usage, other: Usage) -> Usage {
    Usage {
        prompt: one.prompt.saturating_add(other.prompt),
        cached: one.cached.saturating_add(other.cached),
        output: one.output.saturating_add(other.output),
        thought: one.thought.saturating_add(other.thought),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Mutex, PoisonError},
    };

    use async_trait::async_trait;
    use futures_util::stream;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::llm::{Abilities, Model, Reply};

    #[test]
    fn an_object_is_found_in_whatever_stands_around_it() {
        for (text, expected) in [
            (r#"{"a":1}"#, Some(json!({ "a": 1 }))),
            (
                "Here:\n```json\n{\"a\":{\"b\":\"}\"}}\n```\nGood?",
                Some(json!({ "a": { "b": "}" } })),
            ),
            (r#"{"a":"\"{"} {"b":2}"#, Some(json!({ "a": "\"{" }))),
            (r#"A {brace}: {"a":1}"#, Some(json!({ "a": 1 }))),
            (r#"{"a":{"b":1}"#, None),
            (r#"{"a":"#, None),
            ("[1]", None),
            ("", None),
        ] {
            assert_eq!(first_object(text), expected, "{text}");
        }
    }

    #[test]
    fn thoughts_are_no_answer() {
        for (text, expected) in [
            ("<think>{\"a\":0}</think>{\"a\":1}", json!({ "a": 1 })),
            ("{\"a\":0}?</think>\n{\"a\":1}", json!({ "a": 1 })),
            ("{\"a\":\"</think>\"}", json!({ "a": "</think>" })),
        ] {
            assert_eq!(first_object(&without_thoughts(text)), Some(expected), "{text}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            "[a-zё漢{}\"\\\\\n]{0,8}".prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z{}\"]{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever an object holds and whatever prose is around it, it is found whole.
        #[test]
        fn an_object_is_found_whole(
            inside in value(), before in "[a-z \n`\"]{0,9}", after in "[a-z {}\"`]{0,9}",
        ) {
            let object = json!({ "it": inside });
            prop_assert_eq!(first_object(&format!("{before}{object}{after}")), Some(object.clone()));
            let text = object.to_string();
            let half: String = text.chars().take(text.chars().count() - 1).collect();
            prop_assert_eq!(first_object(&half), None);
        }
    }

    /// Answers with these replies in turn, and keeps what it was asked.
    struct Scripted {
        replies: Mutex<VecDeque<Vec<Result<Chunk, LlmError>>>>,
        asked: Mutex<Vec<Request>>,
    }

    #[async_trait]
    impl Llm for Scripted {
        fn models(&self) -> Vec<Model> {
            Vec::new()
        }

        async fn stream(&self, request: Request) -> Result<Reply, LlmError> {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            let reply = self.replies.lock().unwrap().pop_front().unwrap();
            Ok(stream::iter(reply).boxed().into())
        }
    }

    fn says(text: &str, reason: FinishReason) -> Vec<Result<Chunk, LlmError>> {
        let usage = Usage { prompt: 10, output: 5, ..Usage::default() };
        vec![
            Ok(Chunk::Thought("{\"drift\":9}".into())),
            Ok(Chunk::Content(text.into())),
            Ok(Chunk::Finished { reason, usage: Some(usage) }),
        ]
    }

    fn drift(value: &Value) -> Result<i64, String> {
        value["drift"].as_i64().ok_or_else(|| "drift is missing".to_owned())
    }

    /// What comes of these replies, and what the model was asked last.
    async fn asked(
        replies: Vec<Vec<Result<Chunk, LlmError>>>,
    ) -> (Result<(i64, Usage), LlmError>, Vec<Turn>) {
        let llm = Scripted { replies: Mutex::new(replies.into()), asked: Mutex::default() };
        let model = Model {
            id: "m".into(),
            name: String::new(),
            description: String::new(),
            roles: [].into(),
            abilities: Abilities::default(),
            prices: Vec::new(),
            rehearsal: false,
        };
        let result = ask(&llm, Request::question(&model, "Judge.", "Drift?"), drift).await;
        assert!(llm.replies.lock().unwrap().is_empty(), "not every reply was asked for");
        let turns = llm.asked.lock().unwrap().last().unwrap().turns.clone();
        (result, turns)
    }

    #[tokio::test]
    async fn a_good_answer_is_taken_at_once() {
        let (result, turns) = asked(vec![says("```{\"drift\":3}```", FinishReason::Stop)]).await;
        let usage = Usage { prompt: 10, output: 5, ..Usage::default() };
        assert_eq!(result, Ok((3, usage)));
        assert_eq!(turns.len(), 1);
    }

    #[tokio::test]
    async fn a_bad_answer_is_asked_for_once_more() {
        for (bad, problem) in [
            (says("{}", FinishReason::Stop), "drift is missing"),
            (says("{\"drift\":3}", FinishReason::Length), "cut off"),
            (says("Nothing.", FinishReason::Stop), "no complete JSON object"),
        ] {
            let good = says("{\"drift\":4}", FinishReason::Stop);
            let (result, turns) = asked(vec![bad.clone(), good]).await;
            assert_eq!(result, Ok((4, Usage { prompt: 20, output: 10, ..Usage::default() })));
            let roles: Vec<Role> = turns.iter().map(|turn| turn.role).collect();
            assert_eq!(roles, [Role::User, Role::Model, Role::User]);
            assert!(turns[2].text().contains(problem), "{}", turns[2].text());
            let (result, _) = asked(vec![bad.clone(), bad]).await;
            assert_eq!(result.unwrap_err().kind, LlmErrorKind::Protocol);
        }
    }

    #[tokio::test]
    async fn silence_is_asked_for_once_more_and_errors_are_not() {
        let empty = vec![Err(LlmErrorKind::Empty.into())];
        let (result, turns) = asked(vec![empty, says("{\"drift\":4}", FinishReason::Stop)]).await;
        assert_eq!(result.unwrap().0, 4);
        assert_eq!((turns.len(), turns[0].blocks.len()), (1, 2));
        for (broken, kind) in [
            (vec![Err(LlmErrorKind::Overloaded.into())], LlmErrorKind::Overloaded),
            (vec![Ok(Chunk::Content("{\"drift\":3}".into()))], LlmErrorKind::Cut),
        ] {
            assert_eq!(asked(vec![broken]).await.0.unwrap_err().kind, kind);
        }
    }
}
