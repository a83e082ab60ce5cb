//! Files that take their time on the way.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::json;
use skald_core::FileSettings;
use tokio::time::timeout;

use crate::{
    file::{files, http, room, text},
    harness::{PATIENCE, Plan, freya, story_with},
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
