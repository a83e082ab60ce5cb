//! Chats as they are found, and the laws of there and back.

mod reading;
mod round_trip;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Entry, Item, Reader};

fn read_all(bytes: &[u8]) -> Vec<Item> {
    read_in_pieces(bytes, bytes.len().max(1))
}

fn read_in_pieces(bytes: &[u8], size: usize) -> Vec<Item> {
    let mut reader = Reader::new(10_000);
    let mut items = Vec::new();
    for piece in bytes.chunks(size) {
        reader.feed(piece);
        items.extend(reader.by_ref());
    }
    reader.end();
    items.extend(reader.by_ref());
    items
}

fn read_one(message: &Value) -> Entry {
    let items = read_all(message.to_string().as_bytes());
    match items.as_slice() {
        [Item::Entry { entry, .. }] => entry.clone(),
        other => panic!("{other:?}"),
    }
}

fn texts(entry: &Entry) -> Vec<&str> {
    entry.versions.iter().map(|version| version.content.as_str()).collect()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
