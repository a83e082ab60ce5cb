//! What resolvers read of a request.

use std::net::IpAddr;

use async_graphql::{Context, dataloader::DataLoader};
use skald_base::{Error, Result, Viewer};

use super::node::UserLoader;
use crate::{app::Auth, sign_in::Origin, throttle::Network};

/// The longest part of a `User-Agent` header that is kept, in characters.
const MAX_AGENT: usize = 200;

/// Request data: the address of the client, if the transport knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

/// Request data: the `User-Agent` header, shown to a user in the list of their sign-ins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserAgent(pub Option<String>);

pub(super) fn auth<'c>(ctx: &Context<'c>) -> Result<&'c Auth> {
    ctx.data_opt().ok_or_else(|| Error::Internal("the schema has no Auth".into()))
}

pub(super) fn viewer(ctx: &Context<'_>) -> Viewer {
    ctx.data_opt().copied().unwrap_or(Viewer::Anonymous)
}

pub(super) fn loader<'c>(ctx: &Context<'c>) -> Result<&'c DataLoader<UserLoader>> {
    ctx.data_opt().ok_or_else(|| Error::Internal("the request has no loader of users".into()))
}

pub(super) fn network(ctx: &Context<'_>) -> Option<Network> {
    let ClientAddress(address) = ctx.data_opt().copied().unwrap_or_default();
    address.map(Network::from)
}

pub(super) fn origin(ctx: &Context<'_>) -> Origin {
    let agent = ctx.data_opt::<UserAgent>().and_then(|agent| agent.0.as_deref());
    let visible =
        |text: &str| text.chars().filter(|letter| !letter.is_control()).take(MAX_AGENT).collect();
    Origin { network: network(ctx), user_agent: agent.map(visible) }
}
