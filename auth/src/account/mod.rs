//! Accounts: the profile, roles, new passwords; the list for staff.

mod registration;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use skald_base::{
    Error, Result, Role, SignInId, Tx, UserError, UserErrorCode, UserId, Viewer,
    graph::{Page, Slice, TextRule},
    viewer::SignedIn,
};

use crate::{
    app::Auth,
    name::{Login, check_typed, fold},
    password::{self, Password},
    revocation::Revocation,
    store,
    throttle::Network,
};

pub(crate) use registration::{NewAccount, Registration};

/// Below this age a user is a minor.
const ADULT_MONTHS: Months = Months::new(18 * 12);

/// The least that two moments differ in both databases.
const TICK: TimeDelta = TimeDelta::microseconds(1);

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
    pub(crate) fn new(viewer: SignedIn, text: Option<&str>) -> Result<Self> {
        text.map_or(Ok(()), |text| check_typed("search", text))?;
        let text = text.map(fold).filter(|text| !text.trim().is_empty());
        Ok(Self { text, by_email: viewer.role == Role::Admin })
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
        // The account is locked now: this change comes after the last one by every clock.
        let last = store::revocation::last_role_change(&mut tx, user).await?;
        let at = last.map_or(self.clock.now(), |last| self.clock.now().max(last + TICK));
        let change = Revocation::RoleChanged(user, role);
        store::revocation::insert(&mut tx, &self.ids, change, at).await?;
        tx.commit().await?;
        self.revocations.apply(change, at);
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
        let hash = self.hash_new_password(None, &account, Password::new(password)).await?;
        let tx = self.db.begin().await?;
        self.replace_password(tx, &account, &hash, None).await?;
        Ok(id)
    }

    async fn id_by_login(&self, login: &str) -> Result<UserId> {
        let found = store::account::credentials_by_login(&self.db, &Login::parse(login)).await?;
        found.map(|found| found.id).ok_or_else(|| Error::not_found("user"))
    }

    /// The hash of a new password, if the policy allows it.
    pub(crate) async fn hash_new_password(
        &self,
        network: Option<Network>,
        account: &Account,
        password: Password,
    ) -> Result<String> {
        let names = [&*account.username, &*account.email, &*account.display_name];
        password::check_policy("input.newPassword", &password, &names)?;
        self.passwords.hash(network, password).await
    }

    /// Stores a new password and ends the user's sign-ins but one.
    pub(crate) async fn replace_password(
        &self,
        mut tx: Tx,
        account: &Account,
        hash: &str,
        keep: Option<SignInId>,
    ) -> Result<()> {
        store::account::set_password(&mut tx, account.id, hash).await?;
        let ended = self.end_all(&mut tx, account.id, keep).await?;
        tx.commit().await?;
        self.revoke(&ended);
        tracing::info!(user = %account.id, sign_ins_ended = ended.len(), "password changed");
        Ok(())
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
