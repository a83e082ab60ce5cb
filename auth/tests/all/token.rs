//! Access tokens that are not what they seem.

use std::fmt::Write as _;

use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use skald_auth::{PublicKeys, Revocations, TokenError, Verifier};

use crate::world::{Person, World, story};

/// The server's own key, as a thief of the database would have it.
async fn stolen_key(world: &World) -> EncodingKey {
    let (key,): (Vec<u8>,) =
        world.db.read("SELECT private_key FROM signing_key").one().await.unwrap();
    EncodingKey::from_ed_der(&key)
}

fn header(world: &World) -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("at+jwt".into());
    header.kid.clone_from(&world.auth.jwks().keys[0].common.key_id);
    header
}

fn claims(freya: &Person) -> Value {
    let parts: Vec<&str> = freya.token().split('.').collect();
    serde_json::from_slice(&base64url(parts[1])).unwrap()
}

fn base64url(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = String::new();
    for letter in text.chars() {
        write!(bits, "{:06b}", ALPHABET.find(letter).unwrap()).unwrap();
    }
    let byte = |bits: &[u8]| u8::from_str_radix(str::from_utf8(bits).unwrap(), 2).unwrap();
    bits.as_bytes().chunks_exact(8).map(byte).collect()
}

#[tokio::test]
async fn only_what_the_server_signed_for_this_use_is_a_token() {
    story(async |world| {
        let freya = world.register("freya").await;
        let key = stolen_key(&world).await;
        let (good, claims) = (header(&world), claims(&freya));
        let verifier = world.auth.verifier();
        let check = |header: &Header, claims: &Value, key: &EncodingKey| {
            verifier.verify(&encode(header, claims, key).unwrap())
        };
        assert_eq!(check(&good, &claims, &key).unwrap().viewer.id.to_string(), freya.id);

        let wrong_typ = Header { typ: Some("JWT".into()), ..good.clone() };
        let no_typ = Header { typ: None, ..good.clone() };
        let no_kid = Header { kid: None, ..good.clone() };
        let wrong_kid = Header { kid: Some("../../etc/passwd".into()), ..good.clone() };
        let critical = Header { crit: Some(vec!["b64".into()]), ..good.clone() };
        for header in [wrong_typ, no_typ, no_kid, wrong_kid, critical] {
            assert_eq!(check(&header, &claims, &key), Err(TokenError::Invalid));
        }
        for (claim, value) in [
            ("aud", json!("another")),
            ("aud", Value::Null),
            ("iss", json!("another")),
            ("sub", json!("signin_01h455vb4pex5vsknk084sn02q")),
            ("exp", Value::Null),
            ("exp", json!("soon")),
            ("role", json!("GOD")),
            ("iat", json!(1_790_000_031)),
        ] {
            let mut forged = claims.clone();
            forged[claim] = value;
            assert_eq!(check(&good, &forged, &key), Err(TokenError::Invalid), "{claim}");
        }
    })
    .await;
}

#[tokio::test]
async fn forged_signatures_are_refused() {
    story(async |world| {
        let freya = world.register("freya").await;
        let verifier = world.auth.verifier();
        let (good, claims) = (header(&world), claims(&freya));
        let public = serde_json::to_value(world.auth.jwks()).unwrap();
        let public = base64url(public["keys"][0]["x"].as_str().unwrap());
        let symmetric = Header { alg: Algorithm::HS256, ..good.clone() };
        let hs256 = encode(&symmetric, &claims, &EncodingKey::from_secret(&public)).unwrap();

        let parts: Vec<&str> = freya.token().split('.').collect();
        // {"typ":"at+jwt","alg":"none"}
        let none = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0";
        let flipped = if parts[2].starts_with('A') { "B" } else { "A" };
        let forged = [
            hs256,
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}.{flipped}{}", parts[0], parts[1], &parts[2][1..]),
            format!("{}.{}", parts[0], parts[1]),
            freya.refresh.clone(),
            String::new(),
            "..".into(),
            "a".repeat(100_000),
        ];
        for token in &forged {
            assert_eq!(verifier.verify(token), Err(TokenError::Invalid), "{token}");
        }
        // And the other way round: an access token refreshes nothing.
        let refused = world.refresh(freya.token()).await;
        assert_eq!(refused.err().unwrap(), "REFRESH_TOKEN_INVALID");
    })
    .await;
}

#[tokio::test]
async fn a_token_lives_fifteen_minutes_and_a_little() {
    story(async |world| {
        let freya = world.register("freya").await;
        let verifier = world.auth.verifier();
        world.later(TimeDelta::seconds(15 * 60 + 29));
        verifier.verify(freya.token()).unwrap();
        world.later(TimeDelta::seconds(1));
        assert_eq!(verifier.verify(freya.token()), Err(TokenError::Expired));
        // A clock that is 30 s behind still takes a fresh token; one that is 2 min behind does not.
        world.later(TimeDelta::seconds(-(15 * 60 + 60)));
        verifier.verify(freya.token()).unwrap();
        world.later(TimeDelta::seconds(-90));
        assert_eq!(verifier.verify(freya.token()), Err(TokenError::Invalid));
    })
    .await;
}

#[tokio::test]
async fn another_process_verifies_with_the_published_keys() {
    story(async |world| {
        let freya = world.register("freya").await;
        let keys = PublicKeys::default();
        let revocations = Revocations::default();
        let config = skald_auth::AuthConfig::default();
        let verifier = Verifier::new(&config, keys.clone(), revocations, world.clock.clone());
        assert_eq!(verifier.verify(freya.token()), Err(TokenError::Invalid));
        let published = serde_json::to_string(&world.auth.jwks()).unwrap();
        assert!(!published.contains("\"d\""), "a private key is published");
        keys.replace(&serde_json::from_str(&published).unwrap());
        let caller = verifier.verify(freya.token()).unwrap();
        assert_eq!(caller.viewer.id.to_string(), freya.id);
    })
    .await;
}
