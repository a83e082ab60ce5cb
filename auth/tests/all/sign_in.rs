//! Registering, signing in, signing out, changing the password.

use chrono::TimeDelta;
use serde_json::json;

use crate::world::{PASSWORD, Person, story};

#[tokio::test]
async fn freya_registers_looks_around_and_leaves() {
    story(async |world| {
        let nobody = Person::default();
        assert_eq!(world.viewer(&nobody).await, json!(null));
        let input = json!({ "username": "Freya", "email": "Freya@Asgard.example",
            "password": PASSWORD, "birthDate": "1990-05-01" });
        let payload = world.try_register(&nobody, input).await;
        assert_eq!(payload["errors"], json!([]));
        assert_eq!(payload["user"]["displayName"], "Freya");
        assert_eq!(payload["accessTokenExpiresAt"], "2026-09-21T14:28:20+00:00");
        let freya = Person::from_payload(&payload);
        assert_eq!(world.viewer(&freya).await, "Freya");

        let phone = world.login("FREYA@asgard.EXAMPLE").await;
        let laptop = world.login("freya").await;
        assert_eq!(phone.id, freya.id);
        let laptop = world.refresh(&laptop.refresh).await.unwrap();
        assert_eq!(world.viewer(&laptop).await, "Freya");

        let logout = "mutation { logout(input: {}) { signInId errors { code } } }";
        let ended = world.ask(&phone, logout, json!({})).await;
        assert!(ended["signInId"].as_str().unwrap().starts_with("signin_"));
        assert_eq!(world.viewer(&phone).await, "the sign-in has ended");
        let again = world.refresh(&phone.refresh).await;
        assert_eq!(again.err().unwrap(), "REFRESH_TOKEN_INVALID");
        // Of a token alone, and again, and without anything.
        let by_token = "mutation($t: String) { logout(input: { refreshToken: $t }) {
            signInId errors { code } } }";
        for (token, ends) in
            [(laptop.refresh.as_str(), true), (&laptop.refresh, true), ("?", false)]
        {
            let payload = world.ask(&nobody, by_token, json!({ "t": token })).await;
            assert_eq!(payload["errors"], json!([]));
            assert_eq!(payload["signInId"].is_string(), ends);
        }
        assert_eq!(world.viewer(&laptop).await, "the sign-in has ended");
        assert_eq!(world.viewer(&freya).await, "Freya");
    })
    .await;
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    story(async |world| {
        world.register("freya").await;
        let nobody = Person::default();
        let wrong = world.try_login(&nobody, "freya", "not her password").await;
        assert_eq!(wrong["errors"][0]["code"], "BAD_CREDENTIALS");
        for login in ["loki", "loki@asgard.example", "", "\u{0}", &"x".repeat(5_000)] {
            let unknown = world.try_login(&nobody, login, "not her password").await;
            assert_eq!(unknown, wrong, "{login}");
        }
        let long = world.try_login(&nobody, "freya", &"x".repeat(300)).await;
        assert_eq!(long, wrong);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_the_other_sign_ins_at_once() {
    story(async |world| {
        let freya = world.register("freya").await;
        let thief = world.login("freya").await;
        let verified = world.auth.verifier().verify(thief.token()).unwrap();
        let socket = world.auth.verifier().watch(&verified);
        let change = "mutation($now: String!, $new: String!) {
            changePassword(input: { currentPassword: $now, newPassword: $new }) {
            user { username } errors { code path } } }";
        let wrong = json!({ "now": "wrong", "new": "a falcon-feather cloak" });
        let payload = world.ask(&freya, change, wrong).await;
        let expected = json!([{ "code": "BAD_CREDENTIALS", "path": ["input", "currentPassword"] }]);
        assert_eq!(payload["errors"], expected);
        let weak = json!({ "now": PASSWORD, "new": "password1" });
        let payload = world.ask(&freya, change, weak).await;
        assert_eq!(payload["errors"][0]["code"], "WEAK_PASSWORD");
        assert!(!socket.is_cancelled());

        let right = json!({ "now": PASSWORD, "new": "a falcon-feather cloak" });
        let payload = world.ask(&freya, change, right).await;
        assert_eq!(payload, json!({ "user": { "username": "freya" }, "errors": [] }));
        assert!(socket.is_cancelled());
        assert_eq!(world.viewer(&thief).await, "the sign-in has ended");
        assert!(world.refresh(&thief.refresh).await.is_err());
        assert_eq!(world.viewer(&freya).await, "freya");
        world.refresh(&freya.refresh).await.unwrap();
        let old = world.try_login(&Person::default(), "freya", PASSWORD).await;
        assert_eq!(old["errors"][0]["code"], "BAD_CREDENTIALS");
    })
    .await;
}

#[tokio::test]
async fn a_lost_device_is_signed_out_from_another() {
    story(async |world| {
        let freya = world.register("freya").await;
        world.later(TimeDelta::minutes(1));
        let phone = world.login("freya").await;
        let list = "{ viewer { account { signIns { id current userAgent } } } }";
        let devices = world.ask(&freya, list, json!({})).await;
        let devices = devices["account"]["signIns"].as_array().unwrap().clone();
        assert_eq!(devices.len(), 2);
        assert_eq!(devices[0]["userAgent"], "storyteller");
        assert_eq!(devices[0]["current"], false);
        assert_eq!(devices[1]["current"], true);

        let end = "mutation($id: ID!) { endSignIn(input: { signInId: $id }) {
            signInId errors { code } } }";
        let loki = world.register("loki").await;
        let theirs = json!({ "id": devices[0]["id"] });
        let refused = world.ask(&loki, end, theirs.clone()).await;
        assert_eq!(refused["errors"][0]["code"], "NOT_FOUND");
        assert_eq!(world.viewer(&phone).await, "freya");
        let ended = world.ask(&freya, end, theirs).await;
        assert_eq!(ended, json!({ "signInId": devices[0]["id"], "errors": [] }));
        assert_eq!(world.viewer(&phone).await, "the sign-in has ended");
        let devices = world.ask(&freya, list, json!({})).await;
        assert_eq!(devices["account"]["signIns"].as_array().unwrap().len(), 1);
    })
    .await;
}
