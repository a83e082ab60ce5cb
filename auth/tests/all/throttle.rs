//! Guessing has to wait, whatever it hides behind; the owner does not.

use std::fmt::Write as _;

use chrono::TimeDelta;
use serde_json::json;
use skald_auth::AuthConfig;

use crate::world::{PASSWORD, Person, story, story_with};

#[tokio::test]
async fn a_hundred_aliases_are_a_hundred_tries() {
    story(async |world| {
        world.register("freya").await;
        let mut aliases = String::new();
        for n in 0..25 {
            let login = ["freya", "Freya@asgard.example"][n % 2];
            write!(
                aliases,
                r#"a{n}: login(input: {{ login: "{login}", password: "guess {n}" }})
                {{ errors {{ code retryAfterMs }} }} "#
            )
            .unwrap();
        }
        let thief = Person::at("10.0.0.66");
        let answer = world.send(&thief, &format!("mutation {{ {aliases} }}"), json!({})).await;
        let codes = answer["data"].as_object().unwrap().values();
        let codes: Vec<_> = codes.map(|payload| payload["errors"][0].clone()).collect();
        let wrong = codes.iter().filter(|error| error["code"] == "BAD_CREDENTIALS");
        // Ten by each name: the answers do not say that the two are one account.
        assert_eq!(wrong.count(), 20);
        let last = &answer["data"]["a24"]["errors"][0];
        assert_eq!(*last, json!({ "code": "RATE_LIMITED", "retryAfterMs": 6_000 }));

        // The right password does not help the thief now; the owner elsewhere needs no patience.
        let right = world.try_login(&thief, "freya", PASSWORD).await;
        assert_eq!(right["errors"][0]["code"], "RATE_LIMITED");
        let home = Person::at("10.0.0.1");
        let owner = world.try_login(&home, "freya", PASSWORD).await;
        assert_eq!(owner["errors"], json!([]));
        // Even next to the thief, hardly any.
        world.later(TimeDelta::seconds(6));
        let owner = world.try_login(&thief, "freya", PASSWORD).await;
        assert_eq!(owner["errors"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn names_that_nobody_has_are_throttled_alike() {
    story(async |world| {
        let thief = Person::at("10.0.0.66");
        for _ in 0..10 {
            let payload = world.try_login(&thief, "loki", "guess").await;
            assert_eq!(payload["errors"][0]["code"], "BAD_CREDENTIALS");
        }
        let payload = world.try_login(&thief, "LOKI", "guess").await;
        assert_eq!(payload["errors"][0]["code"], "RATE_LIMITED");
        // One try for each of many names: the address is counted, too.
        let mut refused = 0;
        for n in 0..70 {
            let payload = world.try_login(&thief, &format!("name{n}"), "guess").await;
            refused += usize::from(payload["errors"][0]["code"] == "RATE_LIMITED");
        }
        assert_eq!(refused, 70 - (60 - 11));
    })
    .await;
}

#[tokio::test]
async fn tries_do_not_tell_whose_address_it_is() {
    story(async |world| {
        world.register("freya").await;
        let mut answers = Vec::new();
        for (thief, login) in [("10.0.0.66", "freya"), ("10.0.0.67", "loki")] {
            let thief = Person::at(thief);
            let mut codes = Vec::new();
            for n in 0..24 {
                let login = [login.to_owned(), format!("{login}@asgard.example")][n % 2].clone();
                let payload = world.try_login(&thief, &login, "guess").await;
                codes.push(payload["errors"][0].clone());
            }
            answers.push(codes);
        }
        assert_eq!(answers[0], answers[1]);
    })
    .await;
}

#[tokio::test]
async fn a_second_name_does_not_double_the_guesses() {
    story(async |world| {
        world.register("freya").await;
        let thief = Person::at("10.0.0.66");
        for _ in 0..10 {
            let payload = world.try_login(&thief, "freya", "guess").await;
            assert_eq!(payload["errors"][0]["code"], "BAD_CREDENTIALS");
        }
        // The eleventh guess is right, and the thief does not learn it.
        let payload = world.try_login(&thief, "freya@asgard.example", PASSWORD).await;
        assert_eq!(payload["errors"][0]["code"], "BAD_CREDENTIALS");
        assert_eq!(payload["accessToken"], json!(null));
        let home = Person::at("10.0.0.1");
        for who in [&home, &thief] {
            let owner = world.try_login(who, "freya@asgard.example", PASSWORD).await;
            assert_eq!(owner["errors"], json!([]));
            world.later(TimeDelta::seconds(6));
        }
    })
    .await;
}

#[tokio::test]
async fn who_knows_the_password_may_sign_in_all_day() {
    story(async |world| {
        world.register("freya").await;
        let home = Person::at("10.0.0.1");
        for _ in 0..80 {
            let payload = world.try_login(&home, "freya", PASSWORD).await;
            assert_eq!(payload["errors"], json!([]));
            world.later(TimeDelta::seconds(6));
        }
    })
    .await;
}

#[tokio::test]
async fn even_right_logins_have_an_end() {
    let mut config = AuthConfig::for_tests();
    config.throttle.any_login_per_account.burst = 5;
    config.throttle.any_login_per_address.burst = 7;
    story_with(config, async |world| {
        world.register("freya").await;
        world.register("loki").await;
        let home = Person::at("10.0.0.1");
        let code = async |who: &Person, login: &str| {
            let payload = world.try_login(who, login, PASSWORD).await;
            payload["errors"][0]["code"].clone()
        };
        for _ in 0..5 {
            assert_eq!(code(&home, "freya").await, json!(null));
        }
        assert_eq!(code(&home, "freya").await, "RATE_LIMITED");
        // Six of seven are used up: one is left for others who live there.
        assert_eq!(code(&home, "loki").await, json!(null));
        assert_eq!(code(&home, "loki").await, "RATE_LIMITED");
        assert_eq!(code(&Person::at("10.0.0.2"), "freya").await, json!(null));
        world.later(TimeDelta::seconds(6));
        assert_eq!(code(&home, "freya").await, json!(null));
    })
    .await;
}

#[tokio::test]
async fn one_address_registers_only_so_many() {
    let mut config = AuthConfig::for_tests();
    config.throttle.register_per_address.burst = 2;
    story_with(config, async |world| {
        let farm = Person::at("2001:db8::1");
        for n in 0..3 {
            let name = ["huginn", "muninn", "sleipnir"][n];
            let input = json!({ "username": name, "email": format!("{name}@asgard.example"),
                "password": PASSWORD });
            let payload = world.try_register(&farm, input).await;
            let limited = payload["errors"][0]["code"] == "RATE_LIMITED";
            assert_eq!(limited, n == 2);
        }
    })
    .await;
}
