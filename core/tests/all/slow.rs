//! Files that take their time on the way.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::json;
use skald_base::Dialect;
use skald_core::{FileSettings, http::router};
use tokio::time::timeout;
use tower::ServiceExt;

use crate::{
    file::{files, http, link, room, text},
    harness::{PATIENCE, Plan, eventually, freya, scripted_story, story, story_with},
};

#[tokio::test]
async fn a_file_that_comes_too_slowly_ends_with_its_link() {
    let plan = || {
        let files = FileSettings { upload_seconds: 1, ..FileSettings::default() };
        (Plan { files, ..Plan::default() }, ())
    };
    story_with(plan, async |world, ()| {
        let upload = room(world, freya(), json!({ "fileName": "a" })).await;
        // Always a byte in time, and never the last one.
        let drops = stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b".")), ()))
        });
        let sent = http(world, "PUT", text(&upload["url"]), Body::from_stream(drops));
        let answer = timeout(PATIENCE, sent).await.expect("an end");
        assert_eq!(answer.status, 403);
        assert_eq!(files(world), []);
    })
    .await;
}

#[tokio::test]
async fn few_files_of_a_player_are_on_their_way_at_once() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let input = json!({ "sessionId": tale.session, "format": "NATIVE_JSON" });
        let url = text(&link(world, freya(), input).await["url"]).to_owned();
        let fetch = async || {
            let request = axum::http::Request::builder().uri(&url).body(Body::empty()).unwrap();
            router(world.app.clone()).oneshot(request).await.unwrap()
        };
        // Nobody reads them yet.
        let mut waiting = Vec::new();
        for _ in 0..4 {
            waiting.push(fetch().await);
        }
        let refused = http(world, "GET", &url, Body::empty()).await;
        assert_eq!(
            (refused.status, &*refused.body),
            (429, "at most 4 files may be fetched at once\n")
        );
        drop(waiting.pop());
        assert_eq!(http(world, "GET", &url, Body::empty()).await.status, 200);
        assert_eq!(http(world, "GET", &url, Body::empty()).await.status, 200, "it has arrived");
    })
    .await;
}

#[tokio::test]
async fn a_reply_that_ends_while_it_is_exported_is_whole() {
    // Between the reading of a message and that of its reply nothing can be made to wait on SQLite.
    const HOLD: &str = "LOCK TABLE reply IN ACCESS EXCLUSIVE MODE";
    const WAITS: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND query LIKE 'SELECT % FROM reply WHERE message_id%'";
    const MESSAGE: &str = "UPDATE message SET content = 'Soup it is.', status = 'COMPLETE'
        WHERE status IN ('PENDING', 'WRITING')";
    const REPLY: &str = "UPDATE reply
        SET draft_content = '', finished_at = created_at WHERE finished_at IS NULL";
    scripted_story(async |world, script| {
        if world.db.dialect() == Dialect::Sqlite {
            return;
        }
        let tale = world.tale(freya()).await;
        for format in ["NATIVE_JSON", "MARKDOWN"] {
            world.says(freya(), &tale, "Soup?").await;
            let call = script.call().await;
            let input = json!({ "sessionId": tale.session, "format": format });
            let url = link(world, freya(), input).await["url"].clone();
            let mut hold = world.db.begin().await.unwrap();
            hold.query(HOLD).execute().await.unwrap();
            let ends = async {
                eventually(async || world.count(WAITS).await > 0).await;
                hold.query(MESSAGE).execute().await.unwrap();
                hold.query(REPLY).execute().await.unwrap();
                hold.commit().await.unwrap();
            };
            let (export, ()) = tokio::join!(http(world, "GET", text(&url), Body::empty()), ends);
            assert!(export.body.contains("Soup it is."), "{format}: {}", export.body);
            assert!(!export.body.contains("INTERRUPTED"), "{}", export.body);
            call.end().await;
        }
    })
    .await;
}
