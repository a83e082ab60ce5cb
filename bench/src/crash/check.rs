//! The checker: compares what was acknowledged, said and seen with what the graph tells.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Result, bail};
use serde_json::json;
use tokio::time::{Duration, sleep};

use super::{
    act::{document, makes},
    expected,
    journal::Act,
    model::{Said, tag},
    player::Outcome,
    story::Story,
    tally::{Fault, Tally},
    tree::{Message, Tree},
    watch::{self, Watcher},
};

/// Whether no reply runs any more in these sessions; how long that took.
pub(super) async fn settle(stories: &[Story], within: Duration) -> Result<Option<Duration>> {
    let began = Instant::now();
    for story in stories {
        while !watch::running(&story.player, &story.session).await?.is_empty() {
            if began.elapsed() > within {
                return Ok(None);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(Some(began.elapsed()))
}

/// How long a client tries again what nobody answers: of a database that was away for a moment
/// each connection has to fail once before it is replaced.
const TRIES_FOR: Duration = Duration::from_secs(5);

/// Whether the sign-in outlived the crash: the token that was in use works.
pub(super) async fn sign_in(story: &mut Story, tally: &mut Tally) {
    let began = Instant::now();
    let mut outcome = story.player.refresh().await;
    while matches!(outcome, Outcome::Unknown) && began.elapsed() < TRIES_FOR {
        sleep(Duration::from_millis(50)).await;
        outcome = story.player.refresh().await;
    }
    let works = matches!(outcome, Outcome::Done(_));
    tally.expect(works, Fault::Lost, || format!("a refresh token is void: {outcome:?}"));
}

/// What was done last is still so, before anybody does anything again.
pub(super) fn last_things(story: &Story, tree: &Tree, tally: &mut Tally) {
    let acts = &story.journal.acts;
    let brought_back = acts.iter().any(|act| act.what == "restoreMessage" && !act.is_refused());
    for act in acts.iter().filter(|act| act.what == "deleteMessage" && act.done().is_some()) {
        let id = act.text("messageId").unwrap_or_default();
        let gone = brought_back || !tree.messages.contains_key(id);
        tally.expect(gone, Fault::Lost, || format!("{id} was deleted and is there"));
    }
    if let Some(last) = acts.last().filter(|act| makes(act.what, &act.input))
        && let Some(reply) = last.made("reply")
    {
        let head = tree.head.as_deref();
        tally.expect(head == Some(reply), Fault::Lost, || {
            format!("the head is {head:?}, not the last reply {reply}")
        });
    }
}

/// Sends again what nobody answered, and the last thing that somebody did answer.
pub(super) async fn retry(story: &mut Story, tally: &mut Tally) -> Result<()> {
    let repeatable = |act: &Act| act.text("clientRequestId").is_some();
    let acts = &story.journal.acts;
    let known = acts.iter().rposition(|act| repeatable(act) && act.done().is_some());
    let open = acts.iter().enumerate().filter(|(_, act)| repeatable(act) && act.is_unknown());
    let again: Vec<usize> = known.into_iter().chain(open.map(|(place, _)| place)).collect();
    for place in again {
        let Some(act) = story.journal.acts.get(place).cloned() else { continue };
        let variables = json!({ "input": act.input });
        let outcome = story.player.try_to(&document(act.what), variables).await;
        let Some(kept) = story.journal.acts.get_mut(place) else { continue };
        if act.is_unknown() {
            if matches!(outcome, Outcome::Unknown) {
                bail!("{} fails after the crash: {}", act.what, act.input);
            }
            kept.outcome = outcome;
            continue;
        }
        let repeated = Act { outcome, ..act.clone() };
        let same = ["session", "message", "reply"]
            .iter()
            .all(|what| repeated.made(what) == act.made(what));
        tally.expect(same, Fault::Duplicated, || {
            format!("sent again, {:?} answers {:?}", act.outcome, repeated.outcome)
        });
    }
    Ok(())
}

/// Brings back whatever was deleted, so that all of it can be looked at.
pub(super) async fn restore(story: &Story) -> Result<()> {
    for act in story.journal.acts.iter().rev() {
        if act.what != "deleteMessage" || act.is_refused() {
            continue;
        }
        let input = json!({ "input": { "messageId": act.text("messageId") } });
        let outcome = story.player.try_to(&document("restoreMessage"), input).await;
        if matches!(outcome, Outcome::Unknown) {
            bail!("restoring fails: {outcome:?}");
        }
    }
    Ok(())
}

/// Every acknowledged message is there once, as it was acknowledged; nothing else is.
pub(super) fn messages(story: &Story, tree: &Tree, tally: &mut Tally) {
    let mut expected = expected::messages(&story.journal.acts);
    for act in story.journal.acts.iter().filter(|act| makes(act.what, &act.input)) {
        for what in ["message", "reply"] {
            check_place(act.done().and_then(|done| done.get(what)), tree, tally);
        }
    }
    for message in tree.messages.values() {
        let known = expected.remove(&message.id).unwrap_or_default();
        let marked =
            known.hidden.contains(&message.hidden) && known.bookmark.contains(&message.bookmark);
        tally.expect(marked, Fault::Lost, || format!("{message:?} should be marked {known:?}"));
        if !message.is_said() {
            continue;
        }
        if known.texts.is_empty() {
            tally.fault(Fault::Duplicated, format!("nobody was told of {message:?}"));
            continue;
        }
        let texts: Vec<String> =
            message.revisions.iter().chain([&message.content]).cloned().collect();
        let whole = known.texts.contains(&texts);
        tally.expect(whole, Fault::Torn, || format!("{message:?} should say {:?}", known.texts));
    }
    for id in expected.into_keys() {
        tally.fault(Fault::Lost, format!("{id} was acknowledged and is gone"));
    }
    attempts(story, tree, tally);
}

/// What was to be written on begins with the whole of it; what was to be tried again was.
fn attempts(story: &Story, tree: &Tree, tally: &mut Tally) {
    for message in tree.messages.values() {
        let Some(from) = &message.continued_from else { continue };
        let whole = tree.messages.get(from).is_some_and(|from| {
            message.content.starts_with(&from.content) && message.parent == from.parent
        });
        tally.expect(whole, Fault::Torn, || format!("{message:?} does not go on from {from}"));
    }
    for act in story.journal.acts.iter().filter(|act| act.done().is_some()) {
        let (of, reply) = (act.text("messageId"), act.made("reply"));
        let reply = reply.and_then(|id| tree.messages.get(id));
        let fits = match act.what {
            "continueReply" => reply.is_some_and(|reply| reply.continued_from.as_deref() == of),
            "retryReply" => reply.is_some_and(|reply| reply.attempt > Some(1)),
            "impersonate" => reply.is_some_and(|reply| reply.is_players),
            _ => continue,
        };
        tally.expect(fits, Fault::Lost, || format!("{act:?} was acknowledged; now {reply:?}"));
    }
}

/// A message of an answer is there, below the same parent.
fn check_place(answer: Option<&serde_json::Value>, tree: &Tree, tally: &mut Tally) {
    let field = |name: &str| answer.and_then(|answer| answer.get(name)?.as_str());
    let Some(id) = field("id") else { return };
    let message = tree.messages.get(id);
    tally.expect(message.is_some(), Fault::Lost, || format!("{id} was acknowledged and is gone"));
    let moved = message.is_some_and(|message| message.parent.as_deref() != field("parentId"));
    tally.expect(!moved, Fault::Torn, || format!("{id} has another parent: {message:?}"));
}

/// What is stored of each reply is what the model said, as far as it had come.
pub(super) fn texts(trees: &[Tree], said: &[Said], until: Option<Instant>, tally: &mut Tally) {
    let messages = || trees.iter().flat_map(|tree| tree.messages.values().map(move |m| (tree, m)));
    let mut stored: BTreeMap<&str, (&Message, &str)> = BTreeMap::new();
    for (tree, message) in messages().filter(|(_, message)| message.attempt.is_some()) {
        let ended = message.has_ended();
        tally.expect(ended, Fault::NonTerminal, || format!("{message:?} has not ended"));
        let own = tree.own_text(message);
        let fits = match message.status.as_str() {
            "FAILED" => own.is_empty(),
            "INTERRUPTED" => !own.is_empty(),
            _ => true,
        };
        tally.expect(fits, Fault::Torn, || format!("{message:?} ended otherwise, with {own:?}"));
        if let Some(tag) = tag(own)
            && let Some((other, _)) = stored.insert(tag, (message, own))
        {
            tally.fault(Fault::Duplicated, format!("{message:?} and {other:?} are one text"));
        }
    }
    for said in said {
        let (message, own) = tag(&said.text).and_then(|tag| stored.remove(tag)).unzip();
        let own = own.unwrap_or_default();
        let fits = match message.map(|message| message.status.as_str()) {
            Some("COMPLETE") => said.text == own,
            _ => said.text.starts_with(own),
        };
        tally.expect(fits, Fault::Torn, || format!("{message:?} is not what was said"));
        tally.text_loss(said.lost(own.len(), until));
    }
    for (message, _) in stored.into_values() {
        tally.fault(Fault::Torn, format!("nobody said {message:?}"));
    }
}

/// What a subscriber had seen fits what is there, and it can go on where it was.
pub(super) async fn watcher(
    watcher: &mut Watcher,
    story: &Story,
    tree: &Tree,
    tally: &mut Tally,
) -> Result<()> {
    let before: BTreeMap<_, _> = watcher.replies.clone();
    watcher.catch_up(&story.player).await?;
    let whole = watch::log_of(&story.player, &watcher.session).await?;
    let same = watcher.resync || watcher.log == whole.log;
    tally.expect(same, Fault::Torn, || {
        format!("a watcher has the log {:?}, which is {:?}", watcher.log, whole.log)
    });
    for (id, mut seen) in before {
        let stored = tree.messages.get(&id).map(|message| message.content.as_str());
        let Some(stored) = stored else {
            tally.fault(Fault::Lost, format!("{id} was seen and is gone"));
            continue;
        };
        let had = String::from_utf16_lossy(&seen.text);
        // Another attempt may have begun where nobody listened.
        let retried = |act: &Act| act.what == "retryReply" && act.text("messageId") == Some(&id);
        let retried = story.journal.acts.iter().any(|act| retried(act) && !act.is_refused());
        if seen.end.is_none() || retried {
            watch::resume(&story.player, &id, &mut seen).await?;
        }
        let now = String::from_utf16_lossy(&seen.text);
        let ended = seen.end.as_deref().unwrap_or_default();
        tally.expect(now == stored && ended == stored, Fault::Torn, || {
            format!("a watcher had {had:?} of {id}, went on to {now:?}; stored is {stored:?}")
        });
        for fault in seen.faults {
            tally.fault(Fault::Torn, format!("watching {id}: {fault}"));
        }
    }
    for fault in watcher.faults.drain(..) {
        tally.fault(Fault::Torn, format!("watching {}: {fault}", watcher.session));
    }
    Ok(())
}

/// A reply that was interrupted is written anew on demand; whether there was one.
pub(super) async fn regenerate(story: &mut Story, tree: &Tree, tally: &mut Tally) -> Result<bool> {
    let mut messages = tree.messages.values();
    let Some(old) = messages.find(|message| message.status == "INTERRUPTED") else {
        return Ok(false);
    };
    let input = json!({ "messageId": old.id,
        "clientRequestId": format!("again-{}", old.id) });
    story.perform("regenerateReply", input).await?;
    let made = story.journal.acts.last().and_then(|act| act.made("reply"));
    let Some(id) = made.map(ToOwned::to_owned) else {
        tally.fault(Fault::Lost, format!("{old:?} cannot be regenerated"));
        return Ok(true);
    };
    settle(std::slice::from_ref(story), Duration::from_secs(10)).await?;
    let tree = Tree::read(&story.player, &story.session, tally).await?;
    let status = tree.messages.get(&id).map(|message| message.status.as_str());
    tally.expect(status == Some("COMPLETE"), Fault::NonTerminal, || {
        format!("the new version of an interrupted reply is {status:?}")
    });
    Ok(true)
}
