//! Mutations that begin, renew and end sign-ins.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use skald_base::{
    Result, UserError,
    graph::{parse_id, payload},
};

use super::{
    context::{auth, network, origin, viewer},
    user::User,
};
use crate::{password::Password, sign_in::Granted};

/// Who signs in.
#[derive(InputObject)]
struct LoginInput {
    /// The username or the e-mail address.
    login: String,
    /// The password.
    password: String,
}

/// What is exchanged for fresh tokens.
#[derive(InputObject)]
struct RefreshInput {
    /// The refresh token; usable once, and again only if the answer was lost.
    refresh_token: String,
}

/// What ends.
#[derive(InputObject)]
struct LogoutInput {
    /// Ends the sign-in of this token; if not given, that of your access token.
    refresh_token: Option<String>,
}

/// A sign-in to end.
#[derive(InputObject)]
struct EndSignInInput {
    /// One of your sign-ins.
    sign_in_id: ID,
}

/// A new password.
#[derive(InputObject)]
struct ChangePasswordInput {
    /// The password until now.
    current_password: String,
    /// 8 to 256 characters of any kind, but not one of those everybody uses.
    new_password: String,
}

/// A user with fresh tokens.
#[derive(SimpleObject, Default)]
pub(super) struct Tokens {
    /// Who is signed in; null if `errors` says why not.
    user: Option<User>,
    /// For the header `Authorization: Bearer …`.
    access_token: Option<String>,
    /// When the access token expires: refresh before that.
    access_token_expires_at: Option<DateTime<Utc>>,
    /// For the next `refresh`; keep it secret.
    refresh_token: Option<String>,
}

/// The user, signed in.
#[derive(SimpleObject)]
struct LoginPayload {
    #[graphql(flatten)]
    tokens: Tokens,
    /// Why it was not done; empty if it was.
    errors: Vec<UserError>,
}

/// Fresh tokens.
#[derive(SimpleObject)]
struct RefreshPayload {
    #[graphql(flatten)]
    tokens: Tokens,
    /// Why it was not done; empty if it was.
    errors: Vec<UserError>,
}

/// Which sign-in ended.
#[derive(SimpleObject)]
struct LogoutPayload {
    /// The sign-in that has ended; null if the caller had none.
    sign_in_id: Option<ID>,
    /// Why it was not done; empty if it was.
    errors: Vec<UserError>,
}

/// Which sign-in ended.
#[derive(SimpleObject)]
struct EndSignInPayload {
    /// The sign-in that has ended.
    sign_in_id: Option<ID>,
    /// Why it was not done; empty if it was.
    errors: Vec<UserError>,
}

/// Whose password changed.
#[derive(SimpleObject)]
struct ChangePasswordPayload {
    /// You.
    user: Option<User>,
    /// Why it was not done; empty if it was.
    errors: Vec<UserError>,
}

impl Tokens {
    /// The tokens that were granted, and the errors if none were.
    pub(super) fn from_outcome(
        outcome: Result<Granted>,
    ) -> async_graphql::Result<(Self, Vec<UserError>)> {
        let (granted, errors) = payload(outcome)?;
        let tokens = granted.map(|granted| Self {
            user: Some(User(granted.account)),
            access_token: Some(granted.access_token.expose().to_owned()),
            access_token_expires_at: Some(granted.access_token_expires_at),
            refresh_token: Some(granted.refresh_token.expose().to_owned()),
        });
        Ok((tokens.unwrap_or_default(), errors))
    }
}

/// Mutations that begin, renew and end sign-ins.
#[derive(Default)]
pub struct SignInMutation;

#[Object]
impl SignInMutation {
    /// Sign in with a username or e-mail address and a password.
    async fn login(
        &self,
        ctx: &Context<'_>,
        input: LoginInput,
    ) -> async_graphql::Result<LoginPayload> {
        let password = Password::new(&input.password);
        let outcome = auth(ctx)?.login(&origin(ctx), &input.login, password).await;
        let (tokens, errors) = Tokens::from_outcome(outcome)?;
        Ok(LoginPayload { tokens, errors })
    }

    /// Exchange a refresh token for fresh tokens.
    async fn refresh(
        &self,
        ctx: &Context<'_>,
        input: RefreshInput,
    ) -> async_graphql::Result<RefreshPayload> {
        let outcome = auth(ctx)?.refresh(&input.refresh_token).await;
        let (tokens, errors) = Tokens::from_outcome(outcome)?;
        Ok(RefreshPayload { tokens, errors })
    }

    /// End a sign-in; its tokens are void at once. Ending it again does nothing.
    async fn logout(
        &self,
        ctx: &Context<'_>,
        input: LogoutInput,
    ) -> async_graphql::Result<LogoutPayload> {
        let presented = input.refresh_token.as_deref();
        let outcome = auth(ctx)?.logout(&viewer(ctx), presented).await;
        let (ended, errors) = payload(outcome)?;
        let sign_in_id = ended.flatten().map(|id| id.to_string().into());
        Ok(LogoutPayload { sign_in_id, errors })
    }

    /// End one of your sign-ins, on a device you lost, say; admins may end anybody's.
    async fn end_sign_in(
        &self,
        ctx: &Context<'_>,
        input: EndSignInInput,
    ) -> async_graphql::Result<EndSignInPayload> {
        let end = async || {
            let id = parse_id("input.signInId", &input.sign_in_id)?;
            auth(ctx)?.end_sign_in(&viewer(ctx), id).await
        };
        let (ended, errors) = payload(end().await)?;
        Ok(EndSignInPayload { sign_in_id: ended.map(|()| input.sign_in_id), errors })
    }

    /// Set a new password; your sign-ins on other devices end.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        input: ChangePasswordInput,
    ) -> async_graphql::Result<ChangePasswordPayload> {
        let current = Password::new(&input.current_password);
        let new = Password::new(&input.new_password);
        let viewer = viewer(ctx);
        let outcome = auth(ctx)?.change_password(&viewer, network(ctx), current, new);
        let (account, errors) = payload(outcome.await)?;
        let user = account.map(User);
        Ok(ChangePasswordPayload { user, errors })
    }
}
