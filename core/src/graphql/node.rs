//! `node(id:)`: anything by its id, as Relay and caches ask.

use std::borrow::Cow;

use async_graphql::{
    Context, ContextSelectionSet, ID, Interface, Object, OutputType, Positioned, Result,
    ServerResult, Value,
    parser::types::Field,
    registry::{MetaType, Registry},
};
use skald_base::{Error, Kind, id::parse_any, viewer::UserKind};
use uuid::Uuid;

use super::{
    alternatives::Alternatives,
    character::Character,
    context::Graph,
    fact::Fact,
    generation::{GENERATION, Generation},
    loaders::ReplyKey,
    lore_entry::LoreEntry,
    lorebook::Lorebook,
    message::Message,
    persona::Persona,
    session::Session,
    user::UserRef,
};
use crate::{
    character::{self, CharacterKind},
    fact::FactKind,
    lorebook::{LorebookKind, entry::LoreEntryKind},
    persona::PersonaKind,
    session::SessionKind,
    tree::{MessageId, MessageKind},
};

/// Something with an id that can be read again with `node(id:)`.
#[derive(Interface)]
#[graphql(name = "Node", field(name = "id", ty = "ID", desc = "Its id, unique over all kinds."))]
enum CoreNode {
    Persona(Persona),
    Character(Character),
    Fact(Fact),
    Lorebook(Lorebook),
    LoreEntry(LoreEntry),
    Session(Session),
    Message(Message),
    Alternatives(Alternatives),
    Generation(Generation),
}

/// The `Node` interface, which users implement too.
///
/// Written by hand around the derived one, because [`UserRef`] may stand for
/// a type of another subgraph.
pub struct Node(Inner);

enum Inner {
    Core(Box<CoreNode>),
    User(UserRef),
}

impl OutputType for Node {
    fn type_name() -> Cow<'static, str> {
        "Node".into()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        match &self.0 {
            Inner::Core(node) => node.introspection_type_name(),
            Inner::User(_) => UserRef::type_name(),
        }
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let qualified = CoreNode::create_type_info(registry);
        UserRef::create_type_info(registry);
        registry.add_implements(&UserRef::type_name(), "Node");
        if let Some(MetaType::Interface { possible_types, .. }) = registry.types.get_mut("Node") {
            possible_types.insert(UserRef::type_name().into_owned());
        }
        qualified
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match &self.0 {
            Inner::Core(node) => node.resolve(ctx, field).await,
            Inner::User(user) => user.resolve(ctx, field).await,
        }
    }
}

/// Queries on anything.
#[derive(Default)]
pub(super) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Anything that you may read, by its id; null if there is no such thing.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Option<Result<Node>> {
        find(ctx, "id", &id).await.transpose()
    }

    /// As `node`, for up to 100 ids: the answer has a place for each, in their order.
    #[graphql(complexity = "1 + ids.len() * child_complexity")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Their ids; at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > skald_base::graph::MAX_PAGE {
            return Err(Error::invalid("ids", "at most 100 ids").into());
        }
        futures_util::future::try_join_all(ids.iter().map(|id| find(ctx, "ids", id))).await
    }
}

pub(super) async fn find(ctx: &Context<'_>, path: &str, id: &ID) -> Result<Option<Node>> {
    let unknown = || Error::invalid(path, "not an id of this graph");
    let (prefix, uuid) = parse_any(id).ok_or_else(unknown)?;
    let loaders = ctx.loaders();
    let node = match prefix {
        UserKind::PREFIX => {
            return Ok(Some(Node(Inner::User(UserRef(skald_base::Id::from_uuid(uuid))))));
        }
        PersonaKind::PREFIX => {
            let row = loaders.load(skald_base::Id::<PersonaKind>::from_uuid(uuid)).await?;
            row.map(|row| CoreNode::Persona(row.into()))
        }
        CharacterKind::PREFIX => find_character(ctx, uuid).await?,
        FactKind::PREFIX => {
            let row = loaders.load(skald_base::Id::<FactKind>::from_uuid(uuid)).await?;
            row.map(|row| CoreNode::Fact(row.into()))
        }
        LorebookKind::PREFIX => {
            let row = loaders.load(skald_base::Id::<LorebookKind>::from_uuid(uuid)).await?;
            row.map(|row| CoreNode::Lorebook(row.into()))
        }
        LoreEntryKind::PREFIX => {
            let row = loaders.load(skald_base::Id::<LoreEntryKind>::from_uuid(uuid)).await?;
            row.map(|row| CoreNode::LoreEntry(row.into()))
        }
        SessionKind::PREFIX => {
            let row = loaders.load(skald_base::Id::<SessionKind>::from_uuid(uuid)).await?;
            row.map(|row| CoreNode::Session(Session(row)))
        }
        MessageKind::PREFIX => {
            let row = loaders.load(skald_base::Id::<MessageKind>::from_uuid(uuid)).await?;
            row.map(|row| CoreNode::Message(Message(row)))
        }
        GENERATION => find_generation(ctx, uuid).await?,
        prefix => match Alternatives::find(ctx, prefix, uuid).await? {
            Some(alternatives) => Some(CoreNode::Alternatives(alternatives)),
            None if Alternatives::is_prefix(prefix) => None,
            None => return Err(unknown().into()),
        },
    };
    Ok(node.map(|node| Node(Inner::Core(Box::new(node)))))
}

async fn find_character(ctx: &Context<'_>, uuid: Uuid) -> Result<Option<CoreNode>> {
    let id = skald_base::Id::from_uuid(uuid);
    match character::get(ctx.app(), ctx.viewer(), id).await {
        Ok(row) => Ok(Some(CoreNode::Character(row.into()))),
        Err(Error::User(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn find_generation(ctx: &Context<'_>, uuid: Uuid) -> Result<Option<CoreNode>> {
    let id = MessageId::from_uuid(uuid);
    // The message first: whoever may not read it may not read how it was written.
    if ctx.loaders().load(id).await?.is_none() {
        return Ok(None);
    }
    let reply = ctx.loaders().load(ReplyKey(id)).await?;
    Ok(reply.map(|reply| CoreNode::Generation(Generation(reply))))
}
