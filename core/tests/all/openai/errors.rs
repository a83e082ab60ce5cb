//! Answers that are errors.

use skald_doubles::{OpenAiFault, Overflow};

use super::*;

#[tokio::test]
async fn every_error_says_what_it_is() {
    use LlmErrorKind::{
        Auth, BadRequest, Blocked, ContextOverflow, Loading, ModelNotFound, Overloaded, Quota,
        RateLimited, Timeout,
    };
    for (fault, kind, retry_after) in [
        (OpenAiFault::BadKey, Auth, None),
        (OpenAiFault::StringError, Auth, None),
        (OpenAiFault::DetailError, BadRequest, None),
        (OpenAiFault::TopLevelError, BadRequest, None),
        (OpenAiFault::ContextOverflow(Overflow::LlamaCpp), ContextOverflow, None),
        (OpenAiFault::ContextOverflow(Overflow::Vllm), ContextOverflow, None),
        (OpenAiFault::ContextOverflow(Overflow::TabbyApi), ContextOverflow, None),
        (OpenAiFault::ContextOverflow(Overflow::OpenAi), ContextOverflow, None),
        (OpenAiFault::NoCredits, Quota, None),
        (OpenAiFault::Moderated, Blocked, None),
        (OpenAiFault::ModelGone, ModelNotFound, None),
        (OpenAiFault::TimedOut, Timeout, None),
        (OpenAiFault::RateLimited(7), RateLimited, Some(7)),
        (OpenAiFault::InsufficientQuota, Quota, None),
        (OpenAiFault::Internal, Overloaded, None),
        (OpenAiFault::BadGateway, Overloaded, None),
        (OpenAiFault::Loading, Loading, Some(2)),
    ] {
        for (server, profile) in SERVERS {
            let double = OpenAiDouble::start(server).await;
            double.fails(fault.clone());
            let client = client_of(&double, profile);
            let error = hear(&client, request(profile)).await.end.unwrap_err();
            assert_eq!(error.kind, kind, "{profile:?} {fault:?} {error:?}");
            assert_eq!(error.retry_after, retry_after.map(Duration::from_secs), "{fault:?}");
            assert!(!error.detail.is_empty(), "{profile:?} {fault:?}");
            assert_eq!(double.call_count(), 1, "{fault:?} teaches nothing");
        }
    }
}

#[tokio::test]
async fn a_prompt_too_long_is_refused_with_the_size_there_is() {
    for (server, profile) in SERVERS {
        if matches!(profile, Profile::Ollama | Profile::KoboldCpp) {
            // They forget the beginning instead, without a word.
            continue;
        }
        let (double, client) = speaking(server, profile, "Hello.").await;
        double.behaves(|traits| traits.context = 20);
        let mut long = request(profile);
        long.system = vec!["Mira keeps the inn by the river. ".repeat(50)];
        let error = hear(&client, long).await.end.unwrap_err();
        assert_eq!(error.kind, LlmErrorKind::ContextOverflow, "{profile:?}");
        assert!(error.detail.contains("20"), "{profile:?} {}", error.detail);
    }
}

#[tokio::test]
async fn a_wrong_key_is_never_repeated() {
    let double = OpenAiDouble::start(Server::Plain).await;
    double.needs_key("another");
    let client = client_of(&double, Profile::Generic);
    let error = hear(&client, request(Profile::Generic)).await.end.unwrap_err();
    assert_eq!(error.kind, LlmErrorKind::Auth);
    let body = json!({ "error": { "message": "Incorrect API key provided: sk-secret" } });
    double.replies_once(skald_doubles::Reply::json(401, &body));
    let error = hear(&client, request(Profile::Generic)).await.end.unwrap_err();
    assert_eq!(error.detail, "Incorrect API key provided: (key)");
    assert!(!format!("{client:?}").contains("sk-secret"));
}

#[tokio::test]
async fn a_date_says_when_to_come_back() {
    let double = OpenAiDouble::start(Server::Plain).await;
    let busy = skald_doubles::Reply::json(503, &json!({ "error": "busy" }))
        .with_header("date", "Sun, 22 Nov 2026 11:40:00 GMT")
        .with_header("retry-after", "Sun, 22 Nov 2026 11:40:30 GMT");
    double.replies_once(busy);
    let client = client_of(&double, Profile::Generic);
    let error = hear(&client, request(Profile::Generic)).await.end.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(30)));
}
