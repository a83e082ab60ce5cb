//! Forks after a crash: whole, or not there at all.

#![expect(clippy::indexing_slicing, reason = "JSON without a field gives null, not a panic")]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    expected,
    journal::Act,
    player::{Player, text},
    story::Story,
    tally::{Fault, Tally},
    tree::{Message, Tree},
};

const SESSIONS: &str = "query ($after: String) { sessions(first: 100, after: $after) {
    nodes { id } pageInfo { hasNextPage endCursor } } }";

/// The forks that one client was told of, each with what it holds.
pub(super) async fn check(
    story: &Story,
    tree: &Tree,
    tally: &mut Tally,
) -> Result<Vec<(String, Tree)>> {
    let mut forks = Vec::new();
    for (place, act) in story.journal.acts.iter().enumerate() {
        let Some(session) = act.made("session") else { continue };
        let fork = Tree::read(&story.player, session, tally).await?;
        fork.check(tally);
        let before = story.journal.acts.get(..place).unwrap_or_default();
        check_fork((before, act), tree, &fork, tally);
        forks.push((session.to_owned(), fork));
    }
    Ok(forks)
}

/// A player sees these sessions and no other: no half of one that a crash cut off.
pub(super) async fn check_list(
    player: &Player,
    known: &BTreeSet<&str>,
    tally: &mut Tally,
) -> Result<()> {
    let (mut listed, mut after) = (BTreeSet::new(), Value::Null);
    loop {
        let data = player.read(SESSIONS, json!({ "after": after })).await?;
        let page = &data["sessions"];
        for node in page["nodes"].as_array().context("no list of sessions")? {
            listed.insert(text(&node["id"])?);
        }
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] != true {
            break;
        }
    }
    for id in known.iter().filter(|id| !listed.contains(**id)) {
        tally.fault(Fault::Lost, format!("{id} was acknowledged and is not listed"));
    }
    for id in listed.iter().filter(|id| !known.contains(id.as_str())) {
        tally.fault(Fault::Torn, format!("nobody was told of the session {id}"));
    }
    Ok(())
}

/// A fork has what it was to take of the tree, and nothing else.
fn check_fork((before, act): (&[Act], &Act), tree: &Tree, fork: &Tree, tally: &mut Tally) {
    let scope = Scope::of(act, tree);
    let mut origins: BTreeMap<&str, &Message> = BTreeMap::new();
    for message in fork.messages.values() {
        match tree.messages.values().find(|old| is_copy(message, old)) {
            Some(old) => drop(origins.insert(&message.id, old)),
            None => tally.fault(Fault::Torn, format!("{message:?} of a fork comes from nowhere")),
        }
    }
    for (id, old) in &origins {
        let parent = fork.messages.get(*id).and_then(|message| message.parent.as_deref());
        let parent = parent.and_then(|id| origins.get(id)).map(|parent| &parent.id);
        let fits = parent == old.parent.as_ref() && scope.takes(old, tree);
        tally.expect(fits, Fault::Torn, || format!("{old:?} has no place in the fork {act:?}"));
    }
    let taken: BTreeSet<&str> = origins.values().map(|old| old.id.as_str()).collect();
    tally.expect(taken.len() == origins.len(), Fault::Duplicated, || {
        format!("something is in the fork {act:?} twice")
    });
    for old in tree.messages.values().filter(|old| scope.takes(old, tree)) {
        let must_be_there = scope.way.contains(&old.id) || was_there(old, before, tree);
        let is_there = !must_be_there || taken.contains(old.id.as_str());
        tally.expect(is_there, Fault::Lost, || format!("{old:?} is not in the fork {act:?}"));
    }
}

/// What a fork was to take.
struct Scope<'a> {
    word: &'a str,
    /// From the root to where it was forked.
    way: Vec<String>,
}

impl<'a> Scope<'a> {
    fn of(act: &'a Act, tree: &Tree) -> Self {
        let word = act.text("scope").unwrap_or_default();
        Self { word, way: tree.way_to(act.text("messageId")) }
    }

    fn takes(&self, old: &Message, tree: &Tree) -> bool {
        let is_beside = |id: &String| {
            let on_way = tree.messages.get(id);
            on_way.is_some_and(|on_way| {
                (&on_way.parent, on_way.is_players) == (&old.parent, old.is_players)
            })
        };
        match self.word {
            _ if self.way.contains(&old.id) => true,
            "PATH_WITH_SIBLINGS" => self.way.iter().any(is_beside),
            "SUBTREE" => tree.way_to(Some(&old.id)).starts_with(&self.way),
            _ => false,
        }
    }
}

/// Whether a message is what another one was at some time.
fn is_copy(message: &Message, old: &Message) -> bool {
    // A fork of a reply that was being written has all its text so far; the reply itself loses
    // what had not been saved when its process died.
    let lost_some = old.status == "INTERRUPTED" && message.content.starts_with(&old.content);
    // Of which nothing had been saved begins anew; the fork ends where it was taken.
    let lost_all = message.status == "INTERRUPTED" && message.attempt < old.attempt;
    let has_said = old.content.starts_with(&message.content)
        || old.revisions.contains(&message.content)
        || lost_some
        || lost_all;
    message.created_at == old.created_at
        && (message.is_players, message.attempt.is_some())
            == (old.is_players, old.attempt.is_some())
        && message.has_ended()
        && has_said
}

/// Whether somebody had written this by hand before, and nobody had ever deleted it.
fn was_there(old: &Message, before: &[Act], tree: &Tree) -> bool {
    let way = tree.way_to(Some(&old.id));
    let is_above = |id: &str| way.iter().any(|above| above == id);
    let takes_away =
        |act: &Act| act.what == "deleteMessage" && act.text("messageId").is_some_and(is_above);
    old.is_said()
        && expected::messages(before).contains_key(&old.id)
        && !before.iter().any(takes_away)
}
