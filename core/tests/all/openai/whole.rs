//! Replies that arrive whole, in whatever form.

use futures_util::future::join_all;
use skald_core::llm::{FinishReason, Provider};
use skald_doubles::{Delivery, Done, OpenAiFault, ReasoningField, Role, UsageForm};

use super::*;

const TEXT: &str = "Дождь стих. \"You are late,\" she said <quietly>. 渡船不等人。";
const THOUGHTS: &str = "He has just come in. Notice the coat.";

#[tokio::test]
async fn every_server_is_understood() {
    for (server, profile) in SERVERS {
        let (double, client) = speaking(server, profile, TEXT).await;
        double.thinks(THOUGHTS);
        let expected = client.body(&request(profile));
        let reply = client.stream(request(profile)).await.unwrap();
        assert!(reply.body.is_some(), "{profile:?}");
        let heard = listen(reply).await;
        assert_eq!(heard.content, TEXT, "{profile:?}");
        assert_eq!(heard.thought.trim(), THOUGHTS, "{profile:?}");
        assert_eq!(heard.end, Ok(FinishReason::Stop), "{profile:?}");
        let usage = heard.usage.unwrap();
        assert!(usage.prompt > 5 && usage.output > 5, "{profile:?} {usage:?}");
        let tells = matches!(profile, Profile::Generic | Profile::OpenRouter);
        assert_eq!(usage.thought > 0, tells, "{profile:?} {usage:?}");
        let call = double.next_call().await;
        assert_eq!(call.body, expected, "{profile:?}");
        assert_eq!(call.header("authorization"), Some("Bearer sk-secret"));
        assert_eq!(call.path, "/v1/chat/completions");
    }
}

#[tokio::test]
async fn a_repeated_beginning_is_told_as_cached() {
    let (_double, client) = speaking(Server::Vllm, Profile::Vllm, TEXT).await;
    let mut long = request(Profile::Vllm);
    long.system = vec!["Mira keeps the inn. ".repeat(200)];
    assert_eq!(hear(&client, long.clone()).await.usage.unwrap().cached, 0);
    let usage = hear(&client, long).await.usage.unwrap();
    assert!(usage.cached > 100 && usage.cached <= usage.prompt, "{usage:?}");
}

#[tokio::test]
async fn a_role_is_said_once_always_or_never() {
    for role in [Role::First, Role::Every, Role::Never] {
        let (double, client) = speaking(Server::Plain, Profile::Generic, TEXT).await;
        double.behaves(|traits| traits.role = role);
        let heard = hear(&client, request(Profile::Generic)).await;
        assert_eq!((heard.content.as_str(), heard.end), (TEXT, Ok(FinishReason::Stop)), "{role:?}");
    }
}

#[tokio::test]
async fn thoughts_come_under_any_name() {
    for field in
        [ReasoningField::Reasoning, ReasoningField::ReasoningContent, ReasoningField::Inline]
    {
        let (double, client) = speaking(Server::Plain, Profile::Generic, TEXT).await;
        double.thinks(THOUGHTS);
        double.behaves(|traits| traits.reasoning = field);
        for split in [1000, 1] {
            double.deliver_once(Delivery::new().split_every(split));
            let heard = hear(&client, request(Profile::Generic)).await;
            assert_eq!((heard.content.as_str(), heard.thought.trim()), (TEXT, THOUGHTS));
        }
    }
}

#[tokio::test]
async fn usage_comes_alone_with_the_reason_or_instead_of_it() {
    let mut all = Vec::new();
    for form in [UsageForm::Alone, UsageForm::OnFinish, UsageForm::WithFinish] {
        let (double, client) = speaking(Server::LlamaCpp, Profile::LlamaCpp, TEXT).await;
        double.behaves(|traits| traits.usage = form);
        let heard = hear(&client, request(Profile::LlamaCpp)).await;
        assert_eq!(heard.end, Ok(FinishReason::Stop), "{form:?}");
        all.push(heard.usage.unwrap());
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
}

#[tokio::test]
async fn what_is_unusual_but_allowed_changes_nothing() {
    for fault in [
        OpenAiFault::Pings,
        OpenAiFault::NoDone,
        OpenAiFault::BytesAfterDone,
        OpenAiFault::EmptyChoices,
        OpenAiFault::NullContent,
        OpenAiFault::UnknownFinishReason,
        OpenAiFault::JsonInsteadOfStream,
    ] {
        for (server, profile) in SERVERS {
            let (double, client) = speaking(server, profile, TEXT).await;
            let plain = hear(&client, request(profile)).await;
            double.fails(fault.clone());
            let heard = hear(&client, request(profile)).await;
            assert_eq!(heard.content, TEXT, "{profile:?} {fault:?}");
            assert_eq!(heard.end, Ok(FinishReason::Stop), "{profile:?} {fault:?}");
            let outputs = [&plain, &heard].map(|heard| heard.usage.unwrap().output);
            assert_eq!(outputs[0], outputs[1], "{profile:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_is_done_in_three_ways() {
    for done in [Done::Line, Done::Bare, Done::Missing] {
        let (double, client) = speaking(Server::Plain, Profile::Generic, TEXT).await;
        double.behaves(|traits| traits.done = done);
        let heard = hear(&client, request(Profile::Generic)).await;
        assert_eq!((heard.content.as_str(), heard.end), (TEXT, Ok(FinishReason::Stop)), "{done:?}");
    }
}

#[tokio::test]
async fn an_answer_in_one_piece_has_thoughts_too() {
    let (double, client) = speaking(Server::LlamaCpp, Profile::LlamaCpp, TEXT).await;
    double.thinks(THOUGHTS);
    double.fails(OpenAiFault::JsonInsteadOfStream);
    let heard = hear(&client, request(Profile::LlamaCpp)).await;
    assert_eq!((heard.content.as_str(), heard.thought.as_str()), (TEXT, THOUGHTS));
    assert!(heard.usage.is_some());
}

/// However the bytes are split, the reply is the same.
#[tokio::test]
async fn a_stream_split_at_every_byte_is_the_same() {
    let each = SERVERS.map(|(server, profile)| async move {
        let (double, client) = speaking(server, profile, TEXT).await;
        double.thinks(THOUGHTS);
        double.behaves(|traits| traits.cache_from = usize::MAX);
        let whole = hear(&client, request(profile)).await;
        for size in [1, 2, 3, 7] {
            double.deliver_once(Delivery::new().split_every(size));
            assert_eq!(hear(&client, request(profile)).await, whole, "{profile:?} {size}");
        }
    });
    join_all(each).await;
}

/// Wherever a stream breaks off, what came is a beginning, and is not taken for the whole.
#[tokio::test]
async fn a_stream_cut_at_every_byte_is_never_taken_for_the_whole() {
    const SHORT: &str = "Дождь стих.";
    let each = SERVERS.map(|(server, profile)| async move {
        let (double, client) = speaking(server, profile, SHORT).await;
        double.thinks("Hm.");
        double.words_per_chunk(10);
        let (mut finished, mut at) = (0, 0);
        // Behind `[DONE]` nothing is left to cut.
        while finished < 20 {
            let delivery = Delivery::new();
            let clean = at % 2 == 0;
            let cut = if clean { delivery.end_at(at) } else { delivery.cut_at(at) };
            double.deliver_once(cut);
            let heard = hear(&client, request(profile)).await;
            assert!(SHORT.starts_with(&heard.content), "{profile:?} {at} {heard:?}");
            match heard.kind() {
                None => {
                    assert_eq!(heard.content, SHORT, "{profile:?} {at}");
                    finished += 1;
                }
                Some(kind) => {
                    assert_eq!(kind, LlmErrorKind::Cut, "{profile:?} {at} {heard:?}");
                    assert_eq!(finished, 0, "{profile:?}: more bytes make it worse at {at}");
                }
            }
            at += 1;
        }
        assert!(at > 200, "{profile:?} {at}");
    });
    join_all(each).await;
}
