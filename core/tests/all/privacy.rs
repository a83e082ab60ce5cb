//! Two players: what is one's is not there for the other.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::{
    parse_schema,
    types::{TypeKind, TypeSystemDefinition},
};
use serde_json::{Value, json};
use skald_base::Viewer;

use crate::harness::{Tale, World, bjorn, freya, id, ids, story};

/// One way to reach for something: `$id` is somebody else's, `$own` the caller's session.
struct Reach {
    field: &'static str,
    document: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Persona,
    Character,
    Fact,
    Lorebook,
    LoreEntry,
    Session,
    Message,
    Alternatives,
    Generation,
    /// Reaches for nothing: a list, or something new.
    Nothing,
}

const REACHES: &[Reach] = &{
    const fn reach(field: &'static str, kind: Kind, document: &'static str) -> Reach {
        Reach { field, document, kind }
    }
    use Kind::{
        Alternatives, Character, Fact, Generation, LoreEntry, Lorebook, Message, Nothing, Persona,
        Session,
    };
    [
        reach("node", Persona, "query($id: ID!) { node(id: $id) { id } }"),
        reach("node", Character, "query($id: ID!) { node(id: $id) { id } }"),
        reach("node", Fact, "query($id: ID!) { node(id: $id) { id ... on Fact { text } } }"),
        reach("node", Lorebook, "query($id: ID!) { node(id: $id) { id } }"),
        reach("node", LoreEntry, "query($id: ID!) { node(id: $id) { id } }"),
        reach("node", Session, "query($id: ID!) { node(id: $id) { id } }"),
        reach("node", Message, "query($id: ID!) { node(id: $id) { id } }"),
        reach("node", Alternatives, "query($id: ID!) { node(id: $id) { id } }"),
        reach("node", Generation, "query($id: ID!) { node(id: $id) { id } }"),
        reach("nodes", Message, "query($id: ID!) { nodes(ids: [$id, $id]) { id } }"),
        reach("persona", Persona, "query($id: ID!) { persona(id: $id) { id name } }"),
        reach("personas", Nothing, "{ personas(first: 100) { totalCount nodes { id name } } }"),
        reach("character", Character, "query($id: ID!) { character(id: $id) { id name } }"),
        reach("characters", Nothing, "{ characters(first: 100) { nodes { id name } } }"),
        reach("characters", Nothing, "{ characters(filter: { mine: true }) { nodes { id } } }"),
        reach("session", Session, "query($id: ID!) { session(id: $id) { id title } }"),
        reach(
            "session",
            Message,
            "query($id: ID!, $own: ID!) { session(id: $own) { path(leaf: $id) { nodes { id content } } } }",
        ),
        reach(
            "session",
            Message,
            "query($own: ID!, $s: String!) { session(id: $own) { path(after: $s) { nodes { id } } } }",
        ),
        reach("sessions", Nothing, "{ sessions(first: 100) { totalCount nodes { id title } } }"),
        reach("sessions", Nothing, "{ sessions(filter: { deleted: true }) { totalCount nodes { id tags } } }"),
        reach(
            "sessions",
            Persona,
            "query($id: ID!) { sessions(filter: { personaId: $id }) { totalCount nodes { id } } }",
        ),
        reach(
            "sessions",
            Character,
            "query($id: ID!) { sessions(filter: { characterId: $id }) { totalCount nodes { id } } }",
        ),
        reach("message", Message, "query($id: ID!) { message(id: $id) { id content } }"),
        reach("runningReplies", Nothing, "{ runningReplies { id } }"),
        reach("models", Nothing, "{ models { id } }"),
        reach("usage", Nothing, "{ usage(period: ALL) { calls models { model calls } } }"),
        reach(
            "promptPreview",
            Session,
            "query($id: ID!) { promptPreview(input: { sessionId: $id, content: \"?\" }) {
                tokens blocks { text } } }",
        ),
        reach(
            "promptPreview",
            Message,
            "query($id: ID!, $own: ID!) { promptPreview(input: { sessionId: $own, parentId: $id }) {
                tokens blocks { text } } }",
        ),
        reach(
            "promptPreview",
            Character,
            "query($id: ID!, $own: ID!) { promptPreview(input: { sessionId: $own,
                speaker: { characterId: $id } }) { tokens blocks { text } } }",
        ),
        reach(
            "recallPreview",
            Session,
            "query($id: ID!) { recallPreview(input: { sessionId: $id, text: \"A secret.\",
                scope: PATH }) { text anchor { id } } }",
        ),
        reach(
            "recallPreview",
            Message,
            "query($id: ID!, $own: ID!) { recallPreview(input: { sessionId: $own, at: $id,
                text: \"A secret.\", scope: PATH }) { text anchor { id } } }",
        ),
        reach(
            "recallPreview",
            Character,
            "query($id: ID!, $own: ID!) { recallPreview(input: { sessionId: $own,
                speaker: { characterId: $id } }) { text anchor { id } } }",
        ),
        reach(
            "createPersona",
            Nothing,
            "mutation($r: String!) { createPersona(input: { name: \"A\", clientRequestId: $r }) {
                persona { name } errors { code message path } } }",
        ),
        reach(
            "createPersona",
            Persona,
            "mutation($id: ID!, $r: String!) { createPersona(input: { id: $id, name: \"A\",
                clientRequestId: $r }) { persona { name } errors { code message path } } }",
        ),
        reach(
            "updatePersona",
            Persona,
            "mutation($id: ID!) { updatePersona(input: { id: $id, name: \"Stolen\" }) {
                persona { id } errors { code message path } } }",
        ),
        reach(
            "deletePersona",
            Persona,
            "mutation($id: ID!) { deletePersona(input: { id: $id }) {
                deletedPersonaId errors { code message path } } }",
        ),
        reach(
            "createCharacter",
            Nothing,
            "mutation($r: String!) { createCharacter(input: { name: \"A\", clientRequestId: $r }) {
                character { name } errors { code message path } } }",
        ),
        reach(
            "updateCharacter",
            Character,
            "mutation($id: ID!) { updateCharacter(input: { id: $id, name: \"Stolen\" }) {
                character { id } errors { code message path } } }",
        ),
        reach(
            "deleteCharacter",
            Character,
            "mutation($id: ID!) { deleteCharacter(input: { id: $id }) {
                deletedCharacterId errors { code message path } } }",
        ),
        reach(
            "addFact",
            Persona,
            "mutation($id: ID!, $r: String!) { addFact(input: { ownerId: $id, text: \"A\",
                clientRequestId: $r }) { fact { text } errors { code message path } } }",
        ),
        reach(
            "addFact",
            Character,
            "mutation($id: ID!, $r: String!) { addFact(input: { ownerId: $id, text: \"A\",
                clientRequestId: $r }) { fact { text } errors { code message path } } }",
        ),
        reach(
            "updateFact",
            Fact,
            "mutation($id: ID!) { updateFact(input: { id: $id, text: \"Stolen\",
                expectedVersion: 7 }) { fact { text } errors { code message path } } }",
        ),
        reach(
            "removeFact",
            Fact,
            "mutation($id: ID!) { removeFact(input: { id: $id }) {
                removedFactId errors { code message path } } }",
        ),
        reach("lorebook", Lorebook, "query($id: ID!) { lorebook(id: $id) { id entries { nodes { content } } } }"),
        reach("lorebooks", Nothing, "{ lorebooks(first: 100) { nodes { id name } } }"),
        reach("lorebooks", Nothing, "{ lorebooks(filter: { mine: true }) { nodes { id } } }"),
        reach(
            "createLorebook",
            Nothing,
            "mutation($r: String!) { createLorebook(input: { name: \"A\", clientRequestId: $r }) {
                lorebook { name } errors { code message path } } }",
        ),
        reach(
            "updateLorebook",
            Lorebook,
            "mutation($id: ID!) { updateLorebook(input: { id: $id, name: \"Stolen\",
                expectedVersion: 7 }) { lorebook { name } errors { code message path } } }",
        ),
        reach(
            "deleteLorebook",
            Lorebook,
            "mutation($id: ID!) { deleteLorebook(input: { id: $id }) {
                deletedLorebookId errors { code message path } } }",
        ),
        reach(
            "saveLoreEntries",
            Lorebook,
            "mutation($id: ID!, $r: String!) { saveLoreEntries(input: { lorebookId: $id,
                entries: [{ content: \"A\" }], clientRequestId: $r }) {
                lorebook { id } errors { code message path } } }",
        ),
        reach(
            "removeLoreEntries",
            Lorebook,
            "mutation($id: ID!) { removeLoreEntries(input: { lorebookId: $id,
                entryIds: [\"lore_entry_01h455vb4pex5vsknk084sn02q\"] }) {
                removedEntryIds errors { code message path } } }",
        ),
        reach(
            "attachLorebook",
            Lorebook,
            "mutation($id: ID!, $own: ID!) { attachLorebook(input: { lorebookId: $id,
                targetId: $own }) { target { id } errors { code message path } } }",
        ),
        reach(
            "attachLorebook",
            Session,
            "mutation($id: ID!) { attachLorebook(input: { targetId: $id,
                lorebookId: \"lorebook_01h455vb4pex5vsknk084sn02q\" }) {
                target { id } errors { code message path } } }",
        ),
        reach(
            "detachLorebook",
            Lorebook,
            "mutation($id: ID!, $own: ID!) { detachLorebook(input: { lorebookId: $id,
                targetId: $own }) { target { id } errors { code message path } } }",
        ),
        reach(
            "detachLorebook",
            Persona,
            "mutation($id: ID!) { detachLorebook(input: { targetId: $id,
                lorebookId: \"lorebook_01h455vb4pex5vsknk084sn02q\" }) {
                target { id } errors { code message path } } }",
        ),
        reach(
            "detachLorebook",
            Character,
            "mutation($id: ID!) { detachLorebook(input: { targetId: $id,
                lorebookId: \"lorebook_01h455vb4pex5vsknk084sn02q\" }) {
                target { id } errors { code message path } } }",
        ),
        reach(
            "createSession",
            Persona,
            "mutation($id: ID!, $cast: ID!, $r: String!) { createSession(input: { personaId: $id,
                characterIds: [$cast], clientRequestId: $r }) {
                session { id } errors { code message path } } }",
        ),
        reach(
            "createSession",
            Character,
            "mutation($id: ID!, $r: String!) { createSession(input: { characterIds: [$id],
                clientRequestId: $r }) { session { id } errors { code message path } } }",
        ),
        reach(
            "updateSession",
            Session,
            "mutation($id: ID!) { updateSession(input: { id: $id, title: \"Stolen\" }) {
                session { id } errors { code message path } } }",
        ),
        reach(
            "updateSession",
            Persona,
            "mutation($id: ID!, $own: ID!) { updateSession(input: { id: $own, personaId: $id }) {
                session { id } errors { code message path } } }",
        ),
        reach(
            "deleteSession",
            Session,
            "mutation($id: ID!) { deleteSession(input: { id: $id }) {
                session { id } errors { code message path } } }",
        ),
        reach(
            "restoreSession",
            Session,
            "mutation($id: ID!) { restoreSession(input: { id: $id }) {
                session { id } errors { code message path } } }",
        ),
        reach(
            "createUpload",
            Nothing,
            "mutation($r: String!) { createUpload(input: { fileName: \"a.json\",
                clientRequestId: $r }) { upload { maxBytes } errors { code message path } } }",
        ),
        reach(
            "importSession",
            Nothing,
            "mutation($r: String!) { importSession(input: {
                uploadIds: [\"upload_01h455vb4pex5vsknk084sn02q\"], clientRequestId: $r }) {
                session { id } errors { code message path } } }",
        ),
        reach(
            "exportSession",
            Session,
            "mutation($id: ID!) { exportSession(input: { sessionId: $id, format: NATIVE_JSON }) {
                export { url } errors { code message path } } }",
        ),
        reach(
            "exportSession",
            Message,
            "mutation($id: ID!, $own: ID!) { exportSession(input: { sessionId: $own, leafId: $id,
                format: MARKDOWN }) { export { url } errors { code message path } } }",
        ),
        reach(
            "forkSession",
            Session,
            "mutation($id: ID!, $r: String!) { forkSession(input: { sessionId: $id, messageId:
                \"message_01h455vb4pex5vsknk084sn02q\", scope: SUBTREE, clientRequestId: $r }) {
                session { id } errors { code message path } } }",
        ),
        reach(
            "forkSession",
            Message,
            "mutation($id: ID!, $own: ID!, $r: String!) { forkSession(input: { sessionId: $own,
                messageId: $id, scope: PATH, clientRequestId: $r }) {
                session { id } errors { code message path } } }",
        ),
        reach(
            "sendMessage",
            Session,
            "mutation($id: ID!, $r: String!) { sendMessage(input: { sessionId: $id, content: \"A\",
                clientRequestId: $r }) { message { id } errors { code message path } } }",
        ),
        reach(
            "sendMessage",
            Message,
            "mutation($id: ID!, $own: ID!, $r: String!) { sendMessage(input: { sessionId: $own,
                parentId: $id, content: \"A\", clientRequestId: $r }) {
                message { id } errors { code message path } } }",
        ),
        reach(
            "sendMessage",
            Character,
            "mutation($id: ID!, $own: ID!, $r: String!) { sendMessage(input: { sessionId: $own,
                speakerId: $id, content: \"A\", clientRequestId: $r }) {
                message { id } errors { code message path } } }",
        ),
        reach(
            "requestReply",
            Session,
            "mutation($id: ID!, $r: String!) { requestReply(input: { sessionId: $id, speaker: {
                narrator: { task: SCENE } }, clientRequestId: $r }) {
                reply { id } errors { code message path } } }",
        ),
        reach(
            "requestReply",
            Message,
            "mutation($id: ID!, $own: ID!, $r: String!) { requestReply(input: { sessionId: $own,
                parentId: $id, speaker: { narrator: { task: SCENE } }, clientRequestId: $r }) {
                reply { id } errors { code message path } } }",
        ),
        reach(
            "requestReply",
            Character,
            "mutation($id: ID!, $own: ID!, $r: String!) { requestReply(input: { sessionId: $own,
                speaker: { characterId: $id }, clientRequestId: $r }) {
                reply { id } errors { code message path } } }",
        ),
        reach(
            "regenerateReply",
            Message,
            "mutation($id: ID!, $r: String!) { regenerateReply(input: { messageId: $id,
                clientRequestId: $r }) { reply { id } errors { code message path } } }",
        ),
        reach(
            "stopReply",
            Message,
            "mutation($id: ID!) { stopReply(input: { messageId: $id }) {
                reply { id } errors { code message path } } }",
        ),
        reach(
            "editMessage",
            Message,
            "mutation($id: ID!, $r: String!) { editMessage(input: { messageId: $id,
                content: \"Stolen\", mode: IN_PLACE, clientRequestId: $r }) {
                message { id } errors { code message path } } }",
        ),
        reach(
            "selectMessage",
            Message,
            "mutation($id: ID!) { selectMessage(input: { messageId: $id }) {
                message { id } errors { code message path } } }",
        ),
        reach(
            "deleteMessage",
            Message,
            "mutation($id: ID!) { deleteMessage(input: { messageId: $id }) {
                message { id } errors { code message path } } }",
        ),
        reach(
            "restoreMessage",
            Message,
            "mutation($id: ID!) { restoreMessage(input: { messageId: $id }) {
                message { id } errors { code message path } } }",
        ),
        reach(
            "hideMessage",
            Message,
            "mutation($id: ID!) { hideMessage(input: { messageId: $id, hidden: true }) {
                message { id } errors { code message path } } }",
        ),
        reach(
            "bookmarkMessage",
            Message,
            "mutation($id: ID!) { bookmarkMessage(input: { messageId: $id, name: \"Mine\" }) {
                message { id } errors { code message path } } }",
        ),
        reach(
            "restoreRevision",
            Message,
            "mutation($id: ID!, $r: String!) { restoreRevision(input: { messageId: $id, revision: 1,
                clientRequestId: $r }) { message { id } errors { code message path } } }",
        ),
        reach(
            "impersonate",
            Session,
            "mutation($id: ID!, $r: String!) { impersonate(input: { sessionId: $id,
                clientRequestId: $r }) { reply { id } errors { code message path } } }",
        ),
        reach(
            "impersonate",
            Message,
            "mutation($id: ID!, $own: ID!, $r: String!) { impersonate(input: { sessionId: $own,
                parentId: $id, clientRequestId: $r }) { reply { id } errors { code message path } } }",
        ),
        reach(
            "continueReply",
            Message,
            "mutation($id: ID!, $r: String!) { continueReply(input: { messageId: $id,
                clientRequestId: $r }) { reply { id } errors { code message path } } }",
        ),
        reach(
            "retryReply",
            Message,
            "mutation($id: ID!, $r: String!) { retryReply(input: { messageId: $id,
                clientRequestId: $r }) { reply { id } errors { code message path } } }",
        ),
        reach("reply", Message, "subscription($id: ID!) { reply(messageId: $id) { messageId } }"),
        reach(
            "sessionEvents",
            Session,
            "subscription($id: ID!) { sessionEvents(sessionId: $id, after: 0) { sequence } }",
        ),
        reach(
            "libraryEvents",
            Nothing,
            "subscription { libraryEvents(after: \"0\") { cursor
                ... on LibraryNodeAdded { node { id } } ... on LibraryNodeChanged { node { id } }
                ... on LibraryNodeRemoved { id } } }",
        ),
        reach(
            "session",
            Session,
            "query($id: ID!) { session(id: $id) { stats { messages } outline { nodes { excerpt } } } }",
        ),
    ]
};

/// What everybody may read.
const PUBLIC: [&str; 7] =
    ["node", "nodes", "character", "characters", "lorebook", "lorebooks", "models"];

/// The fields of the three roots, from the schema itself.
fn root_fields(world: &World) -> BTreeSet<String> {
    let document = parse_schema(world.schema.sdl()).unwrap();
    let mut fields = BTreeSet::new();
    for definition in document.definitions {
        if let TypeSystemDefinition::Type(definition) = definition
            && let TypeKind::Object(object) = definition.node.kind
            && [
                "CoreQuery",
                "CoreMutation",
                "CoreSubscription",
                "Query",
                "Mutation",
                "Subscription",
            ]
            .contains(&definition.node.name.node.as_str())
        {
            fields.extend(object.fields.iter().map(|field| field.node.name.node.to_string()));
        }
    }
    fields.retain(|field| !field.starts_with('_'));
    fields
}

struct Secrets {
    ids: BTreeMap<&'static str, String>,
}

impl Secrets {
    async fn of(world: &World, tale: &Tale) -> Self {
        let (_, reply) = world.talks(freya(), tale, "A secret.").await;
        let fact = json!({ "ownerId": tale.character, "text": "Another secret." });
        let fact = world.does(freya(), "addFact", fact).await["fact"].clone();
        let book = json!({ "name": "The secret world" });
        let book = id(&world.does(freya(), "createLorebook", book).await["lorebook"]);
        let entries = json!({ "lorebookId": book, "entries": [{ "content": "A secret place." }] });
        let entry = world.does(freya(), "saveLoreEntries", entries).await["entries"][0].clone();
        let attach = json!({ "lorebookId": book, "targetId": tale.session });
        world.does(freya(), "attachLorebook", attach).await;
        let ids = BTreeMap::from([
            ("persona", tale.persona.clone()),
            ("character", tale.character.clone()),
            ("fact", id(&fact)),
            ("lorebook", book),
            ("lore_entry", id(&entry)),
            ("session", tale.session.clone()),
            ("message", id(&reply)),
            ("alternatives", id(&reply["alternatives"])),
            ("generation", id(&reply["generation"])),
        ]);
        Self { ids }
    }

    fn id(&self, kind: Kind) -> String {
        let name = match kind {
            Kind::Persona => "persona",
            Kind::Character => "character",
            Kind::Fact => "fact",
            Kind::Lorebook => "lorebook",
            Kind::LoreEntry => "lore_entry",
            Kind::Session => "session",
            Kind::Message => "message",
            Kind::Alternatives => "alternatives",
            Kind::Generation => "generation",
            Kind::Nothing => return String::new(),
        };
        self.ids[name].clone()
    }
}

/// The same kind of id, of nothing.
fn random(id: &str) -> String {
    id.rsplit_once('_')
        .map_or(String::new(), |(kind, _)| format!("{kind}_01h455vb4pex5vsknk084sn02q"))
}

async fn answer(world: &World, who: Viewer, reach: &Reach, own: &Tale, id: &str) -> Value {
    let mut variables = json!({});
    for (name, value) in [
        ("id", id.to_owned()),
        ("s", id.to_owned()),
        ("own", own.session.clone()),
        ("cast", own.character.clone()),
        ("r", world.request_id()),
    ] {
        if reach.document.contains(&format!("${name}:")) {
            variables[name] = value.into();
        }
    }
    let mut events = world.subscribe(who, reach.document, variables.clone());
    let answer = if reach.document.starts_with("subscription") {
        events.response().await.unwrap()
    } else {
        world.send(who, reach.document, variables).await
    };
    let text = answer.to_string();
    serde_json::from_str(&if id.is_empty() { text } else { text.replace(id, "ID") }).unwrap()
}

#[tokio::test]
async fn what_is_not_yours_is_not_there() {
    story(async |world| {
        let fields: BTreeSet<String> = REACHES.iter().map(|reach| reach.field.to_owned()).collect();
        assert_eq!(root_fields(world), fields, "every root field has a case here");
        let (theirs, own) = (world.tale(freya()).await, world.tale(bjorn()).await);
        let secrets = Secrets::of(world, &theirs).await;
        let state = async || {
            let rows = world.rows().await;
            let everything = "query($s: ID!, $p: ID!, $c: ID!) { session(id: $s) { title version
                lorebooks { nodes { name version entries { nodes { content } } } }
                sequence persona { id } head { id } messages { nodes { id content revision
                deletedAt } } } persona(id: $p) { name version }
                character(id: $c) { name version facts { nodes { text version } } } }";
            let ids = json!({ "s": theirs.session, "p": theirs.persona, "c": theirs.character });
            (rows, world.send(freya(), everything, ids).await)
        };
        let before = state().await;
        for reach in REACHES {
            let id = secrets.id(reach.kind);
            if reach.kind == Kind::Nothing {
                let answer = answer(world, bjorn(), reach, &own, &id).await.to_string();
                assert!(!secrets.ids.values().any(|id| answer.contains(id)), "{answer}");
                continue;
            }
            // An id that is taken can be told from a free one; whose it is cannot.
            if reach.field == "createPersona" {
                let answer = answer(world, bjorn(), reach, &own, &id).await;
                assert_eq!(answer["data"]["createPersona"]["errors"][0]["code"], "CONFLICT");
                continue;
            }
            let theirs = answer(world, bjorn(), reach, &own, &id).await;
            let nobodys = answer(world, bjorn(), reach, &own, &random(&id)).await;
            assert_eq!(theirs, nobodys, "{}", reach.document);
            assert!(!theirs.to_string().contains("secret"), "{}: {theirs}", reach.document);
        }
        let after = state().await;
        assert_eq!(after.1, before.1);
    })
    .await;
}

#[tokio::test]
async fn nobody_in_particular_is_asked_to_sign_in() {
    story(async |world| {
        let own = world.tale(freya()).await;
        let secrets = Secrets::of(world, &own).await;
        let before = world.rows().await;
        for reach in REACHES {
            let answer =
                answer(world, Viewer::Anonymous, reach, &own, &secrets.id(reach.kind)).await;
            let code = &answer["errors"][0]["extensions"]["code"];
            if reach.document.contains("mine: true") || !PUBLIC.contains(&reach.field) {
                assert_eq!(code, "UNAUTHENTICATED", "{}: {answer}", reach.document);
            } else {
                assert_eq!(*code, Value::Null, "{}: {answer}", reach.document);
                assert!(!secrets.ids.values().any(|id| answer.to_string().contains(id)));
            }
        }
        assert_eq!(world.rows().await, before);
    })
    .await;
}

#[tokio::test]
async fn published_characters_are_read_by_all_and_written_by_one() {
    story(async |world| {
        let mut characters = Vec::new();
        for visibility in ["PRIVATE", "UNLISTED", "PUBLIC"] {
            let card = json!({ "name": visibility, "visibility": visibility, "greeting": "Hi." });
            characters.push(world.character(freya(), card).await);
        }
        let read = "query($id: ID!) { character(id: $id) { name creator { id } }
            node(id: $id) { id __typename } }";
        for who in [bjorn(), Viewer::Anonymous] {
            for (n, character) in characters.iter().enumerate() {
                let seen = world.send(who, read, json!({ "id": character })).await["data"].clone();
                assert_eq!(seen["character"].is_null(), n == 0, "{seen}");
                assert_eq!(seen["node"].is_null(), n == 0, "{seen}");
            }
            let list = world.ask(who, "{ characters { nodes { id } } }", json!({})).await;
            let list = ids(&list["nodes"]);
            assert_eq!(
                characters.iter().map(|id| list.contains(id)).collect::<Vec<_>>(),
                [false, false, true]
            );
        }
        for (name, n, code) in [
            ("updateCharacter", 0, "NOT_FOUND"),
            ("updateCharacter", 1, "FORBIDDEN"),
            ("updateCharacter", 2, "FORBIDDEN"),
            ("deleteCharacter", 0, "NOT_FOUND"),
            ("deleteCharacter", 1, "FORBIDDEN"),
            ("deleteCharacter", 2, "FORBIDDEN"),
        ] {
            let input = json!({ "id": characters[n] });
            assert_eq!(world.denied(bjorn(), name, input).await, code, "{name} {n}");
        }
        let persona = world.persona(bjorn(), "Ulf").await;
        let tale = world.tale_of(bjorn(), &persona, &characters[1]).await;
        let (_, reply) = world.talks(bjorn(), &tale, "Hi.").await;
        assert_eq!(reply["status"], "COMPLETE");
        let mine = "{ characters(filter: { mine: true }) { totalCount nodes { id } } }";
        assert_eq!(world.ask(freya(), mine, json!({})).await["totalCount"], 3);
        assert_eq!(world.ask(bjorn(), mine, json!({})).await["totalCount"], 0);
    })
    .await;
}

#[tokio::test]
async fn everything_with_an_id_is_a_node() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let secrets = Secrets::of(world, &tale).await;
        let greeting = world.message(freya(), &tale.greeting).await;
        let user = format!("{}", freya().id().unwrap());
        let read = "query($id: ID!) { node(id: $id) { __typename id ... on User { id }
            ... on Alternatives { count } } }";
        let kinds = [
            ("Persona", &secrets.ids["persona"]),
            ("Character", &secrets.ids["character"]),
            ("Fact", &secrets.ids["fact"]),
            ("Lorebook", &secrets.ids["lorebook"]),
            ("LoreEntry", &secrets.ids["lore_entry"]),
            ("Session", &secrets.ids["session"]),
            ("Message", &secrets.ids["message"]),
            ("Alternatives", &secrets.ids["alternatives"]),
            ("Alternatives", &id(&greeting["alternatives"])),
            ("Generation", &secrets.ids["generation"]),
            ("User", &user),
        ];
        for (kind, node) in &kinds {
            let found = world.ask(freya(), read, json!({ "id": node })).await;
            assert_eq!((&found["__typename"], &found["id"]), (&json!(kind), &json!(node)));
        }
        let mut wanted: Vec<String> = kinds.iter().map(|(_, id)| (*id).clone()).collect();
        wanted.insert(3, random(&tale.persona));
        let list = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        let found = world.ask(freya(), list, json!({ "ids": wanted })).await;
        for (n, (node, wanted)) in found.as_array().unwrap().iter().zip(&wanted).enumerate() {
            assert_eq!(node.is_null(), n == 3);
            assert!(n == 3 || id(node) == *wanted);
        }
    })
    .await;
}
