//! Signing keys change while tokens live; other replicas follow.

use std::time::Duration;

use axum::{body::Body, http::Request};
use chrono::TimeDelta;
use skald_auth::{AuthConfig, KeyError, OpenError, TokenError, http};
use skald_base::{Ids, Lifecycle, config::Secret};
use tokio::time::timeout;
use tower::ServiceExt;

use crate::world::{World, story, story_with};

fn kids(world: &World) -> Vec<String> {
    let keys = world.auth.jwks().keys.into_iter();
    keys.filter_map(|key| key.common.key_id).collect()
}

fn kid_of(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

async fn restart(world: &World) -> World {
    let config = AuthConfig::for_tests();
    World::open(world.db.clone(), config, world.clock.clone()).await
}

#[tokio::test]
async fn a_new_key_takes_over_without_signing_anybody_out() {
    story(async |world| {
        let before = world.register("freya").await;
        assert_eq!(kids(&world), [kid_of(before.token())]);
        world.later(TimeDelta::seconds(1));
        world.auth.rotate_keys().await.unwrap();
        let after = world.login("freya").await;
        assert_ne!(kid_of(before.token()), kid_of(after.token()));
        assert_eq!(kids(&world), [kid_of(after.token()), kid_of(before.token())]);
        assert_eq!(world.viewer(&before).await, "freya");
        assert_eq!(world.viewer(&after).await, "freya");

        world.auth.remove_key(&kid_of(before.token())).await.unwrap();
        let verifier = world.auth.verifier();
        assert_eq!(verifier.verify(before.token()), Err(TokenError::Invalid));
        assert_eq!(world.viewer(&after).await, "freya");
        world.later(TimeDelta::seconds(1));
        world.auth.remove_key(&kid_of(after.token())).await.unwrap();
        assert_eq!(verifier.verify(after.token()), Err(TokenError::Invalid));
        let fresh = world.login("freya").await;
        assert_eq!(world.viewer(&fresh).await, "freya");
    })
    .await;
}

#[tokio::test]
async fn age_rotates_a_key_at_the_start_and_daily() {
    story(async |world| {
        let first = kids(&world);
        world.later(TimeDelta::days(89));
        assert_eq!(kids(&restart(&world).await), first);
        world.later(TimeDelta::days(1));
        let restarted = restart(&world).await;
        assert_eq!(kids(&restarted).len(), 2);
        assert_ne!(kids(&restarted)[0], first[0]);
        // When its last token has expired, the old one goes.
        world.later(TimeDelta::hours(1));
        restarted.auth.catch_up().await.unwrap();
        assert_eq!(kids(&restarted).len(), 1);
        world.later(TimeDelta::days(90));
        restarted.auth.clean_up().await.unwrap();
        assert_eq!(kids(&restarted).len(), 2);
    })
    .await;
}

#[tokio::test]
async fn replicas_learn_of_keys_logouts_and_roles() {
    story(async |world| {
        let other = restart(&world).await;
        let freya = world.register("freya").await;
        let phone = world.login("freya").await;
        assert_eq!(other.viewer(&freya).await, "freya");
        let verified = other.auth.verifier().verify(phone.token()).unwrap();
        let socket = other.auth.verifier().watch(&verified);

        world.later(TimeDelta::seconds(1));
        world.auth.rotate_keys().await.unwrap();
        let laptop = world.login("freya").await;
        let logout = "mutation { logout(input: {}) { signInId } }";
        world.ask(&phone, logout, serde_json::json!({})).await;
        let role = skald_base::Role::Moderator;
        world.auth.set_role_by_login("freya", role).await.unwrap();
        assert!(!socket.is_cancelled());
        other.auth.catch_up().await.unwrap();
        assert!(socket.is_cancelled());
        assert_eq!(other.viewer(&phone).await, "the sign-in has ended");
        let verified = other.auth.verifier().verify(laptop.token()).unwrap();
        assert_eq!(verified.viewer.role, role);
        // One that starts now knows it, too.
        let third = restart(&world).await;
        assert_eq!(third.viewer(&phone).await, "the sign-in has ended");
    })
    .await;
}

#[tokio::test]
async fn a_new_role_closes_the_sockets_of_the_old_one() {
    story(async |world| {
        let other = restart(&world).await;
        let freya = world.register("freya").await;
        let loki = world.register("loki").await;
        world.auth.set_role_by_login("freya", skald_base::Role::Admin).await.unwrap();
        let open = |world: &World, who: &crate::world::Person| {
            let gate = world.auth.verifier();
            let verified = gate.verify(who.token()).unwrap();
            (verified.viewer.role, gate.watch(&verified))
        };
        other.auth.catch_up().await.unwrap();
        let (role, here) = open(&world, &freya);
        assert_eq!(role, skald_base::Role::Admin);
        let ((_, there), (_, stranger)) = (open(&other, &freya), open(&other, &loki));
        world.later(TimeDelta::seconds(1));
        world.auth.set_role_by_login("freya", skald_base::Role::User).await.unwrap();
        assert!(here.is_cancelled() && !there.is_cancelled());
        other.auth.catch_up().await.unwrap();
        assert!(there.is_cancelled() && !stranger.is_cancelled());
        for world in [&world, &other] {
            let (role, back) = open(world, &freya);
            assert_eq!(role, skald_base::Role::User);
            world.auth.catch_up().await.unwrap();
            assert!(!back.is_cancelled());
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_role_counts_whatever_the_clocks_say() {
    story(async |world| {
        let other = restart(&world).await;
        let freya = world.register("freya").await;
        let role = |world: &World| {
            let verified = world.auth.verifier().verify(freya.token()).unwrap();
            verified.viewer.role
        };
        world.auth.set_role_by_login("freya", skald_base::Role::Admin).await.unwrap();
        world.later(TimeDelta::seconds(-20));
        other.auth.set_role_by_login("freya", skald_base::Role::Moderator).await.unwrap();
        world.auth.set_role_by_login("freya", skald_base::Role::User).await.unwrap();
        for world in [&world, &other] {
            world.auth.catch_up().await.unwrap();
            assert_eq!(role(world), skald_base::Role::User);
        }
    })
    .await;
}

#[tokio::test]
async fn the_background_task_does_so_by_itself_and_ends_with_the_process() {
    story(async |world| {
        let other = restart(&world).await;
        let freya = world.register("freya").await;
        let caller = other.auth.verifier().verify(freya.token()).unwrap();
        let socket = other.auth.verifier().watch(&caller);
        let logout = "mutation { logout(input: {}) { signInId } }";
        world.ask(&freya, logout, serde_json::json!({})).await;
        let lifecycle = Lifecycle::new();
        other.auth.background(&lifecycle);
        timeout(Duration::from_secs(30), socket.cancelled()).await.unwrap();
        let stopped = lifecycle.stop(Duration::from_secs(30));
        timeout(Duration::from_secs(20), stopped).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn sealed_keys_need_their_secret() {
    let mut config = AuthConfig::for_tests();
    config.key_secret = Some(Secret::new("a raven for every word spoken in Asgard"));
    story(async |open| {
        let freya = open.register("freya").await;
        open.later(TimeDelta::seconds(1));
        let sealed = World::open(open.db.clone(), config.clone(), open.clock.clone()).await;
        assert_eq!(sealed.viewer(&freya).await, "freya");
        assert_ne!(kids(&sealed)[0], kid_of(freya.token()));
    })
    .await;
    story_with(config.clone(), async |world| {
        let freya = world.register("freya").await;
        let same = World::open(world.db.clone(), config.clone(), world.clock.clone()).await;
        assert_eq!(same.viewer(&freya).await, "freya");
        let ids = Ids::new(world.clock.clone());
        let without = AuthConfig::for_tests();
        let opened =
            skald_auth::Auth::open(world.db.clone(), without, world.clock.clone(), ids).await;
        assert!(matches!(opened, Err(OpenError::Keys(KeyError::Sealed))));
    })
    .await;
}

#[tokio::test]
async fn the_public_keys_are_where_others_look_for_them() {
    story(async |world| {
        let request = Request::get("/.well-known/jwks.json").body(Body::empty());
        let router = http::router(world.auth.clone());
        let response = router.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = axum::body::to_bytes(response.into_body(), 10_000).await;
        let set: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        let key = set["keys"][0].as_object().unwrap();
        let mut names: Vec<&str> = key.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
        assert_eq!(key["alg"], "EdDSA");
        assert_eq!(key["crv"], "Ed25519");
    })
    .await;
}
