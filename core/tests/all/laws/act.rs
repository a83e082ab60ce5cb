//! What a player and the model behind the story do.

use proptest::prelude::*;

/// One step; numbers choose among all messages there are, deleted ones too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Send a message below the head or a message.
    Send(Option<usize>),
    /// Ask for a reply below the head or a message.
    Request { parent: Option<usize>, narrator: bool },
    /// Ask for another version.
    Regenerate(usize),
    /// Write another version by hand.
    Edit { message: usize, reply: bool },
    /// Write over a message.
    Revise { message: usize, reply: bool, is_stale: bool },
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
    /// The model ends a running reply.
    Finish(usize),
    /// The model fails.
    Fail(usize),
    /// Change the title; perhaps with an old version in mind.
    Title { is_stale: bool },
    /// Send an earlier request again, as it was or with other input.
    Repeat { request: usize, is_changed: bool },
}

/// Acts that make long stories with many branches and some mistakes.
pub(super) fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let any = 0_usize..1000;
    let parent = || prop_oneof![2 => Just(None), 1 => (0_usize..1000).prop_map(Some)];
    let rarely = || prop::bool::weighted(0.2);
    let act = prop_oneof![
        6 => parent().prop_map(Act::Send),
        3 => (parent(), prop::bool::ANY)
            .prop_map(|(parent, narrator)| Act::Request { parent, narrator }),
        4 => any.clone().prop_map(Act::Regenerate),
        3 => (any.clone(), prop::bool::ANY).prop_map(|(message, reply)| Act::Edit { message, reply }),
        2 => (any.clone(), rarely(), rarely())
            .prop_map(|(message, reply, is_stale)| Act::Revise { message, reply, is_stale }),
        5 => (any.clone(), rarely())
            .prop_map(|(message, is_stale)| Act::Select { message, is_stale }),
        4 => (any.clone(), rarely())
            .prop_map(|(message, is_stale)| Act::Delete { message, is_stale }),
        4 => any.clone().prop_map(Act::Restore),
        2 => any.clone().prop_map(Act::Stop),
        4 => any.clone().prop_map(Act::Say),
        9 => any.clone().prop_map(Act::Finish),
        2 => any.clone().prop_map(Act::Fail),
        1 => rarely().prop_map(|is_stale| Act::Title { is_stale }),
        2 => (any, prop::bool::ANY)
            .prop_map(|(request, is_changed)| Act::Repeat { request, is_changed }),
    ];
    prop::collection::vec(act, 1..=most)
}
