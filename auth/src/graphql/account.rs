//! Mutations of accounts: making one, the profile, roles.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use skald_base::{
    Role, UserError,
    graph::{parse_id, payload},
};

use super::{
    context::{auth, origin, viewer},
    date::Date,
    sign_in::Tokens,
    user::User,
};
use crate::{
    account::{ProfileChange, Registration},
    password::Password,
};

/// Who registers.
#[derive(InputObject)]
struct RegisterInput {
    /// 3 to 32 letters of any script, digits, `_`, `-` and `.`; names that look alike are taken.
    username: String,
    /// The e-mail address, shown to nobody but you and admins.
    email: String,
    /// 8 to 256 characters of any kind, but not one of those everybody uses.
    password: String,
    /// The name to show; the username if not given.
    display_name: Option<String>,
    /// The day of birth, which decides what stories may contain.
    birth_date: Option<Date>,
    /// An id of your choice: a retry with the same id and input finds the first result.
    client_request_id: Option<String>,
}

/// What to change of your profile; fields that are not given stay.
#[derive(InputObject)]
struct UpdateProfileInput {
    /// The name to show.
    display_name: Option<String>,
    /// What you say of yourself, up to 4 KiB; null removes it.
    about: MaybeUndefined<String>,
    /// The http or https address of a picture; null removes it.
    avatar_url: MaybeUndefined<String>,
    /// The day of birth; null removes it.
    birth_date: MaybeUndefined<Date>,
}

/// A role for somebody.
#[derive(InputObject)]
struct SetRoleInput {
    /// The user.
    user_id: ID,
    /// What they may do from now on.
    role: Role,
}

/// The new user, signed in.
#[derive(SimpleObject)]
struct RegisterPayload {
    #[graphql(flatten)]
    tokens: Tokens,
    /// Why it was not done; empty if it was.
    errors: Vec<UserError>,
}

/// The profile as it is now.
#[derive(SimpleObject)]
struct UpdateProfilePayload {
    /// You.
    user: Option<User>,
    /// Why it was not done; empty if it was.
    errors: Vec<UserError>,
}

/// The user with the new role.
#[derive(SimpleObject)]
struct SetRolePayload {
    /// The user.
    user: Option<User>,
    /// Why it was not done; empty if it was.
    errors: Vec<UserError>,
}

impl From<RegisterInput> for Registration {
    fn from(input: RegisterInput) -> Self {
        Self {
            username: input.username,
            email: input.email,
            password: Password::new(&input.password),
            display_name: input.display_name,
            birth_date: input.birth_date.map(|Date(date)| date),
            client_request_id: input.client_request_id,
        }
    }
}

impl UpdateProfileInput {
    fn apply(self, profile: &mut ProfileChange) {
        if let Some(name) = self.display_name {
            profile.display_name = name;
        }
        self.about.update_to(&mut profile.about);
        self.avatar_url.update_to(&mut profile.avatar_url);
        let birth_date = self.birth_date.map_value(|Date(date)| date);
        birth_date.update_to(&mut profile.birth_date);
    }
}

/// Mutations of accounts.
#[derive(Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Make an account and sign in.
    async fn register(
        &self,
        ctx: &Context<'_>,
        input: RegisterInput,
    ) -> async_graphql::Result<RegisterPayload> {
        let outcome = auth(ctx)?.register(&origin(ctx), input.into()).await;
        let (tokens, errors) = Tokens::from_outcome(outcome)?;
        Ok(RegisterPayload { tokens, errors })
    }

    /// Change what others see of you, and your day of birth.
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        input: UpdateProfileInput,
    ) -> async_graphql::Result<UpdateProfilePayload> {
        let change = |profile: &mut ProfileChange| input.apply(profile);
        let outcome = auth(ctx)?.update_profile(&viewer(ctx), change).await;
        let (account, errors) = payload(outcome)?;
        let user = account.map(User);
        Ok(UpdateProfilePayload { user, errors })
    }

    /// Change what somebody else may do: for admins. It holds within seconds.
    async fn set_role(
        &self,
        ctx: &Context<'_>,
        input: SetRoleInput,
    ) -> async_graphql::Result<SetRolePayload> {
        let set = async || {
            let user = parse_id("input.userId", &input.user_id)?;
            auth(ctx)?.set_role(&viewer(ctx), user, input.role).await
        };
        let (account, errors) = payload(set().await)?;
        let user = account.map(User);
        Ok(SetRolePayload { user, errors })
    }
}
