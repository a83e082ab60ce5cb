//! What a server refuses is put otherwise, once, and remembered.

use async_trait::async_trait;
use skald_core::llm::{Llm, Model, structured};
use skald_doubles::{JsonRules, JsonShape, OpenAiFault, Rule, Template};

use super::*;

/// One server as all models of a process.
struct Only(OpenAi);

#[async_trait]
impl Llm for Only {
    fn models(&self) -> Vec<Model> {
        Vec::new()
    }

    async fn stream(&self, request: Request) -> Result<Reply, LlmError> {
        self.0.stream(request).await
    }
}

/// Asks until nothing is left to learn: the first request takes more than one call.
async fn learns(double: &OpenAiDouble, client: &OpenAi, request: &Request, calls: usize) -> String {
    let first = client.body(request);
    let reply = client.stream(request.clone()).await.unwrap();
    let accepted = reply.body.clone().expect("what was sent is told");
    assert_eq!(listen(reply).await.content, "Hello.");
    assert_eq!(double.call_count(), calls);
    let sent = double.calls();
    assert_eq!(sent.first().unwrap().body, first);
    assert_eq!(sent.last().unwrap().body, accepted);
    assert_eq!(client.body(request), accepted, "it is remembered");
    let again = client.stream(request.clone()).await.unwrap();
    assert_eq!(
        again.body.as_ref(),
        Some(&accepted),
        "told each time: another call may have learned"
    );
    assert_eq!(listen(again).await.content, "Hello.");
    assert_eq!(double.call_count(), calls + 1);
    accepted
}

#[tokio::test]
async fn a_template_without_a_system_role_gets_it_folded() {
    let (double, client) = speaking(Server::LlamaCpp, Profile::LlamaCpp, "Hello.").await;
    double.behaves(|traits| traits.template = Template::NoSystem);
    let body = learns(&double, &client, &request(Profile::LlamaCpp), 2).await;
    assert!(body.contains(r#"{"content":"You are Mira.\n\nHello.","role":"user"}"#), "{body}");
    assert!(!body.contains("system"), "{body}");
}

#[tokio::test]
async fn a_template_that_alternates_gets_a_user_first() {
    let (double, client) = speaking(Server::Vllm, Profile::Vllm, "Hello.").await;
    double.behaves(|traits| traits.template = Template::Alternating);
    let mut greeting = request(Profile::Vllm);
    greeting.turns.remove(0);
    let body = learns(&double, &client, &greeting, 2).await;
    assert!(body.contains(r#"{"content":"[Start]","role":"user"}"#), "{body}");
    // A template that says so of the system message is believed the second time.
    let (double, client) = speaking(Server::Vllm, Profile::Vllm, "Hello.").await;
    double.fails_times(2, OpenAiFault::MustAlternate);
    let body = learns(&double, &client, &greeting, 3).await;
    assert!(body.contains(r#""You are Mira.\n\n[Start]""#), "{body}");
}

#[tokio::test]
async fn a_refusal_that_does_not_end_is_an_error() {
    for fault in [OpenAiFault::NoSystemRole, OpenAiFault::MustAlternate] {
        let (double, client) = speaking(Server::Plain, Profile::Generic, "Hello.").await;
        let before = client.body(&request(Profile::Generic));
        double.fails(fault.clone());
        let heard = hear(&client, request(Profile::Generic)).await;
        assert_eq!(heard.kind(), Some(LlmErrorKind::BadRequest), "{fault:?}");
        assert!(double.call_count() <= 4, "{fault:?}");
        assert_eq!(client.body(&request(Profile::Generic)), before, "nothing is remembered");
    }
}

/// A strict gateway, taken for a server at home.
#[tokio::test]
async fn fields_that_a_gateway_does_not_know_are_left_out() {
    let (double, client) = speaking(Server::Plain, Profile::LlamaCpp, "Hello.").await;
    let mut request = request(Profile::LlamaCpp);
    request.options.top_k = Some(40);
    request.options.min_p = Some(0.05);
    request.options.thinking = Some(skald_core::llm::Thinking::None);
    let body = learns(&double, &client, &request, 4).await;
    for field in ["top_k", "min_p", "chat_template_kwargs"] {
        assert!(!body.contains(field), "{body}");
    }
    assert!(body.contains("temperature"), "{body}");
}

#[tokio::test]
async fn a_model_that_thinks_gets_room_for_it() {
    let (double, client) = speaking(Server::LlamaCpp, Profile::LlamaCpp, "Hello.").await;
    double.thinks("He has just come in and I have to think about him at length.");
    let mut request = request(Profile::LlamaCpp);
    request.max_output_tokens = 8;
    let heard = hear(&client, request.clone()).await;
    assert_eq!(heard.kind(), Some(LlmErrorKind::Empty), "{heard:?}");
    let heard = hear(&client, request).await;
    assert_eq!((heard.content.as_str(), heard.end), ("Hello.", Ok(FinishReason::Stop)));
}

const ALL: [Rule; 3] = [Rule::Honour, Rule::Ignore, Rule::Refuse];

/// Whatever a server honours, ignores or refuses, JSON comes of it.
#[tokio::test]
async fn json_comes_from_every_server() {
    for (server, profile) in SERVERS {
        for (schema, object) in ALL.into_iter().flat_map(|rule| ALL.map(|other| (rule, other))) {
            let (double, client) = speaking(server, profile, r#"{"drift":3}"#).await;
            double.answers_json(r#"{"drift":3}"#, JsonShape::Bare);
            double.behaves(|traits| traits.json = JsonRules { schema, object, json: object });
            let heard = hear(&client, verdict(profile)).await;
            assert_eq!(heard.content, r#"{"drift":3}"#, "{profile:?} {schema:?} {object:?}");
            let calls = double.calls();
            let sent = &calls.last().unwrap().json;
            let object_form = if profile == Profile::TabbyApi { "json" } else { "json_object" };
            let form = match (schema, object) {
                (Rule::Honour | Rule::Ignore, _) => json!("json_schema"),
                _ if profile == Profile::LmStudio => json!(null),
                (_, Rule::Honour | Rule::Ignore) => json!(object_form),
                _ => json!(null),
            };
            assert_eq!(sent["response_format"]["type"], form, "{profile:?} {schema:?} {object:?}");
            let prompt = sent["messages"][3]["content"].as_str().unwrap();
            assert!(prompt.contains("JSON Schema"), "{prompt}");
            // The form that worked is the first one next time.
            let count = double.call_count();
            hear(&client, verdict(profile)).await;
            assert_eq!(double.call_count(), count + 1);
        }
    }
}

#[tokio::test]
async fn a_verdict_is_had_in_any_dress() {
    let drift = |value: &serde_json::Value| value["drift"].as_i64().ok_or("no drift".to_owned());
    for (server, profile) in SERVERS {
        for shape in [JsonShape::Bare, JsonShape::Fenced, JsonShape::AfterThinking] {
            let (double, client) = speaking(server, profile, "Hello.").await;
            double.answers_json(r#"{"note":"a } in it","drift":3}"#, shape);
            let (answer, usage) =
                structured::ask(&Only(client), verdict(profile), drift).await.unwrap();
            assert_eq!(answer, 3, "{profile:?} {shape:?}");
            assert!(usage.output > 0, "{profile:?} {shape:?}");
            assert_eq!(double.call_count(), 1);
        }
        let (double, client) = speaking(server, profile, "Hello.").await;
        double.answers_json(r#"{"drift":3}"#, JsonShape::Truncated);
        let error = structured::ask(&Only(client), verdict(profile), drift).await.unwrap_err();
        assert_eq!(error.kind, LlmErrorKind::Protocol, "{profile:?}");
        assert_eq!(double.call_count(), 2, "one repair");
    }
}
