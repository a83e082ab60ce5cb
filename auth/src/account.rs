//! Accounts: making one, the profile, roles; the list for staff.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use skald_base::{
    Error, Result, Role, SignInId, UserError, UserErrorCode, UserId, Viewer,
    graph::{ClientRequestId, Page, Slice, TextRule},
    viewer::SignedIn,
};

use crate::{
    app::Auth,
    name::{Login, Username, fold, parse_email},
    password::{self, Password, Verdict},
    revocation::Revocation,
    sign_in::{Granted, Origin},
    store,
    throttle::Key,
};

/// Below this age a user is a minor.
const ADULT_MONTHS: Months = Months::new(18 * 12);

/// What is known of a user; the password's hash is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Account {
    pub(crate) id: UserId,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) role: Role,
    pub(crate) display_name: String,
    pub(crate) avatar_url: Option<String>,
    pub(crate) about: Option<String>,
    pub(crate) birth_date: Option<NaiveDate>,
    pub(crate) created_at: DateTime<Utc>,
}

impl Account {
    /// Whether the user said that they are not of age.
    pub(crate) fn is_minor(&self, now: DateTime<Utc>) -> bool {
        self.birth_date
            .and_then(|born| born.checked_add_months(ADULT_MONTHS))
            .is_some_and(|of_age| now.date_naive() < of_age)
    }
}

/// What a password is compared with.
#[derive(Clone, sqlx::FromRow)]
pub(crate) struct Credentials {
    pub(crate) id: UserId,
    pub(crate) password_hash: String,
}

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
    pub(crate) email_key: String,
    pub(crate) password_hash: String,
    pub(crate) client_request_id: Option<String>,
}

/// A profile as it shall be.
pub(crate) struct ProfileChange {
    pub(crate) display_name: String,
    pub(crate) about: Option<String>,
    pub(crate) avatar_url: Option<String>,
    pub(crate) birth_date: Option<NaiveDate>,
}

/// What a list of users is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    /// A part of the username, folded.
    text: Option<String>,
    /// Whether the whole e-mail address is looked for, too.
    by_email: bool,
}

impl Search {
    /// What `viewer` looks for; only admins find people by e-mail address.
    pub(crate) fn new(viewer: SignedIn, text: Option<&str>) -> Self {
        let text = text.map(fold).filter(|text| !text.trim().is_empty());
        Self { text, by_email: viewer.role == Role::Admin }
    }

    /// A pattern for LIKE, with `!` as its escape.
    pub(crate) fn username_pattern(&self) -> Option<String> {
        let text = self.text.as_deref()?.trim();
        let text = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
        Some(format!("%{text}%"))
    }

    /// The whole address to look for, if the viewer may.
    pub(crate) fn email_key(&self) -> Option<String> {
        self.text.clone().filter(|_| self.by_email)
    }
}

impl Auth {
    /// Makes an account and signs it in.
    pub(crate) async fn register(&self, from: &Origin, asked: Registration) -> Result<Granted> {
        if let Some(network) = from.network() {
            let rate = self.config.throttle.register_per_address;
            self.throttle.take(&Key::Register(network), rate)?;
        }
        let password = asked.password.clone();
        let new = self.check_registration(asked).await?;
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

    async fn check_registration(&self, asked: Registration) -> Result<NewAccount> {
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
            password_hash: self.passwords.hash(asked.password).await?,
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
            email_key,
            client_request_id: request,
        })
    }

    /// A retry of the same registration signs in; anything else is a conflict or taken.
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
            let verdict = self.passwords.verify(password, Some(&first.password_hash));
            if verdict.await? != Verdict::Wrong {
                return self.sign_in(first.id, from).await;
            }
        }
        Err(taken(error))
    }

    /// Changes what the user says of themselves; `change` edits the present state.
    pub(crate) async fn update_profile(
        &self,
        viewer: &Viewer,
        change: impl FnOnce(&mut ProfileChange),
    ) -> Result<Account> {
        let id = viewer.user()?.id;
        let account = self.account(id).await?;
        let mut profile = ProfileChange {
            display_name: account.display_name,
            about: account.about,
            avatar_url: account.avatar_url,
            birth_date: account.birth_date,
        };
        change(&mut profile);
        profile.display_name = check_display_name(&profile.display_name)?;
        if let Some(about) = &profile.about {
            TextRule::optional(4_096).check("input.about", about)?;
        }
        if let Some(url) = &profile.avatar_url {
            check_url("input.avatarUrl", url)?;
        }
        check_birth_date(profile.birth_date, self.clock.now())?;
        store::account::update_profile(&self.db, id, profile).await?;
        self.account(id).await
    }

    /// The account with this id.
    pub(crate) async fn account(&self, id: UserId) -> Result<Account> {
        let found = store::account::find(&self.db, id).await?;
        found.ok_or_else(|| Error::not_found("user"))
    }

    /// A page of users, for staff.
    pub(crate) async fn list_accounts(
        &self,
        viewer: SignedIn,
        search: &Search,
        page: &Page,
    ) -> Result<Slice<Account>> {
        if viewer.role == Role::User {
            let message = "only moderators and admins may list users";
            return Err(UserError::new(UserErrorCode::Forbidden, message).into());
        }
        Ok(page.cut(store::account::list(&self.db, search, page).await?))
    }

    /// Gives another user a role, as an admin.
    pub(crate) async fn set_role(
        &self,
        viewer: &Viewer,
        user: UserId,
        role: Role,
    ) -> Result<Account> {
        let viewer = viewer.user()?;
        let forbidden = |message: &str| UserError::new(UserErrorCode::Forbidden, message);
        if viewer.role != Role::Admin {
            return Err(forbidden("only admins may change roles").into());
        }
        if viewer.id == user {
            // Else the last admin could lock everybody out by a slip.
            return Err(forbidden("ask another admin to change your role").into());
        }
        self.change_role(user, role).await
    }

    pub(crate) async fn change_role(&self, user: UserId, role: Role) -> Result<Account> {
        let mut tx = self.db.begin().await?;
        if !store::account::set_role(&mut tx, user, role).await? {
            return Err(Error::not_found("user"));
        }
        let change = Revocation::RoleChanged(user, role);
        store::revocation::insert(&mut tx, &self.ids, change, self.clock.now()).await?;
        tx.commit().await?;
        self.revocations.apply(change, self.clock.now());
        tracing::info!(%user, ?role, "role changed");
        self.account(user).await
    }

    /// Gives the user with this name or e-mail address a role: for `skald admin`.
    pub async fn set_role_by_login(&self, login: &str, role: Role) -> Result<UserId> {
        let id = self.id_by_login(login).await?;
        Ok(self.change_role(id, role).await?.id)
    }

    /// Sets a password and ends every sign-in of the user: for `skald admin`.
    pub async fn set_password_by_login(&self, login: &str, password: &str) -> Result<UserId> {
        let id = self.id_by_login(login).await?;
        let account = self.account(id).await?;
        self.replace_password(&account, Password::new(password), None).await?;
        Ok(id)
    }

    async fn id_by_login(&self, login: &str) -> Result<UserId> {
        let found = store::account::credentials_by_login(&self.db, &Login::parse(login)).await?;
        found.map(|found| found.id).ok_or_else(|| Error::not_found("user"))
    }

    /// Stores a new password that the policy allows and ends the user's sign-ins but one.
    pub(crate) async fn replace_password(
        &self,
        account: &Account,
        password: Password,
        keep: Option<SignInId>,
    ) -> Result<()> {
        let names = [&*account.username, &*account.email, &*account.display_name];
        password::check_policy("input.newPassword", &password, &names)?;
        let hash = self.passwords.hash(password).await?;
        let mut tx = self.db.begin().await?;
        store::account::set_password(&mut tx, account.id, &hash).await?;
        let ended = self.end_all(&mut tx, account.id, keep).await?;
        tx.commit().await?;
        self.revoke(&ended);
        tracing::info!(user = %account.id, sign_ins_ended = ended.len(), "password changed");
        Ok(())
    }
}

const UNIQUE: &[&str] = &["username_key", "username_skeleton", "email_key", "client_request_id"];

fn taken(error: Error) -> Error {
    let taken =
        |path: &str, message: &str| UserError::new(UserErrorCode::Taken, message).at(path).into();
    match store::violated(&error, UNIQUE) {
        Some("email_key") => taken("input.email", "this e-mail address has an account already"),
        Some("client_request_id") => {
            Error::conflict("this clientRequestId was used with other input")
        }
        Some(_) => taken("input.username", "this username, or one that looks like it, is taken"),
        None => error,
    }
}

fn check_display_name(name: &str) -> Result<String> {
    let name = name.trim();
    TextRule::required(200).check("input.displayName", name)?;
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "input.displayName",
            "displayName contains a control character",
        ));
    }
    Ok(name.to_owned())
}

fn check_birth_date(date: Option<NaiveDate>, now: DateTime<Utc>) -> Result<()> {
    match date {
        Some(date) if date > now.date_naive() || date.year() < 1900 => {
            Err(Error::invalid("input.birthDate", "birthDate must lie between 1900 and today"))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_url(path: &str, url: &str) -> Result<()> {
    TextRule::required(2_048).check(path, url)?;
    let web = ["https://", "http://"]
        .iter()
        .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    let odd = |letter: char| letter.is_whitespace() || letter.is_control();
    if !web || url.contains(odd) {
        return Err(Error::invalid(path, "not an http or https address"));
    }
    Ok(())
}
