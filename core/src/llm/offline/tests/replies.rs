use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn the_same_seed_writes_the_same_reply_in_pieces() {
    for language in ["en", "ru"] {
        let (one, two) = (play(request(language, 7)).await, play(request(language, 7)).await);
        assert_eq!(one.text, two.text);
        assert_eq!(one.thought, two.thought);
        assert_eq!(one.text, text(&request(language, 7)));
        assert!(one.pieces > 40, "{}", one.pieces);
        let (reason, usage) = one.end.unwrap();
        assert_eq!(reason, FinishReason::Stop);
        assert_eq!(usage.output, estimate_tokens(&one.text));
        assert_eq!(usage.thought, estimate_tokens(&one.thought));
        assert!(usage.prompt > 0 && usage.thought > 0);
    }
}

#[tokio::test]
async fn stop_texts_are_never_written() {
    let whole = text(&request("en", 1));
    for stop in whole.split(' ').skip(10).step_by(7).map(str::to_owned) {
        let played = play(Request { stop: vec![stop.clone()], ..request("en", 1) }).await;
        assert!(!played.text.contains(&stop) && whole.starts_with(&played.text));
        assert_eq!(played.end.unwrap().0, FinishReason::Stop);
    }
}

#[tokio::test]
async fn the_token_limit_holds() {
    for limit in [0, 1, 5, 40, 100] {
        let played = play(Request { max_output_tokens: limit, ..request("ru", 1) }).await;
        let (reason, usage) = played.end.unwrap();
        assert_eq!(reason, FinishReason::Length);
        assert!(usage.output + usage.thought <= limit, "{usage:?}");
        assert_eq!(usage.output, estimate_tokens(&played.text));
    }
}

#[tokio::test]
async fn models_are_listed_and_unknown_ones_refused() {
    assert_eq!(Offline::new(Pace::Instant, false).models().len(), 1);
    let models = Offline::new(Pace::Instant, true).models();
    assert_eq!(models.first().unwrap().id, MODEL_ID);
    assert_eq!(models.len(), 12);
    for model in ["", "gemini", "skald/offline:", "skald/offlines", "skald/offline:none"] {
        let refused = Offline::new(Pace::Instant, true)
            .stream(Request { model: model.to_owned(), ..request("en", 1) })
            .await;
        assert_eq!(refused.err(), Some(LlmErrorKind::ModelNotFound.into()), "{model}");
    }
    let hidden = Request { model: "skald/offline:slow".to_owned(), ..request("en", 1) };
    assert_eq!(
        Offline::new(Pace::Instant, false).stream(hidden).await.err(),
        Some(LlmErrorKind::ModelNotFound.into())
    );
}

#[tokio::test(start_paused = true)]
async fn text_comes_at_sixty_tokens_a_second() {
    let started = Instant::now();
    let played = collect(
        Offline::new(Pace::default(), false).stream(request("en", 2)).await.unwrap().chunks,
    )
    .await;
    let (_, usage) = played.end.unwrap();
    let rate = f64::from(usage.output + usage.thought) / started.elapsed().as_secs_f64();
    assert!((45.0..=62.0).contains(&rate), "{rate} tokens a second");
}
