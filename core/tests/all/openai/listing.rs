//! What servers are, what they have, and their vectors.

use skald_core::llm::{Embedding, Purpose, openai::detect};
use skald_doubles::{Endpoint, OpenAiFault};

use super::*;

#[tokio::test]
async fn every_server_is_recognised() {
    let http = Http::new().unwrap();
    for (server, profile) in SERVERS {
        let double = OpenAiDouble::start(server).await;
        for url in [double.url(), format!("{}/", double.url())] {
            assert_eq!(detect(&url, None, &http).await, profile);
        }
    }
    assert_eq!(detect("https://openrouter.ai/api/v1", None, &http).await, Profile::OpenRouter);
}

#[tokio::test]
async fn who_does_not_answer_is_nobody_known() {
    let http = Http::new().unwrap();
    let double = OpenAiDouble::start(Server::Ollama).await;
    for endpoint in [Endpoint::Models, Endpoint::Other] {
        double.fails_at(endpoint, OpenAiFault::SilentBeforeHeaders);
    }
    let began = std::time::Instant::now();
    assert_eq!(detect(&double.url(), None, &http).await, Profile::Generic);
    assert!(began.elapsed() < Duration::from_secs(4), "all are asked at once");
}

#[tokio::test]
async fn a_server_that_was_away_is_recognised_when_it_lists_its_models() {
    let double = OpenAiDouble::start(Server::LlamaCpp).await;
    for endpoint in [Endpoint::Models, Endpoint::Other] {
        double.fails_at(endpoint, OpenAiFault::Loading);
    }
    let config = OpenAiConfig {
        base_url: double.url(),
        key: None,
        profile: Profile::Generic,
        timeouts: PATIENT,
    };
    let client = OpenAi::recognised(config, Http::new().unwrap()).await;
    assert_eq!(client.defaults(), Some(Profile::Generic.abilities()));
    client.list().await.unwrap_err();
    double.works();
    let listed = client.list().await.unwrap();
    assert!(listed[0].context_tokens.is_some(), "it is asked as what it is");
    assert_eq!(client.defaults(), Some(Profile::LlamaCpp.abilities()));
    let mut request = request(Profile::LlamaCpp);
    request.options.top_k = Some(40);
    assert!(client.body(&request).contains("top_k"));
}

#[tokio::test]
async fn every_server_lists_its_models_and_what_they_hold() {
    for (server, profile) in SERVERS {
        let double = OpenAiDouble::start(server).await;
        let traits = double.traits();
        let listed = client_of(&double, profile).list().await.unwrap();
        assert_eq!(listed.len(), 1, "{profile:?}");
        let model = &listed[0];
        assert_eq!(model.id, traits.model, "{profile:?}");
        let context = u32::try_from(traits.context).unwrap();
        let told = (profile != Profile::Generic).then_some(context);
        assert_eq!(model.context_tokens, told, "{profile:?}");
        assert!(!model.embeds, "{profile:?}");
        let price = model.price.map(|price| (price.input, price.output));
        let priced = (profile == Profile::OpenRouter).then_some((0.02, 0.04));
        assert_eq!(price, priced, "{profile:?}");
    }
}

#[tokio::test]
async fn a_server_that_tells_no_more_is_listed_all_the_same() {
    for (server, profile) in SERVERS {
        let double = OpenAiDouble::start(server).await;
        double.fails_at(Endpoint::Other, OpenAiFault::Internal);
        let listed = client_of(&double, profile).list().await.unwrap();
        let context = match profile {
            Profile::Ollama => Some(4096),
            Profile::Vllm => Some(32_768),
            Profile::LlamaCpp | Profile::OpenRouter => Some(131_072),
            Profile::Generic | Profile::LmStudio | Profile::KoboldCpp | Profile::TabbyApi => None,
        };
        assert_eq!(listed[0].context_tokens, context, "{profile:?}");
        double.fails_at(Endpoint::Models, OpenAiFault::BadKey);
        let error = client_of(&double, profile).list().await.unwrap_err();
        assert_eq!(error.kind, LlmErrorKind::Auth, "{profile:?}");
    }
}

#[tokio::test]
async fn vectors_come_in_the_order_of_their_texts() {
    for (server, profile) in SERVERS {
        let double = OpenAiDouble::start(server).await;
        let client = client_of(&double, profile);
        let texts: Vec<String> = (0..70).map(|at| format!("Mira fears fire {at}.")).collect();
        let call = |texts| Embedding {
            model: "embedder",
            dimensions: None,
            purpose: Purpose::Document,
            texts,
        };
        let vectors = client.embed(call(&texts)).await.unwrap();
        assert_eq!(vectors.len(), 70, "{profile:?}");
        assert_eq!(double.call_count(), 2, "64 texts travel together");
        for at in [0, 5, 63, 64, 69] {
            let alone = client.embed(call(&texts[at..=at])).await.unwrap();
            assert_eq!(alone[0], vectors[at], "{profile:?} {at}");
            let length: f32 = vectors[at].iter().map(|number| number * number).sum();
            assert!((length - 1.0).abs() < 1e-4, "{profile:?} {length}");
        }
    }
}

#[tokio::test]
async fn packed_vectors_are_the_same() {
    let double = OpenAiDouble::start(Server::Plain).await;
    let client = client_of(&double, Profile::Generic);
    let texts = ["Mira".to_owned(), "fire".to_owned()];
    let call =
        Embedding { model: "e", dimensions: None, purpose: Purpose::Document, texts: &texts };
    let plain = client.embed(call).await.unwrap();
    assert_eq!(double.next_call().await.json["encoding_format"], "float");
    // A server that packs them whatever is asked.
    let http = reqwest::Client::builder().build().unwrap();
    let body = json!({ "model": "e", "input": texts, "encoding_format": "base64" });
    let url = format!("{}/embeddings", double.url());
    let packed = http.post(url).json(&body).send().await.unwrap().text().await.unwrap();
    assert!(packed.contains("\"embedding\":\""));
    let other = OpenAiDouble::start(Server::Plain).await;
    let value = serde_json::from_str(&packed).unwrap();
    other.replies_once_at(Endpoint::Embed, skald_doubles::Reply::json(200, &value));
    assert_eq!(client_of(&other, Profile::Generic).embed(call).await.unwrap(), plain);
}

#[tokio::test]
async fn lengths_are_asked_for_where_they_are_understood() {
    let texts = ["Mira".to_owned()];
    let call = Embedding {
        model: "nomic-embed-text",
        dimensions: Some(256),
        purpose: Purpose::Query,
        texts: &texts,
    };
    let double = OpenAiDouble::start(Server::Plain).await;
    let vectors = client_of(&double, Profile::Generic).embed(call).await.unwrap();
    assert_eq!(vectors[0].len(), 256);
    let sent = double.next_call().await;
    assert_eq!(sent.json["input"], json!(["search_query: Mira"]));
    let double = OpenAiDouble::start(Server::TabbyApi).await;
    let error = client_of(&double, Profile::TabbyApi).embed(call).await.unwrap_err();
    assert_eq!(error.kind, LlmErrorKind::Protocol, "another length than was asked for");
    assert!(double.next_call().await.json["dimensions"].is_null());
}

#[tokio::test]
async fn errors_of_vectors_say_what_they_are() {
    let double = OpenAiDouble::start(Server::Plain).await;
    let texts = ["Mira".to_owned()];
    let call =
        Embedding { model: "e", dimensions: None, purpose: Purpose::Document, texts: &texts };
    for (fault, kind) in [
        (OpenAiFault::RateLimited(3), LlmErrorKind::RateLimited),
        (OpenAiFault::ModelGone, LlmErrorKind::ModelNotFound),
        (OpenAiFault::BadGateway, LlmErrorKind::Overloaded),
    ] {
        double.fails_once_at(Endpoint::Embed, fault);
        let error = client_of(&double, Profile::Generic).embed(call).await.unwrap_err();
        assert_eq!(error.kind, kind);
    }
}
