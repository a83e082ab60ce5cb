//! `skald admin`: the first administrator, and passwords that were lost.

use std::io::Read;

use anyhow::{Context, anyhow};
use skald_base::Role as AccountRole;

use crate::{
    Failure,
    cli::{AdminCommand, Options, Role},
    config, say, wire,
};

/// Longest password that is read.
const MAX_PASSWORD: u64 = 4096;

/// Changes an account in the auth database.
pub(crate) async fn run(options: &Options, command: AdminCommand) -> Result<(), Failure> {
    let config = config::load(options)?;
    let databases = wire::open(&config).await?;
    let auth = wire::auth(&config, &databases).await?;
    let outcome = match command {
        AdminCommand::SetRole { login, role } => {
            let role = match role {
                Role::User => AccountRole::User,
                Role::Moderator => AccountRole::Moderator,
                Role::Admin => AccountRole::Admin,
            };
            auth.set_role_by_login(&login, role).await
        }
        AdminCommand::SetPassword { login } => {
            let password = read_password()?;
            auth.set_password_by_login(&login, &password).await
        }
    };
    let user = outcome.map_err(|error| anyhow!(error.describe()))?;
    say(&format!("done: {user}"));
    databases.close().await;
    Ok(())
}

fn read_password() -> anyhow::Result<String> {
    let mut password = String::new();
    let input = std::io::stdin().take(MAX_PASSWORD).read_to_string(&mut password);
    input.context("cannot read the password from standard input")?;
    Ok(password.trim_end_matches(['\r', '\n']).to_owned())
}
