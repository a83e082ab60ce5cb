//! Registrations that are refused, repeated, or raced; profiles; the admin's commands.

use futures_util::future::join_all;
use serde_json::{Value, json};
use skald_base::Role;

use crate::world::{PASSWORD, Person, World, story};

fn input(username: &str, email: &str) -> Value {
    json!({ "username": username, "email": email, "password": PASSWORD })
}

async fn refusal(world: &World, input: Value) -> (String, String) {
    let payload = world.try_register(&Person::default(), input).await;
    assert_eq!(payload["accessToken"], Value::Null);
    let error = &payload["errors"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&error["code"]), text(&error["path"][1]))
}

#[tokio::test]
async fn nobody_can_pose_as_freya() {
    story(async |world| {
        world.register("freya").await;
        let taken = |field: &str| ("TAKEN".to_owned(), field.to_owned());
        // Cyrillic е and а; full width; another case.
        for twin in ["frеya", "freyа", "ｆｒｅｙａ", "FREYA"] {
            let answer = refusal(&world, input(twin, "other@asgard.example")).await;
            assert_eq!(answer, taken("username"), "{twin}");
        }
        let same_address = input("gullveig", "FREYA@asgard.EXAMPLE");
        assert_eq!(refusal(&world, same_address).await, taken("email"));
        world.register("Фрейя").await;
        world.register("freyr").await;
    })
    .await;
}

#[tokio::test]
async fn capitals_do_not_help_to_pose_as_somebody() {
    story(async |world| {
        // The twins but the first are written in part or in full in Cyrillic.
        for (n, (name, twin)) in
            [("Alice", "AIice"), ("tommy", "ТОММУ"), ("HELEN", "НELEN"), ("MAXX", "МАХХ")]
                .into_iter()
                .enumerate()
        {
            world.register(name).await;
            let answer = refusal(&world, input(twin, &format!("{n}@asgard.example"))).await;
            assert_eq!(answer, ("TAKEN".to_owned(), "username".to_owned()), "{twin}");
        }
        world.register("ali").await;
        world.register("all").await;
        // A mark that is hardly seen.
        let answer = refusal(&world, input("dave01\u{345}", "dave@asgard.example")).await;
        assert_eq!(answer, ("BAD_USER_INPUT".to_owned(), "username".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn only_one_of_many_gets_the_name() {
    story(async |world| {
        let world = &world;
        let all = join_all((0..8).map(|n| async move {
            let input = input("freya", &format!("freya{n}@asgard.example"));
            world.try_register(&Person::default(), input).await
        }))
        .await;
        let done = all.iter().filter(|payload| payload["errors"] == json!([]));
        assert_eq!(done.count(), 1);
        let taken = all.iter().filter(|p| p["errors"][0]["code"] == "TAKEN");
        assert_eq!(taken.count(), 7);
    })
    .await;
}

#[tokio::test]
async fn each_field_says_what_is_wrong_with_it() {
    story(async |world| {
        let good = input("freya", "freya@asgard.example");
        for (field, value, code) in [
            ("username", json!(""), "BLANK"),
            ("username", json!("fr"), "BAD_USER_INPUT"),
            ("username", json!("a".repeat(33)), "TOO_LONG"),
            ("username", json!("fre ya"), "BAD_USER_INPUT"),
            ("email", json!("nowhere"), "BAD_USER_INPUT"),
            ("password", json!("short"), "WEAK_PASSWORD"),
            ("password", json!("Password123"), "WEAK_PASSWORD"),
            ("password", json!("freya2026"), "WEAK_PASSWORD"),
            ("password", json!("x1".repeat(200)), "WEAK_PASSWORD"),
            ("displayName", json!("  "), "BLANK"),
            ("birthDate", json!("2100-01-01"), "BAD_USER_INPUT"),
            ("clientRequestId", json!(""), "BAD_USER_INPUT"),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            let expected = (code.to_owned(), field.to_owned());
            assert_eq!(refusal(&world, bad).await, expected);
        }
        let done = world.try_register(&Person::default(), good).await;
        assert_eq!(done["errors"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_registration_can_be_sent_twice() {
    story(async |world| {
        let nobody = Person::default();
        let mut input = input("freya", "freya@asgard.example");
        input["clientRequestId"] = json!("once");
        let first = world.try_register(&nobody, input.clone()).await;
        let second = world.try_register(&nobody, input.clone()).await;
        assert_eq!(second["errors"], json!([]));
        assert_eq!(first["user"], second["user"]);
        input["password"] = json!("another password");
        assert_eq!(refusal(&world, input.clone()).await.0, "TAKEN");
        // A stranger's client may count from one, too.
        input["username"] = json!("gullveig");
        input["email"] = json!("gullveig@asgard.example");
        let stranger = world.try_register(&nobody, input).await;
        assert_eq!(stranger["errors"], json!([]));
        assert_ne!(stranger["user"], first["user"]);
    })
    .await;
}

#[tokio::test]
async fn a_profile_changes_field_by_field() {
    story(async |world| {
        let freya = world.register("freya").await;
        let update = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
            user { displayName about avatarUrl account { birthDate } } errors { code path } } }";
        let first = json!({ "displayName": " Vanadís ", "about": "Cats.",
            "avatarUrl": "https://asgard.example/cat.png", "birthDate": "1990-05-01" });
        let payload = world.ask(&freya, update, json!({ "input": first })).await;
        let expected = json!({ "displayName": "Vanadís", "about": "Cats.",
            "avatarUrl": "https://asgard.example/cat.png",
            "account": { "birthDate": "1990-05-01" } });
        assert_eq!(payload["user"], expected);
        let second = json!({ "about": null });
        let payload = world.ask(&freya, update, json!({ "input": second })).await;
        assert_eq!(payload["user"]["about"], Value::Null);
        assert_eq!(payload["user"]["displayName"], "Vanadís");
        for url in ["javascript:alert(1)", "https://", "file:///etc/passwd"] {
            let bad = json!({ "input": { "avatarUrl": url } });
            let payload = world.ask(&freya, update, bad).await;
            assert_eq!(payload["errors"][0]["path"], json!(["input", "avatarUrl"]));
        }
        let nobody = Person::default();
        let answer = world.send(&nobody, update, json!({ "input": {} })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    })
    .await;
}

#[tokio::test]
async fn a_minor_is_known_by_their_token_until_their_birthday() {
    story(async |world| {
        let mut input = input("hnoss", "hnoss@asgard.example");
        input["birthDate"] = json!("2008-09-22");
        let payload = world.try_register(&Person::default(), input).await;
        let hnoss = Person::from_payload(&payload);
        let minor = |person: &Person| {
            let verified = world.auth.verifier().verify(person.token()).unwrap();
            verified.viewer.minor
        };
        assert!(minor(&hnoss));
        // It is the 21st of September 2026.
        world.later(chrono::TimeDelta::days(1));
        assert!(!minor(&world.refresh(&hnoss.refresh).await.unwrap()));
        assert!(!minor(&world.register("freya").await));
    })
    .await;
}

#[tokio::test]
async fn the_command_line_makes_an_admin_and_mends_a_password() {
    story(async |world| {
        let freya = world.register("freya").await;
        world.auth.set_role_by_login("FREYA", Role::Admin).await.unwrap();
        let verified = world.auth.verifier().verify(freya.token()).unwrap();
        assert_eq!(verified.viewer.role, Role::Admin);
        let by_address = "freya@asgard.example";
        let weak = world.auth.set_password_by_login(by_address, "password");
        assert!(weak.await.is_err());
        let strong = world.auth.set_password_by_login(by_address, "a falcon-feather cloak");
        strong.await.unwrap();
        assert_eq!(world.viewer(&freya).await, "the sign-in has ended");
        let nobody = Person::default();
        let payload = world.try_login(&nobody, "freya", "a falcon-feather cloak").await;
        assert_eq!(payload["errors"], json!([]));
        assert!(world.auth.set_role_by_login("loki", Role::Admin).await.is_err());
    })
    .await;
}
