//! What comes to mind of a story that its prompt does not show any more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use skald_core::MemorySettings;

use crate::{
    harness::{Plan, Tale, World, bjorn, freya, id, scripted_story, story, story_with},
    script::{SMALL, Script, scripted},
};

const FACT: &str = "My grandmother's silver ring lies buried under the third stone of the mill.";
const QUESTION: &str = "Where did I say the silver ring was buried?";

const MEMORIES: &str = "memories { text kind score lexicalRank denseRank included reason
    anchor { id content } }";

/// A paragraph about nothing, another one for each number, of about so many characters.
fn filler(number: usize, length: usize) -> String {
    const WORDS: [&str; 16] = [
        "rain", "door", "bread", "lamp", "road", "horse", "smoke", "table", "winter", "song",
        "candle", "window", "barrel", "apple", "shadow", "river",
    ];
    let mut text = format!("Evening {number}.");
    let mut state = number * 7 + 3;
    while text.len() < length {
        state = state * 31 % 9973;
        let (one, other) = (WORDS[state % 16], WORDS[state / 16 % 16]);
        text += &[" The ", one, " stood by the ", other, "."].concat();
    }
    text
}

async fn prompt(world: &World, reply: &str) -> Value {
    let query = format!(
        "query($id: ID!) {{ message(id: $id) {{ generation {{ prompt {{ tokens budget
            blocks {{ kind role text sourceId tokens }} {MEMORIES} }} }} }} }}"
    );
    let message = world.ask(freya(), &query, json!({ "id": reply })).await;
    message["generation"]["prompt"].clone()
}

/// What would come to mind; the input's session is the tale's.
async fn recalls(world: &World, tale: &Tale, mut input: Value) -> Vec<Value> {
    input["sessionId"] = json!(tale.session);
    let query = "query($input: RecallPreviewInput!) { recallPreview(input: $input) {
        text kind score lexicalRank denseRank included reason anchor { id content } } }";
    let found = world.ask(freya(), query, json!({ "input": input })).await;
    found.as_array().unwrap().clone()
}

fn texts(memories: &[Value]) -> Vec<&str> {
    memories.iter().map(|memory| memory["text"].as_str().unwrap()).collect()
}

/// Sends a message below another and has it answered; the message and its reply.
async fn plays(
    world: &World,
    script: &Script,
    tale: &Tale,
    (parent, content, answer): (Option<&str>, &str, &str),
) -> (String, String) {
    let input = json!({ "sessionId": tale.session, "parentId": parent, "content": content });
    let turn = world.does(freya(), "sendMessage", input).await;
    script.call().await.tell_uncounted(answer).await;
    let reply = id(&turn["reply"]);
    assert_eq!(world.ends(freya(), &reply).await["status"], "COMPLETE");
    (id(&turn["message"]), reply)
}

/// A tale whose model has a small context, in which the fact was told and is out of sight.
async fn outgrown(world: &World, script: &Script) -> (Tale, String) {
    let tale = world.tale(freya()).await;
    let settings = json!({ "id": tale.session, "settings": { "storyModelId": SMALL } });
    world.does(freya(), "updateSession", settings).await;
    let (fact, _) = plays(world, script, &tale, (None, FACT, "I will remember it.")).await;
    goes_on(world, script, &tale).await;
    (tale, fact)
}

/// Plays until what was told before is out of sight.
async fn goes_on(world: &World, script: &Script, tale: &Tale) {
    for turn in 0..8 {
        let (line, answer) = (filler(turn, 700), filler(100 + turn, 700));
        plays(world, script, tale, (None, &line, &answer)).await;
    }
}

#[tokio::test]
async fn a_fact_told_three_hundred_messages_ago_returns_in_the_prompt_without_a_key() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let (fact, _) = world.talks(freya(), &tale, FACT).await;
        for turn in 0..150 {
            world.talks(freya(), &tale, &filler(turn, 1000)).await;
        }
        let (_, reply) = world.talks(freya(), &tale, QUESTION).await;
        let prompt = prompt(world, &id(&reply)).await;
        let first = &prompt["memories"][0];
        assert_eq!(first["anchor"]["id"], fact["id"], "{prompt}");
        assert_eq!((&first["text"], &first["kind"]), (&json!(FACT), &json!("EPISODE")));
        assert_eq!((&first["lexicalRank"], &first["denseRank"]), (&json!(1), &Value::Null));
        assert_eq!(first["included"], true);
        assert!(first["score"].as_f64() > Some(0.9), "{first}");
        let reason = first["reason"].as_str().unwrap();
        assert!(reason.contains("\"silver\"") && reason.contains("whom you mean"), "{reason}");
        // It stands before the question, apart from it, and says who told it.
        let blocks = prompt["blocks"].as_array().unwrap();
        let told = blocks.iter().position(|block| block["sourceId"] == fact["id"]).unwrap();
        assert_eq!(
            (&blocks[told]["kind"], &blocks[told]["text"]),
            (&json!("MEMORY"), &json!(format!("<memory name=\"Astrid\">\n{FACT}\n</memory>")))
        );
        let last = blocks.iter().rposition(|block| block["kind"] == "HISTORY").unwrap();
        assert!(told < last && blocks[last]["text"] == QUESTION, "{told} {last}");
        assert!(prompt["tokens"].as_i64() <= prompt["budget"].as_i64());
        // Nothing that the prompt shows anyway.
        let shown: BTreeSet<&str> = blocks
            .iter()
            .filter(|block| block["kind"] == "HISTORY")
            .filter_map(|block| block["sourceId"].as_str())
            .collect();
        for memory in prompt["memories"].as_array().unwrap() {
            assert!(!shown.contains(memory["anchor"]["id"].as_str().unwrap()), "{memory}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_story_that_fits_as_a_whole_asks_nothing_of_memory() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        plays(world, script, &tale, (None, FACT, "I will remember it.")).await;
        let (_, reply) = plays(world, script, &tale, (None, QUESTION, "Under a stone.")).await;
        let prompt = prompt(world, &reply).await;
        assert_eq!(prompt["memories"], json!([]));
        let kinds = prompt["blocks"].as_array().unwrap().iter().map(|block| &block["kind"]);
        assert!(!kinds.collect::<Vec<_>>().contains(&&json!("MEMORY")));
        assert!(recalls(world, &tale, json!({ "text": QUESTION })).await.is_empty());
        // The whole path can be asked all the same.
        let text = "The third stone of the mill.";
        let found = recalls(world, &tale, json!({ "text": text, "scope": "PATH" })).await;
        assert_eq!(found[0]["text"], FACT);
    })
    .await;
}

#[tokio::test]
async fn a_preview_and_the_reply_recall_the_same() {
    scripted_story(async |world, script| {
        let (tale, fact) = outgrown(world, script).await;
        let shown = recalls(world, &tale, json!({ "text": QUESTION })).await;
        assert_eq!(shown[0]["anchor"]["id"], *fact);
        let rows = world.rows().await;
        let query = format!(
            "query($s: ID!, $c: String!) {{ promptPreview(input: {{ sessionId: $s, content: $c }})
                {{ {MEMORIES} }} }}"
        );
        let variables = json!({ "s": tale.session, "c": QUESTION });
        let rehearsed = world.ask(freya(), &query, variables).await["memories"].clone();
        assert_eq!(world.rows().await, rows);
        let (_, reply) = plays(world, script, &tale, (None, QUESTION, "Under a stone.")).await;
        let kept = prompt(world, &reply).await["memories"].clone();
        let brief = |memories: &[Value]| -> Vec<(Value, Value)> {
            memories.iter().map(|one| (one["text"].clone(), one["included"].clone())).collect()
        };
        assert_eq!(brief(kept.as_array().unwrap()), brief(rehearsed.as_array().unwrap()));
        assert_eq!(brief(&shown)[..5], brief(kept.as_array().unwrap())[..5]);

        // Without a text the last message asks, and is no answer to itself.
        let (_, _) = plays(world, script, &tale, (None, "And the ring?", "What ring?")).await;
        let found = recalls(world, &tale, json!({ "scope": "PATH", "first": 100 })).await;
        assert!(texts(&found).contains(&FACT) && !texts(&found).contains(&"What ring?"));
        // Behind no other words, those of the text alone count.
        let input = json!({ "text": "silver", "context": "", "scope": "PATH", "first": 3 });
        let found = recalls(world, &tale, input).await;
        assert_eq!(found.len(), 3);
        for reason in found.iter().map(|one| one["reason"].as_str().unwrap()) {
            assert!(!reason.contains("ring?"), "{reason}");
        }
        for first in [0, 101, -1] {
            let input = json!({ "sessionId": tale.session, "first": first });
            let query = "query($input: RecallPreviewInput!) { recallPreview(input: $input) {
                text } }";
            let refused = world.refusal(freya(), query, json!({ "input": input })).await;
            assert_eq!(refused, "BAD_USER_INPUT", "{first}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_edited_hidden_or_deleted_comes_to_mind_as_it_is_now() {
    scripted_story(async |world, script| {
        let (tale, fact) = outgrown(world, script).await;
        let ask = async || recalls(world, &tale, json!({ "text": QUESTION })).await;
        assert_eq!(ask().await[0]["text"], FACT);
        let (question, reply) = plays(world, script, &tale, (None, QUESTION, "Hm.")).await;

        let other = "My grandmother's silver ring was sold in the spring.";
        let edit = json!({ "messageId": fact, "content": other, "mode": "IN_PLACE" });
        world.does(freya(), "editMessage", edit).await;
        assert_eq!(ask().await[0]["text"], other);
        // What a reply was asked with stays as it was.
        let kept = prompt(world, &reply).await["memories"][0].clone();
        assert_eq!((&kept["text"], &kept["anchor"]["content"]), (&json!(FACT), &json!(other)));

        let hide = |hidden: bool| json!({ "messageId": fact, "hidden": hidden });
        world.does(freya(), "hideMessage", hide(true)).await;
        assert!(!texts(&ask().await).contains(&other));
        world.does(freya(), "hideMessage", hide(false)).await;
        assert_eq!(ask().await[0]["text"], other);

        // Without the end of the story the same can be asked higher up.
        world.does(freya(), "deleteMessage", json!({ "messageId": question })).await;
        assert_eq!(ask().await[0]["text"], other);
        let input = json!({ "sessionId": tale.session, "at": question, "text": QUESTION });
        let query = "query($input: RecallPreviewInput!) { recallPreview(input: $input) { text } }";
        let refused = world.refusal(freya(), query, json!({ "input": input })).await;
        assert_eq!(refused, "NOT_FOUND");
        world.does(freya(), "restoreMessage", json!({ "messageId": question })).await;
        assert_eq!(ask().await[0]["text"], other);
    })
    .await;
}

/// A die whose throws are the same each time.
struct Die(u64);

impl Die {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// The messages of the path to a leaf that come to mind for a word they all have.
async fn on_path(world: &World, tale: &Tale, leaf: &str) -> BTreeMap<String, String> {
    let query = "query($id: ID!, $leaf: ID) { session(id: $id) { path(leaf: $leaf, last: 100) {
        nodes { id content hiddenFromPrompt } } } }";
    let path = world.ask(freya(), query, json!({ "id": tale.session, "leaf": leaf })).await;
    let nodes = path["path"]["nodes"].as_array().unwrap().clone();
    let told = nodes.iter().filter(|node| node["hiddenFromPrompt"] == false);
    told.map(|node| (id(node), node["content"].as_str().unwrap().to_owned())).collect()
}

/// Random trees with random acts: whatever is asked of a branch, it answers with its own path and
/// nothing else, on this process and on another one that was away.
#[tokio::test]
async fn a_branch_never_recalls_what_another_one_told() {
    story(async |world| {
        let forgetful = MemorySettings { cache_bytes: 0, ..MemorySettings::default() };
        let plan = Plan { memory: forgetful, seed: 11, ..Plan::default() };
        let other = World::open(world.db.clone(), world.url.clone(), plan).await;
        for seed in 0..4 {
            let mut die = Die(seed);
            let tale = world.tale(freya()).await;
            let mut messages = vec![tale.greeting.clone()];
            for step in 0..24 {
                let at = messages[die.throw(messages.len())].clone();
                match die.throw(6) {
                    0 => {
                        let content = format!("The lantern of night {step} is another one.");
                        let edit =
                            json!({ "messageId": at, "content": content, "mode": "IN_PLACE" });
                        world.does(freya(), "editMessage", edit).await;
                    }
                    1 => {
                        let hidden = die.throw(2) == 0;
                        let hide = json!({ "messageId": at, "hidden": hidden });
                        world.does(freya(), "hideMessage", hide).await;
                    }
                    2 if at != tale.greeting => {
                        world.does(freya(), "deleteMessage", json!({ "messageId": at })).await;
                        if die.throw(2) == 0 {
                            world.does(freya(), "restoreMessage", json!({ "messageId": at })).await;
                        }
                    }
                    _ => {
                        let input = json!({ "sessionId": tale.session, "parentId": at,
                            "content": format!("A lantern, the {step}th.") });
                        let turn = world.does(freya(), "sendMessage", input).await;
                        let reply = id(&turn["reply"]);
                        world.ends(freya(), &reply).await;
                        messages.extend([id(&turn["message"]), reply]);
                    }
                }
                let mut living = Vec::new();
                for message in &messages {
                    if world.message(freya(), message).await["deletedAt"].is_null() {
                        living.push(message.clone());
                    }
                }
                messages = living;
                let leaf = messages[die.throw(messages.len())].clone();
                check(world, &other, &tale, &leaf).await;
            }
        }
    })
    .await;
}

async fn check(world: &World, other: &World, tale: &Tale, leaf: &str) {
    let input = json!({ "at": leaf, "text": "lantern", "context": "", "scope": "PATH",
        "first": 100 });
    let found = recalls(world, tale, input.clone()).await;
    assert_eq!(found, recalls(other, tale, input).await, "whoever is asked answers the same");
    let path = on_path(world, tale, leaf).await;
    let mut anchors = BTreeSet::new();
    for memory in &found {
        let anchor = id(&memory["anchor"]);
        let text = path.get(&anchor).expect("nothing of another branch, nothing hidden");
        assert_eq!(memory["text"], text.trim());
        anchors.insert(anchor);
    }
    for (message, text) in &path {
        assert!(!text.contains("lantern") || anchors.contains(message), "{text}");
    }
}

#[tokio::test]
async fn memories_take_their_share_of_the_prompt_and_no_more() {
    let plan = || {
        let (llm, script) = scripted();
        let memory = MemorySettings { prompt_percent: 0, ..MemorySettings::default() };
        (Plan { llm: std::sync::Arc::new(llm), memory, ..Plan::default() }, script)
    };
    story_with(plan, async |world, script| {
        let (tale, _) = outgrown(world, &script).await;
        let (_, reply) = plays(world, &script, &tale, (None, QUESTION, "Hm.")).await;
        assert_eq!(prompt(world, &reply).await["memories"], json!([]));
        assert!(recalls(world, &tale, json!({ "text": QUESTION })).await.is_empty());
    })
    .await;
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let settings = json!({ "id": tale.session, "settings": { "storyModelId": SMALL } });
        world.does(freya(), "updateSession", settings).await;
        for turn in 0..6 {
            let line =
                format!("The silver ring, told of for the {turn}th time: {}", filler(turn, 500));
            plays(world, script, &tale, (None, &line, &filler(50 + turn, 500))).await;
        }
        goes_on(world, script, &tale).await;
        let (_, reply) = plays(world, script, &tale, (None, QUESTION, "Hm.")).await;
        let prompt = prompt(world, &reply).await;
        let blocks = prompt["blocks"].as_array().unwrap().iter();
        let memories = blocks.filter(|block| block["kind"] == "MEMORY");
        let tokens: i64 = memories.map(|block| block["tokens"].as_i64().unwrap()).sum();
        let budget = prompt["budget"].as_i64().unwrap();
        assert!(0 < tokens && tokens <= budget * 15 / 100, "{tokens} of {budget}");
        assert!(prompt["tokens"].as_i64() <= Some(budget));
        let left_out = prompt["memories"].as_array().unwrap().iter();
        let mut left_out = left_out.filter(|memory| memory["included"] == false);
        assert!(left_out.any(|memory| memory["reason"].as_str().unwrap().contains("no room")));
    })
    .await;
}

#[tokio::test]
async fn a_stranger_recalls_nothing_of_yours() {
    scripted_story(async |world, script| {
        let (tale, _) = outgrown(world, script).await;
        let query = "query($input: RecallPreviewInput!) { recallPreview(input: $input) { text } }";
        let input = json!({ "sessionId": tale.session, "text": QUESTION, "scope": "PATH" });
        let refused = world.refusal(bjorn(), query, json!({ "input": input })).await;
        assert_eq!(refused, "NOT_FOUND");
    })
    .await;
}
