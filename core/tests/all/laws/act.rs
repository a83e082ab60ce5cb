//! What a player and the model behind the story do.

use proptest::{prelude::*, strategy::Union};

/// One step; numbers choose among all messages there are, deleted ones too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Send a message below the head or a message.
    Send(Option<usize>),
    /// Ask for a reply below the head or a message.
    Request { parent: Option<usize>, narrator: bool },
    /// Have a model write the player's message below the head or a message.
    Impersonate(Option<usize>),
    /// Ask for another version.
    Regenerate(usize),
    /// Have a reply written on that was cut.
    Continue(usize),
    /// Have a failed reply tried again.
    Retry(usize),
    /// Write another version by hand.
    Edit { message: usize, reply: bool },
    /// Write over a message.
    Revise { message: usize, reply: bool, is_stale: bool },
    /// Have a former text back.
    GoBack { message: usize, revision: usize, is_stale: bool },
    /// Hide a message from models, or show it again.
    Hide { message: usize, hidden: bool },
    /// Keep a message under a name, or no longer.
    Bookmark { message: usize, is_kept: bool },
    /// Go to a message; perhaps with an old head in mind.
    Select { message: usize, is_stale: bool },
    /// Delete a message; perhaps with an old head in mind.
    Delete { message: usize, is_stale: bool },
    /// Undo a deletion.
    Restore(usize),
    /// Stop a reply.
    Stop(usize),
    /// The model writes a word of a running reply.
    Say(usize),
    /// The model ends a running reply, perhaps because it may write no more.
    Finish { reply: usize, is_cut: bool },
    /// The model fails.
    Fail(usize),
    /// Change the title; perhaps with an old version in mind.
    Title { is_stale: bool },
    /// Make a session that goes on from a message; perhaps go on there.
    Fork { message: usize, scope: Scope, moves: bool },
    /// Send an earlier request again, as it was or with other input.
    Repeat { request: usize, is_changed: bool },
}

/// What a fork takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope {
    Path,
    PathWithSiblings,
    Subtree,
}

impl Scope {
    /// As the graph says it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Path => "PATH",
            Self::PathWithSiblings => "PATH_WITH_SIBLINGS",
            Self::Subtree => "SUBTREE",
        }
    }
}

fn any() -> std::ops::Range<usize> {
    0..1000
}

fn rarely() -> prop::bool::Weighted {
    prop::bool::weighted(0.2)
}

fn parent() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![2 => Just(None), 1 => any().prop_map(Some)]
}

/// Acts that make long stories with many branches and some mistakes.
pub(super) fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let mut all = grow();
    all.extend(change());
    all.extend(write());
    prop::collection::vec(Union::new_weighted(all), most / 2..=most)
}

type Weighed = (u32, BoxedStrategy<Act>);

/// What makes messages.
fn grow() -> Vec<Weighed> {
    let request = (parent(), prop::bool::ANY)
        .prop_map(|(parent, narrator)| Act::Request { parent, narrator });
    let edit = (any(), prop::bool::ANY).prop_map(|(message, reply)| Act::Edit { message, reply });
    let scope = prop_oneof![
        1 => Just(Scope::Path),
        1 => Just(Scope::PathWithSiblings),
        2 => Just(Scope::Subtree),
    ];
    let fork = (any(), scope, rarely()).prop_map(|(message, scope, moves)| Act::Fork {
        message,
        scope,
        moves,
    });
    vec![
        (8, parent().prop_map(Act::Send).boxed()),
        (3, request.boxed()),
        (2, parent().prop_map(Act::Impersonate).boxed()),
        (4, any().prop_map(Act::Regenerate).boxed()),
        (4, any().prop_map(Act::Continue).boxed()),
        (3, edit.boxed()),
        (3, fork.boxed()),
    ]
}

/// What changes messages, and where the player stands.
fn change() -> Vec<Weighed> {
    let revise = (any(), rarely(), rarely()).prop_map(|(message, reply, is_stale)| Act::Revise {
        message,
        reply,
        is_stale,
    });
    let go_back = (any(), any(), rarely()).prop_map(|(message, revision, is_stale)| Act::GoBack {
        message,
        revision,
        is_stale,
    });
    let hide = (any(), prop::bool::ANY).prop_map(|(message, hidden)| Act::Hide { message, hidden });
    let bookmark = (any(), prop::bool::weighted(0.7))
        .prop_map(|(message, is_kept)| Act::Bookmark { message, is_kept });
    let select =
        (any(), rarely()).prop_map(|(message, is_stale)| Act::Select { message, is_stale });
    let delete =
        (any(), rarely()).prop_map(|(message, is_stale)| Act::Delete { message, is_stale });
    vec![
        (3, revise.boxed()),
        (3, go_back.boxed()),
        (2, hide.boxed()),
        (3, bookmark.boxed()),
        (5, select.boxed()),
        (4, delete.boxed()),
        (4, any().prop_map(Act::Restore).boxed()),
        (1, rarely().prop_map(|is_stale| Act::Title { is_stale }).boxed()),
    ]
}

/// What the model does, and what is asked of it while it writes.
fn write() -> Vec<Weighed> {
    let finish = (any(), rarely()).prop_map(|(reply, is_cut)| Act::Finish { reply, is_cut });
    let repeat = (any(), prop::bool::ANY)
        .prop_map(|(request, is_changed)| Act::Repeat { request, is_changed });
    vec![
        (2, any().prop_map(Act::Stop).boxed()),
        (5, any().prop_map(Act::Say).boxed()),
        (9, finish.boxed()),
        (6, any().prop_map(Act::Fail).boxed()),
        (4, any().prop_map(Act::Retry).boxed()),
        (2, repeat.boxed()),
    ]
}
