//! Refresh tokens: rotation, theft, lost answers, races, the end of a sign-in.

use chrono::TimeDelta;
use futures_util::future::join_all;

use crate::world::story;

const REFUSED: &str = "REFRESH_TOKEN_INVALID";

#[tokio::test]
async fn a_stolen_token_ends_the_family() {
    story(async |world| {
        let first = world.register("freya").await;
        let second = world.refresh(&first.refresh).await.unwrap();
        assert_ne!(first.refresh, second.refresh);
        let third = world.refresh(&second.refresh).await.unwrap();
        // The thief comes with a token whose successor was used.
        assert_eq!(world.refresh(&first.refresh).await.err().unwrap(), REFUSED);
        assert_eq!(world.refresh(&third.refresh).await.err().unwrap(), REFUSED);
        assert_eq!(world.viewer(&third).await, "the sign-in has ended");
        world.login("freya").await;
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_can_be_asked_for_again() {
    story(async |world| {
        let first = world.register("freya").await;
        let lost = world.refresh(&first.refresh).await.unwrap();
        world.later(TimeDelta::seconds(60));
        let again = world.refresh(&first.refresh).await.unwrap();
        world.later(TimeDelta::seconds(30));
        // Not long after, this is a race of one client.
        assert_eq!(world.refresh(&lost.refresh).await.err().unwrap(), REFUSED);
        let next = world.refresh(&again.refresh).await.unwrap();
        // Later, somebody else holds it.
        world.later(TimeDelta::minutes(5));
        assert_eq!(world.refresh(&lost.refresh).await.err().unwrap(), REFUSED);
        assert_eq!(world.refresh(&next.refresh).await.err().unwrap(), REFUSED);
    })
    .await;
}

#[tokio::test]
async fn who_comes_late_with_a_used_token_is_a_thief() {
    story(async |world| {
        let first = world.register("freya").await;
        // The owner does not use the successor before the access token has expired.
        let second = world.refresh(&first.refresh).await.unwrap();
        world.later(TimeDelta::seconds(61));
        assert_eq!(world.refresh(&first.refresh).await.err().unwrap(), REFUSED);
        assert_eq!(world.refresh(&second.refresh).await.err().unwrap(), REFUSED);
        assert_eq!(world.viewer(&second).await, "the sign-in has ended");
    })
    .await;
}

#[tokio::test]
async fn twenty_refreshes_at_once_leave_one_live_token() {
    story(async |world| {
        let freya = world.register("freya").await;
        let all = join_all((0..20).map(|_| world.refresh(&freya.refresh))).await;
        let mut live = 0;
        for outcome in all {
            let token = outcome.unwrap().refresh;
            live += usize::from(world.refresh(&token).await.is_ok());
        }
        assert_eq!(live, 1);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_does_not_last_for_ever() {
    story(async |world| {
        let mut freya = world.register("freya").await;
        let idle = world.login("freya").await;
        for _ in 0..3 {
            world.later(TimeDelta::days(29));
            freya = world.refresh(&freya.refresh).await.unwrap();
        }
        assert_eq!(world.refresh(&idle.refresh).await.err().unwrap(), REFUSED);
        world.later(TimeDelta::days(4));
        assert_eq!(world.refresh(&freya.refresh).await.err().unwrap(), REFUSED);

        world.auth.clean_up().await.unwrap();
        let left: (i64,) = world
            .db
            .read("SELECT (SELECT count(*) FROM sign_in) + (SELECT count(*) FROM refresh_token)")
            .one()
            .await
            .unwrap();
        assert_eq!(left.0, 0);
    })
    .await;
}

#[tokio::test]
async fn the_database_holds_no_token_and_no_password() {
    story(async |world| {
        let freya = world.register("freya").await;
        let hashes: Vec<(Vec<u8>,)> =
            world.db.read("SELECT hash FROM refresh_token").all().await.unwrap();
        assert_eq!(hashes.len(), 1);
        assert_eq!(hashes[0].0.len(), 32);
        assert!(freya.refresh.starts_with("skald_refresh_"));
        let (hash,): (String,) =
            world.db.read("SELECT password_hash FROM account").one().await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
    })
    .await;
}
