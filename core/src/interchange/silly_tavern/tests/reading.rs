//! Chats as they are found.

use serde_json::{Value, json};

use super::{
    super::{Adapted, Header, Item, Reader, Version, read::MOST_SWIPES},
    at, read_all, read_in_pieces, read_one, texts,
};
use crate::tree::MessageRole;

#[test]
fn a_chat_is_read_line_by_line() {
    let file = b"\xef\xbb\xbf{\"user_name\":\"Astrid\",\"character_name\":\"Mira\",\"create_date\":\"2024-7-12@01h31m37s\",\"chat_metadata\":{\"main_chat\":\"Mira - first\",\"note_prompt\":\"Rain.\"}}\r\n{\"name\":\"Mira\",\"is_user\":false,\"mes\":\"Hello.\"}\r\n\r\nnot json\n[1]\n{\"name\":\"x\"}\n{\"name\":\"Astrid\",\"is_user\":true,\"mes\":\"Hi.\"}";
    let items = read_all(file);
    let Item::Header(header) = &items[0] else { panic!("{items:?}") };
    assert_eq!(header.user_name.as_deref(), Some("Astrid"));
    assert_eq!(header.character_name.as_deref(), Some("Mira"));
    assert_eq!(header.created_at, Some(at("2024-07-12T01:31:37Z")));
    assert_eq!(header.main_chat.as_deref(), Some("Mira - first"));
    assert_eq!(header.metadata.get("note_prompt"), Some(&json!("Rain.")));
    assert!(matches!(&items[1], Item::Entry { line: 2, entry } if entry.speaker.name == "Mira"));
    let skipped = |item: &Item| match item {
        Item::Skipped { line, reason } => (*line, *reason),
        Item::Header(_) | Item::Entry { .. } => panic!("{item:?}"),
    };
    assert_eq!(skipped(&items[2]), (4, "the line is no JSON"));
    assert_eq!(skipped(&items[3]), (5, "the line is no message"));
    assert_eq!(skipped(&items[4]), (6, "the line is no message"));
    assert!(
        matches!(&items[5], Item::Entry { entry, .. } if entry.speaker.role == MessageRole::Player)
    );
    assert_eq!(items.len(), 6);
    for size in [1, 2, 7, 64] {
        assert_eq!(read_in_pieces(file, size), items, "in pieces of {size}");
    }
}

#[test]
fn a_header_may_be_missing_or_say_nothing() {
    let old_group =
        br#"{"name":"Mira","mes":"Hello.","original_avatar":"mira.png","is_group":true}"#;
    let items = read_all(old_group);
    let Item::Entry { entry, .. } = &items[0] else { panic!("{items:?}") };
    assert_eq!(entry.speaker.avatar.as_deref(), Some("mira.png"));
    let newer = br#"{"user_name":"unused","character_name":"unused","chat_metadata":{}}"#;
    assert_eq!(read_all(newer), [Item::Header(Header::default())]);
    assert_eq!(read_all(b""), []);
    assert_eq!(read_all(b"\xef\xbb\xbf\r\n"), []);
}

#[test]
fn a_line_that_is_too_long_is_skipped_and_the_next_one_read() {
    let mut file = format!("{{\"mes\":\"{}\"}}\n", "x".repeat(10_000)).into_bytes();
    file.extend_from_slice(b"{\"mes\":\"Short.\"}\n\xff\xfe{\"mes\":\"?\"}");
    for size in [1, 100, 100_000] {
        let items = read_in_pieces(&file, size);
        assert_eq!(items[0], Item::Skipped { line: 1, reason: "the line is too long" });
        assert!(matches!(&items[1], Item::Entry { entry, .. } if texts(entry) == ["Short."]));
        assert_eq!(items[2], Item::Skipped { line: 3, reason: "the line is no JSON" });
    }
}

fn check_swipes(message: &Value, expected: &[&str], selected: usize, adapted: &[Adapted]) {
    let entry = read_one(message);
    assert_eq!((texts(&entry), entry.selected), (expected.to_vec(), selected), "{message}");
    assert_eq!(entry.adapted, adapted, "{message}");
}

#[test]
fn swipes_are_read() {
    for (message, expected, selected, adapted) in [
        (json!({ "mes": "A" }), vec!["A"], 0, vec![]),
        (json!({ "mes": "A", "swipes": [] }), vec!["A"], 0, vec![]),
        (
            json!({ "mes": "B", "swipes": ["A", "B", "C"], "swipe_id": 1 }),
            vec!["A", "B", "C"],
            1,
            vec![],
        ),
        (json!({ "mes": "B", "swipes": ["A", "B"], "swipe_id": "1" }), vec!["A", "B"], 1, vec![]),
        (json!({ "mes": "B", "swipes": ["A", "B"] }), vec!["A", "B"], 1, vec![]),
        // Chub.
        (json!({ "mes": { "message": "A" } }), vec!["A"], 0, vec![]),
        (
            json!({ "mes": "B", "swipes": [{ "message": "A" }, { "message": "B" }], "swipe_id": 1 }),
            vec!["A", "B"],
            1,
            vec![],
        ),
        (json!({ "mes": "Hello, {{user}}." }), vec!["Hello, {{user}}."], 0, vec![]),
    ] {
        check_swipes(&message, &expected, selected, &adapted);
    }
}

#[test]
fn where_swipes_and_text_disagree_the_text_is_right() {
    use Adapted::{SelectedSwipe, SwipeMissing};
    for (message, expected, selected, adapted) in [
        // In its place, or where it is found.
        (
            json!({ "mes": "X", "swipes": ["A", "B"], "swipe_id": 1 }),
            vec!["A", "X"],
            1,
            vec![SelectedSwipe],
        ),
        (
            json!({ "mes": "A", "swipes": ["A", "B"], "swipe_id": 1 }),
            vec!["A", "B"],
            0,
            vec![SwipeMissing],
        ),
        // A swipe was being written.
        (
            json!({ "mes": "B", "swipes": ["A", "B"], "swipe_id": 2 }),
            vec!["A", "B"],
            1,
            vec![SwipeMissing],
        ),
        (
            json!({ "mes": "C", "swipes": ["A", "B"], "swipe_id": 2 }),
            vec!["A", "B", "C"],
            2,
            vec![SwipeMissing],
        ),
        (
            json!({ "mes": "", "swipes": ["A", "B"], "swipe_id": 2 }),
            vec!["A", "B"],
            1,
            vec![SwipeMissing],
        ),
        (
            json!({ "mes": "...", "swipes": ["A", "B"], "swipe_id": 2 }),
            vec!["A", "B"],
            1,
            vec![SwipeMissing],
        ),
        (json!({ "mes": "..." }), vec!["..."], 0, vec![]),
        (json!({ "mes": null, "swipes": ["A", "B"], "swipe_id": 0 }), vec!["A", "B"], 0, vec![]),
        (json!({ "swipes": ["A", "B"], "swipe_id": -1 }), vec!["A", "B"], 1, vec![SwipeMissing]),
    ] {
        check_swipes(&message, &expected, selected, &adapted);
    }
}

#[test]
fn what_says_nothing_or_the_same_is_left_out() {
    use Adapted::SwipeDropped;
    for (message, expected, selected, adapted) in [
        (
            json!({ "mes": "B", "swipes": ["", "A", "B", "A"], "swipe_id": 2 }),
            vec!["A", "B"],
            1,
            vec![SwipeDropped],
        ),
        (
            json!({ "mes": "A", "swipes": ["A", "B", "A"], "swipe_id": 2 }),
            vec!["A", "B"],
            0,
            vec![SwipeDropped],
        ),
    ] {
        check_swipes(&message, &expected, selected, &adapted);
    }
    for empty in
        [json!({ "mes": "" }), json!({ "mes": 7 }), json!({ "mes": " ", "swipes": ["", null] })]
    {
        let skipped = Item::Skipped { line: 1, reason: "the message is empty" };
        assert_eq!(read_all(empty.to_string().as_bytes()), [skipped], "{empty}");
    }
}

#[test]
fn what_is_known_of_swipes_may_be_short_or_missing() {
    let entry = read_one(&json!({
        "mes": "C", "send_date": "2024-07-12T01:31:37Z", "swipe_id": 2, "swipes": ["A", "B", "C", "D"],
        "gen_started": "2024-07-12T01:31:30Z", "gen_finished": "2024-07-12T01:31:36Z",
        "extra": { "model": "gpt", "reasoning": "Hm." },
        "swipe_info": [
            { "send_date": "June 19, 2023 2:20pm", "extra": { "model": "llama", "reasoning": "So." } },
            null,
            { "send_date": "2023-6-25 @14h 5m 33s 123ms", "extra": {} },
        ],
    }));
    let dates: Vec<_> = entry.versions.iter().map(|version| version.sent_at).collect();
    let (first, third) = (at("2023-06-19T14:20:00Z"), at("2024-07-12T01:31:37Z"));
    assert_eq!(dates, [Some(first), None, Some(third), None]);
    assert_eq!(entry.versions[0].model.as_deref(), Some("llama"));
    assert_eq!(entry.versions[0].thought.as_deref(), Some("So."));
    assert_eq!(entry.versions[1], Version { content: "B".into(), ..Version::default() });
    assert_eq!(entry.versions[2].model.as_deref(), Some("gpt"));
    assert_eq!(entry.versions[2].finished_at, Some(at("2024-07-12T01:31:36Z")));
    let odd = read_one(
        &json!({ "mes": "A", "swipes": ["A"], "swipe_id": 0, "swipe_info": "?", "extra": null,
        "send_date": "one of these days" }),
    );
    assert_eq!((odd.versions[0].sent_at, odd.adapted), (None, vec![Adapted::Date]));
}

#[test]
fn everybody_speaks_as_what_they_are() {
    use MessageRole::{Character, Narrator, Player, System};
    for (message, role, hidden) in [
        (json!({ "name": "Astrid", "is_user": true }), Player, false),
        (json!({ "name": "Astrid", "is_user": true, "is_system": true }), Player, true),
        (json!({ "name": "Mira", "is_user": false }), Character, false),
        (json!({ "name": "Mira", "is_system": true }), Character, true),
        (json!({ "name": "Mira", "is_user": "false", "is_system": 1 }), Character, true),
        (json!({ "name": "System", "extra": { "type": "narrator" } }), Narrator, false),
        (
            json!({ "name": "System", "is_system": true, "extra": { "type": "narrator" } }),
            Narrator,
            true,
        ),
        (
            json!({ "name": "Note", "is_system": true, "extra": { "type": "comment" } }),
            System,
            true,
        ),
        (json!({ "name": "SillyTavern System", "is_system": true }), System, true),
        (json!({}), Character, false),
    ] {
        let mut line = message.clone();
        line["mes"] = "…".into();
        let entry = read_one(&line);
        assert_eq!((entry.speaker.role, entry.hidden), (role, hidden), "{message}");
    }
}

#[test]
fn what_hangs_on_a_message_is_read_or_told() {
    let entry =
        read_one(&json!({ "mes": "A", "extra": { "bookmark_link": "Mira - before the fall",
        "branches": ["Mira - two", 3, ""], "memory": "They met.", "image": "x.png" } }));
    assert_eq!(entry.bookmark.as_deref(), Some("Mira - before the fall"));
    assert_eq!(entry.branches, ["Mira - two"]);
    assert_eq!(entry.adapted, [Adapted::Attachment, Adapted::Summary]);
    assert!(entry.adapted.iter().all(|adapted| !adapted.sentence().is_empty()));
}

/// What a reader with the usual bounds makes of one line.
fn read_line(line: &str) -> Item {
    let mut reader = Reader::default();
    reader.feed(line.as_bytes());
    reader.end();
    reader.next().unwrap()
}

#[test]
fn of_very_many_swipes_the_first_and_the_selected_one_are_read() {
    let swipes: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    for mes in [json!("4321"), json!(null)] {
        let line = json!({ "mes": mes, "swipes": swipes, "swipe_id": 4321 }).to_string();
        let Item::Entry { entry, .. } = read_line(&line) else { panic!("no message") };
        assert_eq!((entry.versions.len(), entry.selected), (MOST_SWIPES + 1, MOST_SWIPES));
        assert_eq!(entry.versions[MOST_SWIPES].content, "4321");
        assert_eq!(entry.versions[MOST_SWIPES - 1].content, "999");
        assert_eq!(entry.adapted, [Adapted::TooManySwipes]);
    }
}

#[test]
fn a_line_of_very_many_values_is_skipped() {
    let zeros = "0,".repeat(200_000);
    let line = format!("{{\"mes\":\"x\",\"a\":[{zeros}0]}}");
    let skipped = Item::Skipped { line: 1, reason: "the line has too many parts" };
    assert_eq!(read_line(&line), skipped);
    // Not if they are in a text.
    let line = json!({ "mes": format!("\\\"{zeros}") }).to_string();
    assert!(matches!(read_line(&line), Item::Entry { .. }));
}
