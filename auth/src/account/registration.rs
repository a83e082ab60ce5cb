//! Making an account: checks, the judgement of the constraints, and retries.

use chrono::NaiveDate;
use skald_base::{Error, Result, Role, UserError, UserErrorCode, graph::ClientRequestId};

use super::{Account, check_birth_date, check_display_name};
use crate::{
    app::Auth,
    name::{Username, parse_email},
    password::{self, Password, Verdict},
    sign_in::{Granted, Origin},
    store,
    throttle::Key,
};

/// A registration as a client asks for it, unchecked.
pub(crate) struct Registration {
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) password: Password,
    pub(crate) display_name: Option<String>,
    pub(crate) birth_date: Option<NaiveDate>,
    pub(crate) client_request_id: Option<String>,
}

/// A checked registration, ready to store.
pub(crate) struct NewAccount {
    pub(crate) account: Account,
    pub(crate) username_key: String,
    pub(crate) username_skeleton: String,
    pub(crate) username_look: String,
    pub(crate) email_key: String,
    pub(crate) password_hash: String,
    pub(crate) client_request_id: Option<String>,
}

impl Auth {
    /// Makes an account and signs it in.
    pub(crate) async fn register(&self, from: &Origin, asked: Registration) -> Result<Granted> {
        if let Some(network) = from.network() {
            let rate = self.config.throttle.register_per_address;
            self.throttle.take(&Key::Register(network), rate)?;
        }
        let password = asked.password.clone();
        let new = self.check_registration(from, asked).await?;
        let mut tx = self.db.begin().await?;
        match store::account::insert(&mut tx, &new).await {
            Ok(()) => {}
            Err(error) => {
                drop(tx);
                return self.register_again(from, &new, password, error).await;
            }
        }
        let granted = self.grant(&mut tx, new.account, from).await?;
        tx.commit().await?;
        tracing::info!(user = %granted.account.id, "user registered");
        Ok(granted)
    }

    async fn check_registration(&self, from: &Origin, asked: Registration) -> Result<NewAccount> {
        let username = Username::parse("input.username", &asked.username)?;
        let (email, email_key) = parse_email("input.email", &asked.email)?;
        let display_name = match &asked.display_name {
            Some(name) => check_display_name(name)?,
            None => username.text.clone(),
        };
        let now = self.clock.now();
        check_birth_date(asked.birth_date, now)?;
        let request = asked.client_request_id.as_deref();
        let request = request.map(|id| ClientRequestId::parse("input.clientRequestId", id));
        let request = request.transpose()?.map(|id| id.as_str().to_owned());
        let names = [&*username.key, &*email_key, &*display_name];
        password::check_policy("input.password", &asked.password, &names)?;
        Ok(NewAccount {
            password_hash: self.passwords.hash(from.network, asked.password).await?,
            account: Account {
                id: self.ids.next(),
                username: username.text,
                email,
                role: Role::User,
                display_name,
                avatar_url: None,
                about: None,
                birth_date: asked.birth_date,
                created_at: now,
            },
            username_key: username.key,
            username_skeleton: username.skeleton,
            username_look: username.look,
            email_key,
            client_request_id: request,
        })
    }

    /// A retry of the same registration signs in; anything else is taken.
    async fn register_again(
        &self,
        from: &Origin,
        new: &NewAccount,
        password: Password,
        error: Error,
    ) -> Result<Granted> {
        if store::violated(&error, UNIQUE).is_none() {
            return Err(error);
        }
        if let Some(first) = store::account::credentials_by_request(&self.db, new).await? {
            let verdict = self.passwords.verify(from.network, password, Some(&first.password_hash));
            if verdict.await? != Verdict::Wrong {
                return self.sign_in(&first, from).await;
            }
        }
        Err(taken(error))
    }
}

const UNIQUE: &[&str] = &["username_key", "username_skeleton", "username_look", "email_key"];

fn taken(error: Error) -> Error {
    let taken =
        |path: &str, message: &str| UserError::new(UserErrorCode::Taken, message).at(path).into();
    match store::violated(&error, UNIQUE) {
        Some("email_key") => taken("input.email", "this e-mail address has an account already"),
        Some(_) => taken("input.username", "this username, or one that looks like it, is taken"),
        None => error,
    }
}
