//! Imports that are at work: what may be asked meanwhile, and what may happen to their files.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use skald_base::Viewer;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    file::rich_tale,
    graft::graft,
    harness::{PATIENCE, World, bjorn, eventually, freya, id, story},
    import::{document, import, send_as},
};

/// A file that was sent, held back: whoever reads it waits for what the test says.
struct Held {
    path: PathBuf,
    pipe: Option<File>,
}

impl Held {
    /// Takes the place of the file there.
    fn at(path: &Path) -> Self {
        let aside = path.with_extension("pipe");
        assert!(Command::new("mkfifo").arg(&aside).status().unwrap().success());
        fs::rename(aside, path).unwrap();
        Self { path: path.to_owned(), pipe: None }
    }

    /// Waits until somebody reads it.
    async fn is_read(&mut self) {
        let (tell, told) = oneshot::channel();
        let path = self.path.clone();
        // It opens when the reader does; no runtime waits for this thread in the end.
        std::thread::spawn(move || tell.send(File::options().write(true).open(path)));
        let opened = timeout(PATIENCE, told).await.expect("somebody reads it");
        self.pipe = Some(opened.unwrap().unwrap());
    }

    /// Whoever reads it reads this, and the next one what lies there then.
    fn says(self, content: &str) {
        self.pipe.expect("somebody reads it").write_all(content.as_bytes()).unwrap();
    }
}

/// Puts a file there at once, as a transfer does that has ended.
fn put(path: &Path, content: &str) {
    let aside = path.with_extension("aside");
    fs::write(&aside, content).unwrap();
    fs::rename(aside, path).unwrap();
}

fn path_of(world: &World, upload: &str) -> PathBuf {
    world.files.path().join(upload)
}

async fn ask(world: &World, who: Viewer, upload: &str, (dry, request): (bool, &str)) -> Value {
    let input = json!({ "uploadIds": [upload], "dryRun": dry, "clientRequestId": request });
    world.try_to(who, "importSession", input).await
}

#[tokio::test]
async fn what_is_being_read_is_known() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let story = document(world, freya(), &tale.session).await;
        let mut uploads = Vec::new();
        for name in ["a", "b", "c"] {
            uploads.push(send_as(world, freya(), name, story.clone()).await);
        }
        let (a, b, c) = (&uploads[0], &uploads[1], &uploads[2]);
        let mut held = [a, b].map(|upload| Held::at(&path_of(world, upload)));
        let meanwhile = async {
            for file in &mut held {
                file.is_read().await;
            }
            for (upload, request, expected) in [
                (a, (true, "dry"), "CONFLICT"),
                (b, (false, "wet"), "CONFLICT"),
                (c, (false, "dry"), "CONFLICT"),
                (c, (true, "third"), "LIMIT_EXCEEDED"),
            ] {
                let refused = ask(world, freya(), upload, request).await;
                assert_eq!(refused["errors"][0]["code"], expected, "{request:?}");
            }
            // Others are let in.
            import(world, bjorn(), &story).await;
            for file in held {
                put(&file.path, &story);
                file.says("");
            }
        };
        let (dry, wet, ()) = tokio::join!(
            ask(world, freya(), a, (true, "dry")),
            ask(world, freya(), b, (false, "wet")),
            meanwhile
        );
        assert_eq!((&dry["errors"], &wet["errors"]), (&json!([]), &json!([])));
        // There is room again, and the answer is the first one's.
        assert_eq!(ask(world, freya(), c, (true, "third")).await["errors"], json!([]));
        assert_eq!(ask(world, freya(), b, (false, "wet")).await, wet);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_sent_anew_meanwhile_is_not_mixed_with_the_first() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let first = document(world, freya(), &tale.session).await;
        let rich = rich_tale(world, freya()).await;
        let second = document(world, freya(), &rich.session).await;
        let before = world.rows().await;
        let upload = send_as(world, freya(), "story.json", first.clone()).await;
        let path = path_of(world, &upload);
        let mut recognised = Held::at(&path);
        let sent_anew = async {
            recognised.is_read().await;
            let mut checked = Held::at(&path);
            recognised.says(&first);
            checked.is_read().await;
            put(&path, &second);
            checked.says(&first);
        };
        let (refused, ()) = tokio::join!(ask(world, freya(), &upload, (false, "anew")), sent_anew);
        assert_eq!(refused["errors"][0]["code"], "CONFLICT", "{refused}");
        let mut after = world.rows().await;
        // The request for the upload is remembered.
        *after.last_mut().unwrap() -= 1;
        assert_eq!(after, before);
        let made = ask(world, freya(), &upload, (false, "anew")).await;
        let made = id(&made["session"]);
        assert_eq!(document(world, freya(), &made).await, second);
    })
    .await;
}

#[tokio::test]
async fn whom_an_import_copied_goes_with_it() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let story = document(world, freya(), &tale.session).await;
        let before = world.rows().await;
        let upload = send_as(world, bjorn(), "story.json", story.clone()).await;
        let path = path_of(world, &upload);
        let people = async || {
            let personas = world.count("SELECT count(*) FROM persona").await;
            personas + world.count("SELECT count(*) FROM character").await
        };
        let known = people().await;
        let mut file = Held::at(&path);
        let cut_off = async {
            for _recognised_then_checked in 0..2 {
                file.is_read().await;
                let next = Held::at(&path);
                std::mem::replace(&mut file, next).says(&story);
            }
            // It is being stored. As when its process dies, another one removes what there is.
            file.is_read().await;
            assert_eq!(people().await, known + 2);
            let lose = "UPDATE session_graft SET leased_by = session_id, leased_until = 0";
            world.db.write(lose).execute().await.unwrap();
            eventually(async || people().await == known).await;
            put(&path, &story);
            file.says(&story);
        };
        let (lost, ()) = tokio::join!(ask(world, bjorn(), &upload, (false, "lost")), cut_off);
        assert_eq!(lost["errors"][0]["code"], "CONFLICT", "{lost}");
        let mut after = world.rows().await;
        // The request for the upload is remembered.
        *after.last_mut().unwrap() -= 1;
        assert_eq!(after, before);
        let made = ask(world, bjorn(), &upload, (false, "lost")).await;
        assert_eq!(made["report"]["adaptedCount"], 2);
        let persona = "SELECT count(*) FROM persona WHERE is_default";
        assert_eq!(world.count(persona).await, 2, "each player's first one");
    })
    .await;
}

#[tokio::test]
async fn an_import_that_is_one_too_many_copies_nobody() {
    story(async |world| {
        let tale = world.tale(bjorn()).await;
        let story = document(world, bjorn(), &tale.session).await;
        let upload = send_as(world, freya(), "story.json", story).await;
        let _making = [graft(world, "import-1").await, graft(world, "import-2").await];
        let changes = "SELECT count(*) FROM library_change";
        let before = world.count(changes).await;
        let refused = ask(world, freya(), &upload, (false, "third")).await;
        assert_eq!(refused["errors"][0]["code"], "LIMIT_EXCEEDED", "{refused}");
        assert_eq!(world.count(changes).await, before);
    })
    .await;
}
